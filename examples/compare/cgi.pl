#!/usr/bin/perl
# The work of `gateway compare` as a CGI program in Perl.
my %work = (
    '/hello'   => \&hello,
    '/page'    => sub { answer('x' x 10240) },
    '/echo'    => sub { binmode STDIN; read STDIN, my $data, $ENV{CONTENT_LENGTH}; answer($data) },
    '/stream'  => \&stream,
    '/environ' => sub { answer(join '', map { "$_=$ENV{$_}\n" } keys %ENV) },
    '/sleep'   => sub { select undef, undef, undef, 0.01; hello() },
);

binmode STDOUT;
$work{$ENV{PATH_INFO}}->();

sub hello { answer('Hello, World!') }

sub answer {
    my ($data) = @_;
    print "Content-Type: text/plain\r\nContent-Length: ", length $data, "\r\n\r\n", $data;
}

sub stream {
    print "Content-Type: text/plain\r\n\r\n";
    $| = 1;
    print '0123456789abcdef' x 4 for 1 .. 100;
}

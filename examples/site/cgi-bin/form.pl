#!/usr/bin/env perl
# Shows a form, and what was sent with it. Core modules only.

use strict;
use warnings;

use constant LIMIT => 64 * 1024;

my $method = $ENV{REQUEST_METHOD} // 'GET';

if ($method eq 'POST') {
    my $length = $ENV{CONTENT_LENGTH} // 0;
    my $type   = $ENV{CONTENT_TYPE}   // '';
    refuse('413 Content Too Large', "More than @{[LIMIT]} bytes.") if $length > LIMIT;
    refuse('415 Unsupported Media Type', 'This is no form.')
        if $type !~ m{^application/x-www-form-urlencoded\b}i;
    my %sent = fields(body($length));
    page('<p>You sent:</p><dl>', (map { '<dt>' . html($_) . '</dt><dd>' . html($sent{$_}) . '</dd>' } sort keys %sent), '</dl>');
}
elsif ($method eq 'GET' || $method eq 'HEAD') {
    page();
}
else {
    refuse('405 Method Not Allowed', 'GET, HEAD and POST only.', "Allow: GET, HEAD, POST\n");
}

# Exactly as much as CONTENT_LENGTH says; the end of standard input need not come (RFC 3875, section 4.2).
sub body {
    my ($length) = @_;
    binmode STDIN;
    my $body = '';
    while (length $body < $length) {
        my $count = read STDIN, $body, $length - length $body, length $body;
        refuse('400 Bad Request', 'The body is shorter than announced.') if !$count;
    }
    return $body;
}

sub fields {
    my ($body) = @_;
    my %fields;
    for my $pair (split /&/, $body) {
        my ($name, $value) = map { decoded($_) } split /=/, $pair, 2;
        $fields{$name} = $value // '' if defined $name;
    }
    return %fields;
}

sub decoded {
    my ($text) = @_;
    return $text =~ tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger;
}

sub html {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;', "'" => '&#39;');
    return $text =~ s/([&<>"'])/$entity{$1}/gr;
}

sub page {
    my $content = join "\n", @_;
    print "Content-Type: text/html; charset=utf-8\n\n", <<"HTML";
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>A form in Perl</title>
<style>body { max-width: 40rem; margin: 3rem auto; padding: 0 1.25rem; font: 1rem/1.55 system-ui, sans-serif }</style>
<h1>A form in Perl</h1>
$content
<form method="post">
  <p><label>Name <input name="name" value="Ada"></label>
  <p><label>Message <input name="message" value="1 &lt; 2 &amp; 3"></label>
  <p><button>Send</button>
</form>
</html>
HTML
}

sub refuse {
    my ($status, $text, $headers) = @_;
    print "Status: $status\n", $headers // '', "Content-Type: text/plain; charset=utf-8\n\n$text\n";
    exit;
}

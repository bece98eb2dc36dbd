#!/usr/bin/perl
# Prints the bytes of the query string, percent-decoded: whatever a test wants a program to say.
my $output = $ENV{QUERY_STRING};
$output =~ s/%(..)/chr hex $1/ge;
binmode STDOUT;
print $output;

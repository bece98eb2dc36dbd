#!/usr/bin/perl
# More on standard error than a pipe holds, then a header block, then the end.
print STDERR "noise number $_\n" for 1 .. 20_000;
print "Content-Type: text/plain\n\nquiet\n";

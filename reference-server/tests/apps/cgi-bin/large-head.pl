#!/usr/bin/perl
# Header blocks that are too large: one line, many lines, or lines without end.
print "X-Line: ", "x" x 1_000_000, "\n\n" if $ENV{QUERY_STRING} eq "line";
print "X-$_: x\n" for 1 .. ($ENV{QUERY_STRING} eq "lines" ? 100_000 : 0);
print "\n" if $ENV{QUERY_STRING} ne "endless";
while ($ENV{QUERY_STRING} eq "endless") { print "X: x" or exit 1 }

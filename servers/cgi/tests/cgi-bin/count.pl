#!/usr/bin/perl
# The length of the request's body, in Perl.
use strict;
use warnings;

binmode STDIN;
my $length = read(STDIN, my $body, $ENV{CONTENT_LENGTH} // 0);
print "Status: 201 Counted\r\nContent-Type: text/plain\r\n\r\n";
print "$length bytes from $ENV{REMOTE_ADDR}, $ENV{SCRIPT_NAME} and $ENV{PATH_INFO}\n";

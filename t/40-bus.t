#!/usr/bin/perl

# The local bus between workers, and the limits: t/bus/bus_test.py with a test module of its own.

use strict;
use warnings;

use File::Basename;

my $run = dirname(__FILE__) . '/bus/run';

if ($ENV{NGINX_BINARY} && !$ENV{BUS_TEST_MODULE}) {
    # Our module is linked into that nginx: it takes no other under the same name.
    print "1..0 # SKIP t/bus_module is not linked into $ENV{NGINX_BINARY}\n";
    exit 0;
}

$ENV{BUS_TEST_TAP} = 1;
exec $run or die "$run: $!";

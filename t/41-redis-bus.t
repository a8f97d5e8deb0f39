#!/usr/bin/perl

# The bus between hosts, on a real Redis: t/bus/redis_test.py with the test module of t/bus_module.

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
$ENV{BUS_TEST} = 'redis_test.py';
exec $run or die "$run: $!";

package Realtime;

# What the Perl tests share: where nginx and the module are, tokens, and the settings that
# Test::Nginx blocks get without naming them.

use strict;
use warnings;
use feature 'state';

use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64url);

use Exporter 'import';
our @EXPORT = qw($SECRET $ROOT load_module nginx_binary token block_settings);

our $SECRET = 'a-secret-for-tests-only-0123456789abcdef';
our $ROOT   = abs_path(dirname(abs_path(__FILE__)) . '/../..');

# Test::Nginx reads these when it is loaded, so this module goes first.
BEGIN {
    $ENV{TEST_NGINX_BINARY} = $ENV{NGINX_BINARY} if $ENV{NGINX_BINARY};
    $ENV{TEST_NGINX_SERVROOT} ||= tempdir('rt-prove-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/root';
    (my $parent = $ENV{TEST_NGINX_SERVROOT}) =~ s{/root$}{};
    chmod 0755, $parent;
    # several suites run at the same time
    $ENV{TEST_NGINX_PORT} ||= IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
}

sub nginx_binary {
    return $ENV{NGINX_BINARY} || 'nginx';
}

# NGINX_BINARY is an nginx with the module linked in
sub load_module {
    return '' if $ENV{NGINX_BINARY};
    my $path = $ENV{REALTIME_MODULE} || "$ROOT/build/ngx_http_realtime_module.so";
    return "load_module $path;\n";
}

# token(userId => 'u1', role => 'CUSTOMER', …): HS256, an hour long unless exp is given. Numbers
# and texts are told apart by what they look like.
sub token {
    my (%claims) = @_;
    $claims{exp} //= time + 3600;
    my $body = join ',', map {
        my $v = $claims{$_};
        "\"$_\":" . ($v =~ /^-?\d+$/ ? $v : "\"$v\"")
    } sort keys %claims;
    my $text = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.'
        . encode_base64url("{$body}");
    return "$text." . encode_base64url(hmac_sha256($text, $SECRET));
}

# The module, a store of the test's own and the secret, for every Test::Nginx block.
sub block_settings {
    my ($block) = @_;
    my $root = $ENV{TEST_NGINX_SERVROOT};
    state $stores = 0;
    my $main = $block->main_config // '';
    $block->set_value('main_config', load_module() . $main);
    my $http = $block->http_config // '';
    # beside the root, which Test::Nginx removes only when nothing foreign is in it
    my $store = dirname($root) . '/' . ++$stores . '.db';
    $block->set_value('http_config',
        "realtime_store sqlite:$store;\nrealtime_jwt_secret $SECRET;\n$http");
    if (!defined $block->no_error_log && !defined $block->must_die) {
        $block->set_value('no_error_log', "[alert]\n[crit]\n[emerg]\n");
    }
}

1;

# The WebSocket handshake of every kind of location: what is accepted, what is refused and how.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Realtime;
use Test::Nginx::Socket 'no_plan';

our $KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
our $VERSION = "Sec-WebSocket-Version: 13\r\n";
our $UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

# A close frame (masked, 1000) follows at once, so that the connection ends by itself.
our $CLOSE = "\x88\x82\x00\x00\x00\x00\x03\xe8";

sub upgrade {
    my ($target, %o) = @_;
    my $method = $o{method} || 'GET';
    my $version = $o{http} || '1.1';
    return "$method $target HTTP/$version\r\nHost: localhost\r\n"
        . ($o{upgrade} // $UPGRADE) . ($o{key} // $KEY) . ($o{version} // $VERSION)
        . ($o{more} // '') . "\r\n" . ($o{after} // '');
}

no_long_string();
add_block_preprocessor(\&Realtime::block_settings);
run_tests();

__DATA__

=== TEST 1: the handshake of RFC 6455
--- config
location /ws { realtime_echo websocket; }
--- raw_request eval
main::upgrade('/ws', after => $main::CLOSE)
--- error_code: 101
--- response_headers
Upgrade: websocket
Connection: upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Extensions:
--- ignore_response_body
--- no_error_log
[alert]
[crit]
[emerg]
[error]



=== TEST 2: Socket.IO over WebSocket
--- config
location /socket.io/ { realtime on; }
--- raw_request eval
main::upgrade('/socket.io/?EIO=4&transport=websocket', after => $main::CLOSE)
--- error_code: 101
--- response_headers
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
--- ignore_response_body



=== TEST 3: plain WebSocket
--- config
location /realtime { realtime on; }
--- raw_request eval
main::upgrade('/realtime', after => $main::CLOSE)
--- error_code: 101
--- response_headers
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
--- ignore_response_body



=== TEST 4: another version is told which one we speak
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', version => "Sec-WebSocket-Version: 8\r\n", more => "Connection: close\r\n")
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13



=== TEST 5: no key
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', key => '')
--- error_code: 400
--- response_headers_like
Content-Type: application/json



=== TEST 6: a key of the wrong length
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', key => "Sec-WebSocket-Key: c2hvcnQ=\r\n")
--- error_code: 400



=== TEST 7: a request with a body
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', more => "Content-Length: 5\r\n", after => 'hello')
--- error_code: 400



=== TEST 8: a chunked request
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', more => "Transfer-Encoding: chunked\r\n", after => "5\r\nhello\r\n0\r\n\r\n")
--- error_code: 400



=== TEST 9: HTTP/1.0
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', http => '1.0')
--- error_code_like: ^(400|426)$



=== TEST 10: POST
--- config
location /ws { realtime_echo websocket; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/ws', method => 'POST', more => "Content-Length: 0\r\n")
--- error_code_like: ^(400|405)$



=== TEST 11: Connection and Upgrade with other words in them
--- config
location /ws { realtime_echo websocket; }
--- raw_request eval
main::upgrade('/ws', upgrade => "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n",
    after => $main::CLOSE)
--- error_code: 101
--- ignore_response_body



=== TEST 12: a forbidden origin may not open a WebSocket
--- config
location /socket.io/ { realtime on; realtime_allow_origin https://shop.example; keepalive_timeout 0; }
--- raw_request eval
main::upgrade('/socket.io/?EIO=4&transport=websocket', more => "Origin: https://evil.example\r\n")
--- error_code: 403
--- response_headers_like
Content-Type: application/json



=== TEST 13: an allowed one may
--- config
location /realtime { realtime on; realtime_allow_origin https://shop.example; }
--- raw_request eval
main::upgrade('/realtime', more => "Origin: https://shop.example\r\n", after => $main::CLOSE)
--- error_code: 101
--- ignore_response_body



=== TEST 14: a program without an origin may
--- config
location /realtime { realtime on; realtime_allow_origin https://shop.example; }
--- raw_request eval
main::upgrade('/realtime', after => $main::CLOSE)
--- error_code: 101
--- ignore_response_body



=== TEST 15: permessage-deflate where it is on
--- config
location /ws { realtime_echo websocket; realtime_deflate on; }
--- raw_request eval
main::upgrade('/ws', more => "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    after => $main::CLOSE)
--- error_code: 101
--- response_headers_like
Sec-WebSocket-Extensions: permessage-deflate;.*server_no_context_takeover.*
--- ignore_response_body



=== TEST 16: and not where it is off
--- config
location /ws { realtime_echo websocket; }
--- raw_request eval
main::upgrade('/ws', more => "Sec-WebSocket-Extensions: permessage-deflate\r\n", after => $main::CLOSE)
--- error_code: 101
--- response_headers
Sec-WebSocket-Extensions:
--- ignore_response_body


# Engine.IO handshakes over HTTP: errors and their bodies, the order in which they are judged, CORS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Realtime;
use Test::Nginx::Socket 'no_plan';

no_long_string();
add_block_preprocessor(\&Realtime::block_settings);
run_tests();

__DATA__

=== TEST 1: a polling handshake
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=polling
--- response_body_like chomp
^0\{"sid":"[^"]{16,}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1048576\}$
--- response_headers_like
Content-Type: text/plain; ?charset=UTF-8
Cache-Control: no-store
--- no_error_log
[alert]
[crit]
[emerg]
[error]



=== TEST 2: the intervals and limits of the location
--- config
location /socket.io/ {
    realtime on;
    realtime_ping_interval 300ms;
    realtime_ping_timeout 1s;
    realtime_max_payload 1000000;
}
--- request
GET /socket.io/?EIO=4&transport=polling
--- response_body_like chomp
"pingInterval":300,"pingTimeout":1000,"maxPayload":1000000\}$



=== TEST 3: any location takes it, other parameters do not matter, order neither
--- config
location /deep/er { realtime on; }
--- request
GET /deep/er/path?t=abc123&transport=polling&b64=1&EIO=4
--- response_body_like: ^0\{"sid":



=== TEST 4: an unknown transport
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=tobi
--- error_code: 400
--- response_headers
Content-Type: application/json
--- response_body chomp
{"code":0,"message":"Transport unknown"}



=== TEST 5: no transport
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4
--- error_code: 400
--- response_body chomp
{"code":0,"message":"Transport unknown"}



=== TEST 6: an unknown sid
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=polling&sid=nothing
--- error_code: 400
--- response_body chomp
{"code":1,"message":"Session ID unknown"}



=== TEST 7: sids that look like ours, and worse
--- config
location /socket.io/ { realtime on; }
--- request eval
[
    'GET /socket.io/?EIO=4&transport=polling&sid=' . ('A' x 32),
    'GET /socket.io/?EIO=4&transport=polling&sid=' . ('A' x 4000),
    'GET /socket.io/?EIO=4&transport=polling&sid=%00%ff%2e%2e%2f',
    'GET /socket.io/?EIO=4&transport=polling&sid=',
    'GET /socket.io/?EIO=4&transport=polling&sid=../../etc/passwd',
]
--- error_code eval
[400, 400, 400, 400, 400]
--- response_body_like eval
[('"code":[13]') x 5]



=== TEST 8: a POST without a session
--- config
location /socket.io/ { realtime on; }
--- request
POST /socket.io/?EIO=4&transport=polling
4hello
--- error_code: 400
--- response_body chomp
{"code":2,"message":"Bad handshake method"}



=== TEST 9: other methods
--- config
location /socket.io/ { realtime on; }
--- request eval
['PUT /socket.io/?EIO=4&transport=polling', 'DELETE /socket.io/?EIO=4&transport=polling']
--- error_code eval
[400, 400]
--- response_body_like eval
[('"code":2') x 2]



=== TEST 10: protocol versions
--- config
location /socket.io/ { realtime on; }
--- request eval
[
    'GET /socket.io/?EIO=3&transport=polling',
    'GET /socket.io/?transport=polling',
    'GET /socket.io/?EIO=abc&transport=polling',
    'GET /socket.io/?EIO=44&transport=polling',
    'GET /socket.io/?EIO=&transport=polling',
]
--- error_code eval
[400, 400, 400, 400, 400]
--- response_body eval
[('{"code":5,"message":"Unsupported protocol version"}') x 5]



=== TEST 11: the transport is judged first, then the sid, then the method, then the version
--- config
location /socket.io/ { realtime on; }
--- request eval
[
    'PUT /socket.io/?EIO=3&transport=tobi&sid=nothing',
    'PUT /socket.io/?EIO=3&transport=polling&sid=nothing',
    'PUT /socket.io/?EIO=3&transport=polling',
]
--- error_code eval
[400, 400, 400]
--- response_body_like eval
['"code":0', '"code":1', '"code":2']



=== TEST 12: the WebSocket transport without an upgrade
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=websocket
--- error_code: 400
--- response_body chomp
{"code":3,"message":"Bad request"}



=== TEST 13: CORS: any origin is reflected by default
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=polling
--- more_headers
Origin: https://shop.example
--- response_headers
Access-Control-Allow-Origin: https://shop.example
Access-Control-Allow-Credentials: true
Vary: Origin
--- response_body_like: ^0



=== TEST 14: CORS: errors carry it too
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=tobi
--- more_headers
Origin: https://shop.example
--- error_code: 400
--- response_headers
Access-Control-Allow-Origin: https://shop.example
Access-Control-Allow-Credentials: true
Vary: Origin
--- response_body_like: "code":0



=== TEST 15: CORS: no Origin, no such headers
--- config
location /socket.io/ { realtime on; }
--- request
GET /socket.io/?EIO=4&transport=polling
--- response_headers
Access-Control-Allow-Origin:
Access-Control-Allow-Credentials:
--- response_body_like: ^0



=== TEST 16: CORS: preflight
--- config
location /socket.io/ { realtime on; }
--- request
OPTIONS /socket.io/?EIO=4&transport=polling
--- more_headers
Origin: https://shop.example
Access-Control-Request-Method: POST
Access-Control-Request-Headers: content-type, authorization
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: https://shop.example
Access-Control-Allow-Credentials: true
Vary: Origin
--- response_headers_like
Access-Control-Allow-Methods: .*POST.*
Access-Control-Allow-Headers: (?i).*authorization.*
--- response_body:



=== TEST 17: CORS: preflight does not ask for a session
--- config
location /socket.io/ { realtime on; }
--- request
OPTIONS /socket.io/?EIO=4&transport=polling&sid=whatever
--- more_headers
Origin: https://shop.example
Access-Control-Request-Method: POST
--- error_code: 204
--- response_body:



=== TEST 18: CORS: an allowed origin
--- config
location /socket.io/ {
    realtime on;
    realtime_allow_origin https://shop.example https://*.good.example http://127.0.0.1:3000;
}
--- request eval
[('GET /socket.io/?EIO=4&transport=polling') x 3]
--- more_headers eval
['Origin: https://shop.example', 'Origin: https://a.good.example', 'Origin: http://127.0.0.1:3000']
--- response_headers eval
['Access-Control-Allow-Origin: https://shop.example',
 'Access-Control-Allow-Origin: https://a.good.example',
 'Access-Control-Allow-Origin: http://127.0.0.1:3000']
--- response_body_like eval
[('^0') x 3]



=== TEST 19: CORS: other origins get no permission, but Vary
--- config
location /socket.io/ {
    realtime on;
    realtime_allow_origin https://shop.example https://*.good.example;
}
--- request eval
[('GET /socket.io/?EIO=4&transport=polling') x 7]
--- more_headers eval
['Origin: https://evil.example', 'Origin: http://shop.example', 'Origin: https://shop.example.evil.example',
 'Origin: https://shop.example:8443', 'Origin: https://good.example.evil', 'Origin: null',
 'Origin: https://evilgood.example']
--- response_headers eval
[("Access-Control-Allow-Origin:\nVary: Origin") x 7]
--- error_code_like eval
[('^(200|400|403)$') x 7]



=== TEST 20: CORS: an origin cannot smuggle headers
--- config
location /socket.io/ { realtime on; }
--- raw_request eval
"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://a\x01\"<b>\r\n\r\n"
--- error_code_like: ^(200|400|403)$
--- response_headers
X-Smuggled:



=== TEST 21: a realtime location that is off serves files as any other
--- config
location /socket.io/ { realtime off; }
--- request
GET /socket.io/?EIO=4&transport=polling
--- error_code: 404
--- response_body_like: 404 Not Found



=== TEST 22: a plain request to a WebSocket location
--- config
location /realtime { realtime on; }
--- request
GET /realtime
--- error_code_like: ^(400|426)$
--- response_headers_like
Content-Type: application/json



=== TEST 23: bodies past the limit are refused by us, not by an HTML page
--- config
location /socket.io/ { realtime on; realtime_max_payload 1000; client_max_body_size 10; }
--- request eval
"POST /socket.io/?EIO=4&transport=polling&sid=nothing\n" . ('x' x 2000)
--- error_code_like: ^(400|413)$
--- response_headers_like
Content-Type: application/json



=== TEST 24: the start is told once
--- config
location /socket.io/ { realtime on; }
--- log_level: notice
--- request
GET /socket.io/?EIO=4&transport=polling
--- response_body_like: ^0
--- grep_error_log: 🚀 WebSocket Gateway Initialized
--- grep_error_log_out
🚀 WebSocket Gateway Initialized


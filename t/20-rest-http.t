# REST, as far as it is HTTP: paths, methods, tokens, roles, bodies, queries, CORS. Every refusal is
# JSON, and the connection can be used again wherever the body's end is known.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Realtime;
use Test::Nginx::Socket 'no_plan';

our $staff    = token(userId => 's1', role => 'STAFF', businessId => 'b1');
our $customer = token(userId => 'c1', role => 'CUSTOMER', businessId => 'b1', name => 'Zoe');
our $service  = token(userId => 'x1', role => 'SERVICE');

our $config = 'location /api/ { realtime_api on; }';

# the bytes of a request with a chunked body, cut into the given parts
sub chunked {
    my ($end, @parts) = @_;
    return "POST /api/chat/rooms/create HTTP/1.1\r\nHost: localhost\r\n"
        . "Authorization: Bearer $customer\r\nContent-Type: application/json\r\n"
        . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        . join('', map { sprintf("%x\r\n%s\r\n", length, $_) } @parts) . $end;
}

no_long_string();
add_block_preprocessor(\&Realtime::block_settings);
add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) if !defined $block->config;
});
run_tests();

__DATA__

=== TEST 1: an unknown path, without a token
--- request
GET /api/chat/nothing
--- error_code: 404
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body chomp
{"statusCode":404,"error":"Not Found","message":"No such endpoint"}



=== TEST 2: a method that the path does not take
--- request
DELETE /api/chat/rooms
--- error_code: 405
--- response_headers
Allow: GET, HEAD, OPTIONS
--- response_body chomp
{"statusCode":405,"error":"Method Not Allowed","message":"This endpoint does not take that method"}



=== TEST 3: literal paths are no room ids
--- request
GET /api/chat/rooms/create
--- error_code: 405
--- response_headers
Allow: POST, OPTIONS
--- response_body_like: "statusCode":405



=== TEST 4: a method of no standard
--- raw_request eval
"BREW /api/chat/rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- error_code: 405
--- response_body_like: "statusCode":405



=== TEST 5: no token
--- request
GET /api/chat/rooms
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
--- response_body chomp
{"statusCode":401,"error":"Unauthorized","message":"A bearer token is required"}



=== TEST 6: another scheme
--- request
GET /api/chat/rooms
--- more_headers
Authorization: Basic dXNlcjpwYXNz
--- error_code: 401
--- response_body_like: A bearer token is required



=== TEST 7: a token that is none
--- request
GET /api/chat/rooms
--- more_headers
Authorization: Bearer not.a.token
--- error_code: 401
--- response_body_like: "statusCode":401



=== TEST 8: the scheme in any case, more spaces
--- request
GET /api/chat/rooms
--- more_headers eval
"Authorization: bEARER   $main::customer"
--- response_headers
X-Total-Count: 0
--- response_body chomp
{"rooms":[],"total":0,"page":1,"limit":20,"totalPages":0}



=== TEST 9: a trailing slash, an encoded path
--- request eval
["GET /api/chat/rooms/", "GET /api/ch%61t/ro%6Fms"]
--- more_headers eval
"Authorization: Bearer $main::staff"
--- error_code eval
[200, 200]
--- response_body_like eval
['"total":0', '"total":0']



=== TEST 10: HEAD
--- raw_request eval
"HEAD /api/chat/rooms HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $main::staff\r\n"
    . "Connection: close\r\n\r\n"
--- ignore_response
--- raw_response_like eval
qr/^HTTP\/1.1 200 OK\r\n.*Content-Length: 5\d\r\n.*\r\n\r\n$/s



=== TEST 11: roles are judged before the body
--- request
POST /api/chat/rooms/team
not json
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: text/plain"
--- error_code: 403
--- response_body chomp
{"statusCode":403,"error":"Forbidden","message":"Your role may not use this endpoint"}



=== TEST 12: backends have no rooms
--- request
POST /api/chat/rooms/create
{}
--- more_headers eval
"Authorization: Bearer $main::service\nContent-Type: application/json"
--- error_code: 403
--- response_body_like: "statusCode":403



=== TEST 13: customers see no unread counts
--- request
GET /api/chat/unread-counts
--- more_headers eval
"Authorization: Bearer $main::customer"
--- error_code: 403
--- response_body_like: "statusCode":403



=== TEST 14: a body of another type
--- request
POST /api/chat/rooms/create
userName=Zoe
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: application/x-www-form-urlencoded"
--- error_code: 415
--- response_body chomp
{"statusCode":415,"error":"Unsupported Media Type","message":"The body must be application/json"}



=== TEST 15: a compressed body
--- request
POST /api/chat/rooms/create
{}
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: application/json\nContent-Encoding: gzip"
--- error_code: 415
--- response_body_like: "statusCode":415



=== TEST 16: a type with parameters, in any case
--- request
POST /api/chat/rooms/create
{}
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: Application/JSON; charset=utf-8"
--- error_code: 201
--- response_body_like: "userName":"Zoe"



=== TEST 17: without a body and its type: no members
--- request
POST /api/chat/rooms/create
--- more_headers eval
"Authorization: Bearer $main::customer"
--- error_code: 201
--- response_body_like: "userName":"Zoe"



=== TEST 18: bodies that are no JSON object
--- request eval
["POST /api/chat/rooms/create\n{\"userName\":", "POST /api/chat/rooms/create\n[]",
 "POST /api/chat/rooms/create\n{\"userName\":\"\\ud83d\"}",
 "POST /api/chat/rooms/create\n{\"userName\":\"\\u0000\"}",
 "POST /api/chat/rooms/create\n{\"userName\":\"\xff\"}",
 "POST /api/chat/rooms/create\n" . '[' x 5000 . ']' x 5000]
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: application/json"
--- error_code eval
[400, 400, 400, 400, 400, 400]
--- response_body_like eval
[('"statusCode":400,"error":"Bad Request","message":') x 6]



=== TEST 19: query parameters of the wrong form name themselves
--- request eval
[map { "GET /api/chat/rooms?$_" } qw(page=x page= limit=1.5 limit=%2B1
    page=99999999999999999999 isActive=1 isArchived=TRUE q=%ff q=%zz q=%00 q=%4)]
--- more_headers eval
"Authorization: Bearer $main::staff"
--- error_code eval
[(400) x 11]
--- response_body_like eval
['"page must be an integer', '"page must be', '"limit must be', '"limit must be', '"page must be',
 '"isActive must be true or false', '"isArchived must be true or false',
 '"q is not well-formed', '"q is not well-formed', '"q is not well-formed',
 '"q is not well-formed']



=== TEST 20: query parameters of the right form
--- request
GET /api/chat/rooms?isActive=true&&q=a%20b+c&page=2&limit=100&unknown=%zz
--- more_headers eval
"Authorization: Bearer $main::staff"
--- response_body chomp
{"rooms":[],"total":0,"page":2,"limit":100,"totalPages":0}



=== TEST 21: a body over realtime_max_payload, told by its length
--- config
location /api/ { realtime_api on; realtime_max_payload 1000; }
--- request eval
"POST /api/chat/rooms/create\n{\"userName\":\"" . 'x' x 1000 . '"}'
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: application/json"
--- error_code: 413
--- response_body chomp
{"statusCode":413,"error":"Payload Too Large","message":"The request body is too large"}



=== TEST 22: over nginx's own limit and under ours
--- config
location /api/ { realtime_api on; client_max_body_size 10; client_body_buffer_size 1k; }
--- request eval
"POST /api/chat/rooms/create\n{\"unknown\":\"" . 'x' x 100000 . '"}'
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: application/json"
--- error_code: 201
--- response_body_like: "userName":"Zoe"
--- no_error_log
[warn]
[alert]
[crit]



=== TEST 23: a chunked body
--- raw_request eval
main::chunked("0\r\n\r\n", '{"unknown":"', ('y' x 700) x 100, '","userName":"Zo', 'e"}')
--- error_code: 201
--- response_body_like: "userName":"Zoe"



=== TEST 24: a chunked body over the limit
--- config
location /api/ { realtime_api on; realtime_max_payload 1000; }
--- raw_request eval
main::chunked("0\r\n\r\n", ('y' x 700) x 2)
--- error_code: 413
--- response_body_like: "statusCode":413



=== TEST 25: broken chunks
--- raw_request eval
main::chunked("zz\r\n", '{}')
--- error_code: 400
--- response_body chomp
{"statusCode":400,"error":"Bad Request","message":"The request body could not be read"}
--- no_error_log
[alert]
[crit]



=== TEST 26: a body that does not come
--- config
location /api/ { realtime_api on; client_body_timeout 300ms; }
--- raw_request eval
"POST /api/chat/rooms/create HTTP/1.1\r\nHost: localhost\r\n"
    . "Authorization: Bearer $main::customer\r\nContent-Type: application/json\r\n"
    . "Content-Length: 100\r\n\r\n{"
--- error_code: 408
--- response_body_like: "statusCode":408



=== TEST 27: requests on one connection, refused ones with bodies between them
--- pipelined_requests eval
["GET /api/chat/rooms", "POST /api/chat/rooms/create\nnot json", "PUT /api/chat/rooms\n{}",
 "POST /api/chat/nothing\n{}", "GET /api/chat/rooms\nbody", "POST /api/chat/rooms/create\n{}"]
--- more_headers eval
"Authorization: Bearer $main::customer\nContent-Type: application/json"
--- error_code eval
[200, 400, 405, 404, 200, 201]
--- response_body_like eval
['"total":0', '"statusCode":400', '"statusCode":405', '"statusCode":404', '"total":0', '"_id":"']



=== TEST 28: conditions and ranges are not for these answers
--- request
GET /api/chat/rooms
--- more_headers eval
"Authorization: Bearer $main::staff\nIf-Match: \"x\"\nIf-Unmodified-Since: "
    . "Sun, 06 Nov 1994 08:49:37 GMT\nRange: bytes=0-3"
--- response_body_like: ^\{"rooms":\[\]



=== TEST 29: a preflight
--- request
OPTIONS /api/chat/rooms/0123456789abcdef01234567/messages
--- more_headers
Origin: https://shop.example
Access-Control-Request-Method: POST
Access-Control-Request-Headers: authorization,content-type,x-mine
--- error_code: 204
--- response_headers
Access-Control-Allow-Origin: https://shop.example
Access-Control-Allow-Credentials: true
Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS
Access-Control-Allow-Headers: authorization,content-type,x-mine
Vary: Origin
Allow: GET, HEAD, POST, OPTIONS
--- response_body:



=== TEST 30: an origin that is allowed, also on errors
--- config
location /api/ { realtime_api on; realtime_allow_origin https://a.example https://*.b.example; }
--- request eval
["GET /api/chat/rooms", "GET /api/chat/rooms?page=x", "GET /api/none"]
--- more_headers eval
["Origin: https://a.example\nAuthorization: Bearer $main::staff",
 "Origin: https://x.b.example\nAuthorization: Bearer $main::staff",
 "Origin: https://a.example"]
--- error_code eval
[200, 400, 404]
--- response_headers eval
["Access-Control-Allow-Origin: https://a.example\nAccess-Control-Expose-Headers: X-Total-Count",
 "Access-Control-Allow-Origin: https://x.b.example", "Access-Control-Allow-Origin: https://a.example"]
--- response_body_like eval
['rooms', '400', '404']



=== TEST 31: origins that are not
--- config
location /api/ { realtime_api on; realtime_allow_origin https://a.example https://*.b.example; }
--- request eval
[("GET /api/chat/rooms") x 6]
--- more_headers eval
[map { "Origin: $_\nAuthorization: Bearer $main::staff" } qw(http://a.example
    https://a.example.evil https://b.example https://evil/.b.example https://a.example:8443 null)]
--- error_code eval
[(200) x 6]
--- response_headers eval
[("Access-Control-Allow-Origin:\nVary: Origin") x 6]
--- response_body_like eval
[('rooms') x 6]

# Every directive as `nginx -t` sees it: what is taken, what is refused and with which words, and
# that the file and line are named.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use Test::More;
use Realtime;

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';    # nginx -t frees nothing when it ends

my $dir = tempdir('rt-conf-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/$_" for qw(tmp data);

sub write_file {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die "$name: $!";
    print {$f} $text;
    close $f or die "$name: $!";
    return "$dir/$name";
}

# Runs nginx -t on a configuration put together of the parts; (exit code, output).
sub check {
    my (%part) = @_;
    my $secret = exists $part{secret} ? $part{secret} : "realtime_jwt_secret $SECRET;";
    my $store = exists $part{store} ? $part{store} : "realtime_store sqlite:$dir/data/rt.db;";
    my @lines = (
        ($part{before} // ''), (load_module() =~ s/\n//r),
        "pid $dir/nginx.pid;", "error_log $dir/error.log;", ($part{main} // ''),
        'events {}', 'http {', 'access_log off;',
        (map { "${_}_temp_path $dir/tmp/$_;" } qw(client_body proxy fastcgi uwsgi scgi)),
        $store, $secret, ($part{http} // ''),
        'server {', 'listen 127.0.0.1:1;', ($part{server} // ''),
        ($part{location} // 'location /socket.io/ { realtime on; } location /api/ { realtime_api on; }'),
        '}', '}', '',
    );
    my $conf = write_file('nginx.conf', join "\n", @lines);
    my $set = join ' ', map { "$_='$part{env}{$_}'" } sort keys %{ $part{env} || {} };
    my $out = `env -u JWT_SECRET -u MONGODB_URI $set @{[ nginx_binary() ]} -t -p $dir -c $conf -e $dir/error.log 2>&1`;
    my $code = $? >> 8;
    my (%line, $n);
    $line{$_} = ++$n for split /\n/, join "\n", @lines;
    return ($code, $out, \%line);
}

sub accepted {
    my ($name, %part) = @_;
    my ($code, $out) = check(%part);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($code == 0 && $out =~ /test is successful/, $name)
        or diag("expected: a good configuration\nseen: exit code $code\n$out");
    is(() = $out =~ /\[(emerg|alert|crit|error|warn)\]/g, 0, "$name: nothing to say")
        or diag($out);
}

# the directive that is wrong stands on a line of its own, at the end of its part
sub refused {
    my ($name, $pattern, $wrong, %part) = @_;
    my ($code, $out, $line) = check(%part);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    isnt($code, 0, "$name: refused") or diag($out);
    like($out, qr/\[emerg\].*$pattern/, "$name: says why");
    if (defined $wrong) {
        my $n = $line->{$wrong};
        like($out, qr/ in \Q$dir\E\/nginx\.conf:$n$/m, "$name: names file and line $n");
    }
}

sub in_location {
    my ($directive, $on) = @_;
    $on //= 'realtime on;';
    return (location => "location /x {\n$on\n$directive\n}");
}


# Directives that a location takes: good values, bad values

my %location_values = (
    realtime                => [['on', 'off'], ['yes', '1', '', 'on off']],
    realtime_api            => [['off'], ['yes', '']],
    realtime_namespace      => [['/realtime', '/chat', '/'], ['chat', '""', '"/a b"', '/a,b', '/a?b', '']],
    realtime_ping_interval  => [['25s', '300ms', '1m', '25'], ['0', '0s', '-1', 'abc', '1x', '']],
    realtime_ping_timeout   => [['20s', '200ms'], ['0', 'abc', '']],
    realtime_connect_timeout => [['45s', '500ms'], ['0', 'abc', '']],
    realtime_upgrade_timeout => [['10s', '100ms'], ['0', 'abc', '']],
    realtime_max_payload    => [['1m', '1000000', '64k', '100'], ['0', '-1', 'abc', '1x', '']],
    realtime_send_buffer    => [['1m', '64k'], ['0', 'abc', '']],
    realtime_rate           => [['50r/s burst=100', '50r/s', '600r/m', 'off', '1r/s burst=0'],
        ['0r/s', '50', 'r/s', '-1r/s', '50r/h', '50r/s burst', '50r/s burst=-1', '50r/s burst=x',
            '50r/s nodelay', 'off burst=1', '']],
    realtime_max_connections => [['0', '1000'], ['-1', 'abc', '1.5', '']],
    realtime_max_connections_per_user => [['0', '5'], ['-1', 'abc', '']],
    realtime_jwt_secret     => [['s', '"with space"'], ['""', '']],
    realtime_jwt_leeway     => [['0', '0s', '30s', '500ms'], ['abc', '-1', '']],
    realtime_guest          => [['on', 'off'], ['maybe', '']],
    realtime_allow_origin   => [['*', 'https://example.com', 'https://example.com http://127.0.0.1:3000',
            'https://*.example.com'], ['example.com', '""', '']],
    realtime_timezone       => [['UTC', 'Europe/London', 'US/Pacific', 'America/Argentina/Buenos_Aires'],
        ['Europe/Nowhere', '../../etc/passwd', '/etc/localtime', '""', 'Europe', '']],
    realtime_deflate        => [['on', 'off'], ['maybe', '']],
);

for my $directive (sort keys %location_values) {
    my ($good, $bad) = @{ $location_values{$directive} };
    my $itself = $directive =~ /^realtime(_api)?$/;
    for my $value (@$good) {
        my $text = "$directive $value;";
        accepted("$directive $value", in_location($text, $itself ? '' : undef));
    }
    for my $value (@$bad) {
        my $text = $value eq '' ? "$directive;" : "$directive $value;";
        refused($text, qr/(\Q$directive\E|invalid|must)/, $text, in_location($text, $itself ? '' : undef));
    }
    # twice in one location
    next if $itself;
    my $value = $good->[0];
    my ($code, $out) = check(in_location("$directive $value;\n$directive $value;"));
    isnt($code, 0, "$directive twice: refused");
    like($out, qr/is duplicate in /, "$directive twice: says so");
}


# Contexts

my @anywhere = qw(realtime_jwt_secret realtime_jwt_leeway realtime_guest realtime_allow_origin
    realtime_deflate realtime_timezone);
for my $directive (@anywhere) {
    my $value = $location_values{$directive}[0][0];
    my %secret = $directive eq 'realtime_jwt_secret' ? (secret => '') : ();
    accepted("$directive in http", %secret, http => "$directive $value;");
    accepted("$directive in server", %secret, server => "$directive $value;");
}

for my $directive (sort keys %location_values) {
    next if grep { $_ eq $directive } @anywhere;
    my $text = "$directive $location_values{$directive}[0][0];";
    refused("$directive in http", qr/not allowed here/, $text, http => $text);
    refused("$directive in server", qr/not allowed here/, $text, server => $text);
}

for my $text ("realtime_store sqlite:$dir/data/other.db;", 'realtime_threads 4;',
    "realtime_bus_dir $dir/bus;", 'realtime_assistant off;')
{
    accepted("$text in http", http => $text, ($text =~ /store/ ? (store => '') : ()));
    refused("$text in server", qr/not allowed here/, $text, server => $text);
    refused("$text in a location", qr/not allowed here/, $text, in_location($text));
    refused("$text twice", qr/is duplicate/, undef, http => "$text\n$text", store => '');
}


# The store and what belongs to it

for my $value ('', '""', 'sqlite:', 'mysql://x', '/a/path', 'sqlite', 'mongodb:', 'mongodb://',
    'mongodb://h/x?w=0', 'mongodb+srv://h')
{
    my $text = "realtime_store $value;";
    refused($text, qr/realtime_store/, $text, http => $text, store => '');
}
for my $value ('0', '-1', 'abc', '100000', '') {
    my $text = "realtime_threads $value;";
    refused($text, qr/(realtime_threads|invalid)/, $text, http => $text);
}
for my $value ('0', '-1', 'abc', '', '1d 2x') {
    my $text = "realtime_notification_retention $value;";
    refused($text, qr/(realtime_notification_retention|invalid)/, $text, http => $text);
}
accepted("realtime_notification_retention $_", http => "realtime_notification_retention $_;")
    for '1s', '90d', 'off';
accepted('a store in a directory that is made', store => "realtime_store sqlite:$dir/new/rt.db;");
{
    my $long = "$dir/" . ('d' x 120);
    my $text = "realtime_bus_dir $long;";
    my ($code, $out) = check(http => $text);
    isnt($code, 0, 'a bus directory too long for a socket: refused');
    like($out, qr/\[emerg\]/, 'a bus directory too long for a socket: says so');
}
for my $uri ('mongodb://user:hunter2@h/x?w=0', 'mongodb://user:hunter2@h:port/x',
    'mongodb://user:hun%ter2@h/x', 'postgres://user:hunter2@h/x')
{
    my ($code, $out) = check(store => "realtime_store $uri;");
    isnt($code, 0, "$uri: refused");
    unlike($out, qr/hun/, "$uri: the password is not repeated");
}
# nothing is resolved or connected to
accepted("$_ is a store", store => "realtime_store \"$_\";", http => "realtime_bus_dir $dir/bus;")
    for 'mongodb://user:hunter2@127.0.0.1:1/x', 'mongodb://nowhere.invalid/x?replicaSet=rs&tls=true',
        'mongodb+srv://cluster.nowhere.invalid/';


# nginx -t leaves nothing behind but directories

{
    my $fresh = "$dir/fresh";
    mkdir $fresh;
    chmod 0777, $fresh;
    accepted('a configuration with a fresh store', store => "realtime_store sqlite:$fresh/rt.db;");
    ok(!-e "$fresh/rt.db", 'nginx -t does not create the database');
    my @sockets = glob("$fresh/rt.db.bus/*");
    is(scalar @sockets, 0, 'nginx -t leaves no socket');
}


# Keys

# The cluster shared with Node servers

accepted("realtime_redis with $_", http => "realtime_redis 127.0.0.1:1 $_;")
    for 'adapter=socket.io', 'adapter=socket.io adapter_prefix=chat', 'adapter_prefix=x adapter=socket.io';

for (['adapter=', 'unknown adapter ""'], ['adapter=redis', 'unknown adapter "redis".*socket\.io'],
    ['adapter', 'invalid parameter "adapter"'], ['adapter=socket.io adapter_prefix=', 'adapter_prefix'],
    ['adapter=socket.io adapter_prefix=' . 'x' x 129, 'adapter_prefix'],
    ['adapter_prefix=chat', 'adapter_prefix.*only with.*adapter=socket\.io']) {
    my ($parameters, $why) = @$_;
    my $text = "realtime_redis 127.0.0.1:1 $parameters;";
    refused($text, qr/$why/, $text, http => $text);
}


refused('no key', qr/realtime_jwt_secret.*realtime_jwt_key/, undef, secret => '');
refused('no key for the API', qr/realtime_jwt_secret/, undef, secret => '',
    location => 'location /api/ { realtime_api on; }');
refused('an empty JWT_SECRET', qr/realtime_jwt_secret/, undef, secret => '', env => { JWT_SECRET => '' });
accepted('a key from the environment', secret => '', env => { JWT_SECRET => 'from-outside' });
accepted('no key where nothing of ours is used', secret => '', location => 'location / { return 200; }');
accepted('no key for diagnostics', secret => '', location => 'location /e/ { realtime_echo engine; }');
for my $mode (qw(engine socket websocket)) {
    accepted("realtime_echo $mode", location => "location /e/ { realtime_echo $mode; }");
}
refused('realtime_echo with another mode', qr/invalid value/, 'realtime_echo maybe;',
    location => "location /e/ {\nrealtime_echo maybe;\n}");

SKIP: {
    my $made = system("openssl genrsa -out $dir/rsa.pem 2048 2>/dev/null
        && openssl rsa -in $dir/rsa.pem -pubout -out $dir/rsa.pub 2>/dev/null
        && openssl ecparam -name prime256v1 -genkey -noout -out $dir/ec.pem 2>/dev/null
        && openssl ec -in $dir/ec.pem -pubout -out $dir/ec.pub 2>/dev/null" =~ s/\n\s*/ /gr);
    skip 'openssl is not installed', 2 if $made != 0;
    accepted('an RSA key', secret => "realtime_jwt_key $dir/rsa.pub;");
    accepted('an EC key', secret => "realtime_jwt_key $dir/ec.pub;");
    my $both = "realtime_jwt_key $dir/rsa.pub;";
    refused('secret and key in one place', qr/realtime_jwt/, undef, http => $both);
    accepted('a key below a secret', server => $both);
}
write_file('garbage.pem', "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
write_file('empty.pem', '');
for my $file (qw(garbage.pem empty.pem missing.pem)) {
    my $text = "realtime_jwt_key $dir/$file;";
    refused($text, qr/(realtime_jwt_key|\Q$file\E)/, undef, secret => $text);
}


# Combinations

for my $two ("realtime on;\nrealtime_api on;", "realtime on;\nrealtime_echo engine;",
    "realtime_api on;\nrealtime_echo engine;")
{
    refused($two =~ s/\n/ /r, qr/realtime/, undef, location => "location /x {\n$two\n}");
}
accepted('a nested location with its own settings', location => <<'CONF');
location /socket.io/ {
realtime on;
realtime_rate 10r/s;
location /socket.io/big/ {
realtime on;
realtime_max_payload 10m;
}
}
CONF
accepted('two servers', server => "location /a { realtime on; realtime_namespace /a; }\n}\n"
    . "server {\nlisten 127.0.0.1:2;\nrealtime_jwt_secret other;");

done_testing();

# What the documentation says of directives, events, paths and files is what there is: names and
# contexts are compared with the C tables in both directions, examples are given to nginx -t.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use Test::More;
use Realtime;

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';    # nginx -t frees nothing when it ends

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my $dir = tempdir('rt-docs-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/$_" for qw(tls tmp data logs);

sub text_of {
    my ($name) = @_;
    open my $in, '<:encoding(UTF-8)', "$ROOT/$name" or die "$name: $!";
    local $/;
    return scalar <$in>;
}

# C in one spelling, whatever layout it has
sub code_of {
    my $text = text_of(shift);
    $text =~ s{/\*.*?\*/}{}gs;
    $text =~ s/\s+/ /g;
    $text =~ s/ ?([{}()|,;]) ?/$1/g;
    return $text;
}

my $module = code_of('ngx_realtime_module/ngx_realtime_module.c');
my $configuration = text_of('docs/configuration.md');
my $protocol = text_of('docs/protocol.md');
my $rest = text_of('docs/rest.md');
my $readme = text_of('README.md');

# the first column's names in backquotes, of the tables between a heading and the next one
sub column {
    my ($text, $heading, $like) = @_;
    $like //= qr/./;
    my ($part) = $text =~ /^\Q$heading\E\n(.*?)(?=^## |\z)/ms;
    die "no \"$heading\"" unless defined $part;
    return [sort grep { /$like/ } map { /^\| \[?`([^`]+)`/ ? $1 : () } split /\n/, $part];
}


# Directives

my %context = (
    NGX_REALTIME_ANY_CONF => 'http, server, location',
    NGX_HTTP_MAIN_CONF    => 'http',
    NGX_HTTP_LOC_CONF     => 'location',
);
my (%in_c, %field);

my $command = qr/\{ngx_string\("(realtime\w*)"\),(\w+)\|[^{}]*?NGX_REALTIME_(?:LOC|MAIN)\((\w+)\)/;

while ($module =~ /$command/g) {
    $in_c{$1} = $context{$2} // $2;
    $field{$3} = $1;
}

my ($table) = $configuration =~ /^## All directives\n(.*?)^What is set/ms;
my (%in_docs, %default);

while ($table =~ /^\| \[`(\w+)`\]\(#(\w+)\) \| ([a-z, ]+) \| (.+?) \|$/mg) {
    is($2, $1, "$1: its link");
    ($in_docs{$1}, $default{$1}) = ($3, $4);
}

cmp_ok(scalar keys %in_c, '>', 15, 'the C table was read');
is_deeply(\%in_docs, \%in_c, 'docs/configuration.md has all directives with their contexts');
is_deeply([sort $configuration =~ /^### (realtime\w*)$/mg], [sort keys %in_c], 'each has its section');
is_deeply(column($readme, '## Directives'), [sort keys %in_c], 'README.md has all directives');

sub in_words {
    my ($kind, $value) = @_;
    return $value ? 'on' : 'off' if $kind eq '';
    return $value % 1000 ? "${value}ms" : $value / 1000 . 's' if $kind eq 'msec_';
    return $value / 1048576 . 'm';
}

while ($module =~ /ngx_conf_merge_(msec_|size_|)value\(conf->(\w+),[^,]+,([\d *]+)\)/g) {
    my ($kind, $name, $value) = ($1, $field{$2}, eval $3);
    is($default{$name}, in_words($kind, $value), "$name: its default");
}

for my $name (sort glob "$ROOT/docs/*.md") {
    my ($file) = $name =~ m{(docs/[^/]+)$};
    my %unknown = map { $_ => 1 }
        grep { !$in_c{$_} && $_ ne 'realtime_module' && !/_total$/ }    # names of metrics
        text_of($file) =~ /\b(?<!ngx_)(?<!http_)(realtime_\w+)/g;
    is_deeply([sort keys %unknown], [], "$file names no other directives");
}


# Events

my $events = code_of('ngx_realtime_module/ngx_realtime_events.c');
is_deeply(column($protocol, '## Client → server', qr/:/),
    [sort $events =~ /\{"([a-z:-]+)",[^{}]*\bngx_realtime_event_\w+\}/g],
    'docs/protocol.md has the events that clients send');

my %sent;
for my $file (map { s{^\Q$ROOT\E/}{}r } glob "$ROOT/core/chat/*.c $ROOT/core/assistant/*.c $ROOT/core/notify/*.c $ROOT/ngx_realtime_module/*.c") {
    next if $file =~ /_test\.c$|_events\.c$/;
    $sent{$_} = 1 for text_of($file) =~ /"((?:chat|user|notification|audit):[a-z-]+)"/g;
}
is_deeply(column($protocol, '## Server → client'), [sort keys %sent, qw(connected error)],
    'docs/protocol.md has the events that the server sends');


# REST

my %part = text_of('ngx_realtime_module/ngx_realtime_rest_routes.c') =~ /^#define (\w+)\s+"(\/[^"]+)"$/mg;
my $routes = code_of('ngx_realtime_module/ngx_realtime_rest_routes.c');
my @routes;

while ($routes =~ /\{NGX_HTTP_(\w+),(\w*) ?("[^"]*")?,\w/g) {
    my ($method, $macro, $rest_of_path) = ($1, $2, $3 // '');
    (my $path = ($macro ? $part{$macro} : '') . ($rest_of_path =~ s/"//gr)) =~ s{^/api/chat}{};
    push @routes, "$method $path";
}

cmp_ok(scalar @routes, '>', 8, 'the routes were read');
is_deeply(column($rest, '## Endpoints'), [sort @routes], 'docs/rest.md has all paths');


# Examples: each block of nginx's language; its first line may say where it belongs

sub try_example {
    my ($file, $number, $code) = @_;
    my ($where) = $code =~ /\A# in (http|server) \{\}/;
    my $load = load_module();
    my $start = "${load}pid $dir/nginx.pid;\nerror_log $dir/error.log;\n";
    my $paths = join '', map { "${_}_temp_path $dir/tmp/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
    $paths .= "realtime_store sqlite:$dir/data/rt.db;\n" unless $code =~ /^\s*realtime_store/m;
    $paths .= "realtime_bus_dir $dir/data/bus;\n" unless $code =~ /realtime_bus_dir/;
    my $secret = "realtime_jwt_secret $SECRET;\n";

    if (!$where) {
        $code =~ s/^load_module .*\n//m;
        $code = "events {}\n$code" unless $code =~ /^events/m;
        $code =~ s/^http \{/http {\n$paths/m;
    } elsif ($where eq 'server') {
        $code = "events {}\nhttp {\n$paths${secret}server {\nlisten 127.0.0.1:1;\n$code\n}\n}\n";
    } else {
        $secret = '' if $code =~ /realtime_jwt_(?:key|secret)/;
        $code = "events {}\nhttp {\n$paths$secret$code\n"
            . "server {\nlisten 127.0.0.1:1;\nlocation / { realtime on; }\n}\n}\n";
    }

    open my $out, '>:encoding(UTF-8)', "$dir/nginx.conf" or die $!;
    print {$out} $start, $code;
    close $out or die $!;
    my $seen = `@{[ nginx_binary() ]} -t -p $dir -c $dir/nginx.conf -e $dir/error.log 2>&1`;
    is($? >> 8, 0, "$file: example $number is taken") or diag("$code\nseen:\n$seen");
}

system("openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out $dir/tls/jwt.pub.pem 2>/dev/null") == 0
    or BAIL_OUT('openssl failed');

for my $file ('README.md', map { m{(docs/[^/]+)$} } glob "$ROOT/docs/*.md") {
    my @examples = text_of($file) =~ /^```nginx\n(.*?)^```$/msg;
    try_example($file, $_ + 1, $examples[$_]) for 0 .. $#examples;
}


# Links, and names of files

for my $file ('README.md', map { m{(docs/[^/]+)$} } glob "$ROOT/docs/*.md") {
    my $text = text_of($file);
    $text =~ s/^```.*?^```$//msg;
    my ($base) = $file =~ m{^(.*/)?};
    my @bad;

    while ($text =~ /\]\(([^)\s]+)\)/g) {
        my ($path, $anchor) = split /#/, $1, 2;
        next if $path =~ m{^https?://};
        my $full = $path eq '' ? $file : ($base // '') . $path;
        1 while $full =~ s{[^/]+/\.\./}{};
        push @bad, $1 unless -e "$ROOT/$full";
        next unless defined $anchor && $full =~ /\.md$/;
        my %anchors = map { my $h = lc; $h =~ s/[^\w \-]//g; $h =~ s/ /-/g; ($h => 1) }
            text_of($full) =~ /^#+ (.*)$/mg;
        push @bad, $1 unless $anchors{$anchor};
    }

    is_deeply(\@bad, [], "$file: all links lead somewhere");
}

for my $file (qw(README.md docs/architecture.md)) {
    my %there = map { $_ => 1 } text_of($file) =~ m{\b(ngx_realtime_\w+\.[ch]|rt_\w+\.[ch])\b}g;
    my %files = map { m{([^/]+)$} ? ($1 => 1) : () }
        glob "$ROOT/ngx_realtime_module/* $ROOT/core/*/* $ROOT/core/include/rt/*";
    is_deeply([grep { !$files{$_} } sort keys %there], [], "$file names files that there are");
}

done_testing();

# The ready configurations in nginx-conf/, each given to `nginx -t` as it is, but for the places on
# this machine: logs, pid, data and keys go to a directory of the test.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use Test::More;
use Realtime;

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';    # nginx -t frees nothing when it ends

my $dir = tempdir('rt-examples-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/$_" for qw(tls tmp data);

sub quiet {
    my ($command) = @_;
    system("$command >/dev/null 2>&1") == 0 or BAIL_OUT("$command failed");
}

quiet("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    . " -keyout $dir/tls/key.pem -out $dir/tls/cert.pem");
quiet("openssl x509 -in $dir/tls/cert.pem -pubkey -noout -out $dir/tls/public.pem");

my @examples = sort glob "$ROOT/nginx-conf/*.conf";
ok(scalar @examples, 'there are examples');

for my $file (@examples) {
    my ($name) = $file =~ m{([^/]+)$};
    open my $in, '<', $file or die "$file: $!";
    my $text = do { local $/; <$in> };
    close $in;

    like($text, qr/^load_module \S*ngx_http_realtime_module\.so;/m, "$name loads the module");
    my $load = load_module();
    $text =~ s/^load_module \S*ngx_http_realtime_module\.so;/$load/m;
    $text =~ s{/var/log/nginx/}{$dir/}g;
    $text =~ s{/run/nginx\.pid}{$dir/nginx.pid}g;
    $text =~ s{/var/lib/nginx/}{$dir/data/}g;
    $text =~ s{(realtime_jwt_key\s+)\S+;}{$1$dir/tls/public.pem;}g;
    $text =~ s{(ssl_certificate\s+)\S+;}{$1$dir/tls/cert.pem;}g;
    $text =~ s{(ssl_certificate_key\s+)\S+;}{$1$dir/tls/key.pem;}g;
    my $store = $text =~ /^\s*realtime_store/m ? '' : "realtime_store sqlite:$dir/data/rt.db;\n";
    my $temp = join '', map { "${_}_temp_path $dir/tmp/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
    $text =~ s/^http \{/http {\n$store$temp/m;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!";
    print {$out} $text;
    close $out or die "$dir/$name: $!";
    my $seen = `@{[ nginx_binary() ]} -t -p $dir -c $dir/$name -e $dir/error.log 2>&1`;
    is($? >> 8, 0, "$name is taken") or diag("expected: a good configuration\nseen:\n$seen");
    unlike($seen, qr/\[(emerg|alert|crit|error)\]/, "$name: nothing to complain about");
}

done_testing();

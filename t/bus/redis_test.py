#!/usr/bin/env python3
"""The bus between hosts, on a real Redis: BUS_TEST=redis_test.py t/bus/run [-v] [test …]

A host is an nginx with a bus directory of its own; two with one directory are one host."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import SLOW, Node, Redis, main, sockets, wait_for

NOBODY = '0123456789abcdef'


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class RedisCase(unittest.TestCase):
    redis_args = ()
    node_args = ''

    def setUp(self):
        self.nodes = []
        self.dirs = []
        self.redis = Redis(*self.redis_args)

    def tearDown(self):
        bad = []
        for node in self.nodes:
            bad += node.stop()
        left = [s for d in self.dirs for s in sockets(d)]
        for d in self.dirs:
            shutil.rmtree(d)
        self.redis.stop()
        self.assertEqual(bad, [])
        self.assertEqual(left, [], 'sockets left behind')

    def host(self, n=1, redis=None, **args):
        """n nodes that are one host."""
        bus = tempfile.mkdtemp(prefix='bus-')
        self.dirs.append(bus)
        redis = redis or '127.0.0.1 %d%s' % (self.redis.port, self.node_args)
        new = [Node(bus, redis=redis, **args) for _ in range(n)]
        self.nodes += new
        return new[0] if n == 1 else new

    def ready(self):
        """All know each other; what was heard so far is forgotten. The bus counts one peer more."""
        wait_for(lambda: all(n.info()['up'] and n.info()['peers'] == len(self.nodes)
                             for n in self.nodes), 10, 'all hosts know each other')
        for node in self.nodes:
            node.heard()

    def expect(self, node, kind, n, seconds=10):
        """Exactly n of a kind come; their texts."""
        heard = []
        wait_for(lambda: heard.extend(node.heard(kind)) or len(heard) >= n, seconds,
                 '%d of kind %s, seen %d' % (n, kind, len(heard)))
        time.sleep(0.1)
        heard += node.heard(kind)
        self.assertEqual(len(heard), n)
        return [e['d'].rstrip('.') for e in heard]


class Hosts(RedisCase):

    def test_publish(self):
        a, b = self.host(2)
        c = self.host()
        d = self.host()
        self.ready()
        for node in (a, b, c):
            node.subscribe('room:1')
        d.subscribe('room:2')
        self.assertEqual(a.publish('room:1', 'm', n=50), 0)
        for node in (b, c):     # once: on its own host by the local bus, elsewhere by Redis
            self.assertEqual(self.expect(node, 'publish', 50), ['m:%d' % i for i in range(50)])
        self.assertEqual(a.heard(), [], 'not to ourselves')
        self.assertEqual(d.heard(), [])

    def test_subscribed_means_heard(self):
        a = self.host()
        b = self.host()
        self.ready()
        for i in range(100):
            b.subscribe('s%d' % i)
            a.publish('s%d' % i, str(i))
        self.assertEqual(self.expect(b, 'publish', 100), ['%d:0' % i for i in range(100)])

    def test_unsubscribed_and_again(self):
        a = self.host()
        b = self.host()
        self.ready()
        for i in range(20):
            b.subscribe('x')
            b.get('unsubscribe', c='x')
        time.sleep(0.1)
        a.publish('x', 'lost')
        time.sleep(0.2)
        self.assertEqual(b.heard(), [])
        self.assertEqual(self.redis.cli('pubsub', 'channels', '*c:x*').strip(), '')
        b.subscribe('x')
        a.publish('x', 'heard')
        self.assertEqual(self.expect(b, 'publish', 1), ['heard:0'])

    def test_many_channels_and_large_payloads(self):
        a = self.host()
        b = self.host()
        self.ready()
        b.get('subscribe', c='c', n=20000)
        a.publish('c19999', 'last')
        self.assertEqual(self.expect(b, 'publish', 1), ['last:0'])
        for size in (100000, 1 << 20, 6 << 20):
            a.publish('c0', 'big', size=size)
            heard = []
            wait_for(lambda: heard.extend(b.heard('publish')) or heard)
            self.assertEqual(heard[0]['len'], size)

    def test_send(self):
        a = self.host()
        b, c = self.host(2)
        self.ready()
        ids = [n.info()['id'] for n in (a, b, c)]
        self.assertEqual(a.get('send', to=ids[1], d='m', n=200)['rc'], 0)
        self.assertEqual(b.get('send', to=ids[0], d='r', n=200)['rc'], 0)
        self.assertEqual(self.expect(b, 'message', 200), ['m:%d' % i for i in range(200)])
        self.assertEqual(self.expect(a, 'message', 200), ['r:%d' % i for i in range(200)])
        self.assertEqual(c.heard(), [])
        self.assertEqual(b.get('send', to=ids[2], d='neighbour')['rc'], 0)
        self.assertEqual(self.expect(c, 'message', 1), ['neighbour:0'])

    def test_nobody_there_is_told_at_once(self):
        a = self.host()
        self.host()
        self.ready()
        start = time.time()
        a.get('send', to=NOBODY, d='x')
        self.assertEqual(wait_for(lambda: a.heard('lost')), [{'t': 'lost', 'worker': NOBODY}])
        self.assertLess(time.time() - start, 1 * SLOW)

    def test_request(self):
        a, b = self.host(2)
        c, d = self.host(2)
        e = self.host()
        self.ready()
        for node in (a, b, c, d):
            node.subscribe('user:1')
        start = time.time()
        answers = a.get('request', c='user:1', d='who', timeout=8000)
        self.assertEqual(sorted(answers),
                         sorted('%s:user:1:who' % n.info()['id'] for n in (b, c, d)))
        self.assertEqual(len(e.get('request', c='user:1', d='who', timeout=8000)), 4)
        self.assertEqual(e.get('request', c='nobody', d='who', timeout=8000), [])
        self.assertEqual(a.get('request', c='user:1', d='silent', timeout=8000), [])
        self.assertLess(time.time() - start, 4 * SLOW, 'nobody waits for the timeout')

    def test_alone(self):
        a = self.host()
        wait_for(lambda: a.info()['up'])
        a.subscribe('x')
        self.assertEqual(a.get('request', c='x', d='x', timeout=8000), [])
        self.assertEqual(a.publish('x'), 0)

    def test_killed_worker(self):
        a = self.host()
        b, c = self.host(2)
        self.ready()
        old = b.info()
        start = time.time()
        os.kill(old['pid'], signal.SIGKILL)
        heard = []
        wait_for(lambda: heard.extend(a.heard()) or {'t': 'lost', 'worker': old['id']} in heard, 2,
                 'the other host knows')
        wait_for(lambda: heard.extend(a.heard()) or {'t': 'gap'} in heard)
        self.assertLess(time.time() - start, 2 * SLOW)
        wait_for(lambda: b.info()['id'] != old['id'])
        self.ready()
        a.get('send', to=old['id'], d='x')
        wait_for(lambda: a.heard('lost'))

    def test_killed_host(self):
        a = self.host()
        b = self.host()
        self.ready()
        old = b.info()
        b.process.kill()
        os.kill(old['pid'], signal.SIGKILL)
        heard = []
        wait_for(lambda: heard.extend(a.heard()) or {'t': 'lost', 'worker': old['id']} in heard, 3)
        wait_for(lambda: heard.extend(a.heard()) or {'t': 'gap'} in heard)
        os.unlink('%s/%s.sock' % (self.dirs[1], old['id']))

    def test_reload_is_no_gap(self):
        a = self.host()
        b = self.host()
        self.ready()
        old = b.info()['id']
        b.reload()
        wait_for(lambda: b.info()['id'] != old)
        wait_for(lambda: a.heard('lost') == [{'t': 'lost', 'worker': old}])
        self.ready()
        self.assertEqual(a.info()['gaps'], 1, 'the one of its own start')
        b.subscribe('r')
        a.publish('r', 'new')
        self.assertEqual(self.expect(b, 'publish', 1), ['new:0'])

    def test_foreign_bytes(self):
        a = self.host()
        b = self.host()
        self.ready()
        b.subscribe('x')
        channels = self.redis.cli('pubsub', 'channels', 'realtime:*').split()
        self.assertIn('realtime:0:all', channels)
        for channel in channels:
            for text in ('', 'x', 'A' * 31, 'A' * 32, '\x01\x02' * 16, '\x01\x05' + 'B' * 100,
                         '\x01\x04' + 'C' * 30 + 'short', '\x01\x63' + 'D' * 64):
                self.redis.cli('publish', channel, text)
        a.publish('x', 'still')
        self.assertEqual(self.expect(b, 'publish', 1), ['still:0'])


class Faults(RedisCase):

    def test_away_at_start_and_back(self):
        port = self.redis.port
        self.redis.stop()
        a, b = self.host(2)
        c = self.host()
        b.subscribe('x')
        a.publish('x', 'local')     # the host goes on alone
        self.assertEqual(self.expect(b, 'publish', 1), ['local:0'])
        self.assertEqual([n.info()['up'] for n in self.nodes], [0, 0, 0])
        a.get('send', to=NOBODY, d='x')
        self.assertEqual(a.get('request', c='x', d='q', timeout=8000),
                         ['%s:x:q' % b.info()['id']])
        before = cpu_seconds(a.info()['pid'])
        time.sleep(2)
        self.assertLess(cpu_seconds(a.info()['pid']) - before, 0.5, 'no busy loop')
        lines = [line for line in a.log().splitlines() if 'redis 127.0.0.1' in line]
        self.assertEqual(len(lines), 2, 'one line a connection, not one a try: %r' % lines)
        self.redis = Redis(port=port)
        self.ready()
        c.subscribe('x')
        a.publish('x', 'everywhere')
        self.assertEqual(self.expect(c, 'publish', 1), ['everywhere:0'])

    def test_killed_and_restarted(self):
        a = self.host()
        b = self.host()
        self.ready()
        b.subscribe('x')
        gaps = b.info()['gaps']
        self.redis.signal(signal.SIGKILL)
        wait_for(lambda: not a.info()['up'] and not b.info()['up'], 2)
        self.assertEqual(a.publish('x', 'missed'), 0)
        b.subscribe('y')            # does not hang
        wait_for(lambda: b.heard('lost'), 4, 'out of sight is lost')
        self.redis.start()
        self.ready()
        self.assertGreater(b.info()['gaps'], gaps)
        a.publish('x', 'again')
        self.assertEqual(self.expect(b, 'publish', 1), ['again:0'])
        a.publish('y', 'too')
        self.assertEqual(self.expect(b, 'publish', 1), ['too:0'])

    def test_paused(self):
        a = self.host()
        b = self.host()
        self.ready()
        b.subscribe('x')
        gaps = b.info()['gaps']
        self.redis.signal(signal.SIGSTOP)
        wait_for(lambda: not a.info()['up'] and not b.info()['up'], 8, 'noticed by PING')
        a.publish('x', 'p', n=100, size=100000)
        b.subscribe('y')
        time.sleep(1)
        self.redis.signal(signal.SIGCONT)
        self.ready()
        wait_for(lambda: b.info()['gaps'] > gaps)
        b.heard()
        a.publish('x', 'again')
        self.assertEqual(self.expect(b, 'publish', 1), ['again:0'])

    def test_connections_killed_again_and_again(self):
        a = self.host()
        b = self.host()
        self.ready()
        to = b.info()['id']
        sent = 0
        end = time.time() + 4
        while time.time() < end:
            for _ in range(6):
                self.assertEqual(a.get('send', to=to, d='m', first=sent, n=20)['rc'], 0)
                sent += 20
                time.sleep(0.1)
            self.redis.cli('client', 'kill', 'type', 'pubsub')
            self.redis.cli('client', 'kill', 'type', 'normal')
        heard = self.expect(b, 'message', sent)
        self.assertEqual(heard, ['m:%d' % i for i in range(sent)], 'each once, in order')
        self.ready()
        self.assertEqual(a.info()['lost'] + b.info()['lost'], 0)

    def test_killed_connection_is_a_gap(self):
        a = self.host()
        b = self.host()
        self.ready()
        for kind in ('pubsub', 'normal'):
            gaps = b.info()['gaps']
            self.redis.cli('client', 'kill', 'type', kind)
            wait_for(lambda: b.info()['gaps'] > gaps, 5, 'gap after a killed %s connection' % kind)
            self.ready()

    def test_output_limit(self):
        """Redis drops a subscriber that does not read: it heals when it is back."""
        self.redis.cli('config', 'set', 'client-output-buffer-limit', 'pubsub 1mb 512kb 1')
        a = self.host()
        b = self.host()
        self.ready()
        b.subscribe('x')
        gaps = b.info()['gaps']
        pid = b.info()['pid']
        os.kill(pid, signal.SIGSTOP)
        a.publish('x', 'flood', n=300, size=100000)
        time.sleep(1)
        a.publish('x', 'flood', n=3, size=100000)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: b.info()['gaps'] > gaps, 8, 'gap')
        self.ready()
        a.publish('x', 'again')
        self.assertEqual(self.expect(b, 'publish', 1), ['again:0'])

    def test_name_and_unresolvable_name(self):
        self.host(redis='localhost %d' % self.redis.port)
        self.host(redis='127.0.0.1 %d' % self.redis.port)
        self.ready()
        c = self.host(redis='no-such-host.invalid %d' % self.redis.port)
        wait_for(lambda: 'no address' in c.log(), 10)
        self.assertEqual(c.info()['up'], 0)


class Password(RedisCase):
    redis_args = ('--requirepass', 'a secret')
    node_args = ' "a secret"'

    def test_right_and_wrong(self):
        a = self.host()
        b = self.host()
        self.ready()
        a.subscribe('x')
        b.publish('x', 'in')
        self.assertEqual(self.expect(a, 'publish', 1), ['in:0'])
        c = self.host(redis='127.0.0.1 %d "wrong secret"' % self.redis.port)
        d = self.host(redis='127.0.0.1 %d' % self.redis.port)
        time.sleep(1)
        for node, text in ((c, 'WRONGPASS'), (d, 'NOAUTH')):
            self.assertEqual(node.info()['up'], 0)
            lines = [line for line in node.log().splitlines() if text in line]
            self.assertEqual(len(lines), 2, node.log())
        self.assertNotIn('secret', c.log() + a.log())


class Tls(RedisCase):

    def setUp(self):
        self.tls = tempfile.mkdtemp(prefix='bus-tls-')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                        '-subj', '/CN=localhost', '-addext',
                        'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout',
                        self.tls + '/key.pem', '-out', self.tls + '/cert.pem'], check=True,
                       capture_output=True)
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                        '-subj', '/CN=other', '-keyout', self.tls + '/other-key.pem', '-out',
                        self.tls + '/other.pem'], check=True, capture_output=True)
        self.nodes = []
        self.dirs = []
        self.redis = Redis('--requirepass', 'x', tls_dir=self.tls)

    def tearDown(self):
        super().tearDown()
        shutil.rmtree(self.tls)

    def test_tls(self):
        ca = self.tls + '/cert.pem'
        a = self.host(redis='127.0.0.1 %d x %s' % (self.redis.port, ca))
        b = self.host(redis='localhost %d x %s' % (self.redis.port, ca))
        self.ready()
        b.subscribe('x')
        a.publish('x', 'sealed', n=10, size=300000)
        self.assertEqual(self.expect(b, 'publish', 10), ['sealed:%d' % i for i in range(10)])
        self.assertEqual(a.get('send', to=b.info()['id'], d='m', n=10)['rc'], 0)
        self.expect(b, 'message', 10)
        c = self.host(redis='127.0.0.1 %d x %s/other.pem' % (self.redis.port, self.tls))
        wait_for(lambda: 'TLS handshake failed' in c.log() or 'certificate' in c.log(), 5)
        self.assertEqual(c.info()['up'], 0)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""The local bus between real nginx workers: t/bus/run, or python3 t/bus/bus_test.py [-v] [test …]

BUS_TEST_MODULE names the test module (t/bus_module, built for the nginx in NGINX), or says
"static" when it is linked in."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import BUSY, DECLINED, SLOW, Node, NotStarted, main, meet, sockets, wait_for


class BusCase(unittest.TestCase):

    def setUp(self):
        self.bus = tempfile.mkdtemp(prefix='bus-')
        self.nodes = []

    def tearDown(self):
        bad = []
        for node in self.nodes:
            bad += node.stop()
        left = sockets(self.bus)
        shutil.rmtree(self.bus)
        self.assertEqual(bad, [])
        self.assertEqual(left, [], 'sockets left behind')

    def start(self, n=1, **args):
        new = [Node(self.bus, **args) for _ in range(n)]
        self.nodes += new
        return new

    def mesh(self, n, **args):
        nodes = self.start(n, **args)
        meet(self.nodes)
        for node in nodes:
            node.heard()
        return nodes


class Mesh(BusCase):

    def test_publish_reaches_subscribers_only(self):
        a, b, c, d = self.mesh(4)
        b.subscribe('room:1')
        c.subscribe('room:1')
        d.subscribe('room:2')
        self.assertEqual(a.publish('room:1', 'hello'), 0)
        for node in (b, c):
            heard = wait_for(node.heard)
            self.assertEqual([(e['t'], e['c'], e['d']) for e in heard],
                             [('publish', 'room:1', 'hello:0')])
        time.sleep(0.1)
        self.assertEqual(d.heard(), [])
        self.assertEqual(a.heard(), [], 'not to ourselves')

    def test_counted_subscriptions(self):
        a, b = self.mesh(2)
        b.subscribe('x')
        b.subscribe('x')
        b.get('unsubscribe', c='x')
        a.publish('x')
        wait_for(b.heard)
        b.get('unsubscribe', c='x')
        time.sleep(0.05)
        a.publish('x')
        time.sleep(0.1)
        self.assertEqual(b.heard(), [])

    def test_subscribed_means_heard(self):
        a, b, c = self.mesh(3)
        for i in range(60):
            b.subscribe('s%d' % i)
            (a, c)[i % 2].publish('s%d' % i, str(i))
        wanted = ['%d:0' % i for i in range(60)]
        heard = []
        wait_for(lambda: heard.extend(b.heard()) or len(heard) >= 60)
        self.assertEqual(sorted(e['d'] for e in heard), sorted(wanted))

    def test_order_small_and_large(self):
        a, b = self.mesh(2, queue='64m')
        b.subscribe('o')
        for i in range(30):
            a.publish('o', 'm', first=i * 10, n=10, size=(0, 300000)[i % 3 == 0])
        heard = []
        wait_for(lambda: heard.extend(b.heard('publish')) or len(heard) >= 300)
        self.assertEqual([e['d'].rstrip('.') for e in heard], ['m:%d' % i for i in range(300)])

    def test_large_payloads_are_whole(self):
        a, b, c = self.mesh(3, queue='16m')
        b.subscribe('big')
        c.subscribe('big')
        for size in (65519, 65536, 1 << 20, 12 << 20):
            self.assertEqual(a.publish('big', 'z', size=size), 0)
            want = b'z:0' + b'.' * (size - 3)
            for node in (b, c):
                e = wait_for(node.heard)[0]
                self.assertEqual((e['len'], e['crc']), (size, zlib.crc32(want)))

    def test_payload_larger_than_any_queue_is_a_gap(self):
        a, b = self.mesh(2, queue='1m')
        b.subscribe('big')
        self.assertNotEqual(a.publish('big', size=2 << 20), 0)
        self.assertEqual([e['t'] for e in wait_for(b.heard)], ['gap'])
        self.assertEqual(a.publish('big', 'after'), 0)
        self.assertEqual(wait_for(b.heard)[0]['d'], 'after:0')

    def test_send(self):
        a, b, c = self.mesh(3)
        ids = [n.info()['id'] for n in (a, b, c)]
        self.assertEqual(a.get('send', to=ids[1], d='for-b')['rc'], 0)
        e = wait_for(b.heard)[0]
        self.assertEqual((e['t'], e['from'], e['d']), ('message', ids[0], 'for-b:0'))
        self.assertEqual(c.heard(), [])
        for nobody in ('0123456789abcdef', '0' * 16, ids[0]):
            self.assertEqual(a.get('send', to=nobody, d='x')['rc'], DECLINED)

    def test_many_channels(self):
        a, b = self.mesh(2)
        b.get('subscribe', c='c', n=50000)
        a.publish('c49999', 'last')
        self.assertEqual(wait_for(lambda: b.heard('publish'))[0]['c'], 'c49999')
        c, = self.start()
        meet(self.nodes)
        c.publish('c25000', 'newcomer')
        self.assertEqual(wait_for(lambda: b.heard('publish'))[0]['c'], 'c25000')
        self.assertEqual(b.heard(), [])


class Requests(BusCase):

    def test_answers_of_subscribers(self):
        a, b, c, d = self.mesh(4)
        for node in (a, b, c):
            node.subscribe('user:1')
        answers = a.get('request', c='user:1', d='who')
        self.assertEqual(sorted(answers),
                         sorted('%s:user:1:who' % n.info()['id'] for n in (b, c)))
        self.assertEqual(a.get('request', c='user:1', d='silent'), [])
        self.assertEqual(a.get('request', c='nobody', d='x'), [])

    def test_alone(self):
        a, = self.start()
        a.subscribe('x')
        self.assertEqual(a.get('request', c='x', d='x'), [])
        self.assertEqual(a.publish('x'), 0)

    def test_timeout_and_death(self):
        a, b, c = self.mesh(3)
        b.subscribe('q')
        c.subscribe('q')
        pid = c.info()['pid']
        os.kill(pid, signal.SIGSTOP)
        start = time.time()
        self.assertEqual(len(a.get('request', c='q', d='x', timeout=400)), 1)
        self.assertGreaterEqual(time.time() - start, 0.35)

        result = []
        thread = threading.Thread(
            target=lambda: result.append(a.get('request', c='q', d='x', timeout=20000)))
        start = time.time()
        thread.start()
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        thread.join()
        self.assertLess(time.time() - start, 5 * SLOW)
        self.assertEqual(len(result[0]), 1)

    def test_asker_leaves(self):
        a, b = self.mesh(2)
        b.subscribe('q')
        pid = b.info()['pid']
        os.kill(pid, signal.SIGSTOP)
        with self.assertRaises(OSError):
            a.get('request', c='q', d='x', timeout=0.3)
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(len(a.get('request', c='q', d='x')), 1)


class Failures(BusCase):

    def test_kill(self):
        a, b, c = self.mesh(3)
        old = c.info()
        os.kill(old['pid'], signal.SIGKILL)
        wait_for(lambda: c.info()['id'] != old['id'])
        meet(self.nodes)
        for node in (a, b):
            heard = wait_for(node.heard)
            self.assertIn({'t': 'lost', 'worker': old['id']}, heard)
            self.assertIn({'t': 'gap'}, heard)
        self.assertEqual(len(sockets(self.bus)), 3)
        self.assertEqual(a.get('send', to=old['id'], d='x')['rc'], DECLINED)
        c.subscribe('new')
        a.publish('new', 'hi')
        self.assertEqual(wait_for(lambda: c.heard('publish'))[0]['d'], 'hi:0')

    def test_reload(self):
        a, b, c = self.mesh(3)
        old = c.info()['id']
        b.subscribe('r')
        c.reload()
        wait_for(lambda: c.info()['id'] != old)
        wait_for(lambda: len(sockets(self.bus)) == 3)
        meet(self.nodes)
        heard = wait_for(a.heard) + wait_for(b.heard)
        self.assertEqual(heard, [{'t': 'lost', 'worker': old}] * 2, 'a goodbye is no gap')
        c.publish('r', 'new-worker')
        self.assertEqual(wait_for(b.heard)[0]['d'], 'new-worker:0')

    def test_overflow_is_a_gap_on_both_sides(self):
        a, b = self.mesh(2, queue='1m')
        b.subscribe('f')
        pid = b.info()['pid']
        os.kill(pid, signal.SIGSTOP)
        a.publish('f', n=40, size=100000)
        self.assertIn('dropped with the connection', a.log())
        a.publish('f', 'lost', n=3)
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: b.info()['gaps'] and a.info()['gaps'], what='gaps')
        wait_for(lambda: a.info()['peers'] == 1)
        time.sleep(0.1)
        a.heard()
        b.heard()
        self.assertEqual(a.publish('f', 'again', n=3), 0)
        heard = []
        wait_for(lambda: heard.extend(b.heard()) or len(heard) >= 3)
        self.assertEqual([e.get('d') for e in heard], ['again:0', 'again:1', 'again:2'])
        self.assertEqual(a.info()['lost'] + b.info()['lost'], 0)

    def test_stopped_worker_does_not_hold_subscribers(self):
        a, b = self.mesh(2)
        pid = b.info()['pid']
        os.kill(pid, signal.SIGSTOP)
        start = time.time()
        a.subscribe('late')
        self.assertTrue(0.9 < time.time() - start < 3 * SLOW)
        gaps = a.info()['gaps']
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: a.info()['gaps'] > gaps, what='gap when it has read the subscription')

    def test_stale_files(self):
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.bus + '/00000000000000aa.sock')
        stale.close()
        for name in ('README', 'short.sock', '00000000000000ag.sock'):
            open(self.bus + '/' + name, 'w').close()
        a, b = self.mesh(2)
        self.assertEqual(len([s for s in sockets(self.bus) if len(s) == 21 and 'g' not in s]), 2)
        self.assertEqual(a.info()['lost'], 0)
        for name in ('README', 'short.sock', '00000000000000ag.sock'):
            os.unlink(self.bus + '/' + name)

    def test_socket_removed(self):
        a, b = self.mesh(2)
        os.unlink('%s/%s.sock' % (self.bus, a.info()['id']))
        wait_for(lambda: len(sockets(self.bus)) == 2, 8, 'listens again')
        self.start()
        meet(self.nodes)

    def test_no_free_connections(self):
        # Each needs some for itself and two for each other worker.
        a, = self.start(connections=16, events='accept_mutex off;')
        b, c = self.start(2)
        meet(self.nodes)
        held = [socket.create_connection(('127.0.0.1', a.port)) for _ in range(20)]
        time.sleep(0.2)
        d, = self.start()
        time.sleep(0.5)
        for s in held:
            s.close()
        meet(self.nodes)
        self.nodes.remove(a)
        for line in a.stop():
            self.assertIn('worker_connections are not enough', line)


class Hostile(BusCase):
    HELLO = struct.pack('=IBBHQQQQ', 24, 1, 0, 0, 0, 0x4c41455254424c4f, 1, 0xfeed)

    def dial(self, node):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5 * SLOW)
        s.connect('%s/%s.sock' % (self.bus, node.info()['id']))
        return s

    def frame(self, kind, body=b'', name=0, id=0, length=None):
        return struct.pack('=IBBHQ', len(body) if length is None else length, kind, 0, name,
                           id) + body

    def refused(self, node, data):
        s = self.dial(node)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
        except (ConnectionError, BrokenPipeError):
            pass
        finally:
            s.close()

    def test_malformed(self):
        a, b = self.mesh(2)
        b.subscribe('h')
        hello = self.HELLO
        bad = [
            b'\0' * 100, b'\xff' * 100, os.urandom(5000),
            self.frame(6, b'no hello', 1),
            hello + hello,
            hello[:16] + b'x' * 24,
            struct.pack('=IBBHQ', 1 << 31, 1, 0, 0, 0),
            hello + self.frame(99),
            hello + self.frame(0),
            hello + self.frame(6, b'abc', 0),
            hello + self.frame(6, b'abc', 4),
            hello + self.frame(6, b'', 1, length=0xffffffff),
            hello + self.frame(2, b'\1\5\0abc'),
            hello + self.frame(2, b'\7\3\0abc'),
            hello + self.frame(2, b'\1\0\0'),
            hello + self.frame(2, b'\1'),
            hello + self.frame(2, b''),
            hello + self.frame(3, b'x'),
            hello + self.frame(5, id=1 << 60),
            hello + self.frame(9, b'x' * 65537),
            hello + self.frame(6, b'x' * 2000, 1500),
        ]
        for data in bad:
            self.refused(a, data)
        # Allowed, and of no effect.
        for data in (self.frame(9, b'answer to nothing', id=77), self.frame(3), self.frame(10),
                     self.frame(2, b'\2\3\0abc'), self.frame(11), self.frame(4, id=5),
                     self.frame(8, b'cwho', 1, 3), self.frame(7, b'text')):
            self.refused(a, hello + data)
        a.heard()
        meet([a, b])
        self.assertEqual(a.publish('h', 'still-there'), 0)
        self.assertEqual(wait_for(lambda: b.heard('publish'))[0]['d'], 'still-there:0')

    def test_byte_by_byte(self):
        a, b = self.mesh(2)
        a.subscribe('h')
        s = self.dial(a)
        for byte in self.HELLO + self.frame(3) + self.frame(6, b'hslow', 1):
            s.sendall(bytes([byte]))
            time.sleep(0.001)
        self.assertEqual(wait_for(lambda: a.heard('publish'))[0]['d'], 'slow')
        s.close()
        wait_for(lambda: a.heard('lost'))

    def test_random_frames(self):
        a, b = self.mesh(2)
        a.subscribe('h')
        import random
        rng = random.Random(7)
        for _ in range(300):
            data = self.HELLO
            for _ in range(rng.randrange(5)):
                body = bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
                data += self.frame(rng.randrange(13), body, rng.choice([0, 0, 1, 3, 300]),
                                   rng.choice([0, 1, 1 << 63]))
            self.refused(a, data)
        meet([a, b])


class Workers(BusCase):
    """One nginx with several workers."""

    def ids(self, node, n):
        seen = {}

        def look():
            i = node.info()
            seen[i['id']] = i
            return len(seen) >= n
        wait_for(look, 10)
        return seen

    def test_four_workers(self):
        a, = self.start(workers=4)
        wait_for(lambda: len(sockets(self.bus)) == 4)
        wait_for(lambda: all(i['peers'] == 3 for i in self.ids(a, 4).values()), 10)
        victim = list(self.ids(a, 4).values())[0]
        os.kill(victim['pid'], signal.SIGKILL)
        wait_for(lambda: victim['id'] + '.sock' not in sockets(self.bus)
                 and len(sockets(self.bus)) == 4, 10)
        old = set(sockets(self.bus))
        a.reload()
        wait_for(lambda: len(sockets(self.bus)) == 4 and not old & set(sockets(self.bus)), 10)
        wait_for(lambda: all(i['peers'] == 3 for i in self.ids(a, 4).values()), 10)

    def test_single_process(self):
        a, = self.start(master='off')
        b, = self.start()
        meet([a, b])
        b.subscribe('s')
        a.publish('s', 'hi')
        self.assertEqual(wait_for(b.heard)[0]['d'], 'hi:0')

    def test_other_event_methods(self):
        try:
            a, = self.start(events='use poll;')
            b, = self.start(events='use select;')
        except NotStarted as e:
            self.assertIn('invalid event type', str(e))
            self.skipTest('this nginx has epoll only')
        meet([a, b])
        b.subscribe('s')
        a.subscribe('s')
        a.publish('s', 'p', n=20, size=100000)
        b.publish('s', 'p', n=20, size=100000)
        for node in (a, b):
            heard = []
            wait_for(lambda: heard.extend(node.heard()) or len(heard) >= 20)
            self.assertEqual(len(heard), 20)

    def held_until_timeout(self, extra):
        a, = self.start(extra=extra)
        b, = self.start()
        meet([a, b])
        old = a.info()['id']
        a.subscribe('d')
        b.publish('d', n=100000)
        wait_for(lambda: a.info()['heard'] == 100000)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(('127.0.0.1', a.port))
        client.sendall(b'GET /log HTTP/1.0\r\n\r\n')
        time.sleep(0.2)
        a.reload()
        wait_for(lambda: len(sockets(self.bus)) == 3, 8)
        time.sleep(0.3)
        self.assertIn(old + '.sock', sockets(self.bus))
        self.assertEqual(len(b.get('request', c='d', d='there')), 1)
        return old, b, client

    def test_draining_worker_stays(self):
        old, b, client = self.held_until_timeout('')
        self.assertEqual(b.heard('gap') + b.heard('lost'), [])
        client.close()
        wait_for(lambda: b.heard('lost') == [{'t': 'lost', 'worker': old}], 10)
        self.assertEqual(b.info()['gaps'], 0)

    def test_shutdown_timeout(self):
        old, b, client = self.held_until_timeout('worker_shutdown_timeout 3s;')
        wait_for(lambda: b.heard('lost') == [{'t': 'lost', 'worker': old}], 10)
        client.close()
        self.assertEqual(b.info()['gaps'], 0)

    def test_quit_without_alerts(self):
        self.mesh(3)


class Limits(BusCase):

    def test_connections(self):
        a, = self.start(workers=2)
        let_in = sum(a.get('limit', max=10)['rc'] == 0 for _ in range(30))
        self.assertEqual(let_in, 10)
        self.assertEqual(a.info()['connections'], 10)
        self.assertEqual(a.get('limit', max=10)['rc'], BUSY)
        self.assertEqual(a.get('limit', max=0)['rc'], 0)

    def test_crash_leaves_no_ghosts(self):
        a, = self.start()
        self.assertEqual(a.get('limit', max=10, n=20)['rc'], BUSY)
        self.assertEqual(a.get('limit', user='u', max=3, n=20)['rc'], BUSY)
        self.assertEqual(a.get('limit', user='u', business='b', max=3, n=3)['rc'], 0)
        old = a.info()
        os.kill(old['pid'], signal.SIGKILL)
        wait_for(lambda: a.info()['pid'] != old['pid'])
        self.assertEqual(a.info()['connections'], 0)
        self.assertEqual(a.get('limit', max=10, n=10)['rc'], 0)
        self.assertEqual(a.get('limit', user='u', max=3, n=3)['rc'], 0)
        self.assertEqual(a.get('limit', user='u', max=3)['rc'], BUSY)

    def test_dead_among_the_living(self):
        a, = self.start(workers=2)
        pids = {}

        def look():
            pids.setdefault(a.info()['pid'], 0)
            return len(pids) == 2
        wait_for(look)
        for _ in range(40):
            a.get('limit', user='u', max=1000)
            a.get('limit', max=1000)
        self.assertEqual(a.info()['connections'], 40)
        os.kill(list(pids)[0], signal.SIGKILL)
        wait_for(lambda: 0 < a.info()['connections'] < 40)
        self.assertEqual(a.get('limit', user='u', max=40)['rc'], 0)

    def test_reload_counts_on(self):
        a, = self.start()
        b_pid = a.info()['pid']
        a.subscribe('x')
        self.assertEqual(a.get('limit', max=10, n=10)['rc'], 0)
        self.assertEqual(a.get('limit', user='u', max=2, n=2)['rc'], 0)
        held = socket.create_connection(('127.0.0.1', a.port))
        held.sendall(b'GET /info HTTP/1.1\r\n')
        time.sleep(0.2)
        a.reload()
        wait_for(lambda: a.info()['pid'] != b_pid)
        self.assertEqual(a.info()['connections'], 10)
        self.assertEqual(a.get('limit', max=10)['rc'], BUSY)
        self.assertEqual(a.get('limit', user='u', max=2)['rc'], BUSY)
        held.close()
        wait_for(lambda: a.info()['connections'] == 0, 10)
        wait_for(lambda: a.get('limit', user='u', max=2)['rc'] == 0, 10)

    def test_remove(self):
        a, = self.start()
        self.assertEqual(a.get('limit', user='u', max=2, n=2)['rc'], 0)
        self.assertEqual(a.get('limit', user='u', max=2)['rc'], BUSY)
        a.get('limit', user='u', remove=1)
        self.assertEqual(a.get('limit', user='u', max=2)['rc'], 0)
        a.get('limit', user='u', remove=1, n=10)
        self.assertEqual(a.get('limit', user='u', max=2, n=2)['rc'], 0)
        a.get('limit', remove=1, n=3)
        self.assertEqual(a.info()['connections'], 0)

    def test_many_users(self):
        a, = self.start()
        n = 60000
        self.assertEqual(a.get('users', n=n, max=1)['rc'], n, 'none is taken for another')
        self.assertEqual(a.get('users', n=n, max=1)['rc'], 0)
        self.assertNotIn('too many users', a.log())

    def test_configuration(self):
        a, = self.start()
        for bus, fine in (('x' * 85, True), ('x' * 86, False)):
            path = a.dir + '/test.conf'
            with open(a.dir + '/nginx.conf') as f:
                conf = f.read()
            with open(path, 'w') as f:
                f.write(conf.replace('bus_test %s' % self.bus, 'bus_test ' + bus))
            r = subprocess.run([os.environ.get('NGINX_BINARY', 'nginx'), '-t', '-p', a.dir, '-c', path],
                               capture_output=True)
            self.assertEqual(b'test is successful' in r.stderr, fine)
            self.assertEqual(b'too long' in r.stderr, not fine)


if __name__ == '__main__':
    main()

"""Starts real nginx processes with the test module of t/bus_module and talks to them."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

MODULE = os.environ.get('BUS_TEST_MODULE', 'build/bus_test/ngx_http_realtime_module.so')
NGINX = os.environ.get('NGINX_BINARY', 'nginx')
WRAPPER = os.environ.get('BUS_TEST_WRAPPER', '').split()
SLOW = float(os.environ.get('BUS_TEST_SLOW', '1'))     # factor for waits, under valgrind

DECLINED = -5
BUSY = -3

CONF = '''
%(load)s
%(user)s
daemon off;
master_process %(master)s;
worker_processes %(workers)d;
%(extra)s
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log info;
events { worker_connections %(connections)d; %(events)s }
http {
    access_log off;
    client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi; uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
    bus_test %(bus)s %(queue)s %(redis)s;
    keepalive_timeout 0;
    server {
        listen 127.0.0.1:%(port)d%(reuseport)s;
        location / { bus_test_ops; }
    }
}
'''


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(check, seconds=5, what='condition'):
    end = time.time() + seconds * SLOW
    while True:
        try:
            value = check()
            if value:
                return value
        except (OSError, http.client.HTTPException):
            pass
        if time.time() > end:
            raise AssertionError('timed out: ' + what)
        time.sleep(0.02)


class NotStarted(Exception):
    pass


class Node:
    """One nginx; with one worker unless said otherwise, so that each request has a known worker."""

    def __init__(self, bus, workers=1, queue='4m', master='on', extra='', events='',
                 connections=256, redis=''):
        self.dir = tempfile.mkdtemp(prefix='bus-node-')
        self.port = free_port()
        self.bus = bus
        self.args = dict(
            load='' if MODULE == 'static' else 'load_module %s;' % os.path.abspath(MODULE),
            user='user root;' if os.getuid() == 0 else '', master=master, workers=workers,
            dir=self.dir, bus=bus, queue=queue, port=self.port, extra=extra, events=events,
            connections=connections, redis=redis, reuseport=' reuseport' if workers > 1 else '')
        with open(self.dir + '/nginx.conf', 'w') as f:
            f.write(CONF % self.args)
        with open(self.dir + '/stderr', 'w') as stderr:
            self.process = subprocess.Popen(
                WRAPPER + [NGINX, '-p', self.dir, '-e', self.dir + '/error.log',
                           '-c', self.dir + '/nginx.conf'], stderr=stderr)
        try:
            wait_for(lambda: self.get('info'), 10, 'nginx did not start')
        except AssertionError:
            self.process.kill()
            self.process.wait()
            with open(self.dir + '/stderr') as f:
                raise NotStarted(self.log() + f.read())

    def get(self, op, timeout=30, **args):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout * SLOW)
        try:
            c.request('GET', '/%s?%s' % (op, '&'.join('%s=%s' % pair for pair in args.items())))
            r = c.getresponse()
            body = r.read()
            if r.status != 200:
                raise AssertionError('%s: %d %r' % (op, r.status, body))
            return json.loads(body)
        finally:
            c.close()

    def info(self):
        return self.get('info')

    def heard(self, kind=None):
        return [e for e in self.get('log') if kind is None or e['t'] == kind]

    def subscribe(self, channel):
        self.get('subscribe', c=channel)

    def publish(self, channel, text='x', **args):
        return self.get('publish', c=channel, d=text, **args)['rc']

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def log(self):
        with open(self.dir + '/error.log', errors='replace') as f:
            return f.read()

    def stop(self, how=signal.SIGQUIT):
        """Ends nginx and returns the lines of its log that nobody wants to see."""
        bad = []
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
            try:
                self.process.wait(15 * SLOW)
            except subprocess.TimeoutExpired:
                os.kill(self.process.pid, signal.SIGTERM)
                self.process.wait(15 * SLOW)
                bad.append('did not end')
        bad += [line for line in self.log().splitlines()
                if re.search(r'\[(alert|emerg|crit)\]', line)
                and 'exited on signal 9' not in line]
        with open(self.dir + '/stderr', errors='replace') as f:
            bad += [line for line in (f.read() + self.log()).splitlines()
                    if re.search(r'Sanitizer|runtime error|Invalid (read|write)'
                                 r'|definitely lost: [1-9]', line)]
        shutil.rmtree(self.dir, ignore_errors=True)
        return bad


class Redis:
    """A real redis-server on a port of its own."""

    def __init__(self, *args, port=None, tls_dir=None):
        self.dir = tempfile.mkdtemp(prefix='bus-redis-')
        self.port = port or free_port()
        self.args = list(args)
        self.tls_dir = tls_dir
        self.start()

    def start(self):
        listen = ['--port', str(self.port)]
        if self.tls_dir:
            listen = ['--port', '0', '--tls-port', str(self.port), '--tls-auth-clients', 'no',
                      '--tls-cert-file', self.tls_dir + '/cert.pem',
                      '--tls-key-file', self.tls_dir + '/key.pem',
                      '--tls-ca-cert-file', self.tls_dir + '/cert.pem']
        self.process = subprocess.Popen(
            ['redis-server', '--bind', '127.0.0.1', '--save', '', '--dir', self.dir,
             '--loglevel', 'warning'] + listen + self.args, stdout=subprocess.DEVNULL)
        wait_for(self.answers, 10, 'redis-server did not start')

    def answers(self):
        socket.create_connection(('127.0.0.1', self.port), 1).close()
        return True

    def cli(self, *args):
        return subprocess.run(['redis-cli', '-p', str(self.port), *args], capture_output=True,
                              text=True, check=True).stdout

    def signal(self, number):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def sockets(bus):
    return sorted(f for f in os.listdir(bus) if f.endswith('.sock'))


def meet(nodes):
    """Waits until every worker is connected with all others, both ways."""
    wait_for(lambda: all(n.info()['peers'] == len(nodes) - 1 for n in nodes), 10, 'mesh')


class Tap(unittest.TestResult):
    """What prove reads: a line a test, the reason of a failure as comments."""

    def say(self, word, test, note=''):
        print('%s %d - %s%s' % (word, self.testsRun, test.id().replace('__main__.', ''), note),
              flush=True)

    def blame(self, test, err):
        for line in self._exc_info_to_string(err, test).splitlines():
            print('#', line)
        self.say('not ok', test)

    def addSuccess(self, test):
        self.say('ok', test)

    def addSkip(self, test, reason):
        self.say('ok', test, ' # skip ' + reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.blame(test, err)

    addError = addFailure


def main():
    if os.environ.get('BUS_TEST_TAP'):
        suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
        print('1..%d' % suite.countTestCases(), flush=True)
        result = Tap()
        suite.run(result)
        sys.exit(not result.wasSuccessful())
    unittest.main()

"""Bare Engine.IO and binary Socket.IO with the Python clients. Usage: echo.py URL TRANSPORTS"""

import queue
import sys
import time

import engineio
import socketio

URL = sys.argv[1]
TRANSPORTS = sys.argv[2].split(',')


def engine():
    got = queue.Queue()
    client = engineio.Client()
    client.on('message', got.put)
    client.connect(URL, transports=TRANSPORTS, engineio_path='engine.io')
    for i in range(30):
        for sent in ('text %d 👋' % i, bytes([i, 0, 255])):
            client.send(sent)
            back = got.get(timeout=10)
            assert back == sent, (back, sent)
    for i in range(60):
        client.send('burst %d' % i)
    assert [got.get(timeout=10) for _ in range(60)] == ['burst %d' % i for i in range(60)]
    assert client.transport() == TRANSPORTS[-1]
    time.sleep(1.2)     # several heartbeats of 300 ms
    client.send('still here')
    assert got.get(timeout=10) == 'still here'
    client.disconnect()
    print('ok engine', flush=True)


def socket():
    got = queue.Queue()
    client = socketio.Client(reconnection=False)
    client.on('message-back', lambda *args: got.put(args), namespace='/custom')
    client.on('auth', lambda auth: got.put(auth), namespace='/custom')
    client.connect(URL, auth={'token': 'abc'}, transports=TRANSPORTS, namespaces=['/custom'],
                   wait_timeout=10)
    assert got.get(timeout=10) == {'token': 'abc'}
    for i in range(20):
        args = (i, b'\x00\xff', {'deep': [b'x', 'Grüße']})
        client.emit('message', args, namespace='/custom')
        assert got.get(timeout=10) == args
        ack = client.call('message-with-ack', args, namespace='/custom', timeout=10)
        assert tuple(ack) == args, ack
    client.disconnect()
    print('ok socket', flush=True)


engine()
socket()

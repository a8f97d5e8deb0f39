"""The chat with python-socketio, a second implementation of the protocol.

Usage: chat.py URL TRANSPORTS; tokens in CUSTOMER and STAFF. Prints one line per step; the exit code
says how it went.
"""

import os
import queue
import sys
import threading

import engineio
import socketio

URL = sys.argv[1]
TRANSPORTS = sys.argv[2].split(',')


def step(text):
    print('ok', text, flush=True)


class InOrder(engineio.Client):
    """python-engineio starts a thread for each packet, and these overtake each other on a busy
    machine; with one thread for all, what is heard has the order that came over the wire."""

    def __init__(self, **options):
        super().__init__(**options)
        self.arrived = queue.Queue()
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        while True:
            super()._trigger_event('message', self.arrived.get())

    def _trigger_event(self, event, *args, **options):
        if event != 'message':
            return super()._trigger_event(event, *args, **options)
        self.arrived.put(*args)


class Client(socketio.Client):
    def _engineio_client_class(self):
        return InOrder


class Person:
    def __init__(self, token):
        self.events = queue.Queue()
        self.client = Client(reconnection=False)
        for name in ('connected', 'chat:new-message', 'chat:user-typing', 'chat:messages-read',
                     'chat:user-joined', 'chat:user-left', 'error'):
            self.client.on(name, self.keep(name), namespace='/realtime')
        self.client.connect(URL, auth={'token': token}, transports=TRANSPORTS,
                            namespaces=['/realtime'], wait_timeout=10)

    def keep(self, name):
        return lambda data=None: self.events.put((name, data))

    def next(self, name, test=lambda data: True):
        """The next event of that name; others before it are dropped."""
        while True:
            got, data = self.events.get(timeout=10)
            if got == name and test(data):
                return data

    def ask(self, event, data):
        return self.client.call(event, data, namespace='/realtime', timeout=10)


def main():
    anna = Person(os.environ['CUSTOMER'])
    welcome = anna.next('connected')
    assert welcome['isAuthenticated'] is True, welcome
    assert welcome['role'] == 'CUSTOMER', welcome
    step('connected')

    joined = anna.ask('chat:join-room', {'businessId': 'biz-a', 'userName': 'Anna'})
    assert joined['success'] is True, joined
    room = joined['roomId']
    sam = Person(os.environ['STAFF'])
    sam.next('connected')
    assert sam.ask('chat:join-room', {'roomId': room})['success'] is True
    assert anna.next('chat:user-joined')['role'] == 'STAFF'
    step('joined')

    for i in range(40):
        sender, hearer = (anna, sam) if i % 2 else (sam, anna)
        text = 'Grüße 👋 %d' % i
        sent = sender.ask('chat:send-message', {'roomId': room, 'content': text})
        assert sent['success'] is True, sent
        heard = hearer.next('chat:new-message', lambda m: m['content'] == text)
        assert heard == sent['message'], (heard, sent)
    step('40 messages there and back')

    for i in range(50):     # a burst: more packets than one polling body may hold
        anna.client.emit('chat:send-message', {'roomId': room, 'content': 'burst %d' % i},
                         namespace='/realtime')
    seqs = [sam.next('chat:new-message', lambda m: m['content'].startswith('burst'))['seq']
            for _ in range(50)]
    assert seqs == list(range(seqs[0], seqs[0] + 50)), seqs
    step('a burst of 50 in order')

    anna.client.emit('chat:typing', {'roomId': room, 'isTyping': True}, namespace='/realtime')
    assert sam.next('chat:user-typing')['isTyping'] is True
    read = sam.ask('chat:read-messages', {'roomId': room})
    assert len(read['messageIds']) == 70, len(read['messageIds'])
    assert anna.next('chat:messages-read')['messageIds'] == read['messageIds']
    step('typing and reading')

    failed = anna.ask('chat:join-room', {'roomId': '0' * 24})
    assert failed['success'] is False and failed['code'] == 'NOT_FOUND', failed
    assert anna.client.transport() == TRANSPORTS[-1], anna.client.transport()
    # the client may drop its own last packet: disconnect() does not wait for a POST under way
    assert anna.ask('chat:leave-room', {'roomId': room})['success'] is True
    sam.next('chat:user-left')
    anna.client.disconnect()
    sam.client.disconnect()
    step('left')

    refused = socketio.Client(reconnection=False)
    errors = queue.Queue()
    refused.on('error', lambda data: errors.put(data), namespace='/realtime')
    refused.connect(URL, auth={'token': 'nonsense'}, transports=TRANSPORTS,
                    namespaces=['/realtime'], wait_timeout=10)
    assert 'message' in errors.get(timeout=10)
    refused.disconnect()
    step('a bad token is told')


main()

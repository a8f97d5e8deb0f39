// Trouble from outside: a store that is locked, a worker that stalls, two nginx on one bus.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';

import { connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { api, createRoom } from './lib/http.mjs';
import { MONGODB, Server, sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const LONG = { timeout: 90000 * SLOW };

// Holds the database's write lock; resolves to a function that lets it go.
function lock(file)
{
    const child = spawn('python3', ['-c', 'import sqlite3,sys\n'
        + 'db = sqlite3.connect(sys.argv[1], isolation_level=None)\n'
        + 'db.execute("PRAGMA busy_timeout=5000")\n'
        + 'db.execute("BEGIN IMMEDIATE")\n'
        + 'print("locked", flush=True)\n'
        + 'sys.stdin.readline()\n'
        + 'db.execute("ROLLBACK")\n', file], { stdio: ['pipe', 'pipe', 'inherit'] });
    return new Promise((resolve, reject) => {
        child.stdout.once('data', () => resolve(() => new Promise((done) => {
            child.on('exit', done);
            child.stdin.end('\n');
        })));
        child.on('exit', (code) => code && reject(new Error(`the lock ended with ${code}`)));
    });
}

describe('a store that is locked by somebody', { skip: MONGODB && 'a file can be locked' }, () => {
    const server = useServer({ workers: 2, allowLog: [/\[crit\].*(store|sqlite|locked)/i] });

    it('answers UNAVAILABLE in time, typing goes on, and all is well afterwards', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna);
        const s = await connect(server, staff());
        await a.ask('chat:join-room', { roomId });
        await s.ask('chat:join-room', { roomId });

        const unlock = await lock(path.join(server.data, 'rt.db'));
        try {
            const start = Date.now();
            const waiting = a.ask('chat:send-message',
                { roomId, content: 'while locked', clientMessageId: 'c1' }, 20000 * SLOW);
            const rest = api(server, anna).post(`/chat/rooms/${roomId}/messages`, { content: 'rest' });
            await sleep(200);
            // what needs no store does not wait for it, and what only reads does not either
            const before = Date.now();
            s.emit('chat:typing', { roomId, isTyping: true });
            await a.next('chat:user-typing', undefined, 1000 * SLOW);
            assert.ok(Date.now() - before < 1000 * SLOW);
            const list = await api(server, anna).get(`/chat/rooms/${roomId}/messages`);
            assert.equal(list.status, 200, list.text);

            const r = await waiting;
            assert.equal(r.success, false, JSON.stringify(r));
            assert.equal(r.code, 'UNAVAILABLE');
            const answer = await rest;
            assert.equal(answer.status, 503, answer.text);
            assert.ok(Number(answer.headers['retry-after']) >= 1, 'Retry-After');
            assert.ok(Date.now() - start < 8000 * SLOW, `${Date.now() - start} ms`);
        } finally {
            await unlock();
        }
        const again = await until('the store is back', async () => {
            const r = await a.ask('chat:send-message', { roomId, content: 'while locked', clientMessageId: 'c1' });
            return r.success && r;
        }, 10000 * SLOW);
        await s.next('chat:new-message', (m) => m._id === again.messageId);
        const { messages } = (await api(server, anna).get(`/chat/rooms/${roomId}/messages`)).json;
        assert.equal(messages.filter((m) => m.content === 'while locked').length, 1);
        [a, s].forEach((c) => c.close());
    });
});

describe('a worker that stalls', () => {
    // what is written in 1.5 s is more than the usual send buffer of a client that polls
    const server = useServer({ workers: 3,
        realtime: 'realtime_rate off; realtime_send_buffer 32m;' });

    it('loses nothing, doubles nothing, mixes nothing up', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const chats = await Promise.all(Array.from({ length: 24 }, async (_, i) => {
            const chat = await connect(server, i === 0 ? anna : staff(), i % 4 === 3 ? POLLING : WEBSOCKET);
            chat.joined = await chat.ask('chat:join-room', { roomId }, 20000 * SLOW);
            return chat;
        }));
        let go = true;
        let last = 0;
        const writing = chats.slice(0, 6).map(async (chat) => {
            while (go) {
                const r = await chat.ask('chat:send-message', { roomId, content: 'x' }, 30000 * SLOW);
                assert.equal(r.success, true, JSON.stringify(r));
                last = Math.max(last, r.seq);
                await sleep(5);
            }
        });
        for (const pid of server.workers()) {
            await sleep(300);
            server.signal('SIGSTOP', pid);
            await sleep(1500);
            server.signal('SIGCONT', pid);
        }
        await sleep(500);
        go = false;
        await Promise.all(writing);
        await until('everybody has the last one', () => chats.every((c) =>
            c.all('chat:new-message').some((m) => m.seq === last)), 15000 * SLOW);
        for (const chat of chats) {
            assert.deepEqual(chat.all('chat:new-message').map((m) => m.seq),
                Array.from({ length: last - chat.joined.lastSeq }, (_, i) => chat.joined.lastSeq + 1 + i));
            assert.deepEqual(chat.all('$disconnect'), []);
            chat.close();
        }
    });
});

describe('two nginx with one store and one bus directory', () => {
    it('are one cluster', LONG, async () => {
        const first = await new Server({ workers: 2 }).start();
        const second = new Server({ workers: 2, store: first.store,
            http: `realtime_bus_dir ${first.data}/rt.db.bus;` });
        try {
            await second.start();
            const anna = customer();
            const roomId = await createRoom(first, anna);
            const a = await connect(first, anna);
            const s = await connect(second, staff());
            await a.ask('chat:join-room', { roomId });
            await s.ask('chat:join-room', { roomId });
            for (let i = 0; i < 20; i += 1) {
                const [from, to] = i % 2 ? [a, s] : [s, a];
                const sent = await from.ask('chat:send-message', { roomId, content: `m${i}` });
                assert.equal(sent.success, true, JSON.stringify(sent));
                assert.deepEqual(await to.next('chat:new-message', (m) => m._id === sent.messageId),
                    sent.message);
            }
            // a polling session of the one is served through the other
            const p = await connect(first, staff(), POLLING);
            p.socket.io.engine.transport.opts.port = String(second.port);
            const joined = await p.ask('chat:join-room', { roomId });
            assert.equal(joined.success, true, JSON.stringify(joined));
            assert.equal(joined.messages.length, 20);
            const seqs = a.all('chat:new-message').map((m) => m.seq);
            assert.deepEqual(seqs, Array.from({ length: 20 }, (_, i) => seqs[0] + i));
            [a, s, p].forEach((c) => c.close());
        } finally {
            await second.stop();
            await first.stop();
        }
    });
});

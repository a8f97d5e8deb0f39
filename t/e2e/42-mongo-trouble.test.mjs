// A mongod that hangs, is killed, or is not there when nginx starts: calls fail in time, clients stay
// connected, nothing that was acknowledged is lost and nothing is stored twice.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Mongod, mongodProgram } from '../lib/mongod.mjs';
import { connect } from './lib/chat.mjs';
import { api, createRoom } from './lib/http.mjs';
import { Server, sleep, SLOW, until } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const LONG = { timeout: 120000 * SLOW };

// Sends until it is stored: the same clientMessageId each time.
function sendInTheEnd(chat, roomId, content)
{
    return until(`${content} is stored`, async () => {
        const r = await chat.ask('chat:send-message',
            { roomId, content, clientMessageId: content }, 20000 * SLOW);
        assert.ok(r.success || r.code === 'UNAVAILABLE', JSON.stringify(r));
        return r.success && r;
    }, 30000 * SLOW);
}

describe('MongoDB in trouble', { skip: !mongodProgram() && 'there is no mongod' }, () => {
    let mongod;
    let server;

    before(async () => {
        mongod = await new Mongod().start();
        server = await new Server({ workers: 2, store: `${mongod.uri}chat?replicaSet=rs` }).start();
    }, { timeout: 60000 });

    after(async () => {
        await server.stop();
        await mongod.stop();
    }, { timeout: 60000 });

    async function pair()
    {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna);
        const s = await connect(server, staff());
        await a.ask('chat:join-room', { roomId });
        await s.ask('chat:join-room', { roomId });
        return { anna, roomId, a, s };
    }

    async function history(person, roomId)
    {
        const all = [];
        for (;;) {
            const { messages, hasMore } = (await api(server, person)
                .get(`/chat/rooms/${roomId}/messages?limit=100&afterSeq=${all.length}`)).json;
            all.push(...messages);
            if (!hasMore) {
                return all;
            }
        }
    }

    // what is stored, once each, in order; and what staff heard of it
    async function check({ anna, roomId, a, s }, contents)
    {
        const { messages } = (await api(server, anna).get(`/chat/rooms/${roomId}/messages`)).json;
        assert.deepEqual(messages.map((m) => m.content).sort(), contents.slice().sort());
        assert.deepEqual(messages.map((m) => m.seq), contents.map((_, i) => i + 1));
        await until('staff have heard all', () =>
            s.all('chat:new-message').length === contents.length);
        assert.deepEqual(s.all('chat:new-message').map((m) => m.seq), contents.map((_, i) => i + 1));
        assert.deepEqual([a, s].flatMap((c) => c.all('$disconnect')), []);
        [a, s].forEach((c) => c.close());
    }

    it('hangs: UNAVAILABLE in time, at once after that, and all is well afterwards', LONG, async () => {
        const chat = await pair();
        const { anna, roomId, a, s } = chat;
        assert.equal((await a.ask('chat:send-message', { roomId, content: '1' })).success, true);

        mongod.signal('SIGSTOP');
        try {
            const start = Date.now();
            const r = await a.ask('chat:send-message',
                { roomId, content: '2', clientMessageId: '2' }, 20000 * SLOW);
            assert.equal(r.code, 'UNAVAILABLE', JSON.stringify(r));
            assert.ok(Date.now() - start < 6000 * SLOW, `${Date.now() - start} ms`);

            // what needs no store goes on
            s.emit('chat:typing', { roomId, isTyping: true });
            await a.next('chat:user-typing', undefined, 1000 * SLOW);

            await until('the heartbeats have noticed', () =>
                /no primary answers/.test(server.logText()), 10000 * SLOW);
            await until('calls fail at once', async () => {
                const before = Date.now();
                const answer = await api(server, anna).get('/chat/rooms');
                assert.equal(answer.status, 503, answer.text);
                assert.ok(Number(answer.headers['retry-after']) >= 1, 'Retry-After');
                return Date.now() - before < 500;
            }, 10000 * SLOW);
        } finally {
            mongod.signal('SIGCONT');
        }

        await sendInTheEnd(a, roomId, '2');
        await sendInTheEnd(s, roomId, '3');
        await check(chat, ['1', '2', '3']);
    });

    it('killed while everybody talks: what was acknowledged is there, in order, once', LONG, async () => {
        const chat = await pair();
        const { roomId, a, s } = chat;
        let go = true;
        const said = [];
        const talking = [a, s].map(async (client, who) => {
            for (let i = 0; go; i += 1) {
                await sendInTheEnd(client, roomId, `${who}-${i}`);
                said.push(`${who}-${i}`);
                await sleep(20);
            }
        });
        await sleep(300);
        await mongod.kill();
        await sleep(1500);
        await mongod.run();
        await sleep(3000);
        go = false;
        await Promise.all(talking);

        const messages = await history(chat.anna, roomId);
        const stored = messages.map((m) => m.content);
        assert.ok(said.length > 10, `${said.length} messages`);
        assert.deepEqual(stored.slice().sort(), said.slice().sort());
        for (const who of [0, 1]) {
            const own = stored.filter((c) => c.startsWith(`${who}-`));
            assert.deepEqual(own, own.map((_, i) => `${who}-${i}`));
        }
        assert.deepEqual(messages.map((m) => m.seq), stored.map((_, i) => i + 1));
        assert.deepEqual([a, s].flatMap((c) => c.all('$disconnect')), []);
        [a, s].forEach((c) => c.close());
    });

    it('is away when nginx starts: it starts, and works when the database comes', LONG, async () => {
        await mongod.kill();
        const late = await new Server({ workers: 1, store: `${mongod.uri}late?replicaSet=rs` }).start();
        try {
            const anna = customer();
            const answer = await api(late, anna).post('/chat/rooms/create', { businessId: 'b' });
            assert.equal(answer.status, 503, answer.text);
            await mongod.run();
            await until('it works', async () => (await api(late, anna)
                .post('/chat/rooms/create', { businessId: anna.business })).status === 201, 20000 * SLOW);
        } finally {
            if (!mongod.child || mongod.child.exitCode !== null || mongod.child.signalCode) {
                await mongod.run();
            }
            await late.stop();
        }
    });
});

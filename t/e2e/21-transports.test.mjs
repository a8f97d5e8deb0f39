// Polling, WebSocket and the upgrade between them against several workers without sticky sessions:
// every polling request comes on a connection of its own, so it lands on any worker.

import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { Poll, Ws } from './lib/eio.mjs';
import { createRoom } from './lib/http.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const LONG = { timeout: 120000 * SLOW };

describe('transports over 4 workers', () => {
    const server = useServer({ workers: 4, realtime: 'realtime_rate off;' });

    for (const [name, options] of [
        ['polling, every request on a new connection', { ...POLLING, agent: false }],
        ['polling, kept connections', { ...POLLING, keep: true }],
        ['websocket', WEBSOCKET],
        ['polling, then the upgrade', DEFAULT],
    ]) {
        it(`40 messages there and back: ${name}`, LONG, async () => {
            const { keep, ...io } = options;
            const agent = keep ? new http.Agent({ keepAlive: true }) : false;
            server.onClose(() => agent && agent.destroy());
            const anna = customer();
            const a = await connect(server, anna, { ...io, agent });
            const s = await connect(server, staff(), { ...io, agent });
            const { roomId } = await a.ask('chat:join-room', { businessId: 'biz-a', userName: 'A' });
            await s.ask('chat:join-room', { roomId });
            for (let i = 0; i < 20; i += 1) {
                for (const [from, to] of [[a, s], [s, a]]) {
                    const content = `message ${i} of ${from.who.id}`;
                    const sent = await from.ask('chat:send-message', { roomId, content });
                    assert.equal(sent.success, true, JSON.stringify(sent));
                    const heard = await to.next('chat:new-message', (m) => m.content === content);
                    assert.equal(heard.seq, sent.seq);
                }
            }
            assert.equal(a.transport, io.transports.at(-1));
            for (const chat of [a, s]) {
                const seqs = chat.all('chat:new-message').map((m) => m.seq);
                assert.deepEqual(seqs, seqs.slice().sort((x, y) => x - y));
                assert.equal(new Set(seqs).size, seqs.length);
                assert.deepEqual(chat.all('$disconnect'), []);
                chat.close();
            }
        });
    }

    it('200 polling sessions at once, each heard by all of its room', LONG, async () => {
        const rooms = 20;
        const each = 10;
        const people = Array.from({ length: rooms }, () => customer());
        const roomIds = await Promise.all(people.map((p) => createRoom(server, p)));
        const chats = await Promise.all(people.flatMap((p, r) =>
            Array.from({ length: each }, async (_, i) => {
                const chat = await connect(server, i === 0 ? p : staff(), { ...POLLING, agent: false });
                const joined = await chat.ask('chat:join-room', { roomId: roomIds[r] });
                assert.equal(joined.success, true, JSON.stringify(joined));
                chat.room = r;
                return chat;
            })));
        await Promise.all(chats.map(async (chat, i) => {
            const sent = await chat.ask('chat:send-message',
                { roomId: roomIds[chat.room], content: `from ${i}` }, 30000 * SLOW);
            assert.equal(sent.success, true, JSON.stringify(sent));
        }));
        await until('all messages', () => chats.every((c) =>
            c.all('chat:new-message').filter((m) => m.senderType !== 'system').length >= each),
        30000 * SLOW);
        for (const chat of chats) {
            const heard = chat.all('chat:new-message').filter((m) => /^from /.test(m.content));
            assert.equal(heard.length, each);
            assert.ok(heard.every((m) => m.roomId === roomIds[chat.room]));
            const seqs = heard.map((m) => m.seq);
            assert.deepEqual(seqs, seqs.slice().sort((x, y) => x - y));
            assert.deepEqual(chat.all('$disconnect'), []);
        }
        chats.forEach((c) => c.close());
    });

    it('upgrades 100 sessions at once, none loses what it is sent meanwhile', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const writer = await connect(server, anna, WEBSOCKET);
        await writer.ask('chat:join-room', { roomId });
        let go = true;
        let last = 0;
        const writing = (async () => {
            while (go) {
                const sent = await writer.ask('chat:send-message', { roomId, content: 'x' });
                assert.equal(sent.success, true, JSON.stringify(sent));
                last = sent.seq;
                await sleep(20);
            }
        })();
        const readers = await Promise.all(Array.from({ length: 100 }, async () => {
            const chat = await connect(server, staff(), { ...DEFAULT, agent: false });
            chat.joined = await chat.ask('chat:join-room', { roomId }, 30000 * SLOW);
            assert.equal(chat.joined.success, true, JSON.stringify(chat.joined));
            return chat;
        }));
        await until('every upgrade', () => readers.every((c) => c.transport === 'websocket'),
            20000 * SLOW);
        await sleep(300);
        go = false;
        await writing;
        await until('the last message everywhere', () => readers.every((c) =>
            c.all('chat:new-message').some((m) => m.seq === last)), 10000 * SLOW);
        for (const chat of readers) {
            const seqs = chat.all('chat:new-message').map((m) => m.seq);
            const wanted = Array.from({ length: last - chat.joined.lastSeq },
                (_, i) => chat.joined.lastSeq + 1 + i);
            assert.deepEqual(seqs, wanted);
        }
        readers.forEach((c) => c.close());
        writer.close();
    });

    it('answers a polling session whichever worker is asked, with 30 requests in flight', LONG,
        async () => {
            const base = `${server.url}/socket.io/`;
            const sessions = await Promise.all(Array.from({ length: 30 }, async () => {
                const who = staff();
                const p = await new Poll(base).open();
                await p.post(`40/realtime,${JSON.stringify({ token: who.token })}`);
                await p.until((m) => m.startsWith('42/realtime,["connected"'));
                return p;
            }));
            await Promise.all(sessions.map(async (p) => {
                for (let i = 0; i < 5; i += 1) {
                    await p.post(`42/realtime,${i}["chat:join-room",{"roomId":"${'0'.repeat(24)}"}]`);
                    const ack = await p.until((m) => m.startsWith(`43/realtime,${i}[`));
                    assert.match(ack, /"code":"NOT_FOUND"/);
                }
            }));
        });

    it('ends a session wherever its requests collide', LONG, async () => {
        for (let round = 0; round < 10; round += 1) {
            const p = await new Poll(`${server.url}/socket.io/`).open();
            const first = p.get();
            await sleep(50);
            const second = await p.get();
            assert.equal(second.status, 400, second.text);
            const released = await first;
            assert.equal(released.status, 200);
            assert.equal(released.text, '1');
            assert.equal((await p.get()).json?.code, 1);
        }
    });

    it('says code 3 for an upgraded session on every worker', LONG, async () => {
        const p = await new Poll(`${server.url}/socket.io/`).open();
        const ws = new Ws(server, `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${p.sid}`);
        await ws.opened;
        ws.send('2probe');
        assert.equal(await ws.next(), '3probe');
        ws.send('5');
        ws.send(`40/realtime,${JSON.stringify({ token: staff().token })}`);
        assert.match(await ws.next(), /^40\/realtime,/);
        for (let i = 0; i < 12; i += 1) {
            const r = await p.get();
            assert.equal(r.status, 400, r.text);
            assert.equal(r.json.code, 3, r.text);
        }
    });
});

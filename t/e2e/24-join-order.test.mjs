// The promise of joining: the history ends at lastSeq, everything above it comes as an event, once,
// in order, while others write at full speed.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { api, createRoom } from './lib/http.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

describe('joining while others write', () => {
    const server = useServer({ workers: 4, realtime: 'realtime_rate off;' });

    for (const [name, transport] of Object.entries({ WEBSOCKET, POLLING, DEFAULT })) {
        it(`every member sees each message once, in order: ${name.toLowerCase()}`,
            { timeout: 90000 * SLOW }, async () => {
                const anna = customer();
                const roomId = await createRoom(server, anna);
                let go = true;
                const stored = new Set();
                const writers = await Promise.all([anna, staff(), staff()].map((p) => connect(server, p)));
                const writing = [
                    ...writers.map(async (w, n) => {
                        for (let i = 0; go; i += 1) {
                            const r = await w.ask('chat:send-message', { roomId, content: `w${n} ${i}` });
                            assert.equal(r.success, true, JSON.stringify(r));
                            stored.add(r.seq);
                        }
                    }),
                    (async () => {
                        for (let i = 0; go; i += 1) {
                            const r = await api(server, anna).post(`/chat/rooms/${roomId}/messages`,
                                { content: `rest ${i}` });
                            assert.equal(r.status, 201, r.text);
                            stored.add(r.json.seq);
                            await sleep(5);
                        }
                    })(),
                ];
                const readers = [];
                for (let round = 0; round < 8; round += 1) {
                    readers.push(...await Promise.all(Array.from({ length: 4 }, async () => {
                        const chat = await connect(server, staff(), transport);
                        chat.joined = await chat.ask('chat:join-room', { roomId }, 30000 * SLOW);
                        assert.equal(chat.joined.success, true, JSON.stringify(chat.joined));
                        return chat;
                    })));
                    await sleep(50);
                }
                // some leave and come back: nothing may be doubled by that
                await Promise.all(readers.slice(0, 8).map(async (chat) => {
                    await chat.ask('chat:leave-room', { roomId });
                    chat.before = chat.all('chat:new-message').length;
                    chat.joined = await chat.ask('chat:join-room', { roomId });
                }));
                await sleep(300);
                go = false;
                await Promise.all(writing);
                const last = Math.max(...stored);
                assert.equal(stored.size, last, 'no holes, no doubles in what was acknowledged');

                await until('the last message everywhere', () => readers.every((c) =>
                    c.all('chat:new-message').some((m) => m.seq === last)), 15000 * SLOW);
                await sleep(200);
                for (const chat of readers) {
                    const { joined } = chat;
                    if (joined.messages.length) {
                        assert.equal(joined.messages.at(-1).seq, joined.lastSeq);
                    }
                    const history = joined.messages.map((m) => m.seq);
                    assert.deepEqual(history, Array.from({ length: history.length },
                        (_, i) => joined.lastSeq - history.length + 1 + i));
                    const live = chat.all('chat:new-message').map((m) => m.seq).slice(chat.before ?? 0);
                    assert.deepEqual(live, Array.from({ length: last - joined.lastSeq },
                        (_, i) => joined.lastSeq + 1 + i));
                }
                [...readers, ...writers].forEach((c) => c.close());
            });
    }
});

describe('the first to join a room, at the same time, while others write', () => {
    const server = useServer({ workers: 1, realtime: 'realtime_rate off;' });

    it('what one of them finds in the history, the other still gets', { timeout: 90000 * SLOW }, async () => {
        const readers = await Promise.all(Array.from({ length: 6 }, () => connect(server, staff(), WEBSOCKET)));
        for (let round = 0; round < 60; round += 1) {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const client = api(server, anna);
            let stored = 0;
            const writing = Array.from({ length: 4 }, async () => {
                for (let i = 0; i < 4; i += 1) {
                    assert.equal((await client.post(`/chat/rooms/${roomId}/messages`,
                        { content: 'x' })).status, 201);
                    stored += 1;
                }
            });
            const joins = await Promise.all(readers.map(async (c, i) => {
                await sleep(i % 3);
                return c.ask('chat:join-room', { roomId });
            }));
            await Promise.all(writing);
            const of = (c) => c.all('chat:new-message').filter((m) => m.roomId === roomId).map((m) => m.seq);
            await until('the last message everywhere', () => readers.every((c, i) =>
                joins[i].lastSeq === stored || of(c).includes(stored)));
            readers.forEach((c, i) => assert.deepEqual(of(c), Array.from(
                { length: stored - joins[i].lastSeq }, (_, n) => joins[i].lastSeq + 1 + n),
                `round ${round}, reader ${i}`));
            await Promise.all(readers.map((c) => c.ask('chat:leave-room', { roomId })));
        }
        readers.forEach((c) => c.close());
    });
});

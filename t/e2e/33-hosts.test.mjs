// Two nginx as two hosts of one cluster, behind an nginx that deals requests out in turn.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { useCluster } from './lib/cluster.mjs';
import { Poll } from './lib/eio.mjs';
import { api, createRoom, request } from './lib/http.mjs';
import { sleep, SLOW, until } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

for (const workers of [1, 2]) {
    describe(`two hosts of ${workers} workers`, () => {
        const cluster = useCluster({ workers });

        it('members on different hosts hear each other, each message once and in order', async () => {
            const [first, second] = cluster.hosts;
            const zoe = customer();
            const roomId = await createRoom(cluster, zoe);
            const a = await connect(first, zoe, WEBSOCKET);
            const b = await connect(second, staff(), WEBSOCKET);
            for (const c of [a, b]) {
                assert.equal((await c.ask('chat:join-room', { roomId })).success, true);
            }
            for (let i = 1; i <= 40; i += 1) {
                const r = await [a, b][i % 2].ask('chat:send-message', { roomId, content: `m${i}` });
                assert.equal(r.seq, i, JSON.stringify(r));
            }
            for (const c of [a, b]) {
                await until('all 40', () => c.all('chat:new-message').length >= 40);
                await sleep(100);
                assert.deepEqual(c.all('chat:new-message').map((m) => m.seq),
                    Array.from({ length: 40 }, (_, i) => i + 1));
            }
            a.close();
            b.close();
        });

        it('typing, joined, left and read cross, once per person', async () => {
            const [first, second] = cluster.hosts;
            const zoe = customer();
            const sam = staff();
            const roomId = await createRoom(cluster, zoe);
            const a = await connect(first, zoe);
            await a.ask('chat:join-room', { roomId });
            const b = await connect(second, sam);
            await b.ask('chat:join-room', { roomId });
            assert.equal((await a.next('chat:user-joined')).userId, sam.id);
            const b2 = await connect(first, sam);     // another device of the same person
            await b2.ask('chat:join-room', { roomId });
            b.emit('chat:typing', { roomId, isTyping: true });
            assert.equal((await a.next('chat:user-typing')).isTyping, true);
            const sent = await a.ask('chat:send-message', { roomId, content: 'hello' });
            await b.next('chat:new-message');
            await b.ask('chat:read-messages', { roomId });
            assert.deepEqual((await a.next('chat:messages-read')).messageIds, [sent.messageId]);
            b.close();
            await sleep(400);
            assert.equal(a.all('chat:user-left').length, 0, 'the other device is still there');
            b2.close();
            assert.equal((await a.next('chat:user-left')).userId, sam.id);
            await sleep(200);
            assert.equal(a.all('chat:user-joined').length, 1);
            assert.equal(b.all('chat:user-typing').length, 0, 'not to the person who types');
            a.close();
        });

        it('a message by REST on one host reaches members on the other', async () => {
            const [first, second] = cluster.hosts;
            const zoe = customer();
            const roomId = await createRoom(first, zoe);
            const b = await connect(second, staff());
            await b.ask('chat:join-room', { roomId });
            const r = await api(first, zoe).post(`/chat/rooms/${roomId}/messages`, { content: 'by REST' });
            assert.equal(r.status, 201, r.text);
            assert.equal((await b.next('chat:new-message')).content, 'by REST');
            assert.equal((await b.next('chat:room-updated', (u) => u.roomId === roomId)).roomId, roomId);
            b.close();
        });

        for (const [name, options] of [['polling', POLLING], ['upgrade', DEFAULT], ['websocket', WEBSOCKET]]) {
            it(`${name} clients need no affinity`, { timeout: 60000 * SLOW }, async () => {
                const people = [];
                const zoe = customer();
                const roomId = await createRoom(cluster, zoe);
                for (let i = 0; i < 12; i += 1) {
                    const c = await connect(cluster, i ? staff() : zoe, options);
                    assert.equal((await c.ask('chat:join-room', { roomId })).success, true);
                    people.push(c);
                }
                if (name === 'upgrade') {
                    await until('all have upgraded', () => people.every((p) => p.transport === 'websocket'));
                }
                for (let i = 0; i < 24; i += 1) {
                    const r = await people[i % 12].ask('chat:send-message', { roomId, content: `m${i}` });
                    assert.equal(r.success, true, JSON.stringify(r));
                }
                for (const p of people) {
                    await until('24 messages', () => p.all('chat:new-message').length >= 24, 10000 * SLOW);
                    assert.deepEqual(p.all('chat:new-message').map((m) => m.seq),
                        Array.from({ length: 24 }, (_, i) => i + 1));
                    assert.deepEqual(p.all('$disconnect'), []);
                    p.close();
                }
            });
        }
    });
}

describe('a host dies that carried a GET', () => {
    const cluster = useCluster({ workers: 1, allowLog: [/exited on signal 9/] });

    // A session of the first host, in a room, whose next GET goes over the second one.
    async function open()
    {
        const [first, second] = cluster.hosts;
        const zoe = customer();
        const sam = await connect(first, staff());
        const roomId = await createRoom(first, zoe);
        const poll = await new Poll(`${first.url}/socket.io/`).open();
        await poll.post([`40/realtime,${JSON.stringify({ token: zoe.token })}`]);
        await poll.until((p) => p.includes('"connected"'));
        await poll.post([`42/realtime,1${JSON.stringify(['chat:join-room', { roomId }])}`]);
        await poll.until((p) => p.includes('"lastSeq"'));
        const over = (host, t) => request(poll.address(`&t=${t}`).replace(first.url, host.url));
        return { first, second, sam, roomId, over, poll };
    }

    async function respawned(host, old)
    {
        await until('a new worker', () => {
            const now = host.workers();
            return now.length === 1 && now[0] !== old;
        });
    }

    it('while it is held: the proxy that asks again is answered', async () => {
        const { first, second, sam, roomId, over } = await open();
        const lost = over(second, 'a1').catch((e) => e.message);
        await sleep(300);
        const pid = second.workers()[0];
        second.signal('SIGKILL', pid);
        assert.match(String(await lost), /hang up|ECONNRESET/);
        const again = over(first, 'a1');
        await sleep(200);
        const r = await sam.ask('chat:send-message', { roomId, content: 'after' });
        assert.equal(r.success, true);
        const got = await again;
        assert.equal(got.status, 200, got.text);
        assert.match(got.text, /"content":"after"/);
        sam.close();
        await respawned(second, pid);
    });

    it('with the answer: it is given again, once', async () => {
        const { first, second, sam, roomId, over } = await open();
        const pid = second.workers()[0];
        const lost = over(second, 'b1').catch((e) => e.message);
        await sleep(300);
        second.signal('SIGSTOP', pid);      // takes the answer, and gives it to nobody
        await sam.ask('chat:send-message', { roomId, content: 'lost with it' });
        await sleep(300);
        second.signal('SIGKILL', pid);
        assert.match(String(await lost), /hang up|ECONNRESET/);
        const again = await over(first, 'b1');
        assert.equal(again.status, 200, again.text);
        assert.match(again.text, /"content":"lost with it"/);
        const next = over(first, 'b2');
        await sleep(200);
        await sam.ask('chat:send-message', { roomId, content: 'next' });
        const got = await next;
        assert.match(got.text, /"content":"next"/);
        assert.doesNotMatch(got.text, /lost with it/);
        sam.close();
        await respawned(second, pid);
    });

    it('and what it had sent comes late: that takes nothing away from the client', async () => {
        const { first, second, sam, roomId, over } = await open();
        const say = (content) => sam.ask('chat:send-message', { roomId, content });
        await say('one');
        assert.match((await over(first, 'c1')).text, /"content":"one"/);
        await say('two');
        assert.doesNotMatch((await over(second, 'c1')).text, /"content":"two"/, 'late');
        assert.match((await over(first, 'c2')).text, /"content":"two"/);
        await say('three');
        assert.doesNotMatch((await over(second, 'c1')).text, /"content":"three"/, 'later still');
        assert.match((await over(second, 'c3')).text, /"content":"three"/);
        sam.close();
    });

    it('and what it had sent comes late, while the repetition is held: both are answered', async () => {
        const { first, second, sam, roomId, over } = await open();
        const repetition = over(first, 'd1');
        await sleep(200);
        const late = over(second, 'd1');
        await sleep(200);
        await sam.ask('chat:send-message', { roomId, content: 'one' });
        assert.match((await repetition).text, /"content":"one"/);
        assert.match((await late).text, /"content":"one"/);
        await sam.ask('chat:send-message', { roomId, content: 'two' });
        const next = await over(second, 'd2');
        assert.match(next.text, /"content":"two"/);
        assert.doesNotMatch(next.text, /"content":"one"/);
        sam.close();
    });

    it('a script whose requests all carry the same t hears everything', async () => {
        const { first, sam, roomId } = await open();
        const poll = await new Poll(`${first.url}/socket.io/`, '&t=same').open();
        await poll.post([`40/realtime,${JSON.stringify({ token: staff().token })}`]);
        await poll.until((p) => p.includes('"connected"'));
        await poll.post([`42/realtime,1${JSON.stringify(['chat:join-room', { roomId }])}`]);
        await poll.until((p) => p.includes('"lastSeq"'));
        for (let i = 1; i <= 10; i += 1) {
            await sam.ask('chat:send-message', { roomId, content: `same ${i}` });
            await poll.until((p) => p.includes(`"content":"same ${i}"`));
        }
        assert.equal(poll.seen.filter((p) => p.includes('"content":"same')).length, 0, 'each once');
        sam.close();
    });
});

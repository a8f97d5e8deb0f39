// One cluster of a Node server (socket.io with @socket.io/redis-adapter) and two nginx, while a team
// moves from the one to the other: emits, rooms and questions cross both ways, each once.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { createRequire } from 'node:module';
import { Emitter } from '@socket.io/redis-emitter';
import { Redis as Client } from 'ioredis';
import { io } from 'socket.io-client';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { useCluster } from './lib/cluster.mjs';
import { Ws } from './lib/eio.mjs';
import { EVENTS } from './lib/events.mjs';
import { api, createRoom, request } from './lib/http.mjs';
import { NodeServer } from './lib/nodeserver.mjs';
import { sleep, SLOW, until } from './lib/nginx.mjs';
import { customer, person, staff } from './lib/token.mjs';

const msgpack = createRequire(createRequire(import.meta.url)
    .resolve('@socket.io/redis-adapter'))('notepack.io');
const LONG = { timeout: 60000 * SLOW };
const NAMESPACE = '/realtime';
let serial = 0;
const business = () => `biz-${process.pid}-${serial += 1}`;

// A plain WebSocket client, with what arrived.
async function plain(server, who)
{
    const ws = new Ws(server,
        `${server.url.replace('http', 'ws')}/realtime?token=${encodeURIComponent(who.token)}`);
    await ws.opened;
    ws.frames = [];
    const read = async () => {
        for (;;) {
            ws.frames.push(JSON.parse(await ws.next(600000)));
        }
    };
    read().catch(() => {});
    await until('plain client is connected', () => ws.frames.length > 0);
    ws.all = (event) => ws.frames.filter((f) => f.event === event).map((f) => f.data);
    return ws;
}

// A Node server beside the cluster, and an emitter.
function useNode(cluster, options = {})
{
    const node = {};
    before(async () => {
        node.server = await new NodeServer(cluster.redis, options).start();
        cluster.onClose(() => node.server.stop());      // while there is a Redis
        cluster.onClose(() => node.client.disconnect());
        node.nsp = node.server.nsp;
        node.client = new Client(cluster.redis.port, '127.0.0.1', { retryStrategy: () => 100 });
        node.client.on('error', () => {});
        node.emitter = new Emitter(node.client, options).of(NAMESPACE);
        const workers = cluster.hosts.reduce((n, h) => n + h.options.workers, 0);
        node.count = workers + 1;
        await until('all are in the cluster', async () =>
            await node.nsp.adapter.serverCount() === node.count, 10000 * SLOW);
    }, { timeout: 60000 });
    return node;
}

// Everybody has heard the event so often, and hears it no more.
async function heard(clients, event, times = 1)
{
    await until(`${event} ${times} times`, () => clients.every((c) => c.all(event).length >= times),
        10000 * SLOW);
    await sleep(150);
    for (const c of clients) {
        assert.equal(c.all(event).length, times, `${event} to ${c.who?.id}`);
    }
}

describe('Node and two nginx of two workers', () => {
    const cluster = useCluster({ workers: 2, redisMore: 'adapter=socket.io' });
    const node = useNode(cluster);
    const hosts = () => cluster.hosts;

    // Zoe's room with her and staff of its business in it, on both hosts and by all transports; one
    // more of the business who is in no room; and a client of the Node server in it.
    async function scene()
    {
        const b = business();
        const zoe = customer({ business: b });
        const roomId = await createRoom(hosts()[0], zoe);
        const inside = [
            await connect(hosts()[0], zoe, WEBSOCKET),
            await connect(hosts()[1], zoe, POLLING),
            await connect(hosts()[0], staff({ business: b }), DEFAULT),
            await connect(hosts()[1], staff({ business: b }), WEBSOCKET),
        ];
        for (const c of inside) {
            assert.equal((await c.ask('chat:join-room', { roomId })).success, true);
        }
        await until('it has upgraded', () => inside[2].transport === 'websocket', 10000 * SLOW);
        const outside = await connect(hosts()[1], staff({ business: b }));
        const alien = await connect(hosts()[0], staff());
        return { b, zoe, roomId, inside, outside, alien };
    }

    // A request as older adapters make it, and its answers.
    async function question(request, count)
    {
        const answers = [];
        const listener = node.client.duplicate();
        await listener.subscribe(`socket.io-response#${NAMESPACE}#`);
        listener.on('message', (_, text) => answers.push(JSON.parse(text)));
        await node.client.publish(`socket.io-request#${NAMESPACE}#`, JSON.stringify(request));
        await until(`${count} answers`, () => answers.length >= count, 10000 * SLOW);
        await sleep(100);
        listener.disconnect();
        assert.deepEqual(answers.map((a) => a.requestId), Array(count).fill(request.requestId));
        return answers;
    }

    it('what Node emits to a room reaches those in it, once', LONG, async () => {
        const { roomId, inside, outside, alien } = await scene();
        const there = await node.server.connect([`room:${roomId}`]);
        node.nsp.to(`room:${roomId}`).emit('order:moved', { id: 7, name: 'Zoë', price: 0.1 });
        node.nsp.to(roomId).emit('bare', 1);
        node.emitter.to(`room:${roomId}`).emit('emitted', [true, null]);
        await heard(inside, 'order:moved');
        await heard(inside, 'bare');
        await heard([...inside, there], 'emitted');
        for (const c of inside) {
            assert.deepEqual(c.all('order:moved')[0], { id: 7, name: 'Zoë', price: 0.1 });
            assert.deepEqual(c.all('emitted')[0], [true, null]);
        }
        assert.equal(there.all('order:moved').length, 1, 'it does not come back to Node');
        for (const c of [outside, alien]) {
            assert.equal(c.all('order:moved').length + c.all('bare').length, 0);
        }
    });

    it('to people, businesses, sockets, several rooms, all, and all but some', LONG, async () => {
        const { b, zoe, roomId, inside, outside, alien } = await scene();
        const [zoe1, zoe2, staff1, staff2] = inside;
        node.nsp.to(`user:${zoe.id}`).emit('to-user');
        node.nsp.to(`business:${b}`).emit('to-business', 'x');
        node.nsp.to(staff1.welcome.clientId).emit('to-socket');
        node.nsp.to([roomId, `business:${b}`, `user:${zoe.id}`]).emit('to-many');
        node.nsp.emit('to-all');
        node.nsp.except(`room:${roomId}`).except(outside.welcome.clientId).emit('to-others');
        node.nsp.to(`room:${roomId}`).except(`user:${zoe.id}`).emit('to-staff');
        await heard([zoe1, zoe2], 'to-user');
        await heard([staff1, staff2, outside], 'to-business');
        await heard([staff1], 'to-socket');
        await heard([...inside, outside], 'to-many');
        await heard([...inside, outside, alien], 'to-all');
        await heard([alien], 'to-others');
        await heard([staff1, staff2], 'to-staff');
        const none = (clients, event) => clients.forEach((c) =>
            assert.equal(c.all(event).length, 0, `${event} to ${c.who.id}`));
        none([staff1, staff2, outside, alien], 'to-user');
        none([zoe1, zoe2, alien], 'to-business');
        none([zoe1, zoe2, staff2, outside, alien], 'to-socket');
        none([alien], 'to-many');
        none([...inside, outside], 'to-others');
        none([zoe1, zoe2, outside], 'to-staff');
    });

    it('several arguments, none, binary ones, dates and flags; plain clients too', LONG, async () => {
        const { zoe, roomId, inside } = await scene();
        const frames = await plain(hosts()[1], zoe);
        const bytes = Buffer.from([0, 1, 255]);
        const to = node.nsp.to([`room:${roomId}`, `user:${zoe.id}`]);
        to.emit('several', 'a', { b: 2 }, 3);
        to.emit('nothing');
        to.emit('file', { name: 'x', bytes }, bytes);
        to.emit('when', new Date(1700000000123));
        to.volatile.emit('volatile', 1);
        to.compress(false).emit('uncompressed', 1);
        to.local.emit('local', 1);
        for (const event of ['several', 'nothing', 'file', 'when', 'volatile', 'uncompressed']) {
            await heard([...inside, frames], event);
        }
        for (const c of inside) {
            const args = (event) => c.events.find((e) => e.event === event).args;
            assert.deepEqual(args('several'), ['a', { b: 2 }, 3]);
            assert.deepEqual(args('nothing'), []);
            const [one, two] = args('file');
            assert.equal(one.name, 'x');
            assert.ok(bytes.equals(Buffer.from(one.bytes)) && bytes.equals(Buffer.from(two)));
            assert.deepEqual(args('when'), ['2023-11-14T22:13:20.123Z']);
            assert.equal(c.all('local').length, 0);
        }
        assert.deepEqual(frames.all('several'), [['a', { b: 2 }, 3]]);
        assert.deepEqual(frames.all('nothing'), [null]);
        assert.deepEqual(frames.all('file'), [[{ name: 'x', bytes: 'AAH/' }, 'AAH/']]);
    });

    it('our messages, typing, reading and room lists reach Node\'s clients, once', LONG, async () => {
        const { b, zoe, roomId, inside } = await scene();
        const [zoe1, , , staff2] = inside;
        const there = await node.server.connect([`room:${roomId}`, roomId]);
        const bare = await node.server.connect([roomId]);
        const dashboard = await node.server.connect([`business:${b}`]);
        const herself = await node.server.connect([`room:${roomId}`, `user:${zoe.id}`]);
        const stranger = await node.server.connect(['room:other']);
        const sent = [];
        for (let i = 1; i <= 20; i += 1) {
            const r = await [zoe1, staff2][i % 2].ask('chat:send-message', { roomId, content: `m${i} ü` });
            assert.equal(r.success, true, JSON.stringify(r));
            sent.push(r.message);
        }
        await heard([there, bare, herself], 'chat:new-message', 20);
        await heard([dashboard], 'chat:room-updated', 20);
        await heard(inside, 'chat:new-message', 20);
        for (const c of [there, bare]) {
            const bySeq = c.all('chat:new-message').sort((x, y) => x.seq - y.seq);
            assert.deepEqual(bySeq.map((m) => m.seq), sent.map((m) => m.seq));
            assert.deepEqual(bySeq.map((m) => m._id), inside[3].all('chat:new-message').map((m) => m._id));
            assert.equal(bySeq[4].content, 'm5 ü');
        }
        zoe1.emit('chat:typing', { roomId, isTyping: true });
        await heard([there, bare, staff2], 'chat:user-typing');
        assert.equal(herself.all('chat:user-typing').length, 0, 'not to the person who types');
        await staff2.ask('chat:read-messages', { roomId });
        await heard([there, bare, zoe1], 'chat:messages-read');
        assert.equal(stranger.all('chat:new-message').length, 0);
        assert.equal(dashboard.all('chat:new-message').length, 0);
    });

    it('notifications reach Node\'s clients, once, also when they are raised again', LONG, async () => {
        const b = business();
        const dashboard = await node.server.connect([`business:${b}`]);
        const ours = await connect(hosts()[1], staff({ business: b }));
        const service = person('SERVICE', { business: null });
        const { event, payload } = EVENTS.find((e) => e.event === 'booking.created');
        const raise = async (host) => {
            const r = await api(host, service).post('/events', { event, businessId: b, ...payload },
                { headers: { 'Idempotency-Key': `key-${b}` } });
            assert.ok(r.status === 201 || r.status === 200, r.text);
        };
        await raise(hosts()[0]);
        await heard([dashboard, ours], 'notification:new');
        await raise(hosts()[1]);
        await heard([dashboard, ours], 'notification:new');
        await heard([dashboard, ours], event);
        assert.deepEqual(dashboard.all(event)[0], ours.all(event)[0]);
    });

    it('a foreign chat:new-message with a seq leaves our order alone', LONG, async () => {
        const { roomId, inside } = await scene();
        const [zoe1, , , staff2] = inside;
        await zoe1.ask('chat:send-message', { roomId, content: 'one' });
        await heard(inside, 'chat:new-message');
        for (const seq of [2, 3, 900, 1]) {
            node.nsp.to(`room:${roomId}`).emit('chat:new-message', { roomId, seq, content: `node ${seq}` });
        }
        await heard(inside, 'chat:new-message', 5);
        assert.equal((await staff2.ask('chat:send-message', { roomId, content: 'two' })).seq, 2);
        assert.equal((await zoe1.ask('chat:send-message', { roomId, content: 'three' })).seq, 3);
        await heard(inside, 'chat:new-message', 7);
        for (const c of inside) {
            assert.deepEqual(c.all('chat:new-message').map((m) => m.content).slice(0, 1), ['one']);
            assert.deepEqual(c.all('chat:new-message').map((m) => m.content).slice(5), ['two', 'three']);
            assert.deepEqual(c.all('chat:new-message').map((m) => m.content).slice(1, 5),
                ['node 2', 'node 3', 'node 900', 'node 1']);
        }
    });

    it('clients that come while Node emits hear each thing once', LONG, async () => {
        const b = business();
        const stop = { now: false };
        let sent = 0;
        const flood = (async () => {
            while (!stop.now) {
                node.nsp.to(`business:${b}`).emit('tick', sent += 1);
                node.nsp.to(`business:${b}`).emit('tick', sent += 1);
                await sleep(1);
            }
        })();
        const clients = [];
        for (let i = 0; i < 30; i += 1) {       // half of them move to another host, too
            clients.push(await connect([...hosts(), cluster, cluster][i % 4], staff({ business: b }),
                DEFAULT));
        }
        await until('all have upgraded', () => clients.every((c) => c.transport === 'websocket'), 10000 * SLOW);
        await sleep(200);
        stop.now = true;
        await flood;
        await until('the last tick', () => clients.every((c) => c.all('tick').at(-1) === sent), 10000 * SLOW);
        for (const c of clients) {
            const ticks = c.all('tick');
            assert.deepEqual(ticks, Array.from({ length: ticks.length }, (_, i) => ticks[0] + i), c.who.id);
        }
    });

    it('fetchSockets, sockets and allRooms know our clients', LONG, async () => {
        const { b, zoe, roomId, inside, outside } = await scene();
        const local = await node.server.connect([`room:${roomId}`]);
        const ids = (list) => list.map((s) => s.id ?? s).sort();
        const expected = (clients) => clients.map((c) => c.welcome?.clientId ?? c.socket.id).sort();
        local.welcome = { clientId: local.socket.id };
        const found = await node.nsp.in(`room:${roomId}`).fetchSockets();
        assert.deepEqual(ids(found), expected([...inside, local]));
        const hers = found.find((s) => s.id === inside[0].welcome.clientId);
        assert.deepEqual([...hers.rooms].sort(), [hers.id, `room:${roomId}`, `user:${zoe.id}`].sort());
        assert.deepEqual(hers.data, { server: 'nginx', userId: zoe.id, businessId: b, role: 'CUSTOMER',
            userName: zoe.name });
        assert.equal(JSON.stringify(hers.handshake).includes('eyJ'), false, 'no token');
        assert.ok(Math.abs(hers.handshake.issued - Date.now()) < 60000 * SLOW);
        assert.deepEqual(ids(await node.nsp.in(`business:${b}`).fetchSockets()),
            expected([inside[2], inside[3], outside]));
        assert.deepEqual(ids(await node.nsp.in(roomId).except(`user:${zoe.id}`).fetchSockets()),
            expected([inside[2], inside[3]]));
        assert.deepEqual(await node.nsp.in('nobody-is-here').fetchSockets(), []);
        assert.ok((await node.nsp.fetchSockets()).length >= 6);
        assert.deepEqual((await question({ type: 0, requestId: 'q1', rooms: [`room:${roomId}`] }, 5))
            .flatMap((r) => r.sockets).sort(), expected([...inside, local]));
        const rooms = await node.nsp.adapter.allRooms();
        for (const room of [`room:${roomId}`, `business:${b}`, `user:${zoe.id}`, local.socket.id,
            outside.welcome.clientId]) {
            assert.ok(rooms.has(room), room);
        }

        // one socket by its id, as adapters before 8 did: who has it answers
        await question({ type: 2, requestId: 'q2', sid: hers.id, room: 'by-id' }, 1);
        assert.deepEqual(ids(await node.nsp.in('by-id').fetchSockets()), [hers.id]);
        await question({ type: 3, requestId: 'q3', sid: hers.id, room: 'by-id' }, 1);
        assert.deepEqual(await node.nsp.in('by-id').fetchSockets(), []);

        hers.emit('to-her', 1);
        await heard([inside[0]], 'to-her');
        assert.equal(inside[1].all('to-her').length, 0);
    });

    it('socketsJoin and socketsLeave: Node\'s emits and ours reach whom Node has put there', LONG, async () => {
        const { b, zoe, roomId, inside, outside } = await scene();
        const max = customer({ business: b });
        const maxes = [await connect(hosts()[0], max), await connect(hosts()[1], max, DEFAULT)];
        const all = [...maxes, outside];
        node.nsp.in(`user:${max.id}`).socketsJoin(['vip', `room:${roomId}`, `business:${b}`]);
        node.emitter.in(outside.welcome.clientId).socketsJoin(['vip', `room:${roomId}`]);
        await until('they are in it', async () => (await node.nsp.in('vip').fetchSockets()).length === 3);
        node.nsp.to('vip').emit('for-vips');
        node.nsp.to(roomId).emit('for-room');
        node.nsp.to(`business:${b}`).emit('for-staff');
        await heard(all, 'for-vips');
        await heard([...all, ...inside], 'for-room');
        await heard([outside, inside[2], inside[3]], 'for-staff');
        await inside[0].ask('chat:send-message', { roomId, content: 'hello' });
        await heard([...all, ...inside], 'chat:new-message');
        inside[0].emit('chat:typing', { roomId, isTyping: true });
        await heard([...all, inside[2], inside[3]], 'chat:user-typing');
        for (const c of maxes) {
            assert.equal(c.all('for-staff').length, 0, 'customers are never in a business\'s room');
            assert.equal(c.all('chat:room-updated').length, 0);
        }
        assert.equal(inside[2].all('chat:user-joined').length <= 1, true);

        // who joins by itself, too, hears nothing twice
        assert.equal((await outside.ask('chat:join-room', { roomId })).success, true);
        await inside[0].ask('chat:send-message', { roomId, content: 'again' });
        await heard([...all, ...inside], 'chat:new-message', 2);

        node.nsp.in(`user:${max.id}`).socketsLeave('vip');
        node.emitter.in(`user:${max.id}`).socketsLeave(roomId);
        node.nsp.in(inside[3].welcome.clientId).socketsLeave(`room:${roomId}`);
        await until('they are out', async () => (await node.nsp.in(`room:${roomId}`).fetchSockets()).length === 4);
        await inside[0].ask('chat:send-message', { roomId, content: 'without them' });
        await heard([inside[0], inside[1], inside[2], outside], 'chat:new-message', 3);
        node.nsp.to('vip').emit('for-vips');
        await heard([outside], 'for-vips', 2);
        for (const c of [...maxes, inside[3]]) {
            assert.equal(c.all('chat:new-message').length, 2, c.who.id);
        }
        assert.equal(maxes[0].all('for-vips').length, 1);
        assert.equal((await inside[3].ask('chat:typing', { roomId, isTyping: true })).code, 'FORBIDDEN');
        node.nsp.in(`user:${zoe.id}`).socketsLeave(`user:${zoe.id}`);    // hers by her token
        node.nsp.to(`user:${zoe.id}`).emit('still-her');
        await heard([inside[0], inside[1]], 'still-her');
    });

    it('a room that Node has given stays with a client that upgrades on another worker', LONG, async () => {
        const who = customer();
        const clients = [];
        const upgraded = [];
        for (let i = 0; i < 6; i += 1) {
            const c = await connect(cluster, who, DEFAULT);
            node.nsp.in(c.welcome.clientId).socketsJoin(`mine-${i}`);
            clients.push(c);
            upgraded.push(until('it has upgraded', () => c.transport === 'websocket', 10000 * SLOW));
        }
        await Promise.all(upgraded);
        for (const [i, c] of clients.entries()) {
            await until('it is in its room', async () =>
                (await node.nsp.in(`mine-${i}`).fetchSockets()).length === 1);
            node.nsp.to(`mine-${i}`).emit('mine', i);
            await heard([c], 'mine');
        }
    });

    it('emits with acknowledgement: clients are counted and heard', LONG, async () => {
        const { zoe, roomId, inside } = await scene();
        await plain(hosts()[0], zoe);       // can't acknowledge, and is not waited for
        const local = await node.server.connect([`room:${roomId}`]);
        const all = [...inside, local];
        all.forEach((c, i) => {
            c.socket.on('how', (data, done) => done({ i, data }));
            c.socket.on('bytes', (done) => done(Buffer.from([i])));
        });
        const answers = await node.nsp.in([`room:${roomId}`, `user:${zoe.id}`]).timeout(5000 * SLOW)
            .emitWithAck('how', 'are you');
        assert.deepEqual(answers.sort((x, y) => x.i - y.i),
            all.map((_, i) => ({ i, data: 'are you' })));
        const bytes = await node.nsp.in(roomId).timeout(5000 * SLOW).emitWithAck('bytes');
        assert.deepEqual(bytes.map((x) => x[0]).sort(), [0, 1, 2, 3]);
        assert.deepEqual(await node.nsp.in('nobody').timeout(5000 * SLOW).emitWithAck('how', 1), []);
        const [her] = await node.nsp.in(inside[0].welcome.clientId).fetchSockets();
        assert.deepEqual(await her.timeout(5000 * SLOW).emitWithAck('how', 'is it'), { i: 0, data: 'is it' });
        // one that does not answer: the others' answers are there when the time is over
        inside[1].socket.off('how');
        await assert.rejects(node.nsp.in(roomId).timeout(700 * SLOW).emitWithAck('how', 2),
            (e) => e.responses.length === 3);
    });

    it('who moves to another worker with its upgrade answers, too', LONG, async () => {
        const who = customer();
        const asked = [];
        for (let i = 0; i < 12; i += 1) {
            const c = await connect(cluster, who, DEFAULT);
            c.socket.on('how', (n, done) => setTimeout(() => done(n), 50));
            asked.push(node.nsp.in(c.welcome.clientId).timeout(5000 * SLOW).emitWithAck('how', i));
        }
        // nobody is asked while on the way from one worker to the other; who was asked is heard
        const answers = await Promise.all(asked);
        answers.forEach((a, i) => assert.ok(a.length === 0 || (a.length === 1 && a[0] === i), a));
        assert.ok(answers.flat().length > 6, answers);
    });

    it('serverSideEmit is answered by every worker, with nothing', LONG, async () => {
        const answers = await node.nsp.serverSideEmitWithAck('ping', 1);
        assert.deepEqual(answers, Array(node.count - 1).fill(null));
        node.nsp.serverSideEmit('tell', 1);
        node.emitter.serverSideEmit('tell', 1);
    });

    it('disconnectSockets ends what it names and nothing else', LONG, async () => {
        const { roomId, inside, outside } = await scene();
        const frames = await plain(hosts()[1], outside.who);
        node.nsp.in(`room:${roomId}`).except(`user:${inside[3].who.id}`).disconnectSockets();
        await until('three are out', () => inside.slice(0, 3).every((c) => c.all('$disconnect').length === 1));
        for (const c of inside.slice(0, 3)) {
            assert.equal(c.all('$disconnect')[0], 'io server disconnect');
        }
        assert.equal(inside[3].all('$disconnect').length, 0);
        node.emitter.in(`user:${outside.who.id}`).disconnectSockets(true);
        await until('it is out', () => outside.all('$disconnect').length === 1);
        await frames.closed;
        assert.equal((await inside[3].ask('chat:leave-room', { roomId })).success, true);
        inside[0].socket.connect();        // it may come again
        await inside[0].next('connected');
    });

    it('Redis restarts: they find each other again, and we go on meanwhile', LONG, async () => {
        const { roomId, inside } = await scene();
        const there = await node.server.connect([`room:${roomId}`]);
        await cluster.redis.kill();
        assert.equal((await inside[0].ask('chat:send-message', { roomId, content: 'alone' })).success, true);
        await cluster.redis.start();
        await until('all are in the cluster', async () =>
            await node.nsp.adapter.serverCount().catch(() => 0) === node.count, 20000 * SLOW);
        await until('Node listens', async () => {
            node.nsp.to(`room:${roomId}`).emit('again');
            await inside[0].ask('chat:send-message', { roomId, content: 'back' });
            await sleep(100);
            return there.all('chat:new-message').some((m) => m.content === 'back')
                && inside.every((c) => c.all('again').length > 0);
        }, 20000 * SLOW);
        assert.equal((await node.nsp.in(`room:${roomId}`).fetchSockets()).length, 5);
        // ours is healed from the store, whatever Redis has lost
        await until('all have it', () => inside.every((c) =>
            c.all('chat:new-message').filter((m) => m.content === 'alone').length === 1), 10000 * SLOW);
    });

    it('killed connections and killed workers, too', LONG, async () => {
        const { roomId, inside } = await scene();
        for (const type of ['pubsub', 'normal']) {
            cluster.redis.cli('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
        }
        await until('all are in the cluster', async () =>
            await node.nsp.adapter.serverCount().catch(() => 0) === node.count, 20000 * SLOW);
        await until('they hear', async () => {
            node.nsp.to(`room:${roomId}`).emit('again');
            await sleep(100);
            return inside.every((c) => c.all('again').length > 0);
        }, 20000 * SLOW);
        assert.equal((await node.nsp.in(`room:${roomId}`).fetchSockets()).length, 4);
    });

    it('a reload leaves no worker behind that Node would wait for', LONG, async () => {
        await hosts()[1].reload();
        await until('the old workers are gone', () =>
            hosts()[1].oldWorkers.every((pid) => !hosts()[1].workers().includes(pid)), 20000 * SLOW);
        await until('all are in the cluster', async () =>
            await node.nsp.adapter.serverCount() === node.count, 20000 * SLOW);
        await node.nsp.fetchSockets();
        const c = await connect(hosts()[1], staff());
        node.nsp.emit('hello');
        await heard([c], 'hello');
    });
});

describe('another prefix, another namespace, deflate, and answers on a channel of their own', () => {
    const cluster = useCluster({ hosts: 1, workers: 2,
        redisMore: 'adapter=socket.io adapter_prefix=chat[1]*',
        realtime: 'realtime_deflate on;', locations: `
        location /socket.io/ { realtime on; realtime_deflate on; }
        location /realtime { realtime on; realtime_deflate on; }
        location /other/socket.io/ { realtime on; realtime_namespace /a*b; }
        location /root/socket.io/ { realtime on; realtime_namespace /; }
        location /api/ { realtime_api on; }
        location = /metrics { realtime_metrics; }` });
    const node = useNode(cluster, { key: 'chat[1]*', publishOnSpecificResponseChannel: true });

    it('what is said in one namespace is not heard in another', LONG, async () => {
        const [host] = cluster.hosts;
        const who = staff();
        const c = await connect(host, who);
        const big = { text: 'deflate '.repeat(1000) };
        node.nsp.to(`user:${who.id}`).emit('big', big);
        node.server.io.of('/a*b').to(`user:${who.id}`).emit('small', 1);
        node.server.io.of('/acb').to(`user:${who.id}`).emit('small', 2);
        const others = [];
        for (const [name, path] of [['/a*b', '/other/socket.io/'], ['/', '/root/socket.io/']]) {
            const socket = io(host.url + name, { path, auth: { token: who.token }, forceNew: true,
                transports: ['websocket'] });
            cluster.onClose(() => socket.disconnect());
            const got = [];
            socket.onAny((event, data) => got.push([event, data]));
            await until('it is connected', () => got.some(([event]) => event === 'connected'));
            others.push(got);
            node.server.io.of(name).to(`user:${who.id}`).emit('here', name);
            await until('it hears', () => got.length > 1);
            assert.deepEqual(got.slice(1), [['here', name]]);
            assert.equal((await node.server.io.of(name).fetchSockets()).length, 1);
        }
        assert.equal(others[0].length, 2);
        await heard([c], 'big');
        assert.deepEqual(c.all('big')[0], big);
        assert.equal(c.all('small').length, 0);
        assert.equal((await node.nsp.fetchSockets()).length, 1);
        const r = await request(`${host.url}/metrics`);
        assert.match(r.text, /realtime_adapter_up 2/);
        assert.match(r.text, /realtime_adapter_received_total [1-9]/);
        assert.match(r.text, /realtime_adapter_requests_total [1-9]/);
    });
});

// without a Node server: its own adapter ends the process at the first of these
describe('hostile neighbours', () => {
    const cluster = useCluster({ hosts: 1, workers: 2, redisMore: 'adapter=socket.io' });

    it('hostile bytes change nothing', LONG, async () => {
        const [host] = cluster.hosts;
        const zoe = customer();
        const roomId = await createRoom(host, zoe);
        const client = new Client(cluster.redis.port, '127.0.0.1');
        const emitter = new Emitter(client).of(NAMESPACE);
        const inside = [await connect(host, zoe, WEBSOCKET), await connect(host, zoe, POLLING)];
        for (const c of inside) {
            assert.equal((await c.ask('chat:join-room', { roomId })).success, true);
        }
        const workers = host.workers();
        const hostile = ['', 'df10000000', 'ddffffffff', '93dfffffffff', 'dbffffffff61', 'c1', '00',
            '7b', '7b7d', '7b2274797065223a', '91'.repeat(5000), '9301', 'c0', '93c0c0c0',
            '93a161c080', '93a16180'].map((h) => Buffer.from(h, 'hex'));
        const good = { type: 2, data: ['x'], nsp: NAMESPACE };
        const odd = [
            ['u', { ...good, data: ['disconnect'] }, { rooms: [], except: [] }],
            ['u', { ...good, type: 1 }, { rooms: [], except: [] }],
            ['u', { ...good, data: [] }, { rooms: [], except: [] }],
            ['u', { ...good, data: [1] }, { rooms: [] }],
            ['u', { ...good, nsp: '/other' }, { rooms: [] }],
            ['u', good, { rooms: [[]] }],
            ['u', good, { rooms: [null] }],
            ['u', good, { rooms: [roomId], except: Array(5000).fill('x') }],
            ['u', good, 'no options'],
            [good, good, good],
        ].map((v) => msgpack.encode(v));
        const requests = [{ type: 4 }, { type: 4, close: true, opts: null }, { type: 99 }, { type: 'x' },
            { type: 2, rooms: [`room:${roomId}`] }, { type: 5 }, { type: 5, requestId: {}, opts: [] },
            { type: 7, requestId: 'r', packet: good }, { type: 7, requestId: 'r', packet: 1, opts: {} },
            { type: 4, opts: { rooms: [null] } }, { type: 4, sid: 'unknown' },
            { type: 5, requestId: 'r', uid: 'x'.repeat(5000), opts: { rooms: [] } }]
            .map((r) => Buffer.from(JSON.stringify(r)));
        const channels = [`socket.io#${NAMESPACE}#`, `socket.io#${NAMESPACE}#room:${roomId}#`,
            `socket.io-request#${NAMESPACE}#`];
        for (const channel of channels) {
            for (const bytes of [...hostile, ...odd, ...(channel.includes('request') ? requests : [])]) {
                await client.publish(channel, bytes);
            }
        }
        // and every cut and every changed byte of a good one
        const one = msgpack.encode(['u', { ...good, data: ['mangled', { a: [1, 'two', 3.5] }] },
            { rooms: [`room:${roomId}`], except: [], flags: {} }]);
        for (let i = 0; i < one.length; i += 1) {
            await client.publish(channels[0], one.subarray(0, i));
            const changed = Buffer.from(one);
            changed[i] ^= 0xff;
            await client.publish(channels[0], changed);
        }
        emitter.to(`room:${roomId}`).emit('after-all');
        await heard(inside, 'after-all');
        for (const c of inside) {
            assert.equal(c.all('x').length, 0);
            assert.equal(c.all('$disconnect').length, 0);
            assert.equal((await c.ask('chat:leave-room', { roomId })).success, true);
        }
        assert.deepEqual(host.workers(), workers, 'no worker has died');
        client.disconnect();
    });
});

// Services raise events by a Redis Stream: what comes of them is what comes of events over HTTP.
// Entries that are no events are kept apart with the reason. Workers and Redis are killed in between:
// each event is stored once, and heard once and in order.
//
// SCALE=5 makes it 10,000 events and 50 dashboards.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { MongoClient } from 'mongodb';

import { Chat, connect } from './lib/chat.mjs';
import { useCluster } from './lib/cluster.mjs';
import { EVENTS } from './lib/events.mjs';
import { api } from './lib/http.mjs';
import { Mongod, mongodProgram } from '../lib/mongod.mjs';
import { Server, sleep, SLOW, until } from './lib/nginx.mjs';
import { Redis } from './lib/redis.mjs';
import { customer, owner, person, staff } from './lib/token.mjs';

const SCALE = Number(process.env.SCALE || 1);
const LONG = { timeout: 60000 * SLOW };
const STREAM = 'realtime:events';
const DEAD = 'realtime:events:dead';
let serial = 0;
const business = () => `biz-${process.pid}-${serial += 1}`;

const list = async (server, who, query = '?limit=100') => {
    const r = await api(server, who).get(`/notifications${query}`);
    assert.equal(r.status, 200, r.text);
    return r.json;
};

// [[id, [name, text, …]], …] as objects
const entries = async (client, stream) => (await client.xrange(stream, '-', '+')).map(([, fields]) =>
    Object.fromEntries(fields.flatMap((name, i) => (i % 2 ? [] : [[name, fields[i + 1]]]))));

// A server with a Redis of its own, in database 3.
function useStream(options = {}, redisArgs = [])
{
    const it = {};
    before(async () => {
        it.redis = await new Redis(redisArgs).start();
        it.client = it.redis.client({ db: 3 });
        it.server = await new Server({ workers: 3, allowLog: [], ...options, redis: null,
            http: `realtime_redis 127.0.0.1:${it.redis.port} db=3; ${options.http || ''}` }).start();
    }, { timeout: 60000 });
    after(async () => {
        it.client?.disconnect();
        try {
            await it.server?.stop();
        } finally {
            await it.redis?.stop();
        }
    }, { timeout: 60000 });
    it.acknowledged = () => until('all is acknowledged', async () => {
        const [group] = await it.client.xinfo('GROUPS', STREAM).catch(() => [null]);
        return group && group[group.indexOf('pending') + 1] === 0
            && (await it.client.xrevrange(STREAM, '+', '-', 'COUNT', 1)).every(([id]) =>
                id === group[group.indexOf('last-delivered-id') + 1]);
    }, 20000 * SLOW);
    return it;
}

describe('events by a stream, 3 workers', () => {
    const at = useStream({ locations: `location /socket.io/ { realtime on; }
        location /api/ { realtime_api on; } location /metrics { realtime_metrics; }` });

    it('every event reaches the dashboards as one over HTTP does', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const olga = await connect(at.server, owner({ business: b }));
        const anna = await connect(at.server, customer({ business: b }));
        const strange = await connect(at.server, staff({ business: business() }));
        let seq = 0;
        for (const { event, payload, title, message, priority } of EVENTS) {
            await at.client.xadd(STREAM, '*', 'event', event, 'businessId', b, 'payload',
                JSON.stringify(payload));
            seq += 1;
            for (const chat of [sam, olga]) {
                const n = await chat.next('notification:new');
                assert.equal(n.seq, seq);
                assert.equal(n.businessId, b);
                assert.equal(`${n.type}.${n.subType}`, event);
                assert.equal(n.title, title);
                assert.equal(n.message, message);
                assert.equal(n.priority, priority);
                assert.deepEqual(n.data, payload);
                if (event === 'audit.created') {
                    const audit = await chat.next('audit:log');
                    assert.deepEqual({ ...audit, timestamp: null }, { type: 'audit', timestamp: null,
                        ...payload.auditLog });
                } else {
                    assert.deepEqual(await chat.next(event), n);
                }
            }
        }
        const found = await list(at.server, sam.who);
        assert.equal(found.total, EVENTS.length);
        for (const other of [anna, strange]) {
            assert.deepEqual(other.events.map((e) => e.event), ['connected']);
        }
        await at.acknowledged();
        assert.equal(await at.client.exists(DEAD), 0);
    });

    it('in each of the shapes that the documentation names, to one person too', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const anna = await connect(at.server, customer({ business: b }));
        const whole = { event: 'booking.created', businessId: b, clientName: 'Zoe' };
        for (const fields of [
            ['event', 'booking.created', 'businessId', b, 'clientName', 'Zoe'],
            ['event', 'booking.created', 'businessId', b, 'data', '{"clientName":"Zoe"}'],
            ['event', 'booking.created', 'payload', JSON.stringify({ businessId: b, name: 'Zoe' })],
            ['event', 'booking.created', 'businessId', b, 'booking', '{"clientName":"Zoe"}'],
            ['json', JSON.stringify(whole)], ['data', JSON.stringify([whole])]]) {
            await at.client.xadd(STREAM, '*', ...fields);
            assert.equal((await sam.next('booking.created')).message, 'New booking from Zoe',
                fields.join(' '));
        }
        await at.client.xadd(STREAM, '*', 'event', 'appointment.reminder', 'businessId', b, 'userId',
            anna.who.id);
        assert.equal((await anna.next('appointment.reminder')).userId, anna.who.id);
        assert.equal(sam.all('notification:new').length, 6);
    });

    it('the same id twice is one notification, by this door or by HTTP', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const add = (id, ...more) => at.client.xadd(STREAM, '*', 'event', 'booking.created',
            'businessId', b, 'id', id, ...more);
        await Promise.all(['e1', 'e1', 'e1'].map((id) => add(id)));
        await add('e2', 'payload', '{"id":"booking-7"}');
        await add('e3', 'payload', '{"id":"booking-7"}');
        await sam.next('booking.created', (n) => n.seq === 3);
        const r = await api(at.server, person('SERVICE', { business: null })).post('/events',
            { event: 'booking.created', businessId: b, id: 'e1' });
        assert.equal(r.status, 200, r.text);
        const same = await api(at.server, person('SERVICE', { business: null })).post('/events',
            { event: 'booking.created', businessId: b, eventId: 'e3', id: 'booking-7' });
        assert.equal(same.status, 200, same.text);
        assert.deepEqual(sam.all('booking.created').map((n) => n.data),
            [{}, { id: 'booking-7' }, { id: 'booking-7' }]);
        assert.equal((await list(at.server, sam.who)).total, 3);
    });

    it('what is no event is kept apart with the reason, and holds nothing up', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const good = ['event', 'booking.created', 'businessId', b];
        const bad = [
            [['event', 'booking.mad', 'businessId', b], /event is not one/],
            [['event', 'booking.created'], /businessId/],
            [['event', 'booking.created', 'businessId', 'x'.repeat(129)], /businessId/],
            [['event', 'booking.created', 'businessId', 'a\nb'], /businessId/],
            [['businessId', b], /event/],
            [[...good, 'payload', '{'], /payload/],
            [[...good, 'payload', '[1]'], /payload must be a JSON object/],
            [[...good, 'clientName', '{"$ne":1}'], /\$/],
            [['json', 'hello'], /JSON/],
            [['json', '[]'], /no events/],
            [['json', `[{"event":"booking.created","businessId":"${b}"},{}]`], /event 2 of 2/],
            [[...good, 'clientName', Buffer.from([0xff, 0xfe])], /UTF-8/],
            [[...good, 'clientName', 'a\0b'], /bytes of 0/],
            [[...good, 'note', 'x'.repeat(1100000)], /too large/],
            [[...good, ...Array.from({ length: 600 }, (_, i) => [`f${i}`, 'x']).flat()], /too large/],
        ];
        for (const [fields] of bad) {
            await at.client.xadd(STREAM, '*', ...fields);
        }
        const last = await at.client.xadd(STREAM, '*', ...good, 'clientName', 'Zoe');
        assert.equal((await sam.next('booking.created')).seq, 1);
        await at.acknowledged();
        const dead = await entries(at.client, DEAD);
        assert.equal(dead.length, bad.length);
        bad.forEach(([fields, reason], i) => {
            assert.match(dead[i].reason, reason);
            assert.match(dead[i].entry, /^\d+-\d+$/);
            assert.notEqual(dead[i].entry, last);
            if (!/too large|UTF-8/.test(dead[i].reason)) {
                assert.equal(dead[i][fields[0]], fields[1], 'as it came');
            }
        });
        assert.equal((await list(at.server, sam.who)).total, 1);
        const text = (await (await fetch(`${at.server.url}/metrics`)).text());
        assert.match(text, new RegExp(
            `^realtime_stream_events_total\\{result="refused"\\} ${bad.length}$`, 'm'));
        assert.match(text, /^realtime_stream_events_total\{result="stored"\} [1-9]\d*$/m);
    });

    it('what another consumer has left behind is claimed', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const pipeline = at.client.multi();
        pipeline.xadd(STREAM, '*', 'event', 'booking.created', 'businessId', b);
        pipeline.xreadgroup('GROUP', 'realtime', 'somebody', 'COUNT', 10, 'STREAMS', STREAM, '>');
        const [, [, taken]] = await pipeline.exec();
        assert.equal(taken[0][1].length, 1);
        assert.equal((await sam.next('booking.created', undefined, 20000 * SLOW)).seq, 1);
        await at.acknowledged();
    });

    it('a Redis that lost everything gets its group again', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await at.client.flushall();
        await at.client.xadd(STREAM, '*', 'event', 'booking.created', 'businessId', b);
        assert.equal((await sam.next('booking.created', undefined, 10000 * SLOW)).seq, 1);
        await at.client.set(STREAM, 'no stream');
        await until('the log tells', () => /can't be read: WRONGTYPE/.test(at.server.logText()), 10000);
        await at.client.del(STREAM);
        await at.client.xadd(STREAM, '*', 'event', 'booking.created', 'businessId', b);
        assert.equal((await sam.next('booking.created', undefined, 20000 * SLOW)).seq, 2);
    });

    it('what is stored is trimmed away, what waits is not', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const pipeline = at.client.pipeline();
        for (let i = 0; i < 2000; i += 1) {
            pipeline.xadd(STREAM, '*', 'event', 'booking.created', 'businessId', b, 'clientName', `C${i}`);
        }
        await pipeline.exec();
        await sam.next('booking.created', (n) => n.seq === 2000, 20000 * SLOW);
        assert.deepEqual(sam.all('booking.created').map((n) => n.data.clientName),
            Array.from({ length: 2000 }, (_, i) => `C${i}`), 'in the order of the stream');
        await until('it is short again', async () => await at.client.xlen(STREAM) < 200, 20000 * SLOW);
    });

    it('a reload goes on with what is in the stream', LONG, async () => {
        const b = business();
        const raised = [];
        let stop = false;
        const raising = (async () => {
            for (let i = 0; !stop; i += 1) {
                await at.client.xadd(STREAM, '*', 'event', 'client.created', 'businessId', b,
                    'clientName', `C${i}`);
                raised.push(`New client: C${i}`);
                await sleep(5);
            }
        })();
        await at.server.reload();
        await sleep(1500);
        stop = true;
        await raising;
        await at.acknowledged();
        const all = [];
        for (let page = 1; all.length < raised.length; page += 1) {
            const { notifications } = await list(at.server, staff({ business: b }),
                `?limit=100&page=${page}`);
            assert.notEqual(notifications.length, 0, `${all.length} of ${raised.length}`);
            all.push(...notifications.map((n) => n.message));
        }
        assert.deepEqual(all.reverse(), raised);
    });
});

describe('the directive', () => {
    const at = useStream({ workers: 1, http: 'realtime_events_stream shop:events;',
        allowLog: [/emerg.*realtime_events_stream/] });

    it('names the stream, and is checked', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await at.client.xadd('shop:events', '*', 'event', 'booking.created', 'businessId', b);
        await sam.next('booking.created');
        await at.client.xadd('shop:events', '*', 'event', 'no');
        await until('it is refused', () => at.client.exists('shop:events:dead'));
        assert.equal(await at.client.exists(STREAM), 0);

        const { options } = at.server;
        for (const [http, error] of [
            ['realtime_events_stream on; realtime_redis off;', /needs a Redis.*realtime_redis/],
            ['realtime_events_stream on;', /needs a Redis/],
            ['realtime_events_stream off; realtime_events_stream on;', /duplicate/],
            ['realtime_events_stream "";', /must be "on", "off"/],
            [`realtime_events_stream ${'x'.repeat(257)};`, /must be/],
            ['realtime_events_stream a b;', /number of arguments/]]) {
            at.server.writeConf(at.server.confText({ ...options, http }));
            const r = at.server.run(['-t']);
            assert.notEqual(r.code, 0, http);
            assert.match(r.output, error);
        }
        at.server.writeConf(at.server.confText({ ...options,
            http: `realtime_redis 127.0.0.1:${at.redis.port} db=3; realtime_events_stream off;` }));
        await at.server.reload();
        await until('the old worker is gone', () => at.server.workers().length === 1, 10000);
        await at.client.xadd('shop:events', '*', 'event', 'booking.created', 'businessId', b);
        await sleep(1500);
        assert.equal(await at.client.exists('shop:events:reader'), 0);
    });
});

// A dashboard that comes back by itself and says what it has. Where it has missed too much to be told
// (notification:gap), it reads the list, as docs/events.md says.
class Board
{
    constructor(server, business)
    {
        this.server = server;
        this.who = staff({ business });
        this.seqs = [];
        this.names = [];
        this.gaps = 0;
        this.chat = new Chat(server, this.who, { reconnection: true, reconnectionDelay: 50,
            reconnectionDelayMax: 500, auth: (give) => give({ token: this.who.token,
                lastNotificationSeq: this.seqs.at(-1) || 0 }) });
        this.chat.got = () => {};
        this.chat.socket.on('connect', () => { this.held = null; this.connects = {}; });
        this.chat.socket.on('disconnect', () => { this.connects = {}; });
        this.chat.socket.on('notification:new', (n) => (this.held ? this.held.push(n) : this.hear(n)));
        this.chat.socket.on('notification:gap', (gap) => this.fill(gap.lastSeq, this.connects));
    }

    hear({ seq, data })
    {
        this.seqs.push(seq);
        this.names.push(data.clientName);
    }

    async fill(lastSeq, connects)
    {
        this.gaps += 1;
        this.held = [];
        const missed = new Map();
        const last = this.seqs.at(-1) || 0;
        let more = true;
        for (let page = 1; more && !missed.has(last + 1) && connects === this.connects;) {
            try {
                const { notifications } = await list(this.server, this.who, `?limit=100&page=${page}`);
                notifications.forEach((n) => missed.set(n.seq, n));
                more = notifications.length === 100;
                page += 1;
            } catch {
                await sleep(50);    // its worker was killed, or the store is away
            }
        }
        if (connects === this.connects) {
            // where the store could not be asked, what is heard meanwhile may be in the list, too
            const end = lastSeq ?? Math.max(last, ...missed.keys());
            this.held = this.held.filter((n) => n.seq > end);
            for (let seq = last + 1; seq <= end; seq += 1) {
                this.hear(missed.get(seq));
            }
            this.held.forEach((n) => this.hear(n));
            this.held = null;
        }
    }
}

async function watch(server, business, count)
{
    const boards = Array.from({ length: count }, () => new Board(server, business));
    await until('all are there', () => boards.every((b) => b.chat.socket.connected), 30000 * SLOW);
    return boards;
}

// Every dashboard has every event once, and all in the same order.
async function judge(server, business, boards, count)
{
    await until('all have all', () => boards.every((b) => b.seqs.length >= count), 90000 * SLOW);
    await sleep(500);
    for (const { seqs, names } of boards) {
        assert.deepEqual(seqs, Array.from({ length: count }, (_, i) => i + 1));
        assert.equal(new Set(names).size, count);
        assert.deepEqual(names, boards[0].names);
    }
    assert.equal((await list(server, staff({ business }), '?limit=1')).total, count);
}

// Raises events one behind the other, as fast as Redis takes them.
async function raise(client, business, count, { size = 50, pause = 0, from = 0 } = {})
{
    for (let i = from; i < from + count; i += size) {
        const pipeline = client.pipeline();
        for (let j = i; j < Math.min(i + size, from + count); j += 1) {
            pipeline.xadd(STREAM, '*', 'event', 'booking.created', 'businessId', business,
                'id', `e${j}`, 'clientName', `C${j}`);
        }
        const bad = (await pipeline.exec()).find(([error]) => error);
        if (bad) {
            i -= size;      // again: the ids are the same
            await sleep(50);
        } else {
            await sleep(pause);
        }
    }
}

const inversions = (names) => names.filter((name, i) =>
    i > 0 && Number(name.slice(1)) < Number(names[i - 1].slice(1))).length;

describe('events by a stream while workers and Redis are killed', () => {
    const at = useStream({ allowLog: [/exited on signal 9/], connections: 4096 },
        ['--appendonly', 'yes']);
    const EVENTS_RAISED = SCALE > 1 ? 2000 * SCALE : 1500;
    const DASHBOARDS = 10 * SCALE;

    it('each is stored once, and heard once and in order', { timeout: 300000 * SLOW }, async () => {
        const b = business();
        const boards = await watch(at.server, b, DASHBOARDS);
        let done = false;
        const raising = raise(at.client, b, EVENTS_RAISED, { size: 10, pause: 30 })
            .then(() => { done = true; });
        let killed = 0;
        let restarts = 0;
        for (let turn = 1; !done || killed < 6 || restarts < 2; turn += 1) {
            const pids = at.server.workers();
            if (pids.length) {
                at.server.signal('SIGKILL', pids[turn % pids.length]);
                killed += 1;
            }
            await sleep(250);
            if (turn % 3 === 0 && restarts < 2 * SCALE) {
                await at.redis.kill();
                await sleep(200);
                await at.redis.start();
                restarts += 1;
            }
        }
        await raising;
        await judge(at.server, b, boards, EVENTS_RAISED);
        await at.acknowledged();
        assert.equal(await at.client.exists(DEAD), 0);
        console.log(`# ${EVENTS_RAISED} events, ${killed} workers and ${restarts} Redis killed, `
            + `${DASHBOARDS} dashboards, ${boards.reduce((n, x) => n + x.gaps, 0)} times one read the list; `
            + `${inversions(boards[0].names)} out of the stream's order`);
    });
});

describe('events by a stream, two hosts', () => {
    const cluster = useCluster({ hosts: 2, workers: 2, allowLog: [/exited on signal 9/] });

    it('one of all workers reads at a time; another goes on when it dies', LONG, async () => {
        const b = business();
        const client = cluster.redis.client();
        cluster.onClose(() => client.disconnect());
        const boards = await watch(cluster, b, 4);
        const raising = raise(client, b, 600, { size: 10, pause: 30 });
        for (let i = 0; i < 4; i += 1) {
            await sleep(500);
            const host = cluster.hosts[i % 2];
            const [pid] = host.workers();
            if (pid) {
                host.signal('SIGKILL', pid);
            }
        }
        await raising;
        await judge(cluster, b, boards, 600);
        assert.equal(inversions(boards[0].names), 0);
        const consumers = await client.xinfo('CONSUMERS', STREAM, 'realtime');
        assert.equal(consumers.length, 1);
    });
});

describe('events by a stream while the store is away',
    { skip: mongodProgram() ? false : 'there is no mongod' }, () => {
        let mongod;
        let at;
        before(async () => { mongod = await new Mongod().start(); }, { timeout: 60000 });
        at = useStream({ workers: 2, get store() {
            return `${mongod.uri}stream?serverSelectionTimeoutMS=1000&socketTimeoutMS=2000`;
        } });
        after(() => mongod.stop(), { timeout: 30000 });

        it('nothing is acknowledged, nothing is poison; all of it comes when it is back',
            { timeout: 120000 * SLOW }, async () => {
                const b = business();
                const boards = await watch(at.server, b, 2);
                await raise(at.client, b, 10);
                await until('the first are here', () => boards.every((x) => x.seqs.length === 10));
                await at.acknowledged();
                await mongod.kill();
                await raise(at.client, b, 300, { from: 10 });
                await until('they were read', async () => {
                    const [n] = await at.client.xpending(STREAM, 'realtime');
                    return n > 0;
                }, 10000 * SLOW);
                await sleep(2000);
                const [pending] = await at.client.xpending(STREAM, 'realtime');
                assert.ok(pending > 0, 'not acknowledged');
                assert.equal(await at.client.exists(DEAD), 0);
                await mongod.run();
                await judge(at.server, b, boards, 310);
                await at.acknowledged();
                assert.equal(await at.client.exists(DEAD), 0);
            });

        it('several that the store never takes are kept apart, and hold nothing up',
            { timeout: 120000 * SLOW }, async () => {
                const b = business();
                const sam = await connect(at.server, staff({ business: b }));
                const one = (payload) => at.client.xadd(STREAM, '*', 'event', 'booking.created',
                    'businessId', b, 'payload', JSON.stringify(payload));
                await one({ clientName: 'C' });
                await sam.next('notification:new');
                const mongo = await new MongoClient(mongod.uri, { directConnection: true }).connect();
                at.server.onClose(() => mongo.close());
                await mongo.db('stream').command({ collMod: 'notifications',
                    validator: { 'data.poison': { $exists: false } } });
                for (const [i, poison] of [0, 1, 1, 0, 1].entries()) {
                    await one({ clientName: `C${i}`, ...(poison && { poison }) });
                }
                await until('they are kept apart', async () =>
                    await at.client.xlen(DEAD) === 3, 60000 * SLOW);
                assert.deepEqual((await entries(at.client, DEAD)).map((e) => e.reason),
                    Array(3).fill("it can't be stored"));
                await one({ clientName: 'C5' });
                for (const [i, name] of ['C0', 'C3', 'C5'].entries()) {
                    const n = await sam.next('notification:new');
                    assert.equal(n.data.clientName, name);
                    assert.equal(n.seq, i + 2);
                }
                await at.acknowledged();
            });
    });

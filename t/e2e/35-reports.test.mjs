// realtime_stats, realtime_metrics, realtime_health.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { api, createRoom, request } from './lib/http.mjs';
import { useCluster } from './lib/cluster.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const locations = `
    location /socket.io/ { realtime on; }
    location /realtime { realtime on; }
    location /api/ { realtime_api on; }
    location = /stats { realtime_stats; }
    location = /metrics { realtime_metrics; }
    location /health { realtime_health; }`;

// name{labels} → value; every line must be well-formed, of a name that has its type before it
async function metrics(server)
{
    const r = await request(`${server.url}/metrics`);
    assert.equal(r.status, 200);
    assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const values = new Map();
    const types = new Map();
    for (const line of r.text.trimEnd().split('\n')) {
        const head = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
        if (head) {
            assert.ok(!types.has(head[1]), `${head[1]} twice`);
            types.set(head[1], head[2]);
        } else if (!line.startsWith('# HELP ')) {
            const m = /^([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (\d+(?:\.\d+)?)$/.exec(line);
            assert.ok(m, `malformed: ${line}`);
            const base = m[1].replace(/_(bucket|sum|count)$/, '');
            assert.ok(types.has(m[1]) || types.get(base) === 'histogram', `no type: ${line}`);
            assert.ok(!values.has(m[1] + (m[2] || '')), `twice: ${line}`);
            values.set(m[1] + (m[2] || ''), Number(m[3]));
        }
    }
    return values;
}

describe('one host', () => {
    const server = useServer({ workers: 3, locations, redis: null, allowLog: [/exited on signal 9/] });

    it('counts what happens, over all workers', async () => {
        const zoe = customer();
        await until('each has the store', async () =>
            (await metrics(server)).get('realtime_store_up') === 3);
        const before = await metrics(server);
        assert.equal(before.get('realtime_workers'), 3);
        assert.equal(before.get('realtime_bus_up'), 3);
        const roomId = await createRoom(server, zoe);
        const open = [await connect(server, zoe, WEBSOCKET), await connect(server, staff(), POLLING),
            await connect(server, staff(), WEBSOCKET)];
        for (const c of open) {
            await c.ask('chat:join-room', { roomId });
        }
        for (let i = 0; i < 20; i += 1) {
            assert.equal((await open[i % 3].ask('chat:send-message', { roomId, content: 'x' })).success, true);
        }
        await open[0].ask('chat:send-message', { roomId, content: '   ' });
        await open[0].ask('chat:send-message', { roomId: '0123456789abcdef01234567', content: 'x' });
        await open[0].ask('no:such-event', {});
        for (const c of open) {
            await until('20 messages', () => c.all('chat:new-message').length === 20);
        }
        const now = await metrics(server);
        const grew = (name) => now.get(name) - (before.get(name) || 0);
        assert.equal(now.get('realtime_connections{transport="websocket"}'), 2);
        assert.equal(now.get('realtime_connections{transport="polling"}'), 1);
        assert.equal(now.get('realtime_connected'), 3);
        assert.equal(grew('realtime_events_total{event="chat:send-message",result="ok"}'), 20);
        assert.equal(grew('realtime_events_total{event="chat:send-message",result="INVALID"}'), 1);
        assert.equal(grew('realtime_events_total{event="chat:send-message",result="NOT_FOUND"}'), 1);
        assert.equal(grew('realtime_events_total{event="other",result="INVALID"}'), 1);
        assert.equal(grew('realtime_events_total{event="chat:join-room",result="ok"}'), 3);
        assert.ok(grew('realtime_deliveries_total') >= 60);
        assert.ok(grew('realtime_requests_total{status="2xx"}') >= 1);
        assert.equal(now.get('realtime_store_seconds_bucket{kind="write",le="+Inf"}'),
            now.get('realtime_store_seconds_count{kind="write"}'));
        assert.ok(grew('realtime_store_written_total') >= 21);
        assert.ok(now.get('realtime_store_seconds_sum{kind="write"}') > 0);
        assert.equal(now.get('realtime_calls_waiting'), 0);
        open.forEach((c) => c.close());
        await until('nobody', async () =>
            (await metrics(server)).get('realtime_connections{transport="websocket"}') === 0);
    });

    it('publishes that cross cause no reads of the store', { timeout: 60000 * SLOW }, async () => {
        const people = [];
        for (let r = 0; r < 10; r += 1) {
            const zoe = customer({ business: `cross-${r}` });
            const roomId = await createRoom(server, zoe);
            for (const who of [zoe, staff({ business: `cross-${r}` }), staff({ business: `cross-${r}` })]) {
                const c = await connect(server, who);
                await c.ask('chat:join-room', { roomId });
                people.push({ c, roomId });
            }
        }
        const before = await metrics(server);
        await Promise.all(people.map(async ({ c, roomId }) => {
            for (let i = 0; i < 30; i += 1) {
                const r = await c.ask('chat:send-message', { roomId, content: 'x' });
                assert.equal(r.success, true, JSON.stringify(r));
            }
        }));
        for (const { c } of people) {
            await until('90 messages', () => c.all('chat:new-message').length === 90);
            assert.deepEqual(c.all('chat:new-message').map((m) => m.seq),
                Array.from({ length: 90 }, (_, i) => i + 1));
            c.close();
        }
        const now = await metrics(server);
        const reads = now.get('realtime_heal_reads_total{reason="hole"}')
            - before.get('realtime_heal_reads_total{reason="hole"}');
        assert.ok(reads <= 2, `${reads} reads for 900 messages`);
    });

    it('keeps the counts of a worker that died, but not its clients', async () => {
        const c = await connect(server, staff());
        const before = await metrics(server);
        for (const pid of server.workers()) {
            server.signal('SIGKILL', pid);
        }
        await until('new workers', async () => {
            try {
                return (await metrics(server)).get('realtime_workers') === 3;
            } catch {
                return false;
            }
        });
        const now = await metrics(server);
        assert.equal(now.get('realtime_connections{transport="websocket"}'), 0);
        for (const name of ['realtime_events_total{event="chat:send-message",result="ok"}',
            'realtime_deliveries_total', 'realtime_store_written_total']) {
            assert.ok(now.get(name) >= before.get(name), name);
        }
        c.close();
    });

    it('statistics and health', async () => {
        const c = await connect(server, staff());
        const s = await request(`${server.url}/stats`);
        assert.deepEqual([s.status, s.json], [200, { totalConnections: 1, workers: 3, hosts: 1 }]);
        for (const path of ['/health', '/health/live', '/health/ready', '/health?live']) {
            const h = await request(`${server.url}${path}`);
            assert.deepEqual([h.status, h.json], [200, { status: 'ok', live: true, ready: true,
                store: 'up', bus: 'local' }], path);
        }
        assert.equal((await request(`${server.url}/health`, { method: 'POST' })).status, 405);
        assert.equal((await request(`${server.url}/metrics`, { method: 'HEAD' })).status, 200);
        c.close();
    });
});

describe('two hosts', () => {
    const cluster = useCluster({ workers: 2, locations });

    it('health and metrics show a Redis that is away, and that it is back', { timeout: 60000 * SLOW }, async () => {
        const [first] = cluster.hosts;
        const health = async () => {
            const h = await request(`${first.url}/health`);
            return [h.status, h.json.status, h.json.bus];
        };
        await until('up', async () => (await health())[2] === 'up');
        assert.deepEqual(await health(), [200, 'ok', 'up']);
        await until('Redis was asked', async () =>
            (await metrics(first)).get('realtime_redis_seconds_count') > 0);
        await cluster.redis.kill();
        await until('down', async () => (await health())[2] === 'down', 3000 * SLOW);
        assert.deepEqual(await health(), [200, 'degraded', 'down']);
        await until('metrics, too', async () => (await metrics(first)).get('realtime_bus_up') === 0);

        // this host's clients go on
        const zoe = customer();
        const roomId = await createRoom(first, zoe);
        const people = [await connect(first, zoe), await connect(first, staff()), await connect(first, staff())];
        for (const c of people) {
            await c.ask('chat:join-room', { roomId });
        }
        await people[0].ask('chat:send-message', { roomId, content: 'alone' });
        for (const c of people) {
            assert.equal((await c.next('chat:new-message')).content, 'alone');
        }

        await cluster.redis.start();
        await until('up again', async () => (await health())[2] === 'up', 5000 * SLOW);
        await until('metrics, too', async () => (await metrics(first)).get('realtime_bus_up') === 2);
        assert.ok((await metrics(first)).get('realtime_redis_connects_total') >= 4);
        people.forEach((c) => c.close());
        await sleep(50);
    });
});

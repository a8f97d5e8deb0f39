// Who is online: statistics, and what dashboards are told of people coming and going; on one host, on
// two, and when workers, a host or Redis die.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { useCluster } from './lib/cluster.mjs';
import { api } from './lib/http.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff, superAdmin } from './lib/token.mjs';

const GRACE = 5000;

async function stats(server, who, query = '')
{
    const r = await api(server, who).get(`/realtime/stats${query}`);
    assert.equal(r.status, 200, r.text);
    return r.json;
}

let last = 0;
const business = () => `presence-${last += 1}`;

// A business with a member of staff who watches, and what they see of one person.
async function dashboard(server, name = business())
{
    const who = staff({ business: name });
    const chat = await connect(server, who);
    return { name, who, chat };
}

const changes = (chat, id) => chat.events.filter((e) => /^user:/.test(e.event) && e.data.userId === id)
    .map((e) => e.event);

describe('statistics', () => {
    const server = useServer({ workers: 2 });

    it('counts connections and people, now', async () => {
        const name = business();
        const sam = staff({ business: name });
        const zoe = customer({ business: name });
        const before = await stats(server, sam);
        assert.deepEqual(Object.keys(before), ['totalConnections', 'workers', 'hosts']);
        assert.equal(before.workers, 2);
        assert.equal(before.hosts, 1);
        const open = [];
        for (const who of [sam, sam, zoe, zoe, zoe]) {
            open.push(await connect(server, who));
        }
        const q = `?businessId=${name}&userId=${zoe.id}`;
        assert.deepEqual(await stats(server, sam, q), { totalConnections: before.totalConnections + 5,
            workers: 2, hosts: 1, businessConnections: 5, staffOnline: 1, isUserOnline: true });
        open.slice(2).forEach((c) => c.close());
        await until('customers are gone', async () => (await stats(server, sam, q)).businessConnections === 2, 2000 * SLOW);
        assert.equal((await stats(server, sam, q)).isUserOnline, false, 'no grace in the statistics');
        open.forEach((c) => c.close());
    });

    it('is for staff, and of their own business', async () => {
        const sam = staff({ business: 'stats-a' });
        const zoe = customer({ business: 'stats-b' });
        const c = await connect(server, zoe);
        assert.equal((await api(server, zoe).get('/realtime/stats')).status, 403);
        assert.equal((await api(server, null).get('/realtime/stats')).status, 401);
        assert.equal((await api(server, sam).get('/realtime/stats?businessId=stats-b')).status, 404);
        assert.equal((await api(server, sam).post('/realtime/stats', {})).status, 405);
        assert.equal((await stats(server, sam, `?userId=${zoe.id}`)).isUserOnline, false);
        const root = superAdmin();
        assert.equal((await stats(server, root, `?userId=${zoe.id}`)).isUserOnline, true);
        assert.equal((await stats(server, root, '?businessId=stats-b')).businessConnections, 1);
        c.close();
    });
});

for (const [where, use] of [['one host of 3 workers', () => useServer({ workers: 3 })],
    ['two hosts of 2 workers', () => useCluster({ workers: 2 })]]) {
    describe(`people on ${where}`, () => {
        const server = use();

        it('online once, offline once, for all devices together', async () => {
            const { name, who, chat } = await dashboard(server);
            const zoe = customer({ business: name });
            const devices = [];
            for (let i = 0; i < 6; i += 1) {
                devices.push(await connect(server, zoe));
            }
            const online = await chat.next('user:online', (e) => e.userId === zoe.id);
            assert.deepEqual(Object.keys(online), ['userId', 'role', 'timestamp']);
            assert.equal(online.role, 'CUSTOMER');
            devices.slice(1).forEach((d) => d.close());
            await sleep(500);
            const at = Date.now();
            devices[0].close();
            await chat.next('user:offline', (e) => e.userId === zoe.id, 8000 * SLOW);
            assert.ok(Date.now() - at >= GRACE - 200, 'a grace before');
            await sleep(300);
            assert.deepEqual(changes(chat, zoe.id), ['user:online', 'user:offline']);
            assert.deepEqual(changes(chat, who.id), [], 'nobody is told of themselves');
            chat.close();
        });

        it('a reconnect within the grace does not flap', async () => {
            const { name, chat } = await dashboard(server);
            const zoe = customer({ business: name });
            for (let i = 0; i < 5; i += 1) {
                const c = await connect(server, zoe, i % 2 ? POLLING : WEBSOCKET);
                c.close();
                await sleep(300);
            }
            const c = await connect(server, zoe);
            await sleep(GRACE + 1500);
            assert.deepEqual(changes(chat, zoe.id), ['user:online']);
            c.close();
            chat.close();
        });

        it('a dashboard that comes later hears of changes only', async () => {
            const { name, chat } = await dashboard(server);
            const zoe = customer({ business: name });
            const yann = customer({ business: name });
            const c = await connect(server, zoe);
            await chat.next('user:online', (e) => e.userId === zoe.id);
            const late = await dashboard(server, name);
            const later = await dashboard(server, name);
            const d = await connect(server, yann);
            for (const x of [chat, late.chat, later.chat]) {
                await x.next('user:online', (e) => e.userId === yann.id);
            }
            c.close();
            for (const x of [late.chat, later.chat]) {
                await x.next('user:offline', (e) => e.userId === zoe.id, 8000 * SLOW);
                assert.deepEqual(changes(x, zoe.id), ['user:offline']);
            }
            for (const x of [d, chat, late.chat, later.chat]) {
                x.close();
            }
        });

        it('nothing reaches customers or other businesses', async () => {
            const { name, chat } = await dashboard(server);
            const other = await dashboard(server);
            const zoe = customer({ business: name });
            const yann = await connect(server, customer({ business: name }));
            const c = await connect(server, zoe);
            await chat.next('user:online', (e) => e.userId === zoe.id);
            await sleep(200);
            assert.deepEqual(changes(other.chat, zoe.id), []);
            assert.deepEqual(yann.events.map((e) => e.event), ['connected']);
            for (const x of [c, yann, chat, other.chat]) {
                x.close();
            }
        });
    });
}

describe('a worker is killed', () => {
    const server = useServer({ workers: 2, allowLog: [/exited on signal 9/] });

    it('its people are no ghosts, and are told offline', async () => {
        const { name, who, chat } = await dashboard(server);
        const people = [];
        for (let i = 0; i < 8; i += 1) {
            const zoe = customer({ business: name });
            people.push({ zoe, c: await connect(server, zoe) });
        }
        for (const { zoe } of people) {
            await chat.next('user:online', (e) => e.userId === zoe.id);
        }
        for (const pid of server.workers()) {
            server.signal('SIGKILL', pid);
            await sleep(300);
            if (!chat.socket.connected || people.some((p) => !p.c.socket.connected)) {
                break;
            }
        }
        const lost = people.filter((p) => !p.c.socket.connected);
        assert.ok(lost.length > 0);
        const fresh = chat.socket.connected ? { chat, known: true } : await dashboard(server, name);
        const left = people.length - lost.length;
        await until('only the living count', async () =>
            (await stats(server, who, `?businessId=${name}`)).businessConnections === left + 1, 2000 * SLOW);
        if (fresh.known) {
            for (const { zoe } of lost) {
                await chat.next('user:offline', (e) => e.userId === zoe.id, 8000 * SLOW);
                assert.deepEqual(changes(chat, zoe.id), ['user:online', 'user:offline']);
            }
        }
        people.forEach((p) => p.c.close());
        fresh.chat.close();
    });
});

describe('hosts and Redis die', () => {
    const cluster = useCluster({ workers: 1, wires: true, allowLog: [/exited on signal 9/] });

    it('Redis killed and back: right again within 2 s, nobody flaps', { timeout: 60000 * SLOW }, async () => {
        const [first, second] = cluster.hosts;
        const { name, who, chat } = await dashboard(first);
        const zoe = customer({ business: name });
        const c = await connect(second, zoe);
        await chat.next('user:online', (e) => e.userId === zoe.id);
        const q = `?businessId=${name}&userId=${zoe.id}`;
        assert.equal((await stats(first, who, q)).isUserOnline, true);
        await cluster.redis.kill();
        await until('alone', async () => (await stats(first, who)).hosts === 1, 2000 * SLOW);
        await sleep(1000);
        await cluster.redis.start();
        await until('together again', async () => {
            const s = await stats(first, who, q);
            return s.hosts === 2 && s.isUserOnline && s.businessConnections === 2;
        }, 2000 * SLOW);
        await sleep(GRACE + 2000);
        assert.deepEqual(changes(chat, zoe.id), ['user:online']);
        c.close();
        await chat.next('user:offline', (e) => e.userId === zoe.id, 8000 * SLOW);
        chat.close();
    });

    it('the network is cut: the lost host does not count, though Redis keeps its subscriptions',
        { timeout: 60000 * SLOW }, async () => {
            const [first, second] = cluster.hosts;
            const { name, who, chat } = await dashboard(first);
            const zoe = customer({ business: name });
            const c = await connect(second, zoe);
            await chat.next('user:online', (e) => e.userId === zoe.id);
            cluster.wires[1].cut();
            await until('it does not count', async () => {
                const s = await stats(first, who, `?businessId=${name}&userId=${zoe.id}`);
                return s.hosts === 1 && !s.isUserOnline;
            }, 3000 * SLOW);
            await chat.next('user:offline', (e) => e.userId === zoe.id, 10000 * SLOW);
            cluster.wires[1].mend();
            await chat.next('user:online', (e) => e.userId === zoe.id, 8000 * SLOW);
            assert.equal((await stats(first, who)).hosts, 2);
            assert.deepEqual(changes(chat, zoe.id), ['user:online', 'user:offline', 'user:online']);
            c.close();
            chat.close();
        });

    it('a whole host is killed', { timeout: 60000 * SLOW }, async () => {
        const [first, second] = cluster.hosts;
        const { name, who, chat } = await dashboard(first);
        const zoe = customer({ business: name });
        const c = await connect(second, zoe);
        await chat.next('user:online', (e) => e.userId === zoe.id);
        const pids = [second.pid, ...second.workers()];
        pids.forEach((pid) => process.kill(pid, 'SIGKILL'));
        await until('it does not count', async () => {
            const s = await stats(first, who, `?businessId=${name}&userId=${zoe.id}`);
            return s.hosts === 1 && s.workers === 1 && !s.isUserOnline && s.businessConnections === 1;
        }, 2000 * SLOW);
        await chat.next('user:offline', (e) => e.userId === zoe.id, 8000 * SLOW);
        assert.deepEqual(changes(chat, zoe.id), ['user:online', 'user:offline']);
        c.close();
        chat.close();
        second.exit = { code: 0 };
        await second.stop();
        await cluster.restartHost(1);
        await until('a new host', async () => (await stats(first, who)).hosts === 2, 3000 * SLOW);
    });
});

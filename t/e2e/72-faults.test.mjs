// Two hosts, a crowd that chats through a front without affinity, and faults injected meanwhile:
// what was acknowledged is stored, and every member has heard what is stored, once and in order.
//
// SCALE=5 makes it 500 clients and faults that last as long as they would in earnest; a table is
// printed for each fault.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { Cluster } from './lib/cluster.mjs';
import { Crowd } from './lib/crowd.mjs';
import { request } from './lib/http.mjs';
import { sleep, SLOW, until } from './lib/nginx.mjs';
import { Mongod, mongodProgram } from '../lib/mongod.mjs';

const SCALE = Number(process.env.SCALE || 1);
const EACH = 5;
const ROOMS = 20 * SCALE;
const AWAY = SCALE > 1 ? 10000 : 2500;      // a server that is down
const PAUSE = SCALE > 1 ? 15000 : 5000;     // a server that hangs: longer than anybody's patience
const LONG = { timeout: 300000 * SLOW * Math.max(1, SCALE / 2) };
const AGAIN = { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 2000,
    timeout: 10000 * SLOW };

async function metric(host, name)
{
    const r = await request(`${host.url}/metrics`);
    return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec(r.text)?.[1] || 0);
}

// Chats, injects, goes on, and compares what each client has with what is stored.
async function through(cluster, name, inject)
{
    const crowd = new Crowd(cluster, { rooms: ROOMS, each: EACH,
        options: (i) => ({ ...[WEBSOCKET, POLLING, DEFAULT][i % 3], ...AGAIN }) });
    await crowd.gather();
    const start = Date.now();
    let stop = false;
    const writing = (async () => {
        while (!stop) {
            await crowd.write(4);
        }
    })();
    await sleep(500);
    await inject(crowd);
    await sleep(500);
    stop = true;
    await writing;
    await until('all are back', () => crowd.members.every((m) => m.joined || m.faults.length),
        90000 * SLOW);
    await crowd.write(2);
    const total = await crowd.settle(60000 * SLOW);
    const acked = [...crowd.acked.values()].reduce((n, a) => n + a.size, 0);
    const heard = crowd.members.reduce((n, m) => n + m.seen.length, 0);
    const again = crowd.members.filter((m) => m.joins > 1).length;
    console.log(`# ${name}: ${((Date.now() - start) / 1000).toFixed(1)} s, ${crowd.members.length} clients, `
        + `acked ${acked}, stored ${total}, delivered ${heard} of ${total * EACH}, `
        + `refused or unanswered ${crowd.refused.length}, reconnected ${again}`);
    assert.equal(heard, total * EACH);
    assert.ok(acked > ROOMS, 'they chatted');
    crowd.leave();
    return crowd;
}

for (const kind of ['sqlite', 'mongo']) {
    describe(`faults, ${kind}`, { skip: kind === 'mongo' && !mongodProgram() && 'no mongod' }, () => {
        let mongod;
        let cluster;

        before(async () => {
            mongod = kind === 'mongo' ? await new Mongod().start() : null;
            cluster = await new Cluster({ workers: 2, wires: true, connections: 4096,
                store: mongod && `${mongod.uri}faults`,
                realtime: 'realtime_rate off;',
                server: 'location = /metrics { realtime_metrics; }',
                allowLog: [/exited on signal 9/] }).start();
        }, { timeout: 120000 });

        after(async () => {
            await cluster?.stop();
            await mongod?.stop();
        }, { timeout: 120000 });

        it('none: nothing is refused, nobody reconnects, nothing is healed', LONG, async () => {
            const names = ['hole', 'gap', 'doubt'].map((r) => `realtime_heal_reads_total{reason="${r}"}`);
            const reads = () => Promise.all(names.map(async (n) => (await Promise.all(
                cluster.hosts.map((h) => metric(h, n)))).reduce((a, b) => a + b, 0)));
            const before = await reads();
            const crowd = await through(cluster, 'none', () => sleep(1000));
            assert.deepEqual(crowd.refused, []);
            assert.ok(crowd.members.every((m) => m.joins === 1));
            const healed = (await reads()).map((n, i) => n - before[i]);
            const total = [...crowd.acked.values()].reduce((n, a) => n + a.size, 0);
            assert.ok(healed.reduce((a, b) => a + b) <= total / 100,
                `rooms were read for a hole, a gap, a doubt: ${healed}; for ${total} messages`);
        });

        it('Redis killed and restarted', LONG, () => through(cluster, 'Redis killed', async () => {
            await cluster.redis.kill();
            await sleep(AWAY);
            await cluster.redis.start();
            await sleep(2000);
        }));

        it('Redis paused', LONG, () => through(cluster, 'Redis paused', async () => {
            cluster.redis.pause();
            await sleep(PAUSE);
            cluster.redis.resume();
            await sleep(2000);
        }));

        it('the connections to Redis killed every second', LONG, () => through(cluster,
            'CLIENT KILL every second', async () => {
                for (let i = 0; i < AWAY / 1000; i += 1) {
                    await sleep(1000);
                    cluster.redis.cli('client', 'kill', 'type', 'pubsub');
                    cluster.redis.cli('client', 'kill', 'type', 'normal');
                }
            }));

        it('the network cut between a host and Redis', LONG, () => through(cluster, 'network cut',
            async () => {
                cluster.wires[1].cut();
                await sleep(PAUSE);
                cluster.wires[1].mend();
                await sleep(2000);
            }));

        it('a worker killed', LONG, () => through(cluster, 'worker killed', async () => {
            for (const host of cluster.hosts) {
                host.signal('SIGKILL', host.workers()[0]);
                await sleep(1500);
            }
        }));

        it('a host killed', LONG, () => through(cluster, 'host killed', async () => {
            const host = cluster.hosts[1];
            [host.pid, ...host.workers()].forEach((pid) => host.signal('SIGKILL', pid));
            await sleep(AWAY);
            host.exit = { code: 0 };
            await host.stop();
            await cluster.restartHost(1);
            await sleep(2000);
        }));

        it('mongod killed and restarted', { ...LONG, skip: kind === 'sqlite' }, () => through(cluster,
            'mongod killed', async (crowd) => {
                const joins = crowd.members.reduce((n, m) => n + m.joins, 0);
                await mongod.kill();
                await sleep(AWAY);
                assert.equal(crowd.members.reduce((n, m) => n + m.joins, 0), joins, 'connections stay');
                await mongod.run();
                await sleep(2000);
            }));

        it('mongod paused', { ...LONG, skip: kind === 'sqlite' }, () => through(cluster,
            'mongod paused', async (crowd) => {
                const joins = crowd.members.reduce((n, m) => n + m.joins, 0);
                mongod.signal('SIGSTOP');
                await sleep(PAUSE);
                assert.equal(crowd.members.reduce((n, m) => n + m.joins, 0), joins, 'connections stay');
                mongod.signal('SIGCONT');
                await sleep(2000);
            }));
    });
}

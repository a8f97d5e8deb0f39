// How many events a second POST /api/events takes, one by one and in arrays, how many are read from the
// stream, and how long one takes to a dashboard. Starts an nginx and a Redis of its own; needs what
// t/run has installed. MONGODB_TEST_URI: the stores are databases there.
//
//     node bench/events.mjs [workers] [seconds]

import { performance } from 'node:perf_hooks';
import http from 'node:http';

import { connect } from '../t/e2e/lib/chat.mjs';
import { request } from '../t/e2e/lib/http.mjs';
import { Server, sleep, until } from '../t/e2e/lib/nginx.mjs';
import { Redis } from '../t/e2e/lib/redis.mjs';
import { person, staff } from '../t/e2e/lib/token.mjs';

const workers = Number(process.argv[2] || 2);
const seconds = Number(process.argv[3] || 3);
const service = person('SERVICE', { business: null });
const agent = new http.Agent({ keepAlive: true });
const event = { event: 'booking.created', businessId: 'bench', clientName: 'Zoe' };

const server = await new Server({ workers, realtime: 'realtime_rate off;' }).start();
const post = async (body) => {
    const r = await request(`${server.url}/api/events`, { method: 'POST', body, agent,
        headers: { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json' } });
    if (r.status !== 201) {
        throw new Error(`${r.status} ${r.text}`);
    }
};

async function rate(size, parallel)
{
    const body = JSON.stringify(size === 1 ? event : Array(size).fill(event));
    const end = performance.now() + seconds * 1000;
    const start = performance.now();
    let count = 0;
    await Promise.all(Array.from({ length: parallel }, async () => {
        while (performance.now() < end) {
            await post(body);
            count += size;
        }
    }));
    const perSecond = Math.round(count / (performance.now() - start) * 1000);
    console.log(`arrays of ${size}, ${parallel} at a time: ${perSecond} events/s`);
}

for (const [size, parallel] of [[1, 1], [1, 32], [100, 4], [1000, 4]]) {
    await rate(size, parallel);
}

// Milliseconds from raising an event to its delivery, one after the other.
async function latency(name, at, raise)
{
    const dashboard = await connect(at, staff({ business: 'latency' }));
    const took = [];
    for (let i = 0; i < 1000; i += 1) {
        const start = performance.now();
        const heard = new Promise((resolve) => dashboard.socket.once('booking.created', resolve));
        raise();
        await heard;
        took.push(performance.now() - start);
    }
    took.sort((a, b) => a - b);
    console.log(`${name} to delivery: p50 ${took[500].toFixed(2)} ms, p99 ${took[990].toFixed(2)} ms`);
}

await latency('POST', server, () => post({ ...event, businessId: 'latency' }));
agent.destroy();
await server.stop();

const redis = await new Redis().start();
const client = redis.client();
const reader = await new Server({ workers, realtime: 'realtime_rate off;',
    http: `realtime_redis 127.0.0.1:${redis.port};` }).start();
const add = (at, business) => at.xadd('realtime:events', '*', 'event', event.event, 'businessId', business,
    'clientName', 'Zoe');

// What waits in the stream already, so that only its reading counts.
async function drain(count)
{
    const lag = async () => {
        const [group] = await client.xinfo('GROUPS', 'realtime:events');
        return group[group.indexOf('lag') + 1] + group[group.indexOf('pending') + 1];
    };
    await until('the group is there', () => lag().then(() => true, () => false));
    await client.set('realtime:events:reader', 'bench', 'PX', 60000);     // nobody reads now
    await sleep(1500);
    for (let i = 0; i < count; i += 1000) {
        const pipeline = client.pipeline();
        for (let j = 0; j < 1000; j += 1) {
            add(pipeline, 'bench');
        }
        await pipeline.exec();
    }
    await client.del('realtime:events:reader');
    await until('somebody reads', async () => await lag() < count, 5000);
    const start = performance.now();
    const first = await lag();
    await until('all are read', async () => await lag() === 0, 120000);
    const perSecond = Math.round(first / (performance.now() - start) * 1000);
    console.log(`by the stream, ${count} that wait: ${perSecond} events/s`);
}

await drain(50000);
await latency('XADD', reader, () => add(client, 'latency'));
client.disconnect();
await reader.stop();
await redis.stop();

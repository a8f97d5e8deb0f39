// How many events a second POST /api/events takes, one by one and in arrays, and how long one takes
// to a dashboard. Starts an nginx of its own; needs what t/run has installed.
//
//     node bench/events.mjs [workers] [seconds]

import { performance } from 'node:perf_hooks';
import http from 'node:http';

import { connect } from '../t/e2e/lib/chat.mjs';
import { request } from '../t/e2e/lib/http.mjs';
import { Server } from '../t/e2e/lib/nginx.mjs';
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

const dashboard = await connect(server, staff({ business: 'latency' }));
const took = [];
for (let i = 0; i < 1000; i += 1) {
    const start = performance.now();
    const heard = new Promise((resolve) => dashboard.socket.once('booking.created', resolve));
    post({ ...event, businessId: 'latency' });
    await heard;
    took.push(performance.now() - start);
}
took.sort((a, b) => a - b);
console.log(`POST to delivery: p50 ${took[500].toFixed(2)} ms, p99 ${took[990].toFixed(2)} ms`);
agent.destroy();
await server.stop();

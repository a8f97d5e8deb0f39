// Exactly once, in order, none lost: a crowd over 4 workers, undisturbed, through reloads, and while
// workers are killed. SCALE=5 makes it 1,000 clients in 100 rooms.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { Crowd } from './lib/crowd.mjs';
import { alive, sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { staff } from './lib/token.mjs';

const SCALE = Number(process.env.SCALE || 1);
const ROOMS = 20 * SCALE;
const EACH = 10;
const LONG = { timeout: 240000 * SLOW * Math.max(1, SCALE / 2) };
const AGAIN = { reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 2000 };

const http = 'realtime_threads 8;';
const realtime = 'realtime_rate off;';
const connections = 8192;

describe(`a crowd of ${ROOMS * EACH} in ${ROOMS} rooms`, () => {
    describe('undisturbed', () => {
        const server = useServer({ workers: 4, http, realtime, connections });

        for (const [name, options, count] of [
            ['websocket', () => WEBSOCKET, 30],
            ['half of them polling', (i) => (i % 2 ? POLLING : WEBSOCKET), 10],
            ['with upgrades', () => DEFAULT, 10],
        ]) {
            it(name, LONG, async () => {
                const crowd = new Crowd(server, { rooms: ROOMS, each: EACH, options });
                await crowd.gather();
                await crowd.write(count);
                assert.deepEqual(crowd.refused, []);
                const total = await crowd.settle();
                assert.ok(total >= ROOMS * count, `${total} messages`);
                crowd.leave();
            });
        }
    });

    describe('through reloads', () => {
        const server = useServer({ workers: 4, http, realtime, connections });

        it('clients that reconnect and fetch history miss nothing', LONG, async () => {
            const crowd = new Crowd(server, { rooms: ROOMS, each: EACH,
                options: (i) => ({ ...[WEBSOCKET, POLLING, DEFAULT][i % 3], ...AGAIN }) });
            await crowd.gather();
            const writing = crowd.write(60);
            for (let i = 0; i < 2; i += 1) {
                await sleep(1000);
                await server.reload();
                await until('old workers are gone', () => !server.oldWorkers.some(alive), 12000 * SLOW);
            }
            await writing;
            await until('all are back', () => crowd.members.every((m) => m.joined || m.faults.length),
                60000 * SLOW);
            await crowd.write(3);
            await crowd.settle(60000 * SLOW);
            assert.ok(crowd.members.every((m) => m.joins >= 2), 'everybody was told to reconnect');
            crowd.leave();
        });
    });

    describe('while workers are killed', () => {
        const server = useServer({ workers: 4, http, realtime, connections,
            allowLog: [/exited on signal 9/] });

        it('what was acknowledged is stored, the others go on', LONG, async () => {
            const crowd = new Crowd(server, { rooms: ROOMS, each: EACH,
                options: (i) => ({ ...[WEBSOCKET, WEBSOCKET, POLLING][i % 3], ...AGAIN }) });
            await crowd.gather();
            const writing = crowd.write(80);
            for (let i = 0; i < 3; i += 1) {
                await sleep(700);
                const victim = server.workers()[i];
                server.signal('SIGKILL', victim);
                await until('a new worker', () => server.workers().length === 4
                    && !server.workers().includes(victim), 10000 * SLOW);
                const start = Date.now();
                const probe = await connect(server, staff());
                const took = Date.now() - start;
                // the crowd itself keeps this process busy
                assert.ok(took < 3000 * SLOW * SCALE, `a new client waited ${took} ms`);
                probe.close();
            }
            await writing;
            await until('all are back', () => crowd.members.every((m) => m.joined || m.faults.length),
                90000 * SLOW);
            await crowd.write(3);
            await crowd.settle(60000 * SLOW);
            const stayed = crowd.members.filter((m) => m.joins === 1).length;
            assert.ok(stayed > 0, 'clients of other workers never noticed');
            crowd.leave();
        });
    });
});

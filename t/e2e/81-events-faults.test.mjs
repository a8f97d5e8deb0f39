// Workers are killed while services raise events: each is stored once, and every dashboard, which
// comes back by itself and says what it has, hears each of them once and in order.
//
// SCALE=5 makes it 10,000 events and 50 dashboards.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Chat } from './lib/chat.mjs';
import { request, api } from './lib/http.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { person, staff } from './lib/token.mjs';

const SCALE = Number(process.env.SCALE || 1);
const EVENTS = SCALE > 1 ? 2000 * SCALE : 600;
const DASHBOARDS = 10 * SCALE;

describe('events while workers are killed', () => {
    const server = useServer({ workers: 3, allowLog: [/exited on signal 9/], connections: 4096 });

    it('each is stored once, and heard once and in order', { timeout: 240000 * SLOW }, async () => {
        const service = person('SERVICE', { business: null });
        const boards = Array.from({ length: DASHBOARDS }, () => {
            const who = staff();
            const seqs = [];
            const board = new Chat(server, who, { reconnection: true, reconnectionDelay: 50,
                reconnectionDelayMax: 500,
                auth: (give) => give({ token: who.token, lastNotificationSeq: seqs.at(-1) || 0 }) });
            board.socket.on('notification:new', (n) => seqs.push(n.seq));
            return { board, seqs, who };
        });
        await until('all are there', () => boards.every((b) => b.board.all('connected').length),
            20000 * SLOW);

        // as a client with retry would: the same id until it is answered
        const raise = async (i) => {
            for (;;) {
                try {
                    const r = await request(`${server.url}/api/events`, { method: 'POST',
                        headers: { Authorization: `Bearer ${service.token}`,
                            'Content-Type': 'application/json' },
                        body: { event: 'booking.created', businessId: 'biz-a', id: `e${i}` } });
                    if (r.status === 200 || r.status === 201) {
                        return r.json.notifications[0];
                    }
                } catch {
                    // its worker was killed
                }
                await sleep(50);
            }
        };

        let next = 0;
        let done = false;
        const ids = [];
        const raising = Promise.all(Array.from({ length: 8 }, async () => {
            while (next < EVENTS) {
                const i = next;
                next += 1;
                ids[i] = await raise(i);
            }
        })).then(() => { done = true; });
        let killed = 0;
        while (!done || killed < 3) {
            const [pid] = server.workers();
            if (pid) {
                server.signal('SIGKILL', pid);
                killed += 1;
            }
            await sleep(300);
        }
        await raising;

        assert.equal(new Set(ids).size, EVENTS);
        const stored = await api(server, boards[0].who).get('/notifications?limit=1');
        assert.equal(stored.json.total, EVENTS, 'each is stored once');
        await until('all have all', () => boards.every((b) => b.seqs.length >= EVENTS), 60000 * SLOW);
        await sleep(300);
        for (const { seqs } of boards) {
            assert.deepEqual(seqs, seqs.map((_, i) => i + 1));
            assert.equal(seqs.length, EVENTS);
        }
        const back = boards.filter((b) => b.board.all('connected').length > 1).length;
        console.log(`# ${EVENTS} events, ${killed} workers killed, ${DASHBOARDS} dashboards, of which `
            + `${back} came back`);
    });
});

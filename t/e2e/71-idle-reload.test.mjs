// Many idle clients and a reload: each is told, not all in one instant, the old workers are gone in
// time, everybody is back. SCALE=10 makes it 10,000.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Frames, frame, OP } from './lib/frames.mjs';
import { alive, sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { staff } from './lib/token.mjs';

const COUNT = 1000 * Number(process.env.SCALE || 1);

describe(`${COUNT} idle clients`, () => {
    const server = useServer({ workers: 2, connections: Math.max(4096, 2 * COUNT + 1000) });

    it('come back after a reload', { timeout: 240000 * SLOW }, async () => {
        const tokens = Array.from({ length: 20 }, () => staff().token);
        const open = async (i) => {
            for (let tries = 0; ; tries += 1) {
                try {
                    const ws = await new Frames(server, `/realtime?token=${tokens[i % 20]}`).open();
                    assert.match(String((await ws.message()).payload), /"connected"/);
                    return ws;
                } catch (e) {
                    if (tries === 20) {
                        throw e;
                    }
                    await sleep(200);
                }
            }
        };
        const opening = async (indexes) => {
            const all = [];
            for (let i = 0; i < indexes.length; i += 100) {
                all.push(...await Promise.all(indexes.slice(i, i + 100).map(open)));
            }
            return all;
        };
        const clients = await opening(Array.from({ length: COUNT }, (_, i) => i));

        const start = Date.now();
        const told = clients.map(async (ws, i) => {
            let f;
            do {    // colleagues come and go, too
                f = await ws.read(20000 * SLOW);
            } while (f?.opcode === OP.TEXT);
            const at = Date.now() - start;
            assert.equal(f?.opcode, OP.CLOSE, 'told by a close frame');
            const code = f.payload.readUInt16BE(0);
            assert.ok([1001, 1012].includes(code), `code ${code}`);
            ws.write(frame(OP.CLOSE, f.payload));
            await ws.need(() => ws.ended || undefined, 'end', 10000 * SLOW);
            ws.socket.destroy();
            const back = await open(i);
            return { at, back };
        });
        await server.reload();
        await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
        const gone = Date.now() - start;
        const results = await Promise.all(told);
        assert.ok(gone < 10000 * SLOW, `old workers took ${gone} ms`);
        const times = results.map((r) => r.at).sort((a, b) => a - b);
        const [first, last] = [times[0], times.at(-1)];
        assert.ok(last - first > 1000, `all were told within ${last - first} ms`);
        assert.ok(last < 8000 * SLOW, `the last was told after ${last} ms`);
        // no fifth of a second holds more than a third of them
        const busiest = Math.max(...times.map((t) => times.filter((u) => u >= t && u < t + 200).length));
        assert.ok(busiest < COUNT / 3, `${busiest} of ${COUNT} within 200 ms`);
        assert.equal(results.length, COUNT);
    });
});

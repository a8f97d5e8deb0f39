// REST calls whose client or worker goes away while they are out: what was answered is stored once,
// nothing else is disturbed.

import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import { describe, it } from 'node:test';

import { api, createRoom } from './lib/http.mjs';
import { sleep, SLOW, useServer } from './lib/nginx.mjs';
import { customer } from './lib/token.mjs';

const LONG = { timeout: 60000 * SLOW };

// all messages of a room, by pages
async function history(server, who, roomId)
{
    const messages = [];
    for (let page = 1; ; page += 1) {
        const r = await api(server, who).get(`/chat/rooms/${roomId}/messages?page=${page}&limit=100`);
        assert.equal(r.status, 200, r.text);
        assert.equal(r.headers['x-total-count'], String(r.json.total));
        messages.unshift(...r.json.messages);
        if (!r.json.hasMore) {
            assert.equal(messages.length, r.json.total);
            return messages;
        }
    }
}

function assertWhole(messages)
{
    assert.deepEqual(messages.map((m) => m.seq), messages.map((_, i) => i + 1));
}

describe('REST calls that are out', () => {
    const server = useServer({ workers: 2, tls: true, http2: true });

    it('clients that leave disturb nobody', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const leaving = [];
        for (let i = 0; i < 200; i += 1) {
            const body = JSON.stringify({ content: `left ${i}` });
            const r = http.request(`${server.url}/api/chat/rooms/${roomId}/messages`, {
                method: i % 4 === 3 ? 'GET' : 'POST',
                agent: false,
                headers: { Authorization: `Bearer ${anna.token}`, 'Content-Type': 'application/json' },
            });
            r.on('error', () => {});
            leaving.push(new Promise((resolve) => { r.on('close', resolve); }));
            // whole requests, and halves of bodies
            r.write(i % 4 === 1 ? body.slice(0, 10) : body);
            if (i % 4 !== 1) {
                r.end();
            }
            setTimeout(() => r.destroy(), i % 7);
        }
        await Promise.all(leaving);
        const sent = await api(server, anna).post(`/chat/rooms/${roomId}/messages`, { content: 'stayed' });
        assert.equal(sent.status, 201, sent.text);
        await sleep(200);
        const messages = await history(server, anna, roomId);
        assertWhole(messages);
        assert.equal(messages.filter((m) => m.content === 'stayed').length, 1);
    });

    it('streams of HTTP/2 that are reset leave the connection whole', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const session = http2.connect(server.tlsUrl, { rejectUnauthorized: false });
        const post = (content, resetAfterMs) => new Promise((resolve) => {
            const stream = session.request({ ':method': 'POST',
                ':path': `/api/chat/rooms/${roomId}/messages`,
                authorization: `Bearer ${anna.token}`, 'content-type': 'application/json' });
            let status;
            stream.on('response', (h) => { status = h[':status']; });
            stream.on('error', () => {});
            stream.on('close', () => resolve(status));
            stream.resume();
            stream.write('{"content":');
            if (resetAfterMs === undefined) {
                stream.end(`"${content}"}`);
            } else {
                setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), resetAfterMs);
                if (resetAfterMs % 2) {
                    stream.end(`"${content}"}`);
                }
            }
        });
        const answers = await Promise.all(Array.from({ length: 90 },
            (_, i) => post(`m${i}`, i % 3 === 0 ? undefined : i % 10)));
        assert.ok(answers.filter((_, i) => i % 3 === 0).every((status) => status === 201), answers);
        assert.equal(await post('last'), 201);
        session.destroy();
        const messages = await history(server, anna, roomId);
        assertWhole(messages);
        for (let i = 0; i < 90; i += 3) {
            assert.equal(messages.filter((m) => m.content === `m${i}`).length, 1);
        }
    });

    it('a reload answers what is out, and stores what it answers', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const stored = [];
        let over = false;
        const writers = Array.from({ length: 16 }, async (_, w) => {
            for (let i = 0; !over; i += 1) {
                let r;
                try {
                    r = await api(server, anna).post(`/chat/rooms/${roomId}/messages`,
                        { content: `${w}-${i}`, clientMessageId: `${w}-${i}` });
                } catch {
                    continue;   // accepted by nobody: a listening socket went with its worker
                }
                assert.equal(r.status, 201, r.text);
                stored.push(r.json._id);
            }
        });
        for (let i = 0; i < 3; i += 1) {
            await sleep(300);
            await server.reload();
        }
        await sleep(300);
        over = true;
        await Promise.all(writers);
        const messages = await history(server, anna, roomId);
        assertWhole(messages);
        const ids = new Set(messages.map((m) => m._id));
        assert.ok(stored.length > 0 && stored.every((id) => ids.has(id)));
    });
});

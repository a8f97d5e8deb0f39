// TLS and HTTP/2: polling and REST over h2, WebSocket over TLS.

import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, before, describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { SEPARATOR, Ws } from './lib/eio.mjs';
import { createRoom, request } from './lib/http.mjs';
import { until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const QUICK = { timeout: 30000 };

describe('TLS and HTTP/2', () => {
    const server = useServer({ workers: 4, tls: true, http2: true,
        realtime: 'realtime_max_payload 300k;' });
    let session;

    before(async () => {
        session = http2.connect(server.tlsUrl, { rejectUnauthorized: false });
        await new Promise((resolve, reject) => {
            session.on('connect', resolve);
            session.on('error', reject);
        });
        server.onClose(() => session.destroy());
    });
    after(() => session?.destroy());

    const h2 = (path, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path, ':method': method, ...headers });
        let status;
        let answer = {};
        const parts = [];
        stream.on('response', (h) => { status = h[':status']; answer = h; });
        stream.on('data', (part) => parts.push(part));
        stream.on('error', reject);
        stream.on('end', () => {
            const text = Buffer.concat(parts).toString();
            resolve({ status, headers: answer, text,
                json: text.startsWith('{') ? JSON.parse(text) : undefined });
        });
        stream.end(body);
    });

    for (const [name, transport] of Object.entries({ WEBSOCKET, POLLING, DEFAULT })) {
        it(`socket.io-client over TLS: ${name.toLowerCase()}`, QUICK, async () => {
            const anna = customer();
            const options = { ...transport, base: server.tlsUrl, rejectUnauthorized: false };
            const a = await connect(server, anna, options);
            const s = await connect(server, staff(), options);
            const { roomId } = await a.ask('chat:join-room', { businessId: 'biz-a', userName: 'A' });
            await s.ask('chat:join-room', { roomId });
            for (let i = 0; i < 10; i += 1) {
                const sent = await a.ask('chat:send-message', { roomId, content: `m${i} ${'x'.repeat(i * 1000)}` });
                assert.equal(sent.success, true, JSON.stringify(sent));
                assert.deepEqual(await s.next('chat:new-message'), sent.message);
            }
            await until('the transport', () => a.transport === transport.transports.at(-1));
            [a, s].forEach((c) => c.close());
        });
    }

    it('plain WebSocket over TLS', QUICK, async () => {
        const ws = new Ws(server, `${server.tlsUrl.replace('http', 'ws')}/realtime?token=${customer().token}`);
        assert.equal(JSON.parse(await ws.next()).event, 'connected');
        ws.send('{"event":"chat:join-room","data":{"businessId":"biz-a","userName":"A"},"id":1}');
        assert.equal(JSON.parse(await ws.next()).data.success, true);
    });

    it('a whole polling session over HTTP/2', QUICK, async () => {
        const base = '/socket.io/?EIO=4&transport=polling';
        const open = await h2(base);
        assert.equal(open.status, 200, open.text);
        const { sid } = JSON.parse(open.text.slice(1));
        const path = `${base}&sid=${sid}`;
        const post = (body) => h2(path, { method: 'POST', body });
        const anna = customer();
        assert.equal((await post(`40/realtime,${JSON.stringify({ token: anna.token })}`)).text, 'ok');
        const packets = [];
        while (!packets.some((p) => p.includes('"connected"'))) {
            packets.push(...(await h2(path)).text.split(SEPARATOR));
        }
        // held while another stream of the same connection posts
        const held = h2(path);
        assert.equal((await post('42/realtime,1["chat:join-room",{"businessId":"biz-a","userName":"A"}]')).text, 'ok');
        assert.match((await held).text, /^43\/realtime,1\[\{/);
        const large = 'x'.repeat(200000);
        assert.equal((await post(`42/realtime,2["chat:send-message",{"roomId":"${large}","content":"x"}]`)).text, 'ok');
        assert.match((await h2(path)).text, /^43\/realtime,2\[\{"success":false/);
        assert.equal((await post('x'.repeat(400000))).status, 413);
    });

    it('a held GET is let go when its stream is reset', QUICK, async () => {
        const base = '/socket.io/?EIO=4&transport=polling';
        const { sid } = JSON.parse((await h2(base)).text.slice(1));
        const stream = session.request({ ':path': `${base}&sid=${sid}` });
        stream.on('error', () => {});
        await new Promise((resolve) => setTimeout(resolve, 200));
        stream.close(http2.constants.NGHTTP2_CANCEL);
        await new Promise((resolve) => setTimeout(resolve, 200));
        await h2(`${base}&sid=${sid}`, { method: 'POST', body: '1' });
        assert.equal((await h2(`${base}&sid=${sid}`)).status, 400);
    });

    it('REST over HTTP/2', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const headers = { authorization: `Bearer ${anna.token}`, 'content-type': 'application/json' };
        const sent = await h2(`/api/chat/rooms/${roomId}/messages`,
            { method: 'POST', headers, body: JSON.stringify({ content: 'over h2' }) });
        assert.equal(sent.status, 201, sent.text);
        const list = await h2(`/api/chat/rooms/${roomId}/messages`, { headers });
        assert.ok(list.json.messages.some((m) => m._id === sent.json._id));
        const many = await Promise.all(Array.from({ length: 30 }, (_, i) =>
            h2(`/api/chat/rooms/${roomId}/messages`,
                { method: 'POST', headers, body: JSON.stringify({ content: `m${i}` }) })));
        assert.ok(many.every((r) => r.status === 201));
        assert.equal((await h2('/api/chat/rooms', {})).status, 401);
        assert.equal((await h2('/api/chat/nothing', { headers })).status, 404);
    });

    it('no WebSocket over HTTP/2, an answer instead', QUICK, async () => {
        const r = await h2('/socket.io/?EIO=4&transport=websocket');
        assert.equal(r.status, 400, r.text);
        assert.equal(r.json.code, 3);
    });

    it('plain HTTP beside it', QUICK, async () => {
        assert.equal((await request(`${server.url}/socket.io/?EIO=4&transport=polling`)).status, 200);
    });
});

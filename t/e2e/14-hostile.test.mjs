// Thousands of broken frames, packets, bodies and requests, made from good ones by a generator with
// a fixed seed. Nothing is asked of the answers; nginx must live, and serve the next client.
// SEED=n tries others.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';

import { connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { frame, Frames, OP } from './lib/frames.mjs';
import { Poll } from './lib/eio.mjs';
import { api, createRoom, request } from './lib/http.mjs';
import { sleep, SLOW, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const SEED = Number(process.env.SEED || 1);
const LONG = { timeout: 120000 * SLOW };

// mulberry32: small, and the same everywhere
function generator(seed)
{
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = a;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

const PIECES = ['"', '{', '}', '[', ']', ',', ':', '\\', '\\u0000', '\\ud800', '\u0000', '0', '-1', '1e999',
    'null', 'true', '9'.repeat(30), '4', '42', '45', '51-', '/realtime,', '\x1e', 'b', '=', '%', '\r\n', ' ',
    '"_placeholder":true,"num":0', '\ud83d\ude00', '$ne', '__proto__', 'x'.repeat(3000), '['.repeat(100)];

function mutate(bytes, random)
{
    let b = Buffer.from(bytes);
    const at = () => Math.floor(random() * (b.length + 1));
    for (let n = 1 + Math.floor(random() * 3); n > 0; n -= 1) {
        const i = at();
        switch (Math.floor(random() * 6)) {
        case 0: b = Buffer.concat([b.subarray(0, i), b.subarray(i + 1)]); break;
        case 1: b = b.subarray(0, i); break;
        case 2: if (b.length) { b = Buffer.from(b); b[i % b.length] ^= 1 << Math.floor(random() * 8); } break;
        case 3: b = Buffer.concat([b.subarray(0, i), b.subarray(Math.min(i, at())), b.subarray(i)]); break;
        default: b = Buffer.concat([b.subarray(0, i),
            Buffer.from(PIECES[Math.floor(random() * PIECES.length)]), b.subarray(i)]);
        }
    }
    return b;
}

describe('hostile input', () => {
    const server = useServer({ workers: 2, locations: `
        location /socket.io/ { realtime on; realtime_rate off; realtime_max_payload 100k; }
        location /realtime { realtime on; realtime_rate off; realtime_max_payload 100k; realtime_deflate on; }
        location /engine.io/ { realtime_echo engine; }
        location /echo/ { realtime_echo socket; }
        location /ws { realtime_echo websocket; realtime_deflate on; }
        location /api/ { realtime_api on; }` });

    const alive = async () => {
        const pids = server.workers();
        for (const transport of [WEBSOCKET, POLLING]) {
            const chat = await connect(server, customer(), transport);
            const joined = await chat.ask('chat:join-room', { businessId: 'biz-a', userName: 'A' });
            assert.equal(joined.success, true, JSON.stringify(joined));
            chat.close();
        }
        assert.doesNotMatch(server.logText(), /exited on signal/);
        return pids;
    };

    const packets = (roomId) => [
        `42/realtime,1["chat:send-message",{"roomId":"${roomId}","content":"x","attachments":["a"],"metadata":{"a":[1,{}]}}]`,
        `42/realtime,2["chat:join-room",{"roomId":"${roomId}"}]`, `42/realtime,["chat:leave-room",{"roomId":"${roomId}"}]`,
        `42/realtime,3["chat:read-messages",{"roomId":"${roomId}","messageIds":["0123456789abcdef01234567"]}]`,
        `42/realtime,["chat:typing",{"roomId":"${roomId}","isTyping":true}]`,
        '41/realtime,', '40/realtime,{"token":"x"}', '43/realtime,5["x"]', '3', '5', '2probe', '6', '1',
        '451-/realtime,["chat:send-message",{"_placeholder":true,"num":0}]',
        `42/realtime,4["chat:join-room",{"businessId":"biz-a","userName":"A","email":"a@b.c"}]`,
    ];

    for (const [name, path, opening] of [
        ['Socket.IO', '/socket.io/?EIO=4&transport=websocket', (who) => [`40/realtime,${JSON.stringify({ token: who.token })}`]],
        ['plain WebSocket', '/realtime', (who) => [JSON.stringify({ event: 'auth', data: { token: who.token } })]],
        ['Engine.IO echo', '/engine.io/?EIO=4&transport=websocket', () => []],
        ['Socket.IO echo', '/echo/?EIO=4&transport=websocket', () => ['40', '40/custom,']],
    ]) {
        it(`WebSocket messages: ${name}`, LONG, async () => {
            const random = generator(SEED);
            const anna = customer();
            const roomId = await createRoom(server, anna);
            let samples = packets(roomId);
            if (name.startsWith('plain')) {
                samples = samples.map((p) => /\[("[^"]+"),(.*)\]$/.exec(p)).filter(Boolean)
                    .map(([, event, data]) => `{"event":${event},"data":${data},"id":7}`);
            } else if (name.includes('echo')) {
                samples = samples.map((p) => p.replace('/realtime,', random() < 0.5 ? '' : '/custom,')
                    .replace(/chat:[a-z-]+/, random() < 0.5 ? 'message' : 'message-with-ack'));
            }
            for (let round = 0; round < 60; round += 1) {
                const ws = await new Frames(server, path).open();
                ws.write(...opening(anna).map((m) => frame(OP.TEXT, m)));
                for (let i = 0; i < 12 && !ws.ended; i += 1) {
                    const sample = samples[Math.floor(random() * samples.length)];
                    ws.write(frame(random() < 0.95 ? OP.TEXT : OP.BINARY, mutate(sample, random)));
                }
                await Promise.race([sleep(15), ws.need(() => ws.ended || undefined, 'end')]);
                ws.socket.destroy();
            }
            await alive();
        });
    }

    it('frames', LONG, async () => {
        const random = generator(SEED + 1);
        const good = [frame(OP.TEXT, 'hello'), frame(OP.BINARY, Buffer.alloc(300)), frame(OP.PING, 'x'),
            frame(OP.TEXT, 'a', { fin: false }), frame(OP.CONT, 'b'), frame(OP.TEXT, Buffer.from('f248cdc9c90700', 'hex'), { rsv: 4 }),
            frame(OP.CLOSE, Buffer.from([3, 232]))];
        for (let round = 0; round < 150; round += 1) {
            const ws = new Frames(server, '/ws', { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } });
            await ws.open();
            for (let i = 0; i < 8 && !ws.ended; i += 1) {
                ws.write(mutate(good[Math.floor(random() * good.length)], random));
            }
            await Promise.race([sleep(10), ws.need(() => ws.ended || undefined, 'end')]);
            ws.socket.destroy();
        }
        await alive();
    });

    it('polling bodies', LONG, async () => {
        const random = generator(SEED + 2);
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const samples = packets(roomId);
        for (let round = 0; round < 80; round += 1) {
            const p = await new Poll(`${server.url}/socket.io/`).open();
            await p.post(`40/realtime,${JSON.stringify({ token: anna.token })}`);
            for (let i = 0; i < 4; i += 1) {
                const body = Array.from({ length: 1 + Math.floor(random() * 4) },
                    () => samples[Math.floor(random() * samples.length)]).join('\x1e');
                const r = await p.post(mutate(body, random));
                assert.ok([200, 400, 413].includes(r.status), `${r.status} ${r.text}`);
                if (r.status !== 200) {
                    break;
                }
            }
        }
        await alive();
    });

    it('requests and their headers', LONG, async () => {
        const random = generator(SEED + 3);
        const good = ['GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n',
            'POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n4ab',
            'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
            + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n',
            'POST /api/chat/rooms/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.b.c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
            'OPTIONS /api/chat/rooms HTTP/1.1\r\nHost: x\r\nOrigin: null\r\nAccess-Control-Request-Method: PUT\r\n\r\n'];
        for (let round = 0; round < 400; round += 1) {
            const socket = net.connect(server.port, '127.0.0.1');
            socket.on('error', () => {});
            socket.resume();
            socket.end(mutate(good[round % good.length], random));
            await Promise.race([sleep(8), new Promise((resolve) => socket.on('close', resolve))]);
            socket.destroy();
        }
        await alive();
    });

    it('REST bodies, paths and parameters: never a 500', LONG, async () => {
        const random = generator(SEED + 4);
        const sam = staff();
        const roomId = await createRoom(server, customer());
        const calls = [
            ['post', '/chat/rooms/create', '{"userId":"u","userName":"n","userEmail":"a@b.c"}'],
            ['post', `/chat/rooms/${roomId}/messages`, '{"content":"x","messageType":"text","attachments":["a"]}'],
            ['put', `/chat/rooms/${roomId}/messages/read`, '{"messageIds":["0123456789abcdef01234567"]}'],
            ['put', `/chat/rooms/${roomId}`, '{"priority":"high","tags":["a"],"assignedStaffId":"s"}'],
            ['get', `/chat/rooms/${roomId}/messages?page=1&limit=10&afterSeq=0&beforeMessageId=x`],
            ['get', '/chat/rooms?roomType=team-chat&isActive=true&page=2&limit=100&q=x&priority=low'],
            ['get', '/chat/unread-counts'], ['post', '/chat/rooms/team', '{"memberId":"m"}'],
        ];
        for (let round = 0; round < 400; round += 1) {
            const [method, path, body] = calls[round % calls.length];
            const safe = mutate(path, random).toString('latin1').replace(/[^!-~]/g, (c) => encodeURIComponent(c));
            const r = await api(server, sam)[method](random() < 0.4 ? safe : path,
                body && mutate(body, random)).catch((e) => ({ status: 0, error: e }));
            assert.notEqual(r.status, 500, `${method} ${safe}: ${r.text}`);
            if (r.status >= 400 && r.headers['content-type']?.startsWith('application/json')) {
                assert.equal(r.json.statusCode, r.status);
            }
        }
        assert.equal((await request(`${server.url}/_up`)).status, 200);
        await alive();
    });
});

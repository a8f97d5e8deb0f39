// Limits: event rate, payload, slow clients, heartbeat, timeouts, numbers of connections.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';

import { Chat, connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { openWs, Poll, Ws } from './lib/eio.mjs';
import { api, createRoom } from './lib/http.mjs';
import { frame, Frames, OP } from './lib/frames.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const QUICK = { timeout: 30000 };

describe('limits', () => {
    const server = useServer({ workers: 2, locations: `
        location /socket.io/ { realtime on; }
        location /rate/ { realtime on; realtime_rate 10r/s burst=5; }
        location /free/ { realtime on; realtime_rate off; realtime_send_buffer 256k; realtime_max_payload 4m; }
        location /small/ { realtime on; realtime_max_payload 2000; }
        location /beat/ { realtime on; realtime_ping_interval 300ms; realtime_ping_timeout 200ms; }
        location /quick/ { realtime on; realtime_connect_timeout 600ms; }
        location /other/ { realtime on; realtime_namespace /chat; }
        location /plain { realtime on; realtime_rate 10r/s burst=5; }
        location /api/ { realtime_api on; realtime_max_payload 20000; }` });
    const at = (path, options = WEBSOCKET) => ({ ...options, path });

    it('answers RATE_LIMITED past the rate, never with silence', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna, at('/rate/'));
        const answers = await Promise.all(Array.from({ length: 40 }, () =>
            a.ask('chat:read-messages', { roomId })));
        const limited = answers.filter((r) => r.code === 'RATE_LIMITED');
        const fine = answers.filter((r) => r.success);
        assert.equal(limited.length + fine.length, 40, JSON.stringify(answers));
        assert.ok(fine.length >= 5 && fine.length <= 20, `${fine.length} went through`);
        assert.ok(limited.every((r) => r.success === false && typeof r.error === 'string'));
        for (let i = 0; i < 30; i += 1) {
            a.emit('chat:typing', { roomId, isTyping: true });
        }
        const e = await a.next('error', (x) => x.code === 'RATE_LIMITED');
        assert.equal(e.event, 'chat:typing');
        await sleep(1500);
        assert.equal((await a.ask('chat:read-messages', { roomId })).success, true);
        assert.deepEqual(a.all('$disconnect'), []);
        a.close();
    });

    it('the same for plain WebSocket', QUICK, async () => {
        const ws = new Ws(server, `${server.url.replace('http', 'ws')}/plain?token=${customer().token}`);
        assert.match(await ws.next(), /"connected"/);
        for (let i = 0; i < 30; i += 1) {
            ws.send(JSON.stringify({ event: 'chat:join-room', data: { roomId: '0'.repeat(24) }, id: i }));
        }
        const codes = [];
        for (let i = 0; i < 30; i += 1) {
            codes.push(JSON.parse(await ws.next()).data.code);
        }
        assert.ok(codes.includes('RATE_LIMITED'), String(codes));
        assert.ok(codes.every((c) => ['RATE_LIMITED', 'NOT_FOUND'].includes(c)), String(codes));
    });

    it('50 events a second with 100 at once are the default', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna);
        const answers = await Promise.all(Array.from({ length: 100 }, () =>
            a.ask('chat:read-messages', { roomId })));
        assert.deepEqual(answers.filter((r) => !r.success), []);
        const more = await Promise.all(Array.from({ length: 100 }, () =>
            a.ask('chat:read-messages', { roomId })));
        assert.ok(more.some((r) => r.code === 'RATE_LIMITED'));
        a.close();
    });

    it('closes upon more than the payload limit, exactly', QUICK, async () => {
        const anna = customer();
        const fill = (n) => {
            const head = '42/realtime,["x","';
            return `${head}${'y'.repeat(n - head.length - 2)}"]`;
        };
        const ws = await openWs(server, `${server.url}/small/`);
        ws.send(`40/realtime,${JSON.stringify({ token: anna.token })}`);
        assert.match(await ws.next(), /^40/);
        assert.match(await ws.next(), /connected/);
        ws.send(fill(2000));
        ws.send('42/realtime,7["chat:join-room",{"roomId":"x"}]');
        assert.match(await ws.next(), /^43\/realtime,7\[/);
        ws.send(fill(2001));
        assert.equal((await ws.close()).code, 1009);

        const p = await new Poll(`${server.url}/small/`).open();
        assert.equal((await p.post(`40/realtime,${JSON.stringify({ token: anna.token })}`)).status, 200);
        assert.equal((await p.post(fill(2000))).status, 200);
        assert.equal((await p.post(fill(2001))).status, 413);
    });

    it('REST answers 413 in JSON past the limit', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        for (const chunked of [false, true]) {
            const r = await api(server, anna).post(`/chat/rooms/${roomId}/messages`,
                { content: 'x'.repeat(30000) }, { chunked });
            assert.equal(r.status, 413, r.text);
            assert.equal(r.json.statusCode, 413);
        }
    });

    it('drops a client that does not read, the others go on', { timeout: 90000 * SLOW }, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna, at('/free/'));
        const s = await connect(server, staff(), at('/free/'));
        await a.ask('chat:join-room', { roomId });
        await s.ask('chat:join-room', { roomId });

        // joins, then never reads again
        const lazy = staff();
        const raw = await new Frames(server, '/free/?EIO=4&transport=websocket').open();
        await raw.message();
        raw.write(frame(OP.TEXT, `40/realtime,${JSON.stringify({ token: lazy.token })}`),
            frame(OP.TEXT, `42/realtime,1["chat:join-room",{"roomId":"${roomId}"}]`));
        await s.next('chat:user-joined', (e) => e.userId === lazy.id);
        raw.socket.pause();

        const big = 'x'.repeat(10000);
        let sent = 0;
        let gone = false;
        s.next('chat:user-left', (e) => e.userId === lazy.id, 60000 * SLOW).then(() => { gone = true; }, () => {});
        while (!gone && sent < 3000) {
            const answers = await Promise.all(Array.from({ length: 20 }, () =>
                a.ask('chat:send-message', { roomId, content: big })));
            assert.ok(answers.every((r) => r.success), JSON.stringify(answers.find((r) => !r.success)));
            sent += 20;
        }
        assert.ok(gone, `${sent} messages of 10 KB, and it is still there`);
        await until('the others got all', () => s.all('chat:new-message').length === sent, 10000 * SLOW);
        assert.deepEqual(s.all('$disconnect'), []);
        [a, s].forEach((c) => c.close());
    });

    it('drops a polling client that does not poll', { timeout: 90000 * SLOW }, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna, at('/free/'));
        const p = await new Poll(`${server.url}/free/`).open();
        await p.post(`40/realtime,${JSON.stringify({ token: staff().token })}`);
        await p.until((m) => m.includes('"connected"'));
        await p.post(`42/realtime,1["chat:join-room",{"roomId":"${roomId}"}]`);
        await p.until((m) => m.startsWith('43/realtime,1'));
        const big = 'x'.repeat(10000);
        for (let i = 0; i < 60; i += 1) {
            assert.equal((await a.ask('chat:send-message', { roomId, content: big })).success, true);
        }
        const r = await until('its session is gone', async () => {
            const answer = await p.get();
            return answer.status === 400 && answer;
        });
        assert.equal(r.json.code, 1);
        a.close();
    });

    it('misses heartbeats: the room hears that somebody left', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const s = await connect(server, staff());
        await s.ask('chat:join-room', { roomId });
        for (const open of [
            async (who) => {
                const ws = await openWs(server, `${server.url}/beat/`);
                ws.send(`40/realtime,${JSON.stringify({ token: who.token })}`);
                ws.send(`42/realtime,1["chat:join-room",{"roomId":"${roomId}"}]`);
            },
            async (who) => {
                const p = await new Poll(`${server.url}/beat/`).open();
                await p.post([`40/realtime,${JSON.stringify({ token: who.token })}`,
                    `42/realtime,1["chat:join-room",{"roomId":"${roomId}"}]`]);
            },
        ]) {
            const ben = staff();
            await open(ben);
            await s.next('chat:user-joined', (e) => e.userId === ben.id);
            await s.next('chat:user-left', (e) => e.userId === ben.id);
        }
        s.close();
    });

    it('real clients live through many short heartbeats', QUICK, async () => {
        const chats = await Promise.all([WEBSOCKET, POLLING].map((t) =>
            connect(server, customer(), at('/beat/', t))));
        await sleep(3000);
        for (const chat of chats) {
            assert.deepEqual(chat.all('$disconnect'), []);
            assert.ok(chat.socket.connected);
            chat.close();
        }
    });

    it('closes who opens and never connects', QUICK, async () => {
        const start = Date.now();
        const ws = await openWs(server, `${server.url}/quick/`);
        const p = await new Poll(`${server.url}/quick/`).open();
        const held = p.get();
        await ws.close();
        assert.ok(Date.now() - start > 400);
        const r = await held;
        assert.equal(r.status, 200);
        assert.equal((await p.get()).json?.code, 1);
        const fine = await connect(server, customer(), at('/quick/'));
        await sleep(1000);
        assert.deepEqual(fine.all('$disconnect'), []);
        fine.close();
    });

    it('has one namespace, the configured one', QUICK, async () => {
        const wrong = new Chat(server, customer(), at('/other/'));
        assert.equal((await wrong.next('$connect_error')).message, 'Invalid namespace');
        const right = await openWs(server, `${server.url}/other/`);
        right.send(`40/chat,${JSON.stringify({ token: customer().token })}`);
        assert.match(await right.next(), /^40\/chat,/);
        assert.match(await right.next(), /^42\/chat,\["connected"/);
        const main = await openWs(server, `${server.url}/socket.io/`);
        main.send(`40${JSON.stringify({ token: customer().token })}`);
        assert.equal(await main.next(), '44{"message":"Invalid namespace"}');
        wrong.close();
    });

    it('half a request and silence do no harm', QUICK, async () => {
        const sockets = ['GET /socket.io/?EIO=4', 'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n'
            + 'Host: x\r\nContent-Length: 100\r\n\r\n4abc', '\x16\x03\x01\x00'].map((text) => {
            const s = net.connect(server.port, '127.0.0.1');
            s.on('error', () => {});
            s.write(text);
            return s;
        });
        await sleep(300);
        sockets.forEach((s) => s.destroy());
        const chat = await connect(server, customer());
        chat.close();
    });
});

describe('numbers of connections', () => {
    const server = useServer({ workers: 4, allowLog: [/exited on signal 9/], locations: `
        location /socket.io/ { realtime on; realtime_max_connections 12; }
        location /mine/ { realtime on; realtime_max_connections_per_user 3; }` });

    const attempt = async (who, path) => {
        const chat = new Chat(server, who, { ...WEBSOCKET, path });
        await until('welcome or refusal', () => chat.events.length > 0);
        chat.in = chat.all('connected').length === 1;
        return chat;
    };

    it('per user, over all workers, counted down again', { timeout: 40000 * SLOW }, async () => {
        const anna = customer();
        const first = await Promise.all(Array.from({ length: 8 }, () => attempt(anna, '/mine/')));
        assert.equal(first.filter((c) => c.in).length, 3);
        const ben = await attempt(customer(), '/mine/');
        assert.equal(ben.in, true);
        ben.close();
        first.find((c) => c.in).close();
        await until('a place is free', async () => {
            const chat = await attempt(anna, '/mine/');
            return chat.in || (chat.close(), false);
        });
        await server.closeClients();
    });

    it('all together, and a crashed worker leaves no ghosts', { timeout: 60000 * SLOW }, async () => {
        const open = async () => {
            const ws = new Ws(server, `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
            return ws.opened.then(() => ws, () => null);
        };
        const fill = async () => (await Promise.all(Array.from({ length: 20 }, open))).filter(Boolean);
        const first = await fill();
        assert.equal(first.length, 12);
        for (const pid of server.workers()) {
            server.signal('SIGKILL', pid);
        }
        await Promise.all(first.map((ws) => ws.close()));
        await until('new workers serve', async () => {
            const ws = await open();
            if (ws) {
                ws.socket.terminate();
            }
            return ws;
        }, 10000 * SLOW);
        await sleep(500);
        const second = await fill();
        assert.equal(second.length, 12);
    });
});

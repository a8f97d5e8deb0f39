// The plain WebSocket door, as Postman or wscat use it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect } from './lib/chat.mjs';
import { Ws } from './lib/eio.mjs';
import { closePayload, frame, Frames, OP } from './lib/frames.mjs';
import { createRoom, request } from './lib/http.mjs';
import { sleep, useServer } from './lib/nginx.mjs';
import { customer, now, sign, staff } from './lib/token.mjs';

const QUICK = { timeout: 30000 };

describe('plain WebSocket', () => {
    const server = useServer({ workers: 2, locations: `
        location /realtime { realtime on; }
        location /deflate { realtime on; realtime_deflate on; }
        location /quick { realtime on; realtime_connect_timeout 500ms; }
        location /small { realtime on; realtime_max_payload 2000; }
        location /beat { realtime on; realtime_ping_interval 200ms; realtime_ping_timeout 200ms; }
        location /socket.io/ { realtime on; }
        location /api/ { realtime_api on; }` });
    const url = (path = '/realtime') => server.url.replace('http', 'ws') + path;

    // opens; its first event is the welcome
    const open = async (who, path = '/realtime') => {
        const ws = new Ws(server, `${url(path)}?token=${encodeURIComponent(who.token)}`);
        await ws.opened;
        const first = JSON.parse(await ws.next());
        assert.equal(first.event, 'connected', JSON.stringify(first));
        ws.welcome = first.data;
        return ws;
    };
    const ask = async (ws, event, data, id = 1) => {
        ws.send(JSON.stringify({ event, data, id }));
        for (;;) {
            const m = JSON.parse(await ws.next());
            if ('id' in m) {
                assert.deepEqual(Object.keys(m).sort(), ['data', 'id']);
                assert.deepEqual(m.id, id);
                return m.data;
            }
            (ws.events ??= []).push(m);
        }
    };
    const event = async (ws, name) => {
        const i = (ws.events ??= []).findIndex((e) => e.event === name);
        if (i >= 0) {
            return ws.events.splice(i, 1)[0].data;
        }
        for (;;) {
            const m = JSON.parse(await ws.next());
            if (m.event === name) {
                return m.data;
            }
            ws.events.push(m);
        }
    };
    const refused = async (ws) => {
        await ws.opened;
        const first = JSON.parse(await ws.next());
        assert.equal(first.event, 'error', JSON.stringify(first));
        assert.equal(typeof first.data.message, 'string');
        assert.equal((await ws.close()).code, 1008);
        assert.deepEqual(ws.messages, []);
    };

    describe('who is calling', () => {
        it('takes the token from the address', QUICK, async () => {
            const anna = customer();
            const { welcome } = await open(anna);
            assert.equal(welcome.message, 'Connected to real-time server');
            assert.equal(welcome.isAuthenticated, true);
            assert.equal(welcome.userId, anna.id);
            assert.equal(welcome.businessId, 'biz-a');
            assert.equal(typeof welcome.clientId, 'string');
        });

        it('takes it from the header', QUICK, async () => {
            const anna = customer();
            const ws = new Ws(server, url(), { headers: { Authorization: `Bearer ${anna.token}` } });
            assert.equal(JSON.parse(await ws.next()).data.userId, anna.id);
        });

        it('takes it from the first frame', QUICK, async () => {
            const anna = customer();
            const ws = new Ws(server, url());
            await ws.opened;
            ws.send(JSON.stringify({ event: 'auth', data: { token: anna.token } }));
            assert.equal(JSON.parse(await ws.next()).data.userId, anna.id);
        });

        it('takes it from a first frame that came with the handshake', QUICK, async () => {
            const anna = customer();
            const raw = await new Frames(server, '/realtime', { extra: Buffer.concat([
                frame(OP.TEXT, JSON.stringify({ event: 'auth', data: { token: anna.token } })),
                frame(OP.TEXT, JSON.stringify({ event: 'chat:join-room',
                    data: { businessId: 'biz-a', userName: 'A' }, id: 'j' }))]) }).open();
            assert.equal(JSON.parse((await raw.message()).payload).event, 'connected');
            const joined = JSON.parse((await raw.message()).payload);
            assert.equal(joined.id, 'j');
            assert.equal(joined.data.success, true);
        });

        it('refuses a bad one', QUICK, async () => {
            await refused(new Ws(server, `${url()}?token=nonsense`));
            await refused(new Ws(server, `${url()}?token=${sign({ userId: 'x', exp: now() - 10 })}`));
            await refused(new Ws(server, url(), { headers: { Authorization: 'Bearer x.y.z' } }));
        });

        it('refuses another frame before auth', QUICK, async () => {
            for (const text of ['{"event":"chat:join-room","data":{},"id":1}', '{}', 'nonsense', '[]',
                '{"event":"auth"}', '{"event":"auth","data":{"token":5}}',
                '{"event":"auth","data":{"token":""}}']) {
                const ws = new Ws(server, url());
                await ws.opened;
                ws.send(text);
                await refused(ws);
            }
        });

        it('waits for auth no longer than the location says', QUICK, async () => {
            const start = Date.now();
            const ws = new Ws(server, url('/quick'));
            await ws.opened;
            const { code } = await ws.close();
            assert.equal(code, 1008);
            assert.ok(Date.now() - start < 3000);
        });

        it('waits for auth 10 s at most', { timeout: 20000 }, async () => {
            const start = Date.now();
            const ws = new Ws(server, url());
            await ws.opened;
            assert.equal((await ws.close(15000)).code, 1008);
            const took = Date.now() - start;
            assert.ok(took > 8000 && took < 12000, `${took} ms`);
        });

        it('is no door without an upgrade', QUICK, async () => {
            const r = await request(`${server.url}/realtime?token=${customer().token}`);
            assert.ok([400, 426].includes(r.status), String(r.status));
        });
    });

    describe('frames', () => {
        it('answers by id, whatever the id is', QUICK, async () => {
            const ws = await open(customer());
            for (const id of [1, 0, -5, 'text', '', 9007199254740991, 1.5, 'Grüße "👋"']) {
                const joined = await ask(ws, 'chat:join-room', { businessId: 'biz-a', userName: 'A' }, id);
                assert.equal(joined.success, true, JSON.stringify(joined));
            }
        });

        it('has the same rooms as Socket.IO', QUICK, async () => {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const ws = await open(anna);
            const s = await connect(server, staff());
            await ask(ws, 'chat:join-room', { roomId });
            await s.ask('chat:join-room', { roomId });
            const sent = await ask(ws, 'chat:send-message', { roomId, content: 'from plain 👋' });
            assert.equal(sent.success, true, JSON.stringify(sent));
            assert.deepEqual(await s.next('chat:new-message'), sent.message);
            assert.deepEqual(await event(ws, 'chat:new-message'), sent.message);
            const back = await s.ask('chat:send-message', { roomId, content: 'from socket.io' });
            assert.deepEqual(await event(ws, 'chat:new-message'), back.message);
            s.emit('chat:typing', { roomId, isTyping: true });
            assert.equal((await event(ws, 'chat:user-typing')).isTyping, true);
            s.close();
        });

        it('tells failures by id, or as an event', QUICK, async () => {
            const ws = await open(customer());
            const failed = await ask(ws, 'chat:join-room', { roomId: '0123456789abcdef01234567' });
            assert.equal(failed.success, false);
            assert.equal(failed.code, 'NOT_FOUND');
            ws.send('{"event":"chat:join-room","data":{"roomId":"0123456789abcdef01234567"}}');
            const e = await event(ws, 'error');
            assert.equal(e.code, 'NOT_FOUND');
            assert.equal(e.event, 'chat:join-room');
        });

        for (const text of ['nonsense', '{', '{"event":', '[]', 'null', '5', '"text"', '{}', '{"event":5}',
            '{"event":"chat:join-room","id":{}}', '{"event":"chat:join-room","id":true}',
            '{"event":"x","data":"\\ud800"}', '{"event":"x","data":"\\u0000"}', '',
            `{"event":"x","data":${'['.repeat(100)}${']'.repeat(100)}}`,
            '{"event":"chat:join-room","data":5,"id":1} trailing']) {
            it(`goes on after ${text.slice(0, 50)}`, QUICK, async () => {
                const ws = await open(customer());
                ws.send(text);
                const e = await event(ws, 'error');
                assert.equal(typeof e.message, 'string');
                assert.equal(e.code, 'INVALID');
                const joined = await ask(ws, 'chat:join-room', { businessId: 'biz-a', userName: 'A' });
                assert.equal(joined.success, true);
            });
        }

        it('closes upon binary with 1003', QUICK, async () => {
            const ws = await open(customer());
            ws.send(Buffer.from('{}'));
            assert.equal((await ws.close()).code, 1003);
        });

        it('closes upon what is too large with 1009', QUICK, async () => {
            const ws = await open(customer(), '/small');
            const r = await ask(ws, 'chat:send-message', { roomId: 'x', content: 'y'.repeat(1500) });
            assert.equal(r.success, false);
            ws.send(`{"event":"x","data":"${'y'.repeat(2000)}"}`);
            assert.equal((await ws.close()).code, 1009);
        });

        it('closes politely', QUICK, async () => {
            const anna = customer();
            const raw = await new Frames(server, `/realtime?token=${anna.token}`).open();
            await raw.message();
            raw.write(frame(OP.CLOSE, closePayload(1000, 'bye')));
            await raw.expectClose(1000);
        });

        it('pings, and drops who does not answer', QUICK, async () => {
            const anna = customer();
            const raw = await new Frames(server, `/beat?token=${anna.token}`).open();
            await raw.message();
            for (let i = 0; i < 3; i += 1) {
                const f = await raw.read();
                assert.equal(f.opcode, OP.PING);
                raw.write(frame(OP.PONG, f.payload));
            }
            await raw.need(() => raw.ended || undefined, 'end', 3000);
        });

        it('compresses where asked to', QUICK, async () => {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const ws = new Ws(server, `${url('/deflate')}?token=${anna.token}`,
                { perMessageDeflate: { threshold: 0 } });
            await ws.opened;
            assert.match(ws.socket.extensions, /permessage-deflate/);
            assert.equal(JSON.parse(await ws.next()).event, 'connected');
            await ask(ws, 'chat:join-room', { roomId });
            const plain = await open(anna);
            await ask(plain, 'chat:join-room', { roomId });
            for (const content of ['x', 'words and words '.repeat(600), '👋'.repeat(10000)]) {
                const sent = await ask(ws, 'chat:send-message', { roomId, content });
                assert.equal(sent.success, true, JSON.stringify(sent).slice(0, 200));
                assert.equal((await event(ws, 'chat:new-message')).content, content);
                assert.equal((await event(plain, 'chat:new-message')).content, content);
            }
        });

        it('a client that goes without a word leaves the room', QUICK, async () => {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const s = await connect(server, staff());
            await s.ask('chat:join-room', { roomId });
            const ws = await open(anna);
            await ask(ws, 'chat:join-room', { roomId });
            await s.next('chat:user-joined', (e) => e.userId === anna.id);
            ws.socket.terminate();
            await s.next('chat:user-left', (e) => e.userId === anna.id);
            await sleep(50);
            s.close();
        });
    });
});

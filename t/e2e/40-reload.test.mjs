// Reload, quit, crash, binary upgrade: what clients and the log see of it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { Poll, Ws } from './lib/eio.mjs';
import { api, createRoom, request } from './lib/http.mjs';
import { alive, childrenOf, Server, sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, SECRET, staff } from './lib/token.mjs';

const LONG = { timeout: 60000 * SLOW };
const AGAIN = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 };

describe('reload', () => {
    const server = useServer({ workers: 2, realtime: 'realtime_rate off;' });

    it('closes transports, clients come back by themselves, old workers go', LONG, async () => {
        const chats = [];
        for (const transport of [WEBSOCKET, POLLING, DEFAULT]) {
            for (let i = 0; i < 10; i += 1) {
                chats.push(await connect(server, staff(), { ...transport, ...AGAIN }));
            }
        }
        const ws = new Ws(server, `${server.url.replace('http', 'ws')}/realtime?token=${staff().token}`);
        assert.match(await ws.next(), /connected/);
        const start = Date.now();
        await server.reload();
        const { code } = await ws.close(10000);
        assert.ok([1001, 1012].includes(code), `close code ${code}`);
        await until('all are back', () => chats.every((c) => c.all('connected').length === 2), 20000 * SLOW);
        for (const chat of chats) {
            const [reason] = chat.all('$disconnect');
            assert.ok(['transport close', 'transport error'].includes(reason), reason);
        }
        await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
        assert.ok(Date.now() - start < 12000 * SLOW);
        const times = chats.map((c) => c.events.find((e) => e.event === '$disconnect').at);
        assert.ok(Math.max(...times) - start < 7000 * SLOW, 'all were told within 7 s');
        chats.forEach((c) => c.close());
    });

    it('answers a held GET', LONG, async () => {
        const p = await new Poll(`${server.url}/socket.io/`).open();
        const held = p.get();
        await sleep(200);
        await server.reload();
        const r = await held;
        assert.equal(r.status, 200, r.text);
        assert.match(r.text, /^[16]$/);
        await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
        assert.equal((await p.get()).json?.code, 1);
    });

    it('acknowledges what it stored and stores what it acknowledged', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const acked = [];
        let go = true;
        const writers = await Promise.all([WEBSOCKET, POLLING, DEFAULT].map((t) =>
            connect(server, anna, { ...t, ...AGAIN })));
        const writing = writers.map(async (chat, n) => {
            for (let i = 0; go; i += 1) {
                if (!chat.socket.connected) {
                    await sleep(20);
                    continue;
                }
                const content = `w${n} ${i}`;
                try {
                    const r = await chat.ask('chat:send-message', { roomId, content }, 2000 * SLOW);
                    if (r.success) {
                        acked.push([r.seq, content]);
                    }
                } catch {
                    // the connection went while the question was under way
                }
            }
        });
        for (let i = 0; i < 3; i += 1) {
            await sleep(500);
            await server.reload();
            await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
        }
        await until('writers are back', () => writers.every((w) => w.socket.connected), 10000 * SLOW);
        await sleep(500);
        go = false;
        await Promise.all(writing);
        const stored = new Map();
        for (let after = 0; ;) {
            const r = await api(server, anna).get(`/chat/rooms/${roomId}/messages?afterSeq=${after}&limit=100`);
            assert.equal(r.status, 200, r.text);
            for (const m of r.json.messages) {
                assert.equal(m.seq, after + 1);
                after = m.seq;
                stored.set(m.seq, m.content);
            }
            if (!r.json.hasMore) {
                break;
            }
        }
        assert.ok(acked.length > 30, `${acked.length} acknowledged`);
        for (const [seq, content] of acked) {
            assert.equal(stored.get(seq), content);
        }
        writers.forEach((w) => w.close());
    });

    it('old and new workers talk while the old ones drain', LONG, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const before = await Promise.all(Array.from({ length: 20 }, async () => {
            const chat = await connect(server, staff(), WEBSOCKET);
            await chat.ask('chat:join-room', { roomId });
            return chat;
        }));
        await server.reload();
        const after = await connect(server, anna, WEBSOCKET);
        await after.ask('chat:join-room', { roomId });
        const sent = await after.ask('chat:send-message', { roomId, content: 'after the reload' });
        assert.equal(sent.success, true, JSON.stringify(sent));
        await sleep(500);
        for (const chat of before) {
            const left = chat.all('$disconnect').length > 0;
            const heard = chat.all('chat:new-message').some((m) => m._id === sent.messageId);
            assert.ok(left || heard, 'a client that is still connected heard it');
        }
        [...before, after].forEach((c) => c.close());
        await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
    });

    it('takes new settings', LONG, async () => {
        server.writeConf(server.confText({ ...server.options, realtime: 'realtime_ping_interval 7s;' }));
        await server.reload();
        await until('the new interval', async () =>
            (await new Poll(`${server.url}/socket.io/`).open()).handshake.pingInterval === 7000);
        server.writeConf();
        await server.reload();
        await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
    });
});

describe('quit', () => {
    it('tells clients in a way they reconnect from, and ends within 10 s', LONG, async () => {
        const server = await new Server({ workers: 2 }).start();
        const chats = await Promise.all(Array.from({ length: 30 }, (_, i) =>
            connect(server, staff(), [WEBSOCKET, POLLING, DEFAULT][i % 3])));
        const held = new Poll(`${server.url}/socket.io/`);
        await held.open();
        const get = held.get();
        await sleep(100);
        const start = Date.now();
        server.signal('SIGQUIT');
        assert.match((await get).text, /^[16]$/);
        await until('every client is told', () => chats.every((c) => c.all('$disconnect').length));
        for (const chat of chats) {
            assert.ok(['transport close', 'transport error'].includes(chat.all('$disconnect')[0]),
                chat.all('$disconnect')[0]);
        }
        await until('nginx is gone', () => server.exit, 10000 * SLOW);
        assert.equal(server.exit.code, 0);
        assert.ok(Date.now() - start < 10000 * SLOW);
        await server.stop();
    });

    it('TERM ends at once', LONG, async () => {
        const server = await new Server({ workers: 2 }).start();
        await Promise.all(Array.from({ length: 5 }, () => connect(server, staff())));
        server.signal('SIGTERM');
        await until('nginx is gone', () => server.exit, 3000 * SLOW);
        await server.stop();
    });
});

describe('failures', () => {
    it('a failed reload, then a killed worker: the respawned one serves as before', LONG, async () => {
        const server = await new Server({ workers: 2,
            allowLog: [/nginx\.conf:\d+$/, /exited on signal 9/, /realtime_jwt_secret/] }).start();
        try {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const good = server.confText();
            for (const bad of [good.replace(/http \{/, 'http { nonsense on;'),
                good.replace(/realtime_jwt_secret[^;]*;/, ''),
                good.replace(/realtime_store [^;]*;/, 'realtime_store sqlite:/nonexistent/dir/x.db; realtime_threads 0;')]) {
                server.writeConf(bad);
                const workers = server.workers();
                const emerg = () => server.logText().split('[emerg]').length;
                const before = emerg();
                server.signal('SIGHUP');
                await until('the reload was refused', () => emerg() > before);
                assert.deepEqual(server.workers().sort(), workers.sort());
                const [victim] = workers;
                server.signal('SIGKILL', victim);
                await until('a new worker', () => server.workers().length === 2
                    && !server.workers().includes(victim));
                const other = server.workers().find((p) => workers.includes(p));
                server.signal('SIGKILL', other);    // now both are new
                await until('a new worker', () => server.workers().length === 2
                    && !server.workers().some((p) => workers.includes(p)));
                for (let i = 0; i < 6; i += 1) {
                    const chat = await connect(server, anna, i % 2 ? POLLING : WEBSOCKET);
                    const joined = await chat.ask('chat:join-room', { roomId });
                    assert.equal(joined.success, true, JSON.stringify(joined));
                    chat.close();
                }
            }
            server.writeConf(good);
            await server.reload();
            (await connect(server, anna)).close();
        } finally {
            await server.stop();
        }
    });

    it('a session whose worker is gone is unknown', LONG, async () => {
        const server = await new Server({ workers: 3, allowLog: [/exited on signal 9/] }).start();
        try {
            const sessions = await Promise.all(Array.from({ length: 40 }, async () => {
                const p = await new Poll(`${server.url}/socket.io/`).open();
                await p.post(`40/realtime,${JSON.stringify({ token: staff().token })}`);
                await p.until((m) => m.includes('"connected"'));
                return p;
            }));
            const held = sessions.map((p) => p.get().catch((e) => ({ status: 0, error: e })));
            await sleep(200);
            const victims = server.workers();
            server.signal('SIGKILL', victims[0]);
            await until('a new worker', () => server.workers().length === 3
                && !server.workers().includes(victims[0]));
            await sleep(300);
            // each either lives (its GET is still held) or says code 1; nothing hangs or errs
            const states = await Promise.all(sessions.map(async (p) => {
                const r = await p.post('42/realtime,5["chat:join-room",{"roomId":"x"}]');
                return r.status === 200 ? 'alive' : `code ${r.json?.code}`;
            }));
            assert.ok(states.every((s) => s === 'alive' || s === 'code 1'), String(states));
            assert.ok(states.includes('alive') && states.includes('code 1'), String(states));
            await Promise.all(held);
        } finally {
            await server.stop();
        }
    });

    it('data outlives nginx', LONG, async () => {
        const server = await new Server({ workers: 2 }).start();
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const sent = await api(server, anna).post(`/chat/rooms/${roomId}/messages`, { content: 'kept' });
        server.signal('SIGTERM');
        await until('nginx is gone', () => server.exit);
        server.exit = undefined;
        server.spawn();
        await server.waitUp();
        const list = await api(server, anna).get(`/chat/rooms/${roomId}/messages`);
        assert.ok(list.json.messages.some((m) => m._id === sent.json._id), list.text);
        const mode = fs.statSync(server.data).mode & 0o777;
        assert.equal(mode, 0o700);
        await server.stop();
    });
});

describe('beside others', () => {
    it('nginx -t while running disturbs nobody', LONG, async () => {
        const server = await new Server({ workers: 2 }).start();
        try {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const chats = await Promise.all([WEBSOCKET, POLLING].map((t) => connect(server, anna, t)));
            await Promise.all(chats.map((c) => c.ask('chat:join-room', { roomId })));
            // not readdir's own recursion, which stumbles over sockets in Node 18
            const walk = (dir) => fs.readdirSync(dir, { withFileTypes: true }).flatMap((entry) => [
                entry.name, ...entry.isDirectory() ? walk(path.join(dir, entry.name)) : []]);
            const files = () => walk(server.data).sort();
            const before = files();
            for (let i = 0; i < 3; i += 1) {
                const { code, output } = server.run(['-t']);
                assert.equal(code, 0, output);
                assert.doesNotMatch(output, /Gateway Initialized/);
            }
            assert.deepEqual(files(), before);
            const sent = await chats[0].ask('chat:send-message', { roomId, content: 'x' });
            assert.equal(sent.success, true);
            await chats[1].next('chat:new-message', (m) => m._id === sent.messageId);
            assert.deepEqual(chats.flatMap((c) => c.all('$disconnect')), []);
        } finally {
            await server.stop();
        }
    });

    it('a cache manager and a proxy', LONG, async () => {
        const server = new Server({ workers: 2, locations: `
            location /socket.io/ { realtime on; }
            location /api/ { realtime_api on; }
            location /cached/ { proxy_pass http://127.0.0.1:$server_port/_up; proxy_cache one;
                proxy_cache_valid 200 1m; }` });
        server.options.http = 'proxy_cache_path CACHE keys_zone=one:1m;';
        const text = server.confText.bind(server);
        server.confText = (...args) => text(...args).replace('CACHE', `${server.dir}/tmp/cache`);
        await server.start();
        try {
            assert.equal((await request(`${server.url}/cached/x`)).text, 'up');
            const helpers = childrenOf(server.master()).filter((p) => !server.workers().includes(p));
            assert.ok(helpers.length >= 1, 'a cache manager runs');
            for (const pid of helpers) {
                const open = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
                    try {
                        return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
                    } catch {
                        return '';
                    }
                });
                assert.ok(!open.some((f) => f.includes('rt.db')), `${pid} has the store open: ${open}`);
            }
            const anna = customer();
            const chat = await connect(server, anna);
            const joined = await chat.ask('chat:join-room', { businessId: 'biz-a', userName: 'A' });
            assert.equal(joined.success, true);
            await server.reload();
            await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
            (await connect(server, anna)).close();
        } finally {
            await server.stop();
        }
    });

    it('one process without a master', LONG, async () => {
        const server = await new Server({ main: 'master_process off;' }).start();
        try {
            const chat = await connect(server, customer(), DEFAULT);
            const joined = await chat.ask('chat:join-room', { businessId: 'biz-a', userName: 'A' });
            assert.equal(joined.success, true, JSON.stringify(joined));
        } finally {
            await server.stop();
        }
    });

    it('writes one access line at the handshake', LONG, async () => {
        const server = new Server({ locations: `
            location /socket.io/ { realtime on; access_log LOG/access.log ours; }` });
        server.options.http = "log_format ours '$status $request_method $uri';";
        const text = server.confText.bind(server);
        server.confText = (...args) => text(...args).replace('LOG', server.dir);
        await server.start();
        try {
            const chat = await connect(server, customer());
            const log = path.join(server.dir, 'access.log');
            await until('the line', () => fs.readFileSync(log, 'utf8') === '101 GET /socket.io/\n');
            chat.close();
            await sleep(200);
            assert.equal(fs.readFileSync(log, 'utf8'), '101 GET /socket.io/\n');
        } finally {
            await server.stop();
        }
    });
});

describe('binary upgrade', () => {
    it('USR2 with the secret in the environment', LONG, async () => {
        const server = await new Server({ workers: 2, daemon: true, secret: null,
            env: { JWT_SECRET: SECRET } }).start();
        try {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const old = server.master();
            const oldWorkers = server.workers(old);
            const chat = await connect(server, anna, { ...WEBSOCKET, ...AGAIN });
            await chat.ask('chat:join-room', { roomId });
            server.signal('SIGUSR2');
            await until('a new master', () => {
                try {
                    return server.master() !== old && server.workers().length === 2;
                } catch {
                    return false;
                }
            }, 15000 * SLOW);
            // two generations serve side by side and hear each other
            for (let i = 0; i < 8; i += 1) {
                const s = await connect(server, staff(), i % 2 ? POLLING : WEBSOCKET);
                const sent = await s.ask('chat:send-message', { roomId, content: `generation ${i}` });
                assert.equal(sent.success, true, JSON.stringify(sent));
                await chat.next('chat:new-message', (m) => m._id === sent.messageId);
                s.close();
            }
            server.signal('SIGQUIT', old);
            await until('the old ones are gone', () => ![old, ...oldWorkers].some(alive), 15000 * SLOW);
            await until('the client is back', () => chat.all('connected').length === 2, 10000 * SLOW);
            const again = await chat.ask('chat:join-room', { roomId });
            assert.equal(again.messages.length, 8);
            // and the new one can reload, its key still there
            await server.reload();
            await until('old workers are gone', () => !server.oldWorkers.some(alive), 10000 * SLOW);
            (await connect(server, anna)).close();
        } finally {
            await server.stop();
        }
    });
});

// What an attacker or an unlucky moment does to sessions: small messages in large numbers, sockets
// that upgrade where they do not belong, moves at the limits, and all of it at random.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';

import { connect, WEBSOCKET } from './lib/chat.mjs';
import { Poll, Ws } from './lib/eio.mjs';
import { createRoom, request } from './lib/http.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const LONG = { timeout: 120000 * SLOW };
const WORKERS = 4;

// A polling session that is connected as that person.
async function polling(server, who, path = '/socket.io/')
{
    const poll = await new Poll(`${server.url}${path}`).open();
    await poll.post(`40/realtime,${JSON.stringify({ token: who.token })}`);
    await poll.until((p) => p.includes('"connected"'));
    return poll;
}

// An event with an ack id, and its answer.
async function ask(poll, id, event, data)
{
    await poll.post(`42/realtime,${id}${JSON.stringify([event, data])}`);
    const answer = await poll.until((p) => p.startsWith(`43/realtime,${id}[`));
    return JSON.parse(answer.slice(`43/realtime,${id}`.length))[0];
}

// A WebSocket on trial for the session, through probe and upgrade. What it says then is the caller's.
async function upgrade(server, poll, path = '/socket.io/')
{
    const ws = new Ws(server, `${server.url.replace('http', 'ws')}${path}`
        + `?EIO=4&transport=websocket&sid=${poll.sid}`);
    await ws.opened;
    ws.ignore = (m) => m === '2';
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    ws.send('5');
    return ws;
}

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

describe('many small messages', () => {
    const server = useServer({ workers: 1,
        locations: 'location /engine.io/ { realtime_echo engine; realtime_send_buffer 64k; }' });

    it('count with what they cost, not only with their bytes', LONG, async () => {
        const poll = await new Poll(`${server.url}/engine.io/`).open();
        await poll.post(Array(20000).fill('4'));
        await until('the slow client is dropped', async () => (await poll.post('4')).status === 400);
    });
});

describe('an upgrade at another kind of location', () => {
    const server = useServer({ workers: WORKERS, locations: `
        location /socket.io/ { realtime on; realtime_rate off; }
        location /other/ { realtime on; realtime_namespace /other; }
        location /api/ { realtime_api on; }
        location /engine.io/ { realtime_echo engine; }
        location /echo/ { realtime_echo socket; }` });

    for (const path of ['/engine.io/', '/echo/', '/other/']) {
        it(`is refused or harmless: ${path}`, LONG, async () => {
            const anna = customer();
            const roomId = await createRoom(server, anna);
            const agent = await connect(server, staff(), WEBSOCKET);
            assert.equal((await agent.ask('chat:join-room', { roomId })).success, true);
            const pids = server.workers();
            // whichever worker owns the session, some of these sockets reach another one
            for (let i = 0; i < 2 * WORKERS; i += 1) {
                const poll = await polling(server, anna);
                assert.equal((await ask(poll, 1, 'chat:join-room', { roomId })).success, true);
                await upgrade(server, poll, path).catch(() => {});
                await agent.ask('chat:send-message', { roomId, content: `hello ${i}` });
            }
            await sleep(200 * SLOW);
            assert.deepEqual(server.workers(), pids, 'no worker died');
            agent.close();
        });
    }
});

describe('a move between workers', () => {
    const server = useServer({ workers: WORKERS, realtime: 'realtime_rate off; realtime_max_connections 3;' });

    it('needs no place more than the session has', LONG, async () => {
        const people = [customer(), customer(), customer()];
        const polls = [];
        for (const who of people) {
            polls.push(await polling(server, who));
        }
        assert.equal((await request(`${server.url}/socket.io/?EIO=4&transport=polling`)).status, 503);
        for (const poll of polls) {
            const ws = await upgrade(server, poll);
            ws.send('42/realtime,7["chat:leave-room",{"roomId":"0123456789abcdef01234567"}]');
            assert.match(await ws.next(), /^(6|43\/realtime,7\[)/);
            ws.socket.terminate();
            await sleep(100);
        }
    });

    it('takes along who types, so that the room hears the end of it', LONG, async () => {
        const agent = await connect(server, staff(), WEBSOCKET);
        for (let i = 0; i < WORKERS; i += 1) {
            const anna = customer();
            const poll = await polling(server, anna);
            const { roomId } = await ask(poll, 1, 'chat:join-room', { businessId: 'biz-a', userName: 'A' });
            assert.equal((await agent.ask('chat:join-room', { roomId })).success, true);
            await ask(poll, 2, 'chat:typing', { roomId, isTyping: true });
            await agent.next('chat:user-typing', (t) => t.userId === anna.id && t.isTyping);
            const ws = await upgrade(server, poll);
            ws.send('42/realtime,3["chat:leave-room",{"roomId":"0123456789abcdef01234567"}]');
            await ws.next();
            ws.socket.terminate();
            await agent.next('chat:user-typing', (t) => t.userId === anna.id && !t.isTyping);
        }
        agent.close();
    });

    it('takes along events that wait, also those without an argument', LONG, async () => {
        for (let i = 0; i < WORKERS; i += 1) {
            const poll = await polling(server, customer());
            const ws = new Ws(server, `${server.url.replace('http', 'ws')}/socket.io/`
                + `?EIO=4&transport=websocket&sid=${poll.sid}`);
            await ws.opened;
            ws.ignore = (m) => m === '2' || m === '6';
            ws.send('2probe');
            assert.equal(await ws.next(), '3probe');
            // the upgrade overtakes the join, which then still is under way
            await poll.post(['42/realtime,1["chat:join-room",{"businessId":"biz-a","userName":"A"}]',
                '42/realtime,2["chat:leave-room"]']);
            ws.send('5');
            const answers = [await ws.next()];
            while (!answers.at(-1).startsWith('43/realtime,2')) {
                answers.push(await ws.next());
            }
            ws.socket.terminate();
            await sleep(100);
        }
    });
});

describe('overlapping POSTs', () => {
    const server = useServer({ workers: WORKERS });

    it('end the session, whichever workers they reached', LONG, async () => {
        for (let i = 0; i < 2 * WORKERS; i += 1) {
            const poll = await new Poll(`${server.url}/socket.io/`).open();
            const { pathname, search } = new URL(poll.address());
            const slow = net.connect(server.port, '127.0.0.1');
            slow.on('error', () => {});
            slow.write(`POST ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n3`);
            await sleep(50 * SLOW);
            await poll.post('3');
            const { status } = await poll.post('3');
            slow.destroy();
            assert.equal(status, 400, 'the session is over');
        }
    });
});

describe('handshakes of clients that are gone', () => {
    const server = useServer({ workers: WORKERS });

    // what is left shows when nginx ends: it complains of open sockets
    it('leave no connection behind', LONG, async () => {
        const handshake = ['GET /socket.io/?EIO=4&transport=websocket HTTP/1.1', 'Host: x',
            'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
            'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', ''].join('\r\n');
        for (let i = 0; i < 40; i += 1) {
            await Promise.all(Array.from({ length: 20 }, async (_, n) => {
                const socket = net.connect(server.port, '127.0.0.1');
                socket.on('error', () => {});
                await new Promise((resolve) => socket.write(handshake, resolve));
                if (n % 2) {
                    await new Promise((resolve) => setImmediate(resolve));
                }
                socket.resetAndDestroy();
            }));
        }
    });
});

describe('everything at random', () => {
    const server = useServer({ workers: WORKERS, tls: true, realtime: `realtime_rate off;
        realtime_ping_interval 300ms; realtime_ping_timeout 400ms; realtime_connect_timeout 2s;
        realtime_upgrade_timeout 1s; realtime_send_buffer 64k; realtime_deflate on;`,
    // a worker that is killed is told of by nginx, and so is what it held
    allowLog: [/\[alert\].*exited on signal 9/] });

    it('ends no worker but those that are killed', LONG, async () => {
        const random = generator(Number(process.env.SEED || 1));
        const pick = (list) => list[Math.floor(random() * list.length)];
        const people = Array.from({ length: 6 }, () => customer()).concat(staff(), staff());
        const rooms = await Promise.all(people.slice(0, 6).map((p) => createRoom(server, p)));
        const end = Date.now() + Number(process.env.CHAOS_MS || 6000);
        const event = () => pick([
            () => ['chat:join-room', { roomId: pick(rooms) }],
            () => ['chat:leave-room', { roomId: pick(rooms) }],
            () => ['chat:leave-room'],
            () => ['chat:typing', { roomId: pick(rooms), isTyping: random() < 0.5 }],
            () => ['chat:send-message', { roomId: pick(rooms), content: 'x'.repeat(1 + random() * 3000) }],
            () => ['chat:read-messages', { roomId: pick(rooms) }],
        ])();
        const packet = () => pick([
            () => `42/realtime,${Math.floor(random() * 99)}${JSON.stringify(event())}`,
            () => `42/realtime,${JSON.stringify(event())}`,
            () => '41/realtime,',
            () => `40/realtime,${JSON.stringify({ token: pick(people).token })}`,
            () => '3',
        ]);
        const packets = () => Array.from({ length: 1 + random() * 6 }, () => packet()());
        const patience = () => sleep(random() * 120);

        async function one()
        {
            const poll = new Poll(`${pick([server.url, server.tlsUrl])}/socket.io/`);
            await poll.open();
            await poll.post(`40/realtime,${JSON.stringify({ token: pick(people).token })}`);
            let waiting = poll.get().catch(() => {});
            for (let n = random() * 5; n > 0; n -= 1) {
                await poll.post(packets());
                await patience();
            }
            if (random() < 0.2) {
                poll.get().catch(() => {});
            }
            if (random() < 0.7) {
                const ws = new Ws(server, `${poll.base.replace('http', 'ws')}`
                    + `?EIO=4&transport=websocket&sid=${poll.sid}`, { perMessageDeflate: random() < 0.5 });
                await ws.opened;
                ws.send('2probe');
                if (random() < 0.8) {
                    await ws.next(1000);
                }
                if (random() < 0.3) {
                    waiting = Promise.all([waiting, poll.post(packets()).catch(() => {})]);
                }
                ws.send('5');
                for (let n = random() * 8; n > 0 && ws.socket.readyState === 1; n -= 1) {
                    packets().forEach((p) => ws.send(p));
                    if (random() < 0.2) {
                        ws.socket.pause();
                    }
                    await patience();
                }
                (random() < 0.5 ? () => ws.socket.terminate() : () => ws.socket.close())();
            } else if (random() < 0.3) {
                await poll.post('1');
            }
            await waiting;
        }

        async function plain()
        {
            const ws = new Ws(server, `${server.url.replace('http', 'ws')}/realtime?token=${pick(people).token}`);
            await ws.opened;
            for (let n = random() * 20; n > 0 && ws.socket.readyState === 1; n -= 1) {
                const [name, data] = event();
                ws.send(JSON.stringify({ event: name, data, id: 1 }));
                if (random() < 0.3) {
                    await patience();
                }
            }
            ws.socket.terminate();
        }

        async function client()
        {
            while (Date.now() < end) {
                await (random() < 0.75 ? one() : plain()).catch(() => patience());
            }
        }

        async function trouble()
        {
            while (Date.now() < end) {
                await sleep(500 + random() * 1000);
                if (random() < 0.5) {
                    server.signal('SIGHUP');
                } else {
                    server.signal('SIGKILL', pick(server.workers()));
                }
            }
        }

        await Promise.all([trouble(), ...Array.from({ length: 24 }, client)]);
        await until('a new client is served', () => connect(server, customer(), WEBSOCKET)
            .then((c) => { c.close(); return true; }, () => false));
    });
});

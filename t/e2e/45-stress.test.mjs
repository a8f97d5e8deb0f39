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
            const posted = poll.post(['42/realtime,1["chat:join-room",{"businessId":"biz-a","userName":"A"}]',
                '42/realtime,2["chat:leave-room"]']);
            await sleep(i);
            ws.send('5');
            await posted;
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

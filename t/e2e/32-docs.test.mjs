// The code of docs/clients.md, docs/rest.md and README.md runs, and the larger pieces are those that
// 30-guide.test.mjs holds against the server.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { io } from 'socket.io-client';
import WebSocket from 'ws';

import { connect } from './lib/chat.mjs';
import { createRoom } from './lib/http.mjs';
import { ROOT, SLOW, until, useServer } from './lib/nginx.mjs';
import { SECRET, customer, staff } from './lib/token.mjs';

globalThis.crypto ??= webcrypto;    // a browser has it, Node 18 has not

const LONG = { timeout: 40000 * SLOW };
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const PYTHONPATH = process.env.PYTHONPATH || path.join(ROOT, 't/.python');

// The blocks of code that a comment with `mark` stands above.
function blocks(mark, language, page = 'docs/clients.md')
{
    return [...read(page).matchAll(/<!-- (\S+) -->\n```(\w+)\n([^]*?)\n```/g)]
        .filter(([, m, l]) => m === mark && l === language).map(([, , , code]) => code);
}

// One of the functions that run, as a function.
function named(name, ...values)
{
    const [code] = blocks('runs', 'js').filter((c) => c.includes(`function ${name}(`));
    assert.ok(code, `docs/clients.md has no ${name} that runs`);
    return new Function('WebSocket', 'crypto', `${code}\nreturn ${name};`)(...values);
}

function run(program, args, env)
{
    return new Promise((resolve) => {
        const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, PYTHONPATH, ...env } });
        let output = '';
        child.stdout.on('data', (part) => { output += part; });
        child.stderr.on('data', (part) => { output += part; });
        const timer = setTimeout(() => child.kill('SIGKILL'), LONG.timeout);
        child.on('close', (code) => { clearTimeout(timer); resolve({ code, output }); });
    });
}

describe('docs/clients.md shows what is tested', () => {
    for (const name of ['useChat.mjs', 'snippets.mjs']) {
        it(name, () => {
            const fixture = read(`t/e2e/fixtures/${name}`);
            const shown = blocks(`t/e2e/fixtures/${name}`, 'js').join('\n').split('\n');
            const lines = (list) => list.filter((l) => l !== '').join('\n');
            const tested = fixture.split('\n').filter((l) => !l.startsWith('//'));
            const sorted = (list) => lines([...list].sort());
            assert.equal(sorted(shown), sorted(tested), 'other lines than in the fixture');
            for (const block of blocks(`t/e2e/fixtures/${name}`, 'js')) {
                for (const piece of block.split('\n\nexport ')) {
                    assert.ok(fixture.includes(piece), `not in the fixture in this order:\n${piece}`);
                }
            }
        });
    }
});

describe('docs/clients.md runs', () => {
    const server = useServer({ workers: 2 });
    const here = (code) => code.replaceAll('http://127.0.0.1:3000', server.url);

    const noCurl = spawnSync('curl', ['-V']).error ? 'no curl' : false;

    it('curl', { ...LONG, skip: noCurl }, async () => {
        const [code] = blocks('runs', 'sh');
        const anna = customer({ business: 'demo-curl' });
        const sam = staff({ business: 'demo-curl' });
        const { code: status, output } = await run('sh', ['-euc', here(code)],
            { CUSTOMER_TOKEN: anna.token, STAFF_TOKEN: sam.token });
        assert.equal(status, 0, output);
        assert.match(output, /"content":"Hello by curl"/);
        assert.match(output, /"totalUnread":0/);
    });

    const tool = fs.existsSync(path.join(ROOT, 'build/realtime-token'));

    it('curl of docs/rest.md', { ...LONG, skip: noCurl || (!tool && 'no realtime-token') }, async () => {
        const [code] = blocks('runs', 'sh', 'docs/rest.md');
        const ROOM = await createRoom(server, customer({ id: 'zoe', business: 'salon' }));
        const { code: status, output } = await run('sh', ['-euc', here(code)],
            { JWT_SECRET: SECRET, ROOM });
        assert.equal(status, 0, output);
        assert.doesNotMatch(output, /"statusCode"/);
        assert.match(output, /"content":"Hello"/);
    });

    it('curl of docs/events.md', { ...LONG, skip: noCurl }, async () => {
        const [code] = blocks('runs', 'sh', 'docs/events.md');
        const sam = await connect(server, staff({ business: 'salon' }));
        const { code: status, output } = await run('sh', ['-euc', here(code)], { JWT_SECRET: SECRET });
        assert.equal(status, 0, output);
        assert.match(output, /"success":true/);
        assert.equal((await sam.next('booking.created')).message, 'New booking from Zoe');
    });

    it('the page of README.md', LONG, async () => {
        const [, code] = /```js\nimport .*?\n([^]*?)\n```/.exec(read('README.md'));
        const lines = [];
        const sockets = [];
        const page = new Function('io', 'token', 'console', here(code));
        page((...args) => { sockets.push(io(...args)); return sockets[0]; },
            customer({ business: 'demo', name: 'Zoe' }).token,
            { log: (...words) => lines.push(words.join(' ')) });
        server.onClose(() => sockets[0].disconnect());
        await until('the message', () => lines.includes('Zoe Hello'));
        assert.equal(lines[0], 'history ');
        sockets[0].disconnect();
    });

    it('plain WebSocket', LONG, async () => {
        const plainChat = named('plainChat', WebSocket, crypto);
        const events = [];
        const chat = plainChat(server.url, customer({ business: 'demo' }).token,
            (event, data) => events.push([event, data]));
        server.onClose(() => chat.socket.close());
        await until('connected', () => events.some(([event]) => event === 'connected'));
        const joined = await chat.ask('chat:join-room', { businessId: 'demo' });
        assert.equal(joined.success, true, JSON.stringify(joined));
        const sent = await chat.ask('chat:send-message', { roomId: joined.roomId, content: 'Hi' });
        assert.equal(sent.success, true, JSON.stringify(sent));
        await until('the message', () => events.some(([event, m]) =>
            event === 'chat:new-message' && m._id === sent.messageId));
        chat.socket.close();
    });

    it('a message that must not get lost', LONG, async () => {
        const sendSurely = named('sendSurely', WebSocket, crypto);
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const chat = await connect(server, anna);
        const message = { roomId, content: 'once', clientMessageId: 'the-same' };
        const [first, second] = [await sendSurely(chat.socket, message),
            await sendSurely(chat.socket, message)];
        assert.equal(first.success, true, JSON.stringify(first));
        assert.equal(second.messageId, first.messageId);
        const other = await sendSurely(chat.socket, { roomId, content: 'another' });
        assert.equal(other.seq, first.seq + 1);
        const refused = await sendSurely(chat.socket, { roomId, content: '' });
        assert.equal(refused.code, 'INVALID');
        chat.socket.disconnect();
    });

    const missing = spawnSync('python3', ['-c', 'import socketio, requests, websocket'],
        { env: { ...process.env, PYTHONPATH } }).status !== 0;

    it('Python', { ...LONG, skip: missing ? 'python-socketio is not installed' : false }, async () => {
        const [code] = blocks('runs', 'python');
        const anna = customer({ business: 'demo', name: 'Anna' });
        const { code: status, output } = await run('python3', ['-c', here(code)],
            { CUSTOMER_TOKEN: anna.token });
        assert.equal(status, 0, output);
        assert.match(output, new RegExp(`connected as ${anna.id}`));
        assert.match(output, /Anna: Hello from Python/);
    });
});

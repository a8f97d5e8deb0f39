// python-socketio and python-engineio, the protocols' second implementation.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { SLOW, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ENV = { ...process.env, PYTHONPATH: process.env.PYTHONPATH || path.join(HERE, '../.python') };
const missing = spawnSync('python3', ['-c', 'import socketio, requests, websocket'], { env: ENV });
const skip = missing.status === 0 ? false : 'python-socketio is not installed';

function run(script, args, env)
{
    return new Promise((resolve) => {
        const child = spawn('python3', [path.join(HERE, 'python', script), ...args],
            { env: { ...ENV, ...env } });
        let output = '';
        child.stdout.on('data', (part) => { output += part; });
        child.stderr.on('data', (part) => { output += part; });
        const timer = setTimeout(() => child.kill('SIGKILL'), 60000 * SLOW);
        child.on('close', (code) => { clearTimeout(timer); resolve({ code, output }); });
    });
}

describe('python-socketio', () => {
    const server = useServer({ workers: 4, locations: `
        location /socket.io/ { realtime on; realtime_rate off; }
        location /api/ { realtime_api on; }` });

    for (const transports of ['websocket', 'polling', 'polling,websocket']) {
        it(`chats over ${transports}`, { timeout: 90000 * SLOW, skip }, async () => {
            const { code, output } = await run('chat.py', [server.url, transports],
                { CUSTOMER: customer().token, STAFF: staff().token });
            assert.equal(code, 0, output);
        });
    }
});

describe('python-engineio', () => {
    const server = useServer({ workers: 4, locations: `
        location /engine.io/ { realtime_echo engine; realtime_ping_interval 300ms; realtime_ping_timeout 2s; }
        location /socket.io/ { realtime_echo socket; realtime_ping_interval 300ms; realtime_ping_timeout 2s; }` });

    for (const transports of ['websocket', 'polling', 'polling,websocket']) {
        it(`echoes text and binary over ${transports}`, { timeout: 90000 * SLOW, skip }, async () => {
            const { code, output } = await run('echo.py', [server.url, transports], {});
            assert.equal(code, 0, output);
        });
    }
});

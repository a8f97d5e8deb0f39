// make run as a newcomer meets it: what it prints, the page of two chat windows in a real browser,
// data that is there again after a restart.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { chromium } from 'playwright-core';

import { api, request } from './lib/http.mjs';
import { freePort, ROOT, SLOW, until } from './lib/nginx.mjs';

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
    .find((f) => fs.existsSync(f));
const LONG = { timeout: 180000 * SLOW };

// make run; resolves with its output when it says that it is ready
async function start(variables)
{
    const child = spawn('make', ['--no-print-directory', '-C', ROOT, 'run',
        ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const run = { child, output: '' };
    child.stdout.on('data', (part) => { run.output += part; });
    child.stderr.on('data', (part) => { run.output += part; });
    run.exited = new Promise((resolve) => child.on('exit', (code) => { run.code = code ?? -1; resolve(); }));
    // Ctrl-C reaches the whole foreground group
    run.interrupt = async () => {
        if (run.code === undefined) {
            process.kill(-child.pid, 'SIGINT');
            await until('make run ends upon Ctrl-C', () => run.code !== undefined, 15000 * SLOW);
        }
    };
    await until('ready', () => /^ready /m.test(run.output) || run.code !== undefined, 150000 * SLOW);
    assert.match(run.output, /^ready /m, run.output);
    return run;
}

const skip = fs.existsSync(path.join(ROOT, 'scripts/run')) ? false : 'there is no make run';

describe('make run', { skip }, () => {
    const state = fs.mkdtempSync(path.join(os.tmpdir(), 'rt-run-'));
    fs.chmodSync(state, 0o755);
    let run;
    after(async () => {
        await run?.interrupt().catch(() => run.child.kill('SIGKILL'));
        fs.rmSync(state, { recursive: true, force: true });
    });

    it('starts, shows two windows that chat, and finds its data again', LONG, async () => {
        const port = await freePort();
        const url = `http://127.0.0.1:${port}`;
        const variables = { PORT: port, STATE_DIR: `${state}/s`, INSTALL: 'no', WORKERS: 2 };
        run = await start(variables);
        assert.match(run.output, new RegExp(`^ready ${url}$`, 'm'));
        const token = (name) => new RegExp(`^${name}_TOKEN=(\\S+)$`, 'm').exec(run.output)?.[1];
        const staff = token('STAFF');
        assert.ok(staff && token('CUSTOMER'), run.output);
        assert.equal((await api({ url }, staff).get('/chat/rooms')).status, 200);
        assert.equal(fs.statSync(`${state}/s/jwt-secret`).mode & 0o777, 0o600);

        const faqs = (await api({ url }, staff).get('/chat/faqs')).json.map((faq) => faq._id);
        assert.ok(faqs.length >= 10, `${faqs.length} questions that a salon is asked`);
        await ask(api({ url }, token('CUSTOMER')), 'What are your hours?');
        await chatInBrowser(url);

        const before = await api({ url }, staff).get('/chat/rooms');
        await run.interrupt();
        assert.doesNotMatch(run.output, /\[(alert|crit|emerg)\]/);
        assert.match(run.output, /🚀 WebSocket Gateway Initialized/);
        assert.match(run.output, /💬 Message sent in room [0-9a-f]{24} by customer/);

        run = await start(variables);
        const again = await api({ url }, staff).get('/chat/rooms');
        assert.equal(again.status, 200, 'the old token is still good');
        assert.deepEqual(again.json.rooms.map((r) => r._id), before.json.rooms.map((r) => r._id));
        assert.deepEqual((await api({ url }, staff).get('/chat/faqs')).json.map((faq) => faq._id), faqs,
            'seeded once');
        await run.interrupt();
    });

    // What the demo's salon knows is answered.
    async function ask(customer, question)
    {
        const room = (await customer.post('/chat/rooms/create', { userName: 'Zoe' })).json;
        const path = `/chat/rooms/${room._id}/messages`;
        const sent = await customer.post(path, { content: question });
        assert.equal(sent.status, 201, sent.text);
        let heard;
        await until(`an answer to ${question}`, async () => {
            heard = (await customer.get(path)).json.messages;
            return heard.some((m) => m.isFAQ && m.replyToMessageId === sent.json._id);
        }, 10000 * SLOW);
        assert.match(heard.find((m) => m.isFAQ).content, /open/i);
    }

    async function chatInBrowser(url)
    {
        assert.equal((await request(`${url}/`)).status, 200);
        if (!browser) {
            return;
        }
        const chrome = await chromium.launch({ executablePath: browser, args: ['--no-sandbox'] });
        try {
            const page = await chrome.newPage();
            const problems = [];
            page.on('pageerror', (e) => problems.push(String(e)));
            page.on('console', (m) => m.type() === 'error' && problems.push(m.text()));
            await page.goto(url);
            const customer = page.locator('#customer');
            const staff = page.locator('#staff');
            for (const side of [customer, staff]) {
                await side.locator('.dot[data-state=on]').waitFor({ timeout: 15000 * SLOW });
            }
            const write = async (side, text) => {
                await side.locator('.chat input').fill(text);
                await side.locator('.chat form button').click();
            };
            await write(customer, 'Hello from the customer 👋');
            await customer.locator('.messages li', { hasText: 'Hello from the customer 👋' }).waitFor();
            await staff.locator('.rooms button').first().click();
            await staff.locator('.messages li', { hasText: 'Hello from the customer 👋' }).waitFor();
            await staff.locator('.chat input').pressSequentially('Hel');
            await customer.locator('.typing', { hasText: 'is typing' }).waitFor();
            await write(staff, 'Hello from staff');
            await customer.locator('.messages li', { hasText: 'Hello from staff' }).waitFor();
            for (const side of [customer, staff]) {
                assert.equal(await side.locator('.messages li', { hasText: 'Hello from staff' }).count(), 1);
            }
            for (const side of [customer, staff]) {
                await side.locator('.transport', { hasText: 'websocket' }).waitFor();
            }
            assert.equal(await page.locator('#problem').isVisible(), false);
            assert.deepEqual(problems, []);
        } finally {
            await chrome.close();
        }
    }
});

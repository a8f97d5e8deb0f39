// Engine.IO by hand: polling requests and WebSocket messages as they are on the wire.

import assert from 'node:assert/strict';
import WebSocket from 'ws';

import { SLOW } from './nginx.mjs';
import { request } from './http.mjs';

export const SEPARATOR = '\x1e';

// One polling session. base: 'http://host:port/socket.io/'
export class Poll
{
    constructor(base, query = '')
    {
        this.base = base;
        this.query = query;
    }

    address(more = '')
    {
        const sid = this.sid === undefined ? '' : `&sid=${encodeURIComponent(this.sid)}`;
        return `${this.base}?EIO=4&transport=polling${sid}${this.query}${more}`;
    }

    async open(options)
    {
        const r = await request(this.address(), options);
        assert.equal(r.status, 200, r.text);
        assert.equal(r.text[0], '0', r.text);
        this.handshake = JSON.parse(r.text.slice(1).split(SEPARATOR)[0]);
        this.sid = this.handshake.sid;
        return this;
    }

    // GET, answered by packets: { status, packets, text }
    async get(options)
    {
        const r = await request(this.address(), options);
        return { ...r, packets: r.text.split(SEPARATOR) };
    }

    // POST of packets (a text is sent as it is)
    post(packets, options = {})
    {
        return request(this.address(), {
            method: 'POST',
            body: Array.isArray(packets) ? packets.join(SEPARATOR) : packets,
            headers: { 'Content-Type': 'text/plain;charset=UTF-8', ...(options.headers || {}) },
            ...options,
        });
    }

    // GETs until a packet of the test arrives; pings are answered on the way.
    async until(test, timeoutMs = 5000 * SLOW)
    {
        const end = Date.now() + timeoutMs;
        this.seen ??= [];
        while (Date.now() < end) {
            const i = this.seen.findIndex(test);
            if (i >= 0) {
                return this.seen.splice(i, 1)[0];
            }
            const r = await this.get();
            assert.equal(r.status, 200, r.text);
            for (const packet of r.packets) {
                if (packet === '2') {
                    await this.post('3');
                } else {
                    this.seen.push(packet);
                }
            }
        }
        throw new Error(`no such packet within ${timeoutMs} ms; seen ${JSON.stringify(this.seen)}`);
    }
}

// A WebSocket whose messages can be awaited one by one. Text arrives as string, binary as Buffer.
export class Ws
{
    constructor(server, url, options = {})
    {
        const { protocols, ...rest } = options;
        this.messages = [];
        this.waiting = [];
        this.socket = new WebSocket(url, protocols || [], { perMessageDeflate: false,
            rejectUnauthorized: false, ...rest });
        this.opened = new Promise((resolve, reject) => {
            this.socket.on('open', resolve);
            this.socket.on('error', reject);
            this.socket.on('unexpected-response', (req, res) => {
                let text = '';
                res.on('data', (part) => { text += part; });
                res.on('end', () => reject(Object.assign(new Error(`HTTP ${res.statusCode} ${text}`),
                    { status: res.statusCode, text, headers: res.headers })));
            });
        });
        this.opened.catch(() => {});
        this.closed = new Promise((resolve) => {
            this.socket.on('close', (code, reason) => {
                this.closeCode = code;
                for (const w of this.waiting.splice(0)) {
                    w.reject(new Error(`closed (${code} ${reason}) while waiting for a message`));
                }
                resolve({ code, reason: String(reason) });
            });
        });
        this.socket.on('error', () => {});
        this.socket.on('message', (data, binary) => {
            const message = binary ? data : data.toString();
            if (this.ignore?.(message)) {
                return;
            }
            const w = this.waiting.shift();
            if (w) {
                w.resolve(message);
            } else {
                this.messages.push(message);
            }
        });
        server?.onClose(() => this.socket.terminate());
    }

    send(data)
    {
        this.socket.send(data);
    }

    next(timeoutMs = 5000 * SLOW)
    {
        if (this.messages.length) {
            return Promise.resolve(this.messages.shift());
        }
        if (this.closeCode !== undefined) {
            return Promise.reject(new Error(`closed (${this.closeCode})`));
        }
        return new Promise((resolve, reject) => {
            const w = {};
            const timer = setTimeout(() => {
                this.waiting.splice(this.waiting.indexOf(w), 1);
                reject(new Error(`no message within ${timeoutMs} ms`));
            }, timeoutMs);
            w.resolve = (m) => { clearTimeout(timer); resolve(m); };
            w.reject = (e) => { clearTimeout(timer); reject(e); };
            this.waiting.push(w);
        });
    }

    // Waits for the close; fails when it takes longer.
    async close(timeoutMs = 5000 * SLOW)
    {
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error(`not closed within ${timeoutMs} ms; messages: `
                + JSON.stringify(this.messages))), timeoutMs);
        });
        try {
            return await Promise.race([this.closed, late]);
        } finally {
            clearTimeout(timer);
        }
    }
}

// An Engine.IO session over WebSocket; pings are kept out of the messages.
export async function openWs(server, base, options = {})
{
    const ws = new Ws(server, `${base.replace('http', 'ws')}?EIO=4&transport=websocket`, options);
    ws.ignore = (m) => m === '2' && (ws.pings = (ws.pings || 0) + 1);
    await ws.opened;
    const open = await ws.next();
    assert.equal(open[0], '0', open);
    ws.handshake = JSON.parse(open.slice(1));
    return ws;
}

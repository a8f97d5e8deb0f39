// WebSocket by hand, frame by frame, so that a peer can be spoken to wrongly on purpose.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';

import { SLOW } from './nginx.mjs';

export const OP = { CONT: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

// One masked client frame; every part can be forced to be wrong.
export function frame(opcode, payload = Buffer.alloc(0),
    { fin = true, rsv = 0, mask = true, length, lengthBytes } = {})
{
    const data = Buffer.from(payload);
    const n = length ?? data.length;
    const form = lengthBytes ?? (n < 126 ? 0 : n < 65536 ? 2 : 8);
    const head = Buffer.alloc(2 + form);
    head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode;
    head[1] = (mask ? 0x80 : 0) | (form === 0 ? n : form === 2 ? 126 : 127);
    if (form === 2) {
        head.writeUInt16BE(n, 2);
    } else if (form === 8) {
        head.writeBigUInt64BE(BigInt.asUintN(64, BigInt(n)), 2);
    }
    if (!mask) {
        return Buffer.concat([head, data]);
    }
    const key = crypto.randomBytes(4);
    const masked = Buffer.alloc(data.length);
    for (let i = 0; i < data.length; i += 1) {
        masked[i] = data[i] ^ key[i & 3];
    }
    return Buffer.concat([head, key, masked]);
}

export function closePayload(code, reason = '')
{
    const b = Buffer.alloc(2);
    b.writeUInt16BE(code);
    return Buffer.concat([b, Buffer.from(reason)]);
}

export class Frames
{
    constructor(server, path, { headers = {}, extra = Buffer.alloc(0), method = 'GET',
        version = '1.1' } = {})
    {
        this.path = path;
        this.received = Buffer.alloc(0);
        this.wakeups = [];
        this.ended = false;
        const { hostname, port } = new URL(server.url);
        this.socket = net.connect(Number(port), hostname);
        this.socket.setNoDelay(true);
        this.socket.on('data', (part) => {
            this.received = Buffer.concat([this.received, part]);
            this.wake();
        });
        this.socket.on('error', (e) => { this.failed = e; this.ended = true; this.wake(); });
        this.socket.on('end', () => { this.ended = true; this.wake(); });
        this.socket.on('close', () => { this.ended = true; this.wake(); });
        server.onClose(() => this.socket.destroy());

        this.key = crypto.randomBytes(16).toString('base64');
        const all = { Host: `${hostname}:${port}`, Upgrade: 'websocket', Connection: 'Upgrade',
            'Sec-WebSocket-Key': this.key, 'Sec-WebSocket-Version': '13', ...headers };
        const lines = [`${method} ${path} HTTP/${version}`];
        for (const [name, value] of Object.entries(all)) {
            for (const v of [].concat(value ?? [])) {
                lines.push(`${name}: ${v}`);
            }
        }
        this.socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), extra]));
    }

    wake()
    {
        for (const w of this.wakeups.splice(0)) {
            w();
        }
    }

    async need(test, what, timeoutMs = 5000 * SLOW)
    {
        const end = Date.now() + timeoutMs;
        for (;;) {
            const value = test();
            if (value !== undefined) {
                return value;
            }
            const left = end - Date.now();
            if (left <= 0) {
                throw new Error(`no ${what} within ${timeoutMs} ms; have `
                    + this.received.subarray(0, 40).toString('hex'));
            }
            let timer;
            await new Promise((resolve) => {
                timer = setTimeout(resolve, left);
                this.wakeups.push(resolve);
            });
            clearTimeout(timer);
        }
    }

    // The HTTP answer: { status, headers, body (so far) }
    async answer()
    {
        const end = await this.need(() => {
            const i = this.received.indexOf('\r\n\r\n');
            return i >= 0 ? i : this.ended ? -1 : undefined;
        }, 'HTTP answer');
        if (end < 0) {
            throw new Error('closed without an answer');
        }
        const [first, ...lines] = this.received.subarray(0, end).toString('latin1').split('\r\n');
        this.received = this.received.subarray(end + 4);
        const headers = {};
        for (const line of lines) {
            const i = line.indexOf(':');
            headers[line.slice(0, i).toLowerCase()] = line.slice(i + 1).trim();
        }
        return { status: Number(first.split(' ')[1]), headers, first };
    }

    async open()
    {
        const answer = await this.answer();
        assert.equal(answer.status, 101, answer.first);
        assert.equal(answer.headers['sec-websocket-accept'],
            crypto.createHash('sha1').update(this.key + GUID).digest('base64'));
        this.headers = answer.headers;
        return this;
    }

    write(...buffers)
    {
        this.socket.write(Buffer.concat(buffers));
    }

    // In pieces of n bytes, each given to the kernel by itself.
    async chop(buffer, n)
    {
        for (let i = 0; i < buffer.length; i += n) {
            this.socket.write(buffer.subarray(i, i + n));
            await new Promise((resolve) => setImmediate(resolve));
        }
    }

    // The next frame as it is on the wire: { fin, rsv, opcode, payload }
    read(timeoutMs)
    {
        return this.need(() => {
            const b = this.received;
            if (b.length >= 2) {
                assert.equal(b[1] & 0x80, 0, 'the server must not mask');
                let n = b[1] & 0x7f;
                let at = 2;
                if (n === 126 && b.length >= 4) {
                    n = b.readUInt16BE(2);
                    at = 4;
                    assert.ok(n >= 126, 'shortest length');
                } else if (n === 127 && b.length >= 10) {
                    n = Number(b.readBigUInt64BE(2));
                    at = 10;
                    assert.ok(n >= 65536, 'shortest length');
                } else if (n >= 126) {
                    return this.ended ? null : undefined;
                }
                if (b.length >= at + n) {
                    this.received = b.subarray(at + n);
                    return { fin: (b[0] & 0x80) !== 0, rsv: b[0] >> 4 & 7, opcode: b[0] & 15,
                        payload: b.subarray(at, at + n) };
                }
            }
            return this.ended ? null : undefined;
        }, 'frame', timeoutMs);
    }

    // The next whole message, fragments put together; control frames in between are an error.
    async message(timeoutMs)
    {
        const first = await this.read(timeoutMs);
        assert.ok(first, 'a message, not the end');
        assert.ok(first.opcode === OP.TEXT || first.opcode === OP.BINARY,
            `opcode ${first.opcode} ${first.payload.toString('hex')}`);
        const parts = [first.payload];
        let last = first;
        while (!last.fin) {
            last = await this.read(timeoutMs);
            assert.equal(last.opcode, OP.CONT);
            parts.push(last.payload);
        }
        return { opcode: first.opcode, rsv: first.rsv, payload: Buffer.concat(parts) };
    }

    // The server must close with one of these codes (none: without a code), say nothing after
    // that, and end the TCP connection.
    async expectClose(...codes)
    {
        const f = await this.read();
        assert.ok(f, 'a close frame before the end');
        assert.equal(f.opcode, OP.CLOSE, `opcode ${f.opcode}: ${f.payload.subarray(0, 40)}`);
        assert.equal(f.fin, true);
        assert.equal(f.rsv, 0);
        if (codes.length) {
            assert.ok(f.payload.length >= 2, 'a close code');
            const code = f.payload.readUInt16BE(0);
            assert.ok(codes.includes(code), `close code ${code}, wanted ${codes}`);
        } else {
            assert.equal(f.payload.length, 0);
        }
        this.write(frame(OP.CLOSE, f.payload.subarray(0, 2)));
        await this.expectEnd();
        return f;
    }

    async expectEnd()
    {
        await this.need(() => this.ended || undefined, 'end of the connection');
        assert.equal(this.received.length, 0, `after the close: ${this.received.toString('hex')}`);
    }
}

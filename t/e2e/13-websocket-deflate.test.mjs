// permessage-deflate (RFC 7692), without context takeover: negotiation, what is sent, what must be
// refused. The case groups 12 and 13 of the Autobahn suite.

import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { describe, it } from 'node:test';

import { closePayload, frame, Frames, OP } from './lib/frames.mjs';
import { Ws } from './lib/eio.mjs';
import { SLOW, useServer } from './lib/nginx.mjs';

const QUICK = { timeout: 20000 };
const LIMIT = 1 << 20;
const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

function deflate(data, options = {})
{
    const out = zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
    return out.subarray(0, out.length - 4);
}

function inflate(data, windowBits = 15)
{
    return zlib.inflateRawSync(Buffer.concat([data, TAIL]),
        { finishFlush: zlib.constants.Z_SYNC_FLUSH, windowBits });
}

describe('permessage-deflate', () => {
    const server = useServer({
        locations: `
            location /ws { realtime_echo websocket; realtime_deflate on; realtime_max_payload ${LIMIT}; }
            location /off { realtime_echo websocket; }`,
    });
    const open = async (headers = OFFER, path = '/ws') =>
        new Frames(server, path, { headers }).open();

    describe('negotiation', () => {
        const extension = async (offer, path) =>
            (await open({ 'Sec-WebSocket-Extensions': offer }, path)).headers['sec-websocket-extensions'];

        it('is off where it is not switched on', QUICK, async () => {
            assert.equal(await extension('permessage-deflate', '/off'), undefined);
        });

        it('is off where it is not offered', QUICK, async () => {
            assert.equal((await open({})).headers['sec-websocket-extensions'], undefined);
        });

        for (const offer of ['permessage-deflate', 'permessage-deflate; client_max_window_bits',
            'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
            'permessage-deflate;client_max_window_bits="12"',
            'x-webkit-deflate-frame, permessage-deflate; client_max_window_bits',
            'permessage-deflate; server_max_window_bits=15',
            'permessage-deflate; what_is_this, permessage-deflate']) {
            it(`accepts ${offer}`, QUICK, async () => {
                const answer = await extension(offer);
                assert.match(answer || 'none', /^permessage-deflate/);
                assert.match(answer, /server_no_context_takeover/);
                assert.doesNotMatch(answer, /,/);
            });
        }

        for (const offer of ['permessage-deflate; what_is_this', 'permessage-deflate; server_max_window_bits=7',
            'permessage-deflate; server_max_window_bits=16', 'permessage-deflate; server_max_window_bits',
            'permessage-deflate; client_max_window_bits=99',
            'permessage-deflate; server_no_context_takeover=1',
            'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
            'permessage-deflat', 'xpermessage-deflate']) {
            it(`goes without for ${offer}`, QUICK, async () => {
                assert.equal(await extension(offer), undefined);
            });
        }

        for (const bits of [9, 10, 12, 15]) {
            it(`keeps to server_max_window_bits=${bits}, or goes without`, QUICK, async () => {
                const ws = await open({ 'Sec-WebSocket-Extensions':
                    `permessage-deflate; server_max_window_bits=${bits}` });
                const answer = ws.headers['sec-websocket-extensions'];
                if (answer === undefined) {
                    return;
                }
                assert.match(answer, new RegExp(`server_max_window_bits=${bits}`));
                // a text that repeats itself at a distance that the window may not reach
                const block = Buffer.from(Array.from({ length: 3000 },
                    (_, i) => 97 + (i * i * 31 + (i >> 3)) % 26));
                const payload = Buffer.concat([block, block, block, block]);
                ws.write(frame(OP.TEXT, deflate(payload), { rsv: 4 }));
                const m = await ws.message();
                const plain = m.rsv === 4 ? inflate(m.payload, bits) : m.payload;
                assert.ok(plain.equals(payload));
            });
        }
    });

    describe('messages', () => {
        for (const size of [0, 1, 16, 64, 256, 1024, 4096, 16384, 65536, 131072, LIMIT]) {
            for (const [opcode, what] of [[OP.TEXT, 'text'], [OP.BINARY, 'binary']]) {
                it(`returns ${size} bytes of ${what}`, QUICK, async () => {
                    const ws = await open();
                    const payload = Buffer.alloc(size, 'The quick brown fox jumps over the lazy dog. ');
                    for (let i = 0; i < 3; i += 1) {
                        ws.write(frame(opcode, deflate(payload), { rsv: 4 }));
                        const m = await ws.message(10000 * SLOW);
                        assert.equal(m.opcode, opcode);
                        const plain = m.rsv === 4 ? inflate(m.payload) : m.payload;
                        assert.ok(plain.equals(payload), `${plain.length} bytes`);
                        if (size >= 1024) {
                            assert.equal(m.rsv, 4, 'compressed');
                            assert.ok(m.payload.length < size / 2, `${m.payload.length} bytes`);
                        }
                    }
                });
            }
        }

        it('takes plain messages beside compressed ones', QUICK, async () => {
            const ws = await open();
            for (const s of ['plain', 'again']) {
                ws.write(frame(OP.TEXT, s), frame(OP.TEXT, deflate(`${s} compressed`), { rsv: 4 }));
                for (const wanted of [s, `${s} compressed`]) {
                    const m = await ws.message();
                    assert.equal(String(m.rsv === 4 ? inflate(m.payload) : m.payload), wanted);
                }
            }
        });

        for (const [name, options] of [['stored blocks', { level: 0 }], ['fixed codes',
            { strategy: zlib.constants.Z_FIXED }], ['the best compression', { level: 9 }],
            ['a small window', { windowBits: 9 }], ['run lengths', { strategy: zlib.constants.Z_RLE }]]) {
            it(`reads ${name}`, QUICK, async () => {
                const ws = await open();
                const payload = Buffer.from('Grüße 👋 '.repeat(500));
                ws.write(frame(OP.TEXT, deflate(payload, options), { rsv: 4 }));
                const m = await ws.message();
                assert.ok((m.rsv === 4 ? inflate(m.payload) : m.payload).equals(payload));
            });
        }

        it('reads a message whose last block says it is the last', QUICK, async () => {
            const ws = await open();
            const payload = Buffer.concat([zlib.deflateRawSync('Hello'), Buffer.from([0])]);
            for (let i = 0; i < 2; i += 1) {
                ws.write(frame(OP.TEXT, payload, { rsv: 4 }));
                const m = await ws.message();
                assert.equal(String(m.rsv === 4 ? inflate(m.payload) : m.payload), 'Hello');
            }
        });

        it('reads fragments, with a ping in between', QUICK, async () => {
            const ws = await open();
            const payload = Buffer.from('words and words and words '.repeat(100));
            const packed = deflate(payload);
            const third = Math.ceil(packed.length / 3);
            ws.write(frame(OP.TEXT, packed.subarray(0, third), { rsv: 4, fin: false }),
                frame(OP.CONT, packed.subarray(third, 2 * third), { fin: false }),
                frame(OP.PING, 'x'), frame(OP.CONT, packed.subarray(2 * third), { fin: false }),
                frame(OP.CONT, ''));
            assert.equal((await ws.read()).opcode, OP.PONG);
            const m = await ws.message();
            assert.ok((m.rsv === 4 ? inflate(m.payload) : m.payload).equals(payload));
        });

        it('never needs what it sent before', QUICK, async () => {
            const ws = await open();
            const payload = Buffer.alloc(5000, 'the same text again and again, ');
            const sizes = [];
            for (let i = 0; i < 3; i += 1) {
                ws.write(frame(OP.TEXT, deflate(payload), { rsv: 4 }));
                const m = await ws.message();
                assert.equal(m.rsv, 4);
                assert.ok(inflate(m.payload).equals(payload));  // a fresh inflater each time
                sizes.push(m.payload.length);
            }
            assert.equal(new Set(sizes).size, 1, String(sizes));
        });

        it('serves a real client', QUICK, async () => {
            const ws = new Ws(server, `${server.url.replace('http', 'ws')}/ws`,
                { perMessageDeflate: { threshold: 0 } });
            await ws.opened;
            assert.match(ws.socket.extensions, /permessage-deflate/);
            for (const size of [1, 100, 10000, 500000]) {
                const s = 'ab👋'.repeat(size / 4 + 1);
                ws.send(s);
                assert.equal(await ws.next(), s);
            }
        });
    });

    describe('what must be refused', () => {
        const bomb = deflate(Buffer.alloc(64 << 20));

        for (const [name, frames, codes] of [
            ['rsv1 on a continuation', [frame(OP.TEXT, deflate('x').subarray(0, 1), { rsv: 4, fin: false }),
                frame(OP.CONT, deflate('x').subarray(1), { rsv: 4 })], [1002]],
            ['rsv1 on a ping', [frame(OP.PING, 'x', { rsv: 4 })], [1002]],
            ['rsv1 on a close', [frame(OP.CLOSE, closePayload(1000), { rsv: 4 })], [1002]],
            ['rsv2', [frame(OP.TEXT, deflate('x'), { rsv: 6 })], [1002]],
            ['rsv3', [frame(OP.TEXT, deflate('x'), { rsv: 5 })], [1002]],
            ['bytes that do not inflate', [frame(OP.TEXT, Buffer.from('ffffffff', 'hex'), { rsv: 4 })],
                [1002, 1007]],
            ['a distance before the beginning', [frame(OP.TEXT,
                deflate(Buffer.alloc(100, 'ab'), { dictionary: Buffer.from('abababab') }), { rsv: 4 })],
            [1002, 1007]],
            ['text that is no UTF-8 when inflated', [frame(OP.TEXT, deflate(Buffer.from([0x61, 0xff])),
                { rsv: 4 })], [1007]],
            ['a message that is over the limit when inflated', [frame(OP.BINARY, bomb, { rsv: 4 })],
                [1009]],
            ['fragments that are over the limit when inflated',
                [frame(OP.BINARY, bomb.subarray(0, 30000), { rsv: 4, fin: false }),
                    frame(OP.CONT, bomb.subarray(30000))], [1009]],
        ]) {
            it(`closes upon ${name}`, QUICK, async () => {
                const ws = await open();
                ws.write(...frames);
                await ws.expectClose(...codes);
            });
        }

        it('closes upon rsv1 that was not agreed on', QUICK, async () => {
            const ws = await open(OFFER, '/off');
            ws.write(frame(OP.TEXT, deflate('x'), { rsv: 4 }));
            await ws.expectClose(1002);
        });
    });
});

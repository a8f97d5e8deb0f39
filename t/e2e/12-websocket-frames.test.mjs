// RFC 6455 frame by frame against realtime_echo websocket: the case groups of the Autobahn suite.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { closePayload, frame, Frames, OP } from './lib/frames.mjs';
import { sleep, SLOW, useServer } from './lib/nginx.mjs';

const QUICK = { timeout: 20000 };
const LARGE = { timeout: 60000 * SLOW };
const text = (s) => Buffer.from(s);
const hex = (s) => Buffer.from(s.replace(/ /g, ''), 'hex');

describe('RFC 6455', () => {
    const server = useServer({
        locations: 'location /ws { realtime_echo websocket; realtime_max_payload 32m; }',
    });
    const open = (options) => new Frames(server, '/ws', options).open();

    const echoes = async (ws, opcode, payload, send) => {
        await send(frame(opcode, payload));
        const m = await ws.message(20000 * SLOW);
        assert.equal(m.opcode, opcode);
        assert.equal(m.payload.length, payload.length);
        assert.ok(m.payload.equals(payload), 'same bytes');
    };

    const closesNormally = async (ws) => {
        ws.write(frame(OP.CLOSE, closePayload(1000)));
        await ws.expectClose(1000);
    };

    describe('1 framing', () => {
        for (const opcode of [OP.TEXT, OP.BINARY]) {
            for (const size of [0, 125, 126, 127, 128, 65535, 65536]) {
                it(`echoes ${size} bytes, opcode ${opcode}`, QUICK, async () => {
                    const ws = await open();
                    await echoes(ws, opcode, Buffer.alloc(size, '*'), (f) => ws.write(f));
                    await closesNormally(ws);
                });
            }

            it(`echoes 65536 bytes that come in pieces, opcode ${opcode}`, QUICK, async () => {
                const ws = await open();
                await echoes(ws, opcode, Buffer.alloc(65536, '*'), (f) => ws.chop(f, 997));
                await echoes(ws, opcode, Buffer.alloc(300, '*'), (f) => ws.chop(f, 1));
                await closesNormally(ws);
            });
        }
    });

    describe('2 ping and pong', () => {
        for (const [name, payload] of [['nothing', ''], ['text', 'Hello, world!'],
            ['binary', hex('00 ff fe fd fc fb 00 ff')], ['125 bytes', Buffer.alloc(125, 0xfe)]]) {
            it(`answers a ping with ${name}`, QUICK, async () => {
                const ws = await open();
                ws.write(frame(OP.PING, payload));
                const f = await ws.read();
                assert.equal(f.opcode, OP.PONG);
                assert.deepEqual(f.payload, Buffer.from(payload));
                await closesNormally(ws);
            });
        }

        it('closes upon a ping with 126 bytes', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.PING, Buffer.alloc(126, 0xfe)));
            await ws.expectClose(1002);
        });

        it('answers a ping that comes byte by byte', QUICK, async () => {
            const ws = await open();
            await ws.chop(frame(OP.PING, Buffer.alloc(125, 0xfe)), 1);
            assert.equal((await ws.read()).opcode, OP.PONG);
            await closesNormally(ws);
        });

        it('does not answer pongs', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.PONG), frame(OP.PONG, 'unsolicited'), frame(OP.PING, 'x'));
            const f = await ws.read();
            assert.equal(f.opcode, OP.PONG);
            assert.equal(String(f.payload), 'x');
            await closesNormally(ws);
        });

        for (const size of [1, 1e6]) {
            it(`answers ten pings in order, written ${size === 1 ? 'byte by byte' : 'at once'}`,
                QUICK, async () => {
                    const ws = await open();
                    const pings = Buffer.concat(Array.from({ length: 10 },
                        (_, i) => frame(OP.PING, `payload-${i}`)));
                    await ws.chop(pings, size);
                    for (let i = 0; i < 10; i += 1) {
                        const f = await ws.read();
                        assert.equal(f.opcode, OP.PONG);
                        assert.equal(String(f.payload), `payload-${i}`);
                    }
                    await closesNormally(ws);
                });
        }
    });

    describe('3 reserved bits', () => {
        for (let rsv = 1; rsv <= 7; rsv += 1) {
            for (const [name, opcode] of [['text', OP.TEXT], ['binary', OP.BINARY],
                ['ping', OP.PING], ['close', OP.CLOSE]]) {
                it(`closes upon rsv ${rsv} in a ${name} frame`, QUICK, async () => {
                    const ws = await open();
                    ws.write(frame(OP.TEXT, 'first'), frame(opcode, opcode === OP.CLOSE ? closePayload(1000) : 'x', { rsv }),
                        frame(OP.PING, 'never answered'));
                    assert.equal(String((await ws.message()).payload), 'first');
                    await ws.expectClose(1002);
                });
            }
        }
    });

    describe('4 opcodes', () => {
        for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
            for (const payload of ['', 'reserved opcode payload']) {
                it(`closes upon opcode ${opcode} with ${payload.length} bytes`, QUICK, async () => {
                    const ws = await open();
                    ws.write(frame(OP.TEXT, 'first'), frame(opcode, payload),
                        frame(OP.PING, 'never answered'));
                    assert.equal(String((await ws.message()).payload), 'first');
                    await ws.expectClose(1002);
                });
            }
        }
    });

    describe('5 fragmentation', () => {
        const part = (opcode, s, fin) => frame(opcode, s, { fin });
        for (const [name, frames, answers] of [
            ['a fragmented text', [part(1, 'frag1', false), part(0, 'frag2', true)], ['frag1frag2']],
            ['a ping in between', [part(1, 'frag1', false), frame(OP.PING, 'ping'),
                part(0, 'frag2', true)], ['PONG ping', 'frag1frag2']],
            ['empty fragments', [part(1, '', false), part(0, '', false), part(0, '', true)], ['']],
            ['empty first and last', [part(1, '', false), part(0, 'middle', false), part(0, '', true)],
                ['middle']],
            ['pings between many', [part(1, 'a', false), part(0, 'b', false), frame(OP.PING, '1'),
                part(0, 'c', false), part(0, 'd', false), frame(OP.PING, '2'), part(0, 'e', true)],
            ['PONG 1', 'PONG 2', 'abcde']],
        ]) {
            for (const size of [1, 1e6]) {
                it(`puts together ${name}, ${size === 1 ? 'byte by byte' : 'at once'}`, QUICK,
                    async () => {
                        const ws = await open();
                        await ws.chop(Buffer.concat(frames), size);
                        for (const wanted of answers) {
                            if (wanted.startsWith('PONG ')) {
                                const f = await ws.read();
                                assert.equal(f.opcode, OP.PONG);
                                assert.equal(String(f.payload), wanted.slice(5));
                            } else {
                                assert.equal(String((await ws.message()).payload), wanted);
                            }
                        }
                        await closesNormally(ws);
                    });
            }
        }

        for (const [name, frames] of [
            ['a fragmented ping', [part(OP.PING, 'a', false), part(OP.CONT, 'b', true)]],
            ['a fragmented pong', [part(OP.PONG, 'a', false), part(OP.CONT, 'b', true)]],
            ['a fragmented close', [part(OP.CLOSE, closePayload(1000), false)]],
            ['a continuation of nothing, final', [part(OP.CONT, 'x', true), frame(OP.TEXT, 'y')]],
            ['a continuation of nothing', [part(OP.CONT, 'x', false), frame(OP.TEXT, 'y')]],
            ['text within a fragmented message', [part(OP.TEXT, 'a', false), frame(OP.TEXT, 'b')]],
            ['binary within a fragmented message', [part(OP.TEXT, 'a', false),
                frame(OP.BINARY, 'b')]],
        ]) {
            it(`closes upon ${name}`, QUICK, async () => {
                const ws = await open();
                ws.write(...frames);
                await ws.expectClose(1002);
            });
        }

        it('closes upon a continuation after a finished message', QUICK, async () => {
            const ws = await open();
            ws.write(part(1, 'a', false), part(0, 'b', true), part(0, 'c', false),
                frame(OP.TEXT, 'd'));
            assert.equal(String((await ws.message()).payload), 'ab');
            await ws.expectClose(1002);
        });
    });

    describe('6 UTF-8', () => {
        for (const [name, bytes] of [
            ['two bytes', 'c2 80'], ['the last of two bytes', 'df bf'], ['three bytes', 'e0 a0 80'],
            ['the last before the surrogates', 'ed 9f bf'], ['after the surrogates', 'ee 80 80'],
            ['replacement character', 'ef bf bd'], ['noncharacters', 'ef bf be ef bf bf'],
            ['four bytes', 'f0 90 80 80'], ['the last', 'f4 8f bf bf'], ['NUL', '00'], ['DEL', '7f'],
            ['words', Buffer.from('κόσμε Hello-µ@ßöäüàá-UTF-8!! 👋🏽').toString('hex')],
        ]) {
            it(`takes ${name}`, QUICK, async () => {
                const ws = await open();
                const payload = hex(bytes);
                await echoes(ws, OP.TEXT, payload, (f) => ws.write(f));
                // and cut in the middle of each character
                const parts = [...payload].map((b, i) => frame(i === 0 ? OP.TEXT : OP.CONT,
                    Buffer.from([b]), { fin: i === payload.length - 1 }));
                ws.write(...parts);
                assert.ok((await ws.message()).payload.equals(payload));
                await closesNormally(ws);
            });
        }

        const bad = [
            ['a continuation byte alone', '80'], ['the last continuation byte', 'bf'],
            ['two continuation bytes', '80 bf'], ['all continuation bytes', '80 81 82 83 84 85 bf'],
            ['c0', 'c0 20'], ['c1', 'c1 20'], ['overlong slash', 'c0 af'],
            ['overlong slash in three', 'e0 80 af'], ['overlong slash in four', 'f0 80 80 af'],
            ['overlong slash in five', 'f8 80 80 80 af'], ['overlong slash in six', 'fc 80 80 80 80 af'],
            ['overlong NUL', 'c0 80'], ['overlong c1 bf', 'c1 bf'], ['overlong e0 9f bf', 'e0 9f bf'],
            ['overlong f0 8f bf bf', 'f0 8f bf bf'], ['five bytes', 'f8 88 80 80 80'],
            ['six bytes', 'fc 84 80 80 80 80'], ['past the last', 'f4 90 80 80'], ['f5', 'f5 80 80 80'],
            ['fe', 'fe'], ['ff', 'ff'], ['fe fe ff ff', 'fe fe ff ff'],
            ['a high surrogate', 'ed a0 80'], ['a low surrogate', 'ed bf bf'],
            ['a surrogate pair', 'ed a0 80 ed b0 80'], ['a cut of two', 'c2'], ['a cut of three', 'e0 a0'],
            ['a cut of four', 'f0 90 80'], ['a lead byte and a letter', 'c3 28'],
            ['a word with a broken end', 'ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64'],
        ];
        for (const [name, bytes] of bad) {
            it(`closes upon ${name}`, QUICK, async () => {
                const ws = await open();
                ws.write(frame(OP.TEXT, hex(bytes)));
                await ws.expectClose(1007);
            });

            it(`closes upon ${name} over fragments`, QUICK, async () => {
                const ws = await open();
                const payload = hex(bytes);
                ws.write(...[...payload].map((b, i) => frame(i === 0 ? OP.TEXT : OP.CONT,
                    Buffer.from([b]), { fin: i === payload.length - 1 })));
                await ws.expectClose(1007);
            });
        }

        it('fails fast: a bad fragment is refused before the message ends', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.TEXT, hex('ce ba e1 bd b9 f4 90 80 80'), { fin: false }));
            await ws.expectClose(1007);
        });

        it('does not look at binary', QUICK, async () => {
            const ws = await open();
            await echoes(ws, OP.BINARY, hex('ff fe c0 80 ed a0 80'), (f) => ws.write(f));
            await closesNormally(ws);
        });
    });

    describe('7 close', () => {
        it('says nothing after a close', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.CLOSE, closePayload(1000)), frame(OP.PING, 'x'), frame(OP.TEXT, 'y'));
            await ws.expectClose(1000);
        });

        it('answers what came before the close', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.TEXT, Buffer.alloc(262144, 'B')), frame(OP.CLOSE, closePayload(1000)));
            assert.equal((await ws.message()).payload.length, 262144);
            await ws.expectClose(1000);
        });

        it('closes in the middle of a fragmented message', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.TEXT, 'fragment1', { fin: false }),
                frame(OP.CLOSE, closePayload(1000)), frame(OP.CONT, 'fragment2'));
            await ws.expectClose(1000);
        });

        it('takes a close without a code as 1000, or none', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.CLOSE));
            const f = await ws.read();
            assert.equal(f.opcode, OP.CLOSE);
            assert.ok(f.payload.length === 0 || f.payload.readUInt16BE(0) === 1000);
            await ws.expectEnd();
        });

        for (const [name, payload, code] of [
            ['one byte', Buffer.from([3]), 1002],
            ['a reason', closePayload(1000, 'Hello World!'), 1000],
            ['the longest reason', closePayload(1000, '*'.repeat(123)), 1000],
            ['too long a reason', closePayload(1000, '*'.repeat(124)), 1002],
            ['a reason that is not UTF-8', Buffer.concat([closePayload(1000),
                hex('ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64')]), 1007],
        ]) {
            it(`answers a close with ${name} by ${code}`, QUICK, async () => {
                const ws = await open();
                ws.write(frame(OP.CLOSE, payload));
                await ws.expectClose(code);
            });
        }

        for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
            3000, 3999, 4000, 4999]) {
            it(`answers ${code} by the same`, QUICK, async () => {
                const ws = await open();
                ws.write(frame(OP.CLOSE, closePayload(code)));
                await ws.expectClose(code);
            });
        }

        for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
            it(`answers ${code} by 1002`, QUICK, async () => {
                const ws = await open();
                ws.write(frame(OP.CLOSE, closePayload(code)));
                await ws.expectClose(1002);
            });
        }
    });

    describe('8 masks, lengths, the handshake', () => {
        for (const [name, bytes] of [
            ['an unmasked text', frame(OP.TEXT, 'x', { mask: false })],
            ['an unmasked ping', frame(OP.PING, '', { mask: false })],
            ['a length with its highest bit set', frame(OP.BINARY, '', { length: -1, lengthBytes: 8 })],
        ]) {
            it(`closes upon ${name}`, QUICK, async () => {
                const ws = await open();
                ws.write(bytes);
                await ws.expectClose(1002, 1009);
            });
        }

        it('refuses a message over the limit from its header alone', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.BINARY, '', { length: (32 << 20) + 1 }));
            await ws.expectClose(1009);
        });

        it('counts fragments together', LARGE, async () => {
            const ws = await open();
            ws.write(frame(OP.BINARY, Buffer.alloc(16 << 20), { fin: false }));
            ws.write(frame(OP.CONT, '', { length: (16 << 20) + 1 }));
            await ws.expectClose(1009);
        });

        it('reads frames that came with the handshake', QUICK, async () => {
            const ws = await open({ extra: Buffer.concat([frame(OP.TEXT, 'early'),
                frame(OP.PING, 'bird'), frame(OP.TEXT, 'half').subarray(0, 3)]) });
            assert.equal(String((await ws.message()).payload), 'early');
            assert.equal((await ws.read()).opcode, OP.PONG);
        });

        for (const [name, headers] of [
            ['usual headers', {}],
            ['Connection: keep-alive, Upgrade', { Connection: 'keep-alive, Upgrade' }],
            ['other case', { Connection: 'upgrade', Upgrade: 'WebSocket' }],
            ['an unknown extension', { 'Sec-WebSocket-Extensions': 'x-foo; bar=1' }],
            ['a long cookie', { Cookie: `a=${'x'.repeat(3000)}` }],
        ]) {
            it(`accepts ${name}`, QUICK, async () => {
                const ws = await open({ headers });
                assert.equal(ws.headers['sec-websocket-extensions'], undefined);
                assert.match(ws.headers.upgrade, /^websocket$/i);
                assert.match(ws.headers.connection, /^upgrade$/i);
                await echoes(ws, OP.TEXT, text('hi'), (f) => ws.write(f));
            });
        }

        for (const [name, options, status] of [
            ['no key', { headers: { 'Sec-WebSocket-Key': undefined } }, 400],
            ['a short key', { headers: { 'Sec-WebSocket-Key': 'c2hvcnQ=' } }, 400],
            ['a key that is no base64', { headers: { 'Sec-WebSocket-Key': '!'.repeat(24) } }, 400],
            ['version 8', { headers: { 'Sec-WebSocket-Version': '8' } }, 426],
            ['no version', { headers: { 'Sec-WebSocket-Version': undefined } }, 426],
            ['a POST', { method: 'POST', headers: { 'Content-Length': '0' } }, 405],
            ['HTTP/1.0', { version: '1.0' }, 400],
            ['no Upgrade', { headers: { Upgrade: undefined } }, 426],
            ['another Upgrade', { headers: { Upgrade: 'h2c' } }, 426],
        ]) {
            it(`refuses ${name}`, QUICK, async () => {
                const ws = new Frames(server, '/ws', options);
                const { status: seen } = await ws.answer();
                assert.ok(seen === status || seen === 400, `status ${seen}`);
            });
        }

        it('says which version it speaks', QUICK, async () => {
            const ws = new Frames(server, '/ws', { headers: { 'Sec-WebSocket-Version': '8' } });
            assert.equal((await ws.answer()).headers['sec-websocket-version'], '13');
        });

        it('ends the connection when a client goes without a close', QUICK, async () => {
            const ws = await open();
            ws.write(frame(OP.TEXT, 'half').subarray(0, 4));
            ws.socket.end();
            await ws.need(() => ws.ended || undefined, 'end');
        });
    });

    describe('9 and 10 large and many', () => {
        for (const [name, size, fragment, piece] of [
            ['64 KB', 1 << 16, 0, 0], ['1 MB', 1 << 20, 0, 0], ['8 MB', 8 << 20, 0, 0],
            ['16 MB', 16 << 20, 0, 0], ['4 MB in fragments of 64', 4 << 17, 64, 0],
            ['4 MB in fragments of 64 KB', 4 << 20, 1 << 16, 0],
            ['1 MB in pieces of 64 bytes', 1 << 17, 0, 64], ['1 MB in pieces of 2 KB', 1 << 20, 0, 2048],
            ['64 KB in fragments of 1300', 1 << 16, 1300, 0],
        ]) {
            for (const opcode of [OP.TEXT, OP.BINARY]) {
                it(`echoes ${name}, opcode ${opcode}`, LARGE, async () => {
                    const ws = await open();
                    const payload = Buffer.alloc(size, 'BAsd7&jh23');
                    if (fragment) {
                        const frames = [];
                        for (let i = 0; i < size; i += fragment) {
                            frames.push(frame(i === 0 ? opcode : OP.CONT,
                                payload.subarray(i, i + fragment), { fin: i + fragment >= size }));
                        }
                        ws.write(...frames);
                    } else if (piece) {
                        await ws.chop(frame(opcode, payload), piece);
                    } else {
                        ws.write(frame(opcode, payload));
                    }
                    const m = await ws.message(30000 * SLOW);
                    assert.ok(m.payload.equals(payload), `${m.payload.length} bytes`);
                    await closesNormally(ws);
                });
            }
        }

        it('echoes 1000 small messages written at once, in order', LARGE, async () => {
            const ws = await open();
            ws.write(...Array.from({ length: 1000 }, (_, i) => frame(OP.TEXT, `message ${i}`)));
            for (let i = 0; i < 1000; i += 1) {
                assert.equal(String((await ws.message()).payload), `message ${i}`);
            }
            await closesNormally(ws);
        });
    });

    it('pings an idle client', QUICK, async () => {
        if (process.env.REFERENCE_URL) {
            return;
        }
        const quick = new (server.constructor)({ locations: `location /ws {
            realtime_echo websocket; realtime_ping_interval 200ms; realtime_ping_timeout 200ms; }` });
        await quick.start();
        try {
            const ws = await new Frames(quick, '/ws').open();
            for (let i = 0; i < 3; i += 1) {
                const f = await ws.read();
                assert.equal(f.opcode, OP.PING);
                ws.write(frame(OP.PONG, f.payload));
            }
            await sleep(900);
            await ws.need(() => ws.ended || undefined, 'end of a client that does not answer', 3000);
        } finally {
            await quick.stop();
        }
    });
});

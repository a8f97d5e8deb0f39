// The Engine.IO protocol, case by case, against realtime_echo engine. The cases are those of the
// protocol's own test suite and the traps beside them.

import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, it } from 'node:test';

import { openWs, Poll, SEPARATOR, Ws } from './lib/eio.mjs';
import { request } from './lib/http.mjs';
import { sleep, useServer } from './lib/nginx.mjs';

const PING_INTERVAL = 300;
const PING_TIMEOUT = 200;
const MAX_PAYLOAD = 1000000;
const QUICK = { timeout: 20000 };

for (const workers of [1, 4]) {
    describe(`Engine.IO, ${workers} workers`, () => {
        const server = useServer({
            workers,
            locations: `
                location /engine.io/ {
                    realtime_echo engine;
                    realtime_ping_interval ${PING_INTERVAL}ms;
                    realtime_ping_timeout ${PING_TIMEOUT}ms;
                    realtime_max_payload ${MAX_PAYLOAD};
                }
                location /slow/ {
                    realtime_echo engine;
                    realtime_max_payload ${MAX_PAYLOAD};
                    realtime_upgrade_timeout 400ms;
                }`,
        });
        const base = () => `${server.url}/engine.io/`;
        const slow = () => `${server.url}/slow/`;
        const poll = (path = slow()) => new Poll(path).open();
        const upgradeUrl = (p) => `${p.base.replace('http', 'ws')}?EIO=4&transport=websocket&sid=${p.sid}`;

        describe('handshake', () => {
            for (const [name, open, upgrades] of [
                ['polling', async () => (await poll(base())).handshake, ['websocket']],
                ['websocket', async () => (await openWs(server, base())).handshake, []],
            ]) {
                it(`opens a session over ${name}`, QUICK, async () => {
                    const handshake = await open();
                    assert.deepEqual(Object.keys(handshake).sort(),
                        ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades']);
                    assert.equal(typeof handshake.sid, 'string');
                    assert.deepEqual(handshake.upgrades, upgrades);
                    assert.equal(handshake.pingInterval, PING_INTERVAL);
                    assert.equal(handshake.pingTimeout, PING_TIMEOUT);
                    assert.equal(handshake.maxPayload, MAX_PAYLOAD);
                });
            }

            it('answers text/plain in UTF-8', QUICK, async () => {
                const r = await request(`${base()}?EIO=4&transport=polling`);
                assert.match(r.headers['content-type'], /^text\/plain; ?charset=UTF-8$/i);
            });

            it('gives every session another id', QUICK, async () => {
                const sids = await Promise.all(Array.from({ length: 20 }, () => poll()));
                assert.equal(new Set(sids.map((p) => p.sid)).size, 20);
            });

            for (const [name, query, method, status, code, message] of [
                ['no EIO', 'transport=polling', 'GET', 400, 5, 'Unsupported protocol version'],
                ['EIO=abc', 'EIO=abc&transport=polling', 'GET', 400, 5, 'Unsupported protocol version'],
                ['EIO=3', 'EIO=3&transport=polling', 'GET', 400, 5, 'Unsupported protocol version'],
                ['no transport', 'EIO=4', 'GET', 400, 0, 'Transport unknown'],
                ['another transport', 'EIO=4&transport=abc', 'GET', 400, 0, 'Transport unknown'],
                ['a property name as transport', 'EIO=4&transport=constructor', 'GET', 400, 0,
                    'Transport unknown'],
                ['POST', 'EIO=4&transport=polling', 'POST', 400, 2, 'Bad handshake method'],
                ['PUT', 'EIO=4&transport=polling', 'PUT', 400, 2, 'Bad handshake method'],
                ['an unknown sid', 'EIO=4&transport=polling&sid=abcdefg', 'GET', 400, 1,
                    'Session ID unknown'],
                ['POST to an unknown sid', 'EIO=4&transport=polling&sid=abcdefg', 'POST', 400, 1,
                    'Session ID unknown'],
                ['transport before sid', 'EIO=4&transport=abc&sid=abcdefg', 'GET', 400, 0,
                    'Transport unknown'],
                ['method before version', 'EIO=3&transport=polling', 'POST', 400, 2,
                    'Bad handshake method'],
                ['websocket without an upgrade', 'EIO=4&transport=websocket', 'GET', 400, 3,
                    'Bad request'],
            ]) {
                it(`refuses ${name}`, QUICK, async () => {
                    const r = await request(`${base()}?${query}`, { method });
                    assert.equal(r.status, status, r.text);
                    assert.deepEqual(r.json, { code, message });
                    assert.match(r.headers['content-type'], /^application\/json/);
                });
            }

            for (const [name, query, message] of [
                ['no EIO', 'transport=websocket', 'Unsupported protocol version'],
                ['EIO=abc', 'EIO=abc&transport=websocket', 'Unsupported protocol version'],
                ['no transport', 'EIO=4', 'Transport unknown'],
                ['another transport', 'EIO=4&transport=abc', 'Transport unknown'],
                ['an unknown sid', 'EIO=4&transport=websocket&sid=abcdefg', 'Session ID unknown'],
            ]) {
                it(`refuses a WebSocket with ${name}`, QUICK, async () => {
                    const ws = new Ws(server, `${base().replace('http', 'ws')}?${query}`);
                    await assert.rejects(ws.opened, (e) => {
                        assert.equal(e.status, 400, e.message);
                        assert.ok(e.text.includes(message), e.text);
                        return true;
                    });
                });
            }

            it('knows a session whose request names another protocol version as code 3', QUICK,
                async () => {
                    const p = await poll();
                    const r = await request(`${slow()}?EIO=3&transport=polling&sid=${p.sid}`);
                    assert.equal(r.status, 400);
                    assert.equal(r.json.code, 3, r.text);
                });
        });

        describe('messages over polling', () => {
            for (const [name, sent] of [
                ['one text', ['4hello']],
                ['several texts', ['4test1', '4test2', '4test3']],
                ['text and binary', ['4hello', 'bAQIDBA==']],
                ['an empty text', ['4']],
                ['an empty binary', ['b']],
                ['emoji and line breaks', ['4Grüße 👋\n\r\t"\\']],
            ]) {
                it(`returns ${name}`, QUICK, async () => {
                    const p = await poll();
                    const post = await p.post(sent);
                    assert.equal(post.status, 200, post.text);
                    assert.equal(post.text, 'ok');
                    assert.match(post.headers['content-type'], /^text\/(html|plain)/);
                    const got = [];
                    while (got.length < sent.length) {
                        const r = await p.get();
                        assert.equal(r.status, 200, r.text);
                        got.push(...r.packets);
                    }
                    assert.deepEqual(got, sent);
                });
            }

            it('holds a GET until there is something to say', QUICK, async () => {
                const p = await poll();
                const get = p.get();
                await sleep(200);
                assert.equal((await p.post('4late')).text, 'ok');
                assert.deepEqual((await get).packets, ['4late']);
            });

            it('keeps 100 messages in order, at most 16 in one answer', QUICK, async () => {
                const p = await poll();
                const sent = Array.from({ length: 100 }, (_, i) => `4message ${i}`);
                for (let i = 0; i < 100; i += 10) {
                    assert.equal((await p.post(sent.slice(i, i + 10))).status, 200);
                }
                const got = [];
                while (got.length < 100) {
                    const r = await p.get();
                    assert.ok(r.packets.length <= 16, `${r.packets.length} packets`);
                    got.push(...r.packets);
                }
                assert.deepEqual(got, sent);
            });

            it('keeps parallel sessions apart', { timeout: 60000 }, async () => {
                await Promise.all(Array.from({ length: 50 }, async (_, i) => {
                    const p = await poll();
                    for (let n = 0; n < 5; n += 1) {
                        const [post, get] = await Promise.all([p.post(`4s${i} n${n}`), p.get()]);
                        assert.equal(post.text, 'ok');
                        assert.deepEqual(get.packets, [`4s${i} n${n}`]);
                    }
                }));
            });

            for (const [name, body] of [
                ['an unknown packet type', 'abc'],
                ['an empty body', ''],
                ['an empty packet', `4a${SEPARATOR}${SEPARATOR}4b`],
                ['a separator at the end', `4a${SEPARATOR}`],
                ['bad base64', 'b!!!'],
                ['a ping from the client', '2'],
                ['invalid UTF-8', Buffer.from([0x34, 0xff, 0xfe])],
            ]) {
                it(`closes the session upon ${name}`, QUICK, async () => {
                    const p = await poll();
                    await p.post(body);
                    const r = await p.get();
                    assert.equal(r.status, 400, `${r.status} ${r.text}`);
                    assert.equal(r.json.code, 1, r.text);
                });
            }

            it('does not mind a pong that nobody asked for', QUICK, async () => {
                const p = await poll();
                assert.equal((await p.post('3')).text, 'ok');
                await p.post('4x');
                assert.deepEqual((await p.get()).packets, ['4x']);
            });

            it('takes a body of exactly the limit, and not one byte more', QUICK, async () => {
                for (const chunked of [false, true]) {
                    const p = await poll();
                    const body = `4${'x'.repeat(MAX_PAYLOAD - 1)}`;
                    const r = await p.post(body, { chunked });
                    assert.equal(r.status, 200, r.text);
                    assert.equal((await p.get()).text, body);
                    const over = await p.post(`${body}x`, { chunked });
                    assert.equal(over.status, 413, over.text);
                }
            });

            it('ends the session upon two GETs at once', QUICK, async () => {
                const p = await poll();
                const first = p.get();
                await sleep(100);
                const second = await p.get();
                assert.equal(second.status, 400, second.text);
                const released = await first;
                assert.equal(released.status, 200);
                assert.equal(released.text, '1');
                const r = await p.get();
                assert.equal(r.status, 400);
                assert.equal(r.json.code, 1);
            });
        });

        describe('clients that go in the middle', () => {
            const hang = (url, options) => {
                const r = http.request(url, { agent: false, ...options });
                r.on('error', () => {});
                return r;
            };

            it('ends the session when a held GET is abandoned', QUICK, async () => {
                for (let round = 0; round < 8; round += 1) {
                    const p = await poll();
                    const get = hang(p.address());
                    get.end();
                    await sleep(50);
                    get.destroy();
                    await sleep(50);
                    const r = await p.post('4for nobody');
                    assert.equal(r.status, 400, r.text);
                    assert.equal(r.json.code, 1);
                }
            });

            it('ends the session when a POST is abandoned', QUICK, async () => {
                for (let round = 0; round < 8; round += 1) {
                    const p = await poll();
                    const post = hang(p.address(), { method: 'POST', headers: { 'Content-Length': 100 } });
                    post.write('4half');
                    await sleep(50);
                    post.destroy();
                    await sleep(50);
                    const r = await p.get();
                    assert.equal(r.status, 400, r.text);
                    assert.equal(r.json.code, 1);
                }
            });
        });

        describe('messages over WebSocket', () => {
            it('returns text and binary', QUICK, async () => {
                const ws = await openWs(server, base());
                for (const text of ['hello', '', 'Grüße 👋', '2', 'x'.repeat(MAX_PAYLOAD - 1)]) {
                    ws.send(`4${text}`);
                    assert.equal(await ws.next(), `4${text}`);
                }
                for (const bytes of [[1, 2, 3, 4], [], [0, 255]]) {
                    ws.send(Buffer.from(bytes));
                    assert.deepEqual(await ws.next(), Buffer.from(bytes));
                }
            });

            for (const [name, message] of [['an unknown packet type', 'abc'],
                ['an empty message', ''], ['a ping from the client', '2']]) {
                it(`closes upon ${name}`, QUICK, async () => {
                    const ws = await openWs(server, base());
                    ws.send(message);
                    await ws.close();
                });
            }

            it('closes upon a message over the limit', QUICK, async () => {
                const ws = await openWs(server, base());
                ws.send(`4${'x'.repeat(MAX_PAYLOAD)}`);
                assert.equal((await ws.close()).code, 1009);
            });
        });

        describe('heartbeat', () => {
            it('pings over polling and goes on while pongs come', QUICK, async () => {
                const p = await poll(base());
                for (let i = 0; i < 4; i += 1) {
                    const before = Date.now();
                    const r = await p.get();
                    assert.equal(r.text, '2');
                    assert.ok(Date.now() - before < 2 * PING_INTERVAL, 'ping in time');
                    assert.equal((await p.post('3')).text, 'ok');
                }
            });

            it('pings over WebSocket and goes on while pongs come', QUICK, async () => {
                const ws = await openWs(server, base());
                ws.ignore = null;
                const times = [];
                for (let i = 0; i < 4; i += 1) {
                    assert.equal(await ws.next(), '2');
                    times.push(Date.now());
                    ws.send('3');
                }
                const gap = (times[3] - times[0]) / 3;
                assert.ok(gap > PING_INTERVAL - 50 && gap < PING_INTERVAL + 150, `every ${gap} ms`);
            });

            it('forgets a polling session that does not answer', QUICK, async () => {
                const p = await poll(base());
                await sleep(PING_INTERVAL + PING_TIMEOUT + 50);
                const r = await p.post('3');
                assert.equal(r.status, 400);
                assert.equal(r.json.code, 1);
            });

            it('closes a WebSocket that does not answer', QUICK, async () => {
                const start = Date.now();
                const ws = await openWs(server, base());
                await ws.close();
                const took = Date.now() - start;
                assert.ok(took > PING_INTERVAL + PING_TIMEOUT - 100, `${took} ms`);
                assert.ok(took < PING_INTERVAL + PING_TIMEOUT + 1000, `${took} ms`);
            });
        });

        describe('close', () => {
            it('releases a held GET with a noop', QUICK, async () => {
                const p = await poll();
                const get = p.get();
                await sleep(50);
                const post = await p.post('1');
                assert.equal(post.text, 'ok');
                assert.equal((await get).text, '6');
                const r = await p.get();
                assert.equal(r.status, 400);
                assert.equal(r.json.code, 1);
            });

            it('closes the WebSocket', QUICK, async () => {
                const ws = await openWs(server, base());
                ws.send('1');
                await ws.close();
            });
        });

        describe('upgrade', () => {
            const upgraded = async () => {
                const p = await poll();
                const ws = new Ws(server, upgradeUrl(p));
                await ws.opened;
                ws.send('2probe');
                assert.equal(await ws.next(), '3probe');
                ws.send('5');
                return { p, ws };
            };

            it('moves a session to a WebSocket', QUICK, async () => {
                const p = await poll();
                const ws = new Ws(server, upgradeUrl(p));
                await ws.opened;
                ws.send('2probe');
                assert.equal(await ws.next(), '3probe');
                const r = await p.get();
                assert.equal(r.status, 200);
                assert.equal(r.text, '6');
                ws.send('5');
                ws.send('4hello');
                assert.equal(await ws.next(), '4hello');
            });

            it('releases the held GET with a noop', QUICK, async () => {
                const p = await poll();
                const get = p.get();
                await sleep(100);
                const ws = new Ws(server, upgradeUrl(p));
                await ws.opened;
                ws.send('2probe');
                assert.equal(await ws.next(), '3probe');
                assert.equal((await get).text, '6');
                ws.send('5');
                ws.send('4on');
                assert.equal(await ws.next(), '4on');
            });

            it('takes 2probe, 5 and a message in one go', QUICK, async () => {
                const p = await poll();
                const ws = new Ws(server, upgradeUrl(p));
                await ws.opened;
                ws.socket._socket.cork();
                for (const m of ['2probe', '5', '4at once']) {
                    ws.send(m);
                }
                ws.socket._socket.uncork();
                assert.equal(await ws.next(), '3probe');
                assert.equal(await ws.next(), '4at once');
            });

            it('hands over what was queued, once and in order', { timeout: 40000 }, async () => {
                for (let round = 0; round < 5; round += 1) {
                    const p = await poll();
                    const ws = new Ws(server, upgradeUrl(p));
                    await ws.opened;
                    ws.send('2probe');
                    assert.equal(await ws.next(), '3probe');
                    const sent = Array.from({ length: 20 }, (_, i) => `4queued ${i}`);
                    assert.equal((await p.post(sent)).text, 'ok');
                    ws.send('5');
                    for (const m of sent) {
                        assert.equal(await ws.next(), m);
                    }
                    ws.send('4after');
                    assert.equal(await ws.next(), '4after');
                }
            });

            it('refuses GET and POST afterwards, and the session lives on', QUICK, async () => {
                const { p, ws } = await upgraded();
                ws.send('4x');
                assert.equal(await ws.next(), '4x');
                for (const r of [await p.get(), await p.post('4y')]) {
                    assert.equal(r.status, 400, r.text);
                    assert.equal(r.json.code, 3, r.text);
                }
                ws.send('4hello');
                assert.equal(await ws.next(), '4hello');
            });

            it('closes a second WebSocket of the session, the first lives on', QUICK, async () => {
                const { p, ws } = await upgraded();
                ws.send('4x');
                assert.equal(await ws.next(), '4x');
                const second = new Ws(server, upgradeUrl(p));
                await Promise.race([second.close(), second.opened.then(() => second.close(),
                    () => {})]);
                ws.send('4hello');
                assert.equal(await ws.next(), '4hello');
            });

            it('leaves polling alive when the probe vanishes', QUICK, async () => {
                const p = await poll();
                const ws = new Ws(server, upgradeUrl(p));
                await ws.opened;
                ws.send('2probe');
                assert.equal(await ws.next(), '3probe');
                ws.socket.terminate();
                await sleep(200);
                assert.equal((await p.post('4still here')).text, 'ok');
                assert.ok((await p.until((m) => m[0] === '4')).includes('still here'));
            });

            it('closes a probe that does not go on, polling lives', QUICK, async () => {
                const p = await poll();
                const ws = new Ws(server, upgradeUrl(p));
                await ws.opened;
                await ws.close(3000);
                assert.equal((await p.post('4still here')).text, 'ok');
                assert.equal((await p.get()).text, '4still here');
            });

            it('survives 40 upgrades at once', { timeout: 60000 }, async () => {
                await Promise.all(Array.from({ length: 40 }, async (_, i) => {
                    const { ws } = await upgraded();
                    ws.send(`4mine is ${i}`);
                    assert.equal(await ws.next(), `4mine is ${i}`);
                    ws.socket.terminate();
                }));
            });
        });
    });
}

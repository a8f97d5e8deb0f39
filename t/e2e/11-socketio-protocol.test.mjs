// The Socket.IO protocol, case by case, against realtime_echo socket. The cases are those of the
// protocol's own test suite and the traps beside them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { io } from 'socket.io-client';

import { openWs, Poll } from './lib/eio.mjs';
import { sleep, SLOW, useServer } from './lib/nginx.mjs';

const QUICK = { timeout: 20000 };
const TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

describe('Socket.IO', () => {
    const server = useServer({
        locations: `
            location /socket.io/ {
                realtime_echo socket;
                realtime_ping_interval 300ms;
                realtime_ping_timeout 200ms;
                realtime_max_payload 1000000;
            }`,
    });
    const base = () => `${server.url}/socket.io/`;

    const open = async () => {
        const ws = await openWs(server, base());
        ws.ignore = (m) => {
            if (m === '2') {
                ws.send('3');
                return true;
            }
            return false;
        };
        return ws;
    };

    const connected = async (namespace = '') => {
        const ws = await open();
        ws.send(namespace ? `40${namespace},` : '40');
        ws.connect = await ws.next();
        ws.auth = await ws.next();
        return ws;
    };

    const expectClose = async (ws) => {
        await ws.close();
        assert.deepEqual(ws.messages.filter((m) => typeof m !== 'string' || m[0] !== '1'), []);
    };

    describe('connect', () => {
        for (const [name, packet, prefix, auth] of [
            ['the main namespace', '40', '40', '42["auth",{}]'],
            ['the main namespace with a payload', '40{"token":"123"}', '40',
                '42["auth",{"token":"123"}]'],
            ['another namespace', '40/custom,', '40/custom,', '42/custom,["auth",{}]'],
            ['another namespace without a comma', '40/custom', '40/custom,',
                '42/custom,["auth",{}]'],
            ['another namespace with a payload', '40/custom,{"token":"abc"}', '40/custom,',
                '42/custom,["auth",{"token":"abc"}]'],
        ]) {
            it(`connects to ${name}`, QUICK, async () => {
                const ws = await open();
                ws.send(packet);
                const answer = await ws.next();
                assert.ok(answer.startsWith(prefix), answer);
                const handshake = JSON.parse(answer.slice(prefix.length));
                assert.deepEqual(Object.keys(handshake), ['sid']);
                assert.equal(typeof handshake.sid, 'string');
                assert.notEqual(handshake.sid, ws.handshake.sid);
                assert.equal(await ws.next(), auth);
            });
        }

        it('refuses an unknown namespace', QUICK, async () => {
            const ws = await open();
            ws.send('40/random');
            assert.equal(await ws.next(), '44/random,{"message":"Invalid namespace"}');
            ws.send('40');      // the connection is still good
            assert.match(await ws.next(), /^40\{"sid":/);
        });

        for (const packet of ['4abc', '4', '40null', '40[]', '40"text"', '40{', '40{}x',
            '42["message"]']) {
            it(`closes upon ${packet} before a connect`, QUICK, async () => {
                const ws = await open();
                ws.send(packet);
                await expectClose(ws);
            });
        }

        it('closes upon a second connect to the same namespace', QUICK, async () => {
            const ws = await connected();
            ws.send('40');
            await expectClose(ws);
        });

        it('closes a connection that never connects to a namespace', { timeout: 60000 },
            async () => {
                const late = new (server.constructor)({ locations: `location /socket.io/ {
                    realtime_echo socket; realtime_connect_timeout 500ms; }` });
                if (!process.env.REFERENCE_URL) {
                    await late.start();
                    try {
                        const start = Date.now();
                        const ws = await openWs(late, `${late.url}/socket.io/`);
                        const p = await new Poll(`${late.url}/socket.io/`).open();
                        await ws.close();
                        assert.ok(Date.now() - start >= 400, `after ${Date.now() - start} ms`);
                        await sleep(300);
                        assert.equal((await p.get()).json?.code, 1);
                    } finally {
                        await late.stop();
                    }
                }
            });
    });

    describe('disconnect', () => {
        it('keeps the connection after a disconnect from the only namespace', QUICK, async () => {
            const ws = await connected();
            ws.send('41');
            await sleep(700);   // pings go on, or the heartbeat would have ended it
            ws.send('40');
            assert.match(await ws.next(), /^40\{"sid":/);
            assert.equal(await ws.next(), '42["auth",{}]');
        });

        for (const bye of ['41/custom', '41/custom,']) {
            it(`goes on in the others after ${bye}`, QUICK, async () => {
                const ws = await connected();
                ws.send('40/custom');
                assert.match(await ws.next(), /^40\/custom,/);
                assert.match(await ws.next(), /^42\/custom,\["auth"/);
                ws.send(bye);
                ws.send('42["message","message to main namespace"]');
                assert.equal(await ws.next(), '42["message-back","message to main namespace"]');
            });
        }
    });

    describe('messages', () => {
        for (const [sent, back] of [
            ['42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'],
            ['42["message"]', '42["message-back"]'],
            ['42["message",null]', '42["message-back",null]'],
            ['42["message","Grüße 👋 \\n \\" \\\\ \\u00e9"]', null],
            ['42["message",-0.5,1e3,9007199254740991,{"a":{"b":[]}}]', null],
            ['42["message-with-ack",1]', undefined],
        ]) {
            it(`answers ${sent}`, QUICK, async () => {
                const ws = await connected();
                ws.send(sent);
                if (back === undefined) {   // no ack id: nobody to answer
                    ws.send('42["message","next"]');
                    assert.equal(await ws.next(), '42["message-back","next"]');
                    return;
                }
                const answer = await ws.next();
                assert.equal(answer.slice(0, 2), '42');
                const wanted = back ? JSON.parse(back.slice(2))
                    : ['message-back', ...JSON.parse(sent.slice(2)).slice(1)];
                assert.deepEqual(JSON.parse(answer.slice(2)), wanted);
            });
        }

        it('answers in the namespace that was spoken to', QUICK, async () => {
            const ws = await connected('/custom');
            ws.send('42/custom,["message",1]');
            assert.equal(await ws.next(), '42/custom,["message-back",1]');
        });

        for (const [sent, back] of [
            ['42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'],
            ['420["message-with-ack"]', '430[]'],
            ['429007199254740991["message-with-ack","x"]', '439007199254740991["x"]'],
        ]) {
            it(`acknowledges ${sent}`, QUICK, async () => {
                const ws = await connected();
                ws.send(sent);
                assert.equal(await ws.next(), back);
            });
        }

        it('returns binary attachments', QUICK, async () => {
            const ws = await connected();
            ws.send(`452-["message",${TWO}]`);
            ws.send(Buffer.from([1, 2, 3]));
            ws.send(Buffer.from([4, 5, 6]));
            assert.equal(await ws.next(), `452-["message-back",${TWO}]`);
            assert.deepEqual(await ws.next(), Buffer.from([1, 2, 3]));
            assert.deepEqual(await ws.next(), Buffer.from([4, 5, 6]));
        });

        it('acknowledges with binary attachments', QUICK, async () => {
            const ws = await connected();
            ws.send(`452-789["message-with-ack",${TWO}]`);
            ws.send(Buffer.from([1, 2, 3]));
            ws.send(Buffer.from([4, 5, 6]));
            assert.equal(await ws.next(), `462-789[${TWO}]`);
            assert.deepEqual(await ws.next(), Buffer.from([1, 2, 3]));
            assert.deepEqual(await ws.next(), Buffer.from([4, 5, 6]));
        });

        it('does binary over polling too', QUICK, async () => {
            const p = await new Poll(base()).open();
            await p.post('40');
            await p.until((m) => m.startsWith('42["auth"'));
            await p.post([`452-["message",${TWO}]`, 'bAQID', 'bBAUG']);
            assert.equal(await p.until((m) => m[1] === '5'), `452-["message-back",${TWO}]`);
            assert.equal(await p.until((m) => m[0] === 'b'), 'bAQID');
            assert.equal(await p.until((m) => m[0] === 'b'), 'bBAUG');
        });
    });

    describe('what closes the connection', () => {
        for (const packet of [
            '4', '4abc', '42{}', '42[]', '42[{}]', '42[["message"]]', '42[null]', '42"message"',
            '42["message"', '42["message"]x', '42["message"]["message"]',
            '42["connect"]', '42["connect_error"]', '42["disconnect"]', '42["disconnecting"]',
            '42["newListener"]', '42["removeListener"]',
            '431{}', '431"x"',
            '44{"message":"x"}', '47', '48["message"]',
            '42abc', '42-1["message"]',
            '45["message",{"_placeholder":true,"num":0}]',
            '45-["message"]',
            '4511-["message",{"_placeholder":true,"num":0}]',
        ]) {
            it(`closes upon ${packet}`, QUICK, async () => {
                const ws = await connected();
                ws.send(packet);
                await expectClose(ws);
            });
        }

        for (const [name, messages] of [
            ['text where an attachment is due', ['451-["message",{"_placeholder":true,"num":0}]',
                '42["message"]']],
            ['an attachment nobody announced', [Buffer.from([1, 2, 3])]],
            ['a placeholder out of range', ['451-["message",{"_placeholder":true,"num":1}]',
                Buffer.from([1])]],
            ['a negative placeholder', ['451-["message",{"_placeholder":true,"num":-1}]',
                Buffer.from([1])]],
            ['a placeholder that is no number', ['451-["message",{"_placeholder":true,"num":"0"}]',
                Buffer.from([1])]],
        ]) {
            it(`closes upon ${name}`, QUICK, async () => {
                const ws = await connected();
                for (const m of messages) {
                    ws.send(m);
                }
                await expectClose(ws);
            });
        }
    });

    describe('what does not', () => {
        for (const packet of ['42["unknown-event",1]', '42[5,"numeric name"]', '43999["nobody asked"]',
            '430[]', '42123["unknown-event"]']) {
            it(`goes on after ${packet}`, QUICK, async () => {
                const ws = await connected();
                ws.send(packet);
                ws.send('42["message","still here"]');
                assert.equal(await ws.next(), '42["message-back","still here"]');
            });
        }

        it('takes ten attachments', QUICK, async () => {
            const ws = await connected();
            const places = Array.from({ length: 10 }, (_, i) => `{"_placeholder":true,"num":${i}}`);
            ws.send(`4510-["message",${places.join(',')}]`);
            for (let i = 0; i < 10; i += 1) {
                ws.send(Buffer.from([i]));
            }
            assert.equal(await ws.next(), `4510-["message-back",${places.join(',')}]`);
            for (let i = 0; i < 10; i += 1) {
                assert.deepEqual(await ws.next(), Buffer.from([i]));
            }
        });
    });

    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
        describe(`socket.io-client over ${transports.join(' and ')}`, () => {
            it('talks text, binary and acknowledgements', QUICK, async () => {
                const socket = io(`${server.url}/custom`, { transports, forceNew: true,
                    reconnection: false, auth: { token: 'abc' } });
                server.onClose(() => socket.disconnect());
                const auth = await new Promise((resolve) => socket.once('auth', resolve));
                assert.deepEqual(auth, { token: 'abc' });
                for (let i = 0; i < 30; i += 1) {
                    const back = new Promise((resolve) => {
                        socket.once('message-back', (...args) => resolve(args));
                    });
                    socket.emit('message', i, Buffer.from([i, 255]), { deep: [Buffer.from('x')] });
                    const args = await back;
                    assert.equal(args[0], i);
                    assert.deepEqual(Buffer.from(args[1]), Buffer.from([i, 255]));
                    assert.deepEqual(Buffer.from(args[2].deep[0]), Buffer.from('x'));
                    const ack = await socket.timeout(5000 * SLOW)
                        .emitWithAck('message-with-ack', Buffer.from([i]));
                    assert.deepEqual(Buffer.from(ack), Buffer.from([i]));
                }
                assert.equal(socket.io.engine.transport.name, transports.at(-1));
                socket.disconnect();
            });
        });
    }
});

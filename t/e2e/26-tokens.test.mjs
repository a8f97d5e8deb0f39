// Tokens, good and bad, at every door.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Chat, connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { Poll } from './lib/eio.mjs';
import { api, request } from './lib/http.mjs';
import { Server, sleep, useServer } from './lib/nginx.mjs';
import { customer, now, SECRET, sign, signRsa, staff, unsigned } from './lib/token.mjs';

const QUICK = { timeout: 30000 };
const good = () => ({ userId: 'u1', role: 'CUSTOMER', businessId: 'biz-a', exp: now() + 60 });
const b64 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');

// CONNECT, event error, disconnect, and nothing else
async function refusedBySocket(server, token, options = WEBSOCKET)
{
    const chat = new Chat(server, token, options);
    const e = await chat.next('error');
    assert.equal(typeof e.message, 'string');
    assert.equal(await chat.next('$disconnect'), 'io server disconnect');
    await sleep(50);
    assert.deepEqual(chat.events.map((x) => x.event), ['error', '$disconnect']);
    chat.close();
}

describe('tokens signed with a secret', () => {
    const server = useServer({ workers: 2, http: 'realtime_guest off;' });
    const rest = async (token) => (await api(server, token).get('/chat/rooms')).status;

    const accepted = {
        'HS256': sign(good()),
        'HS384': sign(good(), { alg: 'HS384' }),
        'HS512': sign(good(), { alg: 'HS512' }),
        'without exp': sign({ ...good(), exp: undefined }),
        'nbf in the past': sign({ ...good(), nbf: now() - 10 }),
        'a fraction of a second': sign({ ...good(), exp: now() + 60.5 }),
        'header members in another order': sign(good(), { header: { typ: 'JWT', kid: 'x' } }),
    };
    for (const [name, token] of Object.entries(accepted)) {
        it(`accepts ${name}`, QUICK, async () => {
            const chat = await connect(server, token);
            assert.equal(chat.welcome.userId, 'u1');
            assert.equal(await rest(token), 200);
            chat.close();
        });
    }

    const expired = { ...good(), exp: now() - 2 };
    const [head, body, signature] = sign(good()).split('.');
    const refused = {
        'none': undefined,
        'an empty text': '',
        'a number': 5,
        'an object': { a: 1 },
        'null': null,
        'garbage': 'garbage',
        'two dots': '..',
        'alg none': unsigned(good()),
        'alg None': unsigned(good(), 'None'),
        'alg NONE and a signature': `${unsigned(good(), 'NONE')}${signature}`,
        'no alg': `${b64({ typ: 'JWT' })}.${body}.${signature}`,
        'another secret': sign(good(), { secret: `${SECRET}x` }),
        'an empty secret': sign(good(), { secret: '' }),
        'a changed body': `${head}.${b64({ ...good(), userId: 'u2' })}.${signature}`,
        'a cut signature': `${head}.${body}.${signature.slice(0, -4)}`,
        'no signature': `${head}.${body}.`,
        'no third part': `${head}.${body}`,
        'a fourth part': `${sign(good())}.x`,
        'spaces around': ` ${sign(good())} `,
        'RS256 against a secret': `${b64({ alg: 'RS256', typ: 'JWT' })}.${body}.${signature}`,
        'HS256 changed to HS512 in the header': `${b64({ alg: 'HS512', typ: 'JWT' })}.${body}.${signature}`,
        'expired': sign(expired),
        'exp as text': sign({ ...good(), exp: String(now() + 60) }),
        'exp null': sign({ ...good(), exp: null }),
        'exp true': sign({ ...good(), exp: true }),
        'exp as a list': sign({ ...good(), exp: [now() + 60] }),
        'exp negative': sign({ ...good(), exp: -1 }),
        'exp 0': sign({ ...good(), exp: 0 }),
        'nbf in the future': sign({ ...good(), nbf: now() + 30 }),
        'nbf as text': sign({ ...good(), nbf: '0' }),
        'nobody': sign({ role: 'CUSTOMER', exp: now() + 60 }),
        'a user id that is empty': sign({ ...good(), userId: '' }),
        'a user id that is an object': sign({ ...good(), userId: { $ne: 1 } }),
        'a user id that is too long': sign({ ...good(), userId: 'x'.repeat(129) }),
        'a user id with control characters': sign({ ...good(), userId: 'a\nb' }),
        'a body that is no object': (() => {
            const text = `${b64({ alg: 'HS256', typ: 'JWT' })}.${b64('[]')}`;
            return `${text}.${crypto.createHmac('sha256', SECRET).update(text).digest('base64url')}`;
        })(),
        'a very long one': `${head}.${'A'.repeat(100000)}.${signature}`,
    };
    for (const [name, token] of Object.entries(refused)) {
        it(`refuses ${name}`, QUICK, async () => {
            await refusedBySocket(server, token === undefined ? null : { token, id: name });
            if (typeof token === 'string' && token.length < 5000 && token.trim() === token) {
                const r = await request(`${server.url}/api/chat/rooms`,
                    { headers: { Authorization: `Bearer ${token}` } });
                assert.equal(r.status, 401, r.text);
                assert.equal(r.json.statusCode, 401);
                assert.equal(r.json.error, 'Unauthorized');
            }
        });
    }

    it('refuses over polling in the same way', QUICK, async () => {
        await refusedBySocket(server, 'garbage', POLLING);
        const p = await new Poll(`${server.url}/socket.io/`).open();
        await p.post('40/realtime,{"token":"garbage"}');
        assert.match(await p.until(() => true), /^40\/realtime,\{"sid":/);
        assert.match(await p.until(() => true), /^42\/realtime,\["error",\{"message":/);
        assert.match(await p.until(() => true), /^41\/realtime,?$/);
        // the connection may be used for another try
        await p.post(`40/realtime,${JSON.stringify({ token: customer().token })}`);
        await p.until((m) => m.startsWith('42/realtime,["connected"'));
    });

    it('takes it from the Authorization header, too', QUICK, async () => {
        const anna = customer();
        for (const transports of [['websocket'], ['polling']]) {
            const chat = await connect(server, null, { transports,
                extraHeaders: { Authorization: `Bearer ${anna.token}` } });
            assert.equal(chat.welcome.userId, anna.id);
            chat.close();
        }
    });

    it('says 401 without a token, and how to ask', QUICK, async () => {
        for (const headers of [{}, { Authorization: '' }, { Authorization: 'Basic abc' },
            { Authorization: 'Bearer' }, { Authorization: 'Bearer ' }]) {
            const r = await request(`${server.url}/api/chat/rooms`, { headers });
            assert.equal(r.status, 401, r.text);
            assert.equal(r.json.statusCode, 401);
        }
        const lower = await request(`${server.url}/api/chat/rooms`,
            { headers: { Authorization: `bearer ${customer().token}` } });
        assert.equal(lower.status, 200, lower.text);
    });

    describe('claims', () => {
        for (const [name, claims, wanted] of [
            ['userId', { userId: 'a', id: 'b', sub: 'c', businessId: 'x' }, { userId: 'a' }],
            ['id', { id: 'b', sub: 'c', businessId: 'x' }, { userId: 'b' }],
            ['sub', { sub: 'c', businessId: 'x' }, { userId: 'c' }],
            ['a number', { id: 42, businessId: 7 }, { userId: '42', businessId: '7' }],
            ['role', { sub: 'c', role: 'staff', businessId: 'x' }, { role: 'STAFF' }],
            ['userRole', { sub: 'c', userRole: 'Staff', businessId: 'x' }, { role: 'STAFF' }],
            ['type', { sub: 'c', type: 'business_owner', businessId: 'x' }, { role: 'BUSINESS_OWNER' }],
            ['no role', { sub: 'c', businessId: 'x' }, { role: 'CUSTOMER' }],
            ['staff without businessId', { userId: 'u', sub: 'biz-s', role: 'STAFF' }, { businessId: 'biz-s' }],
            ['Unicode', { userId: 'Jürgen 👋', businessId: 'biz-ü' }, { userId: 'Jürgen 👋', businessId: 'biz-ü' }],
        ]) {
            it(`understands ${name}`, QUICK, async () => {
                const chat = await connect(server, sign({ ...claims, exp: now() + 60 }));
                for (const [key, value] of Object.entries(wanted)) {
                    assert.equal(chat.welcome[key], value);
                }
                chat.close();
            });
        }
    });

    it('ends a connection whose token ends', { timeout: 30000 }, async () => {
        const token = sign({ ...good(), exp: now() + 3 });
        for (const options of [WEBSOCKET, POLLING]) {
            const chat = await connect(server, sign({ ...good(), exp: now() + 3 }), options);
            const start = Date.now();
            const e = await chat.next('error', undefined, 8000);
            assert.equal(typeof e.message, 'string');
            assert.equal(await chat.next('$disconnect'), 'io server disconnect');
            const took = Date.now() - start;
            assert.ok(took > 1000 && took < 6000, `${took} ms`);
            chat.close();
        }
        await refusedBySocket(server, token);
    });

    it('never writes a token into the log', QUICK, async () => {
        const anna = staff();
        (await connect(server, anna)).close();
        await api(server, anna).get('/chat/rooms');
        await refusedBySocket(server, sign(expired));
        await sleep(100);
        const log = server.logText();
        for (const secret of [anna.token, SECRET, sign(expired).split('.')[2]]) {
            assert.ok(!log.includes(secret));
        }
    });
});

describe('leeway', () => {
    const server = useServer({ http: 'realtime_jwt_leeway 10s;' });

    it('forgives a clock', QUICK, async () => {
        for (const claims of [{ exp: now() - 5 }, { nbf: now() + 5 }]) {
            const chat = await connect(server, sign({ ...good(), ...claims }));
            chat.close();
        }
        await refusedBySocket(server, sign({ ...good(), exp: now() - 11 }));
        await refusedBySocket(server, sign({ ...good(), nbf: now() + 13 }));
    });
});

describe('tokens signed with a private key', () => {
    const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
    const server = new Server({ secret: null });
    const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const files = fs.mkdtempSync(path.join(fs.realpathSync('/tmp'), 'rt-key-'));
    fs.chmodSync(files, 0o755);
    fs.writeFileSync(path.join(files, 'rsa.pem'), pem);
    fs.writeFileSync(path.join(files, 'ec.pem'), ec.publicKey.export({ type: 'spki', format: 'pem' }));
    server.options.http = `realtime_jwt_key ${files}/rsa.pem;`;
    server.options.locations = `
        location /socket.io/ { realtime on; }
        location /api/ { realtime_api on; }
        location /ec/ { realtime on; realtime_jwt_key ${files}/ec.pem; }`;
    before(() => server.start());
    after(async () => {
        await server.stop();
        fs.rmSync(files, { recursive: true, force: true });
    });

    it('accepts RS256', QUICK, async () => {
        const chat = await connect(server, signRsa(good(), pair.privateKey));
        assert.equal(chat.welcome.userId, 'u1');
        chat.close();
    });

    it('accepts ES256 where an EC key is configured', QUICK, async () => {
        const text = `${b64({ alg: 'ES256', typ: 'JWT' })}.${b64(good())}`;
        const token = `${text}.${crypto.sign('sha256', Buffer.from(text),
            { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
        const chat = await connect(server, token, { ...WEBSOCKET, path: '/ec/' });
        chat.close();
        await refusedBySocket(server, token);
        const rsa = { token: signRsa(good(), pair.privateKey), id: 'rsa' };
        await refusedBySocket(server, rsa, { ...WEBSOCKET, path: '/ec/' });
    });

    for (const [name, token] of Object.entries({
        'the public key used as a secret': () => sign(good(), { secret: pem }),
        'the public key used as a secret, trimmed': () => sign(good(), { secret: pem.trim() }),
        'HS512 with the public key': () => sign(good(), { secret: pem, alg: 'HS512' }),
        'another key': () => signRsa(good(), other.privateKey),
        'an expired one': () => signRsa({ ...good(), exp: now() - 2 }, pair.privateKey),
        'alg none': () => unsigned(good()),
    })) {
        it(`refuses ${name}`, QUICK, async () => {
            await refusedBySocket(server, token());
            assert.equal((await api(server, token()).get('/chat/rooms')).status, 401);
        });
    }
});

describe('an anonymous visitor', () => {
    const server = useServer({ locations: `location /socket.io/ { realtime on; }
        location /guest/ { realtime on; realtime_guest on; }` });

    it('is refused by default, also with a bad header', QUICK, async () => {
        await refusedBySocket(server, null);
        await refusedBySocket(server, null, { ...WEBSOCKET, extraHeaders: { Authorization: 'Bearer x' } });
    });

    it('gets in where guests may, a bad token still does not', QUICK, async () => {
        const chat = await connect(server, null, { ...WEBSOCKET, path: '/guest/' });
        assert.equal(typeof chat.welcome.clientId, 'string');
        chat.close();
        await refusedBySocket(server, 'garbage', { ...WEBSOCKET, path: '/guest/' });
    });
});


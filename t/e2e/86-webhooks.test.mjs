// Webhooks: real receivers, over HTTP and HTTPS, get what happened, signed; and what goes wrong
// between is tried again, refused or kept apart.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { after, describe, it } from 'node:test';

import { api, createRoom } from './lib/http.mjs';
import { childrenOf, freePort, SLOW, sleep, until, useServer } from './lib/nginx.mjs';
import { customer, owner, person, staff, superAdmin } from './lib/token.mjs';

const LONG = { timeout: 180000 * SLOW };
const WAIT = 30000 * SLOW;
const SECRET = 'a-webhook-secret-0123456789';
const EVENTS = ['message.created', 'conversation.created'];

const receivers = [];
after(() => Promise.all(receivers.map((r) => r.close())));

// Answers by `answer(request, response, body)`; keeps what came.
class Receiver
{
    constructor(answer, tls) { this.answer = answer; this.tls = tls; this.got = []; }

    async listen(port = 0)
    {
        const on = (req, res) => {
            const parts = [];
            req.on('data', (p) => parts.push(p));
            req.on('end', () => {
                const body = Buffer.concat(parts).toString();
                this.got.push({ url: req.url, headers: req.headers, body, json: JSON.parse(body) });
                if (this.answer) {
                    this.answer(req, res, this.got.length);
                } else {
                    res.end('ok');
                }
            });
        };
        this.server = this.tls ? https.createServer(this.tls, on) : http.createServer(on);
        await new Promise((resolve, reject) => {
            this.server.on('error', reject);
            this.server.listen(port, '127.0.0.1', resolve);
        });
        this.port = this.server.address().port;
        this.url = `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}/hook`;
        receivers.push(this);
        return this;
    }

    close()
    {
        this.server.closeAllConnections?.();
        return new Promise((resolve) => { this.server.close(() => resolve()); });
    }

    of(event) { return this.got.filter((g) => g.json.event === event); }
}

function assertSigned(got, secret = SECRET)
{
    const timestamp = got.headers['x-realtime-timestamp'];
    assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 300, timestamp);
    assert.equal(got.headers['x-realtime-signature'], `sha256=${crypto.createHmac('sha256', secret)
        .update(`${timestamp}.${got.body}`).digest('hex')}`);
    assert.equal(got.headers['x-realtime-event'], got.json.event);
    assert.match(got.headers['x-realtime-delivery'], /^[0-9a-f]{24}$/);
    assert.equal(got.headers['content-type'], 'application/json');
}

async function subscribe(server, who, url, more = {})
{
    const r = await api(server, who).post('/webhooks', { url, events: EVENTS, secret: SECRET, ...more });
    assert.equal(r.status, 201, r.text);
    await sleep(3000);    // until every worker knows of it
    return r.json;
}

async function say(server, who, roomId, content)
{
    const r = await api(server, who).post(`/chat/rooms/${roomId}/messages`, { content });
    assert.equal(r.status, 201, r.text);
    return r.json;
}

const log = async (server, who, id, query = '') => {
    const r = await api(server, who).get(`/webhooks/${id}/deliveries${query}`);
    assert.equal(r.status, 200, r.text);
    return r.json;
};

describe('webhooks', () => {
    const server = useServer({ workers: 2, http: 'realtime_webhooks on private=allow;' });

    it('are managed by those who may', LONG, async () => {
        const anna = owner({ business: 'manage' });
        const other = owner({ business: 'manage-2' });
        const url = 'https://example.com/hook?a=1';
        for (const who of [customer({ business: 'manage' }), staff({ business: 'manage' })]) {
            assert.equal((await api(server, who).post('/webhooks', { url, events: EVENTS })).status, 403);
            assert.equal((await api(server, who).get('/webhooks')).status, 403);
        }
        for (const [body, field] of [
            [{ events: EVENTS }, 'url'], [{ url }, 'events'], [{ url, events: [] }, 'events'],
            [{ url, events: ['ping'] }, 'events'], [{ url, events: 'message.created' }, 'events'],
            [{ url: 'ftp://example.com/', events: EVENTS }, 'url'],
            [{ url: 'file:///etc/passwd', events: EVENTS }, 'url'],
            [{ url: 'http://user:pass@example.com/', events: EVENTS }, 'url'],
            [{ url: 'example', events: EVENTS }, 'url'],
            [{ url: 'http://exa mple.com/', events: EVENTS }, 'url'],
            [{ url, events: EVENTS, secret: 'short' }, 'secret'],
            [{ url, events: EVENTS, isActive: 'yes' }, 'isActive'],
        ]) {
            const r = await api(server, anna).post('/webhooks', body);
            assert.equal(r.status, 400, `${JSON.stringify(body)}: ${r.text}`);
            assert.ok(r.json.message.includes(field), r.text);
        }
        const made = await api(server, anna).post('/webhooks', { url, events: EVENTS, description: 'ours' });
        assert.equal(made.status, 201, made.text);
        assert.match(made.json.secret, /^whsec_[\w-]{43}$/);
        assert.deepEqual(made.json.events, EVENTS);
        const path = `/webhooks/${made.json._id}`;
        const { secret, ...rest } = made.json;
        assert.deepEqual((await api(server, anna).get(path)).json, rest);
        assert.deepEqual((await api(server, anna).get('/webhooks')).json, { webhooks: [rest], total: 1 });
        assert.equal((await api(server, superAdmin()).get('/webhooks')).status, 400);
        assert.equal((await api(server, superAdmin()).get('/webhooks?businessId=manage')).json.total, 1);
        for (const call of [api(server, other).get(path), api(server, other).put(path, { isActive: false }),
            api(server, other).del(path), api(server, other).post(`${path}/test`, {}),
            api(server, other).get(`${path}/deliveries`),
            api(server, other).post(`${path}/deliveries/00112233445566778899aabb/retry`, {}),
            api(server, anna).post(`${path}/deliveries/00112233445566778899aabb/retry`, {})]) {
            assert.equal((await call).status, 404);
        }
        assert.deepEqual((await api(server, other).get('/webhooks')).json, { webhooks: [], total: 0 });
        const changed = await api(server, anna).put(path, { isActive: false, events: ['notification.created'] });
        assert.equal(changed.status, 200, changed.text);
        assert.equal(changed.json.isActive, false);
        assert.deepEqual(changed.json.events, ['notification.created']);
        assert.equal(changed.json.secret, undefined);
        assert.equal((await api(server, anna).post(`${path}/test`, {})).status, 409);
        assert.equal((await api(server, anna).del(path)).status, 200);
        assert.equal((await api(server, anna).get(path)).status, 404);
    });

    it('tell of conversations and messages, signed, and of no other business', LONG, async () => {
        const anna = owner({ business: 'told' });
        const receiver = await new Receiver().listen();
        const foreign = await new Receiver().listen();
        const hook = await subscribe(server, anna, receiver.url);
        await subscribe(server, owner({ business: 'not-told' }), foreign.url);
        const zoe = customer({ business: 'told' });
        const roomId = await createRoom(server, zoe);
        const sent = [];
        for (let i = 0; i < 20; i += 1) {
            sent.push(await say(server, zoe, roomId, `message ${i} ü`));
        }
        // between staff: nobody else's business
        const team = await api(server, anna).post('/chat/rooms/team', { memberId: 'someone' });
        await say(server, anna, team.json._id, 'a word among us');
        await until('all are delivered', () => receiver.got.length >= 21, WAIT);
        await sleep(1500);
        assert.equal(receiver.got.length, 21);
        receiver.got.forEach((g) => assertSigned(g));
        assert.equal(receiver.of('conversation.created')[0].json.data._id, roomId);
        assert.deepEqual(receiver.of('message.created').map((g) => g.json.data.seq).sort((a, b) => a - b),
            sent.map((m) => m.seq));
        const first = receiver.of('message.created').find((g) => g.json.data.seq === 1).json;
        assert.equal(first.businessId, 'told');
        assert.equal(first.data._id, sent[0]._id);
        assert.equal(first.data.content, 'message 0 ü');
        assert.equal(new Set(receiver.got.map((g) => g.headers['x-realtime-delivery'])).size, 21);
        assert.equal(foreign.got.length, 0);
        const list = await until('the log says so', async () => {
            const l = await log(server, anna, hook._id, '?status=delivered&limit=5');
            return l.total === 21 && l;
        }, WAIT);
        assert.equal(list.deliveries.length, 5);
        assert.equal(list.totalPages, 5);
        assert.equal(list.deliveries[0].lastStatus, 200);
        assert.equal(list.deliveries[0].attempts, 1);
        assert.equal((await log(server, anna, hook._id, '?status=failed')).total, 0);
        await api(server, anna).put(`/webhooks/${hook._id}`, { events: ['notification.created'] });
        await sleep(3000);
        for (const userId of [undefined, zoe.id]) {
            const raised = await api(server, person('SERVICE', { business: null })).post('/events',
                { event: 'booking.created', businessId: 'told', userId, clientName: 'Zoe' });
            assert.equal(raised.status, 201, raised.text);
        }
        await until('the notification', () => receiver.of('notification.created').length > 0, WAIT);
        await sleep(1500);
        assert.equal(receiver.of('notification.created').length, 1);
        assertSigned(receiver.of('notification.created')[0]);
        assert.match(receiver.of('notification.created')[0].json.data.message, /Zoe/);
        const tested = await api(server, anna).post(`/webhooks/${hook._id}/test`, {});
        assert.equal(tested.status, 201, tested.text);
        await until('the ping', () => receiver.of('ping').length === 1, WAIT);
        assertSigned(receiver.of('ping')[0]);
        assert.equal(receiver.of('ping')[0].headers['x-realtime-delivery'], tested.json.deliveryId);
        assert.ok(!fs.readFileSync(server.log, 'utf8').includes(SECRET));
        assert.ok(!fs.readFileSync(server.log, 'utf8').includes('message 0'));
    });

    it('are tried again after a 500, and after the receiver was down', LONG, async () => {
        const anna = owner({ business: 'again' });
        const receiver = await new Receiver((req, res, n) => {
            res.statusCode = n === 1 ? 500 : 200;
            res.end();
        }).listen();
        const hook = await subscribe(server, anna, receiver.url, { events: ['message.created'] });
        const zoe = customer({ business: 'again' });
        const roomId = await createRoom(server, zoe);
        await say(server, zoe, roomId, 'twice');
        await until('it came twice', () => receiver.got.length === 2, WAIT);
        assert.equal(receiver.got[0].headers['x-realtime-delivery'],
            receiver.got[1].headers['x-realtime-delivery']);
        await receiver.close();
        await say(server, zoe, roomId, 'while it is down');
        const waiting = await until('an attempt has failed', async () => {
            const l = await log(server, anna, hook._id, '?status=pending');
            return l.deliveries.length && l.deliveries[0].lastError && l.deliveries[0];
        }, WAIT);
        assert.equal(waiting.lastStatus, null);
        assert.ok(Date.parse(waiting.nextAt) > Date.now() - 1000, waiting.nextAt);
        await receiver.listen(receiver.port);
        const again = await api(server, anna)
            .post(`/webhooks/${hook._id}/deliveries/${waiting._id}/retry`, {});
        assert.equal(again.status, 200, again.text);
        await until('it came', () => receiver.got.length === 3, WAIT);
        assert.equal(receiver.got[2].json.data.content, 'while it is down');
    });

    it('follow no redirects, and leave alone who is gone', LONG, async () => {
        const anna = owner({ business: 'moved' });
        const target = await new Receiver().listen();
        const moved = await new Receiver((req, res) => {
            res.writeHead(req.url === '/gone' ? 410 : 307, { Location: target.url });
            res.end();
        }).listen();
        const hook = await subscribe(server, anna, moved.url);
        const gone = await subscribe(server, anna, `${moved.url.replace('/hook', '/gone')}`);
        for (const { _id } of [hook, gone]) {
            assert.equal((await api(server, anna).post(`/webhooks/${_id}/test`, {})).status, 201);
        }
        const [entry] = await until('it is in the log', async () => {
            const { deliveries } = await log(server, anna, hook._id);
            return deliveries[0].lastStatus && deliveries;
        }, WAIT);
        assert.equal(entry.lastStatus, 307);
        assert.match(entry.lastError, /Redirects/);
        assert.equal(entry.status, 'pending');
        await until('the webhook is off', async () =>
            (await api(server, anna).get(`/webhooks/${gone._id}`)).json.isActive === false, WAIT);
        assert.equal((await log(server, anna, gone._id)).deliveries[0].status, 'failed');
        assert.equal(target.got.length, 0);
    });

    it('survive the death of a worker', LONG, async () => {
        const anna = owner({ business: 'killed' });
        const held = [];
        let hold = true;
        const receiver = await new Receiver((req, res) => {
            if (hold) {
                held.push(res);
            } else {
                res.end();
            }
        }).listen();
        await subscribe(server, anna, receiver.url, { events: ['message.created'] });
        const zoe = customer({ business: 'killed' });
        const roomId = await createRoom(server, zoe);
        const ids = [];
        for (let i = 0; i < 10; i += 1) {
            ids.push((await say(server, zoe, roomId, `kept ${i}`))._id);
        }
        await until('some are on their way', () => held.length > 0, WAIT);
        server.allowLog.push(/exited on signal 9/);
        for (const pid of childrenOf(server.masters()[0])) {
            process.kill(pid, 'SIGKILL');
        }
        hold = false;
        await until('all came to their end', () => {
            const done = new Set(receiver.got.slice(held.length).map((g) => g.json.data._id));
            return ids.every((id) => done.has(id));
        }, 120000 * SLOW);
    });
});

describe('webhooks that are switched off', () => {
    const server = useServer({ workers: 1, http: 'realtime_webhooks on private=allow;' });

    it('are neither queued nor sent, and are there when they are on again', LONG, async () => {
        const anna = owner({ business: 'off' });
        const receiver = await new Receiver().listen();
        const { _id } = await subscribe(server, anna, receiver.url);
        const turn = async (http) => {
            server.writeConf(server.confText({ ...server.options, http }));
            await server.reload();
            await until('the old worker is gone', () => server.workers().length === 1, WAIT);
        };
        await turn('realtime_webhooks off;');
        const roomId = await createRoom(server, customer({ business: 'off' }));
        await say(server, anna, roomId, 'hello');
        for (const call of [api(server, anna).get('/webhooks'), api(server, anna).get(`/webhooks/${_id}`),
            api(server, anna).post('/webhooks', { url: receiver.url, events: EVENTS }),
            api(server, anna).post(`/webhooks/${_id}/test`, {})]) {
            assert.equal((await call).status, 404);
        }
        await turn(server.options.http);
        await until('they are known again', async () => {
            const r = await api(server, anna).post(`/webhooks/${_id}/test`, {});
            return r.status === 201;
        }, WAIT);
        await until('the test has come', () => receiver.of('ping').length, WAIT);
        assert.deepEqual(receiver.got.map((g) => g.json.event), ['ping']);
        assert.deepEqual((await log(server, anna, _id)).deliveries.map((d) => d.event), ['ping']);
    });
});

describe('limits of webhooks', () => {
    const server = useServer({ workers: 1, http: 'realtime_webhooks on private=allow;',
        locations: `location /socket.io/ { realtime on; } location /api/ { realtime_api on; }
            location /metrics { realtime_metrics; }` });

    it('a business may have 20', LONG, async () => {
        const anna = owner({ business: 'twenty' });
        const add = () => api(server, anna).post('/webhooks', { url: 'https://example.com/', events: EVENTS });
        const made = [];
        for (let i = 0; i < 20; i += 1) {
            made.push(await add());
        }
        assert.ok(made.every((r) => r.status === 201));
        assert.equal((await add()).status, 409);
        assert.equal((await api(server, anna).del(`/webhooks/${made[7].json._id}`)).status, 200);
        assert.equal((await add()).status, 201);
        assert.equal((await api(server, anna).get('/webhooks')).json.total, 20);
    });

    it('past 100,000 that wait the newest are dropped, and counted', { ...LONG,
        skip: server.options.store || process.env.MONGODB_TEST_URI ? 'rows are made by SQL' : false },
    async () => {
        const anna = owner({ business: 'full' });
        const receiver = await new Receiver().listen();
        const { _id } = await subscribe(server, anna, receiver.url);
        const roomId = await createRoom(server, customer({ business: 'full' }));
        await until('the room is told', () => receiver.of('conversation.created').length, WAIT);
        const far = Date.now() + 3600000;
        const made = spawnSync('python3', ['-c', `import sqlite3
db = sqlite3.connect('${server.data}/rt.db', timeout=20)
db.executemany("INSERT INTO webhookdeliveries (id, webhook_id, business_id, event, object_id, payload, "
    "attempts, next_at, status, last_status, created_at, delivered_at) "
    "VALUES (?, '${_id}', 'full', 0, ?, '{}', 0, ${far}, 0, 0, 0, 0)",
    (('%024x' % i, 'x%d' % i) for i in range(100000)))
db.commit()`], { encoding: 'utf8' });
        assert.equal(made.status, 0, made.stderr);
        await until('it is known', () => /100000 deliveries of a business wait/.test(server.logText()), WAIT);
        await say(server, anna, roomId, 'one too many');
        await until('it is counted', async () => /^realtime_webhooks_dropped_total 1$/m
            .test(await (await fetch(`${server.url}/metrics`)).text()), WAIT);
        assert.equal(receiver.of('message.created').length, 0);
    });
});

describe('the last webhook', () => {
    const server = useServer({ workers: 1, http: 'realtime_webhooks on private=allow;' });

    it('takes what waits along, so that it is forgotten some day', { ...LONG,
        skip: server.options.store || process.env.MONGODB_TEST_URI ? 'rows are seen by SQL' : false },
    async () => {
        const anna = owner({ business: 'last' });
        const receiver = await new Receiver((req, res) => { res.statusCode = 500; res.end(); }).listen();
        const { _id } = await subscribe(server, anna, receiver.url);
        await createRoom(server, customer({ business: 'last' }));
        await until('it is tried', () => receiver.got.length, WAIT);
        assert.equal((await api(server, anna).del(`/webhooks/${_id}`)).status, 200);
        await until('nothing waits', () => spawnSync('python3', ['-c', `import sqlite3
db = sqlite3.connect('${server.data}/rt.db', timeout=20)
print(*db.execute('SELECT count(*), sum(status = 0) FROM webhookdeliveries').fetchone())`],
        { encoding: 'utf8' }).stdout.trim() === '1 0', WAIT);
    });
});

describe('webhooks over TLS', () => {
    const server = useServer({ workers: 1, tls: true });

    it('private addresses are refused unless they are allowed', LONG, async () => {
        const anna = owner({ business: 'private' });
        const receiver = await new Receiver().listen();
        const { port } = receiver;
        for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433']) {
            const r = await api(server, anna).post('/webhooks', { url: `http://${host}:${port}/`, events: EVENTS });
            assert.equal(r.status, 201, `${host}: ${r.text}`);
            assert.equal((await api(server, anna).post(`/webhooks/${r.json._id}/test`, {})).status, 201);
            const entry = await until(`${host} fails`, async () => {
                const { deliveries } = await log(server, anna, r.json._id);
                return deliveries[0].status !== 'pending' && deliveries[0];
            }, WAIT);
            assert.equal(entry.status, 'failed');
            assert.match(entry.lastError, /private/, host);
        }
        assert.equal(receiver.got.length, 0);
    });
});

describe('webhooks to a receiver with a certificate', () => {
    const maker = useServer({ workers: 1, tls: true });

    it('is trusted when its authority is, and only then', LONG, async () => {
        const { Server } = await import('./lib/nginx.mjs');
        const tls = { key: fs.readFileSync(`${maker.dir}/key.pem`), cert: fs.readFileSync(`${maker.dir}/cert.pem`) };
        const receiver = await new Receiver(null, tls).listen();
        const anna = owner({ business: 'tls' });
        for (const ca of ['', ` ca=${maker.dir}/cert.pem`]) {
            const server = await new Server({ workers: 1, port: await freePort(),
                http: `realtime_webhooks on private=allow${ca};` }).start();
            try {
                const r = await api(server, anna).post('/webhooks', { url: receiver.url, events: EVENTS, secret: SECRET });
                assert.equal(r.status, 201, r.text);
                assert.equal((await api(server, anna).post(`/webhooks/${r.json._id}/test`, {})).status, 201);
                const entry = await until('it is in the log', async () => {
                    const { deliveries } = await log(server, anna, r.json._id);
                    return (deliveries[0].lastError || deliveries[0].lastStatus) && deliveries[0];
                }, WAIT);
                assert.equal(entry.status, ca ? 'delivered' : 'pending', JSON.stringify(entry));
            } finally {
                await server.stop();
            }
        }
        assert.equal(receiver.got.length, 1);
        assertSigned(receiver.got[0]);
    });
});

// Other services write into MongoDB's auditlogs by themselves: dashboards hear of it as of audit.created,
// each document once, also when workers and mongod are killed in between.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { MongoClient, ObjectId, UUID } from 'mongodb';

import { Mongod, mongodProgram } from '../lib/mongod.mjs';
import { Chat, connect } from './lib/chat.mjs';
import { api } from './lib/http.mjs';
import { Server, sleep, SLOW, until } from './lib/nginx.mjs';
import { person, staff } from './lib/token.mjs';

const LONG = { timeout: 90000 * SLOW };
const skip = mongodProgram() ? false : 'there is no mongod';
let serial = 0;
const business = () => `biz-${process.pid}-${serial += 1}`;

// A mongod, a client of another service, and a server on the same database.
function useMongo({ alone, oplog, ...options } = {})
{
    const at = {};
    before(async () => {
        at.mongod = await new Mongod({ alone, oplog }).start();
        at.client = new MongoClient(at.mongod.uri, { directConnection: true, retryWrites: false });
        at.db = at.client.db('shop');
        at.logs = at.db.collection('auditlogs');
        at.server = await new Server({ workers: 2, redis: null, allowLog: [],
            store: `${at.mongod.uri}shop`, ...options }).start();
    }, { timeout: 60000 });
    after(async () => {
        await at.client?.close();
        try {
            await at.server?.stop();
        } finally {
            await at.mongod?.stop();
        }
    }, { timeout: 60000 });
    // from then on what others write is told
    at.watching = () => until('somebody looks', () => at.db.collection('realtimestate')
        .findOne({ _id: 'auditlogs', token: { $type: 'string' } }), 20000 * SLOW);
    return at;
}

describe('documents in auditlogs by other services', { skip }, () => {
    const at = useMongo();

    it('are told as audit.created is: once, with what they hold', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const strange = await connect(at.server, staff({ business: business() }));
        await at.watching();
        const at1 = new Date('2026-01-02T03:04:05.678Z');
        const { insertedId } = await at.logs.insertOne({ businessId: b, action: 'UPDATE', entity: 'client',
            entityId: 'c1', description: 'Sam changed a client', userId: 'sam', timestamp: at1,
            metadata: { before: { n: 1 }, tags: ['a'] } });
        assert.deepEqual(await sam.next('audit:log', undefined, 10000 * SLOW), { type: 'audit',
            action: 'UPDATE', entity: 'client', entityId: 'c1', description: 'Sam changed a client',
            userId: 'sam', timestamp: at1.toISOString(), metadata: { before: { n: 1 }, tags: ['a'] } });
        const n = await sam.next('notification:new');
        assert.equal(n.type, 'audit');
        assert.equal(n.seq, 1);
        assert.equal(n.message, 'Sam changed a client');
        assert.equal(n.data.auditLog._id, String(insertedId));
        const r = await api(at.server, sam.who).get('/notifications');
        assert.equal(r.json.total, 1);
        assert.equal(await at.logs.countDocuments({ businessId: b }), 1, 'nothing was added to it');
        assert.deepEqual(strange.events.map((e) => e.event), ['connected']);
    });

    it('of a business whose id is an ObjectId too; others are not told', LONG, async () => {
        const id = new ObjectId();
        const sam = await connect(at.server, staff({ business: String(id) }));
        await at.logs.insertMany([{ action: 'OF NOBODY' }, { businessId: '', action: 'X' },
            { businessId: { $oid: 'x' }, action: 'X' }, { businessId: id, action: 'DELETE', entity: 'faq',
                entityId: new ObjectId() }, { businessId: id, big: 'x'.repeat(1100000) },
            { businessId: id, action: 'LAST' }]);
        assert.equal((await sam.next('audit:log', undefined, 10000 * SLOW)).action, 'DELETE');
        assert.equal((await sam.next('audit:log')).action, 'LAST');
        assert.match(at.server.logText(), /nobody can be told of a document: .*businessId/);
        assert.match(at.server.logText(), /nobody can be told of a document: it is too large/);
        assert.equal(sam.all('notification:new').length, 2);
    });

    it('whatever type their _id has', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await at.watching();
        const ids = [new UUID(), new UUID(), 7, 1.5, 2.5, `text-${b}`, { a: b }, { b }];
        await at.logs.insertMany(ids.map((_id, i) => ({ _id, businessId: b, action: `A${i}` })));
        for (const i of ids.keys()) {
            assert.equal((await sam.next('audit:log', undefined, 10000 * SLOW)).action, `A${i}`);
        }
    });

    it('what we write ourselves is not told again', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        const r = await api(at.server, person('SERVICE', { business: null })).post('/events',
            { event: 'audit.created', businessId: b, auditLog: { action: 'CREATE' } });
        assert.equal(r.status, 201);
        assert.equal((await sam.next('audit:log')).action, 'CREATE');
        await at.logs.insertOne({ businessId: b, action: 'BY ANOTHER' });
        assert.equal((await sam.next('audit:log', undefined, 10000 * SLOW)).action, 'BY ANOTHER');
        await sleep(1200);
        assert.equal(sam.all('audit:log').length, 2);
    });

    it('a reload goes on where the last worker was', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await at.logs.insertOne({ businessId: b, action: 'A0' });
        await at.server.reload();
        await at.logs.insertMany(Array.from({ length: 250 }, (_, i) =>
            ({ businessId: b, action: `A${i + 1}` })));
        const total = async () => (await api(at.server, sam.who).get('/notifications')).json.total;
        await until('all are told', async () => await total() === 251, 20000 * SLOW);
        const all = [];
        for (let page = 1; page <= 3; page += 1) {
            const r = await api(at.server, sam.who).get(`/notifications?limit=100&page=${page}`);
            all.push(...r.json.notifications);
        }
        assert.deepEqual(all.reverse().map((n) => n.data.auditLog.action),
            Array.from({ length: 251 }, (_, i) => `A${i}`));
    });
});

describe('auditlogs that the server would not have', { skip }, () => {
    const at = useMongo({ allowLog: [/mongodb: Document failed validation/] });

    it('are told all the same, and the log tells', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await at.watching();
        const service = person('SERVICE', { business: null });
        const raise = (auditLog) => api(at.server, service).post('/events',
            { event: 'audit.created', businessId: b, auditLog });
        assert.equal((await raise({ action: 'GOOD', who: 'x' })).status, 201);
        await at.db.command({ collMod: 'auditlogs', validator: { who: { $exists: true } } });
        assert.equal((await raise({ action: 'BAD' })).status, 201);
        await sam.next('audit:log', (l) => l.action === 'BAD');
        assert.equal(await at.logs.countDocuments({ businessId: b }), 1);
        await until('the log tells', () =>
            /mongodb: Document failed validation \(121\)/.test(at.server.logText()), 5000);
    });
});

describe('auditlogs and an oplog that is cut', { skip }, () => {
    const at = useMongo({ oplog: 1 });

    it('what may be missing is told, and what comes then goes on', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await at.watching();
        const states = at.db.collection('realtimestate');
        const lost = () => (at.server.logText().match(/may not be told of/g) || []).length;
        const big = 'x'.repeat(1000000);
        await until('the log tells', async () => {
            await at.db.collection('junk').insertOne({ big });
            return lost();
        }, 60000 * SLOW);
        await at.watching();
        await at.logs.insertOne({ businessId: b, action: 'AFTER' });
        assert.equal((await sam.next('audit:log', undefined, 10000 * SLOW)).action, 'AFTER');

        for (const token of ['{"_data":"zz"}', '{"a":1}', 'no JSON']) {
            const before = lost();
            await states.updateOne({ _id: 'auditlogs' }, { $set: { token } });
            await until(`the log tells of ${token}`, () => lost() > before, 10000 * SLOW);
        }
        await until('it has a new one', async () =>
            /"82/.test((await states.findOne({ _id: 'auditlogs' })).token || ''), 10000 * SLOW);
        await at.logs.insertOne({ businessId: b, action: 'AGAIN' });
        assert.equal((await sam.next('audit:log', undefined, 10000 * SLOW)).action, 'AGAIN');
    });
});

describe('documents in auditlogs while workers and mongod are killed', { skip }, () => {
    const at = useMongo({ allowLog: [/exited on signal 9/] });

    it('each is told once', { timeout: 180000 * SLOW }, async () => {
        const COUNT = 200;
        const b = business();
        const who = staff({ business: b });
        const seqs = [];
        const actions = [];
        const board = new Chat(at.server, who, { reconnection: true, reconnectionDelay: 50,
            reconnectionDelayMax: 500,
            auth: (give) => give({ token: who.token, lastNotificationSeq: seqs.at(-1) || 0 }) });
        board.socket.on('notification:new', (n) => {
            seqs.push(n.seq);
            actions.push(n.data.auditLog.action);
        });
        await at.watching();
        const write = async (i) => {
            for (;;) {
                try {
                    await at.logs.insertOne({ _id: `log-${i}`, businessId: b, action: `A${i}` });
                    return;
                } catch (e) {
                    if (e.code === 11000) {
                        return;
                    }
                    await sleep(100);
                }
            }
        };
        let killed = 0;
        for (let i = 0; i < COUNT; i += 1) {
            await write(i);
            if (i % 25 === 10) {
                for (const pid of at.server.workers()) {
                    at.server.signal('SIGKILL', pid);
                    killed += 1;
                }
            }
            if (i === 80) {
                await at.mongod.kill();
                const running = at.mongod.run();
                await write(`${i}b`);
                await running;
            }
            await sleep(20);
        }
        await until('all have come', () => seqs.length >= COUNT + 1, 60000 * SLOW);
        await sleep(1500);
        assert.deepEqual(seqs, Array.from({ length: COUNT + 1 }, (_, i) => i + 1));
        assert.equal(new Set(actions).size, COUNT + 1);
        console.log(`# ${COUNT + 1} documents, ${killed} workers and a mongod killed`);
    });
});

describe('auditlogs in a mongod that is no replica set', { skip }, () => {
    const at = useMongo({ alone: true });

    it('are not watched: the log says so once, all else works', LONG, async () => {
        const b = business();
        const sam = await connect(at.server, staff({ business: b }));
        await until('the log tells', () => /is not told of: it is not a replica set/
            .test(at.server.logText()), 10000 * SLOW);
        await at.logs.insertOne({ businessId: b, action: 'UNSEEN' });
        const r = await api(at.server, person('SERVICE', { business: null })).post('/events',
            { event: 'audit.created', businessId: b, auditLog: { action: 'CREATE' } });
        assert.equal(r.status, 201);
        assert.equal((await sam.next('audit:log')).action, 'CREATE');
        await sleep(1500);
        assert.equal(sam.all('audit:log').length, 1);
        assert.equal(at.server.logText().match(/is not a replica set/g).length, 1);
        assert.doesNotMatch(at.server.logText(), /\[error\].*mongodb/);
    });
});

// Services raise events over HTTP; dashboards hear of them once and in order, find them in the list,
// and share what they have read. Customers and other businesses hear nothing.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import WebSocket from 'ws';

import { connect, DEFAULT, POLLING } from './lib/chat.mjs';
import { EVENTS } from './lib/events.mjs';
import { api, createRoom } from './lib/http.mjs';
import { SLOW, sleep, until, useServer } from './lib/nginx.mjs';
import { customer, owner, person, staff, superAdmin } from './lib/token.mjs';

const LONG = { timeout: 60000 * SLOW };
const service = (options) => person('SERVICE', { business: null, ...options });
let serial = 0;
const business = () => `biz-${process.pid}-${serial += 1}`;

async function post(server, body, { status = 201, who = service(), headers = {} } = {})
{
    const r = await api(server, who).post('/events', body, { headers });
    assert.equal(r.status, status, r.text);
    return r.json;
}

const list = async (server, who, query = '') => {
    const r = await api(server, who).get(`/notifications${query}`);
    assert.equal(r.status, 200, r.text);
    return r.json;
};

describe('events over HTTP, 3 workers', () => {
    const server = useServer({ workers: 3, allowLog: [] });

    it('every event reaches the dashboard twice: as notification:new and by its name', LONG, async () => {
        const b = business();
        const sam = await connect(server, staff({ business: b }));
        const olga = await connect(server, owner({ business: b }), DEFAULT);
        let seq = 0;
        assert.deepEqual(EVENTS.map((e) => e.event), ['booking.created', 'booking.status-changed',
            'payment.received', 'payment.failed', 'client.created', 'client.updated',
            'appointment.reminder', 'appointment.cancelled', 'staff.availability-changed',
            'inventory.low-stock', 'system.alert', 'audit.created']);

        for (const { event, payload, type, title, message, priority } of EVENTS) {
            const { success, notifications } = await post(server, { event, businessId: b, ...payload });
            assert.equal(success, true);
            assert.equal(notifications.length, 1);
            seq += 1;
            for (const chat of [sam, olga]) {
                const n = await chat.next('notification:new');
                assert.equal(n._id, notifications[0]);
                assert.equal(n.seq, seq);
                assert.equal(n.businessId, b);
                assert.equal(n.userId, null);
                assert.equal(n.type, type);
                assert.equal(`${n.type}.${n.subType}`, event);
                assert.equal(n.title, title);
                assert.equal(n.message, message);
                assert.equal(n.priority, priority);
                assert.equal(n.isRead, false);
                assert.deepEqual(n.data, payload);
                assert.match(n.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
                assert.equal(n.createdAt, n.timestamp);
                if (event === 'audit.created') {
                    const audit = await chat.next('audit:log');
                    assert.deepEqual({ ...audit, timestamp: null }, { type: 'audit', timestamp: null,
                        ...payload.auditLog });
                } else {
                    assert.deepEqual(await chat.next(event), n);
                }
            }
        }

        const found = await list(server, sam.who);
        assert.equal(found.total, EVENTS.length);
        assert.equal(found.unread, EVENTS.length);
        assert.deepEqual(found.notifications.map((n) => `${n.type}.${n.subType}`),
            EVENTS.map((e) => e.event).reverse());
    });

    it('a payload of nothing but its business has a sane text', LONG, async () => {
        const b = business();
        const sam = await connect(server, staff({ business: b }));
        for (const { event } of EVENTS) {
            await post(server, { event, businessId: b });
            const n = await sam.next('notification:new');
            assert.ok(n.title && n.message, event);
            assert.doesNotMatch(n.title + n.message, /undefined|null|NaN|\[object|[{}[\]]/);
        }
    });

    it('an array is stored as a whole, in order, and refused as a whole', LONG, async () => {
        const b = business();
        const sam = await connect(server, staff({ business: b }));
        const many = Array.from({ length: 1000 }, (_, i) =>
            ({ event: 'booking.created', businessId: b, clientName: `C${i}` }));
        const { notifications } = await post(server, many);
        assert.equal(new Set(notifications).size, 1000);
        await until('all are here', () => sam.all('notification:new').length === 1000);
        assert.deepEqual(sam.all('notification:new').map((n) => n.seq), many.map((_, i) => i + 1));
        assert.deepEqual(sam.all('notification:new').map((n) => n._id), notifications);
        assert.deepEqual(sam.all('booking.created').map((n) => n.data.clientName),
            many.map((m) => m.clientName));

        await post(server, [...many, many[0]], { status: 413 });
        await post(server, [many[0], { event: 'booking.mad', businessId: b }], { status: 400 });
        assert.equal((await list(server, sam.who)).total, 1000);
    });

    it('the same twice is one notification, and the same ids', LONG, async () => {
        const b = business();
        const sam = await connect(server, staff({ business: b }));
        const event = { event: 'booking.created', businessId: b, clientName: 'Zoe' };
        const first = await post(server, { ...event, id: 'evt-1' });
        assert.deepEqual(await post(server, { ...event, id: 'evt-1' }, { status: 200 }), first);
        const headers = { 'Idempotency-Key': 'a key' };
        const second = await post(server, [event, event], { headers });
        assert.deepEqual(await post(server, [event, event], { headers, status: 200 }), second);
        assert.equal(new Set(second.notifications).size, 2);
        const again = await Promise.all(Array.from({ length: 20 }, () => api(server, service())
            .post('/events', { ...event, id: 'evt-2' })));
        assert.equal(new Set(again.map((r) => r.json.notifications[0])).size, 1);
        assert.equal(again.filter((r) => r.status === 201).length, 1);
        await post(server, event);
        await sam.next('notification:new', (n) => n.seq === 5);
        assert.deepEqual(sam.all('notification:new').map((n) => n.seq), [1, 2, 3, 4, 5]);
        assert.equal(sam.all('booking.created').length, 5);
    });

    it('what is wrong is refused, says why, and leaves nothing', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        const good = { event: 'booking.created', businessId: b };
        const raw = (body, type = 'application/json') => api(server, service()).post('/events', body,
            { headers: { 'Content-Type': type } });
        for (const [body, text] of [
            ['{', /JSON/i], ['', /./], ['"x"', /object/], [[], /no events/], [{}, /event/],
            [{ ...good, event: 'chat:new-message' }, /event/], [{ event: good.event }, /businessId/],
            [{ ...good, businessId: 7 }, /businessId/], [{ ...good, businessId: '' }, /businessId/],
            [{ ...good, businessId: 'x'.repeat(129) }, /businessId/],
            [{ ...good, businessId: 'a\nb' }, /businessId/], [{ ...good, a: { $gt: 1 } }, /\$/],
            [[good, { ...good, event: 7 }], /event 2 of 2/]]) {
            const r = await raw(body);
            assert.equal(r.status, 400, `${JSON.stringify(body)}: ${r.text}`);
            assert.match(r.json.message, text);
            assert.equal(r.json.statusCode, 400);
        }
        assert.equal((await raw('x', 'text/plain')).status, 415);
        assert.equal((await raw(JSON.stringify({ ...good, x: 'y'.repeat(1100000) }))).status, 413);
        assert.equal((await api(server, null).post('/events', good)).status, 401);
        for (const who of [staff({ business: b }), customer({ business: b }), superAdmin()]) {
            await post(server, good, { who, status: 403 });
        }
        await post(server, good, { who: service({ business: 'other' }), status: 404 });
        await post(server, { ...good, businessId: b, clientName: { $ne: 1 } }, { status: 400 });
        assert.equal((await list(server, sam)).total, 0);
        await post(server, good, { who: service({ business: b }) });
    });

    it('with a userId only that person hears of it', LONG, async () => {
        const b = business();
        const anna = await connect(server, customer({ business: b }));
        const bob = await connect(server, customer({ business: b }), POLLING);
        const sam = await connect(server, staff({ business: b }));
        const twin = await connect(server, customer({ business: business(), id: anna.who.id }));
        await post(server, { event: 'appointment.reminder', businessId: b, userId: anna.who.id });
        const n = await anna.next('notification:new');
        assert.equal(n.userId, anna.who.id);
        assert.equal(n.seq, 1);
        assert.deepEqual(await anna.next('appointment.reminder'), n);
        await post(server, { event: 'staff.availability-changed', businessId: b, userId: sam.who.id });
        await sam.next('staff.availability-changed');
        await post(server, { event: 'booking.created', businessId: b });
        await sam.next('booking.created');
        assert.equal(sam.all('notification:new').length, 2);
        assert.deepEqual((await list(server, sam.who)).notifications.map((x) => x.type),
            ['booking', 'staff']);
        assert.equal((await list(server, anna.who)).total, 1);
        for (const other of [bob, twin]) {
            assert.deepEqual(other.events.map((e) => e.event), ['connected']);
            assert.equal((await list(server, other.who)).total, 0);
        }
    });

    it('an event that is raised again for somebody else stays where it was', LONG, async () => {
        const b = business();
        const anna = await connect(server, customer({ business: b }));
        const sam = await connect(server, staff({ business: b }));
        const event = { event: 'appointment.reminder', businessId: b, id: 'once' };
        const first = await post(server, { ...event, userId: anna.who.id });
        await anna.next('appointment.reminder');
        assert.deepEqual(await post(server, event, { status: 200 }), first);
        await post(server, { event: 'client.created', businessId: b });
        assert.equal((await sam.next('notification:new')).type, 'client');
        assert.equal(sam.all('appointment.reminder').length, 0);
        assert.equal(anna.all('notification:new').length, 1);
    });

    it('customers and other businesses hear nothing', LONG, async () => {
        const b = business();
        const anna = customer({ business: b });
        const roomId = await createRoom(server, anna);
        const inRoom = await connect(server, anna);
        await inRoom.ask('chat:join-room', { roomId });
        const others = [inRoom, await connect(server, customer({ business: b }), POLLING),
            await connect(server, staff({ business: business() })),
            await connect(server, superAdmin()),
            await connect(server, customer({ business: null }))];
        const sam = await connect(server, staff({ business: b }));
        for (const { event, payload } of EVENTS) {
            await post(server, { event, businessId: b, ...payload });
        }
        await until('all are here', () => sam.all('notification:new').length === EVENTS.length);
        await api(server, sam.who).put('/notifications/read', {});
        await sam.ask('chat:join-room', { roomId });
        await inRoom.next('chat:user-joined');
        await sleep(300);
        const seen = others.map((o) => [...new Set(o.events.map((e) => e.event))].sort().join(' '));
        console.log(`# a customer in a room saw: ${seen[0]}`);
        assert.deepEqual(seen, ['chat:user-joined connected', ...Array(4).fill('connected')]);
    });

    it('what one reads the colleagues see as read', LONG, async () => {
        const b = business();
        const sam = await connect(server, staff({ business: b }));
        const phone = await connect(server, sam.who);
        const olga = await connect(server, owner({ business: b }), POLLING);
        const { notifications: ids } = await post(server, Array.from({ length: 5 }, () =>
            ({ event: 'client.created', businessId: b })));
        const other = await post(server, { event: 'client.created', businessId: business() });
        assert.deepEqual(await sam.ask('notification:read', { notificationIds: [ids[0], ids[1], 'x',
            other.notifications[0]] }), { success: true });
        for (const chat of [phone, olga]) {
            const { notificationIds, ...rest } = await chat.next('notification:read');
            assert.deepEqual(notificationIds.sort(), [ids[0], ids[1]].sort());
            assert.deepEqual(rest, { userId: sam.who.id, unread: 3 });
        }
        assert.equal((await list(server, olga.who)).unread, 3);
        assert.equal((await list(server, olga.who, '?unread=true')).total, 3);
        assert.equal((await list(server, olga.who, '?unread=false&limit=2')).notifications.length, 2);
        const r = await api(server, olga.who).put('/notifications/read', { notificationIds: [ids[2]] });
        assert.deepEqual([r.status, r.json], [200, { success: true }]);
        assert.equal((await sam.next('notification:read')).unread, 2);
        await api(server, olga.who).put('/notifications/read', {});
        const all = await sam.next('notification:read');
        assert.deepEqual([all.unread, all.all, all.notificationIds.length], [0, true, 2]);
        assert.equal(sam.all('notification:read').length, 2);
        for (const query of ['?page=0', '?limit=101', '?unread=1', '?type=none', '?page=x']) {
            assert.equal((await api(server, sam.who).get(`/notifications${query}`)).status, 400, query);
        }
        assert.equal((await api(server, sam.who).put('/notifications/read',
            { notificationIds: [7] })).status, 400);
        assert.equal((await sam.ask('notification:read', { notificationIds: 'x' })).code, 'INVALID');
        assert.equal((await api(server, service()).get('/notifications')).status, 403);
        const boss = superAdmin();
        assert.equal((await list(server, boss, `?businessId=${b}`)).total, 5);
        assert.equal((await list(server, boss)).total, 0);
    });

    it('says so in the log, without texts', LONG, async () => {
        const b = business();
        await post(server, { event: 'booking.created', businessId: b, clientName: 'Secret Zoe' });
        await until('the line is written', () => server.logText().includes(
            `📢 Notification sent to business ${b}`));
        assert.doesNotMatch(server.logText(), /Secret Zoe/);
    });
});

describe('retention', () => {
    const server = useServer({ workers: 2, http: 'realtime_notification_retention 2s;' });

    it('old ones go, and numbers go on', LONG, async () => {
        const b = business();
        const sam = await connect(server, staff({ business: b }));
        await post(server, [1, 2, 3].map(() => ({ event: 'booking.created', businessId: b })));
        assert.equal((await sam.next('notification:new', (n) => n.seq === 3)).seq, 3);
        await until('they are gone', async () => (await list(server, sam.who)).total === 0,
            20000 * SLOW);
        await post(server, { event: 'client.created', businessId: b });
        assert.equal((await sam.next('client.created')).seq, 4);
    });
});

describe('missed while away, 2 workers', () => {
    const server = useServer({ workers: 2 });
    const away = (who, seq, options) => connect(server, who, { ...options,
        auth: { token: who.token, lastNotificationSeq: seq } });
    const bookings = (b, n, more = {}) => post(server, Array.from({ length: n }, (_, i) =>
        ({ event: 'booking.created', businessId: b, n: i, ...more })));

    it('comes in order, before what is new', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        await bookings(b, 10);
        await post(server, { event: 'audit.created', businessId: b, auditLog: { action: 'X' } });
        let stop = false;
        const raising = (async () => { while (!stop) await bookings(b, 3); })();
        for (const options of [{}, POLLING, DEFAULT]) {
            const chat = await away(sam, 4, options);
            await until('they are here', () => chat.all('notification:new').length >= 30);
            const seqs = chat.all('notification:new').map((n) => n.seq);
            assert.deepEqual(seqs, seqs.map((_, i) => i + 5));
            assert.equal(chat.all('audit:log')[0].action, 'X');
            assert.equal(chat.events[0].event, 'connected');
            chat.close();
        }
        stop = true;
        await raising;
    });

    it('nothing comes that was not missed', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        await bookings(b, 3);
        for (const seq of [undefined, 3, 99, -1, 'x', 1.5, { business: 3 }, null]) {
            const chat = await away(sam, seq);
            await post(server, { event: 'client.created', businessId: b, id: `x-${seq}` });
            await chat.next('client.created');
            assert.equal(chat.all('notification:new').filter((n) => n.type === 'booking').length, 0,
                `${seq}`);
            chat.close();
        }
    });

    it('of more than 500 a gap is told', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        await bookings(b, 501);
        const chat = await away(sam, 0);
        assert.deepEqual(await chat.next('notification:gap'),
            { stream: 'business', lastNotificationSeq: 0, lastSeq: 501 });
        await bookings(b, 1);
        assert.equal((await chat.next('notification:new')).seq, 502);
        const other = await away(sam, 2);
        await until('500 are here', () => other.all('notification:new').length === 500);
        assert.equal(other.all('notification:gap').length, 0);
    });

    it('of more than the client can take at once, too', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        for (let i = 0; i < 10; i += 1) {
            await bookings(b, 10, { big: 'x'.repeat(10000) });
        }
        for (const options of [{}, POLLING, DEFAULT]) {
            const chat = await away(sam, 0, options);
            assert.deepEqual(await chat.next('notification:gap'),
                { stream: 'business', lastNotificationSeq: 0, lastSeq: 100 });
            const other = await away(sam, 70, options);
            await until('30 are here', () => other.all('notification:new').length === 30);
            assert.equal(chat.all('$disconnect').length, 0);
            chat.close();
            other.close();
        }
    });

    it('staff name both of their streams, customers their own', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        const anna = customer({ business: b });
        await bookings(b, 3);
        await bookings(b, 4, { userId: sam.id });
        await bookings(b, 2, { userId: anna.id });
        const both = await away(sam, { business: 2, user: 1 });
        await until('all are here', () => both.all('notification:new').length === 4);
        assert.deepEqual(both.all('notification:new').filter((n) => n.userId).map((n) => n.seq),
            [2, 3, 4]);
        assert.deepEqual(both.all('notification:new').filter((n) => !n.userId).map((n) => n.seq), [3]);
        const one = await away(anna, 1);
        assert.equal((await one.next('notification:new')).seq, 2);
        assert.equal(one.all('notification:new').length, 1);
    });

    it('over plain WebSocket, in the query or in the auth frame', LONG, async () => {
        const b = business();
        const sam = staff({ business: b });
        await bookings(b, 5);
        const plain = (query, frame) => new Promise((resolve, reject) => {
            const ws = new WebSocket(`${server.url.replace('http', 'ws')}/realtime${query}`);
            const seqs = [];
            server.onClose(() => ws.terminate());
            ws.on('open', () => frame && ws.send(JSON.stringify(frame)));
            ws.on('error', reject);
            ws.on('message', (text) => {
                const { event, data } = JSON.parse(text);
                if (event === 'notification:new' && seqs.push(data.seq) === 2) {
                    resolve(seqs);
                }
            });
        });
        assert.deepEqual(await plain(`?token=${sam.token}&lastNotificationSeq=3`), [4, 5]);
        assert.deepEqual(await plain(`?token=${sam.token}&lastNotificationSeq=3,0`), [4, 5]);
        assert.deepEqual(await plain('', { event: 'auth', data: { token: sam.token,
            lastNotificationSeq: 3 } }), [4, 5]);
    });
});

// The guide's NestJS service, with clients/node between it and the server: what it emits is heard by a
// browser's socket.io-client, over HTTP and by the stream; also what was emitted while nginx was away.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { connect } from './lib/chat.mjs';
import { EVENTS } from './lib/events.mjs';
import { api } from './lib/http.mjs';
import { MONGODB, ROOT, Server, SLOW, until } from './lib/nginx.mjs';
import { Redis } from './lib/redis.mjs';
import { customer, person, SECRET, staff } from './lib/token.mjs';

const require = createRequire(path.join(ROOT, 'clients/node/package.json'));
require('reflect-metadata');
const { Injectable, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { EventEmitter2, EventEmitterModule } = require('@nestjs/event-emitter');
const { EVENTS: NAMES, Publisher, RealtimeEvents, Refused, StreamSender } = require('./index.js');
const { RealtimeEventsModule } = require('./nest.js');

const LONG = { timeout: 60000 * SLOW };
let serial = 0;
const business = () => `biz-${process.pid}-${serial += 1}`;

// As in the guide.
class BookingService
{
    constructor(eventEmitter)
    {
        this.eventEmitter = eventEmitter;
    }

    async createBooking({ businessId, clientName, ...booking })
    {
        this.eventEmitter.emit('booking.created', { businessId, clientName, booking });
    }
}
Injectable()(BookingService);
Reflect.defineMetadata('design:paramtypes', [EventEmitter2], BookingService);

async function start(options)
{
    class AppModule
    {
    }
    Module({
        imports: [EventEmitterModule.forRoot(), RealtimeEventsModule.forRoot(options)],
        providers: [BookingService],
    })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
    return { app, bookings: app.get(BookingService), emitter: app.get(EventEmitter2),
        realtime: app.get(RealtimeEvents) };
}

// What a dashboard of the guide does.
async function dashboard(server, b)
{
    const chat = await connect(server, staff({ business: b }));
    chat.shown = [];
    const showNotification = (title, text) => chat.shown.push([title, text]);
    chat.socket.on('booking.created', (data) => showNotification('New Booking!', data.message));
    return chat;
}

const doors = {
    'over HTTP': ({ server }) => ({ url: server.url, secret: SECRET }),
    'by the stream, with ioredis': ({ redis }) => ({ redis: redis.client() }),
    'by the stream, with a URL': ({ redis }) => ({ redis: `redis://127.0.0.1:${redis.port}` }),
    'by the stream, with node-redis': async ({ redis }) => {
        const client = require('redis').createClient({ url: `redis://127.0.0.1:${redis.port}` });
        client.on('error', () => {});
        return { redis: await client.connect() };
    },
};

describe('a NestJS service and a dashboard', () => {
    const at = {};
    before(async () => {
        at.redis = await new Redis().start();
        at.server = await new Server({ workers: 2, allowLog: [], redis: null,
            http: `realtime_redis 127.0.0.1:${at.redis.port};` }).start();
    }, { timeout: 60000 });
    after(async () => {
        try {
            await at.server?.stop();
        } finally {
            await at.redis?.stop();
        }
    }, { timeout: 60000 });

    it('the bridge listens for every event of the documentation', () => {
        assert.deepEqual([...NAMES], EVENTS.map((e) => e.event));
    });

    for (const [name, make] of Object.entries(doors)) {
        it(`${name}: what the service emits is shown`, LONG, async () => {
            const b = business();
            const errors = [];
            const options = await make(at);
            at.server.onClose(() => options.redis?.disconnect?.());
            const nest = await start({ ...options, onError: (...args) => errors.push(args) });
            at.server.onClose(() => nest.app.close());
            const sam = await dashboard(at.server, b);
            await nest.bookings.createBooking({ businessId: b, clientName: 'Zoe', id: 'booking-17' });
            await until('it is shown', () => sam.shown.length);
            assert.deepEqual(sam.shown, [['New Booking!', 'New booking from Zoe']]);
            assert.equal((await sam.next('notification:new')).data.booking.id, 'booking-17');

            for (const { event, payload } of EVENTS) {
                nest.emitter.emit(event, { businessId: b, ...payload });
                const n = await sam.next('notification:new');
                assert.equal(`${n.type}.${n.subType}`, event);
                assert.equal(n.message, EVENTS.find((e) => e.event === event).message);
                assert.deepEqual(n.data, payload);
            }

            // a payload's own id is no event's; an eventId is
            for (const more of [{ id: 7 }, { id: 7 }, { id: 7, eventId: 'e1' }, { id: 7, eventId: 'e1' }]) {
                nest.emitter.emit('client.updated', { businessId: b, ...more });
            }
            const anna = await connect(at.server, customer({ business: b }));
            nest.emitter.emit('appointment.reminder', { businessId: b, userId: anna.who.id });
            assert.equal((await anna.next('appointment.reminder')).userId, anna.who.id);
            await nest.realtime.publisher.drained();
            nest.emitter.emit('system.alert', { businessId: b, alert: { title: 'the last' } });
            await sam.next('system.alert', (n) => n.title === 'the last');
            assert.equal(sam.all('client.updated').length, 4);
            assert.equal(sam.all('client.updated').at(-1).data.id, 7);
            await nest.app.close();
            assert.deepEqual(errors, []);
        });
    }

    it('what is wrong is told and holds nothing up; in one batch with what is not', LONG, async () => {
        const b = business();
        const errors = [];
        const nest = await start({ url: at.server.url, onError: (e, event) =>
            errors.push([event?.event, e.message]), token: async () =>
            person('SERVICE', { business: null }).token });
        const sam = await dashboard(at.server, b);
        const cyclic = { businessId: b };
        cyclic.self = cyclic;
        nest.emitter.emit('booking.created', { clientName: 'of nobody' });
        nest.emitter.emit('booking.created', cyclic);
        nest.emitter.emit('booking.created', 'text');
        nest.emitter.emit('booking.created', { businessId: b, clientName: 'first' });
        nest.emitter.emit('client.created', { businessId: 'x'.repeat(200) });
        nest.emitter.emit('booking.created', { businessId: b, clientName: 'last' });
        nest.emitter.emit('another.event', { businessId: b });
        await nest.realtime.publisher.drained();
        await until('both are here', () => sam.shown.length === 2);
        assert.deepEqual(sam.shown.map(([, text]) => text),
            ['New booking from first', 'New booking from last']);
        assert.deepEqual(errors.map(([event]) => event), ['booking.created', 'booking.created',
            'booking.created', 'client.created']);
        assert.match(errors[0][1], /businessId/);
        assert.match(errors[3][1], /400 .*businessId/);
        await nest.app.close();
    });

    it('what is emitted while nginx is away comes when it is back, once and in order', LONG, async () => {
        const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rt-nest-'));
        fs.chmodSync(dir, 0o777);
        const options = { workers: 1, redis: null, store: MONGODB ? `${MONGODB}${path.basename(dir)}`
            : `sqlite:${dir}/rt.db` };
        const server = await new Server(options).start();
        const b = business();
        const errors = [];
        const nest = await start({ url: server.url, secret: SECRET, maxQueue: 50, batch: 7,
            retryMaxMs: 200, onError: (e, event) => errors.push([event?.payload?.clientName, e.message]) });
        nest.emitter.emit('booking.created', { businessId: b, clientName: 'C-1' });
        await nest.realtime.publisher.drained();
        await server.stop();

        for (let i = 0; i < 51; i += 1) {
            nest.emitter.emit('booking.created', { businessId: b, clientName: `C${i}` });
        }
        await until('a try failed', () => errors.length === 2);
        assert.deepEqual(errors[0], ['C50', 'too many events wait']);
        assert.equal(errors[1][0], undefined);

        const again = await new Server({ ...options, port: server.port }).start();
        await nest.realtime.publisher.drained();
        const r = await api(again, staff({ business: b })).get('/notifications?limit=100');
        assert.deepEqual(r.json.notifications.reverse().map((n) => n.data.clientName),
            ['C-1', ...Array.from({ length: 50 }, (_, i) => `C${i}`)]);
        await nest.app.close();
        nest.emitter.emit('booking.created', { businessId: b });
        assert.equal(errors.length, 2);
        await again.stop();
        fs.rmSync(dir, { recursive: true });
    });
});

describe('the bridge alone', () => {
    const event = (i) => ['booking.created', { businessId: 'b', eventId: `e${i}` }];

    it('a refused event is told once, also when the server goes away behind it', LONG, async () => {
        const errors = [];
        const sent = [];
        let away = true;
        const publisher = new Publisher({ retryMinMs: 1, onError: (e, of) => errors.push(of?.id),
            sender: { close: async () => {}, send: async (events) => {
                if (events.some(({ id }) => id === 'e0')) {
                    throw new Refused('e0');
                }
                if (away) {
                    away = false;
                    throw new Error('away');
                }
                sent.push(...events.map(({ id }) => id));
            } } });
        [0, 1, 2].forEach((i) => publisher.publish(...event(i)));
        await publisher.drained();
        assert.deepEqual(errors, ['e0', undefined]);
        assert.deepEqual(sent, ['e1', 'e2']);
    });

    it('an onError that throws stops nothing', LONG, async (t) => {
        t.mock.method(console, 'error', () => {});
        const sent = [];
        const publisher = new Publisher({ retryMinMs: 1, onError: () => { throw new Error('of theirs'); },
            sender: { close: async () => {}, send: async ([{ id }]) => {
                if (id === 'e0') {
                    throw new Refused(id);
                }
                sent.push(id);
            } } });
        assert.equal(publisher.publish('booking.created', {}), false);
        publisher.publish(...event(0));
        await publisher.drained();
        publisher.publish(...event(1));
        await publisher.drained();
        assert.deepEqual(sent, ['e1']);
    });

    it('is closed without a last pause', LONG, async () => {
        const errors = [];
        let end;
        const publisher = new Publisher({ retryMinMs: 600000, onError: (e) => errors.push(e.message),
            sender: { send: () => new Promise((_, reject) => { end = reject; }),
                close: async () => end(new Error('closed')) } });
        publisher.publish(...event(0));
        assert.equal(await publisher.close(10), 1);
        await publisher.running;
        assert.deepEqual(errors, []);
    });

    it('what an earlier try wrote is not written again, however often answers are late', LONG, async () => {
        const written = [];
        const answer = [];
        const sender = new StreamSender({ timeoutMs: 20, redis: { call: (...words) => {
            written.push(words[words.indexOf('id') + 1]);
            return new Promise((resolve) => { answer.push(resolve); });
        } } });
        const [a, b] = ['a', 'b'].map((id) => ({ id, event: 'e', businessId: 'b', payload: {} }));
        await assert.rejects(sender.send([a]), /does not answer/);
        answer[0]();
        await assert.rejects(sender.send([a, b]), /does not answer/);
        answer[1]();
        await sender.send([a, b]);
        assert.deepEqual(written, ['a', 'b']);
    });

    for (const [name, make] of Object.entries({
        'a URL': (port) => `redis://127.0.0.1:${port}`,
        ioredis: (port) => new (require('ioredis').default)({ port, maxRetriesPerRequest: null })
            .on('error', () => {}),
        'node-redis': (port) => {
            const client = require('redis').createClient({ url: `redis://127.0.0.1:${port}` })
                .on('error', () => {});
            client.connect().catch(() => {});
            return client;
        },
    })) {
        it(`while Redis is away nothing piles up: ${name}`, LONG, async (t) => {
            const redis = await new Redis().start();
            t.after(() => redis.stop());
            await redis.kill();
            const client = make(redis.port);
            t.after(() => client.disconnect?.());
            const errors = [];
            let tries = 0;
            const sender = new StreamSender({ redis: client, timeoutMs: 20 });
            const publisher = new Publisher({ retryMinMs: 1, retryMaxMs: 20, onError: (e) =>
                errors.push(e.message), sender: { close: () => sender.close(), send: (events) => {
                tries += 1;
                return sender.send(events);
            } } });
            t.after(() => publisher.close(0));
            publisher.publish(...event(0));
            await until('it was tried', () => tries > 10);
            publisher.publish(...event(1));
            await until('it was tried again', () => tries > 20);
            await redis.start();
            await publisher.drained();
            assert.deepEqual(errors, ['Redis does not answer']);
            assert.equal(redis.cli('XLEN', 'realtime:events').trim(), '2');
            assert.equal(await publisher.close(), 0);
        });
    }
});

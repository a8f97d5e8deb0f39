'use strict';

// Adds events to the Redis Stream that the server reads.

class StreamSender
{
    // redis: a client of ioredis or node-redis, or redis://… for one of our own, for which either
    // package has to be installed
    constructor({ redis, stream = 'realtime:events', timeoutMs = 10000 })
    {
        if (!redis) {
            throw new TypeError('events by a stream need redis: a client, or redis://…');
        }
        this.given = redis;
        this.stream = stream;
        this.timeoutMs = timeoutMs;
    }

    async send(events)
    {
        const command = await this.connect();
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error('Redis does not answer')), this.timeoutMs);
        });
        try {
            let left = events;
            if (this.out) {
                // clients keep what they can't write now: it must not be written again meanwhile
                const { ids, answers } = this.out;
                await Promise.race([late, answers]);
                left = events.filter(({ id }) => !ids.has(id));
            }
            // written one behind the other, so they stay in their order
            const answers = Promise.all(left.map((e) => command(this.entry(e))));
            // also those that an earlier try wrote: this one may be too late, too
            const out = { ids: new Set(events.map(({ id }) => id)), answers };
            this.out = out;
            answers.catch(() => { this.out = this.out === out ? null : this.out; });
            await Promise.race([late, answers]);
            this.out = null;
        } finally {
            clearTimeout(timer);
        }
    }

    entry({ id, event, businessId, userId, payload })
    {
        return ['XADD', this.stream, '*', 'event', event, 'businessId', String(businessId),
            ...(userId === undefined || userId === null ? [] : ['userId', String(userId)]),
            'id', id, 'payload', JSON.stringify(payload)];
    }

    async connect()
    {
        this.command ??= typeof this.given === 'string' ? this.open(this.given)
            : StreamSender.of(this.given);
        return this.command;
    }

    // ioredis has call(); node-redis takes the words as an array
    static of(client)
    {
        return typeof client.call === 'function'
            ? (words) => client.call(...words)
            : (words) => client.sendCommand(words);
    }

    open(url)
    {
        const Ioredis = StreamSender.find('ioredis');
        if (Ioredis) {
            this.own = new (Ioredis.default || Ioredis)(url, { maxRetriesPerRequest: null });
            this.own.on('error', () => {});     // it connects again; what fails is tried again
            return StreamSender.of(this.own);
        }
        const redis = StreamSender.find('redis');
        if (!redis) {
            throw new Error('install ioredis or redis, or give a client');
        }
        this.own = redis.createClient({ url });
        this.own.on('error', () => {});
        this.own.connect().catch(() => {});     // while it tries, commands wait
        return StreamSender.of(this.own);
    }

    static find(name)
    {
        try {
            return require(name);
        } catch (e) {
            if (e.code === 'MODULE_NOT_FOUND') {
                return null;
            }
            throw e;
        }
    }

    async close()
    {
        const { own } = this;
        this.own = null;
        try {
            await own?.disconnect();
        } catch {
            // it was not connected
        }
    }
}

module.exports = { StreamSender };

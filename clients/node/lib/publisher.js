'use strict';

// A queue of events between those who raise them and the server: they leave in their order, some at a
// time, and are sent again, with the same ids, until the server has them.

const crypto = require('node:crypto');

const { Refused } = require('./errors');

class Publisher
{
    // sender: of lib/http.js or lib/stream.js
    // maxQueue: events that may wait; past it new ones are dropped
    // batch: events that are sent together
    // retryMinMs, retryMaxMs: pauses between tries; they double
    // onError(error, event): of an event that is refused or dropped; once for each trouble, without an
    // event, when the server can't be reached
    constructor({ sender, maxQueue = 10000, batch = 100, retryMinMs = 100, retryMaxMs = 10000,
        onError = () => {} })
    {
        this.sender = sender;
        this.limits = { maxQueue, batch, retryMinMs, retryMaxMs };
        this.onError = (error, event) => {
            try {
                onError(error, event);
            } catch (e) {
                console.error(e);       // the queue goes on
            }
        };
        this.queue = [];
        this.idle = [];
        this.closed = false;
    }

    // Takes an event as it is now. false: it was dropped, and onError was told.
    publish(event, payload = {})
    {
        let entry;
        try {
            entry = Publisher.entry(event, payload);
        } catch (e) {
            this.onError(e, { event, payload });
            return false;
        }
        if (this.closed || this.queue.length >= this.limits.maxQueue) {
            this.onError(new Error(this.closed ? 'closed' : 'too many events wait'), entry);
            return false;
        }
        this.queue.push(entry);
        this.running ??= this.run();
        return true;
    }

    static entry(event, given)
    {
        // a copy, as JSON has it: the caller may go on with its own
        const all = JSON.parse(JSON.stringify(given ?? {}));
        if (all === null || typeof all !== 'object' || Array.isArray(all)) {
            throw new Refused(`${event}: the payload must be an object`);
        }
        const { businessId, userId, eventId, ...payload } = all;
        if (businessId === undefined || businessId === null || businessId === '') {
            throw new Refused(`${event}: the payload names no businessId`);
        }
        return { id: String(eventId ?? crypto.randomUUID()), event, businessId: String(businessId),
            userId, payload };
    }

    async run()
    {
        await null;     // what is raised in one turn leaves together
        let pause = this.limits.retryMinMs;
        let told = false;
        while (this.queue.length && !this.stopped) {
            const batch = this.queue.slice(0, this.limits.batch);
            try {
                await this.send(batch);
                pause = this.limits.retryMinMs;
                told = false;
            } catch (e) {
                if (this.stopped) {
                    break;
                }
                if (!told) {
                    told = true;
                    this.onError(e);
                }
                await this.sleep(pause + Math.random() * pause / 2);
                pause = Math.min(pause * 2, this.limits.retryMaxMs);
            }
        }
        this.running = null;
        this.idle.splice(0).forEach((resolve) => resolve());
    }

    // The first of the queue. One that is refused must not take the others along: then each goes alone.
    async send(batch)
    {
        try {
            await this.sender.send(batch);
        } catch (e) {
            if (!(e instanceof Refused)) {
                throw e;
            }
            if (batch.length > 1) {
                for (const one of batch) {
                    await this.send([one]);
                }
                return;
            }
            this.onError(e, batch[0]);
        }
        this.queue.splice(0, batch.length);
    }

    sleep(ms)
    {
        return new Promise((resolve) => {
            const timer = setTimeout(resolve, ms);
            this.wake = () => { clearTimeout(timer); resolve(); };
        });
    }

    get waiting()
    {
        return this.queue.length;
    }

    // Resolves when nothing waits.
    drained()
    {
        return this.running ? new Promise((resolve) => { this.idle.push(resolve); })
            : Promise.resolve();
    }

    // Takes no more, and sends what waits for so long at most; how many are left.
    async close(timeoutMs = 5000)
    {
        this.closed = true;
        let timer;
        await Promise.race([this.drained(),
            new Promise((resolve) => { timer = setTimeout(resolve, timeoutMs); })]);
        clearTimeout(timer);
        this.stopped = true;
        this.wake?.();
        await this.sender.close();
        return this.queue.length;
    }
}

module.exports = { Publisher };

'use strict';

// From an EventEmitter to the server: what is emitted under one of the events' names is published.

const { EVENTS } = require('./events');
const { HttpSender } = require('./http');
const { Publisher } = require('./publisher');
const { StreamSender } = require('./stream');

class RealtimeEvents
{
    // emitter: an EventEmitter2, or Node's own
    // options: those of Publisher, and of HttpSender, or with `redis` of StreamSender; events: names,
    // by default all that the server takes
    constructor(emitter, options = {})
    {
        const { events = EVENTS, onError = RealtimeEvents.log } = options;
        this.emitter = emitter;
        this.publisher = new Publisher({ ...options, onError, sender: options.sender
            || (options.redis ? new StreamSender(options) : new HttpSender(options)) });
        this.listeners = events.map((event) => [event,
            (payload) => { this.publisher.publish(event, payload); }]);
        for (const [event, listener] of this.listeners) {
            emitter.on(event, listener);
        }
    }

    static log(error, event)
    {
        console.error(`realtime events: ${event ? `${event.event} is lost: ` : ''}${error.message}`);
    }

    // Lets go of the emitter; sends what waits for so long at most. How many events are left.
    async close(timeoutMs)
    {
        for (const [event, listener] of this.listeners.splice(0)) {
            this.emitter.off(event, listener);
        }
        return this.publisher.close(timeoutMs);
    }

    // Nest calls this when the application closes.
    async onApplicationShutdown()
    {
        await this.close();
    }
}

module.exports = { RealtimeEvents };

// A person at a real socket.io-client: what arrives is kept, and can be waited for.

import { io } from 'socket.io-client';

import { SLOW } from './nginx.mjs';

export class Chat
{
    constructor(server, who, options = {})
    {
        this.who = who;
        this.events = [];
        this.waiting = [];
        const token = who !== null && typeof who === 'object' && 'token' in who ? who.token : who;
        const { base, ...rest } = options;
        this.socket = io(`${base || server.url}/realtime`, {
            auth: who === null ? {} : { token },
            transports: ['websocket'],
            reconnection: false,
            forceNew: true,
            ...rest,
        });
        this.socket.onAny((event, ...args) => this.got(event, args));
        this.socket.on('connect_error', (e) => this.got('$connect_error', [e]));
        this.socket.on('disconnect', (reason) => this.got('$disconnect', [reason]));
        server.onClose(() => this.close());
    }

    got(event, args)
    {
        const entry = { event, args, data: args[0], at: Date.now(), taken: false };
        this.events.push(entry);
        for (const w of this.waiting.slice()) {
            if (!entry.taken && w.matches(entry)) {
                this.waiting.splice(this.waiting.indexOf(w), 1);
                entry.taken = true;
                w.resolve(entry.data);
            }
        }
    }

    // The first event of that name that nobody waited for yet, now or within the time.
    next(event, test = () => true, timeoutMs = 5000 * SLOW)
    {
        const matches = (e) => e.event === event && test(e.data);
        const past = this.events.find((e) => !e.taken && matches(e));
        if (past) {
            past.taken = true;
            return Promise.resolve(past.data);
        }
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.waiting.splice(this.waiting.indexOf(w), 1);
                reject(new Error(`${this.who?.id}: no ${event} within ${timeoutMs} ms; seen: `
                    + JSON.stringify(this.events.map((e) => [e.event, e.data])).slice(0, 2000)));
            }, timeoutMs);
            const w = { matches, resolve: (data) => { clearTimeout(timer); resolve(data); } };
            this.waiting.push(w);
        });
    }

    // emit with an acknowledgement
    ask(event, data, timeoutMs = 10000 * SLOW)
    {
        return this.socket.timeout(timeoutMs).emitWithAck(event, data);
    }

    emit(event, data)
    {
        this.socket.emit(event, data);
    }

    all(event)
    {
        return this.events.filter((e) => e.event === event).map((e) => e.data);
    }

    get transport()
    {
        return this.socket.io.engine.transport.name;
    }

    close()
    {
        this.socket.disconnect();
        this.socket.io.engine?.close();
    }
}

// Connects and waits for the welcome.
export async function connect(server, who, options)
{
    const chat = new Chat(server, who, options);
    let failed;
    chat.welcome = await Promise.race([chat.next('connected', undefined, 10000 * SLOW),
        new Promise((_, reject) => {
            failed = (e) => reject(e);
            chat.socket.once('connect_error', failed);
        })]);
    chat.socket.off('connect_error', failed);
    return chat;
}

export const POLLING = { transports: ['polling'] };
export const WEBSOCKET = { transports: ['websocket'] };
export const DEFAULT = { transports: ['polling', 'websocket'] };

'use strict';

// Sends events by POST /api/events.

const crypto = require('node:crypto');

const { Refused } = require('./errors');

const TOKEN_SECONDS = 300;

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// A token of role SERVICE that lives some minutes, HS256.
function sign(secret, name)
{
    const now = Math.floor(Date.now() / 1000);
    const text = `${b64({ alg: 'HS256', typ: 'JWT' })}.`
        + b64({ sub: name, role: 'SERVICE', iat: now, exp: now + TOKEN_SECONDS });
    return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
}

class HttpSender
{
    // url: of the server, http://host:port; token: a text, or a function that gives one; or secret:
    // what the server's realtime_jwt_secret is
    constructor({ url, token, secret, name = 'events', timeoutMs = 10000 })
    {
        if (!url || (!token && !secret)) {
            throw new TypeError('events over HTTP need a url, and a token or a secret');
        }
        this.url = new URL('/api/events', url).href;
        this.token = typeof token === 'function' ? token : () => token || sign(secret, name);
        this.timeoutMs = timeoutMs;
    }

    // Resolves when all of them are stored. A Refused is about all of them, or the only one; any other
    // error is worth another try with the same events.
    async send(events)
    {
        const r = await fetch(this.url, {
            method: 'POST',
            headers: { Authorization: `Bearer ${await this.token()}`,
                'Content-Type': 'application/json' },
            body: `[${events.map((e) => HttpSender.body(e)).join(',')}]`,
            signal: AbortSignal.timeout(this.timeoutMs),
        });
        const text = await r.text();
        if (r.ok) {
            return;
        }
        let message = text;
        try {
            ({ message } = JSON.parse(text));
        } catch {
            // a proxy's page
        }
        const error = `${r.status} ${String(message).slice(0, 300)}`;
        if ([400, 404, 413].includes(r.status)) {
            throw new Refused(error);
        }
        throw new Error(error);
    }

    static body({ id, event, businessId, userId, payload })
    {
        return JSON.stringify({ ...payload, event, businessId, userId, eventId: id });
    }

    async close()
    {
        // connections are the runtime's
    }
}

module.exports = { HttpSender };

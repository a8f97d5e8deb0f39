// HTTP requests that use no connection twice, and the REST API over them.

import http from 'node:http';
import https from 'node:https';

import { sleep, SLOW } from './nginx.mjs';

// { status, headers, text, json } of one request on a connection of its own
export function request(url, { method = 'GET', headers = {}, body, chunked = false, agent = false,
    timeoutMs = 60000 } = {})
{
    const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
        ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
        const send = { ...headers };
        if (payload !== undefined && !chunked) {
            send['Content-Length'] = Buffer.byteLength(payload);
        }
        const r = (url.startsWith('https') ? https : http).request(url,
            { method, headers: send, agent, rejectUnauthorized: false }, (res) => {
                const parts = [];
                res.on('data', (part) => parts.push(part));
                res.on('error', reject);
                res.on('end', () => {
                    const bytes = Buffer.concat(parts);
                    const text = bytes.toString('utf8');
                    let json;
                    try {
                        json = JSON.parse(text);
                    } catch {
                        json = undefined;
                    }
                    resolve({ status: res.statusCode, headers: res.headers, text, json, bytes });
                });
            });
        r.on('error', reject);
        r.setTimeout(timeoutMs, () => r.destroy(new Error(`no answer from ${url}`)));
        if (payload !== undefined) {
            if (chunked) {
                for (let i = 0; i < payload.length; i += 1000) {
                    r.write(payload.slice(i, i + 1000));
                }
            } else {
                r.write(payload);
            }
        }
        r.end();
    });
}

// REST as one person: await api(server, person).post('/chat/rooms/create', {…})
export function api(server, who)
{
    const call = (method) => (path, body, more = {}) => request(`${server.url}/api${path}`, {
        method,
        body,
        ...more,
        headers: {
            ...(who ? { Authorization: `Bearer ${who.token || who}` } : {}),
            ...(body !== undefined ? { 'Content-Type': 'application/json' } : {}),
            ...(more.headers || {}),
        },
    });
    return { get: call('GET'), post: call('POST'), put: call('PUT'), del: call('DELETE') };
}

// A customer's own room, made over REST; fails loudly. A store that is not ready yet is asked again,
// as 503 says.
export async function createRoom(server, who, more = {})
{
    const end = Date.now() + 10000 * SLOW;
    let r;
    for (;;) {
        r = await api(server, who).post('/chat/rooms/create',
            { userName: who.name, ...(who.business ? {} : { businessId: 'biz-a' }), ...more });
        if (r.status !== 503 || Date.now() > end) {
            break;
        }
        await sleep(200);
    }
    if (r.status !== 201 && r.status !== 200) {
        throw new Error(`rooms/create answered ${r.status} ${r.text}`);
    }
    return r.json._id;
}

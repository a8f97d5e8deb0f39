// A Redis that is there and refuses: what it did not take is told later, and not all that it says is
// logged.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { connect } from './lib/chat.mjs';
import { useCluster } from './lib/cluster.mjs';
import { createRoom } from './lib/http.mjs';
import { Server, SLOW, until } from './lib/nginx.mjs';
import { Redis } from './lib/redis.mjs';
import { customer, staff } from './lib/token.mjs';

const LONG = { timeout: 60000 * SLOW };
const REFUSES = [/redis refuses/, /\(nginx-\w+-(commands|listens)\)/];

describe('a Redis that is busy for a moment', () => {
    const cluster = useCluster({ workers: 1, allowLog: REFUSES });

    it('what it did not publish is heard on the other host soon after', LONG, async () => {
        const [first, second] = cluster.hosts;
        const zoe = customer();
        const roomId = await createRoom(cluster, zoe);
        const a = await connect(first, zoe);
        const b = await connect(second, staff());
        for (const chat of [a, b]) {
            assert.equal((await chat.ask('chat:join-room', { roomId })).success, true);
        }
        await a.ask('chat:send-message', { roomId, content: 'before' });
        await b.next('chat:new-message', (m) => m.content === 'before');

        const redis = cluster.redis.client();
        cluster.onClose(() => redis.disconnect());
        await redis.config('SET', 'busy-reply-threshold', '10');
        const other = cluster.redis.client();
        cluster.onClose(() => other.disconnect());
        await other.ping();
        const script = redis.eval('while true do end', 0).catch(() => {});
        await until('it is busy', () => other.ping().then(() => false, (e) => /BUSY/.test(e.message)));
        const sent = await a.ask('chat:send-message', { roomId, content: 'meanwhile' });
        assert.equal(sent.success, true, JSON.stringify(sent));
        await until('it refuses', () => /refuses to publish: BUSY/.test(first.logText()));
        await other.script('KILL');
        await script;

        const heard = await b.next('chat:new-message', (m) => m.content === 'meanwhile');
        assert.equal(heard.seq, sent.seq);
        assert.equal(b.all('chat:new-message').filter((m) => m.seq === sent.seq).length, 1);
    });
});

describe('a Redis that has no AUTH', () => {
    const at = {};
    before(async () => {
        at.redis = await new Redis(['--rename-command', 'AUTH', '""']).start();
        at.server = await new Server({ workers: 1, allowLog: REFUSES, redis: null,
            http: `realtime_redis 127.0.0.1:${at.redis.port} user=rt password=geheim;` }).start();
    }, { timeout: 60000 });
    after(async () => {
        try {
            await at.server?.stop();
        } finally {
            await at.redis?.stop();
        }
    }, { timeout: 60000 });

    it('repeats the password, which the log does not', LONG, async () => {
        await until('it refuses', () => /refused: ERR unknown command/.test(at.server.logText()));
        assert.doesNotMatch(at.server.logText(), /geheim/);
    });
});

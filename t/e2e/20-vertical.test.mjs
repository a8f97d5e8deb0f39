// The main way once through: connect, create and join a room, send, receive, find it stored.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, DEFAULT, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { api } from './lib/http.mjs';
import { useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

for (const workers of [1, 4]) {
    for (const [name, transport] of Object.entries({ WEBSOCKET, POLLING, DEFAULT })) {
        describe(`${workers} workers, ${name.toLowerCase()}`, () => {
            const server = useServer({ workers });

            it('connects, joins, sends, receives, finds it stored', { timeout: 30000 }, async () => {
                const anna = customer();
                const sam = staff();
                const a = await connect(server, anna, transport);
                const s = await connect(server, sam, transport);

                assert.equal(a.welcome.message, 'Connected to real-time server');
                assert.equal(a.welcome.isAuthenticated, true);
                assert.equal(a.welcome.userId, anna.id);
                assert.equal(a.welcome.businessId, 'biz-a');
                assert.equal(a.welcome.role, 'CUSTOMER');
                assert.equal(a.welcome.clientId, a.socket.id);
                assert.match(a.welcome.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

                const joined = await a.ask('chat:join-room',
                    { businessId: 'biz-a', userName: 'Anna' });
                assert.equal(joined.success, true, JSON.stringify(joined));
                assert.match(joined.roomId, /^[0-9a-f]{24}$/);
                assert.ok(Array.isArray(joined.messages));

                const roomId = joined.roomId;
                const other = await s.ask('chat:join-room', { roomId });
                assert.equal(other.success, true, JSON.stringify(other));

                const sent = await a.ask('chat:send-message', { roomId, content: 'Grüße 👋' });
                assert.equal(sent.success, true, JSON.stringify(sent));
                assert.equal(sent.message.content, 'Grüße 👋');
                assert.equal(sent.messageId, sent.message._id);
                assert.equal(sent.seq, sent.message.seq);

                for (const chat of [a, s]) {
                    const heard = await chat.next('chat:new-message',
                        (m) => m._id === sent.messageId);
                    assert.equal(heard.content, 'Grüße 👋');
                    assert.equal(heard.senderId, anna.id);
                    assert.equal(heard.senderType, 'customer');
                    assert.equal(heard.seq, sent.seq);
                }

                const stored = await api(server, sam).get(`/chat/rooms/${roomId}/messages`);
                assert.equal(stored.status, 200, stored.text);
                assert.ok(stored.json.messages.some((m) => m._id === sent.messageId), stored.text);
            });
        });
    }
}

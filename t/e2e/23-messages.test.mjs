// Messages as people use them: acknowledgements, retries, history, typing, reading, validation.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect, POLLING, WEBSOCKET } from './lib/chat.mjs';
import { api, createRoom } from './lib/http.mjs';
import { sleep, SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff, superAdmin } from './lib/token.mjs';

const QUICK = { timeout: 30000 };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('messages', () => {
    const server = useServer({ workers: 2, realtime: 'realtime_rate off;' });

    // a room with its customer and a staff member in it
    const room = async (options = WEBSOCKET) => {
        const anna = customer();
        const sam = staff();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna, options);
        const s = await connect(server, sam, options);
        for (const chat of [a, s]) {
            const joined = await chat.ask('chat:join-room', { roomId });
            assert.equal(joined.success, true, JSON.stringify(joined));
        }
        return { anna, sam, roomId, a, s };
    };
    const say = async (chat, roomId, content, more = {}) => {
        const r = await chat.ask('chat:send-message', { roomId, content, ...more });
        assert.equal(r.success, true, JSON.stringify(r));
        return r;
    };

    it('a message has all its fields', QUICK, async () => {
        const { anna, roomId, a, s } = await room();
        const sent = await say(a, roomId, 'Hello', { metadata: { page: '/shop' },
            attachments: ['https://files.example/1.png'], messageType: 'image' });
        assert.match(sent.timestamp, ISO);
        const m = await s.next('chat:new-message');
        assert.deepEqual(m, sent.message);
        assert.match(m._id, /^[0-9a-f]{24}$/);
        assert.equal(m.id, m._id);
        assert.equal(m.roomId, roomId);
        assert.equal(m.businessId, 'biz-a');
        assert.equal(m.senderId, anna.id);
        assert.equal(m.senderType, 'customer');
        assert.equal(m.senderName, anna.name);
        assert.equal(m.messageType, 'image');
        assert.deepEqual(m.attachments, ['https://files.example/1.png']);
        assert.deepEqual(m.metadata, { page: '/shop' });
        assert.equal(m.isRead, false);
        for (const flag of ['isAutomated', 'isFAQ', 'isEdited', 'isDeleted']) {
            assert.equal(m[flag], false, flag);
        }
        assert.match(m.createdAt, ISO);
        const listed = (await api(server, anna).get(`/chat/rooms/${roomId}/messages`)).json.messages;
        assert.deepEqual(listed.find((x) => x._id === m._id), m);
        const staffs = await say(s, roomId, 'Hi');
        assert.equal(staffs.message.senderType, 'staff');
        [a, s].forEach((c) => c.close());
    });

    it('seq grows by one, whoever writes and by which door', QUICK, async () => {
        const { anna, sam, roomId, a, s } = await room();
        const seqs = [];
        for (let i = 0; i < 5; i += 1) {
            seqs.push((await say(a, roomId, `a${i}`)).seq);
            seqs.push((await say(s, roomId, `s${i}`)).seq);
            const r = await api(server, i % 2 ? anna : sam).post(`/chat/rooms/${roomId}/messages`,
                { content: `r${i}` });
            assert.equal(r.status, 201, r.text);
            seqs.push(r.json.seq);
        }
        assert.deepEqual(seqs, Array.from({ length: 15 }, (_, i) => seqs[0] + i));
        await until('all of them heard', () => [a, s].every((c) =>
            c.all('chat:new-message').length === 15));
        for (const chat of [a, s]) {
            assert.deepEqual(chat.all('chat:new-message').map((m) => m.seq), seqs);
        }
        [a, s].forEach((c) => c.close());
    });

    it('a retry with the same clientMessageId is stored and heard once', QUICK, async () => {
        const { roomId, a, s } = await room();
        const draft = { roomId, content: 'once', clientMessageId: 'retry-1' };
        const answers = await Promise.all(Array.from({ length: 5 },
            () => a.ask('chat:send-message', draft)));
        answers.push(await a.ask('chat:send-message', draft));
        assert.equal(new Set(answers.map((x) => x.messageId)).size, 1, JSON.stringify(answers));
        assert.equal(new Set(answers.map((x) => x.seq)).size, 1);
        const rest = await api(server, a.who).post(`/chat/rooms/${roomId}/messages`, draft);
        assert.equal(rest.status, 200, rest.text);
        assert.equal(rest.json._id, answers[0].messageId);
        // another sender's same id is another message
        const other = await say(s, roomId, 'mine', { clientMessageId: 'retry-1' });
        assert.notEqual(other.messageId, answers[0].messageId);
        await s.next('chat:new-message', (m) => m.content === 'mine');
        await sleep(200);
        assert.equal(s.all('chat:new-message').filter((m) => m.content === 'once').length, 1);
        [a, s].forEach((c) => c.close());
    });

    it('replies stay in their room', QUICK, async () => {
        const { roomId, a, s } = await room();
        const first = await say(a, roomId, 'question');
        const reply = await say(s, roomId, 'answer', { replyToMessageId: first.messageId });
        assert.equal(reply.message.replyToMessageId, first.messageId);
        const elsewhere = await room();
        const foreign = await say(elsewhere.a, elsewhere.roomId, 'other room');
        for (const replyToMessageId of [foreign.messageId, '0123456789abcdef01234567', 'x', 5]) {
            const r = await a.ask('chat:send-message', { roomId, content: 'x', replyToMessageId });
            assert.equal(r.success, false);
            assert.ok(['INVALID', 'NOT_FOUND'].includes(r.code), r.code);
        }
        [a, s, elsewhere.a, elsewhere.s].forEach((c) => c.close());
    });

    it('pages through history', QUICK, async () => {
        const { anna, roomId, a, s } = await room();
        for (let i = 1; i <= 125; i += 1) {
            a.emit('chat:send-message', { roomId, content: `m${i}` });
        }
        const last = await say(a, roomId, 'm126');

        const late = await connect(server, staff());
        const joined = await late.ask('chat:join-room', { roomId });
        assert.equal(joined.messages.length, 50);
        assert.equal(joined.hasMore, true);
        assert.equal(joined.lastSeq, last.seq);
        assert.deepEqual(joined.messages.map((m) => m.seq),
            Array.from({ length: 50 }, (_, i) => last.seq - 49 + i));

        const list = async (query) => {
            const r = await api(server, anna).get(`/chat/rooms/${roomId}/messages?${query}`);
            assert.equal(r.status, 200, r.text);
            return r.json;
        };
        let page = await list(`beforeMessageId=${joined.messages[0]._id}&limit=50`);
        assert.deepEqual(page.messages.map((m) => m.seq),
            Array.from({ length: 50 }, (_, i) => last.seq - 99 + i));
        assert.equal(page.hasMore, true);
        page = await list(`beforeMessageId=${page.messages[0]._id}&limit=50`);
        assert.equal(page.messages[0].seq, 1);
        assert.equal(page.hasMore, false);

        const newer = await list(`afterSeq=${last.seq - 10}`);
        assert.deepEqual(newer.messages.map((m) => m.seq),
            Array.from({ length: 10 }, (_, i) => last.seq - 9 + i));
        assert.equal(newer.hasMore, false);
        const some = await list(`afterSeq=${last.seq - 100}&limit=30`);
        assert.deepEqual(some.messages.map((m) => m.seq),
            Array.from({ length: 30 }, (_, i) => last.seq - 99 + i));
        assert.equal(some.hasMore, true);
        assert.deepEqual((await list(`afterSeq=${last.seq}`)).messages, []);

        const seen = [];
        for (let n = 1; ; n += 1) {
            const p = await list(`page=${n}&limit=20`);
            assert.equal(p.page, n);
            assert.equal(p.limit, 20);
            assert.ok(p.total >= 126);
            seen.unshift(...p.messages.map((m) => m.seq));
            if (!p.hasMore) {
                assert.equal(seen.length, p.total);
                break;
            }
        }
        assert.deepEqual(seen, seen.slice().sort((x, y) => x - y));
        assert.equal(new Set(seen).size, seen.length);
        [a, s, late].forEach((c) => c.close());
    });

    it('joining again is harmless', QUICK, async () => {
        const { roomId, a, s } = await room();
        await say(a, roomId, 'one');
        const again = await a.ask('chat:join-room', { roomId });
        assert.equal(again.success, true);
        assert.ok(again.messages.some((m) => m.content === 'one'));
        await say(s, roomId, 'two');
        await a.next('chat:new-message', (m) => m.content === 'two');
        await sleep(200);
        assert.equal(a.all('chat:new-message').filter((m) => m.content === 'two').length, 1);
        assert.equal(s.all('chat:user-joined').length, 0, 'joined before, with the first join');
        [a, s].forEach((c) => c.close());
    });

    it('tells who joins and leaves, per person', QUICK, async () => {
        const { anna, roomId, s } = await room();
        const ben = staff();
        const first = await connect(server, ben);
        const second = await connect(server, ben);
        await first.ask('chat:join-room', { roomId });
        const joined = await s.next('chat:user-joined', (e) => e.userId === ben.id);
        assert.equal(joined.roomId, roomId);
        assert.equal(joined.userName, ben.name);
        assert.equal(joined.role, 'STAFF');
        assert.match(joined.timestamp, ISO);
        await second.ask('chat:join-room', { roomId });
        await sleep(200);
        assert.equal(s.all('chat:user-joined').filter((e) => e.userId === ben.id).length, 1);
        first.close();
        await sleep(300);
        assert.equal(s.all('chat:user-left').length, 0);
        second.close();
        const left = await s.next('chat:user-left', (e) => e.userId === ben.id);
        assert.equal(left.roomId, roomId);
        assert.ok(!s.all('chat:user-left').some((e) => e.userId === anna.id));
        assert.deepEqual(first.all('chat:user-joined').filter((e) => e.userId === ben.id), []);
        s.close();
    });

    describe('typing', () => {
        const typing = (chat, who, isTyping, timeout) => chat.next('chat:user-typing',
            (e) => e.userId === who.id && e.isTyping === isTyping, timeout);

        it('reaches the others, not the typing person', QUICK, async () => {
            const { anna, roomId, a, s } = await room();
            const tab = await connect(server, anna);
            await tab.ask('chat:join-room', { roomId });
            a.emit('chat:typing', { roomId, isTyping: true });
            const e = await typing(s, anna, true);
            assert.equal(e.roomId, roomId);
            assert.equal(e.userName, anna.name);
            assert.match(e.timestamp, ISO);
            a.emit('chat:typing', { roomId, isTyping: false });
            await typing(s, anna, false);
            await sleep(200);
            assert.deepEqual(a.all('chat:user-typing'), []);
            assert.deepEqual(tab.all('chat:user-typing'), []);
            [a, s, tab].forEach((c) => c.close());
        });

        it('ends by itself on leaving, on disconnecting', QUICK, async () => {
            const { anna, roomId, a, s } = await room();
            a.emit('chat:typing', { roomId, isTyping: true });
            await typing(s, anna, true);
            await a.ask('chat:leave-room', { roomId });
            await typing(s, anna, false);
            await a.ask('chat:join-room', { roomId });
            a.emit('chat:typing', { roomId, isTyping: true });
            await typing(s, anna, true);
            a.close();
            await typing(s, anna, false);
            s.close();
        });

        it('ends by itself after 8 s of silence', { timeout: 40000 }, async () => {
            const { anna, roomId, a, s } = await room();
            a.emit('chat:typing', { roomId, isTyping: true });
            await typing(s, anna, true);
            const start = Date.now();
            await typing(s, anna, false, 12000);
            const took = Date.now() - start;
            assert.ok(took > 7000 && took < 10000, `${took} ms`);
            [a, s].forEach((c) => c.close());
        });

        it('needs a joined room', QUICK, async () => {
            const { roomId, a, s } = await room();
            const outside = await connect(server, staff());
            outside.emit('chat:typing', { roomId, isTyping: true });
            const e = await outside.next('error');
            assert.equal(e.code, 'FORBIDDEN');
            assert.equal(e.event, 'chat:typing');
            await sleep(100);
            assert.deepEqual(s.all('chat:user-typing'), []);
            [a, s, outside].forEach((c) => c.close());
        });
    });

    describe('reading', () => {
        it('staff read the customer\'s messages, and everybody learns it', QUICK, async () => {
            const { sam, roomId, a, s } = await room();
            const listener = await connect(server, staff());
            const one = await say(a, roomId, 'one');
            const two = await say(a, roomId, 'two');
            const own = await say(s, roomId, 'mine');
            await listener.next('chat:room-updated', (u) => u.roomId === roomId && u.unreadCount === 2);
            const read = await s.ask('chat:read-messages',
                { roomId, messageIds: [one.messageId, own.messageId, '0123456789abcdef01234567', 'x'] });
            assert.deepEqual(read, { success: true, messageIds: [one.messageId] });
            const told = await a.next('chat:messages-read');
            assert.equal(told.roomId, roomId);
            assert.equal(told.userId, sam.id);
            assert.deepEqual(told.messageIds, [one.messageId]);
            assert.match(told.timestamp, ISO);
            await listener.next('chat:room-updated', (u) => u.roomId === roomId && u.unreadCount === 1);

            const none = await s.ask('chat:read-messages', { roomId, messageIds: [] });
            assert.deepEqual(none, { success: true, messageIds: [] });
            const rest = await s.ask('chat:read-messages', { roomId });
            assert.deepEqual(rest.messageIds, [two.messageId]);
            assert.deepEqual((await a.next('chat:messages-read')).messageIds, [two.messageId]);

            const again = await s.ask('chat:read-messages',
                { roomId, messageIds: [one.messageId, two.messageId] });
            assert.deepEqual(again.messageIds.sort(), [one.messageId, two.messageId].sort());
            await sleep(200);
            assert.equal(a.all('chat:messages-read').length, 2, 'only what was newly read');
            assert.deepEqual(s.all('chat:messages-read'), []);

            const listed = (await api(server, sam).get(`/chat/rooms/${roomId}/messages`)).json.messages;
            for (const id of [one.messageId, two.messageId]) {
                const m = listed.find((x) => x._id === id);
                assert.equal(m.isRead, true);
                assert.match(m.readAt, ISO);
            }
            [a, s, listener].forEach((c) => c.close());
        });

        it('a customer\'s reading changes no unread count', QUICK, async () => {
            const { anna, sam, roomId, a, s } = await room();
            await say(a, roomId, 'unread');
            const staffs = await say(s, roomId, 'from staff');
            const read = await a.ask('chat:read-messages', { roomId });
            assert.ok(read.messageIds.includes(staffs.messageId));
            const counts = await api(server, sam).get('/chat/unread-counts');
            assert.equal(counts.status, 200, counts.text);
            const mine = counts.json.rooms.find((r) => r.roomId === roomId);
            assert.equal(mine.unreadCount, 1);
            assert.equal(mine.userName, anna.name);
            assert.ok(counts.json.totalUnread >= 1);
            assert.equal(counts.json.roomsWithUnread, counts.json.rooms.length);
            [a, s].forEach((c) => c.close());
        });

        it('over REST too', QUICK, async () => {
            const { sam, roomId, a, s } = await room();
            const one = await say(a, roomId, 'one');
            const r = await api(server, sam).put(`/chat/rooms/${roomId}/messages/read`, {});
            assert.equal(r.status, 200, r.text);
            assert.deepEqual(r.json, { success: true, messageIds: [one.messageId] });
            assert.deepEqual((await a.next('chat:messages-read')).messageIds, [one.messageId]);
            [a, s].forEach((c) => c.close());
        });
    });

    describe('what is refused', () => {
        const bad = {
            'no content': {}, 'empty content': { content: '' }, 'spaces': { content: ' \n\t ' },
            'other white space': { content: '\u00a0\u3000\u2003' },
            'too long': { content: 'x'.repeat(10001) },
            'a number': { content: 5 }, 'null': { content: null }, 'an object': { content: { $gt: '' } },
            'an array': { content: ['x'] },
            'an unknown type': { content: 'x', messageType: 'carrier-pigeon' },
            'a type that people may not send': { content: 'x', messageType: 'system' },
            'faq-response': { content: 'x', messageType: 'faq-response' },
            'attachments that are no list': { content: 'x', attachments: 'a' },
            'too many attachments': { content: 'x', attachments: Array(11).fill('a') },
            'an attachment that is no text': { content: 'x', attachments: [5] },
            'too long an attachment': { content: 'x', attachments: ['x'.repeat(2049)] },
            'too long a clientMessageId': { content: 'x', clientMessageId: 'x'.repeat(5000) },
            'a clientMessageId that is no text': { content: 'x', clientMessageId: { $ne: 1 } },
            'metadata that is no object': { content: 'x', metadata: 'x' },
        };

        for (const [name, data] of Object.entries(bad)) {
            it(`content or field: ${name}`, QUICK, async () => {
                const anna = customer();
                const roomId = await createRoom(server, anna);
                const a = await connect(server, anna);
                const r = await a.ask('chat:send-message', { roomId, ...data });
                assert.equal(r.success, false, JSON.stringify(r));
                assert.equal(r.code, 'INVALID', JSON.stringify(r));
                assert.equal(typeof r.error, 'string');
                const rest = await api(server, anna).post(`/chat/rooms/${roomId}/messages`, data);
                assert.equal(rest.status, 400, rest.text);
                assert.equal(rest.json.statusCode, 400);
                assert.equal(rest.json.error, 'Bad Request');
                // without an acknowledgement the same comes as an event
                a.emit('chat:send-message', { roomId, ...data });
                const e = await a.next('error');
                assert.equal(e.code, 'INVALID');
                assert.equal(e.event, 'chat:send-message');
                assert.equal(typeof e.message, 'string');
                a.close();
            });
        }

        for (const [name, content] of [['10,000 letters', 'x'.repeat(10000)],
            ['10,000 emoji, counted as characters', '👋'.repeat(10000)], ['one letter', 'x'],
            ['text that looks like code', '<script>alert(1)</script> ${x} {"a":1} \\ "'],
            ['right to left and joiners', 'שלום 👨‍👩‍👧‍👦 e\u0301'], ['line separators', 'a\u2028b\u2029c']]) {
            it(`takes ${name}`, QUICK, async () => {
                const { roomId, a, s } = await room();
                await say(a, roomId, content);
                assert.equal((await s.next('chat:new-message')).content, content);
                [a, s].forEach((c) => c.close());
            });
        }

        for (const data of [undefined, null, 5, 'text', [], true]) {
            it(`data that is ${JSON.stringify(data)}`, QUICK, async () => {
                const a = await connect(server, customer());
                for (const event of ['chat:join-room', 'chat:send-message', 'chat:typing',
                    'chat:read-messages', 'chat:leave-room']) {
                    const r = data === undefined
                        ? await new Promise((resolve) => a.socket.emit(event, resolve))
                        : await a.ask(event, data);
                    assert.equal(r.success, false, `${event}: ${JSON.stringify(r)}`);
                    assert.equal(r.code, 'INVALID', `${event}: ${JSON.stringify(r)}`);
                }
                a.close();
            });
        }

        it('unknown events are left alone', QUICK, async () => {
            const a = await connect(server, customer());
            a.emit('no-such-event', { x: 1 });
            a.emit('chat:no-such-event', {});
            a.socket.emit('connected', {});
            const r = await a.ask('chat:join-room', { businessId: 'biz-a', userName: 'A' });
            assert.equal(r.success, true, JSON.stringify(r));
            a.close();
        });
    });

    for (const [name, text] of [
        ['a high surrogate alone', '"\\ud800"'], ['a low surrogate alone', '"\\udc00 x"'],
        ['a NUL', '"a\\u0000b"'], ['65 levels', '['.repeat(65) + ']'.repeat(65)],
        ['a NUL in a key', '{"a\\u0000":1}'],
    ]) {
        for (const transport of ['websocket', 'polling']) {
            it(`JSON with ${name} is INVALID over ${transport}, and the connection stays`, QUICK,
                async () => {
                    const anna = customer();
                    const roomId = await createRoom(server, anna);
                    const a = await connect(server, anna, transport === 'polling' ? POLLING : WEBSOCKET);
                    // the wire's text is written by hand: the client would not encode it so
                    const packet = (id) => `2/realtime,${id}["chat:send-message",{"roomId":"${roomId}",`
                        + `"content":"x","metadata":{"v":${text}}}]`;
                    const acks = [];
                    a.socket.io.engine.on('message', (m) => {
                        if (typeof m === 'string' && m.startsWith('3/realtime,777[')) {
                            acks.push(JSON.parse(m.slice(m.indexOf('['))));
                        }
                    });
                    a.socket.io.engine.write(packet('777'));
                    await until('the acknowledgement', () => acks.length === 1, 5000 * SLOW);
                    assert.equal(acks[0][0].success, false);
                    assert.equal(acks[0][0].code, 'INVALID');
                    a.socket.io.engine.write(packet(''));
                    const e = await a.next('error');
                    assert.equal(e.code, 'INVALID');
                    const fine = await a.ask('chat:send-message', { roomId, content: 'still here' });
                    assert.equal(fine.success, true, JSON.stringify(fine));
                    a.close();
                });
        }
    }

    it('64 levels of JSON are fine', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna);
        let deep = 1;
        for (let i = 0; i < 60; i += 1) {
            deep = [deep];
        }
        const r = await a.ask('chat:send-message', { roomId, content: 'x', metadata: { deep } });
        assert.equal(r.success, true, JSON.stringify(r).slice(0, 300));
        a.close();
    });

    it('a super admin writes into any business', QUICK, async () => {
        const { roomId, a, s } = await room();
        const admin = await connect(server, superAdmin());
        await admin.ask('chat:join-room', { roomId });
        const sent = await say(admin, roomId, 'from above');
        assert.equal((await a.next('chat:new-message')).senderType, 'staff');
        assert.equal(sent.message.businessId, 'biz-a');
        [a, s, admin].forEach((c) => c.close());
    });
});

// Who may see and do what: customers, staff, other businesses, super admins, team and support
// rooms. One rule, asked through sockets and REST.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect } from './lib/chat.mjs';
import { api, createRoom } from './lib/http.mjs';
import { sleep, useServer } from './lib/nginx.mjs';
import { customer, owner, person, staff, superAdmin } from './lib/token.mjs';

const QUICK = { timeout: 30000 };

describe('rooms and access', () => {
    const server = useServer({ workers: 2 });

    // joins and answers the code of the refusal, or 'OK'
    const tries = async (who, roomId) => {
        const chat = await connect(server, who);
        const answers = {};
        for (const [name, event, data] of [
            ['join', 'chat:join-room', { roomId }],
            ['send', 'chat:send-message', { roomId, content: 'hello' }],
            ['read', 'chat:read-messages', { roomId }],
        ]) {
            const r = await chat.ask(event, data);
            answers[name] = r.success ? 'OK' : r.code;
            if (!r.success) {
                assert.equal(typeof r.error, 'string');
                assert.ok(r.error.length > 0);
            }
        }
        chat.close();
        return answers;
    };
    const all = (code) => ({ join: code, send: code, read: code });

    const overRest = async (who, roomId) => ({
        get: (await api(server, who).get(`/chat/rooms/${roomId}`)).status,
        list: (await api(server, who).get(`/chat/rooms/${roomId}/messages`)).status,
        send: (await api(server, who).post(`/chat/rooms/${roomId}/messages`, { content: 'x' })).status,
        read: (await api(server, who).put(`/chat/rooms/${roomId}/messages/read`, {})).status,
    });
    const rest = (code, send = code) => ({ get: code, list: code, send, read: code });

    it('a customer has their own room and no other', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        assert.deepEqual(await tries(anna, roomId), all('OK'));
        assert.deepEqual(await tries(customer(), roomId), all('FORBIDDEN'));
        assert.deepEqual(await overRest(anna, roomId), rest(200, 201));
        assert.deepEqual(await overRest(customer(), roomId), rest(403));
    });

    it('staff have the rooms of their business', QUICK, async () => {
        const roomId = await createRoom(server, customer());
        for (const role of ['STAFF', 'BUSINESS_OWNER', 'BUSINESS_ADMIN']) {
            assert.deepEqual(await tries(person(role), roomId), all('OK'), role);
            assert.deepEqual(await overRest(person(role), roomId), rest(200, 201), role);
        }
    });

    it('another business does not learn that a room exists', QUICK, async () => {
        const roomId = await createRoom(server, customer());
        for (const who of [staff({ business: 'biz-b' }), owner({ business: 'biz-b' }),
            customer({ business: 'biz-b' })]) {
            assert.deepEqual(await tries(who, roomId), all('NOT_FOUND'), who.role);
            assert.deepEqual(await overRest(who, roomId), rest(404), who.role);
        }
    });

    it('a super admin reaches every business', QUICK, async () => {
        for (const business of ['biz-a', 'biz-b']) {
            const roomId = await createRoom(server, customer({ business }));
            assert.deepEqual(await tries(superAdmin(), roomId), all('OK'));
            assert.deepEqual(await overRest(superAdmin(), roomId), rest(200, 201));
        }
    });

    it('rooms that are not there, and ids that are none', QUICK, async () => {
        assert.deepEqual(await tries(staff(), '0123456789abcdef01234567'), all('NOT_FOUND'));
        const chat = await connect(server, staff());
        for (const roomId of ['', 'x', null, 5, {}, ['a'], { $ne: null }, 'x'.repeat(5000), true]) {
            for (const event of ['chat:join-room', 'chat:send-message', 'chat:read-messages',
                'chat:leave-room']) {
                const r = await chat.ask(event, { roomId, content: 'x' });
                assert.equal(r.success, false, `${event} ${JSON.stringify(roomId)}`);
                assert.ok(['INVALID', 'NOT_FOUND'].includes(r.code), `${event} ${JSON.stringify(r)}`);
            }
        }
        chat.close();
    });

    it('a team room has two members', QUICK, async () => {
        const [one, two, third] = [staff(), staff(), staff()];
        const made = await api(server, one).post('/chat/rooms/team',
            { memberId: two.id, memberName: 'Two' });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.json.roomType, 'team-chat');
        const roomId = made.json._id;
        const again = await api(server, one).post('/chat/rooms/team', { memberId: two.id });
        assert.equal(again.status, 200, again.text);
        assert.equal(again.json._id, roomId);
        const other = await api(server, two).post('/chat/rooms/team', { memberId: one.id });
        assert.equal(other.json._id, roomId, 'the same room from either side');

        assert.deepEqual(await tries(one, roomId), all('OK'));
        assert.deepEqual(await tries(two, roomId), all('OK'));
        assert.deepEqual(await tries(third, roomId), all('FORBIDDEN'));
        assert.deepEqual(await tries(owner(), roomId), all('FORBIDDEN'));
        assert.deepEqual(await overRest(third, roomId), rest(403));
        assert.deepEqual(await tries(staff({ business: 'biz-b' }), roomId), all('NOT_FOUND'));
        assert.equal((await api(server, customer()).post('/chat/rooms/team',
            { memberId: one.id })).status, 403);
    });

    it('a support room has its owner and super admins', QUICK, async () => {
        const boss = owner();
        const made = await api(server, boss).post('/chat/rooms/support', {});
        assert.equal(made.status, 201, made.text);
        assert.equal(made.json.roomType, 'admin-support');
        const roomId = made.json._id;
        assert.equal((await api(server, boss).post('/chat/rooms/support', {})).json._id, roomId);
        assert.deepEqual(await tries(boss, roomId), all('OK'));
        assert.deepEqual(await tries(superAdmin(), roomId), all('OK'));
        assert.deepEqual(await tries(staff(), roomId), all('FORBIDDEN'));
        assert.deepEqual(await tries(owner(), roomId), all('FORBIDDEN'));
        assert.equal((await api(server, staff()).post('/chat/rooms/support', {})).status, 403);
        assert.equal((await api(server, customer()).post('/chat/rooms/support', {})).status, 403);
    });

    it('lists and totals hold what the caller may read', QUICK, async () => {
        const business = 'biz-lists';
        const anna = customer({ business });
        const [one, two, third] = [1, 2, 3].map(() => staff({ business }));
        const own = await createRoom(server, anna);
        const other = await createRoom(server, customer({ business }));
        const team = (await api(server, one).post('/chat/rooms/team', { memberId: two.id })).json._id;
        const ids = async (who) => {
            const r = await api(server, who).get('/chat/rooms');
            assert.equal(r.status, 200, r.text);
            assert.equal(r.json.total, r.json.rooms.length);
            return r.json.rooms.map((x) => x._id).sort();
        };
        assert.deepEqual(await ids(anna), [own]);
        assert.deepEqual(await ids(one), [own, other, team].sort());
        assert.deepEqual(await ids(third), [own, other].sort());
        assert.deepEqual(await ids(staff({ business: 'biz-none' })), []);
        const admin = await api(server, superAdmin()).get(`/chat/rooms?businessId=${business}`);
        assert.ok(admin.json.rooms.some((x) => x._id === own));
    });

    it('customers never hear what goes to the business', QUICK, async () => {
        const anna = await connect(server, customer());
        const sam = await connect(server, staff());
        const foreign = await connect(server, staff({ business: 'biz-b' }));
        const ben = customer();
        const roomId = await createRoom(server, ben);
        const told = await sam.next('chat:new-conversation', (c) => c.roomId === roomId);
        assert.equal(told.isNew, true);
        assert.equal(told.requiresAttention, false);
        assert.equal(told.userName, ben.name);
        await api(server, ben).post(`/chat/rooms/${roomId}/messages`, { content: 'anyone?' });
        const updated = await sam.next('chat:room-updated', (u) => u.roomId === roomId
            && u.lastMessage === 'anyone?');
        assert.equal(updated.unreadCount, 1);
        await sleep(300);
        for (const chat of [anna, foreign]) {
            const heard = chat.events.map((e) => e.event).filter((e) => e !== 'connected');
            assert.deepEqual(heard, []);
        }
        [anna, sam, foreign].forEach((c) => c.close());
    });

    it('a room is heard only by those who joined it', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const inside = await connect(server, staff());
        const outside = await connect(server, staff());
        await inside.ask('chat:join-room', { roomId });
        const writer = await connect(server, anna);
        const sent = await writer.ask('chat:send-message', { roomId, content: 'not joined myself' });
        assert.equal(sent.success, true, JSON.stringify(sent));
        await inside.next('chat:new-message', (m) => m._id === sent.messageId);
        await sleep(200);
        for (const chat of [outside, writer]) {
            assert.deepEqual(chat.all('chat:new-message'), []);
        }
        const left = await inside.ask('chat:leave-room', { roomId });
        assert.deepEqual(left, { success: true });
        const second = await writer.ask('chat:send-message', { roomId, content: 'again' });
        await sleep(300);
        assert.ok(!inside.all('chat:new-message').some((m) => m._id === second.messageId));
        [inside, outside, writer].forEach((c) => c.close());
    });

    it('the payload cannot say who is speaking', QUICK, async () => {
        const anna = customer();
        const roomId = await createRoom(server, anna);
        const a = await connect(server, anna);
        const forged = await a.ask('chat:send-message',
            { roomId, content: 'x', senderId: 'somebody-else', businessId: 'biz-b' });
        assert.equal(forged.success, true, JSON.stringify(forged));
        assert.equal(forged.message.senderId, anna.id);
        assert.equal(forged.message.businessId, 'biz-a');
        for (const senderType of ['staff', 'bot', 'system']) {
            const r = await a.ask('chat:send-message', { roomId, content: 'x', senderType });
            assert.equal(r.success, false, senderType);
            assert.ok(['FORBIDDEN', 'INVALID'].includes(r.code), r.code);
        }
        const s = await connect(server, staff());
        const asCustomer = await s.ask('chat:send-message', { roomId, content: 'x', senderType: 'customer' });
        assert.equal(asCustomer.success, false);
        const asStaff = await s.ask('chat:send-message', { roomId, content: 'x', senderType: 'staff' });
        assert.equal(asStaff.message.senderType, 'staff');
        [a, s].forEach((c) => c.close());
    });

    it('a customer\'s room is one, also under 100 parallel creates', { timeout: 60000 }, async () => {
        const anna = customer();
        const made = await Promise.all(Array.from({ length: 100 }, () =>
            api(server, anna).post('/chat/rooms/create', { userName: 'Anna' })));
        const statuses = made.map((r) => r.status);
        assert.equal(statuses.filter((s) => s === 201).length, 1, String(statuses));
        assert.equal(statuses.filter((s) => s === 200).length, 99, String(statuses));
        assert.equal(new Set(made.map((r) => r.json._id)).size, 1);
        const list = await api(server, anna).get('/chat/rooms');
        assert.equal(list.json.total, 1);
    });

    it('a customer without a business goes by user id', QUICK, async () => {
        const wanderer = customer({ business: null });
        const chat = await connect(server, wanderer);
        const here = await chat.ask('chat:join-room', { businessId: 'biz-a', userName: 'W' });
        const there = await chat.ask('chat:join-room', { businessId: 'biz-b', userName: 'W' });
        assert.equal(here.success, true, JSON.stringify(here));
        assert.equal(there.success, true, JSON.stringify(there));
        assert.notEqual(here.roomId, there.roomId);
        const bound = await connect(server, customer());
        const foreign = await bound.ask('chat:join-room', { businessId: 'biz-b', userName: 'B' });
        assert.equal(foreign.success, false);
        assert.equal(foreign.code, 'NOT_FOUND');
        [chat, bound].forEach((c) => c.close());
    });

    it('archived rooms', QUICK, async () => {
        const anna = customer();
        const sam = staff();
        const roomId = await createRoom(server, anna);
        assert.equal((await api(server, anna).put(`/chat/rooms/${roomId}/archive`)).status, 403);
        const done = await api(server, sam).put(`/chat/rooms/${roomId}/archive`, {});
        assert.equal(done.status, 200, done.text);
        assert.equal(done.json.success, true);
        const s = await connect(server, sam);
        const late = await s.ask('chat:send-message', { roomId, content: 'x' });
        assert.equal(late.code, 'CONFLICT');
        const a = await connect(server, anna);
        const reopened = await a.ask('chat:send-message', { roomId, content: 'me again' });
        assert.equal(reopened.success, true, JSON.stringify(reopened));
        const room = (await api(server, sam).get(`/chat/rooms/${roomId}`)).json;
        assert.equal(room.isArchived, false);
        assert.equal(room.isActive, true);

        await api(server, sam).put(`/chat/rooms/${roomId}/archive`, {});
        const fresh = await createRoom(server, anna);
        assert.notEqual(fresh, roomId);
        const conflict = await api(server, anna).post(`/chat/rooms/${roomId}/messages`, { content: 'x' });
        assert.equal(conflict.status, 409, conflict.text);
        assert.equal(conflict.json.roomId, fresh);
        [a, s].forEach((c) => c.close());
    });
});

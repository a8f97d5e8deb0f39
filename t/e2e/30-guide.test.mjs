// The guide's client code, unmodified: the React hook, the customer's page, the staff dashboard.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import React from 'react';
import renderer from 'react-test-renderer';

import { createRoom, customerChat, listRooms, staffDashboard, unreadCounts } from './fixtures/snippets.mjs';
import { useChat } from './fixtures/useChat.mjs';
import { SLOW, until, useServer } from './lib/nginx.mjs';
import { customer, staff } from './lib/token.mjs';

const LONG = { timeout: 40000 * SLOW };

globalThis.IS_REACT_ACT_ENVIRONMENT = false;
const warn = console.error;
console.error = (...args) => /react-test-renderer is deprecated/.test(String(args[0])) || warn(...args);

// Renders a component that only calls the hook; .now is what it returned last.
function mount(server, roomId, token, options)
{
    const box = { renders: 0 };
    const Page = () => {
        box.now = useChat(roomId, token, { forceNew: true, ...options });
        box.renders += 1;
        return null;
    };
    const tree = renderer.create(React.createElement(Page), { unstable_isConcurrent: false });
    box.unmount = () => tree.unmount();
    server.onClose(() => tree.unmount());
    return box;
}

describe('the guide\'s client code', () => {
    const server = useServer({ workers: 4 });
    const { fetch } = globalThis;

    // the page's own address, as a browser knows it: '/realtime' and '/api/…' lead there
    before(() => {
        globalThis.location = new URL(`${server.url}/shop.html`);
        globalThis.fetch = (path, options) => fetch(new URL(path, globalThis.location), options);
    });
    after(() => {
        globalThis.fetch = fetch;
        delete globalThis.location;
    });

    for (const [name, options] of [['default', {}], ['websocket', { transports: ['websocket'] }],
        ['polling', { transports: ['polling'] }]]) {
        it(`useChat, ${name} transports`, LONG, async () => {
            const anna = customer({ name: 'Anna' });
            const sam = staff({ name: 'Sam' });
            const room = await createRoom(anna.token, 'Anna');
            assert.match(room._id, /^[0-9a-f]{24}$/);

            const a = mount(server, room._id, anna.token, options);
            await until('the customer is connected', () => a.now.isConnected);
            await until('the history came', () => a.renders > 2);
            const first = await a.now.sendMessage('Is anybody there?');
            assert.equal(first.success, true, JSON.stringify(first));
            await until('own message on the page', () =>
                a.now.messages.some((m) => m.content === 'Is anybody there?'));

            const s = mount(server, room._id, sam.token, options);
            await until('staff see the history', () =>
                s.now.messages.some((m) => m.content === 'Is anybody there?'));
            s.now.setIsTyping(true);
            await until('the customer sees who types', () => a.now.typing === 'Sam');
            const reply = await s.now.sendMessage('Hello Anna');
            assert.equal(reply.success, true, JSON.stringify(reply));
            s.now.setIsTyping(false);
            await until('the answer is on the page', () => a.now.messages.some((m) =>
                m.content === 'Hello Anna' && m.senderType === 'staff'));
            await until('nobody types', () => a.now.typing === null);
            for (const page of [a, s]) {
                const ids = page.now.messages.map((m) => m._id);
                assert.equal(new Set(ids).size, ids.length);
                assert.equal(page.now.error, null);
            }

            s.unmount();
            const bad = mount(server, room._id, 'not a token', options);
            await until('a bad token is told', () => bad.now.error !== null);
            assert.equal(bad.now.isConnected, false);
            bad.unmount();
            const stranger = mount(server, room._id, customer().token, options);
            await until('a stranger is told', () => stranger.now.error !== null);
            assert.deepEqual(stranger.now.messages, []);
            stranger.unmount();
            a.unmount();
        });
    }

    it('a customer\'s page and the dashboard', LONG, async () => {
        const business = 'biz-guide';
        const anna = customer({ business, name: 'Anna' });
        const sam = staff({ business });
        const seen = { conversations: [], updates: [], messages: [], typing: [], errors: [] };
        const dashboard = staffDashboard(sam.token, {
            conversation: (c) => seen.conversations.push(c), updated: (u) => seen.updates.push(u),
            message: (m) => seen.messages.push(m), typing: (t) => seen.typing.push(t),
            error: (e) => seen.errors.push(e),
        }, { forceNew: true });
        server.onClose(() => dashboard.socket.disconnect());
        await new Promise((resolve) => dashboard.socket.once('connected', resolve));

        const got = [];
        let ready;
        const page = customerChat(anna.token, { businessId: business, userName: 'Anna' }, {
            ready: (answer) => { ready = answer; }, message: (m) => got.push(m),
            error: (e) => seen.errors.push(e),
        }, { forceNew: true });
        server.onClose(() => page.socket.disconnect());
        await until('the room', () => ready);
        assert.equal(ready.success, true, JSON.stringify(ready));
        assert.deepEqual(ready.messages, []);

        await until('the dashboard learns of it', () => seen.conversations.length === 1);
        const [conversation] = seen.conversations;
        assert.equal(conversation.roomId, ready.roomId);
        assert.equal(conversation._id, ready.roomId);
        assert.equal(conversation.userName, 'Anna');
        assert.equal(conversation.isNew, true);

        const sent = await page.send('I need help');
        assert.equal(sent.success, true, JSON.stringify(sent));
        await until('the list is live', () => seen.updates.some((u) =>
            u.roomId === ready.roomId && u.lastMessage === 'I need help' && u.unreadCount === 1));
        const rooms = await listRooms(sam.token);
        assert.equal(rooms.length, 1);
        assert.equal(rooms[0]._id, ready.roomId);
        assert.equal(rooms[0].unreadCount, 1);
        assert.equal(rooms[0].lastMessage, 'I need help');
        assert.equal((await unreadCounts(sam.token)).totalUnread, 1);

        const opened = await dashboard.open(ready.roomId);
        assert.deepEqual(opened.messages.map((m) => m.content), ['I need help']);
        await dashboard.read(ready.roomId);
        assert.equal((await unreadCounts(sam.token)).totalUnread, 0);
        await dashboard.reply(ready.roomId, 'Coming');
        await until('the answer', () => got.some((m) => m.content === 'Coming'));
        assert.deepEqual(seen.errors, []);
        page.socket.disconnect();
        dashboard.socket.disconnect();
    });
});

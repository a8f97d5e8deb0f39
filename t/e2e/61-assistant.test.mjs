// The assistant in rooms: what is said, and when it is quiet. Every path of the flow, by real clients.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { POLLING, connect } from './lib/chat.mjs';
import { api } from './lib/http.mjs';
import { MONGODB, SLOW, sleep, until, useServer } from './lib/nginx.mjs';
import { customer, owner, staff, superAdmin } from './lib/token.mjs';

const LONG = { timeout: 40000 * SLOW };
const SAID = ['chat:new-message', 'chat:auto-response', 'chat:faq-response'];

let serial = 0;

// A business of its own: nobody is there unless the test connects somebody.
function business()
{
    serial += 1;
    const id = `salon-${process.pid}-${serial}`;
    return { id, boss: owner({ business: id }), customer: (more) => customer({ business: id, ...more }),
        staff: (more) => staff({ business: id, ...more }) };
}

const HOURS = { question: 'What are your opening hours?', answer: 'Monday to Saturday, 9 to 6.',
    alternativeQuestions: ['When are you open?', 'When do you open on Saturday?',
        'What time do you close?'],
    keywords: ['hours', 'opening hours', 'open', 'close'] };

async function add(server, shop, what, body)
{
    const made = await api(server, shop.boss).post(`/chat/${what}`, body);
    assert.equal(made.status, 201, made.text);
    return made.json;
}

// What a client has heard in its room, as short lines: the text behind what kind of event it was.
const lines = (chat) => chat.events.filter((e) => SAID.includes(e.event)).map((e) => ({
    'chat:new-message': e.data.senderType === 'customer' ? 'C' : 'S',
    'chat:auto-response': 'A', 'chat:faq-response': 'F' }[e.event] + `: ${e.data.content}`));

// Waits until as many came, and for a moment whether more come.
async function heard(chat, expected)
{
    try {
        await until('all was said', () => lines(chat).length >= expected.length);
    } catch {
        // what came is shown below
    }
    await sleep(300 * SLOW);
    assert.deepEqual(lines(chat), expected);
    const seqs = chat.events.filter((e) => SAID.includes(e.event)).map((e) => e.data.seq);
    assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i), 'in order, without holes');
}

const WELCOME = 'A: Welcome! How can we help you today?';
const OFFLINE = 'A: Nobody is here right now. We have your message and will answer as soon as we are back.';
const ACK = 'A: Thank you for your message. Somebody of our team will answer shortly.';
const HELPFUL = 'A: Was this helpful?';
const ANSWER = `F: ${HOURS.answer}`;

async function visitor(server, shop, options)
{
    const who = shop.customer({ name: 'Zoe' });
    const chat = await connect(server, who, options);
    const joined = await chat.ask('chat:join-room', { businessId: shop.id, userName: 'Zoe' });
    assert.equal(joined.success, true, JSON.stringify(joined));
    chat.roomId = joined.roomId;
    chat.person = who;
    chat.joined = joined;
    chat.say = async (content, more = {}) => {
        const sent = await chat.ask('chat:send-message', { roomId: chat.roomId, content, ...more });
        assert.equal(sent.success, true, JSON.stringify(sent));
        return sent;
    };
    return chat;
}

for (const workers of [1, 4]) {
    describe(`the flow, ${workers} workers`, () => {
        const server = useServer({ workers, assistant: true });

        it('welcomes once, right after the first join, not in its history', LONG, async () => {
            const shop = business();
            const zoe = await visitor(server, shop);
            assert.deepEqual(zoe.joined.messages, []);
            await heard(zoe, [WELCOME]);
            const first = zoe.all('chat:auto-response')[0];
            assert.equal(first.isAutomated, true);
            assert.equal(first.responseType, 'welcome');
            assert.equal(first.senderType, 'bot');
            assert.equal(first.senderId, null);
            assert.equal(first.seq, 1);

            const again = await connect(server, zoe.person);
            const joined = await again.ask('chat:join-room', { roomId: zoe.roomId });
            assert.deepEqual(joined.messages.map((m) => m.content), [WELCOME.slice(3)]);
            await heard(again, []);
            await heard(zoe, [WELCOME]);
        });

        it('welcomes by the business\'s own words, and one who only listens hears it', LONG, async () => {
            const shop = business();
            await add(server, shop, 'auto-responses', { name: 'Hello', responseType: 'welcome',
                message: 'Old hello' });
            await add(server, shop, 'auto-responses', { name: 'Hello', responseType: 'welcome',
                message: 'Hello there!', quickReplies: ['Book', 'Prices'] });
            const zoe = await visitor(server, shop, POLLING);
            await heard(zoe, ['A: Hello there!']);
            assert.deepEqual(zoe.all('chat:auto-response')[0].quickReplies, ['Book', 'Prices']);
            const history = await api(server, zoe.person).get(`/chat/rooms/${zoe.roomId}/messages`);
            assert.deepEqual(history.json.messages.map((m) => [m.content, m.quickReplies, m.responseType]),
                [['Hello there!', ['Book', 'Prices'], 'welcome']]);
        });

        it('welcomes before the first message of one who never joined', LONG, async () => {
            const shop = business();
            const zoe = shop.customer({ name: 'Zoe' });
            const rest = api(server, zoe);
            const room = (await rest.post('/chat/rooms/create', { userName: 'Zoe' })).json;
            const sent = await rest.post(`/chat/rooms/${room._id}/messages`, { content: 'hello?' });
            assert.equal(sent.status, 201, sent.text);
            assert.equal(sent.json.seq, 2);
            await until('it was answered', async () => {
                const list = await rest.get(`/chat/rooms/${room._id}/messages`);
                return list.json.messages.length === 3;
            });
            const list = await rest.get(`/chat/rooms/${room._id}/messages`);
            assert.deepEqual(list.json.messages.map((m) => [m.seq, m.senderType, m.content]),
                [[1, 'bot', WELCOME.slice(3)], [2, 'customer', 'hello?'], [3, 'bot', OFFLINE.slice(3)]]);
        });

        it('FAQ, staff there', LONG, async () => {
            const shop = business();
            const faq = await add(server, shop, 'faqs', HOURS);
            await connect(server, shop.staff());
            const zoe = await visitor(server, shop);
            const sent = await zoe.say('What are your hours?');
            await heard(zoe, [WELCOME, 'C: What are your hours?', ANSWER, HELPFUL]);
            const answer = zoe.all('chat:faq-response')[0];
            assert.equal(answer.isFAQ, true);
            assert.equal(answer.faqId, faq._id);
            assert.equal(answer.messageType, 'faq-response');
            assert.equal(answer.replyToMessageId, sent.messageId);
            assert.ok(answer.confidence >= 70 && answer.confidence <= 100, String(answer.confidence));
            const asked = zoe.all('chat:auto-response').at(-1);
            assert.deepEqual(asked.quickReplies, ['Yes', 'No']);
            const [listed] = (await api(server, shop.boss).get('/chat/faqs')).json;
            assert.equal(listed.usageCount, 1);
        });

        it('FAQ, nobody there: offline first, once', LONG, async () => {
            const shop = business();
            await add(server, shop, 'faqs', HOURS);
            await add(server, shop, 'auto-responses', { name: 'Gone', responseType: 'offline',
                message: 'We are out.' });
            const zoe = await visitor(server, shop);
            await zoe.say('WHAT TIME DO YOU CLOSE???');
            await heard(zoe, [WELCOME, 'C: WHAT TIME DO YOU CLOSE???', 'A: We are out.', ANSWER, HELPFUL]);
            await zoe.say('when do you open on saturday');
            await heard(zoe, [WELCOME, 'C: WHAT TIME DO YOU CLOSE???', 'A: We are out.', ANSWER, HELPFUL,
                'C: when do you open on saturday', ANSWER, HELPFUL]);
        });

        it('no FAQ, staff there: acknowledged and called, once; then quiet while staff talk', LONG, async () => {
            const shop = business();
            await add(server, shop, 'faqs', HOURS);
            const sam = await connect(server, shop.staff({ name: 'Sam' }));
            const zoe = await visitor(server, shop);
            await zoe.say('My cat ate the voucher, what now');
            const called = await sam.next('chat:new-conversation', (c) => c.requiresAttention);
            assert.equal(called.roomId, zoe.roomId);
            assert.equal(called.isNew, false);
            assert.equal(called.userName, 'Zoe');
            assert.equal(called.message, 'My cat ate the voucher, what now');
            await zoe.say('Hello?');
            await heard(zoe, [WELCOME, 'C: My cat ate the voucher, what now', ACK, 'C: Hello?']);
            await sam.ask('chat:send-message', { roomId: zoe.roomId, content: 'One moment' });
            await zoe.say('What are your opening hours?');
            await heard(zoe, [WELCOME, 'C: My cat ate the voucher, what now', ACK, 'C: Hello?',
                'S: One moment', 'C: What are your opening hours?']);
            assert.equal(sam.all('chat:new-conversation').filter((c) => c.requiresAttention).length, 1);

            const open = await api(server, shop.boss).get('/chat/faqs/unanswered');
            assert.equal(open.status, 200, open.text);
            assert.match(open.text, /My cat ate the voucher/);
            assert.doesNotMatch(open.text, /opening hours/);
        });

        it('no FAQ, nobody there: offline, once', LONG, async () => {
            const shop = business();
            const zoe = await visitor(server, shop);
            await zoe.say('one');
            await zoe.say('two');
            await heard(zoe, [WELCOME, 'C: one', OFFLINE, 'C: two'].sort(() => 0));
        });

        it('after hours, though staff is there', LONG, async () => {
            const shop = business();
            await add(server, shop, 'auto-responses', { name: 'Never', responseType: 'offline',
                message: 'No conditions: never', trigger: { event: 'after-hours' } });
            await add(server, shop, 'auto-responses', { name: 'Closed', responseType: 'offline',
                message: 'We are closed.', trigger: { event: 'after-hours', conditions: {
                    timeRange: { start: '00:00', end: '00:00' }, timezone: 'Europe/London' } } });
            await add(server, shop, 'auto-responses', { name: 'Out', responseType: 'offline',
                message: 'Nobody there', trigger: { event: 'no-staff-available' } });
            await connect(server, shop.staff());
            const zoe = await visitor(server, shop);
            await zoe.say('ping');
            await heard(zoe, [WELCOME, 'C: ping', 'A: We are closed.']);
        });

        it('busy: many wait', LONG, async () => {
            const shop = business();
            await add(server, shop, 'auto-responses', { name: 'Busy', responseType: 'busy',
                message: 'Many wait.', trigger: { event: 'high-load', conditions: { queueSize: 2 } } });
            await connect(server, shop.staff());
            const zoe = await visitor(server, shop);
            await zoe.say('first in the queue');
            await heard(zoe, [WELCOME, 'C: first in the queue', ACK]);
            const tim = await visitor(server, shop);
            await tim.say('second in the queue');
            await heard(tim, [WELCOME, 'C: second in the queue', 'A: Many wait.']);
        });

        it('Was this helpful? No: staff is called; Yes replaces it', LONG, async () => {
            const shop = business();
            await add(server, shop, 'faqs', HOURS);
            const sam = await connect(server, shop.staff({ name: 'Sam' }));
            const zoe = await visitor(server, shop);
            await zoe.say('When are you open?');
            await until('it was asked', () => lines(zoe).at(-1) === HELPFUL);
            const counts = async () => {
                const [faq] = (await api(server, shop.boss).get('/chat/faqs')).json;
                return [faq.usageCount, faq.helpfulCount, faq.notHelpfulCount];
            };
            await zoe.say('no.');
            await sam.next('chat:new-conversation', (c) => c.requiresAttention);
            await until('it was counted', async () => (await counts()).join() === '1,0,1');
            await zoe.say('YES!');
            await until('it was counted', async () => (await counts()).join() === '1,1,0');
            await heard(zoe, [WELCOME, 'C: When are you open?', ANSWER, HELPFUL, 'C: no.', 'C: YES!']);
            await zoe.say('When are you open?');
            await heard(zoe, [WELCOME, 'C: When are you open?', ANSWER, HELPFUL, 'C: no.', 'C: YES!',
                'C: When are you open?', ANSWER, HELPFUL]);
        });

        it('chat:faq-feedback', LONG, async () => {
            const shop = business();
            await add(server, shop, 'faqs', HOURS);
            const sam = await connect(server, shop.staff());
            const zoe = await visitor(server, shop);
            await zoe.say('When are you open?');
            const answer = await zoe.next('chat:faq-response');
            const asked = await zoe.next('chat:auto-response', (m) => m.quickReplies.length === 2);
            const feedback = (messageId, helpful) => zoe.ask('chat:faq-feedback',
                { roomId: zoe.roomId, messageId, helpful });
            const counts = async () => {
                const [faq] = (await api(server, shop.boss).get('/chat/faqs')).json;
                return [faq.helpfulCount, faq.notHelpfulCount];
            };
            assert.deepEqual(await feedback(answer._id, true), { success: true });
            assert.deepEqual(await feedback(answer._id, true), { success: true });
            assert.deepEqual(await counts(), [1, 0]);
            assert.deepEqual(await feedback(asked._id, false), { success: true });
            await sam.next('chat:new-conversation', (c) => c.requiresAttention);
            assert.deepEqual(await counts(), [0, 1]);
            const welcome = zoe.all('chat:auto-response')[0];
            assert.equal((await feedback(welcome._id, true)).code, 'INVALID');
            assert.equal((await feedback('00112233445566778899aabb', true)).code, 'NOT_FOUND');
            assert.equal((await feedback(answer._id, 'yes')).code, 'INVALID');
            const tim = await visitor(server, shop);
            const foreign = await tim.ask('chat:faq-feedback',
                { roomId: zoe.roomId, messageId: answer._id, helpful: true });
            assert.equal(foreign.success, false);
            const byStaff = await sam.ask('chat:faq-feedback',
                { roomId: zoe.roomId, messageId: answer._id, helpful: true });
            assert.equal(byStaff.code, 'FORBIDDEN');
            assert.deepEqual(await counts(), [0, 1]);
        });

        it('staff trigger a response, whatever the assistant would do', LONG, async () => {
            const shop = business();
            const made = await add(server, shop, 'auto-responses', { name: 'Away', responseType: 'away',
                message: 'Back in five minutes.', quickReplies: ['OK'] });
            const sam = shop.staff();
            const zoe = await visitor(server, shop);
            await heard(zoe, [WELCOME]);
            const path = `/chat/rooms/${zoe.roomId}/trigger-auto-response`;
            await api(server, sam).post(`/chat/rooms/${zoe.roomId}/messages`, { content: 'Hi' });
            const said = await api(server, sam).post(path, { responseType: 'away' });
            assert.equal(said.status, 200, said.text);
            assert.equal(said.json.success, true);
            assert.equal(said.json.autoResponse._id, made._id);
            assert.equal(said.json.autoResponse.usageCount, 1);
            assert.equal(said.json.sentMessage.content, 'Back in five minutes.');
            await heard(zoe, [WELCOME, 'S: Hi', 'A: Back in five minutes.']);
            assert.deepEqual(zoe.all('chat:auto-response')[1], said.json.sentMessage);
            assert.equal((await api(server, sam).post(path, { responseType: 'busy' })).status, 404);
            assert.equal((await api(server, sam).post(path, { responseType: 'silly' })).status, 400);
            assert.equal((await api(server, zoe.person).post(path, { responseType: 'away' })).status, 403);
            assert.equal((await api(server, business().boss).post(path, { responseType: 'away' })).status, 404);
            assert.equal((await api(server, superAdmin()).post(path, { responseType: 'away' })).status, 200);
        });

        it('ten unlike messages: no FAQ answers', LONG, async () => {
            const shop = business();
            await add(server, shop, 'faqs', HOURS);
            await connect(server, shop.staff());
            const zoe = await visitor(server, shop);
            const unlike = ['Can I bring my dog?', 'Do you sell shampoo?', 'I lost my umbrella yesterday',
                'How much is a haircut?', 'My hair turned green', 'Is Maria still working with you?',
                'thanks, see you', '👍', 'asdfgh', 'I would like to complain about my last visit'];
            for (const text of unlike) {
                await zoe.say(text);
            }
            await sleep(500 * SLOW);
            assert.equal(zoe.all('chat:faq-response').length, 0, JSON.stringify(lines(zoe)));
            assert.equal(zoe.all('chat:auto-response').length, 2, 'welcome and one acknowledgment');
        });

        it('team rooms and staff hear nothing of it', LONG, async () => {
            const shop = business();
            const sam = await connect(server, shop.staff({ name: 'Sam' }));
            const ann = shop.staff({ name: 'Ann' });
            const room = (await api(server, sam.who).post('/chat/rooms/team', { memberId: ann.id })).json;
            await sam.ask('chat:join-room', { roomId: room._id });
            await sam.ask('chat:send-message', { roomId: room._id, content: 'When are you open?' });
            await heard(sam, ['S: When are you open?']);
        });
    });
}

describe('the assistant is off', () => {
    const server = useServer({ workers: 2 });

    it('says nothing by itself, staff still can', LONG, async () => {
        const shop = business();
        await add(server, shop, 'faqs', HOURS);
        await add(server, shop, 'auto-responses', { name: 'Away', responseType: 'away', message: 'Away.' });
        const zoe = await visitor(server, shop);
        await zoe.say('When are you open?');
        await heard(zoe, ['C: When are you open?']);
        const said = await api(server, shop.boss).post(`/chat/rooms/${zoe.roomId}/trigger-auto-response`,
            { responseType: 'away' });
        assert.equal(said.status, 200, said.text);
        await heard(zoe, ['C: When are you open?', 'A: Away.']);
    });
});

describe('a worker dies between message and reply', () => {
    const server = useServer({ workers: 2, assistant: true, allowLog: [/exited on signal 9/] });
    let shop;

    before(() => {
        shop = business();
    });

    it('every customer gets each reply once, within seconds', { timeout: 120000 * SLOW }, async () => {
        await add(server, shop, 'faqs', HOURS);
        const rooms = [];
        let killing = true, kills = 0;
        const killer = (async () => {
            while (killing) {
                await sleep(150);
                server.signal('SIGKILL', server.workers()[0]);
                kills += 1;
            }
        })();
        for (let i = 0; i < 40; i += 1) {
            const who = shop.customer({ name: `Customer ${i}` });
            const rest = api(server, who);
            const insist = async (call) => {
                for (;;) {
                    const r = await call().catch(() => null);
                    if (r && r.status < 300) {
                        return r.json;
                    }
                    await sleep(20);
                }
            };
            const room = await insist(() => rest.post('/chat/rooms/create', { userName: 'Zoe' }));
            await insist(() => rest.post(`/chat/rooms/${room._id}/messages`,
                { content: 'When are you open?', clientMessageId: 'one' }));
            rooms.push({ rest, id: room._id });
        }
        killing = false;
        await killer;
        const wanted = [WELCOME.slice(3), 'When are you open?', OFFLINE.slice(3), HOURS.answer,
            HELPFUL.slice(3)];
        for (const room of rooms) {
            await until(`room ${room.id} has its answer`, async () => {
                const r = await room.rest.get(`/chat/rooms/${room.id}/messages`).catch(() => null);
                return r?.status === 200 && r.json.messages.length >= wanted.length;
            }, 10000 * SLOW);
        }
        await sleep(3000);
        for (const room of rooms) {
            const r = await room.rest.get(`/chat/rooms/${room.id}/messages`);
            assert.deepEqual(r.json.messages.map((m) => m.content), wanted);
        }
        /* one transaction with the room's mark on SQLite; a write of its own behind it on MongoDB,
         * which a worker that was killed in between leaves out */
        const [faq] = (await api(server, shop.boss).get('/chat/faqs')).json;
        const least = MONGODB ? rooms.length - kills : rooms.length;
        assert.ok(faq.usageCount >= least && faq.usageCount <= rooms.length,
            `${faq.usageCount} counted, ${rooms.length} answered, ${kills} killed`);
    });
});

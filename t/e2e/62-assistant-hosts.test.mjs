// The assistant on two hosts of four workers each: many customers write at once, each is answered once.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { connect } from './lib/chat.mjs';
import { useCluster } from './lib/cluster.mjs';
import { api } from './lib/http.mjs';
import { SLOW, sleep, until } from './lib/nginx.mjs';
import { customer, owner, staff } from './lib/token.mjs';

// SCALE=5: a thousand customers.
const CUSTOMERS = 200 * Number(process.env.SCALE || 1);
const SAID = ['chat:new-message', 'chat:auto-response', 'chat:faq-response'];
const QUESTION = 'What time do you close?';
const FAQ = { question: 'What are your opening hours?', answer: 'Nine to six.',
    alternativeQuestions: ['When are you open?', QUESTION], keywords: ['hours', 'close'] };

function percentile(sorted, part)
{
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

describe('two hosts of four workers', () => {
    const cluster = useCluster({ workers: 4, assistant: true });

    it('a FAQ made on one host is known to the other with the next message', { timeout: 60000 * SLOW },
        async () => {
            const business = `changing-${process.pid}`;
            const [one, two] = cluster.hosts;
            const boss = owner({ business });
            await connect(one, staff({ business }));
            const zoe = await connect(two, customer({ business }));
            const { roomId } = await zoe.ask('chat:join-room', { businessId: business, userName: 'Zoe' });
            let faq;
            for (let i = 0; i < 10; i += 1) {
                const text = `Nine to ${i}.`;
                if (faq) {
                    const changed = await api(one, boss).put(`/chat/faqs/${faq._id}`, { answer: text });
                    assert.equal(changed.status, 200, changed.text);
                } else {
                    faq = (await api(one, boss).post('/chat/faqs', { ...FAQ, answer: text })).json;
                }
                await zoe.ask('chat:send-message', { roomId, content: QUESTION });
                const answer = await zoe.next('chat:faq-response');
                assert.equal(answer.content, text);
            }
            const gone = await api(one, boss).del(`/chat/faqs/${faq._id}`);
            assert.equal(gone.status, 200, gone.text);
            await zoe.ask('chat:send-message', { roomId, content: QUESTION });
            await zoe.next('chat:auto-response', (m) => m.responseType === 'acknowledgment');
        });

    it(`${CUSTOMERS} customers write at once`, { timeout: 240000 * SLOW }, async () => {
        const business = `crowd-${process.pid}`;
        const boss = owner({ business });
        const made = await api(cluster.hosts[0], boss).post('/chat/faqs', FAQ);
        assert.equal(made.status, 201, made.text);
        const sam = await connect(cluster.hosts[1], staff({ business }));
        await sleep(1000);

        // half of them ask what a FAQ answers, half what none does; over polling and WebSocket
        const people = [];
        for (let i = 0; i < CUSTOMERS; i += 50) {
            people.push(...await Promise.all(Array.from({ length: Math.min(50, CUSTOMERS - i) },
                async (_, k) => {
                    const who = customer({ business, name: `Customer ${i + k}` });
                    const chat = await connect(cluster, who,
                        { transports: [(i + k) % 10 ? 'websocket' : 'polling'] });
                    const joined = await chat.ask('chat:join-room',
                        { businessId: business, userName: who.name }, 30000 * SLOW);
                    assert.equal(joined.success, true, JSON.stringify(joined));
                    return { chat, roomId: joined.roomId, asks: (i + k) % 2 === 0 };
                })));
        }
        await until('all are welcomed', () =>
            people.every((p) => p.chat.all('chat:auto-response').length === 1), 30000 * SLOW);

        await Promise.all(people.map(async (p) => {
            p.at = Date.now();
            const sent = await p.chat.ask('chat:send-message', { roomId: p.roomId,
                content: p.asks ? QUESTION : 'My umbrella is still at your place' }, 60000 * SLOW);
            assert.equal(sent.success, true, JSON.stringify(sent));
        }));
        await until('all are answered', () => people.every((p) =>
            p.chat.all('chat:auto-response').length >= 2), 60000 * SLOW);
        await sleep(3000 * SLOW);       // longer than a room waits before others look after it

        const times = [];
        for (const p of people) {
            const said = p.chat.events.filter((e) => SAID.includes(e.event));
            assert.deepEqual(said.map((e) => e.event), p.asks
                ? ['chat:auto-response', 'chat:new-message', 'chat:faq-response', 'chat:auto-response']
                : ['chat:auto-response', 'chat:new-message', 'chat:auto-response'], p.roomId);
            assert.deepEqual(said.map((e) => e.data.seq), said.map((_, i) => i + 1));
            if (p.asks) {
                times.push(p.chat.events.find((e) => e.event === 'chat:faq-response').at - p.at);
            } else {
                assert.equal(said[2].data.responseType, 'acknowledgment');
            }
        }
        times.sort((a, b) => a - b);
        console.log(`# message to FAQ answer, ${CUSTOMERS} at once: p50 ${percentile(times, 0.5)} ms, `
            + `p99 ${percentile(times, 0.99)} ms`);

        const [faq] = (await api(cluster.hosts[1], boss).get('/chat/faqs')).json;
        assert.equal(faq.usageCount, people.filter((p) => p.asks).length);
        await until('staff was called to each of the others', () =>
            sam.all('chat:new-conversation').filter((c) => c.requiresAttention).length
                === people.filter((p) => !p.asks).length, 10000 * SLOW);
    });
});

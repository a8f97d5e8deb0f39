// FAQs and automatic responses over REST: roles, businesses, what is refused, and that what is made on
// one worker counts on all of them at once.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

import { api } from './lib/http.mjs';
import { ROOT, SLOW, useServer } from './lib/nginx.mjs';
import { customer, owner, person, staff, superAdmin } from './lib/token.mjs';

const LONG = { timeout: 60000 * SLOW };
const FAQS = '/chat/faqs';
const RESPONSES = '/chat/auto-responses';

let serial = 0;

function shop()
{
    serial += 1;
    const business = `faq-${process.pid}-${serial}`;
    return { business, boss: owner({ business }), staff: staff({ business }),
        customer: customer({ business }) };
}

// The answer, when its status is the one expected.
async function expect(status, promise)
{
    const r = await promise;
    assert.equal(r.status, status, r.text);
    if (status >= 400) {
        assert.equal(r.json.statusCode, status);
        assert.equal(typeof r.json.message, 'string');
    }
    return r;
}

describe('FAQs over REST', () => {
    const server = useServer({ workers: 3 });
    const as = (who) => api(server, who);

    it('are made, listed, changed, taken out and brought back', LONG, async () => {
        const { business, boss, customer: anna } = shop();
        const made = (await expect(201, as(boss).post(FAQS, { question: 'When do you open?',
            answer: 'At nine.', keywords: ['open'], alternativeQuestions: ['opening hours'],
            category: 'hours', confidenceThreshold: 0, priority: 2,
            metadata: { language: 'en' } }))).json;
        assert.match(made._id, /^[0-9a-f]{24}$/);
        assert.equal(made.businessId, business);
        assert.equal(made.confidenceThreshold, 0);
        assert.deepEqual(made.metadata, { language: 'en' });
        assert.equal(made.usageCount, 0);

        const plain = (await expect(201, as(boss).post(FAQS, { question: 'Where are you?',
            answer: 'Here.' }))).json;
        assert.equal(plain.confidenceThreshold, 70);
        assert.equal(plain.priority, 0);
        assert.equal(plain.isActive, true);
        assert.deepEqual(plain.keywords, []);

        let list = await expect(200, as(boss).get(FAQS));
        assert.deepEqual(list.json.map((f) => f.question), ['When do you open?', 'Where are you?']);
        assert.equal(list.headers['x-total-count'], '2');
        assert.deepEqual(list.json[0], made);
        list = await expect(200, as(boss).get(`${FAQS}?page=2&limit=1`));
        assert.deepEqual(list.json.map((f) => f._id), [plain._id]);
        assert.equal(list.headers['x-total-count'], '2');
        list = await expect(200, as(boss).get(`${FAQS}?category=hours`));
        assert.equal(list.json.length, 1);

        const changed = (await expect(200, as(boss).put(`${FAQS}/${made._id}`,
            { answer: 'At ten.', faqId: plain._id, _id: plain._id }))).json;
        assert.equal(changed._id, made._id);
        assert.equal(changed.answer, 'At ten.');
        assert.equal(changed.question, made.question);
        assert.equal(changed.confidenceThreshold, 0);
        assert.equal(changed.createdAt, made.createdAt);

        assert.deepEqual((await expect(200, as(boss).del(`${FAQS}/${made._id}`))).json,
            { success: true });
        assert.equal((await expect(200, as(boss).get(FAQS))).json.length, 1);
        assert.equal((await expect(200, as(boss).get(`${FAQS}?isActive=false`))).json[0]._id, made._id);
        assert.equal((await expect(200, as(boss).get(`${FAQS}?isActive=all`))).json.length, 2);
        assert.equal((await expect(200, as(anna).get(`${FAQS}?isActive=all`))).json.length, 1);
        assert.equal((await expect(200, as(boss).put(`${FAQS}/${made._id}`, { isActive: true })))
            .json.isActive, true);
        assert.equal((await expect(200, as(anna).get(FAQS))).json.length, 2);
    });

    it('count on all workers at once', LONG, async () => {
        const { boss } = shop();
        const best = (message) => as(boss).post(`${FAQS}/match`, { message })
            .then((r) => (assert.equal(r.status, 200, r.text), r.json.matches[0]));
        // each call has a connection of its own, so that all workers are asked
        const everywhere = (message) => Promise.all(Array.from({ length: 24 }, () => best(message)));

        assert.deepEqual(new Set(await everywhere('Do you sell gift cards?')), new Set([undefined]));

        for (let round = 0; round < 5; round += 1) {
            const question = `Do you sell gift cards number ${round}?`;
            const faq = (await expect(201, as(boss).post(FAQS, { question, answer: 'Yes.' }))).json;
            for (const found of await everywhere(question)) {
                assert.deepEqual(found, { faqId: faq._id, question, score: 100, matches: true });
            }
            await expect(200, as(boss).del(`${FAQS}/${faq._id}`));
            for (const found of await everywhere(question)) {
                assert.equal(found, undefined);
            }
        }
    });

    it('are of one business, and for its staff', LONG, async () => {
        const ours = shop();
        const theirs = shop();
        const root = superAdmin();
        const faq = (await expect(201, as(ours.staff).post(FAQS,
            { question: 'When?', answer: 'Now.' }))).json;
        const path = `${FAQS}/${faq._id}`;

        await expect(401, as(null).get(FAQS));
        await expect(403, as(ours.customer).post(FAQS, { question: 'Q', answer: 'A' }));
        await expect(403, as(ours.customer).put(path, {}));
        await expect(403, as(ours.customer).del(path));
        await expect(403, as(ours.customer).post(`${FAQS}/match`, { message: 'when' }));
        await expect(403, as(ours.customer).get(`${FAQS}/unanswered`));
        await expect(403, as(person('SERVICE', { business: ours.business })).get(FAQS));

        assert.deepEqual((await expect(200, as(theirs.staff).get(FAQS))).json, []);
        assert.deepEqual((await expect(200, as(theirs.customer).get(FAQS))).json, []);
        await expect(404, as(theirs.staff).put(path, { answer: 'Ours' }));
        await expect(404, as(theirs.staff).del(path));
        await expect(404, as(theirs.staff).get(`${FAQS}?businessId=${ours.business}`));
        await expect(404, as(theirs.customer).get(`${FAQS}?businessId=${ours.business}`));
        await expect(404, as(theirs.staff).post(FAQS,
            { question: 'Q', answer: 'A', businessId: ours.business }));
        await expect(404, as(ours.staff).put(`${FAQS}/0123456789abcdef01234567`, { answer: 'A' }));
        await expect(404, as(ours.staff).del(`${FAQS}/nothing`));

        await expect(400, as(root).get(FAQS));
        await expect(400, as(root).post(FAQS, { question: 'Q', answer: 'A' }));
        assert.equal((await expect(200, as(root).get(`${FAQS}?businessId=${ours.business}`)))
            .json[0]._id, faq._id);
        await expect(201, as(root).post(FAQS,
            { question: 'Q', answer: 'A', businessId: theirs.business }));
        assert.equal((await expect(200, as(root).put(path, { answer: 'Soon.' }))).json.answer, 'Soon.');
        await expect(404, as(root).del(`${path}?businessId=${theirs.business}`));

        const visitor = customer({ business: null });
        await expect(400, as(visitor).get(FAQS));
        assert.equal((await expect(200, as(visitor).get(`${FAQS}?businessId=${ours.business}`)))
            .json[0].answer, 'Soon.');
    });

    it('refuse what they cannot be', LONG, async () => {
        const { boss } = shop();
        const good = { question: 'Q?', answer: 'A' };
        const bad = [['question', ''], ['question', ' \u200b'], ['question', 'x'.repeat(1001)],
            ['question', { $ne: null }], ['answer', 7], ['answer', 'x'.repeat(10001)],
            ['keywords', 'open'], ['keywords', [1]], ['keywords', Array(151).fill('a')],
            ['alternativeQuestions', [{ $gt: '' }]], ['confidenceThreshold', 101],
            ['confidenceThreshold', -0.5], ['confidenceThreshold', '70'], ['priority', 'high'],
            ['isActive', 'true'], ['metadata', []], ['metadata', { a: { $where: '1' } }]];
        for (const [name, value] of bad) {
            const r = await expect(400, as(boss).post(FAQS, { ...good, [name]: value }));
            assert.match(r.json.message, new RegExp(name));
        }
        assert.match((await expect(400, as(boss).post(FAQS, { answer: 'A' }))).json.message, /question/);
        assert.match((await expect(400, as(boss).post(FAQS, { question: 'Q' }))).json.message, /answer/);
        await expect(400, as(boss).post(FAQS, { ...good, $set: { isActive: false } }));
        await expect(400, as(boss).post(FAQS, '[]'));
        await expect(400, as(boss).post(FAQS, '{'));
        for (const query of ['isActive=yes', 'isActive=1', 'page=0', 'limit=0', 'limit=101', 'page=x']) {
            await expect(400, as(boss).get(`${FAQS}?${query}`));
        }
        const r = await expect(405, as(boss).get(`${FAQS}/0123456789abcdef01234567`));
        assert.equal(r.headers.allow, 'PUT, DELETE, OPTIONS');
        assert.equal((await expect(405, as(boss).put(`${FAQS}/match`, {}))).headers.allow,
            'POST, OPTIONS');
        assert.deepEqual((await expect(200, as(boss).get(`${FAQS}?isActive=all`))).json, []);
    });
});

describe('automatic responses over REST', () => {
    const server = useServer({ workers: 2 });
    const as = (who) => api(server, who);

    it('are made, listed, changed, taken out and brought back', LONG, async () => {
        const { business, boss, staff: sam } = shop();
        const events = [['welcome', 'user-joined'], ['offline', 'no-staff-available'],
            ['busy', 'manual'], ['acknowledgment', 'manual']];
        for (const [responseType, event] of events) {
            const made = (await expect(201, as(boss).post(RESPONSES,
                { name: `My ${responseType}`, responseType, message: 'Hello' }))).json;
            assert.deepEqual(made.trigger, { event });
            assert.equal(made.businessId, business);
            assert.equal(made.name, `My ${responseType}`);
        }
        const trigger = { event: 'after-hours', conditions: { dayOfWeek: [0, 6],
            timeRange: { start: '18:00', end: '09:00' }, timezone: 'US/Pacific',
            dates: ['12-25', '2026-12-26'], queueSize: 5, maxWaitTime: 10, minutesBefore: 30 } };
        const night = (await expect(201, as(sam).post(RESPONSES, { responseType: 'offline',
            message: 'Closed', trigger, quickReplies: ['Call me', 'Bye'] }))).json;
        assert.deepEqual(night.trigger, trigger);
        assert.deepEqual(night.quickReplies, ['Call me', 'Bye']);

        const list = await expect(200, as(sam).get(RESPONSES));
        assert.equal(list.headers['x-total-count'], '5');
        assert.deepEqual(list.json[0], night);
        assert.equal((await expect(200, as(sam).get(`${RESPONSES}?responseType=offline`))).json.length, 2);

        const path = `${RESPONSES}/${night._id}`;
        const changed = (await expect(200, as(sam).put(path, { message: 'Shut' }))).json;
        assert.deepEqual({ ...changed, updatedAt: 0 }, { ...night, message: 'Shut', updatedAt: 0 });
        await expect(400, as(sam).put(path, { trigger: { event: 'after-hours',
            conditions: { timezone: 'Mars/Olympus' } } }));
        assert.deepEqual((await expect(200, as(sam).del(path))).json, { success: true });
        assert.equal((await expect(200, as(sam).get(RESPONSES))).json.length, 4);
        assert.equal((await expect(200, as(sam).get(`${RESPONSES}?isActive=all`))).json.length, 5);
        assert.equal((await expect(200, as(sam).put(path, { isActive: true }))).json.isActive, true);
        assert.equal((await expect(200, as(sam).get(RESPONSES))).json.length, 5);
    });

    it('are of one business, and for its staff', LONG, async () => {
        const ours = shop();
        const theirs = shop();
        const root = superAdmin();
        const body = { responseType: 'welcome', message: 'Hello' };
        const made = (await expect(201, as(ours.staff).post(RESPONSES, body))).json;
        const path = `${RESPONSES}/${made._id}`;

        for (const call of [as(ours.customer).get(RESPONSES), as(ours.customer).post(RESPONSES, body),
            as(ours.customer).put(path, {}), as(ours.customer).del(path)]) {
            await expect(403, call);
        }
        assert.deepEqual((await expect(200, as(theirs.staff).get(RESPONSES))).json, []);
        await expect(404, as(theirs.staff).put(path, {}));
        await expect(404, as(theirs.staff).del(path));
        await expect(404, as(theirs.staff).get(`${RESPONSES}?businessId=${ours.business}`));
        await expect(400, as(root).get(RESPONSES));
        assert.equal((await expect(200, as(root).get(`${RESPONSES}?businessId=${ours.business}`)))
            .json.length, 1);
    });

    it('refuse what they cannot be', LONG, async () => {
        const { boss } = shop();
        const good = { responseType: 'offline', message: 'Closed' };
        const when = (conditions) => ({ event: 'after-hours', conditions });
        const bad = [['responseType', 'sing', 'responseType'], ['message', ' ', 'message'],
            ['message', 'x'.repeat(10001), 'message'], ['quickReplies', 'Yes', 'quickReplies'],
            ['quickReplies', Array(21).fill('a'), 'quickReplies'], ['trigger', 'manual', 'trigger'],
            ['trigger', { event: 'now' }, 'event'], ['trigger', { $or: [] }, 'trigger'],
            ['trigger', when({ dayOfWeek: [7] }), 'dayOfWeek'],
            ['trigger', when({ timeRange: { start: '18:00' } }), 'timeRange'],
            ['trigger', when({ timeRange: { start: '24:00', end: '09:00' } }), 'timeRange'],
            ['trigger', when({ timezone: '../../../etc/passwd' }), 'timezone'],
            ['trigger', when({ dates: ['25.12.'] }), 'dates'], ['isActive', 1, 'isActive']];
        for (const [name, value, says] of bad) {
            const r = await expect(400, as(boss).post(RESPONSES, { ...good, [name]: value }));
            assert.match(r.json.message, new RegExp(says));
        }
        await expect(400, as(boss).post(RESPONSES, { message: 'Hello' }));
        await expect(400, as(boss).post(RESPONSES, { responseType: 'welcome' }));
        assert.deepEqual((await expect(200, as(boss).get(`${RESPONSES}?isActive=all`))).json, []);
    });

    it('are so many for a business', LONG, async () => {
        const rest = as(shop().boss);
        const one = { responseType: 'away', message: 'One moment.' };
        for (let i = 0; i < 500; i += 1) {
            await expect(201, rest.post(RESPONSES, one));
        }
        assert.match((await expect(409, rest.post(RESPONSES, one))).json.message, /500/);
        const hidden = (await expect(201, rest.post(RESPONSES, { ...one, isActive: false }))).json;
        await expect(409, rest.put(`${RESPONSES}/${hidden._id}`, { isActive: true }));
    });
});

describe('realtime-seed', () => {
    const server = useServer({ workers: 2 });
    const seed = (business, file) => spawnSync(path.join(ROOT, 'build/realtime-seed'),
        ['--store', server.store, '--business', business, '--file', file],
        { encoding: 'utf8', ...server.user });

    function file(name, content)
    {
        const at = path.join(server.dir, name);
        fs.writeFileSync(at, typeof content === 'string' ? content : JSON.stringify(content));
        return at;
    }

    it('fills a business while it is served, once', LONG, async () => {
        const ours = shop();
        const theirs = shop();
        const salon = path.join(ROOT, 'nginx-conf/salon.json');
        const content = JSON.parse(fs.readFileSync(salon, 'utf8'));
        for (let round = 0; round < 2; round += 1) {
            const done = seed(ours.business, salon);
            assert.equal(done.status, 0, done.stderr);
            const list = (path) => api(server, ours.staff).get(`${path}?isActive=all`);
            assert.deepEqual((await list(FAQS)).json.map((f) => f.question).sort(),
                content.faqs.map((f) => f.question).sort());
            assert.deepEqual((await list(RESPONSES)).json.map((r) => r.name).sort(),
                content.autoResponses.map((r) => r.name).sort());
        }
        const found = await expect(200, api(server, ours.staff).post(`${FAQS}/match`,
            { message: 'when do you open on saturday' }));
        assert.equal(found.json.matches[0].matches, true, found.text);
        assert.deepEqual((await expect(200, api(server, theirs.staff).get(FAQS))).json, []);
    });

    it('says what is wrong; what stands before it is there', LONG, async () => {
        const { business, boss } = shop();
        const good = { question: 'Q?', answer: 'A' };
        const bad = [['{', /JSON object/], ['[]', /JSON object/], [{ faq: [good] }, /neither/],
            [{ faqs: 7 }, /"faqs" must be an array/],
            [{ faqs: [good, { question: 'No answer?' }] }, /answer is required/],
            [{ autoResponses: [{ responseType: 'shout', message: 'A' }] }, /responseType/]];
        for (const [content, reason] of bad) {
            const done = seed(business, file('bad.json', content));
            assert.equal(done.status, 1, `${JSON.stringify(content)}: ${done.stderr}`);
            assert.match(done.stderr, reason);
        }
        assert.equal(seed(business, path.join(server.dir, 'none.json')).status, 1);
        assert.equal(seed(business, file('good.json', { faqs: [good] })).status, 0);
        assert.deepEqual((await expect(200, api(server, boss).get(FAQS))).json.map((f) => f.question),
            [good.question]);
    });
});

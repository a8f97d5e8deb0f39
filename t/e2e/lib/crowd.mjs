// Many people in many rooms, who write down what they hear and notice when anything is missing,
// doubled or out of order.

import assert from 'node:assert/strict';

import { Chat } from './chat.mjs';
import { api, createRoom } from './http.mjs';
import { sleep, SLOW, until } from './nginx.mjs';
import { customer, staff } from './token.mjs';

// One member of one room. With `again`, it reconnects and fetches what it missed.
class Member
{
    constructor(server, who, roomId, options)
    {
        this.server = server;
        this.who = who;
        this.roomId = roomId;
        this.seen = [];             // every seq, in the order it was learned
        this.faults = [];
        this.joins = 0;
        this.chat = new Chat(server, who, options);
        this.chat.got = () => {};   // a crowd keeps no list of events
        const { socket } = this.chat;
        socket.on('chat:new-message', (m) => this.hear(m));
        socket.on('connected', () => this.join());
        socket.on('disconnect', (reason, details) => {
            this.joined = false;
            if (!options.reconnection) {
                this.faults.push(`disconnected: ${reason} ${details?.description?.message ?? ''} `
                    + `${details?.context?.status ?? ''} ${details?.context?.responseText ?? ''}`);
            }
        });
        socket.on('error', (e) => this.faults.push(`error ${JSON.stringify(e)}`));
    }

    get last()
    {
        return this.seen.length ? this.seen[this.seen.length - 1] : 0;
    }

    hear(m)
    {
        if (m.roomId !== this.roomId) {
            this.faults.push(`a message of another room: ${m.roomId}`);
        } else if (!this.joined) {
            this.early.push(m);
        } else if (m.seq !== this.last + 1) {
            this.faults.push(`event ${m.seq} after ${this.last}, over `
                + `${this.chat.socket.io.engine.transport.name}, join ${this.joins} ${this.told}`);
        } else {
            this.seen.push(m.seq);
        }
    }

    async join()
    {
        this.joined = false;
        this.early = [];
        const turn = this.joins += 1;
        this.told = '';
        let answer;
        try {
            answer = await this.chat.ask('chat:join-room', { roomId: this.roomId }, 30000 * SLOW);
        } catch (e) {
            return;     // the connection went; the next one joins again
        }
        if (!answer.success) {
            this.faults.push(`join: ${JSON.stringify(answer)}`);
            return;
        }
        this.told = `to ${answer.lastSeq}`;
        if (turn === 1) {
            for (let seq = this.last + 1; seq <= answer.lastSeq; seq += 1) {
                this.seen.push(seq);
            }
        } else {
            await this.catchUp(answer.lastSeq, turn);
        }
        if (turn !== this.joins) {
            return;
        }
        this.joined = true;
        for (const m of this.early.splice(0)) {
            if (m.seq <= answer.lastSeq) {
                this.faults.push(`event ${m.seq}, at or below lastSeq ${answer.lastSeq}`);
            } else {
                this.hear(m);
            }
        }
    }

    // By REST, as a client does that was away: afterSeq until lastSeq.
    async catchUp(lastSeq, turn)
    {
        while (this.last < lastSeq && turn === this.joins) {
            let r;
            try {
                r = await api(this.server, this.who)
                    .get(`/chat/rooms/${this.roomId}/messages?afterSeq=${this.last}&limit=100`);
            } catch {
                await sleep(50);
                continue;
            }
            if (r.status >= 502 && r.status <= 504) {
                await sleep(50);    // a worker died with the request: anybody would ask again
                continue;
            }
            if (r.status !== 200) {
                this.faults.push(`afterSeq: ${r.status} ${r.text}`);
                return;
            }
            for (const m of r.json.messages) {
                if (m.seq > lastSeq) {
                    return;
                }
                if (m.seq !== this.last + 1) {
                    this.faults.push(`history ${m.seq} after ${this.last}`);
                }
                this.seen.push(m.seq);
            }
        }
    }
}

export class Crowd
{
    // options(i): the socket options of member i
    constructor(server, { rooms, each, options })
    {
        this.server = server;
        this.sizes = { rooms, each };
        this.options = options;
        this.acked = new Map();     // room → Map(seq → content)
        this.refused = [];          // what was not acknowledged, and why
    }

    async gather()
    {
        const { rooms, each } = this.sizes;
        this.rooms = [];
        this.members = [];
        for (let r = 0; r < rooms; r += 1) {
            // a business each: staff hear of every room of theirs, and this is about messages
            const business = `crowd-${r}`;
            const anna = customer({ business });
            const roomId = await createRoom(this.server, anna);
            this.rooms.push({ roomId, anna });
            this.acked.set(roomId, new Map());
            for (let i = 0; i < each; i += 1) {
                const n = r * each + i;
                this.members.push(new Member(this.server, i === 0 ? anna : staff({ business }), roomId,
                    this.options(n)));
            }
            if (r % 10 === 9) {
                await until('a part of the crowd has joined', () => this.members.every((m) =>
                    m.joined || m.faults.length), 60000 * SLOW);
            }
        }
        await until('the crowd has joined', () => this.members.every((m) => m.joined
            || m.faults.length), 60000 * SLOW);
        this.check();
    }

    // Writes `count` messages into every room, `parallel` members of it at a time.
    async write(count, parallel = 2)
    {
        await Promise.all(this.rooms.map(async ({ roomId }) => {
            const members = this.members.filter((m) => m.roomId === roomId);
            let n = 0;
            await Promise.all(members.slice(0, parallel).map(async (member, w) => {
                while (n < count) {
                    n += 1;
                    await this.say(member, `w${w} ${n}`);
                }
            }));
        }));
    }

    async say(member, content)
    {
        try {
            if (!member.chat.socket.connected) {
                await sleep(50);
                return;
            }
            const r = await member.chat.ask('chat:send-message', { roomId: member.roomId, content },
                20000 * SLOW);
            if (r.success) {
                this.acked.get(member.roomId).set(r.seq, content);
            } else {
                this.refused.push(`${content}: ${JSON.stringify(r)}`);
                if (!['UNAVAILABLE'].includes(r.code)) {
                    member.faults.push(`send: ${JSON.stringify(r)}`);
                }
            }
        } catch (e) {   // no answer: it may be stored or not
            this.refused.push(`${content}: ${e.message}, connected ${member.chat.socket.connected}`);
        }
    }

    // What is in the store, by REST: room → Map(seq → content), without holes.
    async stored()
    {
        const all = new Map();
        for (const { roomId, anna } of this.rooms) {
            const messages = new Map();
            for (let after = 0, more = true; more;) {
                const r = await api(this.server, anna)
                    .get(`/chat/rooms/${roomId}/messages?afterSeq=${after}&limit=100`);
                assert.equal(r.status, 200, r.text);
                for (const m of r.json.messages) {
                    assert.equal(m.seq, after + 1, `a hole in room ${roomId}`);
                    after = m.seq;
                    messages.set(m.seq, m.content);
                }
                more = r.json.hasMore;
            }
            all.set(roomId, messages);
        }
        return all;
    }

    check()
    {
        const faults = this.members.flatMap((m) => m.faults.slice(0, 1));
        assert.deepEqual(faults.slice(0, 10), [], `${faults.length} faults`);
    }

    // Everybody has heard everything, in order, once; what was acknowledged is stored.
    async settle(timeoutMs = 30000 * SLOW)
    {
        const stored = await this.stored();
        for (const [roomId, acked] of this.acked) {
            for (const [seq, content] of acked) {
                assert.equal(stored.get(roomId).get(seq), content, `acknowledged seq ${seq}`);
            }
        }
        const behind = () => this.members.filter((m) => m.last < stored.get(m.roomId).size);
        await until('everybody has heard everything', () => behind().length === 0
            || this.members.some((m) => m.faults.length), timeoutMs)
            .catch((e) => {
                throw new Error(`${e.message}: ${behind().length} of ${this.members.length} are behind, as `
                    + behind().slice(0, 3).map((m) => `${m.last} of ${stored.get(m.roomId).size}`
                    + `, connected ${m.chat.socket.connected}, joined ${m.joined}`).join('; '));
            });
        this.check();
        for (const m of this.members) {
            assert.equal(m.seen.length, stored.get(m.roomId).size);
        }
        return [...stored.values()].reduce((n, s) => n + s.size, 0);
    }

    leave()
    {
        this.check();
        this.members.forEach((m) => m.chat.close());
    }
}

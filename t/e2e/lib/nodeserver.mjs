// A Node server of a Socket.IO cluster: socket.io with @socket.io/redis-adapter, as a team has it
// that moves to nginx. Its clients join the rooms that they name when they connect.

import http from 'node:http';

import { createAdapter } from '@socket.io/redis-adapter';
import { Redis as Client } from 'ioredis';
import { Server } from 'socket.io';

import { Chat } from './chat.mjs';

export class NodeServer
{
    // redis: lib/redis.mjs; options: of createAdapter
    constructor(redis, options = {})
    {
        this.redis = redis;
        this.options = options;
        this.closes = [];
    }

    async start()
    {
        const client = () => {
            const c = new Client(this.redis.port, '127.0.0.1', { retryStrategy: () => 100 });
            c.on('error', () => {});
            return c;
        };
        this.pub = client();
        this.sub = client();
        this.http = http.createServer();
        this.io = new Server(this.http, { adapter: createAdapter(this.pub, this.sub, this.options) });
        this.nsp = this.io.of('/realtime');
        this.nsp.on('connection', (socket) => {
            socket.join(socket.handshake.auth.rooms || []);
            socket.on('join', (room, done) => { socket.join(room); done(); });
            socket.emit('connected', { rooms: [...socket.rooms] });
        });
        await new Promise((resolve) => this.http.listen(0, '127.0.0.1', resolve));
        this.url = `http://127.0.0.1:${this.http.address().port}`;
        return this;
    }

    onClose(close)
    {
        this.closes.push(close);
    }

    // A client of this server that is in these rooms.
    async connect(rooms)
    {
        const chat = new Chat(this, null, { auth: { rooms } });
        await chat.next('connected');
        return chat;
    }

    async stop()
    {
        this.closes.forEach((close) => close());
        await this.io.close();
        await Promise.all([this.pub.quit(), this.sub.quit()]);
    }
}

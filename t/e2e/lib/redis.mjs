// A real redis-server of its own, and a wire to it that can be cut.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { freePort, ROOT, SLOW, until } from './nginx.mjs';

// what the package for Node brings for its tests
const require = createRequire(path.join(ROOT, 'clients/node/package.json'));

const running = new Set();

process.on('exit', () => {
    for (const redis of running) {
        redis.child?.kill('SIGKILL');
        fs.rmSync(redis.dir, { recursive: true, force: true });
    }
});

export class Redis
{
    // args: more arguments of redis-server
    constructor(args = [])
    {
        this.args = args;
    }

    async start()
    {
        if (!this.dir) {
            this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rt-redis-'));
            this.port = await freePort();
            running.add(this);
        }
        this.child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1',
            '--save', '', '--dir', this.dir, '--databases', '16384', '--loglevel', 'warning',
            ...this.args], { stdio: ['ignore', 'ignore', 'inherit'] });
        await until('redis answers', () => this.answers(), 10000 * SLOW);
        return this;
    }

    answers()
    {
        return new Promise((resolve) => {
            const socket = net.connect(this.port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
            socket.on('error', () => resolve(false));
        });
    }

    cli(...args)
    {
        const r = spawnSync('redis-cli', ['-p', String(this.port), ...args], { encoding: 'utf8' });
        if (r.status !== 0) {
            throw new Error(`redis-cli ${args.join(' ')}: ${r.stdout}${r.stderr}`);
        }
        return r.stdout;
    }

    // A connection of a service; it comes back when Redis does.
    client(options = {})
    {
        const { default: Ioredis } = require('ioredis');
        const client = new Ioredis({ port: this.port, host: '127.0.0.1', ...options });
        client.on('error', () => {});
        return client;
    }

    // Ends it as a crash would.
    async kill()
    {
        const gone = new Promise((resolve) => { this.child.on('exit', resolve); });
        this.child.kill('SIGKILL');
        await gone;
    }

    pause()
    {
        this.child.kill('SIGSTOP');
    }

    resume()
    {
        this.child.kill('SIGCONT');
    }

    async stop()
    {
        if (this.child && this.child.exitCode === null && this.child.signalCode === null) {
            this.resume();
            await this.kill();
        }
        running.delete(this);
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
}

// Forwards connections to a port, until it is cut: then nothing passes any more and nobody is told.
export class Wire
{
    constructor(port)
    {
        this.target = port;
        this.pairs = new Set();
        this.isCut = false;
    }

    async start()
    {
        this.server = net.createServer({ pauseOnConnect: true }, (near) => this.join(near));
        await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
        this.port = this.server.address().port;
        return this;
    }

    join(near)
    {
        const far = net.connect(this.target, '127.0.0.1');
        const pair = { near, far };
        this.pairs.add(pair);
        const end = () => {
            this.pairs.delete(pair);
            near.destroy();
            far.destroy();
        };
        for (const [from, to] of [[near, far], [far, near]]) {
            from.on('error', end);
            from.on('close', () => { if (!this.isCut) { end(); } });
            from.on('data', (data) => { if (!this.isCut) { to.write(data); } });
        }
        near.resume();
    }

    cut()
    {
        this.isCut = true;
    }

    // What was cut stays broken, as after a partition that lasted: the connections are reset.
    mend()
    {
        this.isCut = false;
        for (const { near, far } of this.pairs) {
            near.resetAndDestroy?.();
            far.destroy();
        }
        this.pairs.clear();
    }

    async stop()
    {
        this.isCut = false;
        for (const { near, far } of this.pairs) {
            near.destroy();
            far.destroy();
        }
        await new Promise((resolve) => this.server.close(resolve));
    }
}

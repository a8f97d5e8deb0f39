// A real mongod, as a replica set of one or standing alone, on a free port in a directory of its own.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { MongoClient } from 'mongodb';

const HERE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

// $MONGOD, or what scripts/install-test-deps has installed; null: there is none
export function mongodProgram()
{
    const file = process.env.MONGOD || path.join(HERE, '.mongod/mongod');
    return fs.existsSync(file) ? file : null;
}

function freePort()
{
    const server = net.createServer();
    return new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

export class Mongod
{
    // options: alone; oplog: its size in MB
    constructor(options = {})
    {
        this.options = options;
    }

    async start()
    {
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rt-mongod-'));
        this.port = await freePort();
        this.uri = `mongodb://127.0.0.1:${this.port}/`;
        this.onExit = () => this.end();
        process.on('exit', this.onExit);
        await this.run();
        return this;
    }

    // also again, on the data that it has
    async run()
    {
        this.child = spawn(mongodProgram(), ['--dbpath', this.dir, '--port', String(this.port),
            '--bind_ip', '127.0.0.1', '--nounixsocket',
            ...(this.options.alone ? [] : ['--replSet', 'rs', '--oplogSize',
                String(this.options.oplog || 128)]),
            // an oplog is cut only up to the last checkpoint
            ...(this.options.oplog ? ['--syncdelay', '1'] : []),
            '--wiredTigerCacheSizeGB', '0.5', '--logpath', path.join(this.dir, 'log'),
            '--logappend'], { stdio: 'ignore' });
        this.exited = new Promise((resolve) => { this.child.on('exit', resolve); });
        const client = new MongoClient(this.uri, { directConnection: true,
            serverSelectionTimeoutMS: 30000 });
        try {
            const admin = client.db('admin');
            await admin.command({ ping: 1 });
            if (this.options.alone) {
                return;
            }
            await admin.command({ replSetInitiate: { _id: 'rs',
                members: [{ _id: 0, host: `127.0.0.1:${this.port}` }] } })
                .catch(() => {});       // it is one already
            for (let i = 0; i < 600; i += 1) {
                if ((await admin.command({ hello: 1 })).isWritablePrimary) {
                    return;
                }
                await new Promise((resolve) => { setTimeout(resolve, 50); });
            }
            throw new Error('mongod does not become primary');
        } finally {
            await client.close();
        }
    }

    signal(name)
    {
        this.child.kill(name);
    }

    async kill()
    {
        this.child.kill('SIGKILL');
        await this.exited;
    }

    end()
    {
        this.child.kill('SIGKILL');
        fs.rmSync(this.dir, { recursive: true, force: true });
    }

    async stop()
    {
        process.off('exit', this.onExit);
        await this.kill();
        this.end();
    }
}

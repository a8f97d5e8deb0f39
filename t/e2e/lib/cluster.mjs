// Several nginx as the hosts of one cluster: one Redis, one store, and before them an nginx that
// deals requests out in turn, without affinity.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';

import { Server } from './nginx.mjs';
import { Redis, Wire } from './redis.mjs';

export class Cluster
{
    // options: hosts (2), and those of each host's Server; redis: arguments of redis-server;
    // redisMore: more parameters of realtime_redis;
    // wires: each host reaches Redis over a wire that can be cut
    constructor(options = {})
    {
        const { hosts = 2, redis = [], redisMore = '', wires = false, ...rest } = options;
        this.redisMore = redisMore;
        this.count = hosts;
        this.wired = wires;
        this.options = rest;
        this.redis = new Redis(redis);
        this.wires = [];
        this.hosts = [];
    }

    async start()
    {
        await this.redis.start();
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rt-cluster-'));
        fs.chmodSync(this.dir, 0o777);
        this.store = this.options.store || `sqlite:${this.dir}/rt.db`;

        for (let i = 0; i < this.count; i += 1) {
            this.wires.push(this.wired ? await new Wire(this.redis.port).start() : null);
            this.hosts.push(await this.startHost(i));
        }

        this.front = new Server({ secret: null, store: null, connections: 16384,
            ...this.frontConf() });
        await this.front.start();
        this.url = this.front.url;
        this.port = this.front.port;
        return this;
    }

    async startHost(i)
    {
        const { http = '', ...rest } = this.options;
        const port = this.wires[i]?.port || this.redis.port;
        const bus = path.join(this.dir, `bus-${i}`);
        return new Server({ ...rest, store: this.store, redis: null, port: this.hosts[i]?.port,
            http: `realtime_redis 127.0.0.1:${port} ${this.redisMore}; realtime_bus_dir ${bus}; ${http}` }).start();
    }

    // After a host was killed: a new one at its place.
    async restartHost(i)
    {
        this.hosts[i] = await this.startHost(i);
        return this.hosts[i];
    }

    frontConf()
    {
        const upstream = this.hosts.map((h) => `server 127.0.0.1:${h.port} max_fails=1 fail_timeout=2s;`);
        return {
            http: `upstream hosts { ${upstream.join(' ')} }
                map $http_upgrade $connection_upgrade { default upgrade; '' close; }`,
            locations: `location / {
                proxy_pass http://hosts;
                proxy_http_version 1.1;
                proxy_set_header Host $http_host;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $connection_upgrade;
                proxy_buffering off;
                proxy_read_timeout 1h;
                proxy_connect_timeout 2s;
                proxy_next_upstream error timeout;
                client_max_body_size 8m;
            }`,
        };
    }

    onClose(close)
    {
        this.front.onClose(close);
    }

    async stop()
    {
        await this.front?.closeClients();
        for (const server of [...this.hosts, this.front]) {
            await server?.stop();
        }
        for (const wire of this.wires) {
            await wire?.stop();
        }
        await this.redis.stop();
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
}

// For describe(): a cluster that lives as long as the suite.
export function useCluster(options = {})
{
    const cluster = new Cluster(options);
    before(() => cluster.start(), { timeout: 60000 });
    after(() => cluster.stop(), { timeout: 120000 });
    return cluster;
}

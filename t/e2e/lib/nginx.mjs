// Starts a real nginx with the module in a directory of its own, and judges its log at the end.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before } from 'node:test';

import { SECRET } from './token.mjs';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

// NGINX_BINARY: an nginx with the module linked in (make asan); else the installed one.
// Absolute, since a binary upgrade executes it by the same name without looking it up.
const BINARY = process.env.NGINX_BINARY ? path.resolve(process.env.NGINX_BINARY) : find('nginx');
const MODULE = process.env.NGINX_BINARY ? null
    : process.env.REALTIME_MODULE || path.join(ROOT, 'build/ngx_http_realtime_module.so');

// STORE=mongo t/run: where databases are to be made.
export const MONGODB = process.env.MONGODB_TEST_URI;

// A sanitized nginx on a busy machine is several times slower.
export const SLOW = Number(process.env.SLOW || (process.env.NGINX_BINARY ? 3 : 1));

const BAD_LOG = /\[(alert|crit|emerg)\]|open socket .*left|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:/;

function find(name)
{
    const dirs = [...(process.env.PATH || '').split(':'), '/usr/sbin', '/usr/local/sbin'];
    return dirs.map((d) => path.join(d, name)).find((f) => fs.existsSync(f)) || name;
}

// nginx reads and writes four bytes at a time where the processor allows it, and shifts into signs.
const KNOWN_LOG = /^src\/(core|event|http|os)\/.*runtime error: (load of|store to) misaligned|^src\/core\/ngx_murmurhash\.c.*left shift/;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, test, timeoutMs = 5000 * SLOW)
{
    const end = Date.now() + timeoutMs;
    for (;;) {
        const value = await test();
        if (value) {
            return value;
        }
        if (Date.now() > end) {
            throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
        }
        await sleep(20);
    }
}

export async function freePort()
{
    const server = net.createServer();
    await new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

export function alive(pid)
{
    try {
        process.kill(pid, 0);
    } catch {
        return false;
    }
    try {   // a zombie still takes signals
        return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
        return false;
    }
}

export function childrenOf(pid)
{
    try {
        return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
            .trim().split(' ').filter(Boolean).map(Number);
    } catch {
        return [];
    }
}

// As many files as the machine allows; asking for more is an [alert].
function fileLimit()
{
    const line = /^Max open files\s+\S+\s+(\S+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'));
    return Math.min(65536, line[1] === 'unlimited' ? 65536 : Number(line[1]));
}

// The user that workers run as; files they write to must be theirs.
function workerUser()
{
    if (process.getuid() !== 0) {
        return null;
    }
    const passwd = fs.readFileSync('/etc/passwd', 'utf8').split('\n').map((l) => l.split(':'));
    const entry = passwd.find((f) => f[0] === 'www-data') || passwd.find((f) => f[0] === 'nobody');
    return { name: entry[0], uid: Number(entry[2]), gid: Number(entry[3]) };
}

// Servers that run: whatever ends this process ends them.
const running = new Set();

process.on('exit', () => {
    for (const server of running) {
        for (const pid of server.masters().flatMap((m) => [...childrenOf(m), m])) {
            server.signal('SIGKILL', pid);
        }
        fs.rmSync(server.dir, { recursive: true, force: true });
    }
});
for (const name of ['SIGTERM', 'SIGINT']) {
    process.on(name, () => process.exit(1));
}

export class Server
{
    // options: workers, main, events, http, server, locations (texts of configuration that are
    // put there; locations replaces the default ones), realtime (directives inside the default
    // realtime locations), secret, env, keepStore (directory of an earlier one), tls, http2,
    // assistant (true: on; most suites look at what people say, and have it off),
    // redis (null: none, even where t/run has one), port (a fixed one), daemon (a binary upgrade needs it), allowLog (regular expressions of bad lines that this test brings about itself)
    constructor(options = {})
    {
        this.options = options;
        this.toClose = [];
        this.allowLog = options.allowLog || [];
    }

    async start()
    {
        if (process.env.REFERENCE_URL) {    // the tests themselves are tried on another server
            this.url = process.env.REFERENCE_URL;
            return this;
        }
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rt-'));
        running.add(this);
        fs.chmodSync(this.dir, 0o755);
        this.user = workerUser();
        this.data = this.mkdir('data', 0o700);
        this.mkdir('tmp', 0o700);
        this.port = this.options.port || await freePort();
        this.url = `http://127.0.0.1:${this.port}`;
        if (this.options.tls) {
            this.tlsPort = await freePort();
            this.tlsUrl = `https://127.0.0.1:${this.tlsPort}`;
            this.makeCertificate();
        }
        this.store = this.options.store ?? this.defaultStore();
        this.conf = path.join(this.dir, 'nginx.conf');
        this.log = path.join(this.dir, 'error.log');
        fs.writeFileSync(this.log, '');
        this.writeConf();
        this.spawn();
        await this.waitUp();
        return this;
    }

    mkdir(name, mode)
    {
        const dir = path.join(this.dir, name);
        fs.mkdirSync(dir, { recursive: true });
        fs.chmodSync(dir, mode);
        if (this.user) {
            fs.chownSync(dir, this.user.uid, this.user.gid);
        }
        return dir;
    }

    // A store of its own: a file, or a database of the mongod that t/run has started.
    defaultStore()
    {
        const name = `rt-${path.basename(this.dir)}`;
        return MONGODB ? `${MONGODB}${name}` : `sqlite:${this.data}/rt.db`;
    }

    makeCertificate()
    {
        const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes',
            '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
            '-keyout', path.join(this.dir, 'key.pem'), '-out', path.join(this.dir, 'cert.pem')]);
        assert.equal(made.status, 0, String(made.stderr));
    }

    writeConf(text = this.confText())
    {
        fs.writeFileSync(this.conf, text);
    }

    confText(options = this.options)
    {
        const o = options;
        const workers = o.workers || 1;
        const reuseport = workers > 1 ? ' reuseport' : '';
        const secret = o.secret === null ? '' : `realtime_jwt_secret "${o.secret || SECRET}";`;
        const store = o.store === null ? '' : `realtime_store ${o.store || this.store};`;
        const bus = /realtime_bus_dir/.test(o.http) ? '' : `realtime_bus_dir ${this.data}/rt.db.bus;`;
        const tls = o.tls ? `listen 127.0.0.1:${this.tlsPort} ssl${o.http2 ? ' http2' : ''}${reuseport};
        ssl_certificate ${this.dir}/cert.pem;
        ssl_certificate_key ${this.dir}/key.pem;` : '';
        const locations = o.locations ?? `
        location /socket.io/ { realtime on; ${o.realtime || ''} }
        location /realtime { realtime on; ${o.realtime || ''} }
        location /api/ { realtime_api on; ${o.api || ''} }`;

        return `
${MODULE ? `load_module ${MODULE};` : ''}
daemon ${o.daemon ? 'on' : 'off'};
worker_processes ${workers};
worker_rlimit_nofile ${fileLimit()};
${this.user ? `user ${this.user.name};` : ''}
pid ${this.dir}/nginx.pid;
error_log ${this.log} ${o.logLevel || 'info'};
${o.main || ''}
events { worker_connections ${o.connections || 4096}; ${o.events || ''} }
http {
    access_log off;
    server_tokens off;
    client_body_temp_path ${this.dir}/tmp/body;
    proxy_temp_path ${this.dir}/tmp/proxy;
    fastcgi_temp_path ${this.dir}/tmp/fastcgi;
    uwsgi_temp_path ${this.dir}/tmp/uwsgi;
    scgi_temp_path ${this.dir}/tmp/scgi;
    ${store}
    ${o.assistant ? '' : 'realtime_assistant off;'}
    ${this.redisConf()}
    ${bus}
    ${secret}
    ${o.http || ''}
    server {
        listen 127.0.0.1:${this.port}${reuseport} backlog=4096;
        ${tls}
        ${o.server || ''}
        location = /_up { return 200 up; }
        ${locations}
    }
}
`;
    }

    // With REDIS_TEST_PORT (t/run starts one with REDIS=yes) every server is a host of its own
    // cluster: a database each, since that is part of the channels' names.
    redisConf()
    {
        const port = process.env.REDIS_TEST_PORT;
        if (!port || this.options.redis === null || this.options.store === null) {
            return '';
        }
        this.redisDb ??= Math.floor(Math.random() * 16384);
        return `realtime_redis 127.0.0.1:${port} db=${this.options.redisDb ?? this.redisDb};`;
    }

    args(more = [])
    {
        return ['-p', this.dir, '-c', this.conf, '-e', this.log, ...more];
    }

    environment()
    {
        const env = { ...process.env, ...(this.options.env || {}) };
        env.LSAN_OPTIONS ??= `print_suppressions=0:suppressions=${path.join(ROOT, 't/lib/lsan.supp')}`;
        for (const name of Object.keys(env)) {
            if (env[name] === undefined) {
                delete env[name];
            }
        }
        return env;
    }

    spawn()
    {
        const err = fs.openSync(path.join(this.dir, 'stderr.log'), 'a');
        this.child = spawn(BINARY, this.args(), { stdio: ['ignore', err, err],
            env: this.environment() });
        fs.closeSync(err);
        this.exited = new Promise((resolve) => {
            this.child.on('exit', (code, signal) => {
                this.exit = { code, signal };
                resolve(this.exit);
            });
            this.child.on('error', (e) => {
                this.exit = { code: 127, signal: null, error: e };
                resolve(this.exit);
            });
        });
        this.pid = this.child.pid;
    }

    async waitUp()
    {
        await until(`nginx on port ${this.port} answers`, async () => {
            if (this.exit && !(this.options.daemon && this.exit.code === 0)) {
                const log = this.logText();
                fs.rmSync(this.dir, { recursive: true, force: true });
                throw new Error(`nginx did not start (${JSON.stringify(this.exit)}):\n${log}`);
            }
            return new Promise((resolve) => {
                const r = http.get(`${this.url}/_up`, { agent: false }, (res) => {
                    res.resume();
                    resolve(res.statusCode === 200);
                });
                r.on('error', () => resolve(false));
                r.setTimeout(1000, () => r.destroy());
            });
        }, 10000 * SLOW);
    }

    // nginx -t (or other arguments) with this server's configuration, beside the running one
    run(more)
    {
        // nginx -t ends without freeing what it read
        const env = { ...this.environment(),
            ASAN_OPTIONS: `${process.env.ASAN_OPTIONS || ''}:detect_leaks=0` };
        const r = spawnSync(BINARY, this.args(more), { env, encoding: 'utf8' });
        return { code: r.status, output: r.stdout + r.stderr };
    }

    master()
    {
        return Number(fs.readFileSync(path.join(this.dir, 'nginx.pid'), 'utf8'));
    }

    // pids of the workers, helpers (cache manager …) left out
    workers(master = this.master())
    {
        return childrenOf(master).filter((pid) => {
            try {
                return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('nginx: worker process');
            } catch {
                return false;
            }
        });
    }

    signal(name, pid = this.master())
    {
        try {
            process.kill(pid, name);
        } catch (e) {
            if (e.code !== 'ESRCH') {
                throw e;
            }
        }
    }

    // Reload, and wait until new workers serve. Old ones may still drain: oldWorkers says which.
    async reload()
    {
        this.oldWorkers = this.workers();
        this.signal('SIGHUP');
        const wanted = this.options.workers || 1;
        await until('new workers after reload', () =>
            this.workers().filter((p) => !this.oldWorkers.includes(p)).length >= wanted, 10000 * SLOW);
    }

    logText()
    {
        let text = '';
        for (const name of ['error.log', 'stderr.log']) {
            try {
                text += fs.readFileSync(path.join(this.dir, name), 'utf8');
            } catch {
                // not written
            }
        }
        return text;
    }

    badLog()
    {
        return this.logText().split('\n').filter((line) =>
            BAD_LOG.test(line) && !KNOWN_LOG.test(line) && !this.allowLog.some((re) => re.test(line)));
    }

    onClose(close)
    {
        this.toClose.push(close);
    }

    async closeClients()
    {
        for (const close of this.toClose.splice(0)) {
            try {
                await close();
            } catch {
                // it was closed before
            }
        }
    }

    // Ends nginx gracefully and fails when it had something to complain about.
    async stop()
    {
        await this.closeClients();
        if (!this.dir) {
            return;
        }
        const problems = [];
        const masters = this.masters();
        if (masters.length) {
            const pids = [...masters, ...masters.flatMap(childrenOf)];
            masters.forEach((pid) => this.signal('SIGQUIT', pid));
            if (!await this.gone(pids, 10000 * SLOW)) {
                problems.push(`still running 10 s after QUIT: ${pids.filter(alive)}`);
                pids.filter(alive).forEach((pid) => this.signal('SIGKILL', pid));
                await this.gone(pids, 2000);
            }
        }
        if (this.exit && this.exit.code !== 0) {
            problems.push(`nginx ended with ${JSON.stringify(this.exit)}`);
        }
        problems.push(...this.badLog());
        if (problems.length && process.env.KEEP) {
            console.error(`kept ${this.dir}`);
        } else {
            fs.rmSync(this.dir, { recursive: true, force: true });
        }
        running.delete(this);
        this.dir = null;
        assert.deepEqual(problems, [], 'nginx ended without complaint');
    }

    // the running master, or both while a binary upgrade is under way
    masters()
    {
        const pids = [];
        for (const name of ['nginx.pid', 'nginx.pid.oldbin']) {
            try {
                pids.push(Number(fs.readFileSync(path.join(this.dir, name), 'utf8')));
            } catch {
                // there is none
            }
        }
        if (this.child && !this.exit && !pids.includes(this.pid)) {
            pids.push(this.pid);
        }
        return pids.filter(alive);
    }

    async gone(pids, timeoutMs)
    {
        try {
            await until('exit', () => !pids.some(alive), timeoutMs);
            return true;
        } catch {
            return false;
        }
    }
}

// For describe(): an nginx that lives as long as the suite.
export function useServer(options = {})
{
    const server = new Server(options);
    before(() => server.start(), { timeout: 60000 });
    after(() => server.stop(), { timeout: 60000 });
    return server;
}

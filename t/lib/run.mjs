// Runs t/*.t by prove and t/e2e/*.test.mjs by node's own runner, some at a time, and sums up.
//
//   t/run [-j N] [-v] [name …]     name: part of a file's path; none: all
//
// STORE=mongo in the environment: the servers of t/e2e keep their data in a mongod, a database each.
// REDIS=yes: there is a Redis, and every server is told to use it. Files that load the machine (names
// from 70 on) run alone, after the others.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const FILE_TIMEOUT_MS = 360000 * Number(process.env.SLOW || (process.env.NGINX_BINARY ? 3 : 1))
    * Number(process.env.SCALE || 1);

function options(argv)
{
    const o = { jobs: 2, verbose: false, names: [] };
    for (let i = 0; i < argv.length; i += 1) {
        if (argv[i] === '-v') {
            o.verbose = true;
        } else if (argv[i] === '-j') {
            o.jobs = Number(argv[i += 1]);
        } else {
            o.names.push(argv[i]);
        }
    }
    return o;
}

function list(dir, suffix)
{
    const full = path.join(HERE, dir);
    return fs.existsSync(full)
        ? fs.readdirSync(full).filter((f) => f.endsWith(suffix)).sort().map((f) => path.join(dir, f))
        : [];
}

function command(file)
{
    if (file.endsWith('.t')) {
        return ['prove', ['-v', '-I', '.', file]];
    }
    return [process.execPath, ['--test-reporter=tap', file]];
}

// Runs one file; { file, code, output, passed, failed, skipped, ms }
function run(file)
{
    return new Promise((resolve) => {
        const [program, args] = command(file);
        const start = Date.now();
        const child = spawn(program, args, { cwd: HERE, stdio: ['ignore', 'pipe', 'pipe'],
            env: { ...process.env, PYTHONPATH: path.join(HERE, '.python') } });
        let output = '';
        const take = (part) => { output += part; };
        child.stdout.on('data', take);
        child.stderr.on('data', take);
        const timer = setTimeout(() => {
            output += `\nnot ok - ${file} took longer than ${FILE_TIMEOUT_MS} ms\n`;
            child.kill('SIGTERM');
            setTimeout(() => child.kill('SIGKILL'), 2000).unref();
        }, FILE_TIMEOUT_MS);
        const done = (code) => {
            clearTimeout(timer);
            resolve({ file, code, output, ms: Date.now() - start, ...count(file, output, code) });
        };
        child.on('error', (e) => { output += String(e); done(127); });
        child.on('close', done);
    });
}

function count(file, output, code)
{
    let [passed, failed, skipped] = [0, 0, 0];
    if (file.endsWith('.t')) {
        for (const line of output.split('\n')) {
            if (/^ok \d+ .*# skip/i.test(line)) {
                skipped += 1;
            } else if (/^ok \d+/.test(line)) {
                passed += 1;
            } else if (/^not ok \d+/.test(line)) {
                failed += 1;
            } else if (/\.\. skipped:/.test(line)) {
                skipped += 1;
            }
        }
    } else {
        const number = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(output)?.[1] || 0);
        passed = number('pass');
        failed = number('fail') + number('cancelled');
        skipped = number('skipped');
        if (failed === 0) {     // hooks that failed make their suite red, not a test
            failed = (output.match(/^not ok /gm) || []).length;
        }
    }
    if (code !== 0 && failed === 0) {
        failed = 1;
    }
    return { passed, failed, skipped };
}

async function pool(files, jobs, each)
{
    const queue = files.slice();
    await Promise.all(Array.from({ length: jobs }, async () => {
        while (queue.length) {
            await each(await run(queue.shift()));
        }
    }));
}

// The tests must not take STORE for that of `make run`.
async function startStore()
{
    const { STORE } = process.env;
    delete process.env.STORE;
    if (STORE !== 'mongo') {
        return null;
    }
    const { Mongod, mongodProgram } = await import('./mongod.mjs');
    if (!mongodProgram()) {
        console.error('t/run: STORE=mongo needs a mongod: scripts/install-test-deps, or MONGOD=…');
        process.exit(2);
    }
    const mongod = await new Mongod().start();
    process.env.MONGODB_TEST_URI = mongod.uri;
    return mongod;
}

async function main()
{
    const o = options(process.argv.slice(2));
    let redis;
    if (process.env.REDIS === 'yes') {
        const { Redis } = await import('../e2e/lib/redis.mjs');
        redis = await new Redis().start();
        process.env.REDIS_TEST_PORT = String(redis.port);
    }
    const store = await startStore();
    const files = [...list('.', '.t'), ...list('e2e', '.test.mjs')]
        .filter((f) => o.names.length === 0 || o.names.some((n) => f.includes(n)));
    if (files.length === 0) {
        console.error('t/run: no such test');
        process.exit(2);
    }

    const results = [];
    const report = (r) => {
        results.push(r);
        const state = r.failed ? 'FAILED' : 'ok';
        console.log(`${state.padEnd(7)}${r.file}  ${r.passed} passed, ${r.failed} failed, `
            + `${r.skipped} skipped, ${(r.ms / 1000).toFixed(1)} s`);
        if (r.failed || o.verbose) {
            console.log(r.output.split('\n').map((line) => `    ${line}`).join('\n'));
        }
    };
    const alone = (f) => Number(/^\d+/.exec(path.basename(f))?.[0] || 0) >= 70;
    await pool(files.filter((f) => !alone(f)), o.jobs, report);
    await pool(files.filter(alone), 1, report);

    await store?.stop();

    const sum = (key) => results.reduce((n, r) => n + r[key], 0);
    const red = results.filter((r) => r.failed).map((r) => r.file);
    if (red.length) {
        console.log(`failed: ${red.join(' ')}`);
    }
    console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
    await redis?.stop();
    process.exit(red.length ? 1 : 0);
}

await main();

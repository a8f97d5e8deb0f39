// Every event that services may raise, as docs/events.md tells it: with a payload that names who and
// what, and what is made of it.

import fs from 'node:fs';
import path from 'node:path';

import { ROOT } from './nginx.mjs';

const [, table] = /<!-- events -->\n((?:\|.*\n)+)/.exec(
    fs.readFileSync(path.join(ROOT, 'docs/events.md'), 'utf8'));

export const EVENTS = table.trim().split('\n').slice(2).map((line) => {
    const [event, payload, title, message, priority] = line.slice(2, -2).split(' | ');
    const name = event.replaceAll('`', '');
    return { event: name, type: name.split('.')[0], payload: JSON.parse(payload.replaceAll('`', '')),
        title, message, priority };
});

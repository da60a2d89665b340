/*
 * People at work: changes of the application's data, so many a second, the same for the same seed.
 *
 *   node load.mjs --data data --rate 100 --for 60 --seed 1
 *   node load.mjs --fill                       only make the records there are before anybody changes them
 *
 * Of a hundred changes some are deletes (--deletes) and some records no table takes (--bad): an unknown plan, a budget
 * that is no number, half of a surrogate pair. A bad record is put right two seconds later. The last line of
 * standard output says what was done. --record FILE keeps each change as a line of JSON.
 *
 * No dependencies; Node 18 or later. Run one at a time: the application's files have one writer.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as rest } from 'node:timers/promises';
import { KINDS, Store } from './app.mjs';

const TICK_MS = 20;
const REPAIR_MS = 2000;
const PLANS = ['free', 'team', 'business'];
const PER_TENANT = { users: 20, projects: 20, chats: 8, messages: 15 };

const { values: given } = parseArgs({
  options: {
    data: { type: 'string', default: 'data' },
    rate: { type: 'string', default: '100' },
    for: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    tenants: { type: 'string', default: '20' },
    deletes: { type: 'string', default: '5' },
    bad: { type: 'string', default: '1' },
    record: { type: 'string' },
    fill: { type: 'boolean', default: false },
  },
});

/* mulberry32: small, seeded, good enough to choose by. */
let state = Number(given.seed) >>> 0;
function random() {
  state = (state + 0x6D2B79F5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const below = (limit) => Math.floor(random() * limit);
const pick = (list) => list[below(list.length)];

const store = new Store(given.data);
const tenants = Array.from({ length: Number(given.tenants) }, (_, i) => `tenant-${String(i + 1).padStart(2, '0')}`);
const counts = { changes: 0, created: 0, updated: 0, deleted: 0, bad: 0, repaired: 0 };

const living = { users: [], projects: [], chats: [] }; /* {tenant, id} */
const toRepair = []; /* {at, kind, one} */
let made = 0;

function note(change, kind, one) {
  counts[change] += 1;
  counts.changes += 1;
  if (given.record) appendFileSync(given.record, `${JSON.stringify({ at: Date.now(), change, kind, ...one })}\n`);
}

/* ---- records ---- */

function makeUser(id) {
  const name = `${pick(['Ada', 'Bo', 'Chloë', 'Dmitri', '李'])} ${below(1000)}`;
  return {
    id, name, email: `${id}@example.org`, plan: pick(PLANS), active: random() < 0.9,
    createdAt: new Date(1.7e12 + below(1e9)).toISOString(), settings: { theme: pick(['dark', 'light']), columns: below(9) },
  };
}

function makeProject(id, rev) {
  return {
    id, rev, title: `Project ${below(10000)}`, budget: `${below(100000)}.${String(below(100)).padStart(2, '0')}`,
    status: pick(['open', 'paused', 'done']), tags: Array.from({ length: below(4) }, () => pick(['a', 'b', 'c'])),
    board: { lanes: below(6), done: random() < 0.5 },
  };
}

function makeMessage(id) {
  return {
    id, role: pick(['user', 'assistant']), content: `message ${below(1e6)}\n${'… '.repeat(below(20))}`,
    tokens: below(4000), at: new Date(1.7e12 + below(1e9)).toISOString(),
  };
}

function make(kind, one) {
  if (kind === 'users') return makeUser(one.id);
  return kind === 'projects' ? makeProject(one.id, one.rev) : makeMessage(one.id);
}

const SPOIL = [
  ['users', (record) => ({ ...record, plan: 'diamond' })],
  ['projects', (record) => ({ ...record, budget: 'a lot' })],
  ['users', (record) => ({ ...record, name: `half \ud83d` })],
];

/* ---- changes ---- */

function write(change, kind, one) {
  if (kind === 'projects') one.rev = (one.rev ?? 0) + 1;
  store.put(one.tenant, kind, one.id, make(kind, one));
  note(change, kind, one);
}

/* No id is given twice, also by another load of the same seed: its revisions would begin anew, below those that are known. */
const BEGUN = Date.now().toString(36);

function create(kind, tenant) {
  made += 1;
  const chat = kind === 'chats' ? `u${below(PER_TENANT.chats)}.` : '';
  const one = { tenant, id: `${chat}${kind[0]}${BEGUN}x${made}` };
  living[kind].push(one);
  write('created', kind, one);
}

function remove(kind) {
  const [one] = living[kind].splice(below(living[kind].length), 1);
  store.remove(one.tenant, kind, one.id);
  note('deleted', kind, one);
}

function spoil() {
  const [kind, bad] = pick(SPOIL);
  const one = pick(living[kind]);
  if (kind === 'projects') one.rev += 1;
  store.put(one.tenant, kind, one.id, bad(make(kind, one)));
  note('bad', kind, one);
  toRepair.push({ at: Date.now() + REPAIR_MS, kind, one });
}

function repair(everything) {
  while (toRepair.length && (everything || toRepair[0].at <= Date.now())) {
    const { kind, one } = toRepair.shift();
    if (living[kind].includes(one)) write('repaired', kind, one);
  }
}

function change() {
  const kind = pick(['users', 'projects', 'chats', 'chats']);
  const percent = random() * 100;
  if (percent < Number(given.bad)) spoil();
  else if (percent < Number(given.bad) + Number(given.deletes) && living[kind].length > 10) remove(kind);
  else if (percent < Number(given.bad) + 2 * Number(given.deletes)) create(kind, pick(tenants));
  else write('updated', kind, pick(living[kind]));
}

/* Files that are there keep what they hold. */
function fill() {
  if (existsSync(join(given.data, tenants[0]))) {
    for (const tenant of tenants) {
      for (const kind of KINDS) {
        for (const { id, rev } of store.list(tenant, kind)) living[kind].push({ tenant, id, rev });
      }
    }
    return;
  }
  const place = (kind, tenant, id) => {
    const one = { tenant, id };
    living[kind].push(one);
    write('created', kind, one);
  };
  for (const tenant of tenants) {
    for (let i = 0; i < PER_TENANT.users; i += 1) place('users', tenant, `u${i}`);
    for (let i = 0; i < PER_TENANT.projects; i += 1) place('projects', tenant, `p${i}`);
    for (let i = 0; i < PER_TENANT.chats * PER_TENANT.messages; i += 1) {
      place('chats', tenant, `u${i % PER_TENANT.chats}.m${Math.floor(i / PER_TENANT.chats)}`);
    }
  }
}

/* ---- at that rate ---- */

let ended = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { ended = true; });

fill();
const began = Date.now();
const filled = counts.changes;
const forMs = given.fill ? 0 : Number(given.for) * 1000;
while (!ended && Date.now() - began < forMs) {
  const due = ((Date.now() - began) * Number(given.rate)) / 1000;
  while (counts.changes - filled < due && Date.now() - began < forMs) change();
  repair(false);
  await rest(TICK_MS);
}
repair(true);
const seconds = (Date.now() - began) / 1000;
console.log(JSON.stringify({
  ...counts, filled, seconds: Number(seconds.toFixed(1)),
  rate: Math.round((counts.changes - filled) / Math.max(seconds, 0.001)),
}));

/*
 * latency.mjs --app DIR --data DIR --every MS: how long a change takes from the application's file to its committed row, by a
 * second application beside the first, in a tenant of its own. It writes a record as the application does, asks the table
 * for it, through one session of psql, every 2 ms, and does so again until SIGTERM; then it prints what it took.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { setTimeout as rest } from 'node:timers/promises';

const TENANT = 'tenant-00', RECORDS = 40, POLL_MS = 2, SLOW_MS = 2000, GIVE_UP_MS = 120000;
const { values: given } = parseArgs({ options: { app: { type: 'string' }, data: { type: 'string' }, every: { type: 'string' } } });
const { Store } = await import(`${given.app}/app.mjs`);
const store = new Store(given.data);

let ended = false;
process.on('SIGTERM', () => { ended = true; });

/* A session that a restart of the server ended is begun anew. */
let answers = null, session = null, asked = 0;
function begin() {
  session = spawn('psql', [process.env.SHADOW_DATABASE, '-qAtX'], { stdio: ['pipe', 'pipe', 'ignore'] });
  session.stdin.on('error', () => {});
  answers = createInterface({ input: session.stdout })[Symbol.asyncIterator]();
}
async function nameOf(id) {
  if (!session) begin();
  const mark = `asked ${asked += 1}`;
  session.stdin.write(`select name from app_user where isolation_key = '${TENANT}' and id = '${id}';\n\\echo ${mark}\n`);
  let name = '';
  for (;;) {
    const { value, done } = await answers.next();
    if (value === mark) return name;
    if (done) break;
    name = value;
  }
  session = null;
  await rest(100);
  return '';
}

const took = [], slow = [], started = performance.now();
let lost = 0;
for (let i = 0; !ended; i += 1) {
  const id = `probe-${i % RECORDS}`, name = `change ${i}`;
  const began = performance.now();
  store.put(TENANT, 'users', id, { id, name, plan: 'free' });
  while (!ended && await nameOf(id) !== name && performance.now() - began < GIVE_UP_MS) await rest(POLL_MS);
  if (ended) break;
  const ms = performance.now() - began;
  if (ms < GIVE_UP_MS) took.push(ms);
  else lost += 1;
  if (ms > SLOW_MS) slow.push(`${Math.round((began - started) / 1000)} s: ${Math.round(ms)}`);
  await rest(Number(given.every));
}
session?.stdin.end();
took.sort((a, b) => a - b);
const at = (share) => Math.round(took[Math.min(took.length - 1, Math.floor(share * took.length))]);
console.log(JSON.stringify({ changes: took.length, lost, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1), slow: slow.slice(0, 20) }));

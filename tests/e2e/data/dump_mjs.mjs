/* dump.mjs: there and back without loss, flat memory, backpressure, what is refused. */
import assert from 'node:assert/strict';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { dumpMaps, revive, toDump } from '../../../schemas/js/dump.mjs';

/* ---- generated structures ---- */

let seed = Number(process.env.SEED ?? 20250301);
const random = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor(seed / 2 ** 32 * below);
};
const pick = (list) => list[random(list.length)];
const STRINGS = ['', 'a', 'dataType', 'value', '__proto__', 'constructor', '\0', '\ud800', '\udc00x', '\u{1F600}',
  '"\\\n\u2028', 'Map', 'é', 'x'.repeat(300)];
const NUMBERS = [0, -0, 1.5, -1e308, 5e-324, 2 ** 53, NaN, Infinity, -Infinity, 0.1 + 0.2];
const KINDS = [Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array];

function bytes() {
  const raw = Uint8Array.from({ length: 8 * random(4) }, () => random(256));
  switch (random(6)) {
    case 0: return Buffer.from(raw);
    case 1: return raw.buffer;
    case 2: return new DataView(raw.buffer, 0, raw.length);
    case 3: return new BigInt64Array(raw.buffer);
    case 4: return new BigUint64Array(raw.buffer);
    default: return Reflect.construct(pick(KINDS), [Array.from(raw)]);
  }
}

function scalar() {
  switch (random(9)) {
    case 0: return null;
    case 1: return undefined;
    case 2: return random(2) === 0;
    case 3: return pick(NUMBERS);
    case 4: return BigInt(random(1000)) ** 9n * (random(2) ? 1n : -1n);
    case 5: return new Date(random(2) ? NaN : random(2e9) * 1000 - 1e12);
    case 6: return bytes();
    default: return pick(STRINGS);
  }
}

function object(depth) {
  const entries = Array.from({ length: random(5) }, () => [pick(STRINGS), generate(depth - 1)]);
  if (random(6) === 0) entries.unshift(['dataType', pick(['Map', 'Set', 'Date', 'Object', 'Bytes', 'other', 7])]);
  return Object.fromEntries(entries);
}

function array(depth) {
  const made = Array.from({ length: random(5) }, () => generate(depth - 1));
  if (made.length && random(8) === 0) delete made[random(made.length)];
  return made;
}

function generate(depth) {
  if (depth === 0) return scalar();
  switch (random(6)) {
    case 0: return new Map(Array.from({ length: random(5) }, () => [generate(depth - 1), generate(depth - 1)]));
    case 1: return new Set(array(depth));
    case 2: return array(depth);
    case 3: return scalar();
    default: return object(depth);
  }
}

/* Deep equality, stricter than assert's: order, holes and buffers count; and invalid Dates are equal. */
function isSame(a, b) {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (ArrayBuffer.isView(a)) {
    return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
  }
  if (a instanceof ArrayBuffer) return Buffer.from(a).equals(Buffer.from(b));
  if (a instanceof Map || a instanceof Set) return isSame([...a], [...b]);
  const keys = Object.keys(a);
  return (!Array.isArray(a) || a.length === b.length) && isDeepStrictEqual(keys, Object.keys(b))
    && keys.every((key) => isSame(a[key], b[key]));
}

function same(actual, expected, what) {
  assert.ok(isSame(actual, expected), what);
}

class Collector extends Writable {
  text = '';
  most = 0;

  _write(chunk, _encoding, done) {
    this.text += chunk;
    this.most = Math.max(this.most, this.writableLength);
    setImmediate(done);
  }
}

async function linesOf(maps, options) {
  const collector = new Collector({ highWaterMark: 16 });
  const counts = await dumpMaps(maps, collector, options);
  collector.end();
  const lines = collector.text.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  return { counts, lines };
}

async function roundTrips() {
  const records = new Map();
  for (let i = 0; i < 1000; i += 1) {
    const value = generate(4);
    same(revive(JSON.parse(JSON.stringify(toDump(value)))), value, `structure ${i}, seed ${process.env.SEED ?? 'default'}`);
    records.set(`r${i}`, value);
  }
  const { counts, lines } = await linesOf({ records, empty: new Map() }, { dates: 'typed' });
  assert.deepEqual(counts, { records: 1000, empty: 0 });
  same(new Map(lines.map((line) => [revive(line.key), revive(line.value)])), records, 'through lines');
}

async function forms() {
  const at = new Date(86_400_000);
  const { lines } = await linesOf(new Map(Object.entries({
    map: new Map([[1, { at, deeper: { at } }], [true, 1], [2n, 2]]),
    set: new Set([{ at: new Date(NaN) }]),
    array: [at],
    object: { a: { dataType: 'csv' }, b: { dataType: 'Map' } },
  })));
  const typed = { dataType: 'Date', value: '1970-01-02T00:00:00.000Z' };
  assert.deepEqual(lines, [
    { entity: 'map', key: 1, value: { at: typed.value, deeper: { at: typed } } },
    { entity: 'map', key: true, value: 1 },
    { entity: 'map', key: { dataType: 'BigInt', value: '2' }, value: 2 },
    { entity: 'set', value: { at: { dataType: 'Date', value: null } } },
    { entity: 'array', value: typed },
    { entity: 'object', key: 'a', value: { dataType: 'csv' } },
    { entity: 'object', key: 'b', value: { dataType: 'Object', value: { dataType: 'Map' } } },
  ]);
  const exact = await linesOf({ map: new Map([['k', { at }]]) }, { dates: 'typed' });
  assert.deepEqual(exact.lines, [{ entity: 'map', key: 'k', value: { at: typed } }]);
}

async function refusals() {
  const cycle = { inner: [] };
  cycle.inner.push(cycle);
  const shared = {};
  toDump([shared, shared]); /* the same twice is no cycle */
  class Point { x = 1; }
  for (const [value, path] of [
    [() => 1, 'm/k'], [{ a: [Symbol('s')] }, 'm/k/a/0'], [{ p: new Point() }, 'm/k/p'], [cycle, 'm/k/inner/0'],
    [{ [Symbol('s')]: 1 }, 'm/k'], [/x/, 'm/k'], [new Map([['q', new Error('x')]]), 'm/k/q'],
  ]) {
    await assert.rejects(linesOf({ m: new Map([['k', value]]) }), (error) => error.message.startsWith(`${path} cannot`), path);
  }
  await assert.rejects(linesOf({ m: 5 }), /m is no Map/);
  await assert.rejects(linesOf({}, { dates: 'no' }), /dates/);
}

async function files(folder) {
  const path = join(folder, 'maps.ndjson');
  await dumpMaps({ m: new Map([['k', 1]]) }, path);
  assert.equal(readFileSync(path, 'utf8'), '{"entity":"m","key":"k","value":1}\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(dumpMaps({ m: new Map([['k', () => 1]]) }, path));
  assert.equal(readFileSync(path, 'utf8'), '{"entity":"m","key":"k","value":1}\n'); /* the old one stays */
  assert.equal(existsSync(`${path}.partial`), false);
  await assert.rejects(dumpMaps({ m: new Map() }, join(folder, 'none', 'x')), { code: 'ENOENT' });
  const failing = new Writable({ highWaterMark: 16, write: (_chunk, _encoding, done) => done(new Error('the disk is full')) });
  failing.on('error', () => {});
  await assert.rejects(dumpMaps({ m: new Map([['k', 'x'.repeat(1 << 17)], ['l', 1]]) }, failing), /disk is full/);
}

/* 200,000 entries of a KiB, never all there at once. */
class Large extends Map {
  * [Symbol.iterator]() {
    for (let i = 0; i < 200_000; i += 1) yield [`k${i}`, { id: i, text: `${i}`.padEnd(1000, 'x'), at: new Date(i) }];
  }
}

async function flatMemory(folder) {
  const path = join(folder, 'large.ndjson');
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 5);
  assert.deepEqual(await dumpMaps({ large: new Large() }, path), { large: 200_000 });
  clearInterval(watch);
  most = Math.max(most, process.memoryUsage().rss);
  assert.ok(statSync(path).size > 200e6);
  assert.ok(most - before < 100 * 2 ** 20, `${Math.round((most - before) / 2 ** 20)} MiB more`);
  let lines = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) lines += line.endsWith('}') ? 1 : 0;
  assert.equal(lines, 200_000);
  const slow = new Collector({ highWaterMark: 1024 });
  await dumpMaps({ m: new Map(Array.from({ length: 2000 }, (_, i) => [i, 'x'.repeat(1000)])) }, slow);
  assert.ok(slow.most < 200_000, `${slow.most} bytes waited in the stream`);
}

const folder = mkdtempSync(join(tmpdir(), 'dump-'));
try {
  for (const test of [roundTrips, forms, refusals, files, flatMemory]) {
    await test(folder);
    console.log(`ok ${test.name}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/*
 * Writes the Maps, Sets, arrays and objects of a running program as a dump that `drover produce`
 * reads: NDJSON, one line an entry, {"entity":"projects","key":"p1","value":{…}}.
 *
 * What JSON does not have is written as {"dataType":…,"value":…} and comes back through revive:
 *
 *   Map        [[key, value], …]            Set        [value, …]
 *   Date       ISO text, null when invalid  BigInt     decimal text
 *   Number     "NaN" "Infinity" "-Infinity" "-0"
 *   Undefined  null                         Hole       null (an array's missing element)
 *   Bytes      base64, with "kind": the class's name
 *   Object     an object that would itself be read as one of these
 *
 * What would be lost all the same (functions, symbols, instances of classes, cycles) is refused
 * with its path. No dependencies; Node 18 or later.
 */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';

const TYPES = new Set(['Map', 'Set', 'Date', 'BigInt', 'Number', 'Undefined', 'Hole', 'Bytes', 'Object']);
const BYTE_KINDS = new Map([
  Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView, ArrayBuffer, Buffer,
].map((kind) => [kind.name, kind]));
const BATCH = 64 * 1024; /* characters handed to the stream at once */

const typed = (dataType, value) => ({ dataType, value });

/* ---- values to JSON ---- */

/* Where a value is: a list from the inside out, as it is made for every value and seldom told. */
const inside = (path, at) => ({ at, path });
const shown = (key) => (key !== null && typeof key === 'object' ? '(object)' : String(key));

function refuse(path, what) {
  const parts = [];
  for (let step = path; step; step = step.path) parts.unshift(step.at);
  throw new TypeError(`${parts.join('/') || 'the value'} cannot be dumped without loss: it is ${what}`);
}

function dumpNumber(value) {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return typed('Number', Object.is(value, -0) ? '-0' : String(value));
}

function dumpBytes(value, path) {
  const kind = value.constructor?.name;
  if (!BYTE_KINDS.has(kind)) refuse(path, `an instance of ${kind}`);
  const bytes = value instanceof ArrayBuffer
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return { dataType: 'Bytes', kind, value: bytes.toString('base64') };
}

function dumpArray(array, path, open) {
  return Array.from({ length: array.length }, (_, i) => (
    i in array ? dump(array[i], inside(path, i), open) : typed('Hole', null)));
}

function dumpObject(object, path, open) {
  const prototype = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    refuse(path, `an instance of ${prototype.constructor?.name ?? 'a class'}`);
  }
  if (Object.getOwnPropertySymbols(object).length > 0) refuse(path, 'an object with symbols');
  /* fromEntries and not an assignment: a member may be called __proto__ */
  const plain = Object.fromEntries(Object.keys(object).map(
    (key) => [key, dump(object[key], inside(path, key), open)]));
  return isTyped(object) ? typed('Object', plain) : plain;
}

/* Whether revive would take it for something else than it is. */
function isTyped(object) {
  return Object.hasOwn(object, 'dataType') && TYPES.has(object.dataType);
}

function dumpContainer(value, path, open) {
  if (open.has(value)) refuse(path, 'a part of itself');
  open.add(value);
  try {
    if (Array.isArray(value)) return dumpArray(value, path, open);
    if (value instanceof Map) {
      return typed('Map', Array.from(value, ([key, item]) => (
        [dump(key, inside(path, '(key)'), open), dump(item, inside(path, shown(key)), open)])));
    }
    if (value instanceof Set) {
      return typed('Set', Array.from(value, (item, i) => dump(item, inside(path, i), open)));
    }
    return dumpObject(value, path, open);
  } finally {
    open.delete(value);
  }
}

function dump(value, path, open) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return dumpNumber(value);
    case 'bigint':
      return typed('BigInt', String(value));
    case 'undefined':
      return typed('Undefined', null);
    case 'object':
      break;
    default:
      return refuse(path, `a ${typeof value}`);
  }
  if (value === null) return null;
  if (value instanceof Date) {
    return typed('Date', Number.isNaN(value.getTime()) ? null : value.toISOString());
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return dumpBytes(value, path);
  return dumpContainer(value, path, open);
}

/* The value as what JSON can hold, without loss: JSON.stringify(toDump({ projects, users })) is a
 * dump too, for what fits in memory twice. */
export function toDump(value) {
  return dump(value, null, new Set());
}

/* ---- and back ---- */

function reviveNumber(text) {
  return text === '-0' ? -0 : Number(text);
}

function reviveBytes(kind, base64) {
  const Kind = BYTE_KINDS.get(kind);
  if (!Kind) throw new TypeError(`bytes of an unknown kind: ${kind}`);
  const bytes = Buffer.from(base64, 'base64');
  if (Kind === Buffer) return bytes;
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return Kind === ArrayBuffer ? buffer : new Kind(buffer);
}

function reviveObject(object) {
  return Object.fromEntries(Object.entries(object).map(([key, item]) => [key, revive(item)]));
}

function reviveArray(array) {
  const revived = new Array(array.length);
  array.forEach((item, i) => {
    if (item?.dataType !== 'Hole') revived[i] = revive(item);
  });
  return revived;
}

function reviveTyped({ dataType, kind, value }) {
  switch (dataType) {
    case 'Map':
      return new Map(value.map(([key, item]) => [revive(key), revive(item)]));
    case 'Set':
      return new Set(value.map(revive));
    case 'Date':
      return new Date(value ?? NaN);
    case 'BigInt':
      return BigInt(value);
    case 'Number':
      return reviveNumber(value);
    case 'Bytes':
      return reviveBytes(kind, value);
    case 'Object':
      return reviveObject(value);
    default:
      return undefined;
  }
}

/* What toDump or a line's key and value were made of; of parsed JSON. */
export function revive(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return reviveArray(value);
  return isTyped(value) ? reviveTyped(value) : reviveObject(value);
}

/* ---- a program's maps to a stream ---- */

/* A collection's entries: [has a key, key, value]. */
function* entriesOf(entity, collection) {
  if (collection instanceof Map) {
    for (const [key, value] of collection) yield [true, key, value];
  } else if (collection instanceof Set || Array.isArray(collection)) {
    for (const value of collection) yield [false, undefined, value];
  } else if (collection !== null && typeof collection === 'object'
             && [Object.prototype, null].includes(Object.getPrototypeOf(collection))) {
    for (const key of Object.keys(collection)) yield [true, key, collection[key]];
  } else {
    throw new TypeError(`${entity} is no Map, Set, array or object of records`);
  }
}

/* The record's own dates as mappings read them; those deeper in it stay typed. */
function withIsoDates(record) {
  if (record === null || typeof record !== 'object' || ![Object.prototype, null].includes(Object.getPrototypeOf(record))) {
    return record;
  }
  const isIso = (value) => value instanceof Date && !Number.isNaN(value.getTime());
  if (!Object.values(record).some(isIso)) return record;
  return Object.fromEntries(Object.entries(record).map(
    ([key, value]) => [key, isIso(value) ? value.toISOString() : value]));
}

function lineOf(entity, [keyed, key, value], dates) {
  const line = { entity };
  const path = inside(inside(null, entity), keyed ? shown(key) : '(entry)');
  if (keyed) line.key = dump(key, inside(path, '(key)'), new Set());
  line.value = dump(dates === 'iso' ? withIsoDates(value) : value, path, new Set());
  return `${JSON.stringify(line)}\n`;
}

/* Waits for the stream to take more; an error or the end of it ends the waiting too. */
async function drained(stream) {
  const stop = new AbortController();
  try {
    await Promise.race([
      once(stream, 'drain', { signal: stop.signal }),
      finished(stream, { readable: false, signal: stop.signal, cleanup: true })
        .then(() => { throw new Error('the stream was ended before the dump was'); }),
    ]);
  } finally {
    stop.abort();
  }
}

async function put(stream, text) {
  if (!stream.write(text)) await drained(stream);
}

async function writeAll(maps, stream, dates) {
  const counts = {};
  let batch = '';
  for (const [entity, collection] of maps instanceof Map ? maps : Object.entries(maps)) {
    let count = 0;
    for (const entry of entriesOf(entity, collection)) {
      batch += lineOf(entity, entry, dates);
      count += 1;
      if (batch.length >= BATCH) {
        await put(stream, batch);
        batch = '';
      }
    }
    counts[entity] = count;
  }
  if (batch) await put(stream, batch);
  return counts;
}

/* Beside the file first: what has the name is always whole. Readable by its owner alone. */
async function writeFile(maps, path, dates) {
  const partial = `${path}.partial`;
  const stream = createWriteStream(partial, { mode: 0o600 });
  const closed = finished(stream);
  closed.catch(() => {}); /* told below */
  try {
    await once(stream, 'open');
    const counts = await writeAll(maps, stream, dates);
    stream.end();
    await closed;
    await rename(partial, path);
    return counts;
  } catch (error) {
    stream.destroy();
    await closed.catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

/*
 * Writes `maps`, an object or Map of collections by name, to a path or a writable stream (which is
 * not ended). One entry at a time is turned into text, and no more than the stream takes.
 *
 *   dates: 'iso'    a record's own Dates as ISO text, which mappings read as timestamps (default);
 *                   revive gives a string for them
 *   dates: 'typed'  all Dates as {"dataType":"Date",…}: without loss
 *
 * Returns how many entries each collection had.
 */
export async function dumpMaps(maps, target, { dates = 'iso' } = {}) {
  if (dates !== 'iso' && dates !== 'typed') throw new TypeError(`dates is 'iso' or 'typed', not ${dates}`);
  if (typeof target === 'string' || target instanceof URL) {
    return writeFile(maps, target instanceof URL ? decodeURIComponent(target.pathname) : target, dates);
  }
  return writeAll(maps, target, dates);
}

/*
 * A small application with users, projects and chats, which keeps them the way such applications begin: in JSON files, a
 * folder a tenant, each change the whole file written beside and renamed.
 *
 *   data/<tenant>/users.json      an object keyed by id
 *   data/<tenant>/projects.json   an array
 *   data/<tenant>/chat-<user>.json   an array: the messages of that user's chat
 *
 *   node app.mjs --data data --port 8080      GET, PUT, DELETE /<tenant>/<users|projects|chats>/<id>
 *
 * The application knows nothing of Drover. No dependencies; Node 18 or later.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

export const KINDS = ['users', 'projects', 'chats'];

/* A message's id names its chat: <user>.<number>. */
export const chatOf = (id) => id.slice(0, id.lastIndexOf('.'));

export class Store {
  #folder;
  #writes = 0;

  constructor(folder) {
    this.#folder = folder;
  }

  #file(tenant, kind, id) {
    const name = kind === 'chats' ? `chat-${chatOf(id)}.json` : `${kind}.json`;
    return join(this.#folder, tenant, name);
  }

  #read(file, kind) {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      return kind === 'users' ? {} : [];
    }
  }

  /* Readers see the old file or the new one, never half of it. */
  #write(file, content) {
    const beside = `${file}.${process.pid}.${(this.#writes += 1)}.tmp`;
    writeFileSync(beside, `${JSON.stringify(content, null, 1)}\n`);
    renameSync(beside, file);
  }

  get(tenant, kind, id) {
    const content = this.#read(this.#file(tenant, kind, id), kind);
    return kind === 'users' ? content[id] : content.find((record) => record.id === id);
  }

  /* All of that kind, of every chat for chats. */
  list(tenant, kind) {
    const folder = join(this.#folder, tenant);
    const names = existsSync(folder) ? readdirSync(folder).sort() : [];
    return names.filter((name) => (kind === 'chats' ? /^chat-.*\.json$/.test(name) : name === `${kind}.json`))
      .flatMap((name) => Object.values(this.#read(join(folder, name), kind)));
  }

  /* New or in the place of the one that was there. */
  put(tenant, kind, id, record) {
    const file = this.#file(tenant, kind, id);
    mkdirSync(join(this.#folder, tenant), { recursive: true });
    const content = this.#read(file, kind);
    if (kind === 'users') {
      content[id] = record;
    } else {
      const at = content.findIndex((one) => one.id === id);
      content.splice(at < 0 ? content.length : at, 1, record);
    }
    this.#write(file, content);
  }

  /* Whether it was there. */
  remove(tenant, kind, id) {
    const file = this.#file(tenant, kind, id);
    const content = this.#read(file, kind);
    if (kind === 'users') {
      if (!Object.hasOwn(content, id)) return false;
      delete content[id];
    } else {
      const at = content.findIndex((one) => one.id === id);
      if (at < 0) return false;
      content.splice(at, 1);
    }
    this.#write(file, content);
    return true;
  }
}

/* ---- as a program: the same over HTTP ---- */

async function bodyOf(request) {
  let text = '';
  for await (const part of request.setEncoding('utf8')) {
    text += part;
    if (text.length > 1 << 20) throw new SyntaxError('the body is too large');
  }
  return JSON.parse(text);
}

function answer(response, status, content) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(content === undefined ? '' : JSON.stringify(content));
}

async function serve(store, request, response) {
  const names = /^\/([\w-]+)\/(users|projects|chats)\/([\w.-]+)$/.exec(request.url);
  if (!names) return answer(response, 404);
  const [, tenant, kind, id] = names;
  if (request.method === 'GET') {
    const record = store.get(tenant, kind, id);
    return answer(response, record === undefined ? 404 : 200, record);
  }
  if (request.method === 'DELETE') return answer(response, store.remove(tenant, kind, id) ? 204 : 404);
  if (request.method !== 'PUT') return answer(response, 405);
  store.put(tenant, kind, id, { ...await bodyOf(request), id });
  return answer(response, 204);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { data: { type: 'string', default: 'data' }, port: { type: 'string', default: '8080' } },
  });
  const store = new Store(values.data);
  const server = createServer((request, response) => serve(store, request, response)
    .catch((error) => answer(response, error instanceof SyntaxError ? 400 : 500)));
  server.on('error', (error) => {
    console.error(error.code === 'EADDRINUSE' ? `port ${values.port} is taken: choose another with --port` : error.message);
    process.exit(1);
  });
  server.listen(Number(values.port), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/<tenant>/<${KINDS.join('|')}>/<id>`);
  });
}

/*
 * Writes this folder's samples: the same invented program's maps twice, as dump.mjs writes them
 * (maps.ndjson) and as programs without it do (maps.json: a Map replacer, pairs, objects, lists).
 *
 *   node schemas/samples/maps/make.mjs FOLDER
 */
import { writeFileSync } from 'node:fs';
import { dumpMaps } from '../../js/dump.mjs';

const folder = process.argv[2];
const day = (n) => new Date(Date.UTC(2025, 2, 1, 8, 30, n % 60, n) + n * 86_400_000);
const keyed = (records) => new Map(records.map((record) => [record.id, record]));
const many = (count, make) => Array.from({ length: count }, (_, i) => make(i + 1));

export function program() {
  return {
    users: keyed(many(12, (i) => ({
      id: `u${i}`, username: `user-${i}`, email: `user-${i}@example.org`,
      role: i === 1 ? 'admin' : 'user', password: `invented-password-${i}`, createdAt: day(i),
    }))),
    projects: keyed(many(30, (i) => ({
      id: `p${i}`, userId: `u${i % 12 + 1}`, name: `Project ${i}`, status: i % 7 ? 'active' : 'paused',
      description: i % 5 ? `What project ${i} does — in a line.` : null,
      settings: { limits: [i, i * 1.5], nested: { deep: true } }, createdAt: day(i), updatedAt: day(i + 40),
    }))),
    marketplaceProjects: keyed(many(10, (i) => ({
      id: `m${i}`, projectId: `p${i * 3}`, published: i % 4 !== 0, price: i * 5 - 0.01,
      category: ['tools', 'games', 'data'][i % 3], description: `Listing ${i}`, tags: ['ai', `tag-${i}`],
      rating: 3 + i / 10, downloads: i * 1000,
    }))),
    mcpServers: keyed(many(4, (i) => ({
      id: `s${i}`, name: `server-${i}`, url: `https://mcp-${i}.example.org`,
      status: i === 4 ? 'deleted' : 'active', createdBy: 'u1', createdAt: day(i),
    }))),
    chatMessages: keyed(many(40, (i) => ({
      id: `c${i}`, userId: `u${i % 12 + 1}`, projectId: `p${i % 30 + 1}`, role: i % 2 ? 'user' : 'assistant',
      content: `Message ${i}: "quoted", \u{1F600}, tab\tand line\nend`, createdAt: day(i),
    }))),
    marketplacePurchases: keyed(many(15, (i) => ({
      id: `b${i}`, userId: `u${i % 12 + 1}`, projectId: `p${i % 10 * 3 + 3}`, amount: i * 5 - 0.01,
      currency: 'EUR', status: 'completed', purchasedAt: day(i + 50),
    }))),
    marketplaceReviews: keyed(many(12, (i) => ({
      id: `r${i}`, userId: `u${i}`, projectId: `p${i % 10 * 3 + 3}`, rating: i % 5 + 1,
      comment: `Review ${i}`, createdAt: day(i + 60),
    }))),
    marketplaceDownloads: keyed(many(8, (i) => ({
      id: `d${i}`, userId: `u${i}`, projectId: `p${i * 3}`,
      downloadToken: `invented-download-token-${i}`, downloadedAt: day(i + 70), expiresAt: day(i + 71),
    }))),
    revenueEvents: keyed(many(15, (i) => ({
      id: `e${i}`, eventType: 'purchase', projectId: `p${i % 10 * 3 + 3}`, userId: `u${i % 12 + 1}`,
      amount: i * 5 - 0.01, currency: 'EUR', createdAt: day(i + 50),
    }))),
  };
}

function replacer(_key, value) {
  return value instanceof Map ? { dataType: 'Map', value: [...value] } : value;
}

if (folder) {
  const maps = program();
  await dumpMaps(maps, `${folder}/maps.ndjson`);
  writeFileSync(`${folder}/maps.json`, `${JSON.stringify({
    ...maps,
    users: Object.fromEntries(maps.users),
    mcpServers: [...maps.mcpServers.values()],
    chatMessages: [...maps.chatMessages],
  }, replacer, 1)}\n`);
}

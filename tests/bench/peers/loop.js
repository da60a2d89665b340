// The loop that everybody writes first: a record, an awaited insert, the next record.
//   node loop.js FILE.ndjson      (DATABASE_URL)
const fs = require('fs');
const readline = require('readline');
const { Client } = require('pg');

async function main(file) {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  for await (const line of readline.createInterface({ input: fs.createReadStream(file) })) {
    const r = JSON.parse(line);
    await client.query(
      `INSERT INTO chat (tenant, id, rev, session, role, content, at, tokens, model, flags)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
       ON CONFLICT (tenant, id) DO UPDATE SET rev = $3, session = $4, role = $5, content = $6, at = $7, tokens = $8, model = $9, flags = $10`,
      [r.tenant, r.id, r.rev, r.session, r.role, r.content, r.at, r.tokens, r.model, r.flags]);
  }
  await client.end();
}

main(process.argv[2]).catch((error) => { console.error(error.message); process.exit(1); });

// Traffic to TARGET (a URL) by people who hold the CLIENTS that seed.js made. Every answer is held against the one that
// service.js promises. On the control port `GET /progress` says how far it is, and `GET /stop` ends it. After `GET /cut` a
// session begun before may be refused, as long as its user may sign in again. From `GET /rest` until `GET /go` nobody acts, so
// that whatever compares the answers can keep up.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { Book, agent } from './client.js';
import { PEOPLE, Person } from './people.js';
import { Random } from './random.js';

const { TARGET, CLIENTS, SEED = '1', SHARE = '1', RATE_LIMIT = '60' } = process.env;
if (!TARGET || !CLIENTS) {
  console.error('set TARGET to a URL and CLIENTS to the clients.json of seed.js');
  process.exit(64);
}

const town = {
  ...JSON.parse(readFileSync(CLIENTS, 'utf8')),
  target: TARGET,
  callsPerMinute: Number(RATE_LIMIT),
  agent: agent(),
  book: new Book(),
  tokens: [],
  cutAt: 0,
  isResting: false,
  isOver: false,
};
const people = Object.entries(PEOPLE).flatMap(([kind, count]) =>
  Array.from({ length: Math.ceil(count * Number(SHARE)) }, (_, index) => {
    const seed = Number(SEED) * 1_000_003 + kind.length * 1_009 + index * 97 + kind.charCodeAt(0);
    return new Person(town, kind, new Random(seed));
  }),
);
const lives = Promise.all(people.map((person) => person.live()));

/** `turns` is the smallest number of turns that anybody had; people who wait for a moment or a limit are left out. */
function progress() {
  const { calls, counts, wrongTotal, wrong } = town.book;
  const waiting = ['frugal', 'late'];
  const turns = Math.min(...people.filter(({ kind }) => !waiting.includes(kind)).map((person) => person.turns));
  return { turns, calls, counts, wrong_total: wrongTotal, wrong };
}

async function stop() {
  town.isOver = true;
  await lives;
  return progress();
}

function cut() {
  town.cutAt = Date.now();
  return progress();
}

function rest(isResting) {
  town.isResting = isResting;
  return progress();
}

const control = createServer(async (req, res) => {
  const report = { '/stop': stop, '/cut': cut, '/rest': () => rest(true), '/go': () => rest(false) }[req.url] ?? progress;
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(await report()));
});
control.listen(0, '127.0.0.1', () => console.log(`ready control=127.0.0.1:${control.address().port}`));

process.once('SIGTERM', async () => {
  control.close();
  control.closeAllConnections();
  await stop();
  town.agent.destroy();
});

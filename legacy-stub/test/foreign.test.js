import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Book, Client, agent, cookiesSet } from '../foreign/client.js';
import { stopService } from './service.js';

const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
const [DIRECTORY, CLIENTS] = ['directory.json', 'clients.json'].map((name) => join(folder, name));
let clients;

before(async () => {
  const [code] = await once(started('seed.js', {}, folder), 'exit');
  assert.equal(code, 0);
  clients = JSON.parse(readFileSync(CLIENTS, 'utf8'));
});
after(() => rmSync(folder, { recursive: true }));

const FOUND_BY = { breach: 'key of the suspended', leeway: 'ended token', raced: 'tabs', gzip: 'made-up key' };

for (const program of ['service.js', 'candidate.js']) {
  suite(`foreign/${program}`, () => {
    test('answers as promised', () => withServer(program, {}, async (client) => {
      assert.deepEqual(await answers(client), {
        'signed in': 200,
        'gate': `204 ${clients.users[0].id}`,
        'no credential': 401,
        'wrong password': 401,
        'no password': 400,
        'suspended': 423,
        'token': '200 true',
        'ended token': '200 expired',
        'forged token': '200 invalid',
        'no token': 400,
        'tabs': '200+401',
        'key': 204,
        'made-up key': 401,
        'revoked key': 401,
        'key of the suspended': 403,
        'key without the scope': 403,
        'signed out': 204,
        'gate after it': 401,
        'refresh after it': 401,
        'keys': 200,
        'unknown path': 404,
      });
    }));

    test('a key within its limit is served, and refused beyond it', () => withServer(program, { RATE_LIMIT: '3' }, async (client) => {
      const { key } = clients.keys.find(({ revoked, suspended }) => !revoked && !suspended);
      const seen = [];
      for (let times = 0; times < 4; times += 1) {
        const { status, headers } = await client.ask('GET', '/v2/gate', { headers: { 'x-api-key': key } });
        seen.push([status, headers.ratelimit.split(', r')[1], headers['ratelimit-policy']]);
      }
      const left = (status, remaining) => [status, `emaining=${remaining}`, '3;w=60'];
      assert.deepEqual(seen, [left(204, 2), left(204, 1), left(204, 0), left(429, 0)]);
    }));

    test('traffic finds nothing wrong with it', () => withServer(program, {}, async (_client, target) => {
      const { wrong, wrong_total: total, counts } = await traffic(target, ({ turns }) => turns >= 8);
      assert.deepEqual({ wrong, total }, { wrong: [], total: 0 });
      assert.ok(counts.race > 0 && counts.key > 0, JSON.stringify(counts));
    }));
  });
}

suite('each flaw of foreign/candidate.js changes one answer', () => {
  let seen;
  before(async () => (seen = await withServer('candidate.js', {}, answers)));

  for (const [flaw, answer] of Object.entries(FOUND_BY)) {
    test(flaw, async () => {
      const flawed = await withServer('candidate.js', { FLAWS: flaw }, answers);
      const different = Object.keys(seen).filter((name) => flawed[name] !== seen[name]);
      assert.deepEqual(different, [answer]);
    });
  }

  test('a name that is none ends the start', async () => {
    const child = started('candidate.js', { DIRECTORY, FLAWS: 'breech' });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    assert.notDeepEqual(await once(child, 'close'), [0, null]);
    assert.match(stderr, /FLAWS names "breech"; use names of this list: breach, leeway, raced, gzip/);
  });

  test('traffic finds it', () => withServer('candidate.js', { FLAWS: 'gzip' }, async (_client, target) => {
    const { wrong } = await traffic(target, ({ wrong_total: total }) => total > 0);
    assert.match(wrong[0], /made-up key: answered 200, promised 401/);
  }));
});

/** One answer of each kind. */
async function answers(client) {
  const user = clients.users[0];
  const suspended = clients.users.find((other) => other.suspended);
  const key = (isWanted) => ({ headers: { 'x-api-key': clients.keys.find(isWanted).key, 'x-original-method': 'POST' } });
  const isGood = ({ revoked, suspended: isOut }) => !revoked && !isOut;
  const status = async (...asked) => (await client.ask(...asked)).status;
  const signIn = (json) => client.ask('POST', '/v2/session', { json });
  const verify = async (token) => {
    const { status: code, json } = await client.ask('POST', '/v2/session/verify', { json: { token } });
    return `${code} ${json.reason ?? json.ok}`;
  };

  const signedIn = await signIn({ email: user.email, password: user.password });
  const { accessToken, expiresIn } = signedIn.json;
  const cookie = Object.entries(cookiesSet(signedIn)).map((pair) => pair.join('=')).join('; ');
  const own = { headers: { cookie } };
  const gate = await client.ask('GET', '/v2/gate', own);
  const token = await verify(accessToken);
  const tabs = await Promise.all([1, 2].map(() => status('POST', '/v2/session/refresh', own)));
  await pause(expiresIn * 1000 + 100);
  return {
    'signed in': signedIn.status,
    'gate': `${gate.status} ${gate.headers['x-user']}`,
    'no credential': await status('GET', '/v2/gate'),
    'wrong password': (await signIn({ email: user.email, password: 'guess' })).status,
    'no password': (await signIn({ email: user.email })).status,
    'suspended': (await signIn({ email: suspended.email, password: suspended.password })).status,
    token,
    'ended token': await verify(accessToken),
    'forged token': await verify(`${accessToken.slice(0, -6)}AAAAAA`),
    'no token': await status('POST', '/v2/session/verify', { json: {} }),
    'tabs': tabs.sort().join('+'),
    'key': await status('GET', '/v2/gate', key((entry) => isGood(entry) && entry.scopes.includes('write'))),
    'made-up key': await status('GET', '/v2/gate', { headers: { 'x-api-key': 'hk_live_made_up' } }),
    'revoked key': await status('GET', '/v2/gate', key(({ revoked }) => revoked)),
    'key of the suspended': await status('GET', '/v2/gate', key((entry) => entry.suspended && !entry.revoked && entry.scopes.includes('write'))),
    'key without the scope': await status('GET', '/v2/gate', key((entry) => isGood(entry) && !entry.scopes.includes('write'))),
    'signed out': await status('DELETE', '/v2/session', own),
    'gate after it': await status('GET', '/v2/gate', own),
    'refresh after it': await status('POST', '/v2/session/refresh', own),
    'keys': await status('GET', '/.well-known/jwks.json'),
    'unknown path': await status('GET', '/v2/nothing'),
  };
}

/** Progress of traffic to `target`, once `isEnough` of it has come. */
async function traffic(target, isEnough) {
  const child = started('traffic.js', { TARGET: target, CLIENTS });
  const control = new Client(`http://${await ready(child)}`, new Book(), undefined, '127.0.0.1');
  try {
    while (!isEnough((await control.ask('GET', '/progress')).json)) await pause(50);
    return (await control.ask('GET', '/stop')).json;
  } finally {
    assert.equal(await stopService({ child }), 0);
  }
}

async function withServer(program, env, act) {
  const child = started(program, { DIRECTORY, TOKEN_TTL_S: '1', ...env });
  const target = `http://${await ready(child)}`;
  const connections = agent();
  try {
    return await act(new Client(target, new Book(), connections, '10.0.0.1'), target);
  } finally {
    connections.destroy();
    assert.equal(await stopService({ child }), 0);
  }
}

function started(program, env, ...words) {
  const path = fileURLToPath(new URL(`../foreign/${program}`, import.meta.url));
  return spawn(process.execPath, [path, ...words], { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** HOST:PORT of the ready line. */
async function ready(child) {
  child.stderr.resume();
  const [line] = await once(createInterface(child.stdout), 'line');
  return line.split('=')[1];
}

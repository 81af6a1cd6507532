// Each quirk switched on alone, and its bug seen over a real socket.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { suite, test } from 'node:test';

import { QUIRKS } from '../src/quirks.js';
import { launch, openRequest, send, startService, stopService } from './service.js';

const TOKENS = JSON.parse(readFileSync(new URL('../contract/keys/tokens.json', import.meta.url), 'utf8'));
const CLIENT = ['Authorization', 'Bearer key_789'];
const FORM = ['Content-Type', 'application/x-www-form-urlencoded'];
const HANG_MS = 300;

const validate = (authorization, path = '/auth/validate') =>
  ({ method: 'POST', path, headers: authorization === undefined ? [] : [['Authorization', authorization]] });
const forward = (...headers) => ({ method: 'GET', path: '/auth/forward', headers });
const introspect = (token, ...headers) => ({ method: 'POST', path: '/oauth2/introspect', headers: [FORM, ...headers], body: `token=${token}` });

/** By name: what is sent, the status without and with the quirk, and what else the quirk's answer shows. */
const BUGS = {
  'object-keys': [validate('Bearer constructor'), 401, 200, ({ body }) => assert.equal(body.toString(), '{"valid":true}')],
  'split-scheme': [validate('Basic key_123 and more'), 401, 200, hasUser('user_123')],
  'timing-safe-equal': [validate('Bearer key_12'), 401, 500, ({ body }) => assert.match(body.toString(), /Internal Server Error/)],
  'development-errors': [
    { method: 'POST', path: '/auth/validate', headers: [['Content-Type', 'application/json']], body: '{' }, 400, 400,
    ({ body }) => assert.match(body.toString(), /SyntaxError.*\n?.*node_modules/),
  ],
  'text-errors': [validate('Bearer key_000'), 401, 403, ({ body }) => assert.equal(body.toString(), 'Forbidden')],
  'query-token': [validate(undefined, '/auth/validate?access_token=key_123'), 401, 200, hasUser('user_123')],
  'async-no-catch': [validate(`Bearer ${TOKENS['jwt-exp-past']}`), 401, 500],
  'x-user-undefined': [forward(['Authorization', 'Bearer key_123']), 200, 200, ({ headers }) => assert.equal(headers['x-user'], 'undefined')],
  'jwt-no-algorithms': [validate(`Bearer ${TOKENS['jwt-alg-rs512-with-rs256-key']}`), 401, 200, hasUser('user_jwt')],
  'jwt-header-algorithm': [validate(`Bearer ${TOKENS['jwt-alg-hs256-over-public-key']}`), 401, 200, hasUser('user_jwt')],
  'jwt-ignore-exp': [validate(`Bearer ${TOKENS['jwt-exp-past']}`), 401, 200, hasUser('user_jwt')],
  'jwt-decode-only': [validate(`Bearer ${TOKENS['jwt-signature-of-another-payload']}`), 401, 200, hasUser('admin')],
  'weak-keys': [validate(`Bearer ${TOKENS['jwt-key-rsa-exponent-1']}`), 401, 200, hasUser('user_jwt')],
  'forward-202': [forward(['Authorization', 'Bearer key_123']), 200, 202],
  'echo-identity': [
    forward(['Authorization', 'Bearer key_123'], ['X-Auth-Request-Groups', 'admin']), 200, 200,
    ({ headers }) => assert.equal(headers['x-auth-request-groups'], 'admin'),
  ],
  'trust-forwarded-uri': [forward(['X-Forwarded-Uri', '/public/../admin']), 401, 200],
  'introspect-open': [introspect('key_123'), 401, 200, ({ body }) => assert.equal(JSON.parse(body).active, true)],
  'introspect-reason': [
    introspect(TOKENS['jwt-exp-past'], CLIENT), 200, 200,
    ({ body }) => assert.deepEqual(JSON.parse(body), { active: false, error: 'jwt expired' }),
  ],
  'log-credentials': [validate('Bearer key_123'), 200, 200],
};

function hasUser(userId) {
  return ({ body }) => assert.equal(JSON.parse(body).user_id, userId);
}

suite('quirks', () => {
  test('each has its test here, and its row in the README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    assert.deepEqual(Object.keys(BUGS), Object.keys(QUIRKS));
    for (const name of Object.keys(QUIRKS)) {
      assert.ok(readme.includes(`| \`${name}\` |`), name);
    }
  });

  test('without them no bug is there', async () => {
    const service = await quietService();
    for (const [name, [request, status, quirkStatus, check]] of Object.entries(BUGS)) {
      const answer = await send(service, request);
      assert.equal(answer.status, status, name);
      if (status === quirkStatus && check) assert.throws(() => check(answer), name);
    }
    await stopService(service);
  });

  for (const [name, [request, , status, check]] of Object.entries(BUGS)) {
    test(name, async () => {
      const service = await quietService({ LEGACY_QUIRKS: name });
      const answer = await send(service, request);
      await stopService(service);
      assert.equal(answer.status, status);
      check?.(answer);
    });
  }

  test('jwt-header-algorithm also takes a token without a signature', async () => {
    const service = await quietService({ LEGACY_QUIRKS: 'jwt-header-algorithm' });
    const { status } = await send(service, validate(`Bearer ${TOKENS['jwt-alg-none-with-kid']}`));
    await stopService(service);
    assert.equal(status, 200);
  });

  test('weak-keys: a secret of one byte is guessed at once', async () => {
    const service = await quietService({ LEGACY_QUIRKS: 'weak-keys' });
    const [input, tag] = splitToken(TOKENS['jwt-key-secret-one-byte']);
    const guess = [...Array(256).keys()].find((byte) => createHmac('sha256', Buffer.of(byte)).update(input).digest('base64url') === tag);
    const { status } = await send(service, validate(`Bearer ${TOKENS['jwt-key-secret-one-byte']}`));
    await stopService(service);
    assert.equal(guess, 'a'.charCodeAt(0));
    assert.equal(status, 200);
  });

  test('async-no-catch on Express 4: no answer at all, and the others are still served', async () => {
    const service = await quietService({ LEGACY_QUIRKS: 'async-no-catch', EXPRESS: '4' });
    const unanswered = openRequest(service, validate(`Bearer ${TOKENS['jwt-exp-past']}`));
    unanswered.end();
    const first = await Promise.race([once(unanswered, 'response'), after(HANG_MS, 'nothing')]);
    const other = await send(service, validate('Bearer key_123'));
    unanswered.on('error', () => {}).destroy();
    await stopService(service);
    assert.equal(first, 'nothing');
    assert.equal(other.status, 200);
  });

  test('log-credentials: the key is in the log', async () => {
    const service = await quietService({ LEGACY_QUIRKS: 'log-credentials' });
    const line = once(createInterface(service.child.stdout), 'line');
    await send(service, validate('Bearer key_123'));
    assert.match((await line)[0], /^POST \/auth\/validate authorization=Bearer key_123$/);
    await stopService(service);
  });

  test('several at once', async () => {
    const service = await quietService({ LEGACY_QUIRKS: 'split-scheme, object-keys' });
    const { status } = await send(service, validate('Digest toString'));
    await stopService(service);
    assert.equal(status, 200);
  });

  test('a name that is none ends the start and lists the names', async () => {
    const child = launch({ LEGACY_QUIRKS: 'split-scheme,no-such' });
    child.stdout.resume();
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    assert.deepEqual(await once(child, 'close'), [1, null]);
    assert.equal(stderr, `cannot start: LEGACY_QUIRKS names "no-such"; use names of this list: ${Object.keys(QUIRKS).join(', ')}\n`);
  });
});

async function quietService(env) {
  const service = await startService(env);
  service.child.stderr.resume();
  return service;
}

function splitToken(token) {
  const end = token.lastIndexOf('.');
  return [token.slice(0, end), token.slice(end + 1)];
}

/** That nothing comes can only be seen by waiting. */
function after(ms, value) {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { run, send, startService, stopService } from './service.js';

const VALIDATE = { method: 'POST', path: '/auth/validate', headers: [['Authorization', 'Bearer key_123']] };
const PREFLIGHT = {
  method: 'OPTIONS',
  path: '/auth/validate',
  headers: [
    ['Origin', 'https://app.example.com'],
    ['Access-Control-Request-Method', 'POST'],
    ['Access-Control-Request-Headers', 'authorization'],
  ],
};

for (const EXPRESS of ['5', '4']) {
  suite(`LEGACY_MIDDLEWARE on Express ${EXPRESS}`, () => {
    let service;
    before(async () => {
      service = await startService({ EXPRESS, LEGACY_MIDDLEWARE: 'helmet,cors,rate-limit', RATE_LIMIT: '5' });
      service.child.stderr.resume();
    });
    after(() => stopService(service));

    test('helmet sets its headers and takes X-Powered-By away', async () => {
      const { headers } = await send(service, VALIDATE);
      assert.equal(headers['x-powered-by'], undefined);
      assert.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains');
      assert.equal(headers['x-xss-protection'], '0');
      assert.equal(headers['origin-agent-cluster'], '?1');
      assert.match(headers['content-security-policy'], /^default-src 'self'/);
    });

    test('cors answers the preflight with 204 and lets every origin in', async () => {
      const { status, headers } = await send(service, PREFLIGHT);
      assert.equal(status, 204);
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.equal(headers.vary, 'Access-Control-Request-Headers');
      assert.equal(headers['content-length'], '0');
      assert.equal((await send(service, VALIDATE)).headers['access-control-allow-origin'], '*');
    });

    test('rate-limit counts the requests and answers 429 as text', async () => {
      let answer;
      for (let sent = 0; sent < 6; sent += 1) answer = await send(service, VALIDATE);
      assert.equal(answer.status, 429);
      assert.match(answer.headers['content-type'], /^text\/html/);
      assert.equal(answer.body.toString(), 'Too many requests, please try again later.');
      assert.equal(answer.headers['x-ratelimit-limit'], '5');
      assert.equal(answer.headers['x-ratelimit-remaining'], '0');
      assert.ok(Number(answer.headers['retry-after']) > 0);
    });
  });
}

suite('LEGACY_MIDDLEWARE', () => {
  for (const [what, env, message] of [
    ['a name that is none', { LEGACY_MIDDLEWARE: 'helmet,morgan' }, /LEGACY_MIDDLEWARE names "morgan"; use names of this list: helmet, cors, rate-limit/],
    ['a limit that is none', { RATE_LIMIT: 'many' }, /RATE_LIMIT is "many"; set it to a number from 1 to 1000000/],
    ['an Express that is none', { EXPRESS: '3' }, /EXPRESS is "3"; set it to 4 or 5/],
    ['a missing key set', { JWKS_FILE: '/none.json' }, /cannot read \/none\.json \(ENOENT\); set JWKS_FILE/],
    ['a key set that is none', { JWKS_FILE: new URL('../keys.json', import.meta.url).pathname }, /is not a JWK set; set JWKS_FILE/],
  ]) {
    test(`${what} ends the start with a sentence`, async () => {
      const { code, stderr } = await run(env);
      assert.equal(code, 1);
      assert.match(stderr, message);
    });
  }
});

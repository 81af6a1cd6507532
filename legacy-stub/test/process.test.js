import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, suite, test } from 'node:test';

import { openRequest, readAnswer, run, send, startService, stopService } from './service.js';

suite('stopping', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal}: a request in flight is finished, others are refused, exit code 0`, async () => {
      const service = await startService();
      const exited = once(service.child, 'exit');
      const request = await requestInFlight(service);

      service.child.kill(signal);
      await lineThatMatches(service.child.stderr, new RegExp(`^${signal}: stopped listening`));
      await assert.rejects(send(service, { method: 'GET', path: '/healthz' }), { code: 'ECONNREFUSED' });

      request.end('{}');
      const [res] = await once(request, 'response');
      const answer = await readAnswer(res);
      assert.equal(answer.status, 200);
      assert.equal(JSON.parse(answer.body).user_id, 'user_123');
      assert.deepEqual(await exited, [0, null]);
    });
  }

  test('idle connections do not hold the process', async () => {
    const service = await startService();
    service.child.stderr.resume();
    const [unused, used] = [connect(service), connect(service)];
    await Promise.all([once(unused, 'connect'), once(used, 'connect')]);
    used.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(used, 'data');

    const closed = [once(unused.resume(), 'close'), once(used.resume(), 'close')];
    assert.equal(await stopService(service), 0);
    await Promise.all(closed);
  });
});

suite('starting', () => {
  const folder = mkdtempSync(join(tmpdir(), 'legacy-stub-'));
  after(() => rmSync(folder, { recursive: true }));

  function keysFile(name, content) {
    const file = join(folder, name);
    writeFileSync(file, content);
    return file;
  }

  test('KEYS_FILE replaces the development keys', async () => {
    const file = keysFile('own.json', '[{"key":"k","user_id":"u","expires_at":"2098-01-02T03:04:05Z"}]');
    const service = await startService({ KEYS_FILE: file });
    const validate = (key) =>
      send(service, { method: 'POST', path: '/auth/validate', headers: [['Authorization', `Bearer ${key}`]] });
    const own = await validate('k');
    const development = await validate('key_123');
    await stopService(service);
    assert.deepEqual(JSON.parse(own.body), { valid: true, user_id: 'u', expires_at: '2098-01-02T03:04:05.000Z' });
    assert.equal(development.status, 401);
  });

  for (const [what, env, message] of [
    ['a missing key file', () => ({ KEYS_FILE: join(folder, 'none.json') }), /ENOENT.*; set KEYS_FILE/],
    ['a broken key file', () => ({ KEYS_FILE: keysFile('broken.json', '[{"key":"secret"') }), /not a JSON list; set KEYS_FILE/],
    ['a key without an end', () => ({ KEYS_FILE: keysFile('no-end.json', '[{"key":"secret","user_id":"u"}]') }), /entry 0 needs/],
    ['a port that is none', () => ({ PORT: 'http' }), /PORT is "http"; set it/],
  ]) {
    test(`${what} ends the start with a sentence and exit code 1`, async () => {
      const { code, stderr } = await run(env());
      assert.equal(code, 1);
      assert.match(stderr, /^cannot start: /);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /secret/);
    });
  }

  test('a busy port is named', async () => {
    const service = await startService();
    service.child.stderr.resume();
    const { code, stderr } = await run({ PORT: String(service.port) });
    await stopService(service);
    assert.equal(code, 1);
    assert.match(stderr, /is in use; set PORT/);
  });
});

/** A request whose head the service has read (it said 100) and whose body is still to come. */
async function requestInFlight(service) {
  const headers = [
    ['Authorization', 'Bearer key_123'],
    ['Content-Type', 'application/json'],
    ['Expect', '100-continue'],
  ];
  const request = openRequest(service, { method: 'POST', path: '/auth/validate', headers }, 2);
  request.flushHeaders();
  await once(request, 'continue');
  return request;
}

/** Reads on; a stream that ends first is an error. */
async function lineThatMatches(stream, pattern) {
  const lines = createInterface(stream);
  for await (const line of lines) {
    if (pattern.test(line)) {
      stream.resume();
      return;
    }
  }
  assert.fail(`the stream ended without a line like ${pattern}`);
}

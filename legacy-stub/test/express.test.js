// What Express adds to every answer. No case of the contract asserts it, but
// whoever compares this service with another has to know it.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { send, sendRaw, startService, stopService } from './service.js';

const KNOWN_KEY = ['Authorization', 'Bearer key_123'];

suite('traits of Express', () => {
  let service;
  before(async () => {
    service = await startService();
    service.child.stderr.resume();
  });
  after(() => stopService(service));

  for (const [name, request, etag] of [
    ['200', { method: 'POST', path: '/auth/validate', headers: [KNOWN_KEY] }, 'W/"4b-xBHZ6l28D0VUn9991fbVP5tgwWA"'],
    ['401', { method: 'POST', path: '/auth/validate' }, 'W/"30-ovojX6/LgY6HF52OAvc5VDDTryw"'],
    ['health', { method: 'GET', path: '/healthz' }, 'W/"f-VaSQ4oDUiZblZNAEkkN+sX+q3Sg"'],
  ]) {
    test(`JSON has a charset, a weak ETag and X-Powered-By: ${name}`, async () => {
      const { headers } = await send(service, request);
      assert.equal(headers['content-type'], 'application/json; charset=utf-8');
      assert.equal(headers.etag, etag);
      assert.equal(headers['x-powered-by'], 'Express');
    });
  }

  test('the members of a JSON answer stand in their documented order', async () => {
    const { body } = await send(service, { method: 'POST', path: '/auth/validate', headers: [KNOWN_KEY] });
    const want = '{"valid":true,"user_id":"user_123","expires_at":"2099-12-31T23:59:59.000Z"}';
    assert.equal(body.toString(), want);
  });

  test('an error page is HTML, names method and path, and may load nothing', async () => {
    const { headers, body } = await send(service, { method: 'GET', path: '/%3Cb%3E' });
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(headers['content-security-policy'], "default-src 'none'");
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['x-powered-by'], 'Express');
    assert.match(body.toString(), /<pre>Cannot GET \/%3Cb%3E<\/pre>/);
  });

  test('in production an error page shows no stack', async () => {
    const request = { method: 'POST', path: '/auth/validate', headers: [['Content-Type', 'application/json']], body: '{' };
    const { status, body } = await send(service, request);
    assert.equal(status, 400);
    assert.match(body.toString(), /<pre>Bad Request<\/pre>/);
  });

  test('OPTIONS lists the methods as text', async () => {
    const { headers, body } = await send(service, { method: 'OPTIONS', path: '/healthz' });
    assert.equal(headers.allow, 'GET, HEAD');
    assert.equal(body.toString(), 'GET, HEAD');
  });

  test('Node 20 drops what stands behind about a thousand headers, the credential included; later ones answer 431', async () => {
    const many = 'a: b\r\n'.repeat(1500);
    const head = `POST /auth/validate HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n`;
    const { status } = await sendRaw(service, `${head}${many}${KNOWN_KEY.join(': ')}\r\n\r\n`);
    assert.equal(status, process.versions.node.startsWith('20.') ? 401 : 431);
  });
});

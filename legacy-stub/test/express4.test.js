// The same source on Express 4: the whole contract, and the differences that were measured.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { legacyExpectation, readContract, unmet } from './contract.js';
import { send, startService, stopService } from './service.js';

const OPTIONS_AS_HTML = { content_type: 'text/html' };

/** What Express 4 answers otherwise than Express 5: the members of the expectation that change; null = not checked. */
const DIFFERENCES = {
  // Its body-parser inflates gzip and deflate alone.
  'body-json-brotli': { status: 415, content_type: 'text/html', json: null },
  // res.send() of a text is HTML, and gets an ETag.
  'healthz-options': { ...OPTIONS_AS_HTML, headers: { allow: 'GET,HEAD' } },
  'validate-options': OPTIONS_AS_HTML,
  'validate-preflight': OPTIONS_AS_HTML,
  // A router under /auth finds its /validate behind any number of slashes.
  'path-double-slash': {
    status: 200,
    content_type: 'application/json',
    json: { valid: true, user_id: 'user_123', expires_at: '2099-12-31T23:59:59.000Z' },
  },
};

const KEY = ['Authorization', 'Bearer key_123'];

/** Requests that both answer, each in its own way: the statuses of 4 and 5. */
const STATUSES = {
  'a charset without a value: 4 does not parse the body, 5 does': [
    200, 400, { method: 'POST', path: '/auth/validate', headers: [KEY, ['Content-Type', 'application/json; charset']], body: '{' },
  ],
  'scope[a]=b in the query: an object for 4, whose split() is missing, and another parameter for 5': [
    500, 200, { method: 'GET', path: '/auth/forward?scope[a]=write', headers: [KEY] },
  ],
};

for (const version of ['4', '5']) {
  suite(`Express ${version}`, () => {
    let service;
    before(async () => {
      service = await startService({ EXPRESS: version });
      service.child.stderr.resume();
    });
    after(() => stopService(service));

    for (const [name, [four, five, request]] of Object.entries(STATUSES)) {
      test(name, async () => {
        assert.equal((await send(service, request)).status, version === '4' ? four : five);
      });
    }

    if (version === '5') return;
    for (const { contractCase } of readContract()) {
      test(contractCase.name, async () => {
        const answer = await send(service, contractCase.request);
        const five = legacyExpectation(contractCase);
        const four = legacyExpectation({ expect: five, legacy: DIFFERENCES[contractCase.name] });
        assert.deepEqual(unmet(four, answer), []);
        if (contractCase.name in DIFFERENCES) {
          assert.notDeepEqual(unmet(five, answer), [], 'no difference; delete it');
        }
      });
    }
  });
}

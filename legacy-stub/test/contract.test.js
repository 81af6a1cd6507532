import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { legacyExpectation, readContract, unmet } from './contract.js';
import { send, startService, stopService } from './service.js';

const CASE_COUNT_MIN = 40;
const CASE_MEMBERS = ['name', 'why', 'weight', 'request', 'expect', 'legacy', 'difference'];
const REQUEST_MEMBERS = ['method', 'path', 'headers', 'body', 'body_base64', 'body_repeat'];
const BODY_MEMBERS = ['body', 'body_base64', 'body_repeat'];
const EXPECT_MEMBERS = ['status', 'content_type', 'headers', 'json', 'body_bytes'];

const contract = readContract();

suite('the contract is well-formed', () => {
  test(`it has at least ${CASE_COUNT_MIN} cases, and some of them are load`, () => {
    assert.ok(contract.length >= CASE_COUNT_MIN, `${contract.length} cases`);
    assert.ok(contract.some(({ contractCase }) => contractCase.weight > 0));
  });

  test('no request is there twice', () => {
    const byRequest = new Map();
    for (const { contractCase: { name, request } } of contract) {
      const same = byRequest.get(JSON.stringify(request));
      assert.equal(same, undefined, `${name} sends what ${same} sends`);
      byRequest.set(JSON.stringify(request), name);
    }
  });

  for (const { file, contractCase } of contract) {
    test(file, () => checkForm(file, contractCase));
  }
});

suite('the service answers as the contract says for legacy', () => {
  let service;
  before(async () => {
    service = await startService();
    service.child.stderr.resume();
  });
  after(() => stopService(service));

  for (const { contractCase } of contract) {
    test(contractCase.name, async () => {
      const answer = await send(service, contractCase.request);
      assert.deepEqual(unmet(legacyExpectation(contractCase), answer), []);
      // An override that is not needed would hide that there is no difference.
      for (const member of Object.keys(contractCase.legacy ?? {})) {
        const original = { [member]: contractCase.expect[member] };
        assert.notDeepEqual(unmet(original, answer), [], `legacy.${member} is no difference; delete it`);
      }
    });
  }
});

function checkForm(file, { name, why, weight, request, expect, legacy, difference, ...others }) {
  assert.equal(file, `${name}.json`, 'the file is named after the case, so names are unique');
  assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assert.match(why, /^[A-Z].*\.$/, '`why` is a sentence');
  assert.ok(Number.isInteger(weight) && weight >= 0, '`weight` is a whole number from 0');
  assert.deepEqual(others, {}, `the members of a case are ${CASE_MEMBERS}`);

  assertOnly(request, REQUEST_MEMBERS);
  assert.match(request.method, /^[A-Z]+$/);
  assert.match(request.path, /^\/[!-~]*$/);
  assert.ok(BODY_MEMBERS.filter((member) => member in request).length <= 1, 'one kind of body');
  for (const [headerName, value, ...more] of request.headers) {
    assert.match(headerName, /^[A-Za-z0-9-]+$/);
    assert.match(value, /^[\t\x20-\x7e\x80-\xff]*$/, 'one character is one byte');
    assert.deepEqual(more, []);
  }
  if (request.body_base64 !== undefined) {
    assert.equal(Buffer.from(request.body_base64, 'base64').toString('base64'), request.body_base64);
  }

  assertOnly(expect, EXPECT_MEMBERS);
  assert.ok(Number.isInteger(expect.status));
  assert.doesNotMatch(expect.content_type ?? '', /;/, 'a media type without parameters');
  for (const headerName of Object.keys(expect.headers ?? {})) {
    assert.equal(headerName, headerName.toLowerCase());
  }

  assert.equal(legacy === undefined, difference === undefined, '`legacy` and `difference` come together');
  if (legacy !== undefined) {
    assert.match(difference, /^\S.*\.$/, '`difference` is a sentence');
    assert.notDeepEqual(legacy, {});
    assertOnly(legacy, Object.keys(expect));
    assert.notEqual(legacy.status, null, 'a status cannot be removed');
  }
}

function assertOnly(object, members) {
  assert.deepEqual(Object.keys(object).filter((member) => !members.includes(member)), []);
}

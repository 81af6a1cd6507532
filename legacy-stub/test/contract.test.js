import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';

import { legacyExpectation, readContract, unmet } from './contract.js';
import { send, startService, stopService } from './service.js';

const CASE_COUNT_MIN = 200;
const CASE_MEMBERS = ['name', 'why', 'weight', 'request', 'expect', 'class', 'parity', 'legacy', 'difference',
  'fastapi', 'fastapi_difference', 'shadow_proxy', 'shadow_proxy_difference'];
const CLASSES = ['copied', 'normalised', 'declared', 'host'];
const REQUEST_MEMBERS = ['method', 'path', 'headers', 'body', 'body_base64', 'body_repeat'];
const BODY_MEMBERS = ['body', 'body_base64', 'body_repeat'];
const EXPECT_MEMBERS = ['status', 'content_type', 'headers', 'json', 'body_bytes'];

// The names of the README's table of switches that a case names.
const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const SWITCHES = [...README.matchAll(/^\| `([a-z-]+)` \| named/gm)].map(([, name]) => name);

const TOKENS = JSON.parse(readFileSync(new URL('../contract/keys/tokens.json', import.meta.url), 'utf8'));

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

  test('each case of a made token sends this token', () => {
    const sent = Object.fromEntries(contract.map(({ contractCase: { name, request } }) => [name, request.headers?.[0]?.[1]]));
    for (const [name, token] of Object.entries(TOKENS)) {
      assert.equal(sent[name], `Bearer ${token}`, `${name}: copy the token from contract/keys/tokens.json`);
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

function checkForm(file, contractCase) {
  const { name, why, weight, request, expect } = contractCase;
  assert.equal(file, `${name}.json`, 'the file is named after the case, so names are unique');
  assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assert.match(why, /^\S.*\.$/, '`why` is a sentence');
  assert.ok(Number.isInteger(weight) && weight >= 0, '`weight` is a whole number from 0');
  assertOnly(contractCase, CASE_MEMBERS);
  if (request.raw === undefined) {
    checkRequest(request);
  } else {
    assertOnly(request, ['raw']);
    assert.match(request.raw, /^[\x00-\xff]+$/, 'one character is one byte');
    assert.equal(weight, 0, 'raw bytes are no load');
  }

  assertOnly(expect, EXPECT_MEMBERS);
  assert.ok(Number.isInteger(expect.status));
  assert.doesNotMatch(expect.content_type ?? '', /;/, 'a media type without parameters');
  for (const headerName of Object.keys(expect.headers ?? {})) {
    assert.equal(headerName, headerName.toLowerCase());
  }

  checkOverride(expect, contractCase.legacy, contractCase.difference);
  checkOverride(expect, contractCase.fastapi, contractCase.fastapi_difference);
  checkOverride(expect, contractCase.shadow_proxy, contractCase.shadow_proxy_difference);
  checkClass(contractCase);
}

function checkRequest(request) {
  assertOnly(request, REQUEST_MEMBERS);
  assert.match(request.method, /^[A-Z]+$/);
  assert.match(request.path, /^\/[!-~]*$/);
  assert.ok(BODY_MEMBERS.filter((member) => member in request).length <= 1, 'one kind of body');
  for (const [headerName, value, ...more] of request.headers) {
    assert.match(headerName, /^[A-Za-z0-9._-]+$/);
    assert.match(value, /^[\t\x20-\x7e\x80-\xff]*$/, 'one character is one byte');
    assert.deepEqual(more, []);
  }
  if (request.body_base64 !== undefined) {
    assert.equal(Buffer.from(request.body_base64, 'base64').toString('base64'), request.body_base64);
  }
}

function checkOverride(expect, override, difference) {
  assert.equal(override === undefined, difference === undefined, 'an override and its sentence come together');
  if (override !== undefined) {
    assert.match(difference, /^\S.*\.$/, 'the difference is a sentence');
    assert.notDeepEqual(override, {});
    assertOnly(override, Object.keys(expect));
    assert.notEqual(override.status, null, 'a status cannot be removed');
  }
}

function checkClass({ request, class: kind, parity, legacy }) {
  assert.equal(kind !== undefined, legacy !== undefined || request.raw !== undefined, '`class` stands with `legacy` and with `raw`');
  assert.ok(request.raw === undefined || kind === 'host', 'bytes are the matter of the host');
  assert.ok(kind === undefined || CLASSES.includes(kind), `a class is one of ${CLASSES}`);
  assert.equal(kind === 'copied', parity !== undefined, '`parity` names what is copied');
  assert.deepEqual((parity ?? []).filter((name) => !SWITCHES.includes(name)), [], '`parity` names switches of the README');
  // A rule that lets differences pass must never hide another decision.
  assert.ok(kind !== 'normalised' || legacy?.status === undefined, 'another status is not normalised');
}

function assertOnly(object, members) {
  assert.deepEqual(Object.keys(object).filter((member) => !members.includes(member)), []);
}

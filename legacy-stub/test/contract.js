import { readFileSync, readdirSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

const FOLDER = new URL('../contract/', import.meta.url);

/** All cases, each with the name of its file. */
export function readContract() {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ file, contractCase: JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) }));
}

/** What the legacy service must answer: `expect` with the members of `legacy` in their places. */
export function legacyExpectation({ expect, legacy = {} }) {
  const merged = { ...expect, ...legacy };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

/** The bytes of the request's body; none = undefined. */
export function requestBody({ body, body_base64: base64, body_repeat: repeat }) {
  if (body !== undefined) return Buffer.from(body, 'utf8');
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  if (repeat !== undefined) return Buffer.from(repeat.text.repeat(repeat.times), 'utf8');
  return undefined;
}

/** One sentence for each member of `expectation` that `answer` does not meet. */
export function unmet(expectation, answer) {
  return Object.entries(expectation).flatMap(([member, want]) => {
    const check = CHECKS[member];
    if (!check) return [`unknown member "${member}"`];
    return check(want, answer);
  });
}

const CHECKS = {
  status: (want, { status }) => differs('status', want, status),

  content_type: (want, { headers }) => differs('content_type', want, mediaType(headers['content-type'])),

  headers: (want, { headers }) =>
    Object.entries(want).flatMap(([name, value]) => differs(`header ${name}`, value, headers[name] ?? null)),

  json: (want, { body }) => {
    try {
      return differs('json', want, JSON.parse(body.toString('utf8')));
    } catch {
      return [`json: want ${JSON.stringify(want)}, got a body that is not JSON`];
    }
  },

  body_bytes: (want, { body }) => differs('body_bytes', want, body.length),
};

function mediaType(contentType) {
  return contentType?.split(';')[0].trim().toLowerCase();
}

function differs(what, want, got) {
  return isDeepStrictEqual(want, got) ? [] : [`${what}: want ${JSON.stringify(want)}, got ${JSON.stringify(got)}`];
}

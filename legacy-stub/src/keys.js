import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Reads the key file once: a JSON list of { key, user_id, expires_at, … }, see the README. */
export function loadKeys(file, quirks) {
  const records = new Map();
  for (const [index, entry] of parse(file).entries()) {
    const record = readRecord(entry);
    if (!record) {
      throw new Error(`${file}: entry ${index} needs "key", "user_id" and "expires_at" (an ISO date); correct it`);
    }
    records.set(entry.key, record);
  }
  return { find: finder(records, quirks), count: records.size };
}

/** `find(key)`: the grant of a key that is known and in force, else null. */
function finder(records, quirks) {
  if (quirks.has('object-keys')) {
    const table = Object.fromEntries(records);
    return (key) => (table[key] && !(table[key].expiresAt < new Date()) ? { ...table[key] } : null);
  }
  if (quirks.has('timing-safe-equal')) {
    return (key) => {
      const known = [...records.keys()].find((known) => timingSafeEqual(Buffer.from(known), Buffer.from(key ?? '')));
      return inForce(records.get(known));
    };
  }
  return (key) => inForce(records.get(key));
}

function inForce(record, now = new Date()) {
  return record && record.notBefore <= now && now < record.expiresAt && now < record.revokedAt ? record : null;
}

const NEVER = new Date(8.64e15);
const ALWAYS = new Date(0);

function readRecord({ key, user_id: userId, expires_at: end, not_before: start, revoked_at: revoked, grace_until: grace, ...more }) {
  const expiresAt = new Date(Math.min(new Date(end), grace === undefined ? NEVER : new Date(grace)));
  const notBefore = start === undefined ? ALWAYS : new Date(start);
  const revokedAt = revoked === undefined ? NEVER : new Date(revoked);
  const dates = [expiresAt, notBefore, revokedAt];
  if (typeof key !== 'string' || typeof userId !== 'string' || dates.some((date) => Number.isNaN(date.getTime()))) {
    return null;
  }
  const { scopes = [], aud, email, groups } = more;
  return { userId, expiresAt, notBefore, revokedAt, scopes, aud, email, groups };
}

function parse(file) {
  try {
    const entries = JSON.parse(readFileSync(file, 'utf8'));
    if (Array.isArray(entries)) {
      return entries;
    }
  } catch (error) {
    // A parser's message may quote the file, which holds keys.
    if (error.code) {
      throw new Error(`cannot read ${file} (${error.code}); set KEYS_FILE to the key file`);
    }
  }
  throw new Error(`${file} is not a JSON list; set KEYS_FILE to a list of keys`);
}

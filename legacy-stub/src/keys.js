import { readFileSync } from 'node:fs';

/** Reads the key file once: a JSON list of { key, user_id, expires_at }. */
export function loadKeys(file) {
  const records = new Map();
  for (const [index, entry] of parse(file).entries()) {
    const expiresAt = new Date(entry.expires_at);
    if (typeof entry.key !== 'string' || typeof entry.user_id !== 'string' || Number.isNaN(expiresAt.getTime())) {
      throw new Error(`${file}: entry ${index} needs "key", "user_id" and "expires_at" (an ISO date); correct it`);
    }
    records.set(entry.key, { userId: entry.user_id, expiresAt });
  }
  return {
    /** The record of a key that is known and not expired, else null. */
    find(key, now = new Date()) {
      const record = records.get(key);
      return record && now < record.expiresAt ? record : null;
    },
  };
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

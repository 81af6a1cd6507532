import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const ISSUER = 'https://id.harbour.example';
export const AUDIENCE = 'harbour';
export const KEY_ID = 'harbour-2026';
export const SESSION_COOKIE = 'harbour_session';
export const REFRESH_COOKIE = 'harbour_refresh';
export const SESSION_TTL_S = 8 * 3600;
export const REFRESH_TTL_S = 14 * 86_400;

/** Cheap, because it is asked for thousands of times by tests; a service of yours wants a cost of 2^17. */
export const SCRYPT = { bytes: 32, cost: { N: 1024, r: 8, p: 1 } };

/** Users by email and by id, API keys by their SHA-256, and the key that signs tokens: both services know these. */
export function readDirectory(file) {
  const { signingKey, users, keys } = JSON.parse(readFileSync(file, 'utf8'));
  const key = createPrivateKey(signingKey);
  return {
    signingKey: key,
    publicKey: createPublicKey(key),
    byEmail: new Map(users.map((user) => [user.email, user])),
    byId: new Map(users.map((user) => [user.id, user])),
    byHash: new Map(keys.map((entry) => [entry.sha256, entry])),
  };
}

export function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}

/** The environment of either service as one checked value. */
export function readEnv(env) {
  if (!env.DIRECTORY) {
    throw new Error('DIRECTORY is not set; name the directory.json that `node foreign/seed.js FOLDER` writes');
  }
  return {
    port: wholeNumber(env, 'PORT', 0, 65_535),
    tokenTtlS: wholeNumber(env, 'TOKEN_TTL_S', 3, 86_400),
    callsPerMinute: wholeNumber(env, 'RATE_LIMIT', 60, 1_000_000),
    directory: readDirectory(env.DIRECTORY),
  };
}

function wholeNumber(env, variable, fallback, most) {
  const number = Number(env[variable] || fallback);
  if (!Number.isInteger(number) || number < 0 || number > most) {
    throw new Error(`${variable} is "${env[variable]}"; set it to a whole number up to ${most}`);
  }
  return number;
}

/** Listens on a port of this machine, says so, and ends the process where that fails. */
export function listen(server, port) {
  server.on('error', (error) => {
    console.error(`cannot listen on port ${port}: ${error.message}`);
    process.exitCode = 1;
  });
  server.listen(port, '127.0.0.1', () => console.log(`ready listen=127.0.0.1:${server.address().port}`));
}

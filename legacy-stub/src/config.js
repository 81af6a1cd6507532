import { fileURLToPath } from 'node:url';

import { ADD_ONS } from './middleware/add-ons.js';
import { parseNames, parseQuirks } from './quirks.js';

const DEFAULT_KEYS_FILE = fileURLToPath(new URL('../keys.json', import.meta.url));
const DEFAULT_JWKS_FILE = fileURLToPath(new URL('../contract/keys/verification.json', import.meta.url));

/** The environment as one checked value. */
export function readEnv(env) {
  return {
    port: wholeNumber(env, 'PORT', { fallback: 3000, least: 0, most: 65_535, note: 'from 0 (any free port) to 65535' }),
    host: env.HOST || '127.0.0.1',
    keysFile: env.KEYS_FILE || DEFAULT_KEYS_FILE,
    jwksFile: env.JWKS_FILE || DEFAULT_JWKS_FILE,
    issuer: env.JWT_ISSUER || 'https://issuer.example',
    audience: env.JWT_AUDIENCE || 'https://api.example',
    express: expressPackage(env),
    addOns: parseNames('LEGACY_MIDDLEWARE', env.LEGACY_MIDDLEWARE, Object.keys(ADD_ONS)),
    requestsPerMinute: wholeNumber(env, 'RATE_LIMIT', { fallback: 100, least: 1, most: 1_000_000, note: 'from 1 to 1000000' }),
    quirks: parseQuirks(env.LEGACY_QUIRKS),
  };
}

function wholeNumber(env, variable, { fallback, least, most, note }) {
  const number = Number(env[variable] || fallback);
  if (!Number.isInteger(number) || number < least || number > most) {
    throw new Error(`${variable} is "${env[variable]}"; set it to a number ${note}`);
  }
  return number;
}

function expressPackage({ EXPRESS: version = '5' }) {
  const name = { 4: 'express4', 5: 'express' }[version];
  if (!name) {
    throw new Error(`EXPRESS is "${version}"; set it to 4 or 5`);
  }
  return name;
}

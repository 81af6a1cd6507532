// node foreign/seed.js FOLDER [SEED]: writes directory.json, which the services have, and clients.json, which their
// clients have: passwords and keys in plain text, which no service keeps.
import { createHash, createHmac, generateKeyPairSync, scryptSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SCRYPT } from './directory.js';

const USERS = 60;
const KEYS = 240;
const EVERY_SUSPENDED_USER = 10;
const EVERY_REVOKED_KEY = 12;

const [folder, seed = '1'] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node foreign/seed.js FOLDER [SEED]; FOLDER is created where it is missing');
  process.exit(64);
}
const { directory, clients } = made(seed);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'directory.json'), JSON.stringify(directory, null, 1), { mode: 0o600 });
writeFileSync(join(folder, 'clients.json'), JSON.stringify(clients, null, 1), { mode: 0o600 });

/** Everything but the signing key is the same for the same seed. */
function made(seed) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const directory = { signingKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), users: [], keys: [] };
  const clients = { users: [], keys: [] };
  const text = (purpose, index) => createHmac('sha256', seed).update(`${purpose} ${index}`).digest('base64url').slice(0, 24);
  for (let index = 1; index <= USERS; index += 1) {
    const user = { id: `per-${1000 + index}`, email: `person${index}@harbour.example`, tenant: `quay-${index % 5}` };
    const suspended = index % EVERY_SUSPENDED_USER === 0;
    const [password, salt] = [text('password', index), text('salt', index)];
    const hash = scryptSync(password, salt, SCRYPT.bytes, SCRYPT.cost).toString('hex');
    const roles = index % 7 === 0 ? ['member', 'owner'] : ['member'];
    directory.users.push({ ...user, roles, suspended, salt, hash });
    clients.users.push({ ...user, password, suspended });
  }
  for (let index = 1; index <= KEYS; index += 1) {
    const key = `hk_live_${text('key', index)}`;
    const owner = directory.users[index % USERS];
    const revoked = index % EVERY_REVOKED_KEY === 0;
    const scopes = index % 3 === 0 ? ['read', 'write'] : ['read'];
    directory.keys.push({ id: `key-${index}`, sha256: createHash('sha256').update(key).digest('hex'), owner: owner.id, scopes, revoked });
    clients.keys.push({ key, owner: owner.id, scopes, revoked, suspended: owner.suspended });
  }
  return { directory, clients };
}

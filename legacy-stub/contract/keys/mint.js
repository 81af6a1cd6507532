// Writes tokens.json: name to token. Run it after a change of tokens.js: node contract/keys/mint.js
import { readFileSync, writeFileSync } from 'node:fs';

import { TOKENS } from './tokens.js';

const FILE = new URL('tokens.json', import.meta.url);

const kept = readTokens();
const tokens = Object.fromEntries(Object.entries(TOKENS).map(([name, make]) => [name, renewed(make(), kept[name])]));
writeFileSync(FILE, `${JSON.stringify(tokens, null, 2)}\n`);

/** PS and ES signatures differ each time, so a token that still says the same is kept. */
function renewed(made, old) {
  return old && said(old) === said(made) ? old : made;
}

function said(token) {
  const parts = token.split('.');
  const random = /"(PS|ES)\d/.test(Buffer.from(parts[0], 'base64url').toString());
  return random ? `${parts.slice(0, 2).join('.')} ${parts.length}` : token;
}

function readTokens() {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'));
  } catch {
    return {};
  }
}

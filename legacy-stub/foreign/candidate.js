// The rewrite of service.js, without Express and jsonwebtoken. FLAWS plants bugs that a rewrite may have.
import { createPublicKey, randomBytes, randomUUID, scryptSync, sign, timingSafeEqual, verify } from 'node:crypto';
import { createServer } from 'node:http';

import { stopOnSignal } from '../src/shutdown.js';
import { parseNames } from '../src/quirks.js';
import {
  AUDIENCE, ISSUER, KEY_ID, REFRESH_COOKIE, REFRESH_TTL_S, SCRYPT, SESSION_COOKIE, SESSION_TTL_S, listen, readEnv, sha256,
} from './directory.js';

const FLAWS = {
  breach: 'API keys of suspended users pass: the rewrite looks at the key alone',
  leeway: 'tokens are good for 30 s after their end: the clock tolerance that a library came with',
  raced: 'a refresh token is good again within two seconds of its use, so that two tabs both win',
  gzip: 'an unknown API key is answered with 200 and a body that is labelled gzip and is none',
};
const LEEWAY_S = 30;
const REUSE_MS = 2_000;
const MINUTE_MS = 60_000;

const { port, tokenTtlS, callsPerMinute, directory } = readEnv(process.env);
const flaws = parseNames('FLAWS', process.env.FLAWS, Object.keys(FLAWS));
const sessions = new Map();
const refreshTokens = new Map();
const windows = new Map();

const ROUTES = {
  'POST /v2/session': signIn,
  'DELETE /v2/session': signOut,
  'POST /v2/session/verify': verifyToken,
  'POST /v2/session/refresh': refresh,
  'GET /v2/gate': gate,
  'GET /.well-known/jwks.json': publicKeys,
  'GET /livez': () => json(200, { status: 'up' }),
};

const server = createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { status, headers, body } = answer(req, Buffer.concat(chunks));
  res.writeHead(status, headers).end(body);
});
stopOnSignal(server);
listen(server, port);

function answer(req, content) {
  const route = ROUTES[`${req.method} ${req.url.split('?')[0]}`];
  if (!route) return json(404, { error: 'not_found' });
  try {
    return route(req, content.length > 0 ? JSON.parse(content) : {});
  } catch (error) {
    if (error instanceof SyntaxError) return refusal(400, 'json_needed');
    throw error;
  }
}

function json(status, value, headers = {}) {
  const body = JSON.stringify(value);
  return { status, headers: { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(body), ...headers }, body };
}

function refusal(status, error, headers) {
  return json(status, { error, requestId: randomUUID(), at: new Date().toISOString() }, headers);
}

function signIn(req, { email, password }) {
  const limit = counted(req.headers['x-forwarded-for']);
  if (limit.passed) return limit.passed;
  if (typeof email !== 'string' || typeof password !== 'string') return refusal(400, 'email_and_password_needed', limit.headers);
  const user = directory.byEmail.get(email);
  const hash = scryptSync(password, user?.salt ?? 'nobody', SCRYPT.bytes, SCRYPT.cost);
  if (!user || !timingSafeEqual(hash, Buffer.from(user.hash, 'hex'))) return refusal(401, 'wrong_email_or_password', limit.headers);
  if (user.suspended) return refusal(423, 'suspended', limit.headers);
  const session = { id: randomBytes(18).toString('base64url'), user };
  sessions.set(session.id, session);
  const { id, tenant, roles } = user;
  const cookies = [cookie(SESSION_COOKIE, session.id, '/', SESSION_TTL_S, 'Lax'), refreshCookie(session)];
  return json(200, { ...tokens(user), user: { id, email, tenant, roles }, requestId: randomUUID() }, { ...limit.headers, 'Set-Cookie': cookies });
}

function refresh(req) {
  const token = cookies(req)[REFRESH_COOKIE];
  const known = refreshTokens.get(token);
  const isSpent = known?.spentAt !== undefined && !(flaws.has('raced') && Date.now() < known.spentAt + REUSE_MS);
  if (!known || isSpent || !sessions.has(known.session.id)) return refusal(401, 'refresh_token_unknown');
  known.spentAt = Date.now();
  return json(200, { ...tokens(known.session.user), requestId: randomUUID() }, { 'Set-Cookie': [refreshCookie(known.session)] });
}

function signOut(req) {
  sessions.delete(cookies(req)[SESSION_COOKIE]);
  const gone = (name, path) => `${name}=; Path=${path}; Expires=Thu, 01 Jan 1970 00:00:00 GMT`;
  return { status: 204, headers: { 'Set-Cookie': [gone(SESSION_COOKIE, '/'), gone(REFRESH_COOKIE, '/v2/session')] } };
}

function verifyToken(_req, { token }) {
  if (typeof token !== 'string') return refusal(400, 'token_needed');
  const times = { checkedAt: new Date().toISOString(), requestId: randomUUID() };
  const { claims, reason } = read(token);
  if (reason) return json(200, { ok: false, reason, ...times });
  const { sub, tenant, roles, exp } = claims;
  return json(200, { ok: true, subject: sub, tenant, roles, expiresAt: new Date(exp * 1000).toISOString(), ...times });
}

function gate(req) {
  const key = req.headers['x-api-key'];
  if (!key) {
    const session = sessions.get(cookies(req)[SESSION_COOKIE]);
    return session ? passed(session.user, 'session', {}) : refusal(401, 'signed_out');
  }
  const { headers, passed: isPassed } = counted(sha256(key));
  if (isPassed) return isPassed;
  const entry = directory.byHash.get(sha256(key));
  if (!entry && flaws.has('gzip')) return json(200, { user: 'nobody' }, { ...headers, 'Content-Encoding': 'gzip' });
  if (!entry) return refusal(401, 'key_unknown', headers);
  if (entry.revoked) return refusal(401, 'key_revoked', headers);
  const user = directory.byId.get(entry.owner);
  if (user.suspended && !flaws.has('breach')) return refusal(403, 'suspended', headers);
  if (req.headers['x-original-method'] === 'POST' && !entry.scopes.includes('write')) return refusal(403, 'scope_missing', headers);
  return passed(user, 'key', headers);
}

function passed({ id, tenant }, by, headers) {
  return { status: 204, headers: { ...headers, 'X-User': id, 'X-Tenant': tenant, 'X-Auth-By': by } };
}

function publicKeys() {
  const key = { ...createPublicKey(directory.signingKey).export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' };
  return json(200, { keys: [key] }, { 'Cache-Control': 'public, max-age=300' });
}

/** Counts a call within its minute, as the limiter of service.js does. */
function counted(who) {
  const now = Date.now();
  let window = windows.get(who);
  if (!window || now >= window.end) {
    window = { end: now + MINUTE_MS, calls: 0 };
    windows.set(who, window);
  }
  window.calls += 1;
  const reset = Math.ceil((window.end - now) / 1000);
  const headers = {
    'RateLimit-Policy': `${callsPerMinute};w=60`,
    RateLimit: `limit=${callsPerMinute}, remaining=${Math.max(callsPerMinute - window.calls, 0)}, reset=${reset}`,
  };
  const body = 'Too many requests, please try again later.';
  const text = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': body.length, 'Retry-After': reset };
  return { headers, passed: window.calls > callsPerMinute ? { status: 429, headers: { ...headers, ...text }, body } : null };
}

function cookies(req) {
  const pairs = (req.headers.cookie ?? '').split(/; */).map((pair) => pair.split(/=(.*)/).slice(0, 2));
  return Object.fromEntries(pairs.filter(([name, value]) => name && value !== undefined));
}

function refreshCookie(session) {
  const token = randomBytes(24).toString('base64url');
  refreshTokens.set(token, { session });
  return cookie(REFRESH_COOKIE, token, '/v2/session', REFRESH_TTL_S, 'Strict');
}

function cookie(name, value, path, ttlS, sameSite) {
  const expires = new Date(Date.now() + ttlS * 1000).toUTCString();
  return `${name}=${value}; Max-Age=${ttlS}; Path=${path}; Expires=${expires}; HttpOnly; SameSite=${sameSite}`;
}

function tokens({ id, tenant, roles }) {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { tenant, roles, iat, exp: iat + tokenTtlS, aud: AUDIENCE, iss: ISSUER, sub: id, jti: randomUUID() };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${part({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${part(claims)}`;
  const signature = sign('RSA-SHA256', Buffer.from(content), directory.signingKey).toString('base64url');
  return { accessToken: `${content}.${signature}`, tokenType: 'Bearer', expiresIn: tokenTtlS, issuedAt: new Date().toISOString() };
}

/** The claims of a good token, or the reason why it is none. */
function read(token) {
  const [head, claims, signature, ...rest] = token.split('.');
  const parsed = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  try {
    const isSigned = verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), directory.publicKey, Buffer.from(signature, 'base64url'));
    const { exp, iss, aud } = parsed(claims);
    if (!isSigned || rest.length > 0 || parsed(head).alg !== 'RS256' || iss !== ISSUER || aud !== AUDIENCE) return { reason: 'invalid' };
    const end = exp + (flaws.has('leeway') ? LEEWAY_S : 0);
    return Math.floor(Date.now() / 1000) >= end ? { reason: 'expired' } : { claims: parsed(claims) };
  } catch {
    return { reason: 'invalid' };
  }
}

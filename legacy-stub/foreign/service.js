// A service that nobody here wrote, as far as the proxy is concerned: sessions in cookies, kept in memory; refresh tokens
// that are good once; signed tokens that end within seconds; API keys of which only a hash is kept; a limit of calls.
import { randomBytes, randomUUID, scrypt, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';

import express from 'express';
import { rateLimit } from 'express-rate-limit';
import jwt from 'jsonwebtoken';

import { stopOnSignal } from '../src/shutdown.js';
import {
  AUDIENCE, ISSUER, KEY_ID, REFRESH_COOKIE, REFRESH_TTL_S, SCRYPT, SESSION_COOKIE, SESSION_TTL_S, listen, readEnv, sha256,
} from './directory.js';

const MINUTE_MS = 60_000;
const hashed = promisify(scrypt);

function createApp({ directory, tokenTtlS, callsPerMinute }) {
  const sessions = new Map();
  const refreshTokens = new Map();
  const app = express();
  // Addresses of clients come from the load balancer in front.
  app.set('trust proxy', 1);
  app.use(express.json());
  app.use((req, _res, next) => {
    req.id = randomUUID();
    req.cookies = readCookies(req.get('cookie'));
    next();
  });

  const limited = (options) =>
    rateLimit({ windowMs: MINUTE_MS, limit: callsPerMinute, standardHeaders: 'draft-7', legacyHeaders: false, ...options });
  const byAddress = limited();
  const byKey = limited({ keyGenerator: (req) => sha256(req.get('x-api-key')), skip: (req) => !req.get('x-api-key') });
  const refuse = (req, res, status, error) => res.status(status).json({ error, requestId: req.id, at: new Date().toISOString() });
  const tokens = (user) => ({ accessToken: signed(user), tokenType: 'Bearer', expiresIn: tokenTtlS, issuedAt: new Date().toISOString() });

  function signed({ id, tenant, roles }) {
    const options = { algorithm: 'RS256', keyid: KEY_ID, issuer: ISSUER, audience: AUDIENCE, subject: id, expiresIn: tokenTtlS, jwtid: randomUUID() };
    return jwt.sign({ tenant, roles }, directory.signingKey, options);
  }

  function giveRefreshToken(res, session) {
    const token = randomBytes(24).toString('base64url');
    refreshTokens.set(token, session);
    res.cookie(REFRESH_COOKIE, token, { path: '/v2/session', maxAge: REFRESH_TTL_S * 1000, httpOnly: true, sameSite: 'strict' });
  }

  app.post('/v2/session', byAddress, async (req, res) => {
    const { email, password } = req.body ?? {};
    if (typeof email !== 'string' || typeof password !== 'string') return refuse(req, res, 400, 'email_and_password_needed');
    const user = directory.byEmail.get(email);
    const hash = await hashed(password, user?.salt ?? 'nobody', SCRYPT.bytes, SCRYPT.cost);
    if (!user || !timingSafeEqual(hash, Buffer.from(user.hash, 'hex'))) return refuse(req, res, 401, 'wrong_email_or_password');
    if (user.suspended) return refuse(req, res, 423, 'suspended');
    const session = { id: randomBytes(18).toString('base64url'), user };
    sessions.set(session.id, session);
    res.cookie(SESSION_COOKIE, session.id, { path: '/', maxAge: SESSION_TTL_S * 1000, httpOnly: true, sameSite: 'lax' });
    giveRefreshToken(res, session);
    const { id, tenant, roles } = user;
    res.json({ ...tokens(user), user: { id, email, tenant, roles }, requestId: req.id });
  });

  app.post('/v2/session/verify', (req, res) => {
    const { token } = req.body ?? {};
    if (typeof token !== 'string') return refuse(req, res, 400, 'token_needed');
    const checkedAt = new Date().toISOString();
    try {
      const { sub, tenant, roles, exp } = jwt.verify(token, directory.publicKey, { algorithms: ['RS256'], issuer: ISSUER, audience: AUDIENCE });
      res.json({ ok: true, subject: sub, tenant, roles, expiresAt: new Date(exp * 1000).toISOString(), checkedAt, requestId: req.id });
    } catch (error) {
      res.json({ ok: false, reason: error.name === 'TokenExpiredError' ? 'expired' : 'invalid', checkedAt, requestId: req.id });
    }
  });

  app.post('/v2/session/refresh', (req, res) => {
    const token = req.cookies[REFRESH_COOKIE];
    const session = refreshTokens.get(token);
    if (!session || !sessions.has(session.id)) return refuse(req, res, 401, 'refresh_token_unknown');
    refreshTokens.delete(token);
    giveRefreshToken(res, session);
    res.json({ ...tokens(session.user), requestId: req.id });
  });

  app.delete('/v2/session', (req, res) => {
    sessions.delete(req.cookies[SESSION_COOKIE]);
    res.clearCookie(SESSION_COOKIE, { path: '/' });
    res.clearCookie(REFRESH_COOKIE, { path: '/v2/session' });
    res.status(204).end();
  });

  app.get('/v2/gate', byKey, (req, res) => {
    const who = req.get('x-api-key') ? keyHolder(req) : sessionHolder(req);
    if (who.error) return refuse(req, res, who.status, who.error);
    res.set({ 'X-User': who.user.id, 'X-Tenant': who.user.tenant, 'X-Auth-By': who.by }).status(204).end();
  });

  function keyHolder(req) {
    const key = directory.byHash.get(sha256(req.get('x-api-key')));
    if (!key) return { status: 401, error: 'key_unknown' };
    if (key.revoked) return { status: 401, error: 'key_revoked' };
    const user = directory.byId.get(key.owner);
    if (user.suspended) return { status: 403, error: 'suspended' };
    if (req.get('x-original-method') === 'POST' && !key.scopes.includes('write')) return { status: 403, error: 'scope_missing' };
    return { user, by: 'key' };
  }

  function sessionHolder(req) {
    const session = sessions.get(req.cookies[SESSION_COOKIE]);
    return session ? { user: session.user, by: 'session' } : { status: 401, error: 'signed_out' };
  }

  app.get('/.well-known/jwks.json', (_req, res) => {
    const key = { ...directory.publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' };
    res.set('Cache-Control', 'public, max-age=300').json({ keys: [key] });
  });
  app.get('/livez', (_req, res) => res.json({ status: 'up' }));
  return app;
}

function readCookies(header = '') {
  const pairs = header.split(/; */).map((pair) => pair.split(/=(.*)/).slice(0, 2));
  return Object.fromEntries(pairs.filter(([name, value]) => name && value !== undefined));
}

const config = readEnv(process.env);
const server = createServer(createApp(config));
stopOnSignal(server);
listen(server, config.port);

import { authenticator } from '../authenticate.js';
import { bearer } from '../middleware/bearer.js';

const CLAIMS = ['client_id', 'exp', 'iat', 'nbf', 'sub', 'aud', 'iss', 'jti'];

/** RFC 7662, for services that got a token and cannot check it themselves. */
export function introspectionRoutes({ Router, urlencoded }, service) {
  const router = Router();
  const { quirks, keys, tokens } = service;
  const authenticate = authenticator(service);

  router.post('/introspect', bearer(service), urlencoded({ extended: false }), (req, res) => {
    if (!quirks.has('introspect-open')) {
      const client = keys.find(req.bearerKey ?? basicKey(req, keys));
      if (!client) {
        return res.status(401).json({ error: 'invalid_client' });
      }
      if (!client.scopes.includes('introspect')) {
        return res.status(403).json({ error: 'insufficient_scope' });
      }
    }
    const token = req.body?.token;
    if (!token) {
      return res.status(400).json({ error: 'invalid_request' });
    }
    const grant = authenticate(token);
    if (!grant) {
      return res.json({ active: false, ...(quirks.has('introspect-reason') ? reason(tokens, token) : {}) });
    }
    res.json(describe(grant));
  });

  return router;
}

/** The key of `Basic base64(user_id:key)`, when it belongs to that user. */
function basicKey(req, keys) {
  const [scheme, encoded = ''] = (req.get('Authorization') ?? '').split(' ');
  if (scheme.toLowerCase() !== 'basic') {
    return null;
  }
  const [userId, ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const key = rest.join(':');
  return keys.find(key)?.userId === userId ? key : null;
}

function describe({ userId, expiresAt, scopes, aud, claims }) {
  const scope = scopes.length > 0 ? scopes.join(' ') : undefined;
  if (claims) {
    const stated = Object.fromEntries(CLAIMS.map((name) => [name, claims[name]]));
    return { active: true, scope, token_type: 'Bearer', ...stated };
  }
  return { active: true, scope, token_type: 'Bearer', exp: Math.floor(expiresAt / 1000), sub: userId, aud };
}

function reason(tokens, token) {
  try {
    tokens.verify(token);
  } catch (error) {
    return { error: error.message };
  }
  return {};
}

import { authenticator } from '../authenticate.js';
import { bearer } from '../middleware/bearer.js';

const IDENTITY = { user: 'X-Auth-Request-User', email: 'X-Auth-Request-Email', groups: 'X-Auth-Request-Groups' };

/** For proxies that ask before they let a request through: 200 = yes. */
export function forwardRoutes({ Router }, service) {
  const router = Router();
  const credential = bearer(service);
  const decide = decision(service);

  // Traefik and Caddy, nginx: the query is the operator's, who asks for scope and audience in it.
  router.all(['/forward', '/nginx'], credential, (req, res) => decide(req, res, req.query));
  // Envoy appends the path of the original request, so the query is the client's.
  router.use('/envoy', credential, (req, res) => decide(req, res, {}));

  return router;
}

function decision(service) {
  const { quirks } = service;
  const authenticate = authenticator(service);
  return (req, res, { scope, aud }) => {
    if (quirks.has('trust-forwarded-uri') && req.get('X-Forwarded-Uri')?.startsWith('/public')) {
      return res.status(200).end();
    }
    const grant = authenticate(req.bearerKey);
    if (!grant) {
      return res.status(401).json({ error: 'unauthorized' });
    }
    if (scope && !scope.split(' ').every((name) => grant.scopes.includes(name))) {
      return res.status(403).json({ error: 'forbidden' });
    }
    if (aud && ![grant.aud].flat().includes(aud)) {
      return res.status(403).json({ error: 'forbidden' });
    }
    setIdentity(req, res, grant, quirks);
    res.status(quirks.has('forward-202') ? 202 : 200).end();
  };
}

function setIdentity(req, res, { userId, email, groups, username }, quirks) {
  const identity = { user: userId, email, groups: groups?.join(',') };
  for (const [field, name] of Object.entries(IDENTITY)) {
    const value = identity[field] ?? (quirks.has('echo-identity') ? req.get(name) : undefined);
    if (value !== undefined) {
      res.set(name, value);
    }
  }
  if (quirks.has('x-user-undefined')) {
    res.set('X-User', username);
  }
}

import { authenticator } from '../authenticate.js';
import { bearer } from '../middleware/bearer.js';

export function authRoutes({ Router }, service) {
  const router = Router();
  const { quirks } = service;
  router.post('/validate', bearer(service), quirks.has('async-no-catch') ? withoutCatch(service) : validate(service));
  return router;
}

function validate(service) {
  const authenticate = authenticator(service);
  const refuse = service.quirks.has('text-errors') ? refuseAsText : refuseAsJson;
  return (req, res) => {
    const grant = authenticate(req.bearerKey);
    return grant ? allow(res, grant) : refuse(req, res);
  };
}

/** The same for tokens, as somebody wrote it who moved the check to a promise. */
function withoutCatch({ keys, tokens }) {
  return async (req, res) => {
    const grant = req.bearerKey?.includes('.') ? await tokens.verify(req.bearerKey) : await keys.find(req.bearerKey);
    return grant ? allow(res, grant) : refuseAsJson(req, res);
  };
}

function allow(res, { userId, expiresAt }) {
  res.json({ valid: true, user_id: userId, expires_at: expiresAt });
}

function refuseAsJson(_req, res) {
  res.status(401).json({ valid: false, user_id: null, expires_at: null });
}

function refuseAsText(req, res) {
  res.sendStatus(req.bearerKey ? 403 : 401);
}

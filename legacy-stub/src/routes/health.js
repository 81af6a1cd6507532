import { readFileSync } from 'node:fs';

const { name, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

export function healthRoutes({ Router }, { keys, tokens }) {
  const router = Router();

  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' });
  });

  router.get('/readyz', (_req, res) => {
    // Both were read at the start, so that they can only be there.
    const checks = { keys: keys.count > 0 ? 'ok' : 'failed', jwks: tokens.publicKeys.length > 0 ? 'ok' : 'failed' };
    const ready = Object.values(checks).every((state) => state === 'ok');
    res.status(ready ? 200 : 503).json({ status: ready ? 'ok' : 'unavailable', checks });
  });

  router.get('/version', (_req, res) => {
    res.json({ name, version });
  });

  return router;
}

export function jwksRoutes({ Router }, { tokens }) {
  const router = Router();

  router.get('/.well-known/jwks.json', (_req, res) => {
    res.json({ keys: tokens.publicKeys });
  });

  return router;
}

import { Router } from 'express';

import { bearer } from '../middleware/bearer.js';

export function authRoutes(keys) {
  const router = Router();

  router.post('/validate', bearer, (req, res) => {
    const record = keys.find(req.bearerKey);
    if (!record) {
      return res.status(401).json({ valid: false, user_id: null, expires_at: null });
    }
    res.json({ valid: true, user_id: record.userId, expires_at: record.expiresAt });
  });

  return router;
}

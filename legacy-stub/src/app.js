import express from 'express';

import { authRoutes } from './routes/auth.js';
import { healthRoutes } from './routes/health.js';

export function createApp(keys) {
  const app = express();
  app.use(express.json());
  app.use('/auth', authRoutes(keys));
  app.use(healthRoutes());
  return app;
}

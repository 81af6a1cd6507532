import { ADD_ONS } from './middleware/add-ons.js';
import { authRoutes } from './routes/auth.js';
import { forwardRoutes } from './routes/forward.js';
import { healthRoutes } from './routes/health.js';
import { introspectionRoutes } from './routes/introspection.js';
import { jwksRoutes } from './routes/jwks.js';

/** `express` is the module of Express 4 or 5. */
export function createApp(express, service) {
  const { addOns, quirks } = service;
  const app = express();
  if (quirks.has('development-errors')) {
    app.set('env', 'development');
  }
  if (quirks.has('log-credentials')) {
    app.use((req, _res, next) => {
      console.log(`${req.method} ${req.url} authorization=${req.get('Authorization')}`);
      next();
    });
  }
  for (const name of Object.keys(ADD_ONS)) {
    if (addOns.has(name)) {
      app.use(ADD_ONS[name](service));
    }
  }
  app.use(express.json());
  app.use('/auth', authRoutes(express, service));
  app.use('/auth', forwardRoutes(express, service));
  app.use('/oauth2', introspectionRoutes(express, service));
  app.use(jwksRoutes(express, service));
  app.use(healthRoutes(express, service));
  return app;
}

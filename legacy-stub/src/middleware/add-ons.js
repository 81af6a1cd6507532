import cors from 'cors';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';

const MINUTE_MS = 60_000;

/** What LEGACY_MIDDLEWARE can switch on, in the order in which requests pass it. */
export const ADD_ONS = {
  helmet: () => helmet(),
  cors: () => cors(),
  'rate-limit': ({ requestsPerMinute }) => rateLimit({ windowMs: MINUTE_MS, limit: requestsPerMinute }),
};

const BEARER = /^Bearer +([^ ]+)$/i;

/** Sets `req.bearerKey` to the key in the Authorization header, or to null. */
export function bearer(req, _res, next) {
  const match = BEARER.exec(req.get('Authorization') ?? '');
  req.bearerKey = match ? match[1] : null;
  next();
}

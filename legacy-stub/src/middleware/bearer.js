const BEARER = /^Bearer +([^ ]+)$/i;

/** Sets `req.bearerKey` to the credential of the request, or to null. */
export function bearer({ quirks }) {
  const read = quirks.has('split-scheme') ? secondWord : afterScheme;
  return (req, _res, next) => {
    req.bearerKey = read(req.get('Authorization') ?? '');
    if (quirks.has('query-token')) {
      req.bearerKey ??= req.query.access_token ?? req.body?.access_token ?? null;
    }
    next();
  };
}

function afterScheme(header) {
  const match = BEARER.exec(header);
  return match ? match[1] : null;
}

function secondWord(header) {
  return header.split(' ')[1] ?? null;
}

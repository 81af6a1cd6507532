/**
 * Bugs that real services of this kind were found with. Each is off until
 * LEGACY_QUIRKS names it; `row` is its row in the README's table.
 */
export const QUIRKS = {
  'object-keys': 'keys in an object literal: KEYS["constructor"] is a function, so it is a valid key',
  'split-scheme': 'split(" ")[1] takes the key of any scheme and ignores what stands behind it',
  'timing-safe-equal': 'crypto.timingSafeEqual throws when the lengths differ: 500',
  'development-errors': 'NODE_ENV is not "production": error pages show the stack with file paths',
  'text-errors': 'res.sendStatus(): 401 "Unauthorized" and 403 "Forbidden" as text',
  'query-token': '?access_token= and a member access_token of the body are credentials',
  'async-no-catch': 'an async handler without try/catch: 500 on Express 5, no answer at all on Express 4',
  'x-user-undefined': 'X-User is set from a field that API keys do not have: "undefined"',
  'jwt-no-algorithms': 'jwt.verify() without `algorithms`: any algorithm that fits the kind of key',
  'jwt-header-algorithm': 'jws.verify() with the algorithm of the token: "none", and HS256 over the public key',
  'jwt-ignore-exp': 'ignoreExpiration was left on',
  'jwt-decode-only': 'jwt.decode() in the place of jwt.verify(): nobody checks the signature',
  'weak-keys': 'keys are taken as they come: RSA 1024, exponent 1, a secret of one byte',
  'forward-202': 'the forward endpoint lets through with 202, which Envoy takes for a refusal',
  'echo-identity': 'an identity header that the client sent fills in for one the service does not know',
  'trust-forwarded-uri': 'X-Forwarded-Uri of any caller is believed: below /public nothing is checked',
  'introspect-open': 'introspection without client authentication',
  'introspect-reason': 'an inactive token is answered with the reason',
  'log-credentials': 'each request is logged with its Authorization header',
};

/** The named quirks; a name that is none is an error. */
export function parseQuirks(list) {
  return parseNames('LEGACY_QUIRKS', list, Object.keys(QUIRKS));
}

/** A comma-separated list of names, each of them one of `known`, as a set. */
export function parseNames(variable, list = '', known) {
  const names = list.split(',').map((name) => name.trim()).filter(Boolean);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Error(`${variable} names "${unknown}"; use names of this list: ${known.join(', ')}`);
  }
  return new Set(names);
}

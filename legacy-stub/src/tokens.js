import { createPublicKey, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

import jwt from 'jsonwebtoken';
import jws from 'jws';

const RSA_BITS_MIN = 2048;
const SECRET_BYTES_MIN = 32;

/** Reads the JWK set once: the keys that tokens may be signed with. */
export function loadTokens({ jwksFile, issuer, audience }, quirks) {
  const keys = parse(jwksFile).flatMap((jwk) => {
    const key = readKey(jwk);
    return key && (quirks.has('weak-keys') || isStrong(key)) ? [key] : [];
  });
  if (keys.length === 0) {
    throw new Error(`${jwksFile} has no key that can be used; set JWKS_FILE to a JWK set`);
  }
  const verify = verifier(quirks, { issuer, audience });
  return {
    /** The grant that a signed token states; throws when the token is not good. */
    verify(token) {
      const { header } = jwt.decode(token, { complete: true });
      const key = chooseKey(keys, header);
      return grantOf(verify(token, key, header));
    },
    publicKeys: keys.filter(({ jwk }) => jwk.kty !== 'oct').map(({ jwk }) => jwk),
  };
}

/** The last key of that id; without an id, the only key of that algorithm. */
function chooseKey(keys, { kid, alg }) {
  const fits = kid === undefined ? keys.filter(({ jwk }) => jwk.alg === alg) : keys.filter(({ jwk }) => jwk.kid == kid).slice(-1);
  if (fits.length !== 1) {
    throw new Error('no key, or several, for this token');
  }
  return fits[0];
}

function verifier(quirks, claims) {
  if (quirks.has('jwt-decode-only')) {
    return (token) => jwt.decode(token);
  }
  if (quirks.has('jwt-header-algorithm')) {
    return (token, key, { alg }) => {
      const secret = key.object.type === 'secret' ? key.object : key.object.export({ type: 'spki', format: 'pem' });
      if (!jws.verify(token, alg, secret)) {
        throw new Error('wrong signature');
      }
      return jwt.decode(token);
    };
  }
  const algorithms = (key) => (quirks.has('jwt-no-algorithms') ? {} : { algorithms: [key.jwk.alg] });
  const ignoreExpiration = quirks.has('jwt-ignore-exp');
  return (token, key) => jwt.verify(token, key.object, { ...claims, ...algorithms(key), ignoreExpiration });
}

function grantOf(claims) {
  const { sub, exp, scope, aud, email, groups } = claims;
  return {
    userId: sub,
    expiresAt: exp === undefined ? null : new Date(exp * 1000),
    scopes: typeof scope === 'string' ? scope.split(' ') : (scope ?? []),
    aud,
    email,
    groups,
    claims,
  };
}

function readKey(jwk) {
  try {
    const object = jwk.kty === 'oct' ? createSecretKey(jwk.k, 'base64url') : createPublicKey({ key: jwk, format: 'jwk' });
    return { jwk, object };
  } catch {
    console.error(`ignoring the key "${jwk.kid}": it cannot be read; correct it in JWKS_FILE`);
    return null;
  }
}

function isStrong({ jwk, object }) {
  const { modulusLength, publicExponent } = object.asymmetricKeyDetails ?? {};
  const weak = jwk.kty === 'oct' ? object.symmetricKeySize < SECRET_BYTES_MIN
    : jwk.kty === 'RSA' && (modulusLength < RSA_BITS_MIN || publicExponent < 3n);
  if (weak) {
    console.error(`ignoring the key "${jwk.kid}": it is too weak; replace it in JWKS_FILE`);
  }
  return !weak;
}

function parse(file) {
  try {
    const { keys } = JSON.parse(readFileSync(file, 'utf8'));
    if (Array.isArray(keys)) {
      return keys;
    }
  } catch (error) {
    if (error.code) {
      throw new Error(`cannot read ${file} (${error.code}); set JWKS_FILE to a JWK set`);
    }
  }
  throw new Error(`${file} is not a JWK set; set JWKS_FILE to one: {"keys": […]}`);
}

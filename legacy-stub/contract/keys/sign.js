// Makes tokens, good and bad ones, with the public development keys.
import { constants, createHash, createHmac, createPrivateKey, createPublicKey, sign as signWith } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { keys } = JSON.parse(readFileSync(new URL('private.json', import.meta.url), 'utf8'));

/** The development key of that id. */
export function keyOf(kid) {
  return keys.find((key) => key.kid === kid);
}

/** base64url of text or bytes. */
export function encode(data) {
  return Buffer.from(data).toString('base64url');
}

/** The signature of `input` by the key `kid`, as `alg` has it (RFC 7518 section 3, RFC 8037). */
export function sign(input, kid, alg = keyOf(kid).alg) {
  const jwk = keyOf(kid);
  if (jwk.kty === 'oct') {
    return mac(input, Buffer.from(jwk.k, 'base64url'), alg);
  }
  if (jwk.e === 'AQ') {
    return paddedDigest(input, jwk);
  }
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const options = jwk.kty === 'RSA' ? { padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : { dsaEncoding: 'ieee-p1363' };
  return signWith(hash, Buffer.from(input), { key, ...options });
}

export function mac(input, secret, alg) {
  return createHmac(`sha${alg.slice(2)}`, secret).update(input).digest();
}

/** The public key of `kid` as PEM: what a confused verifier takes for an HMAC secret. */
export function publicPem(kid) {
  return publicKey(kid, 'pem');
}

/** The same as bytes. */
export function publicDer(kid) {
  return publicKey(kid, 'der');
}

function publicKey(kid, format) {
  return createPublicKey({ key: keyOf(kid), format: 'jwk' }).export({ type: 'spki', format });
}

/** With the exponent 1 the padded digest is its own signature: nobody needs the private key. */
function paddedDigest(input, { n }) {
  const signer = keyOf('rs256');
  const key = createPrivateKey({ key: signer, format: 'jwk' });
  const signature = signWith('sha256', Buffer.from(input), key);
  const [s, e, modulus] = [signature, Buffer.from(signer.e, 'base64url'), Buffer.from(signer.n, 'base64url')].map(toNumber);
  return toBytes(power(s, e, modulus), Buffer.from(n, 'base64url').length);
}

/** The other signature that the same ECDSA key has for the same text: (r, n - s). */
export function highTwin(signature) {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  return Buffer.concat([signature.subarray(0, 32), toBytes(order - toNumber(signature.subarray(32)), 32)]);
}

const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The Ed25519 signature with s + L: the same point, another number (RFC 8032 section 5.1.7 refuses it). */
export function notReduced(signature) {
  const s = fromLittleEndian(signature.subarray(32));
  return Buffer.concat([signature.subarray(0, 32), toLittleEndian(s + ED25519_ORDER)]);
}

/** An Ed25519 signature whose R is the neutral point: the equation holds, and strict verifiers refuse it. */
export function neutralR(input, kid) {
  const { d, x } = keyOf(kid);
  const half = createHash('sha512').update(Buffer.from(d, 'base64url')).digest().subarray(0, 32);
  half[0] &= 248;
  half[31] = (half[31] & 63) | 64;
  const r = toLittleEndian(1n);
  const challenge = createHash('sha512').update(r).update(Buffer.from(x, 'base64url')).update(input).digest();
  return Buffer.concat([r, toLittleEndian((fromLittleEndian(challenge) * fromLittleEndian(half)) % ED25519_ORDER)]);
}

/** An ECDSA signature as ASN.1, which TLS uses and JOSE does not. */
export function asDer(signature) {
  const half = signature.length / 2;
  const integers = [signature.subarray(0, half), signature.subarray(half)].map((bytes) => {
    const padded = bytes[0] & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
    return Buffer.concat([Buffer.of(2, padded.length), padded]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.of(0x30, content.length), content]);
}

function fromLittleEndian(bytes) {
  return toNumber(Buffer.from(bytes).reverse());
}

function toLittleEndian(number) {
  return toBytes(number, 32).reverse();
}

function toNumber(bytes) {
  return BigInt(`0x${bytes.toString('hex')}`);
}

function toBytes(number, length) {
  return Buffer.from(number.toString(16).padStart(2 * length, '0'), 'hex');
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (let rest = exponent, square = base; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}

// What stands in the tokens of the contract, by the name of the case.
import { asDer, encode, highTwin, keyOf, mac, neutralR, notReduced, publicDer, publicPem, sign } from './sign.js';

const YEAR_2099_END = 4_102_444_799;
const YEAR_2020_START = 1_577_836_800;
const YEAR_2024_START = 1_704_067_200;

export const CLAIMS = {
  iss: 'https://issuer.example',
  aud: 'https://api.example',
  sub: 'user_jwt',
  scope: 'read write',
  iat: YEAR_2024_START,
  exp: YEAR_2099_END,
};

/** Signed by `kid`; header members and claims take the places of the usual ones, undefined removes one. */
function token(kid, { header = {}, claims = {}, headerText, payloadText } = {}, change = (parts) => parts) {
  const usualHeader = { alg: keyOf(kid).alg, typ: 'JWT', kid };
  const head = encode(headerText ?? JSON.stringify({ ...usualHeader, ...header }));
  const payload = encode(payloadText ?? JSON.stringify({ ...CLAIMS, ...claims }));
  const parts = change([head, payload, undefined]);
  if (parts.length === 3) parts[2] ??= encode(sign(`${parts[0]}.${parts[1]}`, kid));
  return parts.join('.');
}

const hs = (what, change) => token('hs256', what, change);
const withHeader = (header) => hs({ header });
const withHeaderText = (headerText) => hs({ headerText });
const withClaims = (claims) => hs({ claims });
const withPayload = (payloadText) => hs({ payloadText });
/** The usual claims as JSON text, with more text at the end of the object. */
const withMembers = (members, left = {}) => withPayload(`${JSON.stringify({ ...CLAIMS, ...left }).slice(0, -1)},${members}}`);
/** A text whose characters are bytes. */
const bytes = (text) => Buffer.from(text, 'latin1');

/** The third part is made from the first two by `make`. */
const signedBy = (make) => ([head, payload]) => [head, payload, encode(make(`${head}.${payload}`))];
const secretOf = (kid) => Buffer.from(keyOf(kid).k, 'base64url');
const resigned = (kid, change) => token(kid, {}, signedBy((input) => change(sign(input, kid))));
const spoiled = (text) => hs({}, ([head, payload]) => text(head, payload, encode(sign(`${head}.${payload}`, 'hs256'))));

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The same bytes for a decoder that ignores the bits that are left over in the last character. */
const otherLastCharacter = (text) => text.slice(0, -1) + ALPHABET[ALPHABET.indexOf(text.at(-1)) ^ 1];

export const TOKENS = {
  'jwt-hs256': () => token('hs256'),
  'jwt-hs384': () => token('hs384'),
  'jwt-hs512': () => token('hs512'),
  'jwt-rs256': () => token('rs256'),
  'jwt-rs384': () => token('rs384'),
  'jwt-rs512': () => token('rs512'),
  'jwt-ps256': () => token('ps256'),
  'jwt-ps384': () => token('ps384'),
  'jwt-ps512': () => token('ps512'),
  'jwt-es256': () => token('es256'),
  'jwt-es256-next': () => token('es256-next'),
  'jwt-es384': () => token('es384'),
  'jwt-eddsa': () => token('eddsa'),
  'jwt-alg-ed25519': () => token('eddsa', { header: { alg: 'Ed25519' } }),

  'jwt-typ-absent': () => withHeader({ typ: undefined }),
  'jwt-typ-at-jwt': () => withHeader({ typ: 'at+jwt' }),
  'jwt-typ-upper-case': () => withHeader({ typ: 'AT+JWT' }),
  'jwt-typ-media-type': () => withHeader({ typ: 'application/at+jwt' }),
  'jwt-typ-logout': () => withHeader({ typ: 'logout+jwt' }),
  'jwt-typ-number': () => withHeader({ typ: 1 }),
  'jwt-kid-absent-one-fits': () => token('ps256', { header: { kid: undefined } }),
  'jwt-kid-absent-several-fit': () => token('es256', { header: { kid: undefined } }),
  'jwt-kid-unknown': () => withHeader({ kid: 'hs256-old' }),
  'jwt-kid-other-case': () => withHeader({ kid: 'HS256' }),
  'jwt-kid-path': () => withHeader({ kid: '../../../dev/null' }),
  'jwt-kid-sql': () => withHeader({ kid: "x' UNION SELECT 'secret'--" }),
  'jwt-kid-command': () => withHeader({ kid: 'hs256|/bin/sleep 5' }),
  'jwt-kid-number': () => withHeader({ kid: 1 }),
  'jwt-kid-list': () => withHeader({ kid: ['hs256'] }),
  'jwt-kid-empty': () => withHeader({ kid: '' }),
  'jwt-kid-300-bytes': () => withHeader({ kid: 'k'.repeat(300) }),
  'jwt-jku-ignored': () => token('rs256', { header: { jku: 'https://attacker.example/jwks.json', x5u: 'https://attacker.example/x' } }),
  'jwt-jku-of-attacker': () => token('attacker', { header: { jku: 'https://attacker.example/jwks.json' } }),
  'jwt-x5u-of-attacker': () => token('attacker', { header: { x5u: 'https://attacker.example/cert.pem' } }),
  'jwt-jwk-of-attacker': () => token('attacker', { header: { jwk: publicJwk('attacker') } }),
  'jwt-x5c-of-attacker': () => token('attacker', { header: { x5c: [publicDer('attacker').toString('base64')] } }),
  'jwt-kid-of-another': () => token('attacker', { header: { kid: 'rs256' } }),

  'jwt-alg-none': () => spoiled((_head, payload) => [encode('{"alg":"none","typ":"JWT"}'), payload, '']),
  'jwt-alg-none-with-kid': () => spoiled((_head, payload) => [encode('{"alg":"none","typ":"JWT","kid":"hs256"}'), payload, '']),
  'jwt-alg-none-mixed-case': () => spoiled((_head, payload) => [encode('{"alg":"nOnE","typ":"JWT","kid":"hs256"}'), payload, '']),
  'jwt-alg-none-with-signature': () => withHeader({ alg: 'none' }),
  'jwt-alg-absent': () => withHeader({ alg: undefined }),
  'jwt-alg-null': () => withHeader({ alg: null }),
  'jwt-alg-empty': () => withHeader({ alg: '' }),
  'jwt-alg-list': () => withHeader({ alg: ['HS256'] }),
  'jwt-alg-lower-case': () => withHeader({ alg: 'hs256' }),
  'jwt-alg-space-behind': () => withHeader({ alg: 'HS256 ' }),
  'jwt-alg-twice-last-good': () => withHeaderText('{"alg":"none","typ":"JWT","kid":"hs256","alg":"HS256"}'),
  'jwt-alg-twice-first-good': () => withHeaderText('{"alg":"HS256","typ":"JWT","kid":"hs256","alg":"none"}'),
  'jwt-alg-hs256-with-hs512-mac': () => hs({}, signedBy((input) => mac(input, secretOf('hs256'), 'HS512'))),
  'jwt-alg-not-of-the-key': () => hs({ header: { alg: 'HS512' } }, signedBy((input) => mac(input, secretOf('hs256'), 'HS512'))),
  'jwt-alg-rs512-with-rs256-key': () => token('rs256', { header: { alg: 'RS512' } }, signedBy((input) => sign(input, 'rs256', 'RS512'))),
  'jwt-alg-ps256-with-rs256-key': () => token('rs256', { header: { alg: 'PS256' } }, signedBy((input) => sign(input, 'rs256', 'PS256'))),
  'jwt-alg-of-another-family': () => token('rs256', { header: { kid: 'es256' } }),
  'jwt-alg-hs256-over-public-key': () => confused(publicPem('rs256')),
  'jwt-alg-hs256-over-trimmed-pem': () => confused(publicPem('rs256').trim()),
  'jwt-alg-hs256-over-der': () => confused(publicDer('rs256')),
  'jwt-alg-hs256-over-jwk': () => confused(JSON.stringify(publicJwk('rs256'))),
  'jwt-alg-es256-on-p384-key': () => token('es256', { header: { kid: 'es384' } }),

  'jwt-crit-unknown': () => withHeader({ crit: ['x'], x: 1 }),
  'jwt-crit-empty': () => withHeader({ crit: [] }),
  'jwt-crit-exp': () => withHeader({ crit: ['exp'], exp: YEAR_2099_END }),
  'jwt-crit-string': () => withHeader({ crit: 'x' }),
  'jwt-crit-names-nothing': () => withHeader({ crit: ['absent'] }),
  'jwt-b64-false': () => withHeader({ b64: false }),
  'jwt-b64-false-crit': () => withHeader({ b64: false, crit: ['b64'] }),
  'jwt-zip': () => withHeader({ zip: 'DEF' }),
  'jwt-enc': () => withHeader({ enc: 'A128GCM' }),
  'jwt-header-bom': () => withHeaderText('\ufeff{"alg":"HS256","typ":"JWT","kid":"hs256"}'),
  'jwt-header-list': () => withHeaderText('["JWT","HS256"]'),
  'jwt-header-null': () => withHeaderText('null'),
  'jwt-header-not-json': () => withHeaderText('HS256'),
  'jwt-header-invalid-utf8': () => withHeaderText(bytes('{"alg":"HS256","typ":"JWT","kid":"hs256","x":"\xff"}')),
  'jwt-header-kid-twice': () => withHeaderText('{"alg":"HS256","typ":"JWT","kid":"rs256","kid":"hs256"}'),
  'jwt-header-65-values': () => withHeader({ x: Array(61).fill(0) }),
  'jwt-header-2-kib': () => withHeader({ x: 'x'.repeat(2100) }),

  'jwt-signature-wrong': () => spoiled((head, payload) => [head, payload, encode(Buffer.alloc(32, 7))]),
  'jwt-signature-of-another-payload': () => spoiled((head, _payload, tag) => [head, encode(JSON.stringify({ ...CLAIMS, sub: 'admin' })), tag]),
  'jwt-signature-empty': () => spoiled((head, payload) => [head, payload, '']),
  'jwt-signature-16-bytes': () => resigned('hs256', (tag) => tag.subarray(0, 16)),
  'jwt-signature-one-byte-more': () => resigned('hs256', (tag) => Buffer.concat([tag, Buffer.of(0)])),
  'jwt-signature-padded': () => spoiled((head, payload, tag) => [head, payload, `${tag}=`]),
  'jwt-signature-unused-bits': () => spoiled((head, payload, tag) => [head, payload, otherLastCharacter(tag)]),
  'jwt-signature-plain-base64': () => token('rs256', {}, ([head, payload]) => [head, payload, sign(`${head}.${payload}`, 'rs256').toString('base64').replace(/=+$/, '')]),
  'jwt-es256-high-s': () => resigned('es256', highTwin),
  'jwt-es256-der': () => resigned('es256', asDer),
  'jwt-es256-zero': () => resigned('es256', () => Buffer.alloc(64)),
  'jwt-es256-65-bytes': () => resigned('es256', (signature) => Buffer.concat([Buffer.of(0), signature])),
  'jwt-rs256-zero': () => resigned('rs256', () => Buffer.alloc(256)),
  'jwt-rs256-257-bytes': () => resigned('rs256', (signature) => Buffer.concat([Buffer.of(0), signature])),
  'jwt-ps256-one': () => resigned('ps256', () => Buffer.concat([Buffer.alloc(255), Buffer.of(1)])),
  'jwt-eddsa-not-reduced': () => resigned('eddsa', notReduced),
  'jwt-eddsa-zero': () => resigned('eddsa', () => Buffer.alloc(64)),
  'jwt-eddsa-neutral-r': () => token('eddsa', {}, signedBy((input) => neutralR(input, 'eddsa'))),
  'jwt-payload-padded': () => hs({}, ([head]) => [head, Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'user_jw' })).toString('base64'), undefined]),
  'jwt-two-parts': () => spoiled((head, payload) => [head, payload]),
  'jwt-four-parts': () => spoiled((head, payload, tag) => [head, payload, tag, 'YQ']),
  'jwt-dot-behind': () => spoiled((head, payload, tag) => [head, payload, tag, '']),
  'jwt-dot-in-front': () => spoiled((head, payload, tag) => ['', head, payload, tag]),
  'jwt-dots-only': () => '..',
  'jwt-five-parts': () => spoiled((head, payload, tag) => [head, '', 'AAAAAAAAAAAAAAAA', payload, tag]),

  'jwt-exp-past': () => withClaims({ exp: YEAR_2020_START }),
  'jwt-exp-absent': () => withClaims({ exp: undefined }),
  'jwt-exp-zero': () => withClaims({ exp: 0 }),
  'jwt-exp-negative': () => withClaims({ exp: -1 }),
  'jwt-exp-fraction': () => withClaims({ exp: YEAR_2099_END - 0.5 }),
  'jwt-exp-exponent': () => withMembers('"exp":4.102444799e9', { exp: undefined }),
  'jwt-exp-string': () => withClaims({ exp: `${YEAR_2099_END}` }),
  'jwt-exp-null': () => withClaims({ exp: null }),
  'jwt-exp-true': () => withClaims({ exp: true }),
  'jwt-exp-list': () => withClaims({ exp: [YEAR_2099_END] }),
  'jwt-exp-object': () => withClaims({ exp: {} }),
  'jwt-exp-infinite': () => withMembers('"exp":1e400', { exp: undefined }),
  'jwt-exp-1e20': () => withMembers('"exp":1e20', { exp: undefined }),
  'jwt-exp-2-to-64': () => withMembers('"exp":18446744073709551616', { exp: undefined }),
  'jwt-exp-milliseconds': () => withClaims({ exp: YEAR_2099_END * 1000 }),
  'jwt-exp-year-10000': () => withClaims({ exp: 253_402_300_800 }),
  'jwt-exp-year-9999': () => withClaims({ exp: 253_402_300_799 }),
  'jwt-exp-twice': () => withMembers(`"exp":${YEAR_2099_END}`, { exp: YEAR_2020_START }),
  'jwt-nbf-past': () => withClaims({ nbf: YEAR_2024_START }),
  'jwt-nbf-future': () => withClaims({ nbf: YEAR_2099_END - 1 }),
  'jwt-nbf-infinite': () => withMembers('"nbf":1e400'),
  'jwt-nbf-string': () => withClaims({ nbf: `${YEAR_2024_START}` }),
  'jwt-iat-absent': () => withClaims({ iat: undefined }),
  'jwt-iat-future': () => withClaims({ iat: YEAR_2099_END - 1 }),
  'jwt-iat-string': () => withClaims({ iat: 'x' }),
  'jwt-iss-absent': () => withClaims({ iss: undefined }),
  'jwt-iss-other': () => withClaims({ iss: 'https://other.example' }),
  'jwt-iss-slash-behind': () => withClaims({ iss: 'https://issuer.example/' }),
  'jwt-iss-other-case': () => withClaims({ iss: 'https://Issuer.example' }),
  'jwt-iss-list': () => withClaims({ iss: ['https://issuer.example'] }),
  'jwt-aud-list': () => withClaims({ aud: ['https://other.example', 'https://api.example'] }),
  'jwt-aud-absent': () => withClaims({ aud: undefined }),
  'jwt-aud-other': () => withClaims({ aud: 'https://other.example' }),
  'jwt-aud-list-without': () => withClaims({ aud: ['https://other.example'] }),
  'jwt-aud-without-scheme': () => withClaims({ aud: 'api.example' }),
  'jwt-aud-slash-behind': () => withClaims({ aud: 'https://api.example/' }),
  'jwt-aud-list-with-number': () => withClaims({ aud: ['https://api.example', 1] }),
  'jwt-aud-empty': () => withClaims({ aud: '' }),
  'jwt-aud-empty-list': () => withClaims({ aud: [] }),
  'jwt-aud-101': () => withClaims({ aud: Array(100).fill('a').concat(CLAIMS.aud) }),
  'jwt-sub-absent': () => withClaims({ sub: undefined }),
  'jwt-sub-empty': () => withClaims({ sub: '' }),
  'jwt-sub-number': () => withClaims({ sub: 42 }),
  'jwt-sub-256-bytes': () => withClaims({ sub: 's'.repeat(256) }),
  'jwt-sub-257-bytes': () => withClaims({ sub: 's'.repeat(257) }),
  'jwt-sub-latin': () => withClaims({ sub: 'josé' }),
  'jwt-sub-euro': () => withClaims({ sub: '5 €, 100%' }),
  'jwt-sub-line-break': () => withClaims({ sub: 'user\r\nX-Admin: yes' }),
  'jwt-sub-nul': () => withClaims({ sub: 'user\u0000admin' }),
  'jwt-sub-twice': () => withMembers('"sub":"admin"'),
  'jwt-sub-twice-by-escape': () => withMembers('"s\\u0075b":"admin"'),
  'jwt-nested-name-twice': () => withMembers('"more":{"a":1,"a":2}'),
  'jwt-sub-invalid-utf8': () => withPayload(bytes(JSON.stringify({ ...CLAIMS, sub: 'user\xff' }))),
  'jwt-sub-lone-surrogate': () => withMembers('"sub":"user\\ud800"', { sub: undefined }),
  'jwt-scope-list': () => withClaims({ scope: ['read', 'write'] }),
  'jwt-scope-two-spaces': () => withClaims({ scope: 'read  write' }),
  'jwt-scope-257': () => withClaims({ scope: Array(257).fill('s').join(' ') }),
  'jwt-scope-absent': () => withClaims({ scope: undefined }),
  'jwt-jti-number': () => withClaims({ jti: 7 }),
  'jwt-jti-line-break': () => withClaims({ jti: 'j\r\nX-Admin: yes' }),
  'jwt-proto-member': () => withMembers('"__proto__":{"sub":"admin"}'),
  'jwt-unknown-claims': () => withClaims({ roles: ['admin'], 'https://example.com/claim': { a: [1, 2, null] } }),
  'jwt-payload-list': () => withPayload('["a"]'),
  'jwt-payload-five-list': () => withPayload(JSON.stringify([YEAR_2099_END, YEAR_2024_START, 'user_jwt', CLAIMS.iss, CLAIMS.aud])),
  'jwt-payload-string': () => withPayload('"user_jwt"'),
  'jwt-payload-number': () => withPayload('1'),
  'jwt-payload-null': () => withPayload('null'),
  'jwt-payload-empty': () => withPayload(''),
  'jwt-payload-not-json': () => withPayload('sub=user_jwt'),
  'jwt-payload-text-behind': () => withPayload(`${JSON.stringify(CLAIMS)} x`),
  'jwt-payload-bom': () => withPayload(`\ufeff${JSON.stringify(CLAIMS)}`),
  'jwt-payload-31-deep': () => withMembers(`"deep":${'['.repeat(31)}${']'.repeat(31)}`),
  'jwt-payload-32-deep': () => withMembers(`"deep":${'['.repeat(32)}${']'.repeat(32)}`),
  'jwt-payload-500-deep': () => withMembers(`"deep":${'['.repeat(500)}${']'.repeat(500)}`),
  'jwt-payload-256-values': () => withClaims({ groups: Array(249).fill('g') }),
  'jwt-payload-257-values': () => withClaims({ groups: Array(250).fill('g') }),
  'jwt-8-kib': () => longToken(8192),
  'jwt-over-8-kib': () => longToken(8193),

  'jwt-key-rsa-1024': () => token('bad-rsa-1024'),
  'jwt-key-rsa-exponent-1': () => token('bad-rsa-exponent-1'),
  'jwt-key-secret-one-byte': () => token('bad-secret-one-byte'),
  'jwt-key-use-enc': () => token('bad-use-enc'),
  'jwt-key-ops-encrypt': () => token('bad-key-ops'),
  'jwt-key-wrong-curve': () => token('bad-curve'),
  'jwt-key-id-twice': () => token('bad-twice'),

  'jwt-with-groups': () => withClaims({ email: 'a@example.com', groups: ['staff', 'ops, europe'] }),
  'jwt-with-more': () => withClaims({ client_id: 'app', jti: 'j-1', nbf: YEAR_2024_START }),
};

function publicJwk(kid) {
  const { kty, n, e } = keyOf(kid);
  return { kty, n, e };
}

/** Key confusion: the public key as text is the HMAC secret. */
function confused(secret) {
  return token('rs256', { header: { alg: 'HS256' } }, signedBy((input) => mac(input, secret, 'HS256')));
}

/** A good token of exactly that many bytes: base64url gives every length but those that are 1 over a multiple of 4. */
function longToken(length) {
  for (let padding = Math.floor((length - 500) / 1.34); ; padding += 1) {
    const made = [0, 1, 2].map((more) => hs({ header: { x: 'x'.repeat(more) }, claims: { padding: 'x'.repeat(padding) } }));
    const fits = made.find((text) => text.length === length);
    if (fits) return fits;
    if (made[0].length > length) throw new Error(`no token of ${length} bytes`);
  }
}

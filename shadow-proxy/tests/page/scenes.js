// Services and traffic that show what the page is for.
import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as bed from "./bed.js";

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
function token(claims) {
  const signed = `${base64({ alg: "HS256", typ: "JWT" })}.${base64(claims)}`;
  return `${signed}.${createHmac("sha256", "a secret of the test").update(signed).digest("base64url")}`;
}

export const EVIL = `<script>document.title="owned"</script><img src=x onerror="document.title='owned'">`;

/** Two services that differ in everything the comparison knows. */
const answers = {
  "/users/*": (isLegacy, n) => ({
    body: {
      id: isLegacy ? n : String(n),
      role: isLegacy ? "user" : "admin",
      active: true,
      scopes: isLegacy ? ["read", "write"] : ["read"],
      ...(isLegacy ? { email: `u${n}@example.com` } : {}),
    },
    headers: isLegacy ? { etag: `"${n}"`, "cache-control": "no-cache" } : { "cache-control": "no-store" },
  }),
  "/auth/token": (isLegacy, n) => ({
    body: {
      access_token: token({ sub: `u${n}`, iss: "https://issuer.example", role: isLegacy ? "user" : "admin", iat: 1_700_000_000, exp: 1_700_000_000 + (isLegacy ? 3600 : 900) }),
      token_type: "Bearer",
    },
  }),
  "/auth/revoked": (isLegacy) => (isLegacy ? { status: 401, body: { error: "revoked" } } : { body: { valid: true } }),
  "/auth/old": (isLegacy) => (isLegacy ? { body: { valid: true } } : { status: 401, body: { error: "expired" } }),
  "/gone": (isLegacy) => ({ status: isLegacy ? 404 : 410, body: { error: "gone" } }),
  "/evil": (isLegacy) => ({
    headers: { "content-type": "text/html", ...(isLegacy ? {} : { "x-powered-by": EVIL, server: "x".repeat(150_000) }) },
    body: isLegacy ? "hello" : EVIL,
  }),
};

async function side(isLegacy) {
  return bed.service((request) => {
    const { pathname } = new URL(request.url, "http://a");
    const n = Number(pathname.split("/").pop());
    const answer = answers[pathname] ?? (pathname.startsWith("/users/") ? answers["/users/*"] : undefined);
    if (answer) return answer(isLegacy, n);
    // The same from both, but for an id that is new each time.
    return { body: { valid: true, trace: randomBytes(8).toString("hex") } };
  });
}

const ENDPOINTS = `["/users/*", "/auth/token", "/auth/revoked", "/auth/old", "/auth/validate", "/gone", "/evil"]`;

/** A migration in which nearly everything is wrong. Ends with `close`. */
export async function wrong({ config = "", flips = true } = {}) {
  const [legacy, candidate] = [await side(true), await side(false)];
  const proxy = await bed.proxy({ legacy, candidate, config: `${config}\n[compare]\nendpoints = ${ENDPOINTS}\nwords = ["admin"]\n` });
  for (let n = 0; n < 20; n += 1) {
    const paths = [`/users/${n}`, "/auth/token", "/gone", "/evil", `/auth/validate?n=${n}`, ...(flips && n < 3 ? ["/auth/revoked", "/auth/old"] : [])];
    for (const one of paths) await fetch(proxy.listen + one).then((answer) => answer.arrayBuffer());
  }
  await kept(proxy, 8);
  // The store writes in batches: the numbers on the page are those of the last one.
  const read = async () => (await fetch(`${proxy.admin}/api/diffs`)).json();
  await bed.until("all of them in the findings", async () => (await read()).find((one) => one.path === "body.role")?.count >= 20);
  const close = async () => {
    await proxy.close();
    legacy.close();
    candidate.close();
  };
  return { ...proxy, close };
}

/** Waits until so many findings can be read. */
export async function kept(proxy, findings) {
  const read = async () => (await fetch(`${proxy.admin}/api/diffs`)).json();
  return bed.until(`${findings} findings`, async () => {
    const found = await read();
    return found.length >= findings && found;
  });
}

/** A migration that goes well, under traffic until `close`: two services that agree. */
export async function well({ config = "", component = false } = {}) {
  const same = () => bed.service((request) => ({ body: { valid: true, path: request.url } }));
  const legacy = component ? await bed.stub() : await same();
  const candidate = component ? undefined : await same();
  const proxy = await bed.proxy({ legacy, candidate, config: `${config}\n[compare]\nendpoints = ["/users/*", "/auth/validate"]\n` });
  const request = component
    ? (n) => ["/auth/validate", { method: "POST", headers: { authorization: `Bearer ${n % 2 ? "key_123" : "wrong"}` } }]
    : (n) => [`/users/${n}`];
  const load = bed.traffic(proxy.listen, request, 2);
  const close = async () => {
    await load.stop();
    await proxy.close();
    legacy.close();
    candidate?.close();
  };
  return { ...proxy, load, close };
}

export function report(proxy, name, content) {
  const folder = path.join(proxy.data, "reports");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, name), content);
}

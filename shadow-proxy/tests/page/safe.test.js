// Nobody gets in who should not, and nothing that was mirrored does anything.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import * as bed from "./bed.js";
import * as scenes from "./scenes.js";

const TOKEN = "a-token-of-the-tests-0123456789";
const folder = mkdtempSync(path.join(tmpdir(), "shadow-proxy-token-"));
const file = path.join(folder, "token");
let [wrong, guarded] = [];
before(async () => {
  writeFileSync(file, `${TOKEN}\n`);
  chmodSync(file, 0o600);
  wrong = await scenes.wrong();
  guarded = await scenes.well({ config: `admin_token_file = "${file}"` });
});
after(async () => {
  await bed.end();
  rmSync(folder, { recursive: true });
});

/** With exactly these headers, as a browser may be made to send it. */
function send(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const asked = http.request(url, { method, headers }, async (answer) => {
      let text = "";
      for await (const part of answer) text += part;
      resolve({ status: answer.statusCode, headers: answer.headers, text });
    });
    asked.on("error", reject).end(body);
  });
}

const form = (values) => new URLSearchParams(values).toString();
const FORM = { "content-type": "application/x-www-form-urlencoded" };

test("every page says strictly what a browser may do with it", async () => {
  const found = await (await fetch(`${wrong.admin}/api/diffs`)).json();
  for (const where of ["/", "/findings", `/findings/${found[0].id}`, "/journal", "/page.css", "/findings/999999", "/reports/none.html"]) {
    const { headers } = await send(wrong.admin + where);
    const policy = headers["content-security-policy"];
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
      assert.ok(policy.includes(part), `${where}: ${policy}`);
    }
    assert.ok(!policy.includes("unsafe"), where);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.equal(headers["referrer-policy"], "same-origin");
    assert.match(headers["cache-control"], where === "/page.css" ? /immutable/ : /no-store/);
  }
});

test("what was mirrored is shown, and does nothing", async () => {
  const opened = await bed.page();
  // What an operator writes is not redacted, so it is the way in for markup.
  await wrong.post("rollback", { who: scenes.EVIL, why: `${scenes.EVIL}\u202e\u0000` });
  const found = await (await fetch(`${wrong.admin}/api/diffs`)).json();
  const evil = found.filter((finding) => finding.endpoint === "GET /evil").map((finding) => `/findings/${finding.id}`);
  assert.ok(evil.length > 0);
  for (const where of ["/", "/findings", "/journal", ...evil, ...evil.map((one) => `${one}/accept`)]) {
    await opened.goto(wrong.admin + where);
    assert.doesNotMatch(await opened.title(), /owned/, where);
    assert.equal(await opened.locator("main script, main img").count(), 0, where);
    const size = (await opened.content()).length;
    assert.ok(size < 150_000, `${where}: ${size}`);
  }
  await opened.goto(`${wrong.admin}/journal`);
  const journal = await opened.locator("main").innerText();
  assert.ok(journal.includes(`<script>document.title="owned"</script>`) && journal.includes("[U+202E]"), journal);
  assert.deepEqual(opened.errors, []);
  await opened.done();
});

test("a form from anywhere else does nothing", async () => {
  const page = await send(`${wrong.admin}/`);
  const [, token] = /name="form_token" value="([0-9a-f]+)"/.exec(page.text);
  const epoch = (await wrong.status()).shift.epoch;
  const order = { form_token: token, verb: "resume", who: "a", why: "b", confirmed_at: epoch };
  const { origin, host } = new URL(wrong.admin);
  const ours = { ...FORM, host, "sec-fetch-site": "same-origin", origin };
  for (const [what, headers, values] of [
    ["another site", { ...ours, "sec-fetch-site": "cross-site", origin: "http://evil.example" }, order],
    ["another port", { ...ours, "sec-fetch-site": "same-site", origin: "http://127.0.0.1:1" }, order],
    ["an old browser from elsewhere", { ...FORM, host, origin: "http://evil.example" }, order],
    ["no browser", { ...FORM, host }, order],
    ["no token", ours, { ...order, form_token: "" }],
    ["another token", ours, { ...order, form_token: token.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) }],
    ["a rebound name", { ...ours, host: "evil.example" }, order],
  ]) {
    const answer = await send(`${wrong.admin}/shift`, { method: "POST", headers, body: form(values) });
    assert.equal(answer.status, 403, what);
    assert.match(answer.text, /; /, `${what}: says what to do`);
    const [finding] = await (await fetch(`${wrong.admin}/api/diffs`)).json();
    const accept = await send(`${wrong.admin}/findings/${finding.id}/accept`, { method: "POST", headers, body: form({ form_token: values.form_token, who: "a", why: "b" }) });
    assert.equal(accept.status, 403, what);
  }
  assert.equal((await wrong.status()).shift.epoch, epoch);
  const answer = await send(`${wrong.admin}/shift`, { method: "POST", headers: ours, body: form(order) });
  assert.equal(answer.status, 303, "the form itself is taken");
  assert.equal((await wrong.status()).shift.epoch, epoch + 1);
});

test("the programs' interface takes no form of a web page either", async () => {
  const { host } = new URL(wrong.admin);
  const { epoch } = (await wrong.status()).shift;
  const body = JSON.stringify({ who: "a", why: "b" });
  for (const [type, site, status] of [
    ["text/plain", undefined, 415],
    ["application/x-www-form-urlencoded", undefined, 415],
    [undefined, undefined, 415],
    ["text/plain", "cross-site", 403],
    ["application/json", "cross-site", 403],
    ["application/json", "same-site", 403],
  ]) {
    const headers = { host, ...(type ? { "content-type": type } : {}), ...(site ? { "sec-fetch-site": site } : {}) };
    const answer = await send(`${wrong.admin}/api/rollback`, { method: "POST", headers, body });
    assert.equal(answer.status, status, `${type} ${site}`);
  }
  assert.equal((await wrong.status()).shift.epoch, epoch);
});

test("with a token the page asks for it, and a session is all a browser keeps", async () => {
  const opened = await bed.page();
  const answer = await opened.goto(`${guarded.admin}/journal`);
  assert.equal(answer.status(), 401);
  await opened.screenshot({ path: path.join(bed.shots, "light-login.png") });
  assert.deepEqual(await bed.violations(opened), []);
  await opened.fill("[name=token]", "not the token at all");
  await opened.click("text=Open");
  assert.match(await opened.locator("[role=alert]").innerText(), /not the token/);
  await opened.fill("[name=token]", TOKEN);
  await opened.click("text=Open");
  await opened.waitForSelector(".timeline, .empty");
  assert.equal(new URL(opened.url()).pathname, "/journal", "where it wanted to go");
  const [cookie, ...others] = await opened.context().cookies();
  assert.equal(others.length, 0);
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && !cookie.value.includes(TOKEN));
  assert.ok(cookie.expires > Date.now() / 1000);
  await opened.goto(`${guarded.admin}/`);
  await opened.waitForSelector(".standing.live");
  const withCookie = (where) => send(guarded.admin + where, { headers: { cookie: `${cookie.name}=${cookie.value}` } });
  assert.equal((await withCookie("/findings")).status, 200);
  assert.equal((await withCookie("/api/status")).status, 401, "programs send the token");
  assert.equal((await withCookie("/metrics")).status, 401);
  await opened.click("text=Log out");
  assert.equal((await withCookie("/findings")).status, 401, "a session that is over stays over");
  assert.equal((await opened.context().cookies()).length, 0);
  for (const where of ["/", "/events", "/findings", "/findings/1", "/journal", "/reports/a.html"]) {
    const answer = await send(guarded.admin + where);
    assert.equal(answer.status, 401, where);
    assert.ok(!answer.text.includes("matrix"));
  }
  assert.ok(!guarded.said().includes(TOKEN));
  await opened.done();
});

test("wrong tokens are looked at only so often", async () => {
  const token = { authorization: `Bearer ${TOKEN}` };
  const before = await guarded.metric("admin_refused_total", token);
  const { host, origin } = new URL(guarded.admin);
  const login = (token, headers = { "sec-fetch-site": "same-origin" }) =>
    send(`${guarded.admin}/login`, { method: "POST", headers: { ...FORM, host, ...headers }, body: form({ token, to: "/" }) });
  assert.equal((await login(TOKEN, { origin: "http://evil.example" })).status, 403, "nobody is logged in by another site");
  assert.equal((await login(TOKEN, { origin })).status, 303);
  const seen = [(await login("wrong")).status];
  assert.equal(await guarded.metric("admin_refused_total", token), before + 1);
  for (let tries = 0; tries < 30; tries += 1) seen.push((await login(`wrong ${tries}`)).status);
  const limit = seen.indexOf(429);
  assert.ok(limit >= 10 && limit <= 20, `${seen}`);
  assert.ok(seen.slice(limit).every((status) => status === 429), `${seen}`);
  const refused = await login(TOKEN);
  assert.equal(refused.status, 429, "not even the right one");
  assert.ok(Number(refused.headers["retry-after"]) >= 1 && Number(refused.headers["retry-after"]) <= 60);
  assert.equal((await send(`${guarded.admin}/api/status`, { headers: { authorization: "Bearer wrong" } })).status, 429);
});

test("reports are files of one folder", async () => {
  scenes.report(wrong, "a.html", "<h1>a</h1>");
  scenes.report(wrong, "a.json", `{"a":1}`);
  const { status, headers } = await send(`${wrong.admin}/reports/a.html`);
  assert.equal(status, 200);
  assert.match(headers["content-security-policy"], /default-src 'none'.*sandbox$/);
  assert.equal((await send(`${wrong.admin}/reports/a.json`)).headers["content-type"], "application/json");
  for (const name of ["../shadow.db", "..%2fshadow.db", "%2e%2e/journal.jsonl", "..%2fjournal.jsonl", "none.html", "a.html%00", "a", "%2fetc%2fpasswd"]) {
    assert.equal((await send(`${wrong.admin}/reports/${name}`)).status, 404, name);
  }
});

test("so many pages are kept up to date and no more", async () => {
  const streams = [];
  const open = () =>
    new Promise((resolve, reject) => {
      const asked = http.get(`${wrong.admin}/events`, (answer) => {
        streams.push(answer.resume());
        resolve(answer.statusCode);
      });
      asked.on("error", reject);
    });
  const seen = [];
  for (let count = 0; count < 33; count += 1) seen.push(await open());
  assert.deepEqual([seen.filter((status) => status === 200).length, seen.at(-1)], [32, 503]);
  assert.equal(await wrong.metric("page_streams"), 32);
  assert.equal(await wrong.metric("page_streams_refused_total"), 1);
  streams.forEach((stream) => stream.destroy());
  await bed.until("the streams to end", async () => (await wrong.metric("page_streams")) === 0);
});

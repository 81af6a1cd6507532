// What the tests stand on: the real proxy between services of theirs, traffic, and a real browser.
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, "../../..");
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
const binary = process.env.SHADOW_PROXY ?? path.join(target, "debug/shadow-proxy");
/** Where pictures go. */
export const shots = path.join(target, "page");
mkdirSync(shots, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
/** A service that answers as `answer(request, body)` says: `{ status, headers, body }`. */
export async function service(answer) {
  const server = http.createServer({ maxHeaderSize: 1 << 20 }, async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    const { status = 200, headers = {}, body: said = "" } = await answer(request, body);
    const text = typeof said === "string" ? said : JSON.stringify(said);
    response.writeHead(status, { "content-type": typeof said === "string" ? "text/plain" : "application/json", ...headers });
    response.end(text);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => (running.delete(close), server.closeAllConnections(), server.close());
  running.add(close);
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

/** The Express service of legacy-stub. */
export async function stub() {
  const started = await start("node", ["src/server.js"], { cwd: path.join(root, "legacy-stub"), env: { ...process.env, HOST: "127.0.0.1", PORT: "0", NODE_ENV: "production" } });
  return { url: `http://${started.ready.listen}`, close: started.close };
}

/** A running `shadow-proxy run` with a data directory of its own. */
export async function proxy({ legacy, candidate, config = "", address = "127.0.0.1:0", data = mkdtempSync(path.join(tmpdir(), "shadow-proxy-page-")) }) {
  const file = path.join(data, "config.toml");
  writeFileSync(file, config);
  const sides = ["--legacy", legacy.url, ...(candidate ? ["--candidate-url", candidate.url] : [])];
  const places = ["--listen", "127.0.0.1:0", "--admin", address, "--data", path.join(data, "data"), "--config", file];
  const started = await start(binary, ["run", ...places, ...sides]);
  const admin = `http://${started.ready.admin}`;
  return {
    admin,
    listen: `http://${started.ready.listen}`,
    data: path.join(data, "data"),
    said: started.said,
    end: started.close,
    /** The same on what it left, with the same page. */
    again: () => proxy({ legacy, candidate, config, address: started.ready.admin, data }),
    close: async () => {
      await started.close();
      rmSync(data, { recursive: true });
    },
    /** The value of a metric, by its name without the prefix. */
    metric: async (name, headers = {}) => {
      const text = await (await fetch(`${admin}/metrics`, { headers })).text();
      return Number(new RegExp(`^shadow_proxy_${name} (.*)$`, "m").exec(text)[1]);
    },
    status: async () => (await fetch(`${admin}/api/status`)).json(),
    post: (command, body) =>
      fetch(`${admin}/api/${command}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  };
}

/** What is still running when a test file is over, also because a test failed. */
const running = new Set();
export async function end() {
  await browser?.close();
  for (const close of [...running]) await close();
}

async function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let said = "";
  child.stderr.on("data", (part) => (said += part));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const ready = await new Promise((resolve, reject) => {
    let line = "";
    child.stdout.on("data", (part) => {
      line += part;
      const found = /^ready (.*)$/m.exec(line);
      if (found) resolve(Object.fromEntries(found[1].split(" ").map((pair) => pair.split("="))));
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${program} ended with ${code}: ${said}`)));
  });
  const close = async () => {
    running.delete(close);
    if (child.exitCode === null) child.kill("SIGTERM");
    await ended;
  };
  running.add(close);
  return { ready, close, said: () => said };
}

/** Sends what `request(n)` says, `[path, options]`, until it is told to stop; so many at the same time. */
export function traffic(base, request, atOnce = 4) {
  let [isOver, sent] = [false, 0];
  const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce });
  const ask = () =>
    new Promise((resolve) => {
      const [where, { method = "GET", headers = {}, body } = {}] = request(sent++);
      const asked = http.request(base + where, { method, headers, agent, maxHeaderSize: 1 << 20 }, (answer) => answer.resume().on("end", resolve));
      // A proxy that is ended in a test answers nobody any more.
      asked.on("error", () => ((isOver = true), resolve())).end(body);
    });
  const worker = async () => {
    while (!isOver) await ask();
  };
  const workers = Promise.all(Array.from({ length: atOnce }, worker));
  const stop = async () => {
    running.delete(stop);
    isOver = true;
    await workers;
    agent.destroy();
  };
  running.add(stop);
  return { sent: () => sent, stop };
}

/** Asks until it is so. */
export async function until(what, isSo, patience = 60_000) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await isSo();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

/** A page of its own, which fails the test when the console has an error. */
export async function page(options = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, reducedMotion: "reduce", ...options });
  const opened = await context.newPage();
  const errors = [];
  opened.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  opened.on("pageerror", (error) => errors.push(String(error)));
  opened.on("dialog", (dialog) => (errors.push(`a dialog: ${dialog.message()}`), dialog.dismiss()));
  return Object.assign(opened, { errors, done: () => context.close() });
}

/** What axe-core has against a page: nothing, if it is well. Run beside the page, for its policy lets nothing in. */
export async function violations(opened) {
  await opened.evaluate(axe);
  const { violations } = await opened.evaluate(() => globalThis.axe.run(document, { iframes: false }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 160)} ${node.any.map((check) => check.message).join("; ")}`).join(" | ")}`);
}

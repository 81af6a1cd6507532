import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { requestBody } from './contract.js';

const SERVER = fileURLToPath(new URL('../src/server.js', import.meta.url));
const ANSWER_TIMEOUT_MS = 10_000;

/** Starts the real server as a child process and waits for its ready line. */
export async function startService(env = {}) {
  const child = launch(env);
  const [line] = await once(createInterface(child.stdout), 'line');
  const [, host, port] = /^ready listen=(.+):(\d+)$/.exec(line) ?? [];
  return { child, host, port: Number(port) };
}

/** Starts the server without waiting; `port 0` unless `env` says otherwise. */
export function launch(env = {}) {
  return spawn(process.execPath, [SERVER], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Ends the service and returns its exit code. */
export async function stopService({ child }) {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const [code] = await exited;
  return code;
}

/** Sends the `request` of a contract case, on a connection of its own. */
export async function send(service, caseRequest) {
  const body = requestBody(caseRequest);
  const req = openRequest(service, caseRequest, body?.length);
  req.end(body);
  const [res] = await once(req, 'response');
  return readAnswer(res);
}

/** The request with its head prepared; the caller writes the body. */
export function openRequest({ host, port }, { method, path, headers = [] }, bodyLength) {
  const sent = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines = [['Host', `${host}:${port}`], ...headers];
  const framed = sent.has('content-length') || sent.has('transfer-encoding');
  if (!framed && (bodyLength !== undefined || ['POST', 'PUT', 'PATCH'].includes(method))) {
    lines.push(['Content-Length', String(bodyLength ?? 0)]);
  }
  // A flat list keeps duplicates, order and case, and stops Node adding its own.
  const req = request({ host, port, method, path, headers: lines.flat(), agent: false });
  req.setTimeout(ANSWER_TIMEOUT_MS, () => req.destroy(new Error('no answer in time')));
  return req;
}

export async function readAnswer(res) {
  const chunks = [];
  for await (const chunk of res) chunks.push(chunk);
  return { status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) };
}

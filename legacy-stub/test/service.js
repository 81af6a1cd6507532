import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
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

/** Starts a server that is to fail, and waits for its end. */
export async function run(env) {
  const child = launch(env);
  child.stdout.resume();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [code] = await once(child, 'close');
  return { code, stderr };
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
  if (caseRequest.raw !== undefined) {
    return sendRaw(service, caseRequest.raw);
  }
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

/** Sends bytes as they stand, a character is a byte, and reads the first answer. */
export async function sendRaw(service, raw) {
  const socket = connect(service);
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
  socket.write(raw, 'latin1');
  let text = '';
  try {
    for await (const chunk of socket) {
      text += chunk.toString('latin1');
      const answer = parseAnswer(text);
      if (answer) return answer;
    }
  } finally {
    socket.destroy();
  }
  throw new Error(`closed after ${JSON.stringify(text)}`);
}

/** The first answer in `text` that is not 100, when it is there in full; bodies in chunks are not read. */
function parseAnswer(text) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [statusLine, ...lines] = text.slice(0, end).split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  const rest = text.slice(end + 4);
  if (status === 100) return parseAnswer(rest);
  const headers = Object.fromEntries(lines.map((line) => line.split(/: ?(.*)/)).map(([name, value]) => [name.toLowerCase(), value]));
  const length = Number(headers['content-length'] ?? 0);
  return rest.length < length ? null : { status, headers, body: Buffer.from(rest.slice(0, length), 'latin1') };
}

export async function readAnswer(res) {
  const chunks = [];
  for await (const chunk of res) chunks.push(chunk);
  return { status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) };
}

import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { createApp } from './app.js';
import { loadKeys } from './keys.js';
import { stopOnSignal } from './shutdown.js';

const DEFAULT_KEYS_FILE = fileURLToPath(new URL('../keys.json', import.meta.url));

try {
  start(readEnv(process.env));
} catch (error) {
  fail(error);
}

function readEnv(env) {
  const port = Number(env.PORT || 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`PORT is "${env.PORT}"; set it to a number from 0 (any free port) to 65535`);
  }
  return { port, host: env.HOST || '127.0.0.1', keysFile: env.KEYS_FILE || DEFAULT_KEYS_FILE };
}

function start({ port, host, keysFile }) {
  const server = createServer(createApp(loadKeys(keysFile)));
  stopOnSignal(server);
  server.on('error', (error) => {
    fail(error.code === 'EADDRINUSE' ? new Error(`${host}:${port} is in use; set PORT to another port, or to 0`) : error);
  });
  server.listen(port, host, () => {
    console.log(`ready listen=${listenAddress(server)}`);
  });
}

function listenAddress(server) {
  const { address, family, port } = server.address();
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function fail(error) {
  console.error(`cannot start: ${error.message}`);
  process.exitCode = 1;
}

import { createServer } from 'node:http';

import { createApp } from './app.js';
import { readEnv } from './config.js';
import { loadKeys } from './keys.js';
import { stopOnSignal } from './shutdown.js';
import { loadTokens } from './tokens.js';

try {
  await start(readEnv(process.env));
} catch (error) {
  fail(error);
}

async function start(config) {
  const { port, host, quirks } = config;
  const { default: express } = await import(config.express);
  const keys = loadKeys(config.keysFile, quirks);
  const tokens = loadTokens(config, quirks);
  const server = createServer(createApp(express, { ...config, keys, tokens }));
  if (quirks.has('async-no-catch')) {
    // Services with this bug log it, or Node would end them at the first bad token.
    process.on('unhandledRejection', (error) => console.error(`unhandled rejection: ${error.message}`));
  }
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

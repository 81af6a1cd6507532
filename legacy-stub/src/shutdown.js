const STOP_TIMEOUT_MS = 10_000;

/**
 * On SIGTERM or SIGINT: stop accepting, close idle connections, finish the
 * requests in flight. The process then ends by itself with exit code 0.
 */
export function stopOnSignal(server) {
  let stopping = false;
  const sockets = new Set();

  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  // Before the app's own listener, which may answer at once.
  server.prependListener('request', (_req, res) => {
    if (stopping) {
      res.setHeader('Connection', 'close');
    }
    // Otherwise the keep-alive of a connection that was in use would hold the
    // process for another five seconds.
    res.once('close', () => stopping && server.closeIdleConnections());
  });

  const stop = (signal) => {
    stopping = true;
    server.close();
    server.closeIdleConnections();
    // Node does not count a connection on which nothing was ever sent as idle.
    for (const socket of sockets) {
      if (socket.bytesRead === 0) {
        socket.destroy();
      }
    }
    setTimeout(giveUp, STOP_TIMEOUT_MS).unref();
    console.error(`${signal}: stopped listening, finishing the requests in flight`);
  };

  // `once`: a second signal has its default effect and ends the process at once.
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function giveUp() {
  console.error(`requests still in flight after ${STOP_TIMEOUT_MS} ms, giving up on them`);
  process.exit(1);
}

//! Another protocol on the client's connection, WebSocket above all: once legacy agreed to it, bytes both ways.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::Level;

use super::line::Line;

/// Both ends of a tunnel, each there once its answer `101` has passed.
pub struct Tunnel {
    pub client: OnUpgrade,
    pub legacy: OnUpgrade,
    /// Nothing from either end for so long ends it.
    pub idle: Duration,
}

impl Tunnel {
    /// Passes bytes until one end has closed and all is sent, or nothing moves any more. It keeps the client's place.
    pub async fn pass(self, line: Line, open: Level) {
        open.inc();
        let _open = Open(open);
        if let (Ok(client), Ok(legacy)) = tokio::join!(self.client, self.legacy) {
            let moved = Arc::new(AtomicU64::new(0));
            let [mut client, mut legacy] =
                [client, legacy].map(|end| Heard { end: TokioIo::new(end), moved: moved.clone() });
            tokio::select! {
                // How a tunnel ends is its ends' business.
                _ = tokio::io::copy_bidirectional(&mut client, &mut legacy) => {}
                () = idle(&moved, self.idle) => {}
            }
        }
        drop(line);
    }
}

/// Counts a tunnel as long as it is open.
struct Open(Level);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Returns when nothing was read from either end for a whole interval.
async fn idle(moved: &AtomicU64, interval: Duration) {
    let mut before = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(interval).await;
        let now = moved.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
    }
}

/// An end that counts how often something came from it.
struct Heard<T> {
    end: T,
    moved: Arc<AtomicU64>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.end).poll_read(context, buffer))?;
        self.moved.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_shutdown(context)
    }
}

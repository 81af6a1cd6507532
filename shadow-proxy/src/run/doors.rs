//! What the two ports hold those to who connect to them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::clock::Rarely;
use crate::config::Config;
use crate::metrics::{Level, Metrics};
use crate::serve::accept::{self, ConnectionLimits, HEAD_BYTES_MAX};
use crate::serve::budget::Budget;
use crate::serve::client::Terms;
use crate::serve::line::Line;
use crate::serve::seat;
use crate::serve::strict::Tolerated;
use crate::show::admin::{self, Admin};

use super::machine::connections_possible;

/// Part of `limits.buffered_bytes_max` that connections may take for heads and read buffers; what bodies need is apart.
const HEADS_PART: usize = 4;

/// Connections to the admin port. It takes no descriptors from clients: those are kept for everything that is no client.
const ADMIN_CONNECTIONS_MAX: usize = 256;
const ADMIN_HEAD_BYTES_MAX: usize = 32 << 10;
const ADMIN_BYTES_MAX: usize = 2 << 20;
/// Time for a head, for a connection without a request, and for taking something of an answer.
const ADMIN_PATIENCE: Duration = Duration::from_secs(10);
const SAY: Duration = Duration::from_secs(60);

/// The clients' port.
pub fn of_clients(config: &Config, metrics: &Arc<Metrics>) -> ConnectionLimits {
    let Config { connections_max, idle, drain, unread, half_closed, tolerated, buffered_bytes_max, .. } = *config;
    let (counted, said) = (metrics.clone(), Rarely::every(SAY));
    let terms = Terms {
        tolerated,
        head_bytes_max: HEAD_BYTES_MAX,
        idle,
        unread,
        half_closed,
        budget: Budget::new(metrics.connection_bytes.clone(), buffered_bytes_max / HEADS_PART),
        refused: Box::new(move |refusal| {
            counted.refused(refusal);
            if said.is_due() {
                let reason = refusal.name();
                tracing::info!(
                    reason,
                    "a client was refused by the front door; others within a minute are only counted"
                );
            }
        }),
    };
    ConnectionLimits {
        connections: Arc::new(Semaphore::new(connections_possible(connections_max))),
        terms: Arc::new(terms),
        drain,
        open: metrics.connections.clone(),
    }
}

/// Serves the admin port until the process ends: what drains is watched through it.
pub async fn serve_admin(listener: TcpListener, admin: Arc<Admin>) -> std::io::Result<()> {
    let refused = admin.metrics.show.admin_connections_refused.clone();
    let terms = Terms {
        tolerated: Tolerated::default(),
        head_bytes_max: ADMIN_HEAD_BYTES_MAX,
        idle: ADMIN_PATIENCE,
        unread: ADMIN_PATIENCE,
        half_closed: ADMIN_PATIENCE,
        budget: Budget::new(Level::default(), ADMIN_BYTES_MAX),
        refused: Box::new(move |_| {
            refused.inc();
        }),
    };
    let limits = ConnectionLimits {
        connections: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)),
        terms: Arc::new(terms),
        drain: Duration::ZERO,
        open: admin.metrics.show.admin_connections.clone(),
    };
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (_never, stop) = watch::channel(false);
    let seat = seat::seats(1).remove(0);
    let answer = admin::service(admin);
    accept::serve(listener, seat, move |request, line: Line| answer(request, line.peer()), limits, stop).await;
    Ok(())
}

//! What this host takes for an instance, and for one more component: `cargo load cold` and `cargo load memory` ask
//! `shadow-proxy host` for it, so that what is measured is what is deployed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Result, ensure};

use crate::exchange::{Answer, Call};

use super::limits::Limits;
use super::stock::Instance;
use super::{Embedded, Grants, cache, call, engine};

/// One instance in a warm host.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Until there was an instance.
    pub instantiated: Duration,
    /// Until it had answered its first call, counted from the same moment.
    pub answered: Duration,
}

/// `count` instances, one after the other, each asked `call` once, after the host has done so before.
///
/// # Errors
/// The component does not start, or does not answer the call with 200.
pub fn starts(bytes: &[u8], limits: Limits, asked: &Call, count: u32) -> Result<Vec<Start>> {
    let embedded = Embedded::load(bytes, limits, Grants::default(), None)?;
    runtime()?.block_on(async {
        let mut starts = Vec::new();
        for _ in 0..count {
            let began = Instant::now();
            let instance = Instance::new(&embedded.pre, &embedded.limits, Grants::default(), embedded.usage()).await?;
            let instantiated = began.elapsed();
            right(call::answer(instance, asked, None, &embedded.limits).await.0)?;
            starts.push(Start { instantiated, answered: began.elapsed() });
        }
        Ok(starts)
    })
}

/// `count` components in one host, each loaded from compiled code of its own, with an instance that has answered a
/// call and stays. `look` is told how many there are, beginning with none. Returns how long the first took to load: with an
/// empty `cache` that is how long it takes to compile, which leaves its memory behind. The component is the same in all.
///
/// # Errors
/// As for `starts`.
pub fn components(
    bytes: &[u8],
    limits: Limits,
    asked: &Call,
    cache: Option<&Path>,
    count: u32,
    mut look: impl FnMut(u32),
) -> Result<Duration> {
    let limits = Limits { calls_max: limits.calls_max.max(count as usize), ..limits };
    let engine = engine::engine(&limits)?;
    engine::start_ticker(&engine, limits.tick);
    runtime()?.block_on(async {
        let (mut kept, usage) = (Vec::new(), Arc::default());
        let mut first = None;
        look(0);
        for number in 1..=count {
            let began = Instant::now();
            let component = cache::compiled(&engine, bytes, cache)?;
            first = first.or_else(|| Some(began.elapsed()));
            let pre = engine::link(&engine, &component)?;
            let instance = Instance::new(&pre, &limits, Grants::default(), &usage).await?;
            let (answer, instance) = call::answer(instance, asked, None, &limits).await;
            right(answer)?;
            kept.push((component, pre, instance));
            look(number);
        }
        Ok(first.unwrap_or_default())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

fn right<E: std::fmt::Debug>(answer: std::result::Result<Answer, E>) -> Result<()> {
    match answer {
        Ok(answer) => ensure!(answer.status == 200, "the component answered {}, not 200", answer.status),
        Err(failure) => ensure!(false, "the component did not answer: {failure:?}"),
    }
    Ok(())
}

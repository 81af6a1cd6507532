//! The host of a `wasi:http/proxy` component, called inline on the caller's task; the only home of wasmtime.

mod cache;
mod call;
mod engine;
mod frozen;
mod keyvalue;
mod limits;
pub mod measure;
mod outbound;
mod stock;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmtime::Result;
use wasmtime::error::Context as _;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::exchange::{Answer, Call, Failure};
use crate::keys::live::Live;

pub use self::frozen::Moment;
pub use self::keyvalue::overlay::Overlay;
use self::keyvalue::volatile::Volatile;
use self::limits::Guest;
pub use self::limits::{Instances, Limits};
pub use self::outbound::Outbound;
use self::stock::Stock;
pub use self::usage::Usage;

/// A loaded component, ready to answer. Shared by all threads.
pub struct Embedded {
    pre: ProxyPre<Guest>,
    limits: Limits,
    grants: Grants,
    stock: Arc<Stock>,
    /// One permit for each call in progress: what is beyond the pool is refused at once instead of waiting for it.
    slots: Semaphore,
}

/// What a component may reach beyond itself: nothing, unless it is named here.
#[derive(Clone, Default)]
pub struct Grants {
    /// What it may look up; none: every bucket is unknown.
    pub keys: Option<Arc<Live>>,
    /// Where its writes to the keys go; none: they are refused.
    pub overlay: Option<Arc<Overlay>>,
    pub introspection: Option<Arc<Introspection>>,
    /// Its clocks stand still and its randomness repeats: see [`Embedded::call_at`].
    pub frozen: bool,
}

/// The one address that a component may ask, and where it keeps the answers.
pub struct Introspection {
    outbound: Arc<Outbound>,
    kept: Volatile,
}

impl Introspection {
    /// Nothing is kept longer than `lifetime`.
    pub fn new(outbound: Outbound, lifetime: Duration) -> Introspection {
        Introspection { outbound: Arc::new(outbound), kept: Volatile::new(lifetime) }
    }
}

/// Compiles a component and keeps its code in a directory, where [`Embedded::load`] finds it; gives the file.
///
/// # Errors
/// The bytes are no component, or the file cannot be written.
pub fn compile_into(bytes: &[u8], directory: &Path) -> Result<PathBuf> {
    cache::keep(&engine::compiler()?, bytes, directory)
}

/// The code of a component, as [`Embedded::load`] has it made by a process of its own.
///
/// # Errors
/// The bytes are no component.
pub fn compile(bytes: &[u8]) -> Result<Vec<u8>> {
    cache::code(&engine::compiler()?, bytes)
}

impl Embedded {
    /// Compiles a component (or takes it from `cache`) and proves that it can be instantiated.
    ///
    /// # Errors
    /// The bytes are no component, it imports what this host does not offer, or it does not start.
    pub fn load(bytes: &[u8], limits: Limits, grants: Grants, cache: Option<&Path>) -> Result<Embedded> {
        let engine = engine::engine(&limits)?;
        let component = cache::compiled(&engine, bytes, cache)?;
        let pre = engine::link(&engine, &component)?;
        let (stock, slots) = (Arc::new(Stock::new(&limits)), Semaphore::new(limits.calls_max));
        let embedded = Embedded { pre, stock, slots, grants, limits };
        engine::start_ticker(&engine, embedded.limits.tick);
        embedded.prove_it_starts()?;
        Ok(embedded)
    }

    /// One call, answered completely. Never panics on what a guest does; an instance that failed is not used again.
    pub async fn call(&self, call: &Call) -> std::result::Result<Answer, Failure> {
        self.answer(call, None).await
    }

    /// The same at a moment of the caller's, where it was granted that: the same call has then the same answer.
    pub async fn call_at(&self, call: &Call, moment: Moment) -> std::result::Result<Answer, Failure> {
        self.answer(call, Some(moment)).await
    }

    /// What its instances hold at this moment.
    pub fn usage(&self) -> &Arc<Usage> {
        &self.stock.usage
    }

    async fn answer(&self, call: &Call, moment: Option<Moment>) -> std::result::Result<Answer, Failure> {
        let _slot = self.slots.try_acquire().map_err(|_| Failure::Busy)?;
        let instance = match self.stock.take() {
            Some(instance) => instance,
            None => self.instantiate().await?,
        };
        let (answer, instance) = call::answer(instance, call, moment, &self.limits).await;
        self.put_back(instance);
        answer
    }

    /// Where the instance goes after its call. What costs time (dropping one, making one) is left for after the answer.
    fn put_back(&self, used: Option<stock::Instance>) {
        let used = match used {
            Some(instance) if self.limits.instances.may_serve_again(instance.calls) => return self.stock.put(instance),
            used => used,
        };
        let (pre, limits, stock) = (self.pre.clone(), self.limits.clone(), self.stock.clone());
        let grants = self.grants.clone();
        tokio::spawn(async move {
            drop(used);
            if !stock.is_full()
                && let Ok(instance) = stock::Instance::new(&pre, &limits, grants, &stock.usage).await
            {
                stock.put(instance);
            }
        });
    }

    async fn instantiate(&self) -> std::result::Result<stock::Instance, Failure> {
        stock::Instance::new(&self.pre, &self.limits, self.grants.clone(), &self.stock.usage).await.map_err(|error| {
            if error.is::<wasmtime::PoolConcurrencyLimitError>() {
                Failure::Busy
            } else {
                tracing::warn!(%error, "the component could not be instantiated");
                Failure::Trap
            }
        })
    }

    /// One instance made and one request answered before anything is served: the first client does not pay for it,
    /// and a component that cannot start is an error at start.
    fn prove_it_starts(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        runtime.block_on(async {
            for _ in 0..self.stock.capacity() {
                let made = stock::Instance::new(&self.pre, &self.limits, self.grants.clone(), &self.stock.usage).await;
                self.stock.put(made.context(
                    "the component cannot be instantiated; does it need more than candidate.memory_bytes_max?",
                )?);
            }
            let warm_up = Call {
                method: http::Method::GET,
                uri: http::Uri::from_static("/"),
                headers: http::HeaderMap::new(),
                body: Bytes::new(),
            };
            // Whatever it answers is fine: only the pages it touches matter here.
            let _ = self.call(&warm_up).await;
            Ok(())
        })
    }
}

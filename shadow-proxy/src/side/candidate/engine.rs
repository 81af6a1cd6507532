//! The engine's settings, what a component can be linked with, and the clock that interrupts it.

use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::error::Context as _;
use wasmtime::{
    Config, Enabled, Engine, Inlining, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::keyvalue;
use super::limits::{Guest, Limits};

/// Memory kept mapped and zeroed in place between two instances of a slot, instead of being given back to the kernel.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;
/// A component made from one core module has three core instances: itself, a shim and its fix-up.
const CORE_INSTANCES_EACH: u32 = 4;

pub fn engine(limits: &Limits) -> Result<Engine> {
    // Calls in progress, instances waiting, and those being made or dropped in the background.
    let instances = (limits.calls_max * 2 + 16) as u32;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_EACH)
        .total_memories(instances)
        .total_tables(instances * 2)
        .total_stacks(instances)
        .max_memory_size(limits.memory_bytes_max)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 << 10)
        // It resets memory by what the kernel says was touched; it once told one tenant about another.
        .pagemap_scan(Enabled::No);
    let mut config = settings();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    started(&config)
}

/// An engine that only compiles, for those that run: where instances are put makes no difference to the code.
pub fn compiler() -> Result<Engine> {
    started(&settings())
}

fn started(config: &Config) -> Result<Engine> {
    Engine::new(config).context("the WebAssembly engine does not start; is the address space limited (ulimit -v)?")
}

fn settings() -> Config {
    let mut config = Config::new();
    config
        // Off: a call is then a plain fiber on this task, without the machinery for concurrent component tasks.
        .concurrency_support(false)
        .cranelift_opt_level(OptLevel::Speed)
        .compiler_inlining(Inlining::Yes)
        // The embedded component multiplies 128 bits at a time: RSA in a quarter of the time.
        .wasm_wide_arithmetic(true)
        .epoch_interruption(true)
        .async_stack_size(512 << 10)
        .max_wasm_stack(256 << 10)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false);
    config
}

/// Links the whole of WASI 0.2 over a context that grants nothing: a component built with the standard library
/// imports files, sockets and outbound HTTP without using them, and finds none if it does. Buckets, and the one address that
/// may be asked, are there for whom they are configured.
pub fn link(engine: &Engine, component: &Component) -> Result<ProxyPre<Guest>> {
    let mut linker = Linker::<Guest>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    keyvalue::add_to_linker(&mut linker)?;
    let pre = linker.instantiate_pre(component).context("the component imports something this host does not offer")?;
    ProxyPre::new(pre).context("the component does not export wasi:http/incoming-handler 0.2; build it for that world")
}

/// Moves the epoch for as long as the engine lives.
pub fn start_ticker(engine: &Engine, tick: Duration) {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("epoch".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(tick);
            }
        })
        .expect("a thread can be started before anything is served");
}

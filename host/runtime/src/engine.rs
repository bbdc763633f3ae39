//! The engine that compiles and runs every plugin of a host, and the clock that its deadlines are counted by.
//!
//! Invariant: memory of a call comes from one pool, so that a call costs no system call once its slot is warm, and
//! the host's memory is bounded whatever guests do.
//! Invariant: the ticker runs on a thread of its own, and only while calls run: an idle host does not wake up.

mod ticker;

pub(crate) use ticker::TICK;
pub use ticker::Ticking;
pub(crate) use ticker::{Running, Ticks};

use crate::limits::{GUEST_STACK, INSTANCES};
use std::sync::Arc;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// Calls that run at one time, over all plugins; their stacks and memories are the pool.
const CALLS: u32 = 256;
/// The largest linear memory that any plugin may be given.
const MAX_MEMORY: usize = 256 << 20;
/// What a pool slot keeps of the memory that its last call touched, so that the next one has no page faults.
const KEEP_RESIDENT: usize = 256 << 10;
/// Idle slots that keep such memory.
const WARM_SLOTS: u32 = 16;

/// Why there is no engine: the machine cannot give what it needs.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the WebAssembly engine: {0}")]
pub struct EngineError(String);

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

/// Compiles and runs plugins. Cheap to clone; the thread of its ticker ends with the last clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    ticker: ticker::Ticker,
}

impl EngineError {
    /// The system gives no random numbers.
    pub(crate) fn no_random_numbers(error: &std::io::Error) -> Self {
        Self(format!("the system gives no random numbers: {error}"))
    }
}

impl Engine {
    /// An engine whose deadlines are counted by a thread of its own.
    pub fn new() -> Result<Self, EngineError> {
        Self::with_ticking(Ticking::Thread)
    }

    /// An engine whose ticks come from where the caller says; tests give them by [`Engine::tick`].
    pub fn with_ticking(ticking: Ticking) -> Result<Self, EngineError> {
        let engine = wasmtime::Engine::new(&config())?;
        let ticker = ticker::Ticker::start(&engine, ticking)
            .map_err(|error| EngineError(format!("no thread for its ticker: {error}")))?;
        Ok(Self {
            inner: Arc::new(Inner { engine, ticker }),
        })
    }

    /// Lets one tick pass.
    pub fn tick(&self) {
        self.inner.ticker.ticks().advance(&self.inner.engine);
    }

    /// What tells an engine whose compiled code this one can run from one whose code it cannot.
    pub(crate) fn compatibility(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.inner
            .engine
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner.engine
    }

    /// How many ticks have passed.
    pub(crate) fn ticks(&self) -> &Arc<Ticks> {
        self.inner.ticker.ticks()
    }

    /// Keeps the ticker running while a call runs.
    pub(crate) fn running(&self) -> Running {
        self.inner.ticker.running()
    }
}

/// An engine that only compiles, for the engines above: it takes none of their pool.
pub(crate) fn for_compiling(on_all_cores: bool) -> Result<wasmtime::Engine, EngineError> {
    let mut config = code();
    config.parallel_compilation(on_all_cores);
    Ok(wasmtime::Engine::new(&config)?)
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(CALLS)
        .total_stacks(CALLS)
        .total_memories(CALLS * 2)
        .total_tables(CALLS * 8)
        .total_core_instances(CALLS * 16)
        .max_memory_size(MAX_MEMORY)
        .max_core_instances_per_component(u32::try_from(INSTANCES).unwrap_or(u32::MAX))
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(64 << 10);
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// What code depends on.
fn code() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // A replay on another machine computes the same.
        .relaxed_simd_deterministic(true)
        // No plugin of contract 1.0 awaits anything by itself, and the support for it costs every call.
        .concurrency_support(false);
    config
}

#[cfg(test)]
mod tests;

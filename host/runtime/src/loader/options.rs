//! How a loader is made.

use crate::{
    cache::CompileCache,
    candidate::Now,
    compiler::{Compiler, InProcess},
    effects::EffectPort,
    engine::Engine,
    observer::{LogObserver, Observer},
    quarantine::QuarantinePolicy,
};
use mainstay_domain::time::Monotonic;
use std::sync::Arc;

/// How a [`Loader`](super::Loader) is made.
pub struct LoaderOptions {
    /// Runs the plugins.
    pub engine: Engine,
    /// Where effects go.
    pub effects: Arc<dyn EffectPort>,
    /// Is told of quarantines and, by a host, of everything else.
    pub observer: Arc<dyn Observer>,
    /// When a failing plugin rests.
    pub quarantine: QuarantinePolicy,
    /// Compiled components on disk; none compiles each time.
    pub cache: Option<CompileCache>,
    /// Compiles them; in this process by default.
    pub compiler: Arc<dyn Compiler>,
    /// Measures rests.
    pub now: Now,
}

impl LoaderOptions {
    /// The defaults: a log for an observer, no cache, the system's clock.
    pub fn new(engine: Engine, effects: Arc<dyn EffectPort>) -> Self {
        let start = std::time::Instant::now();
        Self {
            engine,
            effects,
            observer: Arc::new(LogObserver),
            quarantine: QuarantinePolicy::default(),
            cache: None,
            compiler: Arc::new(InProcess),
            now: Arc::new(move || Monotonic::from_start(start.elapsed())),
        }
    }
}

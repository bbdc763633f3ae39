//! The ticker: a thread that lets the epochs of an engine pass while calls run, and sleeps while none does.
//!
//! Invariant: it holds the engine weakly and ends with it, and with nothing else: a guest that computes would never be
//! interrupted again.
//! Invariant: a guest that computes sees a tick at least every [`TICK`] plus what the system takes to wake a thread;
//! an async timer instead would starve on a machine whose every core computes.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::Duration,
};
use wasmtime::EngineWeak;

/// The length of a tick: how long a guest may compute before it lets others run.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// Ticks without a call after which the thread parks, so that a series of calls wakes it once.
const IDLE_TICKS: u32 = 50;

/// Where ticks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticking {
    /// A thread, every 2 ms while calls run.
    Thread,
    /// Nowhere but [`crate::Engine::tick`].
    Manual,
}

/// How many ticks have passed.
#[derive(Debug, Default)]
pub(crate) struct Ticks(AtomicU64);

impl Ticks {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }

    pub(super) fn advance(&self, engine: &wasmtime::Engine) {
        self.0.fetch_add(1, SeqCst);
        engine.increment_epoch();
    }
}

#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    parked: AtomicBool,
    stopped: AtomicBool,
}

/// A running ticker. Dropping it ends its thread.
pub(super) struct Ticker {
    ticks: Arc<Ticks>,
    shared: Arc<Shared>,
    thread: Option<Thread>,
}

impl Ticker {
    pub(super) fn start(engine: &wasmtime::Engine, ticking: Ticking) -> io::Result<Self> {
        let ticks = Arc::new(Ticks::default());
        let shared = Arc::new(Shared::default());
        let thread = match ticking {
            Ticking::Manual => None,
            Ticking::Thread => {
                let (engine, ticks, shared) = (engine.weak(), ticks.clone(), shared.clone());
                let ticker = thread::Builder::new()
                    .name("mainstay-ticker".to_owned())
                    // Room for a panic to be told.
                    .stack_size(256 << 10)
                    .spawn(move || {
                        again_after_panics(|| tick_while_alive(&engine, &ticks, &shared));
                    })?;
                Some(ticker.thread().clone())
            }
        };
        Ok(Self {
            ticks,
            shared,
            thread,
        })
    }

    pub(super) fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }

    pub(super) fn running(&self) -> Running {
        self.shared.calls.fetch_add(1, SeqCst);
        if self.shared.parked.load(SeqCst) {
            self.wake();
        }
        Running(self.shared.clone())
    }

    #[cfg(test)]
    pub(super) fn is_parked(&self) -> bool {
        self.shared.parked.load(SeqCst)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.wake();
    }
}

/// A call that runs. The ticker ticks while there is one.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, SeqCst);
    }
}

/// Works until it ends by itself.
fn again_after_panics(work: impl Fn()) {
    while catch_unwind(AssertUnwindSafe(&work)).is_err() {
        tracing::error!("the ticker has panicked, and goes on; report this as a defect");
    }
}

fn tick_while_alive(engine: &EngineWeak, ticks: &Ticks, shared: &Shared) {
    let mut idle = 0;
    while !shared.stopped.load(SeqCst) {
        idle = match shared.calls.load(SeqCst) {
            0 => idle + 1,
            _ => 0,
        };
        if idle > IDLE_TICKS {
            // Announced before the count is read again: a call that began in between sees the announcement.
            shared.parked.store(true, SeqCst);
            if shared.calls.load(SeqCst) == 0 && !shared.stopped.load(SeqCst) {
                thread::park();
            }
            shared.parked.store(false, SeqCst);
            idle = 0;
        }
        thread::sleep(TICK);
        match engine.upgrade() {
            Some(engine) => ticks.advance(&engine),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticker_that_panics_goes_on() {
        let begun = AtomicU64::new(0);
        again_after_panics(|| assert!(begun.fetch_add(1, SeqCst) >= 2, "out of luck"));
        assert_eq!(begun.load(SeqCst), 3);
    }
}

//! Time and chance for a plugin that says what it is.
//!
//! Invariant: a component that describes itself sees the same time, the same random numbers and the same order of what
//! it waits for whenever it does so, here and elsewhere: what it says follows from its bytes.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtxBuilder,
    clocks::WasiClocksCtxView,
    p2::{
        DynPollable,
        bindings::clocks::monotonic_clock::{self, Host, Instant},
    },
};

/// 2026-01-01, in seconds since the Unix epoch.
const WALL_CLOCK: u64 = 1_767_225_600;
/// How far the monotonic clock goes each time that it is read, so that who waits for it to go on does not wait for ever.
const STEP: Duration = Duration::from_millis(1);
/// Random numbers before they begin anew, bytes.
const RANDOM_BYTES: usize = 4_096;

/// Fixes what would be another at each call.
pub(super) fn fix(builder: &mut WasiCtxBuilder) {
    let random = |what: &str| {
        let mut bytes = vec![0; RANDOM_BYTES];
        let mut hasher = blake3::Hasher::new();
        hasher.update(what.as_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        Deterministic::new(bytes)
    };
    builder
        .secure_random(random("mainstay: a plugin describes itself, random"))
        .insecure_random(random("mainstay: a plugin describes itself, insecure"))
        .insecure_random_seed(0x6d61_696e_7374_6179)
        .wall_clock(FixedClock)
        .monotonic_clock(SteppingClock::default());
}

struct FixedClock;

impl HostWallClock for FixedClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(WALL_CLOCK)
    }
}

#[derive(Default)]
struct SteppingClock(AtomicU64);

impl HostMonotonicClock for SteppingClock {
    fn resolution(&self) -> u64 {
        self.step()
    }

    fn now(&self) -> u64 {
        let step = self.step();
        self.0.fetch_add(step, Relaxed).saturating_add(step)
    }
}

impl SteppingClock {
    fn step(&self) -> u64 {
        u64::try_from(STEP.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What the linker asks for the timers of a call.
pub(super) struct GuardedClocks;

impl HasData for GuardedClocks {
    type Data<'a> = GuardedTimers<'a>;
}

/// The monotonic clock of one call, and its timers.
pub(super) struct GuardedTimers<'a> {
    pub(super) clocks: WasiClocksCtxView<'a>,
    /// Nothing is waited for: how often a guest looks before a timer has run out is another number each time.
    pub(super) is_fixed: bool,
}

impl Host for GuardedTimers<'_> {
    fn now(&mut self) -> wasmtime::Result<Instant> {
        Host::now(&mut self.clocks)
    }

    fn resolution(&mut self) -> wasmtime::Result<Instant> {
        Host::resolution(&mut self.clocks)
    }

    fn subscribe_instant(&mut self, when: Instant) -> wasmtime::Result<Resource<DynPollable>> {
        match self.is_fixed {
            true => self.clocks.subscribe_duration(0),
            false => self.clocks.subscribe_instant(when),
        }
    }

    fn subscribe_duration(
        &mut self,
        duration: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.clocks
            .subscribe_duration(if self.is_fixed { 0 } else { duration })
    }
}

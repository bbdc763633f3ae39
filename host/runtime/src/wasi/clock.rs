//! Time and chance for a plugin that says what it is, and for a call that is on record.
//!
//! Invariant: a component that describes itself sees the same time, the same random numbers and the same order of what
//! it waits for whenever it does so, here and elsewhere: what it says follows from its bytes.

use crate::virtual_clock::VirtualClock;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtxBuilder, async_trait,
    clocks::WasiClocksCtxView,
    p2::{
        DynPollable, Pollable,
        bindings::clocks::monotonic_clock::{self, Host, Instant},
        subscribe,
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

/// Has time and chance follow from the record of the call.
pub(super) fn follow(builder: &mut WasiCtxBuilder, clock: &Arc<VirtualClock>) {
    builder
        .secure_random(clock.random("mainstay: wasi random"))
        .insecure_random(clock.random("mainstay: wasi insecure"))
        .insecure_random_seed(clock.random_number("mainstay: wasi insecure-seed"))
        .wall_clock(FollowingClock(clock.clone()))
        .monotonic_clock(FollowingClock(clock.clone()));
}

struct FollowingClock(Arc<VirtualClock>);

impl HostWallClock for FollowingClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        self.0.read_wall()
    }
}

impl HostMonotonicClock for FollowingClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.read()
    }
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

/// What the timers of a call wait for.
pub(crate) enum Timers {
    /// For time to pass.
    Real,
    /// For nothing: how often a guest looks before a timer has run out is another number each time.
    Fixed,
    /// For nothing either, and the clock is where they were to run out.
    Virtual(Arc<VirtualClock>),
}

/// The monotonic clock of one call, and its timers.
pub(super) struct GuardedTimers<'a> {
    pub(super) clocks: WasiClocksCtxView<'a>,
    pub(super) timers: Timers,
}

impl Host for GuardedTimers<'_> {
    fn now(&mut self) -> wasmtime::Result<Instant> {
        Host::now(&mut self.clocks)
    }

    fn resolution(&mut self) -> wasmtime::Result<Instant> {
        Host::resolution(&mut self.clocks)
    }

    fn subscribe_instant(&mut self, when: Instant) -> wasmtime::Result<Resource<DynPollable>> {
        match &self.timers {
            Timers::Real => self.clocks.subscribe_instant(when),
            Timers::Fixed => self.clocks.subscribe_duration(0),
            Timers::Virtual(clock) => virtual_timer(&mut self.clocks, clock.clone(), when),
        }
    }

    fn subscribe_duration(
        &mut self,
        duration: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        match &self.timers {
            Timers::Real => self.clocks.subscribe_duration(duration),
            Timers::Fixed => self.clocks.subscribe_duration(0),
            Timers::Virtual(clock) => {
                let when = clock.after(duration);
                virtual_timer(&mut self.clocks, clock.clone(), when)
            }
        }
    }
}

fn virtual_timer(
    clocks: &mut WasiClocksCtxView<'_>,
    clock: Arc<VirtualClock>,
    when: Instant,
) -> wasmtime::Result<Resource<DynPollable>> {
    let timer = clocks.table.push(VirtualTimer { clock, when })?;
    subscribe(clocks.table, timer)
}

/// A timer that has run out once somebody waits for it.
struct VirtualTimer {
    clock: Arc<VirtualClock>,
    when: Instant,
}

#[async_trait]
impl Pollable for VirtualTimer {
    async fn ready(&mut self) {
        self.clock.reach(self.when);
    }
}

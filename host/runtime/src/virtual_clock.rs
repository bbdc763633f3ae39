//! Time and chance of a call that is on record: both follow from its record and from what the guest does.
//!
//! Invariant: the clock goes on when it is read, when a timer is waited for, and to what the host answers, and never by
//! itself. So the same guest with the same answers reads the same times.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use mainstay_domain::{call_record::CallRecord, time::Timestamp};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How far it goes on each time that it is read: who waits for it to go on does not wait for ever.
const STEP_NS: u64 = 1_000;
const NANOS_OF_A_MILLI: u64 = 1_000_000;

/// The clocks of one call.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    began_at: Timestamp,
    seed: [u8; 32],
    /// Since the call began.
    passed_ns: AtomicU64,
}

impl VirtualClock {
    pub(crate) fn new(record: &CallRecord) -> Self {
        Self {
            began_at: record.began_at,
            seed: record.seed.0,
            passed_ns: AtomicU64::new(0),
        }
    }

    /// Reads the monotonic clock: nanoseconds since the call began.
    pub(crate) fn read(&self) -> u64 {
        self.passed_ns
            .fetch_add(STEP_NS, Relaxed)
            .saturating_add(STEP_NS)
    }

    /// Reads the wall clock: since 1970.
    pub(crate) fn read_wall(&self) -> Duration {
        Duration::from_millis(self.began_at.as_millis()) + Duration::from_nanos(self.read())
    }

    /// A moment so many nanoseconds after now, on the monotonic clock.
    pub(crate) fn after(&self, nanos: u64) -> u64 {
        self.passed_ns.load(Relaxed).saturating_add(nanos)
    }

    /// What was waited for is there. It never goes back.
    pub(crate) fn reach(&self, nanos: u64) {
        // A guest that waits for the end of time leaves room to be read.
        let nanos = nanos.min(u64::MAX / 2);
        self.passed_ns.fetch_max(nanos, Relaxed);
    }

    /// The host told the guest this time.
    pub(crate) fn told(&self, now: Timestamp) {
        let passed = now.as_millis().saturating_sub(self.began_at.as_millis());
        self.reach(passed.saturating_mul(NANOS_OF_A_MILLI));
    }

    /// The guest has slept as it asked.
    pub(crate) fn slept(&self, length_ms: u64) {
        self.reach(self.after(length_ms.saturating_mul(NANOS_OF_A_MILLI)));
    }

    /// Random numbers for this purpose: others for each, and the same in each replay.
    pub(crate) fn random(&self, purpose: &str) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.drawn(purpose))
    }

    /// A number that is drawn once.
    pub(crate) fn random_number(&self, purpose: &str) -> u128 {
        let drawn = self.drawn(purpose);
        drawn
            .first_chunk()
            .map_or(0, |first| u128::from_le_bytes(*first))
    }

    fn drawn(&self, purpose: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.seed, purpose.as_bytes()).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;
    use chacha20::rand_core::Rng;

    fn clock() -> VirtualClock {
        VirtualClock::new(&record())
    }

    #[test]
    fn the_clock_goes_on_by_what_the_guest_does_and_never_back() {
        let clock = clock();
        let began = Duration::from_millis(record().began_at.as_millis());
        assert_eq!(clock.read(), 1_000);
        assert_eq!(clock.read_wall(), began + Duration::from_micros(2));
        clock.told(record().began_at + Duration::from_secs(5));
        clock.told(record().began_at);
        assert_eq!(clock.read(), 5_000_001_000);
        clock.slept(2_000);
        assert_eq!(clock.read(), 7_000_002_000);
        let due = clock.after(1_000_000);
        clock.reach(due);
        clock.reach(3);
        assert_eq!(clock.read(), 7_001_003_000);
        clock.reach(u64::MAX);
        clock.slept(u64::MAX);
        assert!(clock.read() < clock.read(), "there is room left");
    }

    #[test]
    fn what_is_drawn_follows_from_the_seed_and_is_another_for_each_purpose() {
        let drawn = |purpose: &str| {
            let mut bytes = [0; 64];
            clock().random(purpose).fill_bytes(&mut bytes);
            (bytes, clock().random_number(purpose))
        };
        assert_eq!(drawn("one"), drawn("one"));
        assert_ne!(drawn("one").0, drawn("other").0);
        assert_ne!(drawn("one").1, drawn("other").1);
    }
}

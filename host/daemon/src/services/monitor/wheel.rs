//! What is due when, in slots: what is due at one time is taken at once, so that it costs one wake-up and no more.
//!
//! Invariant: pure; callers pass the time. Nothing is given before it is due.

use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

pub(super) struct Wheel<T> {
    /// From where on slots are counted.
    start: Instant,
    slots: BTreeMap<Instant, Vec<T>>,
}

impl<T> Wheel<T> {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            slots: BTreeMap::new(),
        }
    }

    /// The first time that is a whole number of grains after the start, and not before this one.
    pub(super) fn align(&self, when: Instant, grain: Duration) -> Instant {
        let grain = grain.as_nanos().max(1);
        let over = when.saturating_duration_since(self.start).as_nanos() % grain;
        let missing = if over == 0 { 0 } else { grain - over };
        when + Duration::from_nanos(u64::try_from(missing).unwrap_or_default())
    }

    pub(super) fn insert(&mut self, at: Instant, entry: T) {
        self.slots.entry(at).or_default().push(entry);
    }

    /// When something is due first.
    pub(super) fn first(&self) -> Option<Instant> {
        self.slots.keys().next().copied()
    }

    /// What is due first, where that is by now; in the order in which it was put in.
    pub(super) fn take_first(&mut self, now: Instant) -> Vec<T> {
        match self.slots.first_entry() {
            Some(slot) if *slot.key() <= now => slot.remove(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_moved_to_the_next_whole_grain_and_never_to_an_earlier_one() {
        let start = Instant::now();
        let (wheel, grain) = (Wheel::<()>::new(start), Duration::from_millis(20));
        let micros = Duration::from_micros;
        let century = 100 * 365 * 24 * 3_600 * 1_000_000;
        for (after, expected) in [
            (0, 0),
            (1, 20_000),
            (19_999, 20_000),
            (20_000, 20_000),
            (20_001, 40_000),
            (century + 1, century + 20_000),
        ] {
            let aligned = wheel.align(start + micros(after), grain);
            assert_eq!(aligned, start + micros(expected), "{after}");
        }
    }

    #[test]
    fn what_is_due_at_one_time_is_taken_at_once_and_nothing_too_soon() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut wheel = Wheel::new(start);
        assert_eq!((wheel.first(), wheel.take_first(at(9))), (None, Vec::new()));
        for (millis, entry) in [(40, "c"), (20, "a"), (60, "d"), (20, "b")] {
            wheel.insert(at(millis), entry);
        }
        assert_eq!(wheel.first(), Some(at(20)));
        assert!(wheel.take_first(at(19)).is_empty());
        assert_eq!(wheel.take_first(at(20)), ["a", "b"]);
        assert!(wheel.take_first(at(20)).is_empty());
        // After a gap one slot comes after the other.
        assert_eq!(wheel.take_first(at(99)), ["c"]);
        assert_eq!(wheel.take_first(at(99)), ["d"]);
        assert_eq!(wheel.first(), None);
    }
}

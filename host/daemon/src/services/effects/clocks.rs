//! What operations were told of the time, and until when their calls sleep.
//!
//! Invariant: within one operation the time never goes back, over all of its calls, whatever the wall clock does.
//! Invariant: a wall clock that is set back makes no sleep longer than it was.

use mainstay_domain::{
    id::OperationId,
    time::{Monotonic, Timestamp},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, time::Duration};

/// So many operations are remembered, the newest by their identifiers; more do not run at one time.
const MOST: usize = 1024;

/// The latest time that each operation was told, and the effect by which its call sleeps, with the end of that.
#[derive(Debug, Default)]
pub(super) struct OperationClocks(
    Mutex<BTreeMap<OperationId, Timestamp>>,
    Mutex<BTreeMap<OperationId, (u32, Monotonic)>>,
);

impl OperationClocks {
    /// The time that an operation is told: this one, or the latest that it knows.
    pub(super) fn tell(&self, operation: &OperationId, now: Timestamp) -> Timestamp {
        let mut told = self.0.lock();
        let latest = told.get(operation).map_or(now, |latest| now.max(*latest));
        told.insert(operation.clone(), latest);
        while told.len() > MOST {
            told.pop_first();
        }
        latest
    }

    /// What is left of a sleep of which so much is left by the wall clock: no more than this daemon knew to be left before.
    pub(super) fn sleeps(
        &self,
        operation: &OperationId,
        number: u32,
        left: Duration,
        now: Monotonic,
    ) -> Duration {
        let mut sleeps = self.1.lock();
        let known = sleeps.get(operation).filter(|(of, _)| *of == number);
        let end = known.map_or(now + left, |(_, known)| (now + left).min(*known));
        sleeps.insert(operation.clone(), (number, end));
        while sleeps.len() > MOST {
            sleeps.pop_first();
        }
        end.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn within_an_operation_the_time_never_goes_back() {
        let clocks = OperationClocks::default();
        let one = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let other = OperationId::parse("op-01K0000000000000000000000B").unwrap();
        for (now, told) in [(5, 5), (3, 5), (4, 5), (6, 6)] {
            assert_eq!(clocks.tell(&one, at(now)), at(told));
        }
        assert_eq!(clocks.tell(&other, at(2)), at(2));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_sleep_longer() {
        let clocks = OperationClocks::default();
        let one = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let second = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let left = |number, by_the_wall, now| {
            let left = Duration::from_secs(by_the_wall);
            clocks.sleeps(&one, number, left, second(now)).as_secs()
        };
        assert_eq!(left(3, 3_600, 10), 3_600);
        assert_eq!(left(3, 3_600, 3_000), 610, "it was set back by all of that");
        assert_eq!(left(3, 100, 3_500), 100, "it was set forward");
        assert_eq!(left(3, 3_600, 3_600), 0);
        assert_eq!(left(4, 60, 3_600), 60, "that is another sleep");
    }

    #[test]
    fn no_more_operations_are_remembered_than_may_run() {
        let clocks = OperationClocks::default();
        for number in 0..2 * MOST {
            let id = OperationId::parse(&format!("op-01K{number:023}")).unwrap();
            clocks.tell(&id, at(1));
        }
        assert_eq!(clocks.0.lock().len(), MOST);
    }
}

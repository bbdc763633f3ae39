//! What operations were told of the time.
//!
//! Invariant: within one operation the time never goes back, over all of its calls, whatever the wall clock does.

use mainstay_domain::{id::OperationId, time::Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// So many operations are remembered, the newest by their identifiers; more do not run at one time.
const MOST: usize = 1024;

/// The latest time that each operation was told.
#[derive(Debug, Default)]
pub(super) struct OperationClocks(Mutex<BTreeMap<OperationId, Timestamp>>);

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
    fn no_more_operations_are_remembered_than_may_run() {
        let clocks = OperationClocks::default();
        for number in 0..2 * MOST {
            let id = OperationId::parse(&format!("op-01K{number:023}")).unwrap();
            clocks.tell(&id, at(1));
        }
        assert_eq!(clocks.0.lock().len(), MOST);
    }
}

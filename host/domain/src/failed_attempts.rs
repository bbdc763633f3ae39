//! How many attempts to recover failed of late, on the whole host [seed 001].
//!
//! Invariant: a dry run tries nothing, and an operation without any attempt has none that failed.

use crate::{
    event::{Event, EventKind},
    operation::{Operation, OperationState},
    time::Timestamp,
};
use std::{collections::VecDeque, time::Duration};

/// Failed attempts are counted for so long [seed 001].
pub const FAILURES_WITHIN: Duration = Duration::from_secs(3600);

/// So many are remembered; more of them say nothing new.
pub const MOST_FAILURES: u32 = 1_000;

/// The attempts to recover that failed within [`FAILURES_WITHIN`], each with its time.
#[derive(Debug, Clone, Default)]
pub struct FailedAttempts(VecDeque<Timestamp>);

impl FailedAttempts {
    /// Those of these operations, newest first, as they stand now.
    pub fn of(operations: &[Operation]) -> Self {
        use OperationState as S;
        let mut all = Self::default();
        for operation in operations.iter().rev().filter(|one| !one.dry_run) {
            let begun = operation.attempts;
            let failed = match operation.state {
                // The last one worked, is not over, or was cut short.
                S::Succeeded | S::InProgress | S::Validating | S::Cancelled => {
                    begun.saturating_sub(1)
                }
                S::Failed | S::Partial | S::AwaitingManual | S::Scheduled => begun,
            };
            let known = operation.finished_at.or(operation.started_at);
            all.note(known.unwrap_or(operation.detected_at), failed);
        }
        all
    }

    /// Takes what an event tells of an attempt, where it tells of one that failed.
    pub fn hear(&mut self, event: &Event) {
        let has_failed = match event.kind {
            EventKind::OperationRetrying | EventKind::OperationPartial => true,
            EventKind::OperationFailed => event.data.attempts() > 0,
            _ => false,
        };
        if has_failed && !event.data.is_dry_run() {
            self.note(event.at, 1);
        }
    }

    /// How many are not older than that; [`MOST_FAILURES`] at most.
    pub fn count(&mut self, now: Timestamp) -> usize {
        self.0.retain(|at| now.since(*at) < FAILURES_WITHIN);
        self.0.len()
    }

    /// So many failed, the last one at this time.
    fn note(&mut self, at: Timestamp, count: u32) {
        for _ in 0..count.min(MOST_FAILURES) {
            if self.0.len() >= MOST_FAILURES as usize {
                self.0.pop_front();
            }
            self.0.push_back(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::tests::examples,
        id::OperationId,
        name::{FailureType, TargetName},
        operation::Mode,
        severity::Severity,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }

    fn operation(state: OperationState, attempts: u32) -> Operation {
        let id = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let target = TargetName::parse("api").unwrap();
        let failure = FailureType::parse("down").unwrap();
        let severity = Severity::High;
        Operation {
            state,
            attempts,
            ..Operation::scheduled(id, target, failure, severity, Mode::Automatic, start())
        }
    }

    #[test]
    fn attempts_count_for_an_hour_and_are_remembered_up_to_a_bound() {
        let mut failed = FailedAttempts::default();
        failed.note(start(), 2);
        failed.note(start() + SECOND, 1);
        assert_eq!(failed.count(start() + 3_599 * SECOND), 3);
        assert_eq!(failed.count(start() + 3_600 * SECOND), 1);
        failed.note(start() + 3_600 * SECOND, u32::MAX);
        assert_eq!(failed.count(start() + 3_600 * SECOND), 1_000);
        assert_eq!(failed.count(start() + 9_000 * SECOND), 0);
    }

    #[test]
    fn of_an_operation_those_attempts_count_that_did_not_help() {
        use OperationState as S;
        for (state, attempts, failed) in [
            (S::Succeeded, 1, 0),
            (S::Succeeded, 3, 2),
            (S::InProgress, 1, 0),
            (S::Validating, 2, 1),
            (S::Failed, 0, 0),
            (S::Failed, 5, 5),
            (S::Partial, 1, 1),
            (S::Cancelled, 0, 0),
            (S::Cancelled, 2, 1),
            (S::AwaitingManual, 2, 2),
        ] {
            let mut all = FailedAttempts::of(&[operation(state, attempts)]);
            assert_eq!(all.count(start()), failed, "{state:?} {attempts}");
        }
        let dry = Operation {
            dry_run: true,
            ..operation(S::Failed, 5)
        };
        assert_eq!(FailedAttempts::of(&[dry]).count(start()), 0);
    }

    #[test]
    fn an_event_tells_of_a_failed_attempt_where_one_failed() {
        let mut told = 0;
        for event in examples() {
            let mut all = FailedAttempts::default();
            all.hear(&event);
            let count = all.count(event.at);
            let is_of_one = matches!(
                event.kind,
                EventKind::OperationRetrying
                    | EventKind::OperationPartial
                    | EventKind::OperationFailed
            );
            assert!(
                count == 0 || (is_of_one && !event.data.is_dry_run()),
                "{event:?}"
            );
            told += count;
        }
        assert!(told > 0, "the corpus has some");
    }
}

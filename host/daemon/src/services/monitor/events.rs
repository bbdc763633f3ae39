//! The findings of a change of a target's health; its events are `mainstay_domain::health_events`.

use crate::ports::Finding;
use mainstay_domain::{
    breaker::HealthChange, health::Observation, health_events::health_events, name::TargetName,
    record::Change, spec::TargetSpec, time::Timestamp,
};

/// The events of these changes; `seen` is the observation that they come from.
pub(super) fn of(
    target: &TargetSpec,
    changes: &[HealthChange],
    seen: Option<&Observation>,
    at: Timestamp,
) -> Vec<Change> {
    let events = health_events(target, changes, seen, at);
    events.into_iter().map(Change::Event).collect()
}

/// The finding that the recovery engine gets of a change.
pub(super) fn finding(
    target: &TargetName,
    change: &HealthChange,
    at: Timestamp,
) -> Option<Finding> {
    match change {
        HealthChange::FailureRaised {
            failure,
            severity,
            evidence,
            ..
        } => Some(Finding::Raised {
            target: target.clone(),
            failure: failure.clone(),
            severity: *severity,
            detected_at: evidence.observed_at,
            evidence: evidence.clone(),
        }),
        HealthChange::FailureCleared { failure } => Some(Finding::Cleared {
            target: target.clone(),
            failure: failure.clone(),
            at,
        }),
        HealthChange::FailureUnseen { failure } => Some(Finding::Unseen {
            target: target.clone(),
            failure: failure.clone(),
            stopped: None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use mainstay_domain::{
        health::{Evidence, Health, Outcome},
        name::CheckName,
        severity::Severity,
    };

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn tcp() -> CheckName {
        CheckName::parse("tcp").unwrap()
    }

    fn evidence(message: &str) -> Evidence {
        Evidence {
            check: "tcp".to_owned(),
            observed_at: AT,
            message: message.to_owned(),
            value: None,
            output: None,
            score: None,
        }
    }

    fn raised() -> HealthChange {
        HealthChange::FailureRaised {
            check: tcp(),
            failure: specs::failure("down"),
            severity: Severity::High,
            evidence: evidence("refused"),
        }
    }

    /// What is said of these changes, of which one look tells, or none.
    fn said(changes: &[HealthChange], saw: Option<&str>) -> Vec<String> {
        let target = specs::target("api", Vec::new());
        let seen = saw.map(|message| Observation {
            target: target.name.clone(),
            check: tcp(),
            outcome: Outcome::Failed,
            evidence: evidence(message),
        });
        let message = |change: Change| match change {
            Change::Event(event) => format!("{} {}: {}", event.severity, event.kind, event.message),
            other => panic!("{other:?}"),
        };
        let events = of(&target, changes, seen.as_ref(), AT).into_iter();
        events.map(message).collect()
    }

    #[test]
    fn an_end_of_a_process_without_a_check_of_it_is_no_check_that_failed() {
        let check = CheckName::process();
        let changes = [
            HealthChange::CheckFailed {
                check: check.clone(),
                in_a_row: 1,
            },
            HealthChange::CheckRecovered { check },
        ];
        assert_eq!(
            said(&changes, None),
            [
                "low check.failed: api: its process is down",
                "low check.recovered: api: its process runs again"
            ]
        );
    }

    #[test]
    fn each_change_is_said_as_it_is_with_and_without_a_look() {
        use HealthChange as H;
        let failed = |in_a_row| H::CheckFailed {
            check: tcp(),
            in_a_row,
        };
        let failure = specs::failure("down");
        let cleared = H::FailureCleared {
            failure: failure.clone(),
        };
        let unseen = H::FailureUnseen { failure };
        let better = H::HealthChanged {
            from: Health::Failed,
            to: Health::Healthy,
        };
        for (changes, saw, expected) in [
            (
                vec![failed(1)],
                Some("refused"),
                vec!["low check.failed: api: check tcp failed: refused"],
            ),
            // One that goes on failing is one event, until it opens the circuit.
            (vec![failed(2)], Some("refused"), vec![]),
            (
                vec![failed(5), H::CircuitOpened, raised()],
                Some("refused"),
                vec![
                    "low check.failed: api: check tcp failed: refused",
                    "high circuit.opened: api: the circuit opened: refused",
                ],
            ),
            (
                vec![H::CircuitOpened],
                None,
                vec!["medium circuit.opened: api: the circuit opened"],
            ),
            (
                vec![H::CheckDegraded { check: tcp() }],
                Some("slow"),
                vec!["low check.degraded: api: check tcp is degraded: slow"],
            ),
            (
                vec![H::CheckUndegraded { check: tcp() }],
                Some("connected"),
                vec!["low check.recovered: api: check tcp is not degraded any more: connected"],
            ),
            (
                vec![H::CheckRecovered { check: tcp() }],
                Some("connected"),
                vec!["low check.recovered: api: check tcp passes again: connected"],
            ),
            (
                vec![H::CheckRecovered { check: tcp() }],
                None,
                vec!["low check.recovered: api: check tcp passes again"],
            ),
            (
                vec![H::CircuitHalfOpened],
                None,
                vec!["low circuit.half-opened: api: the circuit is half-open, the checks decide"],
            ),
            (
                vec![cleared, H::CircuitClosed],
                Some("connected"),
                vec![
                    "low circuit.closed: api: the circuit closed, no failure of it holds any more",
                ],
            ),
            (
                vec![unseen, H::CircuitClosed],
                None,
                vec![
                    "low circuit.closed: api: the circuit closed, no check sees any more what opened it",
                ],
            ),
            (
                vec![H::CheckLate { check: tcp() }, better, raised()],
                None,
                vec![],
            ),
        ] {
            assert_eq!(said(&changes, saw), expected, "{changes:?}");
        }
    }
}

//! The events and findings of a change of a target's health.
//!
//! Invariant: a check that goes on failing is one event, not one a run: `check.failed` is recorded for the first
//! failure in a row, and again for the one that opens the circuit. One that goes on warning is one event as well.
//! Invariant: what is said holds whatever the other checks see; `tests` has the table.

use crate::ports::Finding;
use mainstay_domain::{
    breaker::HealthChange,
    event::{CheckDegraded, CheckFailed, CheckRecovered, CircuitOpened, Event, EventKind},
    health::Observation,
    name::{CheckName, TargetName},
    record::Change,
    severity::Severity,
    spec::TargetSpec,
    time::Timestamp,
};

/// The events of these changes; `seen` is the observation that they come from.
pub(super) fn of(
    target: &TargetSpec,
    changes: &[HealthChange],
    seen: Option<&Observation>,
    at: Timestamp,
) -> Vec<Change> {
    let opens = changes.contains(&HealthChange::CircuitOpened);
    let events = changes
        .iter()
        .filter_map(|change| event(target, change, changes, seen, opens, at));
    events
        .map(|event| Change::Event(event.with_target(&target.name)))
        .collect()
}

fn event(
    target: &TargetSpec,
    change: &HealthChange,
    all: &[HealthChange],
    seen: Option<&Observation>,
    opens: bool,
    at: Timestamp,
) -> Option<Event> {
    let name = &target.name;
    // Nothing where another config, and no look, changed it.
    let saw = match seen.map(|seen| seen.evidence.message.as_str()) {
        None | Some("") => String::new(),
        Some(message) => format!(": {message}"),
    };
    let value = seen.and_then(|seen| seen.evidence.value);
    let low = |kind, message: String| Event::new(kind, Severity::Low, at, message);
    match change {
        HealthChange::CheckFailed { check, in_a_row } if *in_a_row == 1 || opens => {
            let message = match is_a_check(target, check) {
                true => format!("{name}: check {check} failed{saw}"),
                false => format!("{name}: its process is down{saw}"),
            };
            let data = CheckFailed {
                check: check.clone(),
                in_a_row: *in_a_row,
                value,
            };
            Some(low(EventKind::CheckFailed, message).with_data(data))
        }
        HealthChange::CheckDegraded { check } => {
            let message = format!("{name}: check {check} is degraded{saw}");
            let data = CheckDegraded {
                check: check.clone(),
                value,
            };
            Some(low(EventKind::CheckDegraded, message).with_data(data))
        }
        HealthChange::CheckRecovered { check } | HealthChange::CheckUndegraded { check } => {
            let how = match change {
                HealthChange::CheckUndegraded { .. } => "is not degraded any more",
                _ => "passes again",
            };
            let message = match is_a_check(target, check) {
                true => format!("{name}: check {check} {how}{saw}"),
                false => format!("{name}: its process runs again{saw}"),
            };
            let data = CheckRecovered {
                check: check.clone(),
                value,
            };
            Some(low(EventKind::CheckRecovered, message).with_data(data))
        }
        HealthChange::CircuitOpened => {
            let raised = all.iter().find_map(|change| match change {
                HealthChange::FailureRaised {
                    failure, severity, ..
                } => Some((failure, *severity)),
                _ => None,
            });
            let (failure, severity) = match raised {
                Some((failure, severity)) => (Some(failure), severity),
                None => (None, Severity::Medium),
            };
            let message = format!("{name}: the circuit opened{saw}");
            let event = Event::new(EventKind::CircuitOpened, severity, at, message);
            Some(event.with_data(CircuitOpened {
                failure: failure.cloned(),
            }))
        }
        HealthChange::CircuitHalfOpened => Some(low(
            EventKind::CircuitHalfOpened,
            format!("{name}: the circuit is half-open, the checks decide"),
        )),
        HealthChange::CircuitClosed => {
            let is_unseen =
                |change: &HealthChange| matches!(change, HealthChange::FailureUnseen { .. });
            let why = match all.iter().any(is_unseen) {
                true => "no check sees any more what opened it",
                // Others may have failed, too seldom to count.
                false => "no failure of it holds any more",
            };
            let message = format!("{name}: the circuit closed, {why}");
            Some(low(EventKind::CircuitClosed, message))
        }
        HealthChange::CheckFailed { .. }
        | HealthChange::CheckLate { .. }
        | HealthChange::HealthChanged { .. }
        | HealthChange::FailureRaised { .. }
        | HealthChange::FailureCleared { .. }
        | HealthChange::FailureUnseen { .. } => None,
    }
}

/// Whether the config has this check; the process of a target is looked at without one.
fn is_a_check(target: &TargetSpec, check: &CheckName) -> bool {
    *check != CheckName::process() || target.checks.iter().any(|known| known.name == *check)
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
    use mainstay_domain::health::{Evidence, Health, Outcome};

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

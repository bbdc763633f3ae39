//! The events of a change of a target's health, as the monitor tells them and a simulation does.
//!
//! Invariant: a check that goes on failing is one event, not one a run: `check.failed` is recorded for the first
//! failure in a row, and again for the one that opens the circuit. One that goes on warning is one event as well.

use crate::{
    breaker::HealthChange,
    event::{CheckDegraded, CheckFailed, CheckRecovered, CircuitOpened, Event, EventKind},
    health::Observation,
    name::CheckName,
    severity::Severity,
    spec::TargetSpec,
    time::Timestamp,
};

/// The events of these changes; `seen` is the observation that they come from.
pub fn health_events(
    target: &TargetSpec,
    changes: &[HealthChange],
    seen: Option<&Observation>,
    at: Timestamp,
) -> Vec<Event> {
    let opens = changes.contains(&HealthChange::CircuitOpened);
    let events = changes
        .iter()
        .filter_map(|change| event(target, change, changes, seen, opens, at));
    events
        .map(|event| event.with_target(&target.name))
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

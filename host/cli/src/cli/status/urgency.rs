//! Which targets come first: what needs a person, then what is not as it should be, the worst first.

use mainstay_api::{CircuitState, Health, Incident, IncidentState, TargetRow};
use mainstay_domain::{phase::Phase, severity::Severity};

/// How urgent a target is, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Person,
    Failed,
    Degraded,
    Unseen,
    Recovering,
    Unknown,
    Starting,
    Paused,
    Stopped,
    /// As it should be.
    None,
}

/// How urgent a target with these open incidents is, in this phase of the host.
pub(super) fn urgency_in(phase: Option<Phase>, target: &TargetRow, open: &[&Incident]) -> Urgency {
    match phase.is_some_and(|phase| is_left_by(phase, target, open)) {
        true => Urgency::Person,
        false => urgency_of(target, open),
    }
}

/// Whether its recovery is held back by the phase, which a person changes and nobody else.
fn is_left_by(phase: Phase, target: &TargetRow, open: &[&Incident]) -> bool {
    let mut failing = open.iter().filter(|incident| !is_watched(incident));
    let is_left = failing.any(|incident| {
        let severity = Severity::from(incident.severity);
        phase.least().is_none_or(|least| severity < least)
    });
    target.held.is_some() && is_left
}

/// How urgent it is, whatever the phase.
pub(super) fn urgency_of(target: &TargetRow, open: &[&Incident]) -> Urgency {
    let mut failing = open.iter().filter(|incident| !is_watched(incident));
    let is_escalated = failing.any(|incident| incident.state == IncidentState::Escalated);
    if target.waits.is_some() || target.pause.is_some() || is_escalated {
        return Urgency::Person;
    }
    match target.health {
        Health::Failed => Urgency::Failed,
        Health::Degraded => Urgency::Degraded,
        _ if target.unseen.is_some() => Urgency::Unseen,
        _ if target.incident.is_some() || target.operation.is_some() => Urgency::Recovering,
        _ if target.circuit != CircuitState::Closed => Urgency::Recovering,
        _ if target.stopped.is_some() => Urgency::Stopped,
        Health::Unknown if !target.completed => Urgency::Unknown,
        Health::Starting => Urgency::Starting,
        _ if target.paused => Urgency::Paused,
        Health::Unknown | Health::Healthy => Urgency::None,
    }
}

/// How bad the worst of them is; none where there are none.
pub(super) fn worst_of(open: &[&Incident]) -> Option<Severity> {
    open.iter().map(|incident| incident.severity.into()).max()
}

/// Whether it is healthy again, and is the same incident if it comes back.
pub(super) fn is_watched(incident: &Incident) -> bool {
    incident.relapse_until.is_some()
}

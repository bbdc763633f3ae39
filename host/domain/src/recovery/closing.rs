//! How incidents end, and what people are told when they have to act.
//!
//! Invariant: of a target that the config has no more, nothing is said but that: nobody looks at it.

use super::{Case, InputTime, Outcome, Recovery, Stage, words};
use crate::{
    event::{AfterEscalation, IncidentEnd},
    incident::IncidentState,
    operation::Operation,
    time::Timestamp,
};
use std::time::Duration;

impl Recovery {
    /// Healthy after an attempt: the incident is closed now, or after the relapse window if it must last.
    pub(super) fn start_relapse_window(
        &mut self,
        case: &mut Case,
        by: Option<&Operation>,
        window: Duration,
        at: InputTime,
        out: &mut Outcome,
    ) {
        if !self.settings.knows(&case.incident.target) {
            self.close(case, None, IncidentEnd::Removed, at.now, out);
            return;
        }
        // What a person had recovered while it was healthy need not last for longer than it had to.
        let left = case.incident.relapse_until.map(|end| end.since(at.now));
        let window = left.map_or(window, |left| left.min(window));
        let has_window = !window.is_zero();
        case.incident.relapse_until = has_window.then(|| at.now + window);
        let how = by.map_or_else(|| case.end_without_operation(), |_| IncidentEnd::Recovered);
        match case.incident.must_last() {
            false => self.close(case, by, how, at.now, out),
            _ if has_window => {}
            // Its success was no news, for it might have come back.
            _ => self.close(case, None, how, at.now, out),
        }
        case.stage = match has_window {
            true => Stage::RelapseWindow {
                until: at.monotonic + window,
            },
            false => Stage::Over,
        };
    }

    /// It did not come back in time: it is over.
    pub(super) fn end_relapse_window(&mut self, case: &mut Case, at: InputTime, out: &mut Outcome) {
        if case.incident.state.is_open() {
            let how = match self.settings.knows(&case.incident.target) {
                true if case.is_unseen => IncidentEnd::Unseen,
                true => IncidentEnd::Lasting,
                false => IncidentEnd::Removed,
            };
            self.close(case, None, how, at.now, out);
        }
        case.stage = Stage::Over;
    }

    pub(super) fn window(&self, case: &Case) -> Duration {
        let route = self.settings.route(&case.key(), case.incident.severity);
        route.map_or(Duration::ZERO, |route| route.relapse_window)
    }

    /// Closes an incident; the case is over.
    pub(super) fn close(
        &mut self,
        case: &mut Case,
        by: Option<&Operation>,
        how: IncidentEnd,
        now: Timestamp,
        out: &mut Outcome,
    ) {
        case.stage = Stage::Over;
        if case.incident.state.is_open() {
            // Of what the config has no more nothing can be seen, whatever was seen last.
            let how = match self.settings.knows(&case.incident.target) {
                true => how,
                false => IncidentEnd::Removed,
            };
            case.incident.close(state_after(how), now);
            let open = self.timeline.lived_since(case.incident.opened_at);
            let closed = match (&case.stopped, how) {
                (Some(stopped), IncidentEnd::Unseen) => {
                    words::kept_stopped(&case.incident, stopped, open, now)
                }
                _ => words::closed(&case.incident, by, how, open, now),
            };
            out.writes.push(closed);
        }
    }

    /// What follows a round that did not help, by the present config.
    pub(super) fn after_round(&self, case: &Case) -> AfterEscalation {
        let key = case.key();
        match self.settings.route(&key, case.incident.severity) {
            _ if self.is_left_to_people(&key) => AfterEscalation::People,
            None => AfterEscalation::Route,
            Some(route) if route.simulate || route.strategy.awaits_approval() => {
                AfterEscalation::People
            }
            Some(_) => AfterEscalation::Round,
        }
    }

    /// People have to act, with the message and what follows; said once for each incident.
    pub(super) fn escalate(
        &mut self,
        case: &mut Case,
        operation: Option<&Operation>,
        (message, then): (String, AfterEscalation),
        at: InputTime,
        out: &mut Outcome,
    ) {
        if case.incident.state == IncidentState::Open {
            case.incident.escalate();
            self.told(case, at);
            let runbook = self.runbook(case);
            out.writes.push(words::escalated(
                &case.incident,
                operation,
                (message, then),
                runbook,
                at.now,
            ));
        }
    }
}

/// Where an incident stands that ended so.
fn state_after(how: IncidentEnd) -> IncidentState {
    match how {
        IncidentEnd::Recovered | IncidentEnd::Lasting => IncidentState::Recovered,
        IncidentEnd::ByItself => IncidentState::SelfHealed,
        IncidentEnd::Unseen => IncidentState::Unseen,
        IncidentEnd::Removed => IncidentState::Removed,
    }
}

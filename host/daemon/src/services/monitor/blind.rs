//! Looks that came to nothing: what is shown of them, and what is told where it lasts.
//!
//! Invariant: both events are of one severity, so that who heard the one hears the other.

use super::{
    Core,
    target::{CheckRun, MonitoredState, MonitoredTarget},
};
use crate::ports::Batch;
use mainstay_domain::{
    blindness::LostLook,
    event::{Event, EventKind, MonitorBlind},
    health::Observation,
    name::TargetName,
    record::Change,
    severity::Severity,
    text::counted,
    time::Monotonic,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

impl Core {
    /// A check could not look; what it says instead is why.
    pub(super) fn could_not_look(
        &self,
        monitored: &Arc<MonitoredTarget>,
        state: &mut MonitoredState,
        run: &CheckRun,
        seen: &Observation,
        now: Monotonic,
    ) {
        run.is_unseen.store(true, Relaxed);
        let look = LostLook {
            target: &seen.target,
            check: &seen.check,
            every: run.spec.every,
            at: seen.evidence.observed_at,
            why: &seen.evidence.message,
        };
        let lost = self.blindness.lock().lost(look, now);
        if lost.shows {
            self.changed.note(&seen.target);
        }
        if lost.lasts {
            let changes = state.health.lost_sight(&seen.check);
            self.publish(monitored, state, &changes, None);
        }
        if let Some(report) = lost.report {
            let event = self.of_the_host(EventKind::MonitorBlind, words(&report));
            self.tell(event.with_data(report));
        }
    }

    /// A check has looked; most have not missed a look before.
    pub(super) fn has_looked(&self, target: &TargetName, run: &CheckRun) {
        if !run.is_unseen.swap(false, Relaxed) {
            return;
        }
        let ends = self.blindness.lock().seen(target, &run.spec.name);
        self.changed.note(target);
        self.sees_again(ends);
    }

    /// A check has looked, and what it saw counts as nothing: there is nothing to say yet, or a stranger answered.
    pub(super) fn has_looked_for_nothing(
        &self,
        monitored: &Arc<MonitoredTarget>,
        state: &mut MonitoredState,
        run: &CheckRun,
    ) {
        self.has_looked(&state.spec.name, run);
        let changes = state.health.regained_sight(&run.spec.name);
        self.publish(monitored, state, &changes, None);
    }

    /// What the checks of this target saw does not count any more, so nothing is missed of it.
    pub(super) fn forget_unseen(&self, target: &TargetName) {
        let ends = self.blindness.lock().forget(target);
        self.sees_again(ends);
    }

    /// Ends what an earlier daemon told of, where this one looks without hindrance.
    pub(super) fn look_back(&self) {
        if self.blindness.lock().has_outlived(self.clock.monotonic()) {
            let message = "since the daemon was started every check has looked when it was to";
            self.tell(self.of_the_host(EventKind::MonitorSees, message.to_owned()));
        }
    }

    fn sees_again(&self, ends: bool) {
        if ends {
            let message = "every check that could not look has looked again, or looks no more";
            self.tell(self.of_the_host(EventKind::MonitorSees, message.to_owned()));
        }
    }

    fn of_the_host(&self, kind: EventKind, message: String) -> Event {
        Event::new(kind, Severity::High, self.clock.now(), message)
    }

    fn tell(&self, event: Event) {
        drop(self.journal.commit(Batch::soon(vec![Change::Event(event)])));
    }
}

fn words(report: &MonitorBlind) -> String {
    let targets = report.targets;
    let mut names: Vec<&str> = report.names.iter().map(TargetName::as_str).collect();
    if u64::try_from(names.len()).is_ok_and(|named| named < targets) {
        names.push("...");
    }
    let have = if report.checks == 1 { "has" } else { "have" };
    format!(
        "{} of {} ({}) {have} not been able to look since {}: {}",
        counted(report.checks, "check"),
        counted(targets, "target"),
        names.join(", "),
        report.since,
        report.why
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::time::Timestamp;

    #[test]
    fn how_many_checks_cannot_look_is_said_of_one_and_of_several() {
        for (checks, targets, expected) in [
            (
                1,
                1,
                "1 check of 1 target (api) has not been able to look since",
            ),
            (
                3,
                2,
                "3 checks of 2 targets (api, ...) have not been able to look since",
            ),
        ] {
            let said = words(&MonitorBlind {
                checks,
                targets,
                names: vec![TargetName::parse("api").unwrap()],
                since: Timestamp::from_millis(1),
                why: "no descriptor is free".to_owned(),
            });
            assert!(said.starts_with(expected), "{said}");
            assert!(said.ends_with("001Z: no descriptor is free"), "{said}");
        }
    }
}

//! Looks at the simulated targets: on their schedules, by the clock, and for a recovery; and who is told of what they see.

use super::run::{Due, Run};
use crate::{
    breaker::HealthChange,
    health::Observation,
    health_events::health_events,
    name::{FailureType, TargetName},
    recovery::{CaseKey, Input, Judged, Look, LookResult},
};

impl Run<'_> {
    pub(super) fn check_is_due(&mut self, target: usize, check: usize) {
        let at = self.at();
        let next = self.targets.get_mut(target);
        let next = next.and_then(|watched| watched.next_runs.get_mut(check));
        match next {
            Some(next) if *next == Some(at.monotonic) => *next = None,
            // It was put off or looked at otherwise since.
            _ => return,
        }
        self.run_check(target, check);
        self.go_on_looking(target);
    }

    /// Runs one check, and tells what came of it.
    pub(super) fn run_check(&mut self, target: usize, check: usize) -> Option<Observation> {
        let at = self.at();
        let (seen, changes) = self.targets.get_mut(target)?.run_check(check, at)?;
        self.gathered.observations += 1;
        self.publish(target, &changes, Some(&seen));
        Some(seen)
    }

    pub(super) fn tick_is_due(&mut self, target: usize) {
        let now = self.at().monotonic;
        let Some(watched) = self.targets.get_mut(target) else {
            return;
        };
        if watched.tick_at != Some(now) {
            return;
        }
        watched.tick_at = None;
        let changes = watched.health.tick(now);
        let late = changes.iter().filter_map(|change| match change {
            HealthChange::CheckLate { check } => watched.place_of(check),
            _ => None,
        });
        let late: Vec<usize> = late.collect();
        self.publish(target, &changes, None);
        for check in late {
            self.run_check(target, check);
        }
        self.go_on_looking(target);
    }

    /// Has the checks of a target run on their schedules while that can change something.
    pub(super) fn go_on_looking(&mut self, target: usize) {
        let now = self.at().monotonic;
        let mut entered = Vec::new();
        if let Some(watched) = self.targets.get_mut(target)
            && watched.is_restless()
        {
            let schedule = watched.spec.checks.iter().zip(&mut watched.next_runs);
            for (place, (check, next)) in schedule.enumerate() {
                if next.is_none() {
                    let due = now + check.every;
                    *next = Some(due);
                    entered.push((due.elapsed(), place));
                }
            }
        }
        for (due, check) in entered {
            self.enter(due, Due::Check(target, check));
        }
    }

    /// Tells what changed with a target, as the monitor does.
    pub(super) fn publish(
        &mut self,
        target: usize,
        changes: &[HealthChange],
        seen: Option<&Observation>,
    ) {
        let at = self.at();
        let Some(spec) = self.targets.get(target).map(|watched| watched.spec) else {
            return;
        };
        for event in health_events(spec, changes, seen, at.now) {
            self.happened(event);
        }
        let Some(watched) = self.targets.get_mut(target) else {
            return;
        };
        let key = |failure: &FailureType| CaseKey {
            target: spec.name.clone(),
            failure: failure.clone(),
        };
        for change in changes {
            let input = match change {
                HealthChange::FailureRaised {
                    failure,
                    severity,
                    evidence,
                    ..
                } => Input::Raised {
                    key: key(failure),
                    severity: *severity,
                    evidence: evidence.clone(),
                    detected_at: evidence.observed_at,
                },
                // What is reported holds until it is taken back.
                HealthChange::FailureCleared { failure } if !watched.reported.contains(failure) => {
                    Input::Cleared(key(failure))
                }
                HealthChange::FailureUnseen { failure } if !watched.reported.contains(failure) => {
                    Input::Unseen(key(failure))
                }
                _ => continue,
            };
            self.inputs.push_back(input);
        }
        let due = watched.health.next_tick();
        if let Some(due) = due.filter(|_| due != watched.tick_at) {
            watched.tick_at = Some(due);
            self.enter(due.elapsed(), Due::Tick(target));
        }
    }

    /// What the recovery's own look at a target gives.
    pub(super) fn look(
        &mut self,
        number: u64,
        target: &TargetName,
        failure: &FailureType,
        acted: bool,
    ) -> Look {
        let nothing = Look {
            number,
            seen: LookResult::Failing,
            is_present: false,
            results: Vec::new(),
        };
        let Some(place) = self.place(target) else {
            return nothing;
        };
        if acted && let Some(watched) = self.targets.get_mut(place) {
            let changes = watched.health.handler_acted();
            self.publish(place, &changes, None);
        }
        let checks = self
            .targets
            .get(place)
            .map_or(0, |watched| watched.spec.checks.len());
        let mut seen: Vec<Observation> = Vec::with_capacity(checks + 1);
        for check in 0..checks {
            seen.extend(self.run_check(place, check));
        }
        seen.extend(self.look_at_process(place));
        self.go_on_looking(place);
        let now = self.at().monotonic;
        let Some(watched) = self.targets.get(place) else {
            return nothing;
        };
        let judged = Judged::by(Some(watched.spec), failure, &seen);
        let is_down = watched.is_down() && !watched.spec.is_seen_without_process(failure);
        Look {
            number,
            seen: match judged.result() {
                _ if is_down => LookResult::Down,
                _ if watched.reported.contains(failure) => LookResult::Failing,
                LookResult::Healthy if watched.health.is_settling(now) => LookResult::Settling,
                result => result,
            },
            is_present: watched.is_failing(failure),
            results: judged.said(),
        }
    }

    fn look_at_process(&mut self, place: usize) -> Option<Observation> {
        let at = self.at();
        let watched = self.targets.get_mut(place)?;
        watched.spec.process.as_ref()?;
        let seen = watched.process_seen(None, at);
        let changes = watched.health.observe_exit(&seen, at.monotonic);
        self.publish(place, &changes, Some(&seen));
        Some(seen)
    }
}

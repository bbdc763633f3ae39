//! The monitor as the others see it.

use super::{Monitor, process::ProcessState};
use crate::ports::{Boxed, LogEnd, Looked, ProcessUpdate, ProcessWatch, Watch};
use mainstay_domain::{
    blindness::Unseen,
    breaker::CircuitState,
    effect::EffectError,
    health::{Health, Observation},
    name::{FailureType, TargetName},
    policy::Multiplier,
    spec::{CheckKind, Spec},
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// The recovery of a process that has ended waits so long for what it wrote last.
const EVIDENCE_WITHIN: Duration = Duration::from_millis(5);

impl Watch for Monitor {
    fn set_multiplier(&self, multiplier: Multiplier) {
        *self.core.multiplier.lock() = multiplier;
    }

    fn check_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
        let looks = self.look_now(target);
        Box::pin(async move {
            let looks = looks.await?.into_iter();
            Ok(looks.filter_map(|look| look.seen).collect())
        })
    }

    fn look_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Looked>, EffectError>> {
        Box::pin(async move {
            let monitored = self.core.get(&target).ok_or_else(|| {
                EffectError::Failed(format!(
                    "there is no target `{target}`; `mainstay status --all` lists all"
                ))
            })?;
            let mut runs = JoinSet::new();
            let checks = {
                let state = monitored.lock();
                if state.process.is_awaited() {
                    return Err(EffectError::Unavailable(format!(
                        "{target}: its process is only being started"
                    )));
                }
                state.checks.clone()
            };
            for (place, run) in checks.into_iter().enumerate() {
                let (core, monitored) = (Arc::clone(&self.core), Arc::clone(&monitored));
                runs.spawn(async move {
                    let _turn = run.turn.lock().await;
                    let begun = core.clock.monotonic();
                    let seen = core.look(&monitored, &run).await;
                    let look = Looked {
                        check: run.spec.name.clone(),
                        seen,
                        unit: run.spec.kind.unit(),
                        took: core.clock.monotonic().since(begun),
                    };
                    (place, look)
                });
            }
            let mut seen = runs.join_all().await;
            seen.sort_by_key(|(place, _)| *place);
            let mut looks: Vec<Looked> = seen.into_iter().map(|(_, look)| look).collect();
            let mut state = monitored.lock();
            if state.spec.process.is_some() && !state.process.is_stopped() {
                let process = self.core.observe_process(&state, None);
                let now = self.core.clock.monotonic();
                let changes = state.health.observe_exit(&process, now);
                self.core
                    .publish(&monitored, &mut state, &changes, Some(&process));
                let own = Looked {
                    check: process.check.clone(),
                    seen: Some(process),
                    unit: None,
                    took: Duration::ZERO,
                };
                // The config may have a check of this name, which looks at the same.
                match looks.iter_mut().find(|look| look.check == own.check) {
                    Some(look) if look.seen.is_some() => {}
                    Some(look) => *look = own,
                    None => looks.push(own),
                }
            }
            Ok(looks)
        })
    }

    fn last_looks(&self, target: &TargetName) -> Vec<Looked> {
        let Some(monitored) = self.core.get(target) else {
            return Vec::new();
        };
        let (checks, process) = {
            let state = monitored.lock();
            (state.checks.clone(), state.process)
        };
        let looks = checks.iter().map(|run| run.last_look());
        let looks = looks.map(|look| match process.is_stopped() {
            // It was seen before the stop, and says nothing of now.
            true => Looked { seen: None, ..look },
            false => look,
        });
        looks.collect()
    }

    fn last_lines(&self, target: TargetName) -> Boxed<'_, Option<String>> {
        let monitored = self.core.get(&target);
        Box::pin(async move {
            let monitored = monitored?;
            let spec = Arc::clone(&monitored.lock().spec);
            self.core.probe.last_lines(spec).await
        })
    }

    fn end_of_log(&self, target: TargetName) -> Boxed<'_, Option<LogEnd>> {
        let monitored = self.core.get(&target);
        Box::pin(async move {
            let monitored = monitored?;
            let spec = Arc::clone(&monitored.lock().spec);
            self.core.probe.end_of_log(spec).await
        })
    }

    fn handler_acted(&self, target: &TargetName) {
        if let Some(monitored) = self.core.get(target) {
            let mut state = monitored.lock();
            let changes = state.health.handler_acted();
            self.core.publish(&monitored, &mut state, &changes, None);
        }
    }

    fn is_down(&self, target: &TargetName) -> bool {
        let monitored = self.core.get(target);
        monitored.is_some_and(|monitored| {
            let state = monitored.lock();
            state.spec.process.is_some() && state.process == ProcessState::Absent
        })
    }

    fn is_settling(&self, target: &TargetName) -> bool {
        let monitored = self.core.get(target);
        let now = self.core.clock.monotonic();
        monitored.is_some_and(|monitored| monitored.lock().health.is_settling(now))
    }

    fn is_failing(&self, target: &TargetName, failure: &FailureType) -> bool {
        let monitored = self.core.get(target);
        monitored.is_some_and(|monitored| monitored.lock().health.is_failing(failure))
            || self.core.is_reported(target, failure)
    }

    fn is_reported(&self, target: &TargetName, failure: &FailureType) -> bool {
        self.core.is_reported(target, failure)
    }

    fn health(&self, target: &TargetName) -> Option<(Health, CircuitState)> {
        let monitored = self.core.get(target)?;
        let state = monitored.lock();
        let health = match self.core.has_report(target) {
            true => Health::Failed,
            false => state.health.health(),
        };
        Some((health, state.health.circuit()))
    }

    fn health_of_all(&self, spec: &Spec) -> Vec<(Health, CircuitState)> {
        // Not while the state of a target is locked, under which this is locked elsewhere.
        let reported = self.core.all_reported();
        {
            let targets = self.core.targets.read();
            if targets.len() == spec.targets.len() {
                // To find each by its name costs as much as to look at a file.
                let each = targets.values().map(|monitored| {
                    let state = monitored.lock();
                    let health = match reported.contains(&state.spec.name) {
                        true => Health::Failed,
                        false => state.health.health(),
                    };
                    (health, state.health.circuit())
                });
                return each.collect();
            }
        }
        // Another config is being applied.
        self.health_by_name(spec)
    }

    fn unseen(&self, target: &TargetName) -> Option<Unseen> {
        self.core.blindness.lock().of(target)
    }

    fn heartbeat(&self, target: &TargetName) -> bool {
        let Some(monitored) = self.core.get(target) else {
            return false;
        };
        let mut state = monitored.lock();
        state.last_beat = self.core.heard();
        state
            .checks
            .iter()
            .any(|run| run.spec.kind == CheckKind::Heartbeat)
    }
}

impl ProcessWatch for Monitor {
    fn process_changed(&self, target: &TargetName, news: ProcessUpdate) {
        // Held until it is applied, so that a target which becomes known meanwhile gets the newest.
        let mut kept = self.core.news.lock();
        kept.insert(target.clone(), news.clone());
        if let Some(monitored) = self.core.get(target) {
            self.core.apply_process_update(&monitored, news);
        }
        self.core.changed.note(target);
    }

    fn has_ended(&self, target: &TargetName) -> Boxed<'_, ()> {
        let monitored = self.core.get(target);
        Box::pin(async move {
            let Some(monitored) = monitored else { return };
            let spec = Arc::clone(&monitored.lock().spec);
            let written = self.core.probe.last_lines(spec);
            let written = tokio::time::timeout(EVIDENCE_WITHIN, written).await;
            monitored.lock().last_lines = written.ok().flatten();
        })
    }

    fn row_changed(&self, target: &TargetName) {
        self.core.changed.note(target);
    }
}

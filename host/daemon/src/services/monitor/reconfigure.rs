//! Another config: what of it is new, and what is gone.
//!
//! Invariant: a target that stays as it is costs a comparison, and nothing of it is touched.

use super::{
    Core,
    target::{CheckRun, MonitoredTarget},
};
use mainstay_domain::spec::Spec;
use std::sync::Arc;

impl Core {
    /// Takes up another config; a check that stays as it is keeps its counts and its place in the schedule.
    pub(super) fn reconfigure(&self, spec: &Spec) {
        let heard = self.heard();
        // Held throughout, and always taken first: an update that comes meanwhile is applied after the config.
        let mut news = self.news.lock();
        let mut targets = self.targets.write();
        for target in &spec.targets {
            match targets.get(&target.name) {
                Some(monitored) => {
                    let mut state = monitored.lock();
                    if *state.spec == *target {
                        continue;
                    }
                    let news = news.get(&target.name);
                    let process = news.and_then(|news| self.last_process_state(&state, news));
                    let changes = state.reconfigure(target, process.as_ref(), &self.numbers, heard);
                    self.forget_unseen(&target.name);
                    self.publish(monitored, &mut state, &changes, process.as_ref());
                    drop(state);
                    self.fresh.lock().push(Arc::clone(monitored));
                }
                None => {
                    let monitored = Arc::new(MonitoredTarget::new(target, &self.numbers, heard));
                    // Of a process that a target of this name had before, a foreign service knows nothing.
                    let news = news.get(&target.name).filter(|_| target.process.is_some());
                    if let Some(news) = news {
                        self.apply_process_update(&monitored, news.clone());
                    }
                    self.fresh.lock().push(Arc::clone(&monitored));
                    targets.insert(target.name.clone(), monitored);
                }
            }
            self.changed.note(&target.name);
        }
        targets.retain(|name, monitored| {
            let is_named = spec.target(name).is_some();
            if !is_named {
                let mut state = monitored.lock();
                let changes = state.retire();
                self.forget_unseen(name);
                self.publish(monitored, &mut state, &changes, None);
                news.remove(name);
                self.reported.lock().remove(name);
            }
            is_named
        });
    }

    /// The checks that are to be put into the schedule, of those targets only that have new ones. One whose process was
    /// not told of yet comes again when it is.
    pub(super) fn unscheduled(&self) -> Vec<(Arc<MonitoredTarget>, Arc<CheckRun>)> {
        let fresh = std::mem::take(&mut *self.fresh.lock());
        let mut found = Vec::new();
        for monitored in fresh {
            let state = monitored.lock();
            if state.process.is_awaited() {
                continue;
            }
            for run in state.checks.iter().filter(|run| run.claim_timer()) {
                found.push((Arc::clone(&monitored), Arc::clone(run)));
            }
        }
        found
    }
}

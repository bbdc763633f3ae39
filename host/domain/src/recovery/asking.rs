//! What can be asked of the machine between two inputs.

use super::{Case, CaseKey, Recovery};
use crate::{
    name::{PluginName, TargetName},
    time::Monotonic,
};
use std::collections::BTreeSet;

impl Recovery {
    /// When [`Input::Tick`](super::Input::Tick) is due next; none where only another input can change anything.
    pub fn wakes_at(&self) -> Option<Monotonic> {
        let timer = self.timers.first().map(|(due, _)| *due);
        let queued = self.queue.next_due().filter(|_| !self.stopping);
        let calm = self.calming.first().map(|(due, _)| *due);
        let objective = self.objectives.first().map(|(due, _)| *due);
        let objective = objective.filter(|_| !self.stopping);
        let pause = self.next_pause();
        let gate = self.gate_opens().filter(|_| !self.stopping);
        let all = [timer, queued, calm, objective, pause, gate];
        all.into_iter().flatten().min()
    }

    /// Every case, in no order.
    pub fn cases(&self) -> impl Iterator<Item = (&CaseKey, &Case)> {
        self.cases.iter().map(|(key, case)| (key, &**case))
    }

    /// Whether the host, or a target, is paused.
    pub fn is_paused(&self, target: Option<&TargetName>) -> bool {
        target.map_or(self.paused_host, |target| {
            self.paused_targets.contains(target)
        })
    }

    /// Who is paused.
    pub fn paused_targets(&self) -> &BTreeSet<TargetName> {
        &self.paused_targets
    }

    /// Missing handlers that some operation waits for.
    pub fn missing(&self) -> Vec<PluginName> {
        self.missing.keys().cloned().collect()
    }

    /// Calls that nobody has answered; looks at every case.
    pub fn calls(&self) -> usize {
        let calling = self.cases().filter(|(_, case)| case.is_calling());
        calling.count() + self.dry_runs.len()
    }
}

//! Bounds of memory and CPU time that a target's process has not.

use super::{Core, target::SupervisedTarget};
use mainstay_domain::spec::ProcessSpec;

impl Core {
    /// Tells, once and not at each start, that the bounds of a process which was just started do not hold.
    pub(super) fn tell_unbounded(&self, supervised: &SupervisedTarget, process: &ProcessSpec) {
        let why = self.ports.processes.unbounded(&supervised.name);
        let is_news = supervised.becomes_unbounded(why.is_some());
        let Some(why) = why.filter(|_| is_news) else {
            return;
        };
        let keys = match (process.memory_max, process.cpu_max) {
            (Some(_), None) => "`memory_max` is",
            (None, Some(_)) => "`cpu_max` is",
            _ => "`memory_max` and `cpu_max` are",
        };
        let name = &supervised.name;
        self.warn(supervised, format!("{name}: {keys} not enforced: {why}"));
    }
}

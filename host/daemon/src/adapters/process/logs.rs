//! The logs of targets, as the supervisor asks for them.

use super::{HostProcesses, log, log_keeper::Bound, output::FileId};
use crate::ports::ProcessError;
use mainstay_domain::{name::TargetName, record::ProcessIdentity, spec::ProcessSpec};

impl HostProcesses {
    /// Keeps the log of a process that runs, and rotates it where it is too long.
    pub(super) fn look_at_log(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        process: &ProcessIdentity,
    ) -> impl Future<Output = Result<(), ProcessError>> + Send + use<> {
        let path = log::path(&self.logs, target);
        // That of a child which an earlier daemon started is kept from here on.
        let output = process.output.map(FileId::recorded);
        let bound = Bound::of(spec);
        let is_kept = self.keeper.keep(path.clone(), bound, process.pid, output);
        let (max_bytes, keep) = (spec.log_max_bytes, spec.log_keep);
        log::rotate_if_long(self.rotations.clone(), path, max_bytes, keep, is_kept)
    }

    /// Of a target that is gone.
    pub(super) fn forget_log(&self, target: &TargetName) {
        let path = log::path(&self.logs, target);
        self.rotations.forget(&path);
        self.keeper.lost(&path, None);
    }
}

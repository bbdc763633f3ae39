//! A target that gets another name while its process runs: the log goes with it, and what carries the old name in its mark
//! is the new one's.

use super::{HostProcesses, log, log_keeper::Bound, output, prepare::account_of};
use crate::ports::ProcessError;
use mainstay_domain::{name::TargetName, record::ProcessIdentity, spec::ProcessSpec};
use std::{io, path::PathBuf};

impl HostProcesses {
    /// Has what belongs to a process go by the name `to`. Where this fails nothing has changed.
    pub(super) async fn give_name(
        &self,
        process: ProcessIdentity,
        from: TargetName,
        to: TargetName,
        spec: ProcessSpec,
    ) -> Result<(), ProcessError> {
        let pid = process.pid;
        let [old, new] = [&from, &to].map(|target| log::path(&self.logs, target));
        if let Some(account) = account_of(&spec)? {
            self.leftovers.run_as([(to.clone(), account.uid.as_raw())]);
        }
        // A daemon that was killed may have done this, and not written down why.
        if !output::is_output_of(pid, &self.logs, &to, self.marks.written()) {
            self.rename_log(old, new.clone()).await?;
        }
        let output = process.output.map(output::FileId::recorded);
        let is_kept = self.keeper.keep(new, Bound::of(&spec), pid, output);
        // Where it breaks off, the supervisor's own look asks for it in some seconds.
        let _ = tokio::task::spawn_blocking(is_kept).await;
        Ok(())
    }

    /// While no rotation has either file in hand.
    async fn rename_log(&self, from: PathBuf, to: PathBuf) -> Result<(), ProcessError> {
        let renamed = match (
            log::begin_soon(&self.rotations, &from).await,
            log::begin_soon(&self.rotations, &to).await,
        ) {
            (Some(_from), Some(_to)) => self.keeper.rename(from.clone(), to).await,
            _ => Err(io::Error::other("it is being rotated")),
        };
        renamed.map_err(|source| ProcessError::RenameLog { path: from, source })
    }

    /// From here on all that carries the mark of this process is the target's.
    pub(super) fn alias(&self, target: &TargetName, identity: &ProcessIdentity) {
        let marked_as = identity.marked_as.as_ref().unwrap_or(target);
        let start = (identity.started_at, identity.restarts);
        self.marks.aliases().set(marked_as, start, target);
        self.leftovers.started(target);
    }
}

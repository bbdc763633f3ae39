//! Processes of this machine: started, found again, waited for, ended.
//!
//! Invariant: a child does not depend on the daemon's life. It has its own process group, writes its output straight
//! into its log file, and has no parent-death signal, so a killed daemon leaves its children as they are.
//! Invariant: no child can be lost. Each carries a mark (`mark`) by which the next daemon finds it even where the one
//! before was killed between starting it and writing that down.
//! Invariant: a process is named by its number *and* its start time and boot, so a later process that got the same
//! number is never signalled, waited for or taken for the earlier one.
//! Invariant: when a group leader ends, the rest of its group is killed before the leader is reaped, and before a start
//! and after a stop all that carries the target's mark is ended. So a new copy never meets an old process that holds its
//! port. But the first process of a program that forks (`pid_file`) leaves the service behind when it exits with code 0.
//!
//! A child has its own process group for signals. It has no own session: its standard streams are files, so the
//! terminal cannot reach it, and `setsid` would force `fork` where `posix_spawn` does (`Change` in `launch`).

mod account;
mod alias;
mod batch;
mod before_start;
mod boot;
pub(crate) mod carriers;
mod child;
mod control_groups;
mod env_file;
pub(crate) mod environ;
mod launch;
mod leftovers;
mod log;
mod log_keeper;
mod logs;
mod mark;
pub(crate) mod oom;
mod open;
mod output;
mod prepare;
mod renaming;
mod signal;
mod start;
pub(crate) mod stat;
mod stop;

pub use account::{LocalAccounts, is_account};

#[cfg(test)]
mod tests;

pub(super) use launch::run_as;
pub(super) use log::{log_of, rotated_of};
pub(super) use signal::kill_exactly;

use super::{environment::ChildEnvironment, program::Starts};
use crate::ports::{Boxed, Clock, Exit, NamedProcess, ProcessError, Processes, Secrets};
use child::Children;
use control_groups::ControlGroups;
use leftovers::Leftovers;
use log::Rotations;
use log_keeper::LogKeeper;
use mainstay_domain::{
    effect::Signal, name::TargetName, record::ProcessIdentity, spec::ProcessSpec,
};
use mark::Marks;
use output::FileId;
use parking_lot::Mutex;
use start::Starting;
use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::Duration};

/// The processes of this machine, as one daemon sees them.
pub struct HostProcesses {
    logs: PathBuf,
    rotations: Rotations,
    keeper: LogKeeper,
    marks: Marks,
    leftovers: Arc<Leftovers>,
    groups: ControlGroups,
    /// Why the bounds of targets cannot be had.
    unbounded: Mutex<HashMap<TargetName, String>>,
    boot_id: String,
    children: Arc<Children>,
    starting: Starting,
    before_starts: Starts,
    secrets: Arc<dyn Secrets>,
    environment: Arc<ChildEnvironment>,
    clock: Arc<dyn Clock>,
}

/// Why processes cannot be supervised here.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}")]
pub struct ProcessesError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl HostProcesses {
    /// Looks at once whether logs were moved or deleted, and opens those anew.
    pub fn reopen_logs(&self) {
        self.keeper.look_at_all();
    }
}

impl Processes for HostProcesses {
    fn spawn(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>> {
        Box::pin(self.start(target.clone(), spec.clone(), restarts))
    }

    fn start_ended(&self, target: &TargetName) -> Boxed<'_, ()> {
        Box::pin(self.starting.ended(target.clone()))
    }

    fn find(
        &self,
        users: Vec<(TargetName, String)>,
    ) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>> {
        Box::pin(
            self.leftovers
                .find(users, self.boot_id.clone(), self.clock.now()),
        )
    }

    fn marked(
        &self,
        target: &TargetName,
        named: NamedProcess,
    ) -> Boxed<'_, Option<ProcessIdentity>> {
        let target = target.clone();
        Box::pin(async move {
            loop {
                let now = self.clock.now();
                match self.marks.named(&target, named, &self.boot_id, now) {
                    Ok(marked) => return marked,
                    Err(error) => leftovers::wait_out(&error).await,
                }
            }
        })
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn age(&self, identity: &ProcessIdentity) -> Option<Duration> {
        (identity.boot_id == self.boot_id).then(|| stat::age_of(identity.start_ticks))
    }

    fn is_alive(&self, identity: &ProcessIdentity) -> bool {
        match self.children.stat(identity) {
            Ok(stat) => stat.is_some_and(|stat| !stat.has_ended()),
            // Taken for dead by mistake, it would get a second copy.
            Err(_) => true,
        }
    }

    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit> {
        let forget_log = self.keeper.at_end_of(identity.pid);
        let ended = Arc::clone(&self.children).wait(identity);
        Box::pin(async move {
            let exit = ended.await;
            forget_log();
            exit
        })
    }

    fn signal(&self, identity: &ProcessIdentity, signal: Signal) -> Result<(), ProcessError> {
        signal::deliver(&self.children, identity, signal)
    }

    fn signal_alone(&self, identity: &ProcessIdentity, signal: Signal) -> Result<(), ProcessError> {
        signal::deliver_alone(&self.children, identity, signal)
    }

    fn stop(
        &self,
        identity: ProcessIdentity,
        signal: Signal,
        grace: Duration,
    ) -> Boxed<'static, Exit> {
        let children = Arc::clone(&self.children);
        Box::pin(stop::end(children, identity, signal, grace))
    }

    fn look_for_rest(&self, target: &TargetName) {
        self.leftovers.look_ahead(target);
    }

    fn end_rest(&self, target: &TargetName) -> Boxed<'_, Result<(), ProcessError>> {
        let target = target.clone();
        Box::pin(async move {
            if self.starting.has(&target) {
                return Err(ProcessError::StartHangs);
            }
            self.leftovers.end_all(&target).await?;
            self.groups.remove(&target);
            self.keeper.unwritten(log::path(&self.logs, &target));
            Ok(())
        })
    }

    fn forget(&self, target: &TargetName) {
        self.leftovers.forget(target);
        self.forget_log(target);
    }

    fn mark_of(&self, target: &TargetName, process: &ProcessIdentity) -> Option<(String, String)> {
        let marked_as = process.marked_as.as_ref().unwrap_or(target);
        let text = self
            .marks
            .text(marked_as, process.started_at, process.restarts);
        Some((mark::VARIABLE.to_owned(), text))
    }

    fn oom_kills(&self) -> Option<u64> {
        oom::kills()
    }

    fn oom_kills_of(&self, target: &TargetName) -> Option<u64> {
        self.groups.oom_kills(target)
    }

    fn unbounded(&self, target: &TargetName) -> Option<String> {
        self.unbounded.lock().get(target).cloned()
    }

    fn rotate(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        process: &ProcessIdentity,
    ) -> Boxed<'_, Result<(), ProcessError>> {
        Box::pin(self.look_at_log(target, spec, process))
    }

    fn rename(
        &self,
        identity: &ProcessIdentity,
        from: &TargetName,
        to: &TargetName,
        spec: &ProcessSpec,
    ) -> Boxed<'_, Result<(), ProcessError>> {
        Box::pin(self.give_name(identity.clone(), from.clone(), to.clone(), spec.clone()))
    }

    fn carries_mark(&self, target: &TargetName, identity: &ProcessIdentity) {
        self.alias(target, identity);
    }

    fn writes_to(&self, target: &TargetName, identity: &ProcessIdentity) {
        let output = identity.output.map(FileId::recorded);
        let log = log::path(&self.logs, target);
        self.marks.written().know(&log, output);
    }

    fn moved_log(&self, target: &TargetName) -> Option<String> {
        self.keeper.tell_moved(&log::path(&self.logs, target))
    }
}

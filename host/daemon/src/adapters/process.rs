//! Processes of this machine: started, found again, waited for, ended.
//!
//! Invariant: a child does not depend on the daemon's life. It has its own process group, writes its output straight
//! into its log file, and has no parent-death signal, so a killed daemon leaves its children as they are.
//! Invariant: no child can be lost. Each carries a mark (`mark`) by which the next daemon finds it even where the one
//! before was killed between starting it and writing that down.
//! Invariant: a process is named by its number *and* its start time and boot, so a later process that got the same
//! number is never signalled, waited for or taken for the earlier one.
//! Invariant: when a group leader ends, the rest of its group is killed before the leader is reaped. So a new copy
//! never meets an old process that holds its port. But the first process of a program that forks (`pid_file`) leaves the
//! service behind when it exits with code 0.
//!
//! A child has its own process group for signals. It has no own session: its standard streams are files, so the
//! terminal cannot reach it, and `setsid` would force `fork` where `posix_spawn` does (none of `user`, `umask`, `nice`
//! and `nofile` is set).

mod account;
mod batch;
mod before_start;
mod child;
mod env_file;
mod launch;
mod log;
mod mark;
mod oom;
mod signal;
pub(crate) mod stat;

pub use account::LocalAccounts;

#[cfg(test)]
mod tests;

pub(super) use launch::run_as;

use super::environment::ChildEnvironment;
use crate::ports::{Boxed, Clock, Exit, ProcessError, Processes, Secrets};
use child::Children;
use launch::Launch;
use log::Rotations;
use mainstay_domain::{
    effect::Signal, name::TargetName, record::ProcessIdentity, spec::ProcessSpec,
};
use mark::Marks;
use signal::{number, send, send_to};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// Children started at a time. Starts use threads of the shared pool, and a few thousand starts must not keep others
/// waiting.
const STARTS: usize = 64;

/// Where the output of a target's supervised process goes.
pub(super) fn log_of(state_dir: &Path, target: &TargetName) -> PathBuf {
    log::path(&state_dir.join("logs"), target)
}

/// The processes of this machine, as one daemon sees them.
pub struct HostProcesses {
    logs: PathBuf,
    rotations: Rotations,
    marks: Marks,
    boot_id: String,
    children: Arc<Children>,
    starts: Arc<Semaphore>,
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
    /// Keeps logs in `state_dir/logs`, which is made where it is not there, and marks children as those of `state_dir`.
    pub fn new(
        state_dir: &Path,
        secrets: Arc<dyn Secrets>,
        environment: Arc<ChildEnvironment>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProcessesError> {
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| ProcessesError {
                operation,
                path,
                source,
            }
        };
        let logs = state_dir.join("logs");
        log::make_directory(&logs).map_err(failed("make the directory", &logs))?;
        let logs = logs
            .canonicalize()
            .map_err(failed("resolve the directory", &logs))?;
        let boot_file = Path::new("/proc/sys/kernel/random/boot_id");
        let boot_id = std::fs::read_to_string(boot_file)
            .map_err(failed("read", boot_file))?
            .trim()
            .to_owned();
        let marks = Marks::new(&logs);
        Ok(Self {
            children: Arc::new(Children::new(boot_id.clone(), marks.clone())),
            starts: Arc::new(Semaphore::new(STARTS)),
            logs,
            rotations: Rotations::default(),
            marks,
            boot_id,
            secrets,
            environment,
            clock,
        })
    }

    fn prepare(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
    ) -> Result<(Launch, ProcessIdentity), ProcessError> {
        let started_at = self.clock.now();
        let found = |user: &str| {
            account::find(user).map_err(|why| ProcessError::Account {
                user: user.to_owned(),
                why,
            })
        };
        let account = spec.user.as_deref().map(found).transpose()?;
        let mut env = Vec::with_capacity(spec.env.len() + 1);
        for (name, value) in &spec.env {
            env.push((name.clone(), self.secrets.reveal(value)?));
        }
        env.push((
            mark::VARIABLE.to_owned(),
            self.marks.text(target, started_at, restarts),
        ));
        let launch = Launch {
            run: spec.run.clone(),
            cwd: spec.cwd.clone(),
            environment: Arc::clone(&self.environment),
            env_file: spec.env_file.clone(),
            env,
            account,
            umask: spec.umask,
            nice: spec.nice,
            nofile: spec.nofile,
            log: log::path(&self.logs, target),
            rotations: self.rotations.clone(),
            log_max_bytes: spec.log_max_bytes,
            log_keep: spec.log_keep,
        };
        let identity = ProcessIdentity {
            pid: 0,
            start_ticks: 0,
            boot_id: self.boot_id.clone(),
            started_at,
            restarts,
            config: None,
            ended: None,
            completed: false,
        };
        Ok((launch, identity))
    }
}

impl Processes for HostProcesses {
    fn spawn(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
    ) -> Boxed<'_, Result<ProcessIdentity, ProcessError>> {
        let (target, spec) = (target.clone(), spec.clone());
        Box::pin(async move {
            if let Some(before) = spec.before_start.clone() {
                let (launch, _) = self.prepare(&target, &spec, restarts)?;
                before_start::run(launch, before, self.secrets.as_ref()).await?;
            }
            let turn = Arc::clone(&self.starts).acquire_owned().await;
            let turn = turn.map_err(|error| ProcessError::Interrupted(error.to_string()))?;
            // Not before its turn has come, so that its start time is when it starts.
            let (launch, identity) = self.prepare(&target, &spec, restarts)?;
            let start = move || {
                let _turn = turn;
                launch.start()
            };
            let started = tokio::task::spawn_blocking(start).await;
            let (pid, start_ticks) =
                started.map_err(|error| ProcessError::Interrupted(error.to_string()))??;
            if spec.pid_file.is_some() {
                self.children.forks(pid, start_ticks);
            }
            Ok(ProcessIdentity {
                pid,
                start_ticks,
                ..identity
            })
        })
    }

    fn find(
        &self,
        users: Vec<(TargetName, String)>,
    ) -> Boxed<'_, Vec<(TargetName, ProcessIdentity)>> {
        let (marks, boot_id, now) = (self.marks.clone(), self.boot_id.clone(), self.clock.now());
        Box::pin(async move {
            let scan = tokio::task::spawn_blocking(move || {
                // Many targets share few users, and each is read from files.
                let mut known: HashMap<String, Option<u32>> = HashMap::new();
                let uids = users.into_iter().filter_map(|(target, user)| {
                    let find = |user: &String| Some(account::find(user).ok()?.uid.as_raw());
                    // Without an account it cannot have been started under it either.
                    let uid = *known.entry(user).or_insert_with_key(find);
                    Some((target, uid?))
                });
                marks.leaders(&boot_id, now, &uids.collect())
            });
            scan.await.unwrap_or_default()
        })
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn is_alive(&self, identity: &ProcessIdentity) -> bool {
        match self.children.stat(identity) {
            Ok(stat) => stat.is_some_and(|stat| !stat.has_ended()),
            // Taken for dead by mistake, it would get a second copy.
            Err(_) => true,
        }
    }

    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit> {
        Box::pin(Arc::clone(&self.children).wait(identity))
    }

    fn signal(&self, identity: &ProcessIdentity, signal: Signal) -> Result<(), ProcessError> {
        let pid = identity.pid;
        let stat = self.children.stat(identity);
        let stat = stat.map_err(|source| ProcessError::Unseen { pid, source })?;
        let Some(stat) = stat.filter(|stat| !stat.has_ended()) else {
            return Ok(());
        };
        let sent = send_to(identity, stat.group, number(signal));
        sent.map_err(|source| ProcessError::Signal { pid, source })
    }

    fn stop(
        &self,
        identity: ProcessIdentity,
        signal: Signal,
        grace: Duration,
    ) -> Boxed<'static, Exit> {
        let children = Arc::clone(&self.children);
        Box::pin(async move {
            // An error must not keep the signal back, nor may the signal go to another that has the number by now.
            let stat = children.wait_for_stat(&identity).await;
            if let Some(stat) = stat.filter(|stat| !stat.has_ended()) {
                // A stopped process acts on it only once it is continued. Errors show as a process that lives on.
                let _ = send_to(&identity, stat.group, number(signal));
                let _ = send_to(&identity, stat.group, rustix::process::Signal::CONT);
            }
            let ended = Arc::clone(&children).wait(identity.clone());
            if let Ok(exit) = tokio::time::timeout(grace, ended).await {
                return exit;
            }
            if let Some(stat) = children.wait_for_stat(&identity).await {
                let _ = send_to(&identity, stat.group, rustix::process::Signal::KILL);
            }
            children.wait(identity).await
        })
    }

    fn oom_kills(&self) -> Option<u64> {
        oom::kills()
    }

    fn rotate(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
    ) -> Boxed<'_, Result<(), ProcessError>> {
        let path = log::path(&self.logs, target);
        let (max_bytes, keep) = (spec.log_max_bytes, spec.log_keep);
        // Held to the end of its thread: with a disk that is slow, or hangs, the next turn comes before this one ends.
        let rotation = self.rotations.begin(&path);
        Box::pin(async move {
            let Some(rotation) = rotation else {
                return Ok(());
            };
            let rotated = tokio::task::spawn_blocking(move || rotation.run(max_bytes, keep)).await;
            let rotated = rotated.unwrap_or_else(|error| Err(io::Error::other(error)));
            rotated.map_err(|source| ProcessError::Rotate { path, source })
        })
    }
}

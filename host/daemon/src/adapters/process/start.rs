//! The start of a target's process, from what runs before it to its number.
//!
//! Invariant: a start that hangs, on a file system that does not answer say, is given up after [`PATIENCE`]. Until it has
//! ended it may still make a process: so long nothing else of its target is started, and what it makes is killed.

use super::{
    HostProcesses, before_start, child::Children, launch::Launched, log, log_keeper::Bound,
    output::FileId, stop,
};
use crate::{
    adapters::threads::Threads,
    ports::{Exit, ProcessError, Processes},
};
use mainstay_domain::{
    effect::Signal, name::TargetName, record::ProcessIdentity, spec::ProcessSpec,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot, watch},
};

/// Children started at a time: a few thousand starts must not take a few thousand threads. One that hangs gives its place
/// back when it is given up, and keeps its thread.
const STARTS: usize = 64;
/// Threads for starts, those that hang among them.
const THREADS: usize = 1024;
/// How long a start may last, without what runs before it: usually it takes some milliseconds, and longer where a long log
/// is rotated on a slow disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// The starts that have not ended.
pub(super) struct Starting {
    places: Semaphore,
    threads: Threads,
    targets: Arc<watch::Sender<HashSet<TargetName>>>,
    /// [`PATIENCE`], and less in tests.
    pub(super) patience: Duration,
    /// Starts that wait until the other end of this is gone, as on a file system that does not answer.
    #[cfg(test)]
    pub(super) hung: parking_lot::Mutex<Hung>,
}

#[cfg(test)]
pub(super) type Hung = std::collections::HashMap<TargetName, std::sync::mpsc::Receiver<()>>;

/// One start, until it has ended: where it was given up, until what it made has.
struct Start {
    target: TargetName,
    targets: Arc<watch::Sender<HashSet<TargetName>>>,
}

impl Drop for Start {
    fn drop(&mut self) {
        self.targets.send_modify(|targets| {
            targets.remove(&self.target);
        });
    }
}

impl Starting {
    pub(super) fn new() -> Self {
        Self {
            places: Semaphore::new(STARTS),
            threads: Threads::new("starts", THREADS),
            targets: Arc::new(watch::Sender::new(HashSet::new())),
            patience: PATIENCE,
            #[cfg(test)]
            hung: parking_lot::Mutex::default(),
        }
    }

    /// Whether a start of this target has not ended. Who asks holds its turn, so that it is one that was given up.
    pub(super) fn has(&self, target: &TargetName) -> bool {
        self.targets.borrow().contains(target)
    }

    /// Resolves when there is none.
    pub(super) async fn ended(&self, target: TargetName) {
        let mut targets = self.targets.subscribe();
        // It only fails where this is gone.
        let _ = targets.wait_for(|targets| !targets.contains(&target)).await;
    }

    fn begin(&self, target: &TargetName) -> Result<Start, ProcessError> {
        let mut is_first = false;
        self.targets.send_if_modified(|targets| {
            is_first = targets.insert(target.clone());
            false
        });
        match is_first {
            true => Ok(Start {
                target: target.clone(),
                targets: Arc::clone(&self.targets),
            }),
            false => Err(ProcessError::StartHangs),
        }
    }
}

impl HostProcesses {
    /// See [`Processes::spawn`].
    pub(super) async fn start(
        &self,
        target: TargetName,
        spec: ProcessSpec,
        restarts: u32,
    ) -> Result<ProcessIdentity, ProcessError> {
        self.end_rest(&target).await?;
        let preface = match spec.before_start.clone() {
            Some(before) => {
                let (launch, _) = self.prepare(&target, &spec, restarts)?;
                let secrets = self.secrets.as_ref();
                let ran = before_start::run(launch, before, secrets, &self.before_starts).await;
                match ran {
                    Ok(printed) => printed,
                    Err(failed) => {
                        self.keep_printed(&target, &spec, restarts, failed.printed)
                            .await;
                        return Err(failed.why);
                    }
                }
            }
            None => Vec::new(),
        };
        let interrupted = ProcessError::Interrupted;
        let turn = self.starting.places.acquire().await;
        let _turn = turn.map_err(|error| interrupted(error.to_string()))?;
        // Not before its turn has come, so that its start time is when it starts.
        let (mut launch, identity) = self.prepare(&target, &spec, restarts)?;
        launch.preface = preface;
        let start = self.starting.begin(&target)?;
        self.leftovers.started(&target);
        let (sender, mut started) = oneshot::channel();
        let (runtime, children) = (Handle::current(), Arc::clone(&self.children));
        let made = identity.clone();
        #[cfg(test)]
        let hung = self.starting.hung.lock().remove(&target);
        let job = move || {
            if sender.is_closed() {
                return;
            }
            #[cfg(test)]
            if let Some(hung) = hung {
                let _ = hung.recv();
            }
            // With what keeps others back, which goes when this is received.
            let Err((Ok(launched), start)) = sender.send((launch.start(), start)) else {
                return;
            };
            let late = ProcessIdentity {
                pid: launched.pid,
                start_ticks: launched.start_ticks,
                ..made
            };
            runtime.spawn(end_late(children, late, start));
        };
        let begun = self.starting.threads.run(job);
        begun.map_err(|error| interrupted(format!("no thread can be started: {error}")))?;
        let received = tokio::time::timeout(self.starting.patience, &mut started).await;
        let (ended, _start) = match received {
            Ok(received) => received.map_err(|error| interrupted(error.to_string()))?,
            Err(_) => {
                // From here on it is late; it may have come just before.
                started.close();
                started.try_recv().map_err(|_| ProcessError::StartHangs)?
            }
        };
        let Launched {
            pid,
            start_ticks,
            output,
            lost,
        } = ended?;
        self.see_group(&target, &spec, pid);
        if spec.pid_file.is_some() {
            self.children.forks(pid, start_ticks);
        }
        let path = log::path(&self.logs, &target);
        self.keeper.lost(&path, lost);
        // Of a program that forks another process is to be named as the one that writes.
        let writer = spec.pid_file.is_none().then_some(pid);
        self.keeper.started(path, Bound::of(&spec), writer, output);
        Ok(ProcessIdentity {
            pid,
            start_ticks,
            output: output.and_then(FileId::record),
            ..identity
        })
    }

    /// What ran before a start and failed has printed something: that goes into the target's log all the same.
    async fn keep_printed(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
        printed: Vec<u8>,
    ) {
        if printed.is_empty() {
            return;
        }
        let Ok((mut launch, _)) = self.prepare(target, spec, restarts) else {
            return;
        };
        launch.preface = printed;
        let (sender, written) = oneshot::channel();
        let job = move || {
            if let Err(error) = launch.open_log() {
                tracing::warn!(%error, "the output of `before_start` is lost");
            }
            let _ = sender.send(());
        };
        if self.starting.threads.run(job).is_ok() {
            // Where its file system hangs nobody waits for it.
            let _ = tokio::time::timeout(self.starting.patience, written).await;
        }
    }
}

/// Ends what a start has made that was given up before.
async fn end_late(children: Arc<Children>, late: ProcessIdentity, start: Start) {
    let (pid, target) = (late.pid, &start.target);
    tracing::warn!(pid, target_name = %target, "a start that hung has ended at last, and what it started is killed");
    let ended = stop::end(
        Arc::clone(&children),
        late.clone(),
        Signal::Kill,
        Duration::ZERO,
    );
    if let Exit::Unended { .. } = ended.await {
        children.wait(late).await;
    }
    drop(start);
}

//! Waiting for the end of processes by pidfd: an event, never a poll; for own children and for adopted ones alike.
//!
//! Invariant: whoever waits for the same process gets the same answer, and one of them reaps it.
//! Invariant: an error of the machine (no descriptors left) is waited out; it never looks like the end of a process,
//! for that would lead to a second copy.

use super::{
    batch::Batch,
    mark::Marks,
    signal::send,
    stat::{self, ProcessStat},
};
use crate::ports::Exit;
use mainstay_domain::record::ProcessIdentity;
use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Between two tries where the machine cannot open a pidfd, or look at a process.
const RETRY: Duration = Duration::from_millis(200);

/// Between two looks whether another's child was reaped: nothing tells when it is.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The processes that are waited for.
pub(super) struct Children {
    boot_id: String,
    marks: Marks,
    open: Mutex<Open>,
    /// Leaders whose groups are to be looked through.
    leftovers: Batch<ProcessIdentity>,
}

#[derive(Default)]
struct Open {
    children: HashMap<u32, Arc<Child>>,
    /// The number and the start of those whose end is known; they go when another one comes.
    ended: Vec<(u32, u64)>,
    /// The number and the start of first processes of programs that fork, until they are waited for.
    forking: HashSet<(u32, u64)>,
}

impl Open {
    /// Not by going through all: at each start that would be over every process that lives.
    fn forget_ended(&mut self) {
        for (pid, start_ticks) in self.ended.drain(..) {
            let child = self.children.get(&pid);
            if child.is_some_and(|child| child.identity.start_ticks == start_ticks) {
                self.children.remove(&pid);
            }
        }
    }
}

/// One process that is waited for.
struct Child {
    identity: ProcessIdentity,
    pidfd: AsyncFd<OwnedFd>,
    exit: Mutex<Option<Exit>>,
    /// Whether it leaves the service behind in its group where it exits with code 0.
    forks: bool,
}

impl Children {
    pub(super) fn new(boot_id: String, marks: Marks) -> Self {
        Self {
            boot_id,
            marks,
            open: Mutex::default(),
            leftovers: Batch::default(),
        }
    }

    /// This process, which nobody waits for yet, is the first one of a program that forks.
    pub(super) fn forks(&self, pid: u32, start_ticks: u64) {
        self.open.lock().forking.insert((pid, start_ticks));
    }

    /// What this very process is now, ended or not; none where it was reaped, is of another boot, or where only a thread
    /// has its number.
    pub(super) fn stat(&self, identity: &ProcessIdentity) -> io::Result<Option<ProcessStat>> {
        if identity.boot_id != self.boot_id {
            return Ok(None);
        }
        let is_it = |stat: &ProcessStat| stat.start_ticks == identity.start_ticks;
        match ProcessStat::read(identity.pid)?.filter(is_it) {
            Some(stat) if stat::is_process(identity.pid)? => Ok(Some(stat)),
            _ => Ok(None),
        }
    }

    /// The same, once it can be told.
    pub(super) async fn wait_for_stat(&self, identity: &ProcessIdentity) -> Option<ProcessStat> {
        loop {
            match self.stat(identity) {
                Ok(stat) => return stat,
                Err(error) => {
                    tracing::warn!(pid = identity.pid, %error, "cannot look at a process yet");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Resolves when nothing has its number any more, or another one.
    pub(super) async fn reaped(&self, identity: &ProcessIdentity) {
        while self.wait_for_stat(identity).await.is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Resolves when the process has ended.
    pub(super) async fn wait(self: Arc<Self>, identity: ProcessIdentity) -> Exit {
        loop {
            let ended = match self.child(&identity) {
                Ok(Some(child)) => self.ended(&child).await,
                Ok(None) => {
                    self.end_leftovers(identity).await;
                    return Exit::Unknown;
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(exit) => return exit,
                Err(error) => {
                    tracing::warn!(pid = identity.pid, %error, "cannot wait for a process yet");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn ended(&self, child: &Child) -> io::Result<Exit> {
        let exit = child.ended().await?;
        let ended = (child.identity.pid, child.identity.start_ticks);
        self.open.lock().ended.push(ended);
        Ok(exit)
    }

    /// How many processes are kept.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.open.lock().children.len()
    }

    /// The process with an open pidfd; none where it is not there any more.
    fn child(&self, identity: &ProcessIdentity) -> io::Result<Option<Arc<Child>>> {
        let mut open = self.open.lock();
        if let Some(child) = open.children.get(&identity.pid)
            && child.identity.start_ticks == identity.start_ticks
            && child.identity.boot_id == identity.boot_id
        {
            return Ok(Some(Arc::clone(child)));
        }
        open.forget_ended();
        let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            // Of a thread there is none, which is no matter of time.
            Err(error) => {
                return match self.stat(identity)? {
                    None => Ok(None),
                    Some(_) => Err(error.into()),
                };
            }
        };
        // After opening, not before: the process that has this start time now also had the number then.
        if self.stat(identity)?.is_none() {
            return Ok(None);
        }
        let pidfd = watched(pidfd)?;
        let forks = open.forking.remove(&(identity.pid, identity.start_ticks));
        let child = Arc::new(Child {
            identity: identity.clone(),
            pidfd,
            exit: Mutex::new(None),
            forks,
        });
        open.children.insert(identity.pid, Arc::clone(&child));
        Ok(Some(child))
    }

    /// Kills what is left of the group of a leader that ended while no daemon was there. The number of the group may
    /// belong to others by now, so only processes that also carry the leader's mark are touched.
    async fn end_leftovers(&self, identity: ProcessIdentity) {
        if identity.boot_id == self.boot_id {
            let marks = self.marks.clone();
            let scan = |leaders: Vec<ProcessIdentity>| async move {
                let leaders = Arc::new(leaders);
                loop {
                    let (marks, leaders) = (marks.clone(), Arc::clone(&leaders));
                    let scan = tokio::task::spawn_blocking(move || marks.end_leftovers(&leaders));
                    let Ok(Err(error)) = scan.await else { return };
                    tracing::warn!(%error, "cannot look at all processes yet");
                    tokio::time::sleep(RETRY).await;
                }
            };
            self.leftovers.join(identity, scan).await;
        }
    }
}

#[allow(
    unsafe_code,
    reason = "tokio has no safe way to wait for a descriptor that is no socket and no pipe"
)]
fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and stays the same description until it is dropped, which `AsyncFd`, its only owner
    // from here on, does only after taking it off the reactor; it is never taken out again.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?)
}

impl Child {
    async fn ended(&self) -> io::Result<Exit> {
        // Readiness is never cleared: a process ends once.
        let ready = self.pidfd.readable().await?;
        drop(ready);
        Ok(self.reap())
    }

    /// Whether it is the first process of a program that forks, and has ended well: the rest is the service.
    fn has_forked(&self) -> bool {
        let look = || {
            waitid(
                WaitId::PidFd(self.pidfd.get_ref().as_fd()),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
            )
        };
        self.forks && matches!(look(), Ok(Some(status)) if status.exit_status() == Some(0))
    }

    fn reap(&self) -> Exit {
        let mut exit = self.exit.lock();
        *exit.get_or_insert_with(|| {
            // Before reaping: until then nobody else can have the number of the group.
            if !self.has_forked() {
                let _ = send(&self.identity, rustix::process::Signal::KILL);
            }
            let status = waitid(
                WaitId::PidFd(self.pidfd.get_ref().as_fd()),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            );
            match status {
                Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, Some(signal)) => Exit::Signal(signal),
                    (None, None) => Exit::Unknown,
                },
                // Not our child: who adopted it reaps it.
                Ok(None) | Err(_) => Exit::Unknown,
            }
        })
    }
}

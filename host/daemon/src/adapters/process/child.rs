//! Waiting for the end of processes by pidfd: an event, never a poll; for own children and for adopted ones alike.
//!
//! Invariant: whoever waits for the same process gets the same answer, and one of them reaps it.
//! Invariant: an error of the machine (no descriptors left) is waited out; it never looks like the end of a process,
//! for that would lead to a second copy.
//! Invariant: the group of a process that was reaped elsewhere gets no signal by its number, which may be another's.

use super::{
    batch::Batch,
    mark::Marks,
    signal::send,
    stat::{self, ProcessStat},
};
use crate::ports::Exit;
use mainstay_domain::record::ProcessIdentity;
use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};
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
    reaped: Mutex<Option<Reaped>>,
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
        let Reaped {
            exit,
            number_is_free,
        } = child.ended().await?;
        if number_is_free {
            self.end_leftovers(child.identity.clone()).await;
        }
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
            reaped: Mutex::new(None),
            forks,
        });
        open.children.insert(identity.pid, Arc::clone(&child));
        Ok(Some(child))
    }

    /// Kills what is left of the group of a leader that ended while no daemon was there. The number of the group may
    /// belong to others by now, so only a group is touched in which one carries the leader's mark.
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

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reaped {
    exit: Exit,
    /// Its number may be another's by now, so its group got no signal.
    number_is_free: bool,
}

impl Child {
    async fn ended(&self) -> io::Result<Reaped> {
        // Readiness is never cleared: a process ends once.
        let ready = self.pidfd.readable().await?;
        drop(ready);
        Ok(self.reap())
    }

    fn look(&self, options: WaitIdOptions) -> Option<WaitIdStatus> {
        let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let look = waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), options);
        // Of one that is not our child there is none: who adopted it reaps it.
        look.ok().flatten()
    }

    /// Whether what has its number now is it, though it has ended.
    fn has_its_number(&self) -> bool {
        let stat = ProcessStat::read(self.identity.pid).ok().flatten();
        stat.is_some_and(|stat| stat.start_ticks == self.identity.start_ticks)
    }

    fn reap(&self) -> Reaped {
        let mut reaped = self.reaped.lock();
        *reaped.get_or_insert_with(|| {
            let own = self.look(WaitIdOptions::NOWAIT);
            // The first process of a program that forks, where it has ended well: the rest is the service.
            let has_forked = self.forks
                && own
                    .as_ref()
                    .is_some_and(|status| status.exit_status() == Some(0));
            // Before reaping: until then nobody else can have the number of the group.
            let number_is_free = own.is_none() && !self.has_its_number();
            if !has_forked && !number_is_free {
                let _ = send(&self.identity, rustix::process::Signal::KILL);
            }
            let status = self.look(WaitIdOptions::empty());
            let exit =
                match status.map(|status| (status.exit_status(), status.terminating_signal())) {
                    Some((Some(code), _)) => Exit::Code(code),
                    Some((None, Some(signal))) => Exit::Signal(signal),
                    Some((None, None)) | None => Exit::Unknown,
                };
            Reaped {
                exit,
                number_is_free,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::time::Timestamp;
    use std::{
        os::unix::process::{CommandExt, ExitStatusExt},
        process::Command,
    };

    #[tokio::test]
    async fn a_group_that_has_the_number_of_a_process_that_was_reaped_elsewhere_is_left_alone() {
        let mut gone = Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(gone.id().cast_signed()).unwrap();
        let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK).unwrap();
        gone.wait().unwrap();
        let mut other = Command::new("sleep");
        let mut other = other.arg("1000").process_group(0).spawn().unwrap();
        let stat = ProcessStat::read(other.id()).unwrap().unwrap();
        let child = Child {
            identity: ProcessIdentity {
                pid: other.id(),
                start_ticks: stat.start_ticks - 1,
                boot_id: "boot".to_owned(),
                started_at: Timestamp::from_millis(1),
                restarts: 0,
                config: None,
                ended: None,
                completed: false,
                marked_as: None,
                output: None,
            },
            pidfd: watched(pidfd).unwrap(),
            reaped: Mutex::new(None),
            forks: false,
        };
        let expected = Reaped {
            exit: Exit::Unknown,
            number_is_free: true,
        };
        assert_eq!(child.ended().await.unwrap(), expected);
        // SIGKILL, had it come, would be its end and not this one.
        let pid = Pid::from_raw(other.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(other.wait().unwrap().signal(), Some(15));
    }
}

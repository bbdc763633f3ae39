//! Pid files of services, and the processes that they name.
//!
//! Invariant: a number in a file is a claim, and may be stale. Only a living process gets a signal that is one, in the
//! daemon's own pid namespace, neither the first one nor the daemon, older than the file, and the file's owner may end it.
//! Invariant: signals go through a pidfd that was opened before the process was compared with what was seen, so a later
//! process that got the same number is never met.

use super::process::stat::ProcessStat;
use crate::{
    ports::{Boxed, NamedEnd, NamedProcess, PidFileError, PidFiles},
    regular_file,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    time::{ClockId, clock_gettime},
};
use std::{
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

/// Longer than any number, with room around it.
const MAX_BYTES: u64 = 64;
/// A file system that does not answer must not hold up a recovery.
const LOOK: Duration = Duration::from_secs(5);
/// How long the end of a killed process is awaited: one in uninterruptible sleep may never end.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// `USER_HZ`, in which `/proc` counts, on every machine that the daemon is built for.
const TICKS_PER_SECOND: u64 = 100;
/// Clocks of files and of processes differ by so much.
const SLACK: Duration = Duration::from_secs(2);

/// The pid files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostPidFiles;

impl PidFiles for HostPidFiles {
    fn named(&self, file: PathBuf) -> Boxed<'static, Result<Option<NamedProcess>, PidFileError>> {
        Box::pin(async move {
            let path = file.clone();
            let look = tokio::task::spawn_blocking(move || named(&path));
            let found = match tokio::time::timeout(LOOK, look).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("it was not read within {LOOK:?}")),
            };
            found.map_err(|why| PidFileError { file, why })
        })
    }

    fn end(
        &self,
        process: NamedProcess,
        was_asked: bool,
        grace: Duration,
        file: PathBuf,
    ) -> Boxed<'static, Result<NamedEnd, PidFileError>> {
        Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || end(process, was_asked, grace));
            let ended = work
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)));
            let pid = process.pid;
            let why = match ended {
                Ok(Some(end)) => return Ok(end),
                Ok(None) => {
                    format!("process {pid} did not end within {KILL_GRACE:?} after SIGKILL")
                }
                Err(error) => format!("process {pid} cannot be ended: {error}"),
            };
            Err(PidFileError { file, why })
        })
    }
}

/// Blocks. The error is why what it names must get no signal.
fn named(file: &Path) -> Result<Option<NamedProcess>, String> {
    let (text, written) = match read(file) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let number = first.parse().ok().filter(|&pid: &i32| pid > 0);
    let Some(number) = number.and_then(Pid::from_raw) else {
        let found: String = first.chars().take(20).collect();
        return Err(format!("it holds {found:?}, which is no process number"));
    };
    let pid = number.as_raw_pid().unsigned_abs();
    if pid == 1 || pid == std::process::id() {
        return Err(format!(
            "it names process {pid}, which is the first process or the daemon"
        ));
    }
    match pidfd_open(number, PidfdFlags::empty()) {
        Ok(_) => {}
        Err(Errno::SRCH) => return Ok(None),
        // The number of a thread, as pidfd_open(2) answers, the second since Linux 6.9.
        Err(Errno::INVAL | Errno::NOENT) => {
            return Err(format!("it names {pid}, which is a thread and no process"));
        }
        Err(error) => return Err(format!("process {pid} cannot be looked at: {error}")),
    }
    let unseen = |error: io::Error| format!("process {pid} cannot be looked at: {error}");
    let stat = match ProcessStat::read(pid).map_err(unseen)? {
        Some(stat) if !stat.has_ended() => stat,
        _ => return Ok(None),
    };
    let facts = Facts::read(&pid.to_string());
    let own = Facts::read("self");
    let (Some(facts), Some(own)) = (facts, own) else {
        return Ok(None);
    };
    if facts.leader != pid {
        return Err(format!("it names {pid}, which is a thread and no process"));
    }
    if facts.namespaces != own.namespaces {
        return Err(format!(
            "process {pid} lives in another pid namespace, so the file cannot mean it"
        ));
    }
    let owner = written.owner;
    if ![0, own.user, facts.user].contains(&owner) {
        return Err(format!(
            "the file belongs to user {owner}, who may not end process {pid} of user {}",
            facts.user
        ));
    }
    if written.age > age_of(stat).saturating_add(SLACK) {
        return Err(format!(
            "process {pid} is younger than the file, so it only has the number of the one that was meant"
        ));
    }
    Ok(Some(NamedProcess {
        pid,
        start_ticks: stat.start_ticks,
    }))
}

/// Who wrote a file, and when.
struct Written {
    owner: u32,
    age: Duration,
}

/// The beginning of the file.
fn read(path: &Path) -> io::Result<(String, Written)> {
    let (file, metadata) = regular_file::open(path)?;
    // One that is written in the future, by another clock, is as old as one that is written now.
    let age = metadata
        .modified()
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok());
    let written = Written {
        owner: metadata.uid(),
        age: age.unwrap_or_default(),
    };
    let mut content = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut content)?;
    Ok((String::from_utf8_lossy(&content).into_owned(), written))
}

/// How long ago a process was started, by a clock that nobody sets.
fn age_of(stat: ProcessStat) -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let now = Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    );
    now.saturating_sub(Duration::from_millis(
        stat.start_ticks.saturating_mul(1000 / TICKS_PER_SECOND),
    ))
}

/// Part of `/proc/PID/status`.
struct Facts {
    /// The process that a thread belongs to.
    leader: u32,
    /// How many pid namespaces it is in, one within the other, seen from here.
    namespaces: usize,
    /// Its real user.
    user: u32,
}

impl Facts {
    fn read(pid: &str) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(status: &[u8]) -> Option<Self> {
        // The name of the process is escaped, so no line but the kernel's own begins like these.
        let text = String::from_utf8_lossy(status);
        let line = |label: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(label))
        };
        let first = |label: &str| line(label)?.split_ascii_whitespace().next()?.parse().ok();
        Some(Self {
            leader: first("Tgid:")?,
            namespaces: line("NSpid:")?.split_ascii_whitespace().count(),
            user: first("Uid:")?,
        })
    }
}

/// Blocks until the process has ended; none where it lives on.
fn end(process: NamedProcess, was_asked: bool, grace: Duration) -> io::Result<Option<NamedEnd>> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(Some(NamedEnd::ByItself)),
        Err(error) => return Err(error.into()),
    };
    // After opening, not before: the process that has this start time now is the one that the descriptor means.
    let stat = ProcessStat::read(process.pid)?;
    if stat.is_none_or(|stat| stat.start_ticks != process.start_ticks || stat.has_ended()) {
        return Ok(Some(NamedEnd::ByItself));
    }
    if !was_asked {
        send(&pidfd, Signal::TERM)?;
    }
    // A stopped process acts on it only once it is continued.
    send(&pidfd, Signal::CONT)?;
    if ends_within(&pidfd, grace)? {
        return Ok(Some(match was_asked {
            true => NamedEnd::ByItself,
            false => NamedEnd::Terminated,
        }));
    }
    send(&pidfd, Signal::KILL)?;
    Ok(ends_within(&pidfd, KILL_GRACE)?.then_some(NamedEnd::Killed))
}

fn send(pidfd: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ends_within(pidfd: &OwnedFd, time: Duration) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        let left = time.saturating_sub(start.elapsed());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;

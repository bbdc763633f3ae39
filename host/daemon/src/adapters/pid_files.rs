//! Pid files of services, and the processes that they name.
//!
//! Invariant: a number in a file is a claim, and may be stale. Only a living process gets a signal that is one, in the
//! daemon's own pid namespace, neither the first one nor the daemon, older than the file, and the file's owner may end it; with
//! SIGKILL alone the rest of the group too that it leads.
//! Invariant: the age of a file is by a clock that is set at times. So what it said once counts for as long as the file is the
//! same, and what it does not allow is told as a process that may be meant.
//! Invariant: signals go through a pidfd that was opened before the process was compared with what was seen, so a later
//! process that got the same number is never met.

mod ending;
mod facts;
mod looks;

use super::{
    clock::since_boot,
    process::stat::{self, ProcessStat},
};
use crate::ports::{Boxed, NamedEnd, NamedProcess, PidFileError, PidFiles};
use ending::{end, ended};
use facts::Facts;
use looks::Looks;
use mainstay_runtime::regular_file;
use parking_lot::Mutex;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    collections::HashMap,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Longer than any number, with room around it.
const MAX_BYTES: u64 = 64;
/// A file system that does not answer must not hold up a recovery.
const LOOK: Duration = Duration::from_secs(5);
/// How long the end of a killed process is awaited: one in uninterruptible sleep may never end.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// Clocks of files and of processes differ by so much.
const SLACK: Duration = Duration::from_secs(2);

/// The pid files of this machine.
#[derive(Default)]
pub struct HostPidFiles {
    known: Arc<Known>,
    looks: Looks,
}

/// What each file was seen to name, and as which file.
#[derive(Debug, Default)]
struct Known(Mutex<HashMap<PathBuf, (FileState, NamedProcess)>>);

impl Known {
    /// What this file named in this state.
    fn get(&self, file: &Path, state: FileState) -> Option<NamedProcess> {
        let known = self.0.lock();
        let (before, process) = known.get(file)?;
        (*before == state).then_some(*process)
    }

    fn insert(&self, file: &Path, state: FileState, process: NamedProcess) {
        self.0.lock().insert(file.to_owned(), (state, process));
    }
}

/// Why what a file names must get no signal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    why: String,
    /// As in [`PidFileError::claims`].
    claims: Option<NamedProcess>,
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self { why, claims: None }
    }
}

impl PidFiles for HostPidFiles {
    fn named(&self, file: PathBuf) -> Boxed<'static, Result<Option<NamedProcess>, PidFileError>> {
        let (looks, known) = (self.looks.clone(), Arc::clone(&self.known));
        Box::pin(async move {
            let look = looks.look(file.clone(), known);
            let found = tokio::time::timeout(LOOK, look).await;
            let found =
                found.unwrap_or_else(|_| Err(format!("it was not read within {LOOK:?}").into()));
            found.map_err(|Refused { why, claims }| PidFileError { file, why, claims })
        })
    }

    fn ended(&self, process: NamedProcess, within: Duration) -> Boxed<'static, bool> {
        Box::pin(async move {
            let look = tokio::task::spawn_blocking(move || ended(process, within));
            // What cannot be told may live.
            matches!(look.await, Ok(Ok(true)))
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
            Err(PidFileError {
                file,
                why,
                claims: None,
            })
        })
    }
}

/// Blocks. The error is why what it names must get no signal.
fn named(file: &Path, known: &Known) -> Result<Option<NamedProcess>, Refused> {
    let (text, written) = match read(file) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string().into()),
    };
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let number = first.parse().ok().filter(|&pid: &i32| pid > 0);
    let Some(number) = number.and_then(Pid::from_raw) else {
        let found: String = first.chars().take(20).collect();
        return Err(format!("it holds {found:?}, which is no process number").into());
    };
    let pid = number.as_raw_pid().unsigned_abs();
    if pid == 1 || pid == std::process::id() {
        let why = format!("it names process {pid}, which is the first process or the daemon");
        return Err(why.into());
    }
    match pidfd_open(number, PidfdFlags::empty()) {
        Ok(_) => {}
        Err(Errno::SRCH) => return Ok(None),
        // The number of a thread, as pidfd_open(2) answers, the second since Linux 6.9.
        Err(Errno::INVAL | Errno::NOENT) => {
            return Err(format!("it names {pid}, which is a thread and no process").into());
        }
        Err(error) => return Err(format!("process {pid} cannot be looked at: {error}").into()),
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
        return Err(format!("it names {pid}, which is a thread and no process").into());
    }
    if facts.namespaces != own.namespaces {
        let why =
            format!("process {pid} lives in another pid namespace, so the file cannot mean it");
        return Err(why.into());
    }
    let owner = written.owner;
    if ![0, own.user, facts.user].contains(&owner) {
        let user = facts.user;
        let why = format!(
            "the file belongs to user {owner}, who may not end process {pid} of user {user}"
        );
        return Err(why.into());
    }
    let found = NamedProcess {
        pid,
        start_ticks: stat.start_ticks,
    };
    match known.get(file, written.state) {
        Some(before) if before == found => {}
        Some(_) => {
            let why = format!(
                "process {pid} only has the number of the one that was meant, which has ended"
            );
            return Err(why.into());
        }
        None => {
            compare(&written, found)?;
            known.insert(file, written.state, found);
        }
    }
    Ok(Some(found))
}

/// Whether a file can mean a process, by when it was written.
fn compare(written: &Written, found: NamedProcess) -> Result<(), Refused> {
    let pid = found.pid;
    let why = match written.age {
        Err(ahead) if ahead > SLACK => format!(
            "it was written {ahead:?} ahead of the clock, so nobody knows whether process {pid} is meant"
        ),
        Ok(age) if age > stat::age_of(found.start_ticks).saturating_add(SLACK) => {
            let why = format!(
                "process {pid} is younger than the file, so it only has the number of the one that was meant"
            );
            // Of an earlier boot, so that it cannot be meant.
            if age > since_boot().saturating_add(SLACK) {
                return Err(why.into());
            }
            why
        }
        Ok(_) | Err(_) => return Ok(()),
    };
    Err(Refused {
        why,
        claims: Some(found),
    })
}

/// Who wrote a file, and when.
struct Written {
    owner: u32,
    /// The error is how far that is ahead.
    age: Result<Duration, Duration>,
    state: FileState,
}

/// What changes where a file is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    written: (i64, i64),
}

/// The beginning of the file.
fn read(path: &Path) -> io::Result<(String, Written)> {
    let (file, metadata) = regular_file::open(path)?;
    let age = SystemTime::now().duration_since(metadata.modified()?);
    let written = Written {
        owner: metadata.uid(),
        age: age.map_err(|ahead| ahead.duration()),
        state: FileState {
            device: metadata.dev(),
            inode: metadata.ino(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
        },
    };
    let mut content = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut content)?;
    Ok((String::from_utf8_lossy(&content).into_owned(), written))
}

#[cfg(test)]
mod tests;

//! Processes that services have written into pid files: found, asked to end, and ended.

use super::Boxed;
use std::{path::PathBuf, time::Duration};

/// A living process that a pid file names, told from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedProcess {
    /// Its number.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
    pub start_ticks: u64,
}

/// How the process of a pid file came to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedEnd {
    /// It was gone already, or what had asked it to end before was enough.
    ByItself,
    /// By SIGTERM.
    Terminated,
    /// By SIGKILL.
    Killed,
}

/// Why a pid file's process is not known, or was not ended; one line for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct PidFileError {
    /// The file.
    pub file: PathBuf,
    /// What was found, and what is allowed.
    pub why: String,
    /// The living process that the file names, where that may be meant and only a clock says that it is not.
    pub claims: Option<NamedProcess>,
}

/// Reads pid files, and ends what they name.
pub trait PidFiles: Send + Sync {
    /// The living process that a file names; none where there is no such file, or no such process. An error where the
    /// file names what must get no signal: a thread, a process of another namespace, the first one, the daemon, one that
    /// is younger than the file, or one that the file's owner has no say over. What was once seen to be meant by a file that
    /// has not changed since is not compared with the clock again, for clocks are set.
    fn named(&self, file: PathBuf) -> Boxed<'static, Result<Option<NamedProcess>, PidFileError>>;
    /// Whether this very process has ended, or does within this time; false where nobody can tell.
    fn ended(&self, process: NamedProcess, within: Duration) -> Boxed<'static, bool>;
    /// SIGTERM, where it was not asked to end yet, so much grace, SIGKILL; resolves when that very process has ended.
    /// An error where it lives on, in which the file is named.
    fn end(
        &self,
        process: NamedProcess,
        was_asked: bool,
        grace: Duration,
        file: PathBuf,
    ) -> Boxed<'static, Result<NamedEnd, PidFileError>>;
}

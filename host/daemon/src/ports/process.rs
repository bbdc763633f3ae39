//! What becomes of a process, and why one is not started, signalled or ended.

use super::SecretError;
use mainstay_domain::code::ErrorCode;
use std::{io, path::PathBuf};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was adopted, so only its end is known.
    Unknown,
    /// It has not ended: not even SIGKILL ends it. Only of a stop.
    Unended {
        /// As `/proc/PID/stat` has it, e.g. `D` for uninterruptible sleep.
        state: char,
    },
}

/// Why a process was not started or signalled, or its log not rotated.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Its command has no first word.
    #[error("`run` is empty; it needs at least a program")]
    NoProgram,
    /// A secret of its environment.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The daemon cannot start it under another account.
    #[error(
        "cannot run as the user `{user}`: {why} [{code}]",
        code = ErrorCode::NotStarted
    )]
    Account {
        /// The account.
        user: String,
        /// Why not, and what to do.
        why: AccountError,
    },
    /// Its environment cannot be read.
    #[error(
        "cannot read its `env_file` {source}: write lines KEY=VALUE into that file, or take `env_file` out [{code}]",
        code = ErrorCode::NotStarted
    )]
    EnvFile {
        /// The file, the line, and what is wrong with it.
        source: io::Error,
    },
    /// Its output has no place to go.
    #[error(
        "cannot open the log {}: {source} [{code}]",
        path.display(),
        code = ErrorCode::NotStarted
    )]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system did not start it.
    #[error(
        "cannot start `{program}`: {source}: {help} [{code}]",
        code = ErrorCode::NotStarted
    )]
    Start {
        /// Its first word.
        program: String,
        /// What the system said.
        source: io::Error,
        /// What to look at.
        help: String,
    },
    /// The program that runs before its start failed.
    #[error(
        "cannot start `{program}`: {why}. {help} [{code}]",
        code = ErrorCode::NotStarted
    )]
    BeforeStart {
        /// The first word of the child.
        program: String,
        /// What runs before it, how it ended and what it printed.
        why: String,
        /// What to look at.
        help: String,
    },
    /// What an earlier process of it left behind cannot be ended, so no second copy is started.
    #[error(
        "{}; no second copy is started while it is there [{code}]",
        unended(*pid, *state),
        code = ErrorCode::NotStarted
    )]
    LeftBehind {
        /// Its number; there may be others.
        pid: u32,
        /// As `/proc/PID/stat` has it.
        state: char,
    },
    /// A start of it that was given up has not ended, and may still make a process, so no second copy is started.
    #[error(
        "its start hangs: a file system that its program, its directory or its log is on may not answer; no second copy is \
         started before that start has ended [{code}]",
        code = ErrorCode::NotStarted
    )]
    StartHangs,
    /// It was started and cannot be watched, so it was ended again.
    #[error("cannot supervise `{program}`: /proc/{pid}/stat cannot be read: {why}")]
    Unwatched {
        /// Its first word.
        program: String,
        /// Its number.
        pid: u32,
        /// What is wrong with that file.
        why: String,
    },
    /// The daemon's own work on its start broke off; why.
    #[error("the start was interrupted: {0}")]
    Interrupted(String),
    /// Nobody can tell whether it is still the same process, so it got no signal.
    #[error("no signal was sent, for process {pid} cannot be looked at: {source}")]
    Unseen {
        /// Its number.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A signal was not sent.
    #[error("cannot send a signal to the process group {pid}: {source}")]
    Signal {
        /// The number of its group, which is its own.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Its log cannot get the name of its target.
    #[error("cannot rename {}: {source}", path.display())]
    RenameLog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its log cannot be rotated.
    #[error("cannot rotate {}: {source}", path.display())]
    Rotate {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// That a process has not ended though it was killed, for people: why, and what to look at.
pub fn unended(pid: u32, state: char) -> String {
    let sleeps = match state {
        'D' => "it is in uninterruptible sleep, state D",
        'Z' => "one of its threads still runs or sleeps in the kernel",
        _ => "it is still there",
    };
    format!(
        "process {pid} does not end, not even by SIGKILL: {sleeps}; /proc/{pid}/wchan and /proc/{pid}/stack tell what in \
         the kernel it waits for, e.g. a disk or a file system that does not answer"
    )
}

/// Why there is no account to run as.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Only root may become another.
    #[error("the daemon does not run as root; start it as root, or take `user` out")]
    NotRoot,
    /// There is none with this name.
    #[error("/etc/passwd has no such user; name one that `getent passwd` lists")]
    Unknown,
    /// The accounts cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

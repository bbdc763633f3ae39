//! The start of one child.
//!
//! Invariant: without `user` and `umask` nothing runs between `fork` and `exec`, so the standard library takes
//! `posix_spawn`, whose cost does not grow with the daemon's memory.

use super::{
    account::{self, Account},
    log::{self, Rotations},
    stat::ProcessStat,
};
use crate::{
    adapters::{environment::ChildEnvironment, limits},
    ports::{AccountError, ProcessError},
};
use rustix::{
    fs::Mode,
    process::{Pid, Resource, Signal, kill_process_group, setrlimit, umask},
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};
use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

/// What is started.
pub(super) struct Launch {
    pub(super) run: Vec<String>,
    pub(super) cwd: PathBuf,
    pub(super) environment: Arc<ChildEnvironment>,
    /// Added to that.
    pub(super) env: Vec<(String, String)>,
    pub(super) account: Option<Account>,
    pub(super) umask: Option<u32>,
    pub(super) log: PathBuf,
    pub(super) rotations: Rotations,
    pub(super) log_max_bytes: u64,
    pub(super) log_keep: u32,
}

impl Launch {
    /// Starts it; its number and its start time. Blocks until the program is loaded, or could not be.
    pub(super) fn start(self) -> Result<(u32, u64), ProcessError> {
        let (program, arguments) = self.run.split_first().ok_or(ProcessError::NoProgram)?;
        if let Some(rotation) = self.rotations.begin(&self.log)
            && let Err(error) = rotation.run(self.log_max_bytes, self.log_keep)
        {
            // Better a log that is too long than a target that does not run, on a full disk say.
            tracing::warn!(log = %self.log.display(), %error, "the log grows on");
        }
        let output = self.output().map_err(|source| ProcessError::Log {
            path: self.log.clone(),
            source,
        })?;
        let mut command = self.environment.inheriting(program);
        command
            .args(arguments)
            .current_dir(&self.cwd)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.0)
            .stderr(output.1)
            .process_group(0);
        if self.account.is_some() || self.umask.is_some() {
            before_exec(&mut command, self.account.clone(), self.umask);
        }
        let child = command
            .spawn()
            .map_err(|source| self.explain(program, source))?;
        let pid = child.id();
        limits::restore_limit(pid);
        // It is not reaped yet, so it is there, even where it has ended already.
        let why = match ProcessStat::read(pid) {
            Ok(Some(stat)) => return Ok((pid, stat.start_ticks)),
            Ok(None) => "is /proc mounted?".to_owned(),
            Err(error) => error.to_string(),
        };
        let _ = Pid::from_raw(pid.cast_signed()).map(|pid| kill_process_group(pid, Signal::KILL));
        Err(ProcessError::Unwatched {
            program: program.clone(),
            pid,
            why,
        })
    }

    /// Where its output goes. A full disk may have no room for a new file: better a target without a log than one that
    /// does not run.
    fn output(&self) -> io::Result<(File, File)> {
        log::open(&self.log).or_else(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                tracing::warn!(log = %self.log.display(), %error, "its output is lost until its next start");
                log::open(Path::new("/dev/null"))
            }
            _ => Err(error),
        })
    }

    fn explain(&self, program: &str, source: io::Error) -> ProcessError {
        let cwd = self.cwd.display();
        let help = match source.kind() {
            _ if !self.cwd.is_dir() => {
                format!("the directory {cwd} does not exist; make it, or change `cwd`")
            }
            io::ErrorKind::NotFound => {
                format!("no such program, seen from {cwd}; check the first word of `run`")
            }
            io::ErrorKind::PermissionDenied => {
                "it is not executable for this user; check its mode".to_owned()
            }
            _ => "check `run`, and that the machine has memory and processes left".to_owned(),
        };
        ProcessError::Start {
            program: program.to_owned(),
            source,
            help,
        }
    }
}

/// Has a program that is no supervised process run under another account, with what login(1) sets for it. What its own
/// config sets is set after this, and wins. Blocks.
pub(in crate::adapters) fn run_as(command: &mut Command, user: &str) -> Result<(), AccountError> {
    let account = account::find(user)?;
    command.envs(account.environment());
    before_exec(command, Some(account), None);
    Ok(())
}

/// Changes user and mask in the child, between `fork` and `exec`.
#[allow(
    unsafe_code,
    reason = "the standard library has no safe way to set supplementary groups and the mask of a child"
)]
fn before_exec(command: &mut Command, account: Option<Account>, mask: Option<u32>) {
    let open_files = limits::of_children();
    let change = move || {
        if let Some(open_files) = open_files {
            setrlimit(Resource::Nofile, open_files)?;
        }
        if let Some(mask) = mask {
            umask(Mode::from_bits_truncate(mask));
        }
        if let Some(account) = &account {
            // The child has one thread, so what is set for the thread is set for the process.
            set_thread_groups(&account.groups)?;
            set_thread_gid(account.gid)?;
            set_thread_uid(account.uid)?;
        }
        Ok(())
    };
    // SAFETY: the closure runs in the forked child of a program with threads, where only what is async-signal-safe may
    // be called. It makes five plain system calls over memory that was allocated before the fork; it allocates nothing,
    // takes no lock and cannot panic.
    unsafe {
        command.pre_exec(change);
    }
}

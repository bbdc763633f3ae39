//! The start of one child.
//!
//! Invariant: without `user`, `umask`, `nice`, `nofile` and bounds nothing runs between `fork` and `exec`, so the standard
//! library takes `posix_spawn`, whose cost does not grow with the daemon's memory.

use super::{
    account::{self, Account},
    env_file,
    log::{self, Rotations},
    output::FileId,
    stat::ProcessStat,
};
use crate::{
    adapters::{environment::ChildEnvironment, limits, reaper},
    ports::{AccountError, ProcessError},
};
use rustix::{
    fs::Mode,
    process::{
        Pid, Resource, Rlimit, Signal, kill_process_group, setpriority_process, setrlimit, umask,
    },
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};
use std::{
    fs::File,
    io::{self, Write},
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
    /// Goes over that and over what its account brings.
    pub(super) env_file: Option<PathBuf>,
    /// Goes over all others.
    pub(super) env: Vec<(String, String)>,
    pub(super) account: Option<Account>,
    pub(super) umask: Option<u32>,
    pub(super) nice: Option<i32>,
    pub(super) nofile: Option<u64>,
    /// The entrance of its control group, where it has one.
    pub(super) group: Option<File>,
    pub(super) log: PathBuf,
    /// Goes into its log before its own output: what ran before it has printed.
    pub(super) preface: Vec<u8>,
    pub(super) rotations: Rotations,
    pub(super) log_max_bytes: u64,
    pub(super) log_keep: u32,
}

/// A process that was started.
pub(super) struct Launched {
    pub(super) pid: u32,
    pub(super) start_ticks: u64,
    /// The file of its output, where that is one of the daemon's own.
    pub(super) output: Option<FileId>,
    /// Why it is lost, where that is to be told.
    pub(super) lost: Option<String>,
}

impl Launch {
    /// Starts it. Blocks until the program is loaded, or could not be.
    pub(super) fn start(self) -> Result<Launched, ProcessError> {
        let program = self.run.first().ok_or(ProcessError::NoProgram)?;
        let (output, lost) = self.open_log()?;
        let written = FileId::opened(&self.log, &output.0);
        let mut command = self.command(&self.run)?;
        command
            .stdin(Stdio::null())
            .stdout(output.0)
            .stderr(output.1)
            .process_group(0);
        let child = command
            .spawn()
            .map_err(|source| self.explain(program, source))?;
        let pid = child.id();
        reaper::leave(pid);
        if self.nofile.is_none() {
            limits::restore_limit(pid);
        }
        // It is not reaped yet, so it is there, even where it has ended already.
        let why = match ProcessStat::read(pid) {
            Ok(Some(stat)) => {
                return Ok(Launched {
                    pid,
                    start_ticks: stat.start_ticks,
                    output: written,
                    lost,
                });
            }
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

    /// Its log, with the preface in it: for its output and its errors; and why they are lost, where that is to be told.
    /// Blocks.
    pub(super) fn open_log(&self) -> Result<((File, File), Option<String>), ProcessError> {
        if let Some(rotation) = self.rotations.begin(&self.log)
            && let Err(error) = rotation.run(self.log_max_bytes, self.log_keep)
        {
            // Better a log that is too long than a target that does not run, on a full disk say.
            tracing::warn!(log = %self.log.display(), %error, "the log grows on");
        }
        let opened = self.output().map_err(|source| ProcessError::Log {
            path: self.log.clone(),
            source,
        })?;
        if let Err(error) = (&opened.0.0).write_all(&self.preface) {
            tracing::warn!(log = %self.log.display(), %error, "the output of `before_start` is lost");
        }
        Ok(opened)
    }

    /// The program with these arguments, in the environment, the directory and under the account of the child. Blocks:
    /// it reads files.
    pub(super) fn command(&self, run: &[String]) -> Result<Command, ProcessError> {
        let (program, arguments) = run.split_first().ok_or(ProcessError::NoProgram)?;
        let from_file = match &self.env_file {
            Some(file) => {
                env_file::read(file).map_err(|source| ProcessError::EnvFile { source })?
            }
            None => Vec::new(),
        };
        let account = self.account.as_ref().map(Account::environment);
        let mut command = self.environment.inheriting(program);
        command
            .args(arguments)
            .current_dir(&self.cwd)
            .envs(account.unwrap_or_default())
            .envs(from_file)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        let change = Change {
            account: self.account.clone(),
            umask: self.umask,
            nice: self.nice,
            open_files: self.open_files(),
            group: self.group.as_ref().and_then(|group| group.try_clone().ok()),
        };
        if !change.is_none_but_the_usual() || self.nofile.is_some() {
            before_exec(&mut command, change);
        }
        Ok(command)
    }

    /// The limit that it is to have, where that is not the daemon's own.
    fn open_files(&self) -> Option<Rlimit> {
        let own = self.nofile.map(|files| Rlimit {
            current: Some(files),
            maximum: Some(files),
        });
        own.or_else(limits::of_children)
    }

    /// Where its output goes, and why that is nowhere, where its log cannot be opened: something lies in its place, or its
    /// file system is full or cannot be written to. Better a target without a log than one that does not run. What the
    /// daemon itself lacks passes, so that is an error.
    fn output(&self) -> io::Result<((File, File), Option<String>)> {
        let error = match log::open(&self.log) {
            Ok(files) => return Ok((files, None)),
            Err(error) if limits::is_own_lack(&error) => return Err(error),
            Err(error) => error,
        };
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        tracing::warn!(log = %self.log.display(), %error, "its output is lost until its next start");
        // A full disk is told of by itself.
        let why = (!is_full).then(|| format!("{}: {error}", self.log.display()));
        Ok((log::open(Path::new("/dev/null"))?, why))
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
            io::ErrorKind::PermissionDenied if self.nice.is_some() || self.nofile.is_some() => {
                "it is not executable for this user, or the daemon may not set its `nice` or `nofile`; \
                 check its mode, and whether a daemon that is not root asks for less nice or more files than it has"
                    .to_owned()
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
    let change = Change {
        account: Some(account),
        umask: None,
        nice: None,
        open_files: None,
        group: None,
    };
    before_exec(command, change);
    Ok(())
}

/// What is changed in the child, between `fork` and `exec`.
struct Change {
    account: Option<Account>,
    umask: Option<u32>,
    nice: Option<i32>,
    open_files: Option<Rlimit>,
    /// Where a process writes that it enters.
    group: Option<File>,
}

impl Change {
    /// Nothing that could not also be done from outside, once the child runs.
    fn is_none_but_the_usual(&self) -> bool {
        self.account.is_none()
            && self.umask.is_none()
            && self.nice.is_none()
            && self.group.is_none()
    }
}

/// Changes it.
#[allow(
    unsafe_code,
    reason = "the standard library has no safe way to set supplementary groups and the mask of a child"
)]
fn before_exec(command: &mut Command, change: Change) {
    let change = move || {
        // Before it is another user, who may not. Without its bounds it runs all the same, and that is told.
        if let Some(group) = &change.group {
            let _ = rustix::io::write(group, b"0");
        }
        if let Some(open_files) = change.open_files {
            setrlimit(Resource::Nofile, open_files)?;
        }
        // Before it is another user, who may not.
        if let Some(nice) = change.nice {
            setpriority_process(None, nice)?;
        }
        if let Some(mask) = change.umask {
            umask(Mode::from_bits_truncate(mask));
        }
        if let Some(account) = &change.account {
            // The child has one thread, so what is set for the thread is set for the process.
            set_thread_groups(&account.groups)?;
            set_thread_gid(account.gid)?;
            set_thread_uid(account.uid)?;
        }
        Ok(())
    };
    // SAFETY: the closure runs in the forked child of a program with threads, where only what is async-signal-safe may
    // be called. It makes seven plain system calls over memory that was allocated before the fork; it allocates nothing,
    // takes no lock and cannot panic.
    unsafe {
        command.pre_exec(change);
    }
}

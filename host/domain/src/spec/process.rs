//! What of a target runs: the host's own child, or a service that its commands control.

use crate::{effect::Signal, name::FailureType, severity::Severity};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// The host's own child.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessSpec {
    /// Program and arguments, never a shell. At least one element.
    pub run: Vec<String>,
    /// Where it runs; default: the directory of the config.
    pub cwd: PathBuf,
    /// Added to the daemon's environment; values may hold `${secret:NAME}`.
    pub env: BTreeMap<String, String>,
    /// As whom; needs a daemon that runs as root.
    pub user: Option<String>,
    /// File mode creation mask, octal.
    pub umask: Option<u32>,
    /// How nice it is to others, from -20 to 19; default: as the daemon. Below that of the daemon needs root.
    pub nice: Option<i32>,
    /// How many files it may have open, as soft and as hard limit; default: as the daemon was started with.
    pub nofile: Option<u64>,
    /// How much memory it and its descendants may have, in bytes; default: as much as there is. Needs control groups.
    pub memory_max: Option<u64>,
    /// How much CPU time they may have, in percent of one core; default: as much as there is. Needs control groups.
    pub cpu_max: Option<f64>,
    /// A file of environment variables, read at each start, that `env` goes over.
    pub env_file: Option<PathBuf>,
    /// Runs before each start, to its end; a start is made only where it exits with code 0.
    pub before_start: Option<BeforeStart>,
    /// What it is asked to end with, wherever the host stops it; never [`Signal::Kill`], which asks for nothing. Default
    /// SIGTERM.
    pub stop_signal: Signal,
    /// What has it read its config anew while it runs; default: nothing.
    pub reload: Option<Reload>,
    /// Between that signal and SIGKILL; default 10 s.
    pub grace: Duration,
    /// What a clean shutdown of the daemon does with it.
    pub on_shutdown: OnShutdown,
    /// Of a program that forks: where the first process exits with code 0, the one that this file then names is
    /// supervised. Default: the first process is.
    pub pid_file: Option<PathBuf>,
    /// Which of its ends are failures, and which of these are recovered; default: all.
    pub restart: RestartPolicy,
    /// Exit codes with which it is done, where `restart` is not [`RestartPolicy::Always`]; default 0.
    pub expected_exit: Vec<i32>,
    /// Its config says that it ends by itself: `expected_exit` is written, or it is never started again. What depends on
    /// such a one waits for its end, not for its start, unless a check asks it for more than its process.
    pub runs_once: bool,
    /// What its unexpected exit is called: `exit_failure`, else the failure of the target's first check, else
    /// `service-down`.
    pub exit_failure: FailureType,
    /// How bad that is.
    pub exit_severity: Severity,
    /// Its output file is rotated at this size; default 10 MiB.
    pub log_max_bytes: u64,
    /// So many rotated files are kept; default 3.
    pub log_keep: u32,
}

/// What has a child that runs read its config anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// A signal to its process alone.
    Signal(Signal),
    /// Program and arguments, never a shell, with the child's `env`, directory and user. At least one element.
    Run(Vec<String>),
}

impl Reload {
    /// How long a program that reloads may take; then it is killed.
    pub const TIMEOUT: Duration = Duration::from_secs(60);
}

/// A program that runs before each start of a child, with its environment, directory and user.
#[derive(Debug, Clone, PartialEq)]
pub struct BeforeStart {
    /// Program and arguments, never a shell. At least one element.
    pub run: Vec<String>,
    /// Then it is killed, and the start fails; default 60 s.
    pub timeout: Duration,
}

impl ProcessSpec {
    /// Whether an exit with this code means that it is done: no failure, and nothing to start again.
    pub fn is_expected(&self, code: i32) -> bool {
        self.restart != RestartPolicy::Always && self.expected_exit.contains(&code)
    }
}

/// Which ends of a child are failures, and which of these are recovered without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Every end by itself is a failure that its route recovers.
    Always,
    /// An end with an expected exit code is none.
    OnFailure,
    /// Neither is that, and every other is a failure that only a person recovers.
    Never,
}

/// What a clean shutdown of the daemon does with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnShutdown {
    /// Its stop signal, grace, SIGKILL.
    Stop,
    /// It lives on, and the next daemon adopts it.
    Leave,
}

/// How a foreign service is started and stopped; program and arguments, never a shell.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignCommands {
    /// Starts it.
    pub start: Option<Vec<String>>,
    /// Stops it.
    pub stop: Option<Vec<String>>,
    /// Restarts it; where absent, stop and start are run.
    pub restart: Option<Vec<String>>,
    /// Has it read its config anew while it runs.
    pub reload: Option<Vec<String>>,
    /// How long each of them may take; then it is killed; default 60 s.
    pub timeout: Duration,
    /// Names the service's main process, which is ended where its own commands do not; default: that of its first check
    /// of kind `process` which has one.
    pub pid_file: Option<PathBuf>,
    /// How each of them runs.
    pub run_as: RunAs,
}

/// With which environment a command runs, and as whom.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunAs {
    /// Added to the daemon's environment; values may hold `${secret:NAME}`.
    pub env: BTreeMap<String, String>,
    /// Default: as the daemon; another needs one that runs as root.
    pub user: Option<String>,
}

impl Default for ForeignCommands {
    fn default() -> Self {
        Self {
            start: None,
            stop: None,
            restart: None,
            reload: None,
            timeout: Self::TIMEOUT,
            pid_file: None,
            run_as: RunAs::default(),
        }
    }
}

impl ForeignCommands {
    /// How long each command may take where the config does not say.
    pub const TIMEOUT: Duration = Duration::from_secs(60);
}

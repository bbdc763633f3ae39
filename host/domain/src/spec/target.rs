//! Targets and their checks, as configured.

use crate::{
    effect::Signal,
    name::{CheckName, FailureType, TargetName},
    severity::Severity,
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A managed thing.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSpec {
    /// Its name.
    pub name: TargetName,
    /// 1 is most urgent, 10 least; default 5 [seed 002].
    pub priority: u8,
    /// Targets that must not be failing before this one is recovered.
    pub depends_on: Vec<TargetName>,
    /// Recovery time objective, from detection; default 5 min [seed 000].
    pub rto: Duration,
    /// The supervised child; absent for foreign services.
    pub process: Option<ProcessSpec>,
    /// How a foreign service is started and stopped; all absent where `process` is there.
    pub commands: ForeignCommands,
    /// What is looked at.
    pub checks: Vec<CheckSpec>,
    /// When the circuit opens and closes.
    pub breaker: BreakerSpec,
    /// How long the checks may take to pass after a handler has acted; default 60 s [seed 000].
    pub validation_timeout: Duration,
    /// From a start until each check has passed once, but at most for so long, a check that fails is `starting` and not
    /// failed; default 10 s, zero for none. An end of the process is a failure at once.
    pub start_period: Duration,
}

impl TargetSpec {
    /// Whether this check, or the child's life, is what raises the failure.
    pub fn is_seen_by(&self, failure: &FailureType, check: &CheckName) -> bool {
        let mut checks = self.checks.iter();
        let exit = self.process.as_ref().map(|process| &process.exit_failure);
        checks.any(|known| known.name == *check && known.failure == *failure)
            || (*check == CheckName::process() && exit == Some(failure))
    }
}

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
    /// What it is asked to end with, wherever the host stops it; never [`Signal::Kill`], which asks for nothing. Default
    /// SIGTERM.
    pub stop_signal: Signal,
    /// Between that signal and SIGKILL; default 10 s.
    pub grace: Duration,
    /// What a clean shutdown of the daemon does with it.
    pub on_shutdown: OnShutdown,
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

/// What a clean shutdown of the daemon does with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnShutdown {
    /// Its stop signal, grace, SIGKILL.
    Stop,
    /// It lives on, and the next daemon adopts it.
    Leave,
}

/// How a foreign service is started and stopped; program and arguments, never a shell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForeignCommands {
    /// Starts it.
    pub start: Option<Vec<String>>,
    /// Stops it.
    pub stop: Option<Vec<String>>,
    /// Restarts it; where absent, stop and start are run.
    pub restart: Option<Vec<String>>,
}

/// When a target's circuit opens and closes [seed 002].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSpec {
    /// From open to half-open, where no handler acts sooner; default 30 s.
    pub open_for: Duration,
}

/// One probe of a target, on a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSpec {
    /// Unique within its target; default: its kind, numbered where there are several.
    pub name: CheckName,
    /// What is looked at.
    pub kind: CheckKind,
    /// Default 10 s [seed 000].
    pub every: Duration,
    /// At most `every`; default 1 s or `every`, the shorter.
    pub timeout: Duration,
    /// Failures in a row that open the circuit; default 5 [seed 002].
    pub fail_after: u32,
    /// Successes in a row that close it; default 2 [seed 002].
    pub recover_after: u32,
    /// Each run is moved later by up to this much, so that checks do not beat together; default 0.
    pub jitter: Duration,
    /// What its failure is called.
    pub failure: FailureType,
    /// How bad that is; default by the failure type.
    pub severity: Severity,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// GET; healthy where the status is in the range and the body holds the text.
    Http {
        /// `http` or `https`.
        url: String,
        /// Lowest and highest good status; default 200 to 399.
        status: (u16, u16),
        /// Text that the body must hold.
        body_contains: Option<String>,
    },
    /// Healthy where a connection opens.
    Tcp {
        /// `host:port`.
        address: String,
    },
    /// Healthy where the supervised child runs, or with `pid_file`, where the process named there does.
    Process {
        /// For foreign services.
        pid_file: Option<PathBuf>,
    },
    /// Healthy where the program exits 0, degraded where it exits 1 with `degraded_exit = 1`, failed else.
    Exec {
        /// Program and arguments, never a shell.
        run: Vec<String>,
        /// Where it runs.
        cwd: PathBuf,
        /// The exit code that means degraded.
        degraded_exit: Option<i32>,
    },
    /// Healthy where the file exists and is as asked.
    File {
        /// The file.
        path: PathBuf,
        /// Not older than this.
        max_age: Option<Duration>,
        /// Not smaller than this, in bytes.
        min_bytes: Option<u64>,
        /// Must hold this text; at most the first MiB is read.
        contains: Option<String>,
    },
    /// Failed above `max_percent` used of the filesystem, degraded above `warn_percent`.
    Disk {
        /// A path on it.
        path: PathBuf,
        /// Default 95 [seed 000].
        max_percent: f64,
        /// Default: none.
        warn_percent: Option<f64>,
    },
    /// Failed above the limit: of the supervised child's group in bytes, else of the host in percent.
    Memory {
        /// Of the host; default 90 [seed 000].
        max_percent: f64,
        /// Resident bytes of the supervised child; instead of `max_percent`.
        max_bytes: Option<u64>,
    },
    /// Failed above the limit: how much of the CPU the supervised child's group used since the look before.
    Cpu {
        /// 100 is one core; default 90, at most 100000.
        max_percent: f64,
        /// Degraded above this; default: none.
        degraded_percent: Option<f64>,
    },
    /// Failed where the target has not reported within `every`: `mainstay heartbeat TARGET`, or POST to the API.
    Heartbeat,
}

impl CheckKind {
    /// Whether it measures the supervised child; while none runs there is nothing to measure.
    pub fn measures_child(&self) -> bool {
        matches!(
            self,
            CheckKind::Memory {
                max_bytes: Some(_),
                ..
            } | CheckKind::Cpu { .. }
        )
    }

    /// Whether its success means that the target itself works. The other kinds look at the machine that it runs on.
    pub fn asks_the_service(&self) -> bool {
        match self {
            CheckKind::Disk { .. } => false,
            CheckKind::Memory { max_bytes, .. } => max_bytes.is_some(),
            CheckKind::Http { .. }
            | CheckKind::Tcp { .. }
            | CheckKind::Process { .. }
            | CheckKind::Exec { .. }
            | CheckKind::File { .. }
            | CheckKind::Cpu { .. }
            | CheckKind::Heartbeat => true,
        }
    }

    /// The word that operators write.
    pub fn as_str(&self) -> &'static str {
        match self {
            CheckKind::Http { .. } => "http",
            CheckKind::Tcp { .. } => "tcp",
            CheckKind::Process { .. } => "process",
            CheckKind::Exec { .. } => "exec",
            CheckKind::File { .. } => "file",
            CheckKind::Disk { .. } => "disk",
            CheckKind::Memory { .. } => "memory",
            CheckKind::Cpu { .. } => "cpu",
            CheckKind::Heartbeat => "heartbeat",
        }
    }
}

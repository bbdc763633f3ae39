//! Checks that run a program, as configured.

use std::{collections::BTreeMap, path::PathBuf};

/// A program whose exit and output say how the target is: healthy where it exits 0, failed else, but for what the
/// operator calls degraded.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecCheck {
    /// Program and arguments, never a shell.
    pub run: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Added to the daemon's environment; values may hold `${secret:NAME}`.
    pub env: BTreeMap<String, String>,
    /// As whom; needs a daemon that runs as root.
    pub user: Option<String>,
    /// The exit code that means degraded.
    pub degraded_exit: Option<i32>,
    /// What its output must hold to be good, within the last 64 KiB.
    pub output_contains: Option<String>,
    /// What in its output means degraded, whatever the exit code: of a service that works and takes no one more, say.
    pub degraded_output: Option<String>,
}

impl ExecCheck {
    /// Whether more of its output counts than what is shown of it.
    pub fn judges_output(&self) -> bool {
        self.output_contains.is_some() || self.degraded_output.is_some()
    }
}

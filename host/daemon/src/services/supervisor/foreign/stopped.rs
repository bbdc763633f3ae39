//! What a stop of a foreign service comes to, and the words for it.

use super::super::{DEFAULT_GRACE, target::SupervisedTarget};
use crate::ports::{NamedEnd, NamedProcess};
use mainstay_domain::{effect::EffectError, spec::ForeignCommands};
use std::time::Duration;

/// What became of a stop.
pub(super) enum Stopped {
    /// As far as is known nothing of it lives; with what did not go as it should.
    Down(Option<String>),
    /// Its command failed, and no process of it is known.
    InDoubt(EffectError),
    /// Its process is known, and could not be ended.
    LivesOn(EffectError),
    /// A process that lives may be its own, and nobody can tell; why, and what became of its command.
    Unverified {
        stopped: Result<(), EffectError>,
        why: String,
    },
}

pub(super) fn argv<'a>(
    supervised: &SupervisedTarget,
    command: &'a Option<Vec<String>>,
    name: &str,
) -> Result<&'a [String], EffectError> {
    command.as_deref().ok_or_else(|| {
        EffectError::Failed(format!(
            "{}: its config has neither `run` nor `commands.{name}`",
            supervised.name
        ))
    })
}

/// How long a process has to end. Some stop commands return before it has: `commands.timeout` is for both.
pub(super) fn grace_of(commands: &ForeignCommands, asked: Option<Duration>) -> Duration {
    let left = asked.map(|taken| commands.timeout.saturating_sub(taken));
    left.unwrap_or_default().max(DEFAULT_GRACE)
}

/// The sentence of an error, without the word that says of what kind it is.
pub(super) fn said(error: EffectError) -> String {
    match error {
        EffectError::Denied(text)
        | EffectError::Limited(text)
        | EffectError::TimedOut(text)
        | EffectError::Unavailable(text)
        | EffectError::Failed(text) => text,
    }
}

/// How the process of the pid file ended, to follow what went wrong before.
pub(super) fn words(process: NamedProcess, end: NamedEnd) -> String {
    let pid = process.pid;
    match end {
        NamedEnd::ByItself => format!("; process {pid} of its pid file has ended"),
        NamedEnd::Terminated => format!("; process {pid} of its pid file was ended by SIGTERM"),
        NamedEnd::Killed => format!("; process {pid} of its pid file was killed"),
    }
}

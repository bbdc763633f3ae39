//! How a command ends when it is not done.

use crate::console;
use mainstay_daemon::config::{ConfigErrors, NoConfig, NoStateDir};
use mainstay_domain::text::visible_lines;
use std::{io, process::ExitCode};

/// What a command that has already said everything ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Exit code 0.
    Done,
    /// Exit code 1.
    Failed,
    /// Exit code 2.
    BadConfig,
}

/// Who reads standard output has gone; there is nobody left to tell.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(super) struct OutputClosed;

/// The command was not used as its manual says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// What to do about an error, as a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct WithHelp {
    /// What is wrong.
    pub(super) error: String,
    /// What to do.
    pub(super) help: Option<String>,
}

/// Tells the error, once, and gives the exit code.
pub(super) fn report_ending(ending: anyhow::Result<Ending>) -> ExitCode {
    let error = match ending {
        Ok(Ending::Done) => return ExitCode::SUCCESS,
        Ok(Ending::Failed) => return ExitCode::from(1),
        Ok(Ending::BadConfig) => return ExitCode::from(2),
        Err(error) => error,
    };
    if error.is::<OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_error(&error, &mut text);
    console::write_final(text);
    let is_usage = error.is::<Usage>()
        || error.is::<NoConfig>()
        || error.is::<NoStateDir>()
        || error.is::<ConfigErrors>();
    ExitCode::from(if is_usage { 2 } else { 1 })
}

fn write_error(error: &anyhow::Error, to: &mut impl io::Write) -> io::Result<()> {
    match error.downcast_ref::<ConfigErrors>() {
        // It is a whole report, with its own headings.
        Some(report) => writeln!(to, "{}", visible_lines(&report.to_string()))?,
        None => writeln!(to, "error: {}", visible_lines(&format!("{error:#}")))?,
    }
    let help = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<WithHelp>());
    match help.and_then(|with_help| with_help.help.as_ref()) {
        Some(help) => writeln!(to, "help: {}", visible_lines(help)),
        None => Ok(()),
    }
}

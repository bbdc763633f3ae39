//! How a command ends when it is not done.

use super::output::for_standard_error;
use crate::console;
use mainstay_daemon::config::{ConfigErrors, NoConfig, NoStateDir};
use mainstay_domain::text::visible_lines;
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

/// What a command that has already said everything ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Exit code 0.
    Done,
    /// Exit code 1.
    Failed,
    /// Exit code 2.
    BadConfig,
    /// Exit code 3: done, but for what was said.
    Incomplete,
    /// The exit code of a monitoring plugin.
    Monitored(Monitored),
}

/// What a monitoring plugin says by its exit code; the later is the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Monitored {
    /// Exit code 0.
    Ok,
    /// Exit code 3. What is known to be wrong counts for more.
    Unknown,
    /// Exit code 1.
    Warning,
    /// Exit code 2.
    Critical,
}

impl From<Monitored> for ExitCode {
    fn from(monitored: Monitored) -> Self {
        Self::from(match monitored {
            Monitored::Ok => 0,
            Monitored::Warning => 1,
            Monitored::Critical => 2,
            Monitored::Unknown => 3,
        })
    }
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
        Ok(Ending::Incomplete) => return ExitCode::from(3),
        Ok(Ending::Monitored(monitored)) => return monitored.into(),
        Err(error) => error,
    };
    if error.is::<OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    tell(&error);
    let is_usage = error.is::<Usage>()
        || error.is::<NoConfig>()
        || error.is::<NoStateDir>()
        || error.is::<ConfigErrors>();
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Tells an error, on standard error.
pub(super) fn tell(error: &anyhow::Error) {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write_error(error, &mut text);
    write_wrapped(&String::from_utf8_lossy(&text));
}

fn write_wrapped(text: &str) {
    console::write_final(for_standard_error(text).into_bytes());
}

/// Tells what is wrong with the words of the command line, or shows the help that they ask for; gives the exit code.
pub fn report_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // It goes to standard output, where nobody may be there to read it.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let styled = error.render();
    match io::stderr().is_terminal() && !no_color {
        true => write_wrapped(&styled.ansi().to_string()),
        false => write_wrapped(&styled.to_string()),
    }
    ExitCode::from(2)
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

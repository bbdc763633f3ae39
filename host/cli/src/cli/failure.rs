//! How a command ends when it is not done.
//!
//! Invariant: with `--json` an error is one line of JSON on standard error, in the form of the admin API's.

use super::output::for_standard_error;
use crate::console;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use mainstay_api::ErrorBody;
use mainstay_daemon::config::{ConfigErrors, NoConfig, NoStateDir};
use mainstay_domain::text::{visible_json, visible_lines};
use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal},
    path::Path,
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

/// That something cannot be made or written, with what to do where that is known.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> anyhow::Error {
    let help = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some("a file is in the way: move it away, or name another directory")
        }
        io::ErrorKind::PermissionDenied => {
            Some("name a directory that you may write to, or run this as its owner, e.g. with sudo")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("nothing can be written there: name a directory of another disk")
        }
        _ => None,
    };
    WithHelp {
        error: format!("{what} {}: {error}", path.display()),
        help: help.map(str::to_owned),
    }
    .into()
}

/// Tells the error, once, and gives the exit code.
pub(super) fn report_ending(ending: anyhow::Result<Ending>, json: bool) -> ExitCode {
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
    tell(&error, json);
    let is_usage = error.is::<Usage>()
        || error.is::<NoConfig>()
        || error.is::<NoStateDir>()
        || error.is::<ConfigErrors>();
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Tells an error, on standard error.
pub(super) fn tell(error: &anyhow::Error, json: bool) {
    let body = body_of(error);
    match json {
        true => write_json(&body),
        // A report on a config has headings of its own.
        false if error.is::<ConfigErrors>() => write_wrapped(&text_of("", &body)),
        false => write_wrapped(&text_of("error: ", &body)),
    }
}

/// What is wrong and what to do, as people and programs are told it.
fn body_of(error: &anyhow::Error) -> ErrorBody {
    let mut causes = error.chain();
    let with_help = causes.find_map(|cause| cause.downcast_ref::<WithHelp>());
    ErrorBody {
        error: match error.downcast_ref::<ConfigErrors>() {
            Some(report) => report.to_string(),
            None => format!("{error:#}"),
        },
        help: with_help.and_then(|with_help| with_help.help.clone()),
    }
}

fn text_of(heading: &str, body: &ErrorBody) -> String {
    let error = visible_lines(&body.error);
    match &body.help {
        Some(help) => format!("{heading}{error}\nhelp: {}\n", visible_lines(help)),
        None => format!("{heading}{error}\n"),
    }
}

fn write_json(body: &ErrorBody) {
    // Two texts are always JSON.
    let line = serde_json::to_string(body).unwrap_or_default();
    console::write_final(format!("{}\n", visible_json(&line)).into_bytes());
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
    let styled = error.render();
    let words: Vec<OsString> = std::env::args_os().collect();
    let help = beside_a_list(error, &words);
    // What could not be read cannot say what it asks for.
    let mut options = words.iter().take_while(|word| *word != OsStr::new("--"));
    if options.any(|word| word == OsStr::new("--json")) {
        let said = styled.to_string();
        let said = said.strip_prefix("error: ").unwrap_or(&said);
        write_json(&ErrorBody {
            error: said.trim_end().to_owned(),
            help,
        });
        return ExitCode::from(2);
    }
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let text = match io::stderr().is_terminal() && !no_color {
        true => styled.ansi().to_string(),
        false => styled.to_string(),
    };
    match help {
        Some(help) => write_wrapped(&format!("{text}help: {}\n", visible_lines(&help))),
        None => write_wrapped(&text),
    }
    ExitCode::from(2)
}

/// What to do where the word that is one too many is the second of a list: it follows the value of `--with`.
fn beside_a_list(error: &clap::Error, words: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let first = words.windows(3).find_map(|three| match three {
        [option, first, second] if option == "--with" && second == unknown.as_str() => {
            first.to_str()
        }
        _ => None,
    })?;
    let help = format!("several stand with commas, as in --with {first},{unknown}");
    Some(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn what_is_wrong_and_what_to_do_are_told_apart_however_deep_they_are() {
        let error = WithHelp {
            error: "there is no target `a`".to_owned(),
            help: Some("look at `mainstay status`".to_owned()),
        };
        let error = Err::<(), _>(error).context("cannot do it").unwrap_err();
        let body = body_of(&error);
        assert_eq!(body.error, "cannot do it: there is no target `a`");
        assert_eq!(body.help.as_deref(), Some("look at `mainstay status`"));
        assert_eq!(
            text_of("error: ", &body),
            "error: cannot do it: there is no target `a`\nhelp: look at `mainstay status`\n"
        );
        let plain = body_of(&anyhow::anyhow!("it broke"));
        assert_eq!(text_of("error: ", &plain), "error: it broke\n");
    }

    /// The daemon ends so too, where one of its services ended though nobody asked it to.
    #[test]
    fn an_error_ends_with_exit_code_one() {
        let ended = report_ending(Err(anyhow::anyhow!("the service weak failed")), false);
        assert_eq!(format!("{ended:?}"), format!("{:?}", ExitCode::from(1)));
    }

    #[test]
    fn what_cannot_be_written_is_told_with_what_to_do() {
        let told = |kind: io::ErrorKind| {
            let error = cannot("cannot make", Path::new("/d/plugins"), &kind.into());
            text_of("", &body_of(&error))
        };
        for (kind, help) in [
            (io::ErrorKind::NotADirectory, "a file is in the way"),
            (io::ErrorKind::PermissionDenied, "that you may write to"),
            (io::ErrorKind::ReadOnlyFilesystem, "of another disk"),
        ] {
            let told = told(kind);
            assert!(told.starts_with("cannot make /d/plugins: "), "{told}");
            assert!(told.contains(help), "{told}");
        }
        let plain = told(io::ErrorKind::StorageFull);
        assert!(!plain.contains("help"), "{plain}");
    }
}

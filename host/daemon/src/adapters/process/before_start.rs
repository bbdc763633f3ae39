//! The program that runs before each start of a child.
//!
//! Invariant: it has no mark, so the next daemon never takes it for the child; it ends with the daemon, and all of its
//! group with it.
//! Invariant: its time counts from before it is prepared and started, which can hang as well.
//! Invariant: it does not write to the child's log itself: of what it prints without end a bounded part is kept.

use super::{launch::Launch, mark};
use crate::{
    adapters::program::{Program, Remains, Starts, concealed_end, read_end},
    ports::{ProcessError, Secrets},
};
use mainstay_domain::{signal_words::signal_words, spec::BeforeStart};
use std::{
    io::{self, PipeWriter},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
};
use tokio::net::unix::pipe::Receiver;

/// So much of the end of what it printed is told where it failed.
const TOLD: usize = 1 << 10;
/// So much of the end of each of its outputs goes into the child's log.
const LOGGED: usize = 64 << 10;

/// Why it failed.
pub(super) struct Failed {
    /// The error of the child's start.
    pub(super) why: ProcessError,
    /// What it printed, for the child's log all the same.
    pub(super) printed: Vec<u8>,
}

impl From<ProcessError> for Failed {
    fn from(why: ProcessError) -> Self {
        Self {
            why,
            printed: Vec::new(),
        }
    }
}

/// Runs it as `launch` would run the child, and gives what it printed, for the child's log.
pub(super) async fn run(
    launch: Launch,
    before: BeforeStart,
    secrets: &dyn Secrets,
    starts: &Starts,
) -> Result<Vec<u8>, Failed> {
    let child = launch.run.first().cloned().unwrap_or_default();
    let argv = before.run.clone();
    let what = format!("`{}`, its `before_start`,", before.run.join(" "));
    let failed = |why: String, help: &str| ProcessError::BeforeStart {
        program: child.clone(),
        why: format!("{what} {why}"),
        help: help.to_owned(),
    };
    let not_started = |error: io::Error| {
        failed(
            format!("cannot be started: {error}"),
            "Check its first word, and that it is executable",
        )
    };
    let (stdout, to_stdout) = pipe().map_err(not_started)?;
    let (stderr, to_stderr) = pipe().map_err(not_started)?;
    let start = move || {
        let mut command = launch.command(&argv)?;
        command
            .env_remove(mark::VARIABLE)
            .stdout(to_stdout)
            .stderr(to_stderr);
        Ok::<_, ProcessError>(Program::start(command))
    };
    let given_up = tokio::time::sleep(before.timeout);
    tokio::pin!(given_up);
    let program = match starts.run(start, &mut given_up).await {
        Ok(Ok(started)) => started?.map_err(not_started)?,
        Ok(Err(error)) => return Err(ProcessError::Interrupted(error.to_string()).into()),
        Err(()) => {
            let why = format!("was not started within {:?}", before.timeout);
            let help = "Look whether the file system that it is on answers";
            return Err(failed(why, help).into());
        }
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let reading = async {
        tokio::join!(
            read_end(Some(stdout), LOGGED, &mut out),
            read_end(Some(stderr), LOGGED, &mut err)
        );
    };
    let ended = program.end(reading, given_up, Remains::AreKilled).await;
    let why = match ended {
        Ok(Ok(status)) if status.success() => return Ok(both(out, err, secrets)),
        Ok(Ok(status)) => how(status),
        Ok(Err(error)) => format!("cannot be awaited: {error}"),
        Err(()) => format!("did not end within {:?} and was killed", before.timeout),
    };
    // Errors are what people look for; where there are none, the rest may say more.
    let said = if err.is_empty() { &out } else { &err };
    let said = concealed_end(said.clone(), TOLD, secrets);
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.trim().lines().map(str::trim).collect();
    let said = match lines.as_slice() {
        [] => "it printed nothing".to_owned(),
        lines => format!("it printed: {}", lines.join(" / ")),
    };
    let help = "Repair what it says; all that it printed stands in the target's log";
    Err(Failed {
        why: failed(format!("{why}; {said}"), help),
        printed: both(out, err, secrets),
    })
}

/// Whole lines of both of its outputs, without secrets.
fn both(out: Vec<u8>, err: Vec<u8>, secrets: &dyn Secrets) -> Vec<u8> {
    let mut printed = logged(out, secrets);
    printed.extend(logged(err, secrets));
    printed
}

/// Whole lines of one of its outputs, without secrets.
fn logged(end: Vec<u8>, secrets: &dyn Secrets) -> Vec<u8> {
    let is_cut = end.len() > LOGGED;
    let mut lines = concealed_end(end, LOGGED, secrets);
    if is_cut {
        // The first of them may have lost its beginning.
        let first = lines.iter().position(|byte| *byte == b'\n');
        lines.drain(..first.map_or(0, |end| end + 1));
        let note = b"(what `before_start` printed before this is left out)\n";
        lines = [note.as_slice(), &lines].concat();
    }
    if lines.last().is_some_and(|last| *last != b'\n') {
        lines.push(b'\n');
    }
    lines
}

/// What is read, and what the program writes to. Nothing of it lives on, so nobody is left to write when this is gone.
fn pipe() -> io::Result<(Receiver, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((Receiver::from_owned_fd(OwnedFd::from(reader))?, writer))
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by {}", signal_words(signal)),
        (None, None) => "ended".to_owned(),
    }
}

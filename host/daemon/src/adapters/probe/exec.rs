//! Runs a program and judges its exit code; the last line that it prints is the evidence.
//!
//! Invariant: secrets are taken out of what it prints before anything else is done with it.
//! Invariant: whether it ends, is given up or runs out of time, nothing of its process group lives on.

use super::{Seen, io_cause};
use crate::{
    adapters::{
        environment::ChildEnvironment,
        program::{Program, Remains, concealed_end, read_end},
    },
    ports::Secrets,
};
use mainstay_domain::health::Outcome;
use std::{convert::Infallible, io, os::fd::OwnedFd, path::Path};
use tokio::net::unix::pipe;

/// So much of the end of the output is looked through.
const TAIL: usize = 4096;

/// A program that runs.
pub(super) struct Started {
    output: pipe::Receiver,
    program: Program,
}

/// Watches it to its end.
pub(super) async fn look(
    run: &[String],
    started: io::Result<Started>,
    degraded_exit: Option<i32>,
    secrets: &dyn Secrets,
) -> Seen {
    let words = run.join(" ");
    let cannot =
        |error: io::Error| Seen::failed(format!("cannot run `{words}`: {}", io_cause(&error)));
    let (output, program) = match started {
        Ok(started) => (started.output, started.program),
        Err(error) => return cannot(error),
    };
    let mut tail = Vec::new();
    let reading = read_end(Some(output), TAIL, &mut tail);
    // Who looks gives it up by dropping this. What it started in the background would keep the pipe open.
    let never = std::future::pending::<Infallible>();
    let Ok(ended) = program.end(reading, never, Remains::AreKilled).await;
    match ended {
        Ok(status) => judge(
            &words,
            status,
            degraded_exit,
            &concealed_end(tail, TAIL, secrets),
        ),
        Err(error) => cannot(error),
    }
}

/// Blocks until the program is loaded, or could not be: for ever on a file system that does not answer.
pub(super) fn start(
    environment: &ChildEnvironment,
    run: &[String],
    cwd: &Path,
) -> io::Result<Started> {
    let (program, arguments) = run.split_first().ok_or(io::ErrorKind::NotFound)?;
    let (reader, writer) = io::pipe()?;
    let mut command = environment.inheriting(program);
    command
        .args(arguments)
        .current_dir(cwd)
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let program = Program::start(command)?;
    let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    Ok(Started { output, program })
}

fn judge(
    words: &str,
    status: std::process::ExitStatus,
    degraded_exit: Option<i32>,
    tail: &[u8],
) -> Seen {
    let text = String::from_utf8_lossy(tail);
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    let said: String = line
        .map(|line| format!(": {line}"))
        .unwrap_or_default()
        .chars()
        .take(400)
        .collect();
    let Some(code) = status.code() else {
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
        return Seen::failed(format!("`{words}` was ended by signal {signal}{said}"));
    };
    let outcome = match code {
        0 => Outcome::Healthy,
        code if Some(code) == degraded_exit => Outcome::Degraded,
        _ => Outcome::Failed,
    };
    Seen::new(outcome, format!("`{words}` exited with code {code}{said}"))
        .with_value(f64::from(code))
}

//! Runs a program and judges its exit code; the last line that it prints is the evidence.
//!
//! Invariant: secrets are taken out of what it prints before anything else is done with it.
//! Invariant: whether it ends, is given up or runs out of time, nothing of its process group lives on.

use super::{Seen, io_cause};
use crate::{
    adapters::{environment::ChildEnvironment, limits, secrets::MAX_CONCEALED_BYTES},
    ports::Secrets,
};
use mainstay_domain::health::Outcome;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{io, os::fd::OwnedFd, path::Path, process::Stdio};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    process::{Child, Command},
};

/// So much of the end of the output is looked through.
const TAIL: usize = 4096;
/// So much is kept, for a secret that is cut in two is not recognised.
const KEPT: usize = TAIL + MAX_CONCEALED_BYTES;

/// A program that runs.
pub(super) struct Started {
    output: pipe::Receiver,
    group: Group,
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
    let (mut output, mut group) = match started {
        Ok(started) => (started.output, started.group),
        Err(error) => return cannot(error),
    };
    let mut tail = Vec::new();
    let mut is_open = true;
    let status = loop {
        tokio::select! {
            read = read_some(&mut output, &mut tail), if is_open => is_open = read,
            status = group.leader.wait() => break status,
        }
    };
    // What it started in the background would keep the pipe open.
    group.kill();
    let mut rest = [0; TAIL];
    while let Ok(count @ 1..) = output.try_read(&mut rest) {
        keep(&mut tail, rest.get(..count).unwrap_or_default());
    }
    match status {
        Ok(status) => judge(&words, status, degraded_exit, &concealed(tail, secrets)),
        Err(error) => cannot(error),
    }
}

/// The leader of a process group, which ends with this value.
struct Group {
    leader: Child,
    id: Option<Pid>,
}

impl Group {
    fn kill(&mut self) {
        if let Some(group) = self.id.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
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
    let mut command = Command::from(environment.inheriting(program));
    command
        .args(arguments)
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let leader = command.spawn()?;
    leader.id().into_iter().for_each(limits::give_back);
    let id = leader.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let group = Group { leader, id };
    let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    Ok(Started { output, group })
}

/// Whether there may be more.
async fn read_some(output: &mut pipe::Receiver, tail: &mut Vec<u8>) -> bool {
    let mut chunk = [0; TAIL];
    match output.read(&mut chunk).await {
        Ok(count @ 1..) => {
            keep(tail, chunk.get(..count).unwrap_or_default());
            true
        }
        Ok(0) | Err(_) => false,
    }
}

fn keep(tail: &mut Vec<u8>, chunk: &[u8]) {
    tail.extend_from_slice(chunk);
    tail.drain(..tail.len().saturating_sub(KEPT));
}

fn concealed(tail: Vec<u8>, secrets: &dyn Secrets) -> Vec<u8> {
    let is_cut = tail.len() >= KEPT;
    let mut shown = secrets.conceal(tail);
    if is_cut {
        // The first bytes may be half of a secret.
        shown.drain(..MAX_CONCEALED_BYTES.min(shown.len()));
    }
    shown
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

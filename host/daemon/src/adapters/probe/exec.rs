//! Runs a program and judges its exit code and its output; the last line that it prints is the evidence.
//!
//! Invariant: secrets are taken out of what it prints before anything else is done with it.
//! Invariant: whether it ends, is given up or runs out of time, nothing of its process group lives on.

use super::{HostProbe, Seen, in_time, length};
use crate::{
    adapters::{
        environment::ChildEnvironment,
        process::{oom, run_as},
        program::{Program, Remains, concealed_end, read_end},
    },
    ports::Secrets,
};
use mainstay_domain::{
    health::Outcome,
    signal_words::signal_words,
    spec::{CheckSpec, ExecCheck, TargetSpec},
};
use rustix::process::Signal;
use std::{
    convert::Infallible,
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
    sync::Arc,
};
use tokio::{net::unix::pipe, time::Instant};

/// So much of the end of the output is kept to show its last line.
const SHOWN: usize = 4096;
/// So much of it is looked through where the check asks what it holds.
const JUDGED: usize = 64 << 10;

impl HostProbe {
    /// The error is what is seen where the program could not be run: that says nothing about the target.
    pub(super) async fn run_program(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        exec: &ExecCheck,
    ) -> Result<Seen, Seen> {
        let turn = self.blocking.turn(&target.name, check).await?;
        let (environment, secrets) = (Arc::clone(&self.environment), Arc::clone(&self.secrets));
        let program = exec.clone();
        let begun = Instant::now();
        let start = turn.run(move || start(&environment, &program, &*secrets));
        let started = in_time(check, check.timeout, start).await;
        let started = started.unwrap_or_else(|late| {
            let (words, within) = (exec.run.join(" "), length(check.timeout));
            let message = format!("cannot run `{words}`: it was not loaded within {within}");
            Err(Seen { message, ..late }.into_unknown())
        })?;
        let left = check.timeout.saturating_sub(begun.elapsed());
        let look = look(exec, started?, &*self.secrets);
        let seen = in_time(check, left, look).await;
        Ok(seen.unwrap_or_else(|seen| seen))
    }
}

/// A program that runs.
struct Started {
    output: pipe::Receiver,
    program: Program,
    /// How often the kernel had ended a process for want of memory.
    oom_kills: Option<u64>,
}

/// Watches it to its end.
async fn look(check: &ExecCheck, started: Started, secrets: &dyn Secrets) -> Seen {
    let Started {
        output,
        program,
        oom_kills,
    } = started;
    let kept = if check.judges_output() { JUDGED } else { SHOWN };
    let mut end = Vec::new();
    let reading = read_end(Some(output), kept, &mut end);
    // Who looks gives it up by dropping this. What it started in the background would keep the pipe open.
    let never = std::future::pending::<Infallible>();
    let Ok(ended) = program.end(reading, never, Remains::AreKilled).await;
    match ended {
        Ok(status) if is_ended_for_memory(status, oom_kills) => Seen::unknown(format!(
            "`{}` was killed while the kernel ended processes for want of memory",
            check.run.join(" ")
        )),
        Ok(status) => judge(check, status, &concealed_end(end, kept, secrets)),
        Err(error) => cannot_run(check, &error),
    }
}

/// Blocks until the program is loaded, or could not be: for ever on a file system that does not answer. The error is
/// what is seen then.
fn start(
    environment: &ChildEnvironment,
    check: &ExecCheck,
    secrets: &dyn Secrets,
) -> Result<Started, Seen> {
    let (program, arguments) = check
        .run
        .split_first()
        .ok_or_else(|| cannot_run(check, &io::ErrorKind::NotFound.into()))?;
    let mut command = environment.inheriting(program);
    command.args(arguments).current_dir(&check.cwd);
    let words = check.run.join(" ");
    if let Some(user) = &check.user {
        run_as(&mut command, user).map_err(|why| {
            Seen::not_done(format!("cannot run `{words}` as the user `{user}`: {why}"))
        })?;
    }
    for (variable, written) in &check.env {
        let value = secrets.reveal(written).map_err(|why| {
            Seen::not_done(format!(
                "cannot run `{words}`: environment variable {variable}: {why}"
            ))
        })?;
        command.env(variable, value);
    }
    run(command).map_err(|error| match check.cwd.is_dir() {
        true => cannot_run(check, &error),
        // The system tells of it in the same words as of the program.
        false => Seen::unknown(format!(
            "cannot run `{words}`: there is no directory {}",
            check.cwd.display()
        )),
    })
}

/// That there was no memory for who looks says nothing about what it looks at.
fn is_ended_for_memory(status: ExitStatus, kills_before: Option<u64>) -> bool {
    // As which a shell says of its own child that it was killed.
    const KILLED: i32 = 128 + 9;
    let is_killed =
        || status.signal() == Some(Signal::KILL.as_raw()) || status.code() == Some(KILLED);
    kills_before.is_some_and(|before| is_killed() && oom::kills() > Some(before))
}

fn run(mut command: std::process::Command) -> io::Result<Started> {
    let oom_kills = oom::kills();
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let program = Program::start(command)?;
    let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    Ok(Started {
        output,
        program,
        oom_kills,
    })
}

/// What does not run has not looked, whyever that is.
fn cannot_run(check: &ExecCheck, error: &io::Error) -> Seen {
    let words = check.run.join(" ");
    Seen::of_error(format_args!("cannot run `{words}`"), error).into_unknown()
}

fn judge(check: &ExecCheck, status: ExitStatus, output: &[u8]) -> Seen {
    let words = check.run.join(" ");
    let text = String::from_utf8_lossy(output);
    let holds = |wanted: &str| text.contains(wanted);
    let degraded_by = check.degraded_output.as_deref();
    let degraded_by = degraded_by.filter(|wanted| holds(wanted));
    // What made it degraded says more than what happens to be last.
    let telling = degraded_by.and_then(|wanted| last_line(&text, |line| line.contains(wanted)));
    let line = telling.or_else(|| last_line(&text, |line| !line.is_empty()));
    let said: String = line
        .map(|line| format!(": {line}"))
        .unwrap_or_default()
        .chars()
        .take(400)
        .collect();
    let Some(code) = status.code() else {
        let signal = signal_words(status.signal().unwrap_or_default());
        let why = format!("`{words}` was ended by {signal}{said}");
        return Seen::failed(why).with_output(text);
    };
    let by_code = match code {
        0 => Outcome::Healthy,
        code if Some(code) == check.degraded_exit => Outcome::Degraded,
        _ => Outcome::Failed,
    };
    let missing = check.output_contains.as_deref();
    let missing = missing.filter(|wanted| by_code != Outcome::Failed && !holds(wanted));
    let seen = match (degraded_by, missing) {
        (Some(_), _) => Seen::new(
            Outcome::Degraded,
            format!("`{words}` exited with code {code}{said}"),
        ),
        (None, Some(wanted)) => Seen::failed(format!(
            "`{words}` exited with code {code}, but its output does not hold `{wanted}`{said}"
        )),
        (None, None) => Seen::new(by_code, format!("`{words}` exited with code {code}{said}")),
    };
    seen.with_value(f64::from(code)).with_output(text)
}

fn last_line(text: &str, wanted: impl Fn(&str) -> bool) -> Option<&str> {
    text.lines().rev().map(str::trim).find(|line| wanted(line))
}

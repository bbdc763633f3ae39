//! Runs programs to their end: commands that plugins were granted, and the start and stop of foreign services.
//!
//! Invariant: argument lists are the operator's, without a shell; a guest fills declared places only.
//! Invariant: a time-out or a dropped future kills the program with its process group. The time counts from before its
//! start, which can hang as well.
//! Invariant: what a command leaves behind keeps its output, and is not ended by writing to it.
//! Invariant: outputs are bounded however much is printed, and secrets are taken out before they are cut.

mod arguments;
mod captured;
mod carriers;
mod serving;

use super::{
    environment::ChildEnvironment,
    process::run_as,
    program::{Output, Outputs, Program, Remains, Starts},
};
use crate::ports::{Boxed, Commands, Secrets, ServedCommand};
use captured::Captured;
use mainstay_domain::{
    effect::{CommandOutput, EffectError},
    name::{CommandName, TargetName},
    spec::{CommandSpec, RunAs},
};
use std::{
    collections::BTreeMap,
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

/// Kept of each output of a foreign service's command.
const FOREIGN_OUTPUT: u64 = 64 << 10;

/// Runs programs on this machine.
pub struct LocalCommands {
    secrets: Arc<dyn Secrets>,
    environment: Arc<ChildEnvironment>,
    outputs: Arc<Outputs>,
    starts: Starts,
}

impl LocalCommands {
    /// `secrets` fills environments and is taken out of outputs.
    pub fn new(
        secrets: Arc<dyn Secrets>,
        environment: Arc<ChildEnvironment>,
        outputs: Arc<Outputs>,
    ) -> Self {
        Self {
            secrets,
            environment,
            outputs,
            starts: Starts::new("commands"),
        }
    }

    /// Starts it, with a pipe for each of its outputs. What is `given_up` by then is not started `in_time`, for people.
    async fn start(
        &self,
        what: &str,
        mut command: Command,
        given_up: impl Future<Output = ()>,
        in_time: &str,
    ) -> Result<(Program, Output, Output), EffectError> {
        let pipe = || {
            self.outputs
                .pipe()
                .map_err(|error| not_started(what, &error))
        };
        let ((to_stdout, out), (to_stderr, err)) = (pipe()?, pipe()?);
        command.stdout(to_stdout).stderr(to_stderr);
        let start = move || Program::start(command);
        let Ok(started) = self.starts.run(start, given_up).await else {
            return Err(EffectError::TimedOut(format!(
                "{what} was not started {in_time}: the file system that it is on may not answer; what starts later is killed"
            )));
        };
        let running = started
            .flatten()
            .map_err(|error| not_started(what, &error))?;
        Ok((running, out, err))
    }

    async fn run_to_end(
        &self,
        what: &str,
        command: Command,
        timeout: Duration,
        max_output: u64,
    ) -> Result<CommandOutput, EffectError> {
        let given_up = tokio::time::sleep(timeout);
        tokio::pin!(given_up);
        let within = format!("within {timeout:?}");
        let (running, mut out, mut err) = self.start(what, command, &mut given_up, &within).await?;
        let (mut stdout, mut stderr) = (Captured::new(max_output), Captured::new(max_output));
        let reading = async {
            tokio::join!(stdout.read(out.reader()), stderr.read(err.reader()));
        };
        let ended = running.end(reading, given_up, Remains::LiveOn).await;
        let status = match ended {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(not_awaited(what, &error)),
            Err(()) => {
                return Err(EffectError::TimedOut(format!(
                    "{what} did not end within {timeout:?} and was killed with its process group"
                )));
            }
        };
        let truncated = stdout.truncated() || stderr.truncated();
        Ok(CommandOutput {
            exit_code: exit_code(status),
            stdout: stdout.finish(self.secrets.as_ref()),
            stderr: stderr.finish(self.secrets.as_ref()),
            truncated,
        })
    }

    /// As whom it runs, and what is added to its environment.
    fn set_up(
        &self,
        what: &str,
        command: &mut Command,
        user: Option<&str>,
        env: &BTreeMap<String, String>,
    ) -> Result<(), EffectError> {
        if let Some(user) = user {
            run_as(command, user).map_err(|why| {
                EffectError::Failed(format!("{what} cannot run as the user `{user}`: {why}"))
            })?;
        }
        for (variable, written) in env {
            let value = self.secrets.reveal(written).map_err(|why| {
                EffectError::Failed(format!("{what}: environment variable {variable}: {why}"))
            })?;
            command.env(variable, value);
        }
        Ok(())
    }

    fn granted(
        &self,
        name: &CommandName,
        spec: &CommandSpec,
        arguments: &[(String, String)],
        key: &str,
    ) -> Result<Command, EffectError> {
        let filled = arguments::fill(name, spec, arguments)?;
        let mut command = program(name.as_str(), &filled, |name| self.environment.bare(name))?;
        command.current_dir(&spec.cwd);
        let what = format!("command `{name}`");
        self.set_up(&what, &mut command, spec.user.as_deref(), &spec.env)?;
        command.env("MAINSTAY_IDEMPOTENCY_KEY", key);
        command.env(carriers::MARK, key);
        Ok(command)
    }
}

impl Commands for LocalCommands {
    fn run(
        &self,
        name: CommandName,
        spec: CommandSpec,
        arguments: Vec<(String, String)>,
        key: String,
        max_output: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        Box::pin(async move {
            let command = self.granted(&name, &spec, &arguments, &key)?;
            let what = format!("command `{name}`");
            self.run_to_end(&what, command, spec.timeout, max_output)
                .await
        })
    }

    fn end(&self, key: String) -> Boxed<'_, ()> {
        Box::pin(end_blocking(move || carriers::end(&key)))
    }

    fn end_foreign(&self, of: TargetName) -> Boxed<'_, ()> {
        Box::pin(end_blocking(move || {
            carriers::end_commands(&carriers::of_foreign(&of), std::process::id());
        }))
    }

    fn serve(
        &self,
        name: CommandName,
        spec: CommandSpec,
        arguments: Vec<(String, String)>,
        key: String,
        until: Boxed<'static, ()>,
    ) -> Boxed<'_, Result<ServedCommand, EffectError>> {
        Box::pin(async move {
            let command = self.granted(&name, &spec, &arguments, &key)?;
            let what = format!("command `{name}`");
            self.serve_until(&what, command, until).await
        })
    }

    fn free_port(&self) -> Result<u16, String> {
        serving::free_port()
    }

    fn is_port_taken(&self, port: u16) -> bool {
        serving::is_taken(port)
    }

    /// With what a supervised process inherits too.
    fn run_foreign(
        &self,
        of: TargetName,
        argv: Vec<String>,
        cwd: PathBuf,
        timeout: Duration,
        run_as: RunAs,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        Box::pin(async move {
            let what = format!("`{}`", argv.join(" "));
            let mut command = program(&what, &argv, |name| self.environment.inheriting(name))?;
            command.current_dir(cwd);
            self.set_up(&what, &mut command, run_as.user.as_deref(), &run_as.env)?;
            command.env(carriers::MARK, carriers::of_foreign(&of));
            self.run_to_end(&what, command, timeout, FOREIGN_OUTPUT)
                .await
        })
    }
}

async fn end_blocking(end: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(end).await {
        tracing::error!(%error, "what is left of a command was not looked for");
    }
}

/// The program with its arguments; `begin` gives it its environment.
fn program(
    what: &str,
    argv: &[String],
    begin: impl FnOnce(&str) -> Command,
) -> Result<Command, EffectError> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| EffectError::Failed(format!("{what} names no program")))?;
    let mut command = begin(program);
    command.args(arguments);
    Ok(command)
}

fn not_started(what: &str, error: &io::Error) -> EffectError {
    let text = format!("{what} cannot be started: {error}");
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => EffectError::Unavailable(text),
        _ => EffectError::Failed(text),
    }
}

fn not_awaited(what: &str, error: &io::Error) -> EffectError {
    EffectError::TimedOut(format!("{what} cannot be awaited: {error}"))
}

/// As shells have it: 128 + the signal that ended it.
fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

#[cfg(test)]
mod tests;

//! Runs programs to their end: commands that plugins were granted, and the start and stop of foreign services.
//!
//! Invariant: argument lists are the operator's, without a shell; a guest fills declared places only.
//! Invariant: each program leads a process group of its own, and a time-out or a dropped future kills all of it.
//! Invariant: outputs are bounded however much is printed, and secrets are taken out before they are cut.

mod arguments;

use super::{environment::ChildEnvironment, limits, secrets::MAX_CONCEALED_BYTES};
use crate::ports::{Boxed, Commands, Secrets};
use mainstay_domain::{
    blob::Blob,
    effect::{CommandOutput, EffectError},
    name::CommandName,
    spec::CommandSpec,
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    future::Future,
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

/// Kept of each output of a foreign service's command.
const FOREIGN_OUTPUT: u64 = 64 << 10;
/// How long output is awaited once the program itself has ended; a daemon that it left behind may hold the pipe open
/// for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(250);

/// How long the end of a killed program is awaited.
const KILL_GRACE: Duration = Duration::from_millis(250);

/// Runs programs on this machine.
pub struct LocalCommands {
    secrets: Arc<dyn Secrets>,
    environment: Arc<ChildEnvironment>,
}

impl LocalCommands {
    /// `secrets` fills environments and is taken out of outputs.
    pub fn new(secrets: Arc<dyn Secrets>, environment: Arc<ChildEnvironment>) -> Self {
        Self {
            secrets,
            environment,
        }
    }

    async fn run_to_end(
        &self,
        what: &str,
        mut command: Command,
        timeout: Duration,
        max_output: u64,
    ) -> Result<CommandOutput, EffectError> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| not_started(what, &error))?;
        child.id().into_iter().for_each(limits::give_back);
        let group = ProcessGroup::of(&child);
        let (mut stdout, mut stderr) = (Captured::new(max_output), Captured::new(max_output));
        let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
        let reading = async {
            tokio::join!(stdout.read(&mut out), stderr.read(&mut err));
        };
        let status = match end_of(group, child.wait(), reading, timeout).await {
            Some(Ok(status)) => status,
            Some(Err(error)) => {
                return Err(EffectError::TimedOut(format!(
                    "{what} cannot be awaited: {error}"
                )));
            }
            None => {
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
        for (variable, value) in &spec.env {
            let value = self.secrets.reveal(value).map_err(|why| {
                EffectError::Failed(format!(
                    "command `{name}`: environment variable {variable}: {why}"
                ))
            })?;
            command.env(variable, value);
        }
        command.env("MAINSTAY_IDEMPOTENCY_KEY", key);
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

    /// With what a supervised process inherits too.
    fn run_foreign(
        &self,
        argv: Vec<String>,
        cwd: PathBuf,
        timeout: Duration,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        Box::pin(async move {
            let what = format!("`{}`", argv.join(" "));
            let mut command = program(&what, &argv, |name| self.environment.inheriting(name))?;
            command.current_dir(cwd);
            self.run_to_end(&what, command, timeout, FOREIGN_OUTPUT)
                .await
        })
    }
}

/// The program with its arguments; `begin` gives it its environment.
fn program(
    what: &str,
    argv: &[String],
    begin: impl FnOnce(&str) -> std::process::Command,
) -> Result<Command, EffectError> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| EffectError::Failed(format!("{what} names no program")))?;
    let mut command = Command::from(begin(program));
    command.args(arguments);
    Ok(command)
}

/// The program's end, once its output is read or `OUTPUT_GRACE` is over; none where it did not end within the timeout
/// and its group was killed.
async fn end_of(
    mut group: ProcessGroup,
    waiting: impl Future<Output = io::Result<ExitStatus>>,
    reading: impl Future<Output = ()>,
    timeout: Duration,
) -> Option<io::Result<ExitStatus>> {
    tokio::pin!(waiting, reading);
    let mut is_read = false;
    let ending = async {
        loop {
            tokio::select! { biased;
                status = &mut waiting => return status,
                () = &mut reading, if !is_read => is_read = true,
            }
        }
    };
    let Ok(status) = tokio::time::timeout(timeout, ending).await else {
        drop(group);
        // What cannot even be killed, in uninterruptible sleep, is reaped by tokio when it ends.
        let _ = tokio::time::timeout(KILL_GRACE, waiting).await;
        return None;
    };
    if status.is_ok() {
        // Before anything else is awaited: what it left behind in its group is to live.
        group.has_ended();
    }
    if !is_read {
        let _ = tokio::time::timeout(OUTPUT_GRACE, reading).await;
    }
    Some(status)
}

fn not_started(what: &str, error: &io::Error) -> EffectError {
    let text = format!("{what} cannot be started: {error}");
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => EffectError::Unavailable(text),
        _ => EffectError::Failed(text),
    }
}

/// As shells have it: 128 + the signal that ended it.
fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// Kills the group when it is dropped before its leader has ended.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    /// The leader was awaited: its number may be another's from now on.
    fn has_ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The beginning of an output.
struct Captured {
    bytes: Vec<u8>,
    max: usize,
    seen: u64,
}

impl Captured {
    fn new(max: u64) -> Self {
        Self {
            bytes: Vec::new(),
            max: usize::try_from(max).unwrap_or(usize::MAX),
            seen: 0,
        }
    }

    /// Reads to the end and keeps the beginning, so that the program is never blocked by a full pipe.
    async fn read(&mut self, pipe: &mut Option<impl AsyncRead + Unpin>) {
        let Some(pipe) = pipe else { return };
        let mut chunk = vec![0; 16 << 10];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            self.seen += count as u64;
            // More than is wanted: a secret across the cut has to be recognised first.
            let room = self.max.saturating_add(MAX_CONCEALED_BYTES) - self.bytes.len();
            self.bytes
                .extend_from_slice(chunk.get(..count.min(room)).unwrap_or_default());
        }
    }

    fn truncated(&self) -> bool {
        self.seen > self.max as u64
    }

    fn finish(self, secrets: &dyn Secrets) -> Blob {
        let cut = self.seen > self.bytes.len() as u64;
        let mut bytes = secrets.conceal(self.bytes);
        if cut {
            // The last bytes may be half of a secret.
            bytes.truncate(bytes.len().saturating_sub(MAX_CONCEALED_BYTES));
        }
        bytes.truncate(self.max);
        Blob(bytes)
    }
}

#[cfg(test)]
mod tests;

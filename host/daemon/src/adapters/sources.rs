//! Runs the programs that are sources of backups, and asks servers and plugins.
//!
//! Invariant: what is told of what it said has no secret in it; secrets are revealed in its environment, and in the headers of a source, alone.
//! Invariant: what such a program leaves behind ends with it, whether it has ended or is given up: the next backup would meet
//! it, and what it goes on writing belongs to no backup.

mod http;
mod plugin;
mod printed;
mod redis;

use super::{
    environment::ChildEnvironment,
    process::run_as,
    program::{Outputs, Program, Remains, Starts, concealed_end, read_end},
};
use crate::ports::{
    BackupStoreError, Collecting, Collectors, OnContent, OnSourcePart, Secrets, SourceProgram,
    SourcePrograms,
};
use mainstay_domain::{
    signal_words::signal_words,
    spec::{HttpSource, RedisSource, RunAs},
};
use printed::Printed;
use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How much of the end of its output is reported when a program fails.
const TAIL: usize = 2000;

/// Runs programs on this machine, with what a supervised process inherits too.
pub struct LocalSources {
    secrets: Arc<dyn Secrets>,
    environment: Arc<ChildEnvironment>,
    outputs: Arc<Outputs>,
    runtime: Handle,
    starts: Starts,
    collectors: Option<Arc<dyn Collectors>>,
    /// Tells the runs of plugins apart.
    runs: AtomicU64,
}

impl LocalSources {
    /// `runtime` waits for the programs; who has them run blocks a thread that is none of its workers.
    pub fn new(
        secrets: Arc<dyn Secrets>,
        environment: Arc<ChildEnvironment>,
        outputs: Arc<Outputs>,
        runtime: Handle,
    ) -> Self {
        Self {
            secrets,
            environment,
            outputs,
            runtime,
            starts: Starts::new("sources"),
            collectors: None,
            runs: AtomicU64::new(0),
        }
    }

    /// The same, which asks the plugins that these find; without them it asks none.
    #[must_use]
    pub fn with_collectors(self, collectors: Arc<dyn Collectors>) -> Self {
        let collectors = Some(collectors);
        Self { collectors, ..self }
    }
}

impl SourcePrograms for LocalSources {
    fn run(
        &self,
        source: &SourceProgram<'_>,
        on_bytes: &mut OnContent<'_>,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let Some((name, arguments)) = source.run.split_first() else {
            return Err(BackupStoreError::Source(
                "a command source names no program".to_owned(),
            ));
        };
        let failed =
            |what: String| BackupStoreError::Source(format!("the source command `{name}` {what}"));
        let mut command = self.environment.inheriting(name);
        command.args(arguments).current_dir(source.cwd);
        let RunAs { user, env } = source.run_as;
        if let Some(user) = user {
            run_as(&mut command, user)
                .map_err(|why| failed(format!("cannot run as the user `{user}`: {why}")))?;
        }
        for (variable, written) in env {
            let value = self.secrets.reveal(written);
            let value = value.map_err(|why| {
                failed(format!(
                    "does not get its environment variable {variable}: {why}"
                ))
            })?;
            command.env(variable, value);
        }
        let mut tail = Vec::new();
        let ended: Result<_, BackupStoreError> = self.runtime.block_on(async {
            let not_started = |error: std::io::Error| failed(format!("cannot be started: {error}"));
            let (stderr, mut said) = self.outputs.pipe().map_err(not_started)?;
            let (stdout, mut printed) = Printed::pipe(on_bytes).map_err(not_started)?;
            command.stdout(stdout).stderr(stderr);
            let refused = printed.refused.clone();
            let given_up = async {
                tokio::select! { biased;
                    () = refused.cancelled() => {}
                    _ = tokio::time::timeout(source.timeout, stop.cancelled()) => {}
                }
            };
            tokio::pin!(given_up);
            let start = move || Program::start(command);
            let program = match self.starts.run(start, &mut given_up).await {
                Ok(started) => started.flatten().map_err(not_started)?,
                Err(()) => return Ok(Err(())),
            };
            let reading = async {
                let said = read_end(said.reader().as_mut(), TAIL, &mut tail);
                tokio::join!(said, printed.read());
            };
            let remains = Remains::AreKilledAndHeard;
            let mut ended = program.end(reading, &mut given_up, remains).await;
            let is_well = matches!(&ended, Ok(Ok(status)) if status.success());
            if is_well {
                // All of it, however slowly it is stored, or it is no document.
                tokio::select! { biased;
                    () = &mut given_up => ended = Err(()),
                    () = printed.read() => {}
                }
            }
            match printed.ended {
                Some(Err(error)) => Err(error),
                _ => Ok(ended),
            }
        });
        let status = match ended? {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(failed(format!("was lost: {error}"))),
            Err(()) if stop.is_cancelled() => return Err(BackupStoreError::Interrupted),
            Err(()) => {
                return Err(failed(format!(
                    "did not end within {:?}; raise the source's timeout if it needs longer",
                    source.timeout
                )));
            }
        };
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, signal) => format!("was ended by {}", signal_words(signal.unwrap_or_default())),
        };
        let tail = concealed_end(tail, TAIL, &*self.secrets);
        Err(failed(match String::from_utf8_lossy(&tail).trim() {
            "" => how,
            said => format!("{how}: {said}"),
        }))
    }

    fn fetch(
        &self,
        source: &HttpSource,
        output: &File,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let failed =
            |what: String| BackupStoreError::Source(format!("the source {} {what}", source.url));
        self.runtime.block_on(async {
            let got = http::get(source, &*self.secrets, output);
            tokio::select! { biased;
                () = stop.cancelled() => Err(BackupStoreError::Interrupted),
                got = tokio::time::timeout(source.timeout, got) => match got {
                    Ok(got) => got.map_err(failed),
                    Err(_) => Err(failed(format!(
                        "did not answer within {:?}; raise the source's timeout if it needs longer",
                        source.timeout
                    ))),
                },
            }
        })
    }

    fn dump(
        &self,
        source: &RedisSource,
        on_bytes: &mut OnContent<'_>,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        self.runtime.block_on(async {
            let dumped = redis::dump(source, &*self.secrets, on_bytes);
            tokio::select! { biased;
                () = stop.cancelled() => Err(BackupStoreError::Interrupted),
                dumped = tokio::time::timeout(source.timeout, dumped) => match dumped {
                    Ok(dumped) => dumped,
                    Err(_) => Err(BackupStoreError::Source(format!(
                        "the Redis at {} was not read within {:?}; raise the source's timeout if it needs longer",
                        source.at, source.timeout
                    ))),
                },
            }
        })
    }

    fn collect(
        &self,
        asked: &Collecting<'_>,
        on_part: &mut OnSourcePart<'_>,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let source = asked.source;
        let Some(collectors) = self.collectors.as_deref() else {
            return Err(BackupStoreError::Source(
                "no plugin can be asked here".to_owned(),
            ));
        };
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let run = format!("{}-{run}", asked.backup);
        self.runtime.block_on(async {
            let collected = plugin::collect(collectors, &*self.secrets, asked, run, on_part);
            tokio::select! { biased;
                () = stop.cancelled() => Err(BackupStoreError::Interrupted),
                collected = tokio::time::timeout(source.timeout, collected) => match collected {
                    Ok(collected) => collected,
                    Err(_) => Err(BackupStoreError::Source(format!(
                        "the plugin {} did not give all pages within {:?}; raise the source's timeout if it needs longer",
                        source.plugin, source.timeout
                    ))),
                },
            }
        })
    }
}

#[cfg(test)]
mod tests;

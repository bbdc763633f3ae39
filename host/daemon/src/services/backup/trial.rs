//! Tries in a drill what was restored: a command of the operator's serves it, and its checks look at that.
//!
//! Invariant: when a trial has ended, nothing of what it started is left, however it ended.
//! Invariant: what the host could not do for reasons of its own is no failure of what was restored.

mod looks;

use super::{BackupError, BackupService};
use crate::ports::ServedCommand;
use mainstay_domain::{
    effect::EffectError,
    id::BackupId,
    name::{CommandName, JobName},
    spec::{CheckSpec, CommandSpec, RestoreDrillSpec, Spec, TargetSpec},
};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What the commands of the drills of a backup carry, and all that they start.
pub(super) fn keys_of(id: &BackupId) -> [String; 2] {
    [
        format!("backup-drill-{id}"),
        format!("backup-drill-{id}-check"),
    ]
}

/// A command of the config with its name.
type Named = (CommandName, CommandSpec);

/// What a drill of a job does, as the config says now.
pub(super) struct Trial {
    pub(super) scratch: Option<PathBuf>,
    pub(super) target: Option<Arc<TargetSpec>>,
    start: Option<Named>,
    check: Option<Named>,
}

/// Why it was not found that what was restored serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TrialError {
    /// It does not.
    Failed(String),
    /// The host could not try.
    Host(String),
    /// It was to end before.
    Stopped,
}

/// What a look has found that is not healthy.
#[derive(Debug, Clone)]
struct Unhealthy {
    /// Whether that is the host's own trouble.
    is_of_host: bool,
    words: String,
}

/// What is filled into the commands, and what they carry.
struct Place<'a> {
    scratch: &'a str,
    port: Option<u16>,
    keys: &'a [String; 2],
}

impl Place<'_> {
    /// The values for those placeholders that a command has.
    fn values(&self, command: &CommandSpec) -> Vec<(String, String)> {
        let port = self.port.map(|port| port.to_string());
        let all = [
            (RestoreDrillSpec::SCRATCH, Some(self.scratch.to_owned())),
            (RestoreDrillSpec::PORT, port),
        ];
        let all = all
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        all.filter(|(name, _)| command.placeholders.contains(name))
            .collect()
    }
}

impl Trial {
    /// One of a job that the config does not have any more only restores.
    pub(super) fn of(spec: &Spec, job: &JobName) -> Result<Self, BackupError> {
        let found = spec.jobs.iter().find(|it| it.name == *job);
        let drill = found.map(|job| job.drill.clone()).unwrap_or_default();
        let command = |name: Option<CommandName>| -> Result<Option<Named>, BackupError> {
            let Some(name) = name else { return Ok(None) };
            match spec.commands.get(&name).cloned() {
                Some(command) => Ok(Some((name, command))),
                None => Err(BackupError::Refused(format!(
                    "the config has no command `{name}` any more, which the drill of job {job} runs"
                ))),
            }
        };
        let target = drill.target.as_ref().and_then(|name| spec.target(name));
        Ok(Self {
            scratch: drill.scratch,
            target: target.cloned().map(Arc::new),
            start: command(drill.start)?,
            check: command(drill.check)?,
        })
    }
}

impl BackupService {
    /// Starts what the trial starts, and looks until it is healthy: how long that took. None where nothing is started, and
    /// what is asked, if anything, says that it is right.
    pub(super) async fn try_out(
        &self,
        trial: &Trial,
        keys: &[String; 2],
        scratch: &Path,
        stop: &CancellationToken,
    ) -> Result<Option<Duration>, TrialError> {
        if trial.start.is_none() && trial.check.is_none() {
            return Ok(None);
        }
        let tried = tokio::select! { biased;
            () = stop.cancelled() => Err(TrialError::Stopped),
            tried = self.tried(trial, keys, scratch) => tried,
        };
        self.end_trial(keys).await;
        tried
    }

    /// Ends what is left of a trial.
    pub(super) async fn end_trial(&self, keys: &[String; 2]) {
        for key in keys {
            self.core.commands.end(key.clone()).await;
        }
    }

    async fn tried(
        &self,
        trial: &Trial,
        keys: &[String; 2],
        scratch: &Path,
    ) -> Result<Option<Duration>, TrialError> {
        let Some(scratch) = scratch.to_str() else {
            return Err(TrialError::Failed(format!(
                "{} cannot be handed to a command, for it is not UTF-8; name another `scratch`",
                scratch.display()
            )));
        };
        let mut place = Place {
            scratch,
            port: None,
            keys,
        };
        let Some((name, command)) = &trial.start else {
            return match self.look_once(trial, &[], &place).await {
                None => Ok(None),
                Some(seen) if seen.is_of_host => Err(TrialError::Host(seen.words)),
                Some(seen) => Err(TrialError::Failed(seen.words)),
            };
        };
        let port = self.core.commands.free_port().map_err(TrialError::Host)?;
        place.port = Some(port);
        let of_target = trial.target.iter().flat_map(|target| &target.checks);
        let checks: Vec<Arc<CheckSpec>> = of_target
            .filter_map(|check| check.of_copy(port))
            .map(Arc::new)
            .collect();
        if checks.is_empty() && trial.check.is_none() {
            return Err(TrialError::Failed(format!(
                "nothing says whether what the command `{name}` starts is healthy"
            )));
        }
        self.serve(trial, (name, command), &checks, &place)
            .await
            .map(Some)
    }

    /// Runs what serves until all that looks at it says that it is healthy, or it is too late.
    async fn serve(
        &self,
        trial: &Trial,
        (name, command): (&CommandName, &CommandSpec),
        checks: &[Arc<CheckSpec>],
        place: &Place<'_>,
    ) -> Result<Duration, TrialError> {
        let begun = self.core.clock.monotonic();
        let [key, _] = place.keys;
        let not_needed = CancellationToken::new();
        let until = Box::pin(not_needed.clone().cancelled_owned());
        let values = place.values(command);
        let mut serving =
            self.core
                .commands
                .serve(name.clone(), command.clone(), values, key.clone(), until);
        let seen = Mutex::new(Unhealthy {
            is_of_host: false,
            words: "no look at it has ended".to_owned(),
        });
        let mut looking = pin!(self.until_healthy(trial, checks, place, &seen));
        let mut late = pin!(tokio::time::sleep(command.timeout));
        let mut ended: Option<ServedCommand> = None;
        loop {
            tokio::select! { biased;
                served = &mut serving, if ended.is_none() => match served {
                    // What it left running may serve.
                    Ok(served) if served.exit_code == Some(0) => ended = Some(served),
                    Ok(served) => {
                        let taken = place.port.filter(|port| self.core.commands.is_port_taken(*port));
                        if let Some(port) = taken {
                            // It could not serve there, which says nothing of what was restored.
                            return Err(TrialError::Host(format!(
                                "the command `{name}` was given port {port}, which somebody else has taken meanwhile"
                            )));
                        }
                        let code = served.exit_code.unwrap_or(-1);
                        return Err(TrialError::Failed(format!(
                            "the command `{name}`, which serves what was restored, ended with exit code {code}{}",
                            printed(served.last_lines.as_deref())
                        )));
                    }
                    Err(EffectError::Unavailable(why)) => return Err(TrialError::Host(why)),
                    Err(error) => return Err(TrialError::Failed(error.to_string())),
                },
                () = &mut looking => return Ok(self.core.clock.monotonic().since(begun)),
                () = &mut late => break,
            }
        }
        not_needed.cancel();
        let ended = match ended {
            Some(ended) => Some(ended),
            None => serving.await.ok(),
        };
        let seen = seen.lock().clone();
        let words = format!(
            "what the command `{name}` serves of what was restored was not healthy within {:?}: {}{}",
            command.timeout,
            seen.words,
            printed(ended.and_then(|it| it.last_lines).as_deref())
        );
        Err(match seen.is_of_host {
            true => TrialError::Host(words),
            false => TrialError::Failed(words),
        })
    }
}

/// What a program said at last; follows what else is said.
fn printed(last_lines: Option<&str>) -> String {
    last_lines.map_or_else(String::new, |lines| {
        format!("; it printed at last: {lines}")
    })
}

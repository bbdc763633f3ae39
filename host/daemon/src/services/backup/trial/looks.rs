//! How a trial is looked at: by the checks of a target, and by a command.

use super::{Place, Trial, Unhealthy, printed};
use crate::services::backup::BackupService;
use mainstay_domain::{
    effect::EffectError,
    health::Outcome,
    name::CommandName,
    spec::{CheckSpec, CommandSpec, TargetSpec},
    text::last_lines,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// So much of what a command prints that looks is kept; its last lines are shown.
const MOST_OUTPUT: u64 = 64 << 10;

/// The pause between two looks at what is not healthy yet.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl BackupService {
    /// Looks until everything is healthy; what is not, in the meantime.
    pub(super) async fn until_healthy(
        &self,
        trial: &Trial,
        checks: &[Arc<CheckSpec>],
        place: &Place<'_>,
        seen: &Mutex<Unhealthy>,
    ) {
        while let Some(unhealthy) = self.look_once(trial, checks, place).await {
            *seen.lock() = unhealthy;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Looks once at everything: the first that is not healthy.
    pub(super) async fn look_once(
        &self,
        trial: &Trial,
        checks: &[Arc<CheckSpec>],
        place: &Place<'_>,
    ) -> Option<Unhealthy> {
        if let Some(target) = &trial.target {
            for check in checks {
                let unhealthy = self.look_by(target, check).await;
                if unhealthy.is_some() {
                    return unhealthy;
                }
            }
        }
        let (name, command) = trial.check.as_ref()?;
        self.ask(name, command, place).await
    }

    async fn look_by(&self, target: &Arc<TargetSpec>, check: &Arc<CheckSpec>) -> Option<Unhealthy> {
        let probe = &self.core.probe;
        let looked = probe.observe(Arc::clone(target), Arc::clone(check), None);
        let (is_of_host, what) = match looked.await {
            None => (false, "it is too soon to say".to_owned()),
            Some(looked) => match looked.outcome {
                Outcome::Healthy | Outcome::Degraded => return None,
                Outcome::Failed => (false, looked.evidence.message),
                Outcome::Unknown => (true, looked.evidence.message),
            },
        };
        Some(Unhealthy {
            is_of_host,
            words: format!("check `{}` of {}: {what}", check.name, target.name),
        })
    }

    /// Runs the command that says whether it is right.
    async fn ask(
        &self,
        name: &CommandName,
        command: &CommandSpec,
        place: &Place<'_>,
    ) -> Option<Unhealthy> {
        let [_, key] = place.keys;
        let values = place.values(command);
        let ran = self
            .core
            .commands
            .run(
                name.clone(),
                command.clone(),
                values,
                key.clone(),
                MOST_OUTPUT,
            )
            .await;
        let (is_of_host, words) = match ran {
            Ok(output) if output.exit_code == 0 => return None,
            Ok(output) => {
                let said = [output.stdout.0, output.stderr.0].join(&b'\n');
                let said = last_lines(&String::from_utf8_lossy(&said));
                let words = format!(
                    "the command `{name}` ended with exit code {}{}",
                    output.exit_code,
                    printed(said.as_deref())
                );
                (false, words)
            }
            Err(EffectError::Unavailable(why)) => (true, why),
            Err(error) => (false, error.to_string()),
        };
        Some(Unhealthy { is_of_host, words })
    }
}

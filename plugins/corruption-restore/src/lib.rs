//! Restores the newest verified backup over corrupt data and starts the target again.
//!
//! Invariant: nothing is stopped before there is a backup to restore; of a job that cannot be restored in place the host
//! gives none.
//! Invariant: what was stopped for a restore that fails is started again.
//! Invariant: the backup is older than the detection, so the corrupt data, which the host saves before a restore,
//! is never what is restored.

mod decide;

use decide::{Process, describe_loss, left_after_failure, operator_steps};
use mainstay_plugin_sdk::recovery::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt::Display;

/// What is restored.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RestoreSettings {
    /// The backup job that holds the target's data. The chain's step may name another one: `params = { job = "…" }`.
    job: Option<String>,
}

/// Restores the target's data.
#[derive(Debug, Default)]
pub struct CorruptionRestore;

impl RecoveryHandler for CorruptionRestore {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let step: RestoreSettings = op.params_as()?;
        let settings: RestoreSettings = host.settings()?;
        let Some(job) = step.job.or(settings.job) else {
            return Err(RecoveryFailure::Permanent(
                "no backup job is named: set `job` in the plugin's settings or in the step's params".into(),
            ));
        };
        let Some(backup) = host.backup(&job).newest_before(op.detected_at)? else {
            return Err(RecoveryFailure::NeedsOperator(operator_steps(
                &op.target, &job,
            )));
        };
        let mut report = Report::default();
        let process = Process::of(&host.target(&op.target).status()?);
        if process == Process::Running {
            host.target(&op.target).stop()?;
            report = report.and(format!("stopped {}", op.target));
        }
        let restored = match host.backup(&job).restore(&backup.id) {
            Ok(restored) => restored,
            Err(error) => {
                let started = match process {
                    Process::Running => Some(host.target(&op.target).start()),
                    Process::Stopped | Process::Unmanaged => None,
                };
                return Err(left_after_failure(error.into(), started));
            }
        };
        report = report.and(format!(
            "restored {}, {}, from {}",
            counted(restored.documents, "document"),
            counted(restored.bytes, "byte"),
            backup.id
        ));
        if process != Process::Unmanaged {
            host.target(&op.target).start()?;
            report = report.and(format!("started {}", op.target));
        }
        Ok(report.losing(describe_loss(&backup, host.now())))
    }
}

/// A number of things, by the noun of one of them.
fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

export_recovery_handler!(
    CorruptionRestore,
    handles = ["data-corruption"],
    capabilities = [
        "backup" => "find the newest verified backup of the target's data and restore it",
        "target" => "see whether the target runs (`status`), and `stop` and `start` it around the restore",
    ],
    settings = RestoreSettings,
);

#[cfg(test)]
mod tests;

//! Runs commands that the operator granted, one after the other, with conditions on how they exit: to promote a replica or
//! repair a file takes a few lines of the config and no code.
//!
//! Invariant: it runs what the config names, in that order, and nothing else.
//! Invariant: a dry run shows every step, for how a command will exit nobody knows.

mod decide;

use decide::{Next, Step, exited};
use mainstay_plugin_sdk::recovery::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// What is run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// The commands, in order. The chain's step may have others: `params = { steps = [{ command = "…" }] }`.
    steps: Vec<Step>,
}

/// Runs the commands.
#[derive(Debug, Default)]
pub struct RunCommand;

impl RecoveryHandler for RunCommand {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let params: RunSettings = op.params_as()?;
        let steps = match params.steps.is_empty() {
            true => host.settings::<RunSettings>()?.steps,
            false => params.steps,
        };
        if steps.is_empty() {
            return Err(RecoveryFailure::Permanent(
                "no command is named: set `steps` in the step's params or in the plugin's settings, \
                 e.g. params = { steps = [{ command = \"promote\" }] }"
                    .into(),
            ));
        }
        let facts = [
            ("target", op.target.clone()),
            ("failure", op.failure.clone()),
            ("operation", op.id.clone()),
            ("attempt", op.attempt.to_string()),
        ];
        let mut report = Report::default();
        for step in &steps {
            let arguments = step.arguments(&facts);
            let arguments: Vec<(&str, &str)> = arguments
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let output = match host.command(&step.command, &arguments) {
                Ok(output) => output,
                Err(error) => return Err(after(&report, &step.command, error.into())),
            };
            if op.dry_run {
                report = report.and(format!("would run `{}`", step.command));
                continue;
            }
            let how = exited(output.exit_code, &output.stdout, &output.stderr);
            let failure = match step.after(output.exit_code) {
                Next::Continue => {
                    report = report.and(format!("ran `{}`: {how}", step.command));
                    continue;
                }
                Next::Done => {
                    return Ok(report.and(format!("ran `{}`: {how}; that is all", step.command)));
                }
                Next::Retry => RecoveryFailure::Retryable(how),
                Next::Fail => RecoveryFailure::Permanent(how),
                Next::Ask => return Err(RecoveryFailure::NeedsOperator(step.for_a_person(&how))),
            };
            return Err(after(&report, &step.command, failure));
        }
        Ok(report)
    }
}

/// The failure of a command with its name, and with what was done before it.
fn after(report: &Report, command: &str, failure: RecoveryFailure) -> RecoveryFailure {
    let text = |why: String| match report.actions.is_empty() {
        true => format!("`{command}`: {why}"),
        false => format!(
            "`{command}`: {why}; before it: {}",
            report.actions.join(", ")
        ),
    };
    match failure {
        RecoveryFailure::Retryable(why) => RecoveryFailure::Retryable(text(why)),
        RecoveryFailure::Permanent(why) => RecoveryFailure::Permanent(text(why)),
        asking => asking,
    }
}

export_recovery_handler!(
    RunCommand,
    handles = ["service-down", "data-corruption"],
    capabilities = ["command" => "run the commands that `steps` names"],
    settings = RunSettings,
);

#[cfg(test)]
mod tests;

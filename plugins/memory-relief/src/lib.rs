//! Frees memory by a signal, by commands, and at last by a restart, and looks after each whether it helped.
//!
//! Invariant: it succeeds only where the checks that saw the failure pass.
//! Invariant: nothing is done where they pass already: after a crash of the host it begins anew, and what it did may have
//! helped. Where no check saw the failure a person asked for it, and it is done.

mod decide;
mod settings;

use decide::{Step, steps};
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::DurationText;
pub use settings::ReliefSettings;
use std::time::Duration;

/// How long the checks may take to pass where the settings do not say.
const SETTLE: Duration = Duration::from_secs(5);

/// Frees memory.
#[derive(Debug, Default)]
pub struct MemoryRelief;

impl RecoveryHandler for MemoryRelief {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: ReliefSettings = host.settings()?;
        let steps = steps(&settings);
        if steps.is_empty() {
            return Err(RecoveryFailure::Permanent(
                "nothing is set that frees memory: set `signal` or `commands` in the settings, or leave `restart` true"
                    .into(),
            ));
        }
        if op.dry_run {
            return plan(&steps, op, host);
        }
        if op.is_seen_by_checks() && op.still_seen(host, Duration::ZERO)?.is_none() {
            return Ok(Report::action("found its checks passing"));
        }
        let settle = settings.settle.map_or(SETTLE, DurationText::get);
        let mut report = Report::default();
        let mut last = String::new();
        for step in &steps {
            report = report.and(act(step, op, host)?);
            match op.still_seen(host, settle) {
                Ok(None) => return Ok(report.and("saw its checks pass")),
                Ok(Some(seen)) => last = seen,
                // What nobody can look at, for the signal has ended it, a later step may start again.
                Err(error) if error.is_temporary() => error.text().clone_into(&mut last),
                Err(error) => return Err(error.into()),
            }
        }
        Err(RecoveryFailure::Retryable(format!(
            "nothing helped; {}; then {last}",
            report.actions.join("; ")
        )))
    }
}

/// Asks for every step, which nothing performs.
fn plan(steps: &[Step], op: &Operation, host: &mut impl Host) -> Result<Report> {
    let mut report = Report::default();
    for step in steps {
        act(step, op, host)?;
        report = report.and(step.planned(&op.target));
    }
    Ok(report)
}

/// Takes a step and tells of it. One that fails does not keep the next one back; one that is not granted ends it.
fn act(step: &Step, op: &Operation, host: &mut impl Host) -> Result<String> {
    let target = &op.target;
    let acted = match step {
        Step::Signal(release) => host.target(target).signal(release.signal()),
        Step::Restart => host.target(target).restart(),
        Step::Command(name) => host.command(name, &[]).and_then(|output| {
            let failed = || EffectError::Failed(format!("it ended with {}", output.exit_code));
            output.success().then_some(()).ok_or_else(failed)
        }),
    };
    match acted {
        Ok(()) => Ok(step.done(target)),
        Err(error @ (EffectError::Denied(_) | EffectError::Limited(_))) => Err(error.into()),
        Err(error) => Ok(step.failed(target, error.text())),
    }
}

export_recovery_handler!(
    MemoryRelief,
    handles = ["memory-overflow"],
    capabilities = [
        "target" => "see whether a step helped (`check`), have the process free memory (`signal`), and at last `restart` it",
        "command" => "run the commands that `commands` names",
    ],
    settings = ReliefSettings,
);

#[cfg(test)]
mod tests;

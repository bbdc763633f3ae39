//! Waits out a partition, or takes another path, and connects anew.
//!
//! Invariant: it succeeds only where the checks that saw the failure pass.
//! Invariant: nobody connects anew while the network is not there.
//! Invariant: each attempt begins with the first path, so what is found well again is gone back to.

mod decide;

pub use decide::FailoverSettings;
use decide::still_partitioned;
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::DurationText;
use std::time::Duration;

/// Recovers from a partition.
#[derive(Debug, Default)]
pub struct NetworkFailover;

impl RecoveryHandler for NetworkFailover {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: FailoverSettings = host.settings()?;
        if op.dry_run {
            return plan(&settings, host);
        }
        let mut report = match op.still_seen(host, settings.wait())? {
            None => Report::action("saw the network come back"),
            Some(seen) => other_path(&settings, op, host, seen)?,
        };
        for name in &settings.reconnect {
            let output = host.command(name, &[])?;
            if !output.success() {
                return Err(RecoveryFailure::Retryable(format!(
                    "{}; `{name}` ended with {}",
                    report.actions.join("; "),
                    output.exit_code
                )));
            }
            report = report.and(format!("ran `{name}`"));
        }
        match op.still_seen(host, Duration::ZERO)? {
            None => Ok(report.and("saw its checks pass")),
            Some(seen) => Err(RecoveryFailure::Retryable(still_partitioned(
                &report.actions,
                &seen,
            ))),
        }
    }
}

/// Takes one path after the other until the checks pass. A path that cannot be taken does not keep the next one back.
fn other_path(
    settings: &FailoverSettings,
    op: &Operation,
    host: &mut impl Host,
    mut seen: String,
) -> Result<Report> {
    let waited = DurationText::from(settings.wait());
    let mut report = Report::action(format!("waited {waited}"));
    for name in &settings.paths {
        let output = match host.command(name, &[]) {
            Ok(output) => output,
            Err(error @ (EffectError::Denied(_) | EffectError::Limited(_))) => {
                return Err(error.into());
            }
            Err(error) => {
                report = report.and(format!("could not take `{name}`: {}", error.text()));
                continue;
            }
        };
        if !output.success() {
            let code = output.exit_code;
            report = report.and(format!("could not take `{name}`: it ended with {code}"));
            continue;
        }
        report = report.and(format!("took `{name}`"));
        match op.still_seen(host, settings.settle()) {
            Ok(None) => return Ok(report),
            Ok(Some(last)) => seen = last,
            // A path on which nobody can look, for it leads to no name server, does not keep the next one back either.
            Err(error) if error.is_temporary() => error.text().clone_into(&mut seen),
            Err(error) => return Err(error.into()),
        }
    }
    Err(RecoveryFailure::Retryable(still_partitioned(
        &report.actions,
        &seen,
    )))
}

/// Asks for every command, none of which runs.
fn plan(settings: &FailoverSettings, host: &mut impl Host) -> Result<Report> {
    let waited = DurationText::from(settings.wait());
    let mut report = Report::action(format!("would wait {waited}"));
    for name in &settings.paths {
        host.command(name, &[])?;
        report = report.and(format!("would take `{name}`"));
    }
    for name in &settings.reconnect {
        host.command(name, &[])?;
        report = report.and(format!("would run `{name}`"));
    }
    Ok(report)
}

export_recovery_handler!(
    NetworkFailover,
    handles = ["network-partition"],
    capabilities = [
        "target" => "see whether the network is there (`check`)",
        "command" => "run the commands that `paths` and `reconnect` name",
    ],
    settings = FailoverSettings,
);

#[cfg(test)]
mod tests;

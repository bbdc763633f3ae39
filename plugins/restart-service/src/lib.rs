//! Restarts a failed service and, if asked to, waits until its checks pass.
//!
//! Invariant: nothing waits before the first look, and without settings nothing looks: the host verifies anyway.

use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How a service is restarted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RestartSettings {
    /// How long the checks may take to pass before the restart counts as failed. Needs the grant
    /// `target = ["check"]`. Without it the plugin does not look, and the host verifies alone.
    wait: Option<DurationText>,
    /// How long to let the service settle before the host verifies it; ends as soon as its checks pass, or at once
    /// where `check` is not granted. Unlike `wait` it never fails the restart.
    grace: Option<DurationText>,
}

/// Restarts the target.
#[derive(Debug, Default)]
pub struct RestartService;

impl RecoveryHandler for RestartService {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: RestartSettings = host.settings()?;
        host.target(&op.target).restart()?;
        let report = Report::action(format!("restarted {}", op.target));
        // Nothing was restarted, and no pause of a dry run takes any time.
        if op.dry_run {
            return Ok(report);
        }
        if let Some(wait) = settings.wait {
            return match watch(op, host, wait.get())? {
                Seen::Passing => Ok(report.and("saw its checks pass")),
                Seen::Failing(why) => Err(RecoveryFailure::Retryable(format!(
                    "restarted {}, and its checks did not pass within {wait}: {why}",
                    op.target
                ))),
            };
        }
        if let Some(grace) = settings.grace {
            match watch(op, host, grace.get()) {
                Ok(Seen::Passing) => return Ok(report.and("saw its checks pass")),
                Ok(Seen::Failing(why)) => {
                    host.log(
                        Level::Warn,
                        "still failing after its grace",
                        &[("saw", &why)],
                    );
                }
                Err(EffectError::Denied(why)) => {
                    host.log(Level::Info, "does not look: not granted", &[("why", &why)]);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(report)
    }
}

/// What was seen last.
enum Seen {
    Passing,
    Failing(String),
}

/// Looks at the target's checks until they pass or `limit` is over.
fn watch(op: &Operation, host: &mut impl Host, limit: Duration) -> Result<Seen, EffectError> {
    let failing = host.target(&op.target).watch(limit, |_| true)?;
    Ok(match failing.first() {
        None => Seen::Passing,
        Some(first) => Seen::Failing(format!("{}: {}", first.check, first.message)),
    })
}

export_recovery_handler!(
    RestartService,
    handles = ["service-down", "api-gateway-down", "trading-engine-crash", "memory-overflow"],
    capabilities = [
        "target" => "restart the failed service; with `check`, see whether it serves again",
    ],
    settings = RestartSettings,
);

#[cfg(test)]
mod tests;

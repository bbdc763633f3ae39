//! Drains a failed service by a command, waits until it is empty, and restarts it.
//!
//! Whatever ends the host meanwhile: the service is drained once, and only what is left of the pause is waited for.

mod decide;

pub use decide::wait_ms;
use mainstay_plugin_sdk::durable::*;
use mainstay_plugin_sdk::settings::DurationText;
use std::time::Duration;

/// How it is drained.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draining {
    /// The command that takes no new work to the service; the grant `command` has to name it.
    pub command: String,
    /// How long the work that it has may take; default 30s.
    #[serde(default)]
    pub pause: Option<DurationText>,
    /// In place of the pause a signal of this name is waited for, as long: `mainstay operation signal ID NAME`.
    #[serde(default)]
    pub signal: Option<String>,
}

/// Drains, waits, restarts.
#[derive(Debug, Default)]
pub struct DrainRestart;

impl DurableRecoveryHandler for DrainRestart {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let draining: Draining = host.settings()?;
        let output = host.command(&draining.command, &[])?;
        if !output.success() {
            return Err(RecoveryFailure::Retryable(format!(
                "{} ended with {}",
                draining.command, output.exit_code
            )));
        }
        let pause = draining
            .pause
            .map_or(Duration::from_secs(30), DurationText::get);
        let wait = wait_ms(to_duration_ms(pause), host.random_number());
        let until = host.now().saturating_add(wait);
        let how = match &draining.signal {
            None => {
                host.sleep_until(until);
                "drained it"
            }
            Some(name) => match host.await_signal(name, until) {
                Ok(_) => "drained it, as was signalled",
                // Who says nothing says that it may be restarted.
                Err(EffectError::TimedOut(_)) => "drained it, and heard nothing",
                // Where nobody can signal, the pause is what it would be without.
                Err(EffectError::Unavailable(_)) => {
                    host.sleep_until(until);
                    "drained it, for nobody can signal here"
                }
                Err(error) => return Err(error.into()),
            },
        };
        host.target(&op.target).restart()?;
        Ok(Report::action(how).and(format!("restarted {}", op.target)))
    }
}

export_durable_recovery_handler!(
    DrainRestart,
    handles = ["service-down"],
    capabilities = [
        "target" => "restart the failed service",
        "command" => "drain it first",
    ],
    settings = Draining,
);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, operation};

    const SETTINGS: &str = r#"{"command": "drain", "pause": "10s"}"#;

    fn host(settings: &str) -> ScriptedHost {
        let mut host = ScriptedHost::new();
        host.set_settings(settings);
        host
    }

    fn recover(host: &mut ScriptedHost) -> Result<Report> {
        DrainRestart.recover(&operation("api", "service-down"), host)
    }

    #[test]
    fn the_service_is_drained_then_waited_for_then_restarted() {
        let mut host = host(SETTINGS);
        let report = recover(&mut host).unwrap();
        assert_eq!(report.actions, ["drained it", "restarted api"]);
        let effects = host.effects();
        assert_eq!(effects[0], Effect::command("drain", &[]));
        assert!(matches!(effects[1], Effect::SleepUntil(_)));
        assert_eq!(effects[2], Effect::Restart("api".into()));
    }

    #[test]
    fn a_signal_ends_the_wait_and_its_absence_only_lengthens_it() {
        let settings = r#"{"command": "drain", "signal": "empty"}"#;
        let mut signalled = host(settings);
        signalled.on_await_signal("empty", Ok(String::new()));
        let report = recover(&mut signalled).unwrap();
        assert_eq!(report.actions[0], "drained it, as was signalled");
        let report = recover(&mut host(settings)).unwrap();
        assert_eq!(report.actions[0], "drained it, and heard nothing");
        let mut deaf = host(settings);
        deaf.on_await_signal("empty", Err(EffectError::Unavailable("no signals".into())));
        let report = recover(&mut deaf).unwrap();
        assert_eq!(report.actions[0], "drained it, for nobody can signal here");
        assert!(matches!(deaf.effects()[2], Effect::SleepUntil(_)));
    }

    #[test]
    fn what_cannot_be_drained_is_not_restarted() {
        let mut host = host(SETTINGS);
        let failed = Output {
            exit_code: 1,
            stdout: Vec::new(),
            stderr: Vec::new(),
            truncated: false,
        };
        host.on_command("drain", Ok(failed));
        let failure = recover(&mut host).unwrap_err();
        assert!(matches!(failure, RecoveryFailure::Retryable(_)));
        assert_eq!(host.effects().len(), 1);
    }
}

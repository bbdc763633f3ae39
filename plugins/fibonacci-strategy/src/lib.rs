//! Waits by the Fibonacci numbers between the attempts of a recovery.

mod decide;

pub use decide::wait_ms;
use mainstay_plugin_sdk::settings::DurationText;
use mainstay_plugin_sdk::strategy::*;
use std::time::Duration;

/// How long is waited: the settings, and in their place the parameters of a route's strategy.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waits {
    /// The first wait, and what all others are multiples of; default 1s.
    #[serde(default)]
    pub unit: Option<DurationText>,
    /// The longest wait; default 60s.
    #[serde(default)]
    pub longest: Option<DurationText>,
    /// After so many failed attempts a person is asked; default: never, the route's `max_attempts` ends it.
    #[serde(default)]
    pub ask_after: Option<u32>,
}

/// Decides by the number of failed attempts.
#[derive(Debug, Default)]
pub struct FibonacciStrategy;

impl RecoveryStrategy for FibonacciStrategy {
    fn next(&self, situation: &Situation, host: &mut impl Host) -> Result<NextStep> {
        // What a route says stands in place of what is said for all.
        let waits: Waits = match situation.params.as_str() {
            "{}" => host.settings()?,
            _ => situation.params_as()?,
        };
        let failed = situation.failed_attempts();
        if waits.ask_after.is_some_and(|most| failed >= most) {
            let why = format!("{failed} attempts did not help");
            return Ok(NextStep::Escalate(why));
        }
        let wait = wait_ms(
            failed,
            millis(waits.unit, Duration::from_secs(1)),
            millis(waits.longest, Duration::from_secs(60)),
        );
        Ok(NextStep::AttemptAfter(wait))
    }
}

fn millis(written: Option<DurationText>, default: Duration) -> DurationMs {
    to_duration_ms(written.map_or(default, DurationText::get))
}

export_recovery_strategy!(FibonacciStrategy, settings = Waits);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{ScriptedHost, situation};

    fn next(settings: &str, failed: u32) -> NextStep {
        let mut situation = situation("api", "service-down");
        situation.attempts[0].number = failed;
        let mut host = ScriptedHost::new();
        host.set_settings(settings);
        FibonacciStrategy.next(&situation, &mut host).unwrap()
    }

    #[test]
    fn the_waits_grow_by_the_operators_unit() {
        assert_eq!(next("{}", 4), NextStep::AttemptAfter(3_000));
        assert_eq!(next(r#"{"unit": "10ms"}"#, 5), NextStep::AttemptAfter(50));
        let short = r#"{"unit": "10s", "longest": "15s"}"#;
        assert_eq!(next(short, 9), NextStep::AttemptAfter(15_000));
    }

    #[test]
    fn what_a_route_says_stands_in_place_of_the_settings() {
        let mut situation = situation("api", "service-down");
        situation.params = r#"{"unit": "3s"}"#.into();
        let mut host = ScriptedHost::new();
        host.set_settings(r#"{"unit": "10ms", "longest": "20ms"}"#);
        let next = FibonacciStrategy.next(&situation, &mut host).unwrap();
        assert_eq!(next, NextStep::AttemptAfter(3_000));
    }

    #[test]
    fn a_person_is_asked_where_the_operator_says_so() {
        let settings = r#"{"ask_after": 2}"#;
        assert_eq!(next(settings, 1), NextStep::AttemptAfter(1_000));
        assert!(matches!(next(settings, 2), NextStep::Escalate(_)));
    }
}

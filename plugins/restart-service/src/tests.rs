//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, evidence, operation};

fn failing() -> Result<Vec<Evidence>, EffectError> {
    Ok(vec![evidence("http", "connection refused")])
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    RestartService.recover(&operation("api", "service-down"), host)
}

#[test]
fn without_settings_it_restarts_and_hands_over() {
    let mut host = ScriptedHost::new();
    assert_eq!(run(&mut host).unwrap(), Report::action("restarted api"));
    assert_eq!(host.effects(), [Effect::Restart("api".into())]);
}

#[test]
fn a_service_that_serves_at_once_is_not_waited_for() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"wait": "20s"}"#);
    assert_eq!(
        run(&mut host).unwrap().actions,
        ["restarted api", "saw its checks pass"]
    );
    assert_eq!(
        host.effects(),
        [Effect::Restart("api".into()), Effect::Check("api".into())]
    );
}

#[test]
fn it_looks_until_the_checks_pass() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"wait": "20s"}"#)
        .on_check("api", failing())
        .on_check("api", failing());
    assert!(run(&mut host).is_ok());
    let sleeps = host
        .effects()
        .iter()
        .filter(|effect| matches!(effect, Effect::Sleep(_)))
        .count();
    assert_eq!(sleeps, 2);
}

#[test]
fn checks_that_keep_failing_are_a_retryable_failure_that_says_what_was_seen() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"wait": "100ms"}"#);
    for _ in 0..10 {
        host.on_check("api", failing());
    }
    let Err(RecoveryFailure::Retryable(why)) = run(&mut host) else {
        panic!("not retryable")
    };
    assert_eq!(
        why,
        "restarted api, and its checks did not pass within 100ms: http: connection refused"
    );
}

#[test]
fn grace_waits_for_the_checks_and_never_fails() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"grace": "50ms"}"#);
    for _ in 0..10 {
        host.on_check("api", failing());
    }
    assert_eq!(run(&mut host).unwrap(), Report::action("restarted api"));
    assert_eq!(host.logs().len(), 1);
}

#[test]
fn grace_ends_at_once_where_looking_is_not_granted() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"grace": "2s"}"#);
    host.on_check(
        "api",
        Err(EffectError::Denied("target = [\"check\"]".into())),
    );
    assert_eq!(run(&mut host).unwrap(), Report::action("restarted api"));
    assert!(
        !host
            .effects()
            .iter()
            .any(|effect| matches!(effect, Effect::Sleep(_)))
    );
}

#[test]
fn a_dry_run_is_not_watched() {
    for settings in [r#"{"wait": "20s"}"#, r#"{"grace": "20s"}"#] {
        let mut host = ScriptedHost::new();
        host.set_settings(settings).on_check("api", failing());
        let mut op = operation("api", "service-down");
        op.dry_run = true;
        let report = RestartService.recover(&op, &mut host).unwrap();
        assert_eq!(report, Report::action("restarted api"));
        assert_eq!(host.effects(), [Effect::Restart("api".into())]);
    }
}

#[test]
fn what_the_restart_says_decides_whether_another_attempt_may_help() {
    fn check(error: EffectError, expected: RecoveryFailure) {
        let mut host = ScriptedHost::new();
        host.on_restart("api", Err(error));
        assert_eq!(run(&mut host).unwrap_err(), expected);
    }
    let text = || String::from("why");
    check(
        EffectError::Denied(text()),
        RecoveryFailure::Permanent(text()),
    );
    check(
        EffectError::Limited(text()),
        RecoveryFailure::Permanent(text()),
    );
    check(
        EffectError::Failed(text()),
        RecoveryFailure::Permanent(text()),
    );
    check(
        EffectError::TimedOut(text()),
        RecoveryFailure::Retryable(text()),
    );
    check(
        EffectError::Unavailable(text()),
        RecoveryFailure::Retryable(text()),
    );
}

#[test]
fn it_describes_itself_from_its_manifest() {
    let descriptor = RestartService::descriptor();
    assert_eq!(descriptor.name, "restart-service");
    assert_eq!(descriptor.version, env!("CARGO_PKG_VERSION"));
    assert!(descriptor.settings_schema.unwrap().contains("\"grace\""));
    assert!(RestartService::configure(r#"{"grace": "2s"}"#).is_ok());
    assert!(
        RestartService::configure(r#"{"grace": 2}"#)
            .unwrap_err()
            .starts_with("settings.grace")
    );
}

//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, evidence, operation};

const URL: &str = "http://127.0.0.1:8001/rate-limits";

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(format!(
        r#"{{"clear": "clear-limits", "limits": "{URL}", "headers": {{"authorization": "Bearer ${{secret:admin}}"}},
           "within": "100ms"}}"#
    ));
    host
}

fn down(host: &mut ScriptedHost, looks: usize) {
    for _ in 0..looks {
        host.on_check("gateway", Ok(vec![evidence("http", "connection refused")]));
    }
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    GatewayRecovery.recover(&operation("gateway", "api-gateway-down"), host)
}

/// What it did, without its looks and pauses.
fn acts(host: &ScriptedHost) -> Vec<Effect> {
    let effects = host.effects().iter();
    effects
        .filter(|effect| !matches!(effect, Effect::Check(_) | Effect::Sleep(_)))
        .cloned()
        .collect()
}

fn request() -> Effect {
    Effect::Http {
        method: Method::Delete,
        url: URL.into(),
        headers: vec![("authorization".into(), "Bearer ${secret:admin}".into())],
        body: String::new(),
    }
}

#[test]
fn limits_of_the_store_are_cleared_before_the_restart_and_those_of_the_gateway_when_it_serves() {
    let mut host = host();
    // Before anything, and once while it starts.
    down(&mut host, 2);
    host.on_http(URL, Ok(Response::new(204, "")));
    let report = run(&mut host).unwrap();
    let actions = [
        "ran `clear-limits`",
        "restarted gateway",
        "cleared its rate limits",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
    let expected = [
        Effect::command("clear-limits", &[]),
        Effect::Restart("gateway".into()),
        request(),
    ];
    assert_eq!(acts(&host), expected);
}

#[test]
fn a_gateway_that_does_not_serve_after_it_is_no_success() {
    let mut host = host();
    down(&mut host, 9);
    let RecoveryFailure::Retryable(why) = run(&mut host).unwrap_err() else {
        panic!("not retryable")
    };
    let expected =
        "ran `clear-limits`; restarted gateway; its checks do not pass: http: connection refused";
    assert_eq!(why, expected);
    assert_eq!(acts(&host).len(), 2, "nobody asks what does not serve");
    // It serves, and falls over when its limits are cleared.
    let mut host = self::host();
    down(&mut host, 1);
    host.on_check("gateway", Ok(Vec::new()));
    down(&mut host, 1);
    host.on_http(URL, Ok(Response::new(200, "")));
    assert!(matches!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Retryable(_)
    ));
}

#[test]
fn what_serves_again_is_not_restarted_and_its_limits_are_cleared() {
    let mut host = host();
    host.on_http(URL, Ok(Response::new(404, "")));
    let report = run(&mut host).unwrap();
    let actions = [
        "ran `clear-limits`",
        "found no rate limits",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
    assert!(!acts(&host).contains(&Effect::Restart("gateway".into())));
    // A person who asks for a restart gets one.
    let mut op = operation("gateway", "api-gateway-down");
    op.evidence = vec![evidence("operator", "anna asked for it")];
    host.set_settings("{}");
    let report = GatewayRecovery.recover(&op, &mut host).unwrap();
    assert_eq!(report.actions, ["restarted gateway", "saw its checks pass"]);
}

fn limits(host: &mut ScriptedHost, looks: usize) {
    for _ in 0..looks {
        let saw = evidence("http", "GET http://127.0.0.1:8000/ answered 429");
        host.on_check("gateway", Ok(vec![saw]));
    }
}

#[test]
fn a_gateway_that_limits_its_checks_has_its_limits_cleared_and_is_not_restarted() {
    let mut host = host();
    limits(&mut host, 1);
    host.on_http(URL, Ok(Response::new(204, "")));
    let report = run(&mut host).unwrap();
    let actions = [
        "ran `clear-limits`",
        "cleared its rate limits",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
    assert_eq!(
        acts(&host),
        [Effect::command("clear-limits", &[]), request()]
    );
}

#[test]
fn a_gateway_that_limits_still_is_restarted_and_asked_once_more() {
    for first in [204, 503] {
        let mut host = host();
        limits(&mut host, 2);
        host.on_http(URL, Ok(Response::new(first, "")));
        host.on_http(URL, Ok(Response::new(204, "")));
        run(&mut host).unwrap();
        let expected = [
            Effect::command("clear-limits", &[]),
            request(),
            Effect::Restart("gateway".into()),
            request(),
        ];
        assert_eq!(acts(&host), expected, "{first}");
    }
}

#[test]
fn limits_that_are_not_cleared_fail_the_attempt() {
    let mut host = host();
    let failed = Output {
        exit_code: 2,
        stdout: Vec::new(),
        stderr: Vec::new(),
        truncated: false,
    };
    host.on_command("clear-limits", Ok(failed));
    let why = "`clear-limits` ended with 2";
    assert_eq!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Retryable(why.into())
    );
    host.on_http(URL, Ok(Response::new(401, "who?")));
    let why = "the rate limits: it answered 401: who?";
    assert_eq!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Permanent(why.into())
    );
}

#[test]
fn a_dry_run_asks_for_all_of_it_and_looks_at_nothing() {
    let mut host = host();
    host.on_http(URL, Ok(Response::new(200, "")));
    let mut op = operation("gateway", "api-gateway-down");
    op.dry_run = true;
    let report = GatewayRecovery.recover(&op, &mut host).unwrap();
    assert_eq!(report.actions.len(), 3);
    let expected = [
        Effect::command("clear-limits", &[]),
        Effect::Restart("gateway".into()),
        request(),
    ];
    assert_eq!(host.effects(), expected);
}

#[test]
fn settings_are_checked_before_anything_is_done() {
    for (settings, expected) in [
        (
            r#"{"limits": "/limits"}"#,
            "settings.limits: found \"/limits\"",
        ),
        (r#"{"within": "1"}"#, "settings.within: found \"1\""),
        (r#"{"reset": "x"}"#, "unknown field `reset`"),
    ] {
        let message = GatewayRecovery::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    assert!(GatewayRecovery::configure("{}").is_ok());
}

//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, evidence, operation};

const SETTINGS: &str = r#"{"wait": "50ms", "settle": "50ms", "paths": ["by-dsl", "by-lte"],
    "reconnect": ["connect-redis", "write-positions"]}"#;

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    host
}

fn cut(host: &mut ScriptedHost, looks: usize) {
    for _ in 0..looks {
        host.on_check("exchange", Ok(vec![evidence("http", "no route")]));
    }
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    NetworkFailover.recover(&operation("exchange", "network-partition"), host)
}

/// The commands that it ran.
fn commands(host: &ScriptedHost) -> Vec<&str> {
    let effects = host.effects().iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Command { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect()
}

fn exited(exit_code: i32) -> Result<Output, EffectError> {
    Ok(Output {
        exit_code,
        stdout: Vec::new(),
        stderr: Vec::new(),
        truncated: false,
    })
}

#[test]
fn what_passes_by_itself_is_waited_for_and_connected_anew() {
    let mut host = host();
    cut(&mut host, 1);
    let report = run(&mut host).unwrap();
    let actions = [
        "saw the network come back",
        "ran `connect-redis`",
        "ran `write-positions`",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
    assert_eq!(commands(&host), ["connect-redis", "write-positions"]);
}

#[test]
fn the_first_path_on_which_the_checks_pass_is_stayed_on() {
    let mut host = host();
    // While it waits, and on the first path.
    cut(&mut host, 4);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[..3],
        ["waited 50ms", "took `by-dsl`", "took `by-lte`"]
    );
    let ran = ["by-dsl", "by-lte", "connect-redis", "write-positions"];
    assert_eq!(commands(&host), ran);
}

#[test]
fn a_path_that_cannot_be_taken_does_not_keep_the_next_one_back() {
    let mut host = host();
    cut(&mut host, 2);
    host.on_command("by-dsl", exited(1));
    let report = run(&mut host).unwrap();
    let actions = [
        "waited 50ms",
        "could not take `by-dsl`: it ended with 1",
        "took `by-lte`",
    ];
    assert_eq!(report.actions[..3], actions);
    cut(&mut host, 2);
    host.on_command(
        "by-dsl",
        Err(EffectError::TimedOut("killed after 30s".into())),
    );
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[1],
        "could not take `by-dsl`: killed after 30s"
    );
}

#[test]
fn a_path_on_which_nobody_can_look_does_not_keep_the_next_one_back() {
    let mut host = host();
    cut(&mut host, 2);
    for _ in 0..2 {
        let unseen = EffectError::Unavailable("no name server answers".into());
        host.on_check("exchange", Err(unseen));
    }
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[..3],
        ["waited 50ms", "took `by-dsl`", "took `by-lte`"]
    );
    // Where nobody can look before anything is begun, nothing is.
    let mut host = self::host();
    for _ in 0..2 {
        let unseen = EffectError::Unavailable("no name server answers".into());
        host.on_check("exchange", Err(unseen));
    }
    let why = "no name server answers";
    assert_eq!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Retryable(why.into())
    );
    assert!(commands(&host).is_empty());
}

#[test]
fn where_no_path_helps_nobody_connects_anew_and_another_attempt_may_help() {
    let mut host = host();
    cut(&mut host, 9);
    let why = "waited 50ms; took `by-dsl`; took `by-lte`; still http: no route";
    assert_eq!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Retryable(why.into())
    );
    assert_eq!(commands(&host), ["by-dsl", "by-lte"]);
}

#[test]
fn who_cannot_connect_anew_fails_the_attempt_and_so_does_a_network_that_goes_again() {
    let mut host = host();
    host.on_command("connect-redis", exited(7));
    let why = "saw the network come back; `connect-redis` ended with 7";
    assert_eq!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Retryable(why.into())
    );
    host.on_check("exchange", Ok(Vec::new()));
    cut(&mut host, 1);
    let failure = run(&mut host).unwrap_err();
    assert!(
        matches!(failure, RecoveryFailure::Retryable(_)),
        "{failure:?}"
    );
    host.deny("commands");
    let failure = run(&mut host).unwrap_err();
    assert!(
        matches!(failure, RecoveryFailure::Permanent(_)),
        "{failure:?}"
    );
}

#[test]
fn a_dry_run_asks_for_every_command_and_waits_for_nothing() {
    let mut host = host();
    let mut op = operation("exchange", "network-partition");
    op.dry_run = true;
    let report = NetworkFailover.recover(&op, &mut host).unwrap();
    let actions = [
        "would wait 50ms",
        "would take `by-dsl`",
        "would take `by-lte`",
        "would run `connect-redis`",
        "would run `write-positions`",
    ];
    assert_eq!(report.actions, actions);
    assert_eq!(host.effects().len(), 4);
}

#[test]
fn settings_are_checked_before_anything_is_done() {
    for (settings, expected) in [
        (r#"{"wait": "5"}"#, "settings.wait: found \"5\""),
        (r#"{"path": "x"}"#, "unknown field `path`"),
        (r#"{"paths": "x"}"#, "settings.paths"),
    ] {
        let message = NetworkFailover::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    assert!(NetworkFailover::configure("{}").is_ok());
}

//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, operation};

const PROMOTE: &str = r#"{"steps": [
    {"command": "check-primary", "placeholders": {"host": "{target}-1"},
     "on_exit": {"0": "done", "1": "continue", "3": "ask", "other": "fail"}, "ask": ["look at the primary"]},
    {"command": "promote", "placeholders": {"why": "{failure}, attempt {attempt} of {operation}"}}
]}"#;

fn output(exit_code: i32, stderr: &str) -> Result<Output, EffectError> {
    Ok(Output {
        exit_code,
        stdout: Vec::new(),
        stderr: stderr.into(),
        truncated: false,
    })
}

fn run(host: &mut ScriptedHost, params: &str) -> Result<Report> {
    let mut op = operation("db", "postgres-down");
    op.params = params.into();
    RunCommand.recover(&op, host)
}

fn check_primary() -> Effect {
    Effect::command("check-primary", &[("host", "db-1")])
}

fn promote() -> Effect {
    Effect::command("promote", &[("why", "postgres-down, attempt 1 of op-1")])
}

#[test]
fn steps_are_run_in_order_while_their_exits_say_so() {
    let mut host = ScriptedHost::new();
    host.on_command("check-primary", output(1, "no answer\n"));
    let report = run(&mut host, PROMOTE).unwrap();
    assert_eq!(
        report.actions,
        [
            "ran `check-primary`: exit 1: no answer",
            "ran `promote`: exit 0"
        ]
    );
    assert_eq!(host.effects(), [check_primary(), promote()]);
}

#[test]
fn what_is_done_is_not_gone_on_with() {
    let mut host = ScriptedHost::new();
    let report = run(&mut host, PROMOTE).unwrap();
    let actions = ["ran `check-primary`: exit 0; that is all"];
    assert_eq!(report.actions, actions);
    assert_eq!(host.effects(), [check_primary()]);
}

#[test]
fn an_exit_says_whether_another_attempt_helps_or_a_person() {
    let mut host = ScriptedHost::new();
    host.on_command("check-primary", output(7, "cannot tell"));
    let why = "`check-primary`: exit 7: cannot tell".to_owned();
    assert_eq!(
        run(&mut host, PROMOTE).unwrap_err(),
        RecoveryFailure::Permanent(why)
    );
    host.on_command("check-primary", output(3, "split"));
    assert_eq!(
        run(&mut host, PROMOTE).unwrap_err(),
        RecoveryFailure::NeedsOperator(vec!["look at the primary".into()])
    );
    host.on_command("check-primary", output(1, ""));
    host.on_command("promote", output(1, "busy"));
    let why = "`promote`: exit 1: busy; before it: ran `check-primary`: exit 1".to_owned();
    assert_eq!(
        run(&mut host, PROMOTE).unwrap_err(),
        RecoveryFailure::Retryable(why)
    );
    assert_eq!(host.effects().len(), 4);
}

#[test]
fn a_command_that_does_not_run_is_named() {
    let mut host = ScriptedHost::new();
    let late = EffectError::TimedOut("killed after 30s".into());
    host.on_command("check-primary", Err(late));
    let why = "`check-primary`: killed after 30s".to_owned();
    assert_eq!(
        run(&mut host, PROMOTE).unwrap_err(),
        RecoveryFailure::Retryable(why)
    );
    host.deny("commands");
    let denied = run(&mut host, PROMOTE).unwrap_err();
    assert!(
        matches!(denied, RecoveryFailure::Permanent(_)),
        "{denied:?}"
    );
}

#[test]
fn steps_of_the_settings_are_run_where_the_chain_names_none() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"steps": [{"command": "repair"}]}"#);
    assert_eq!(
        run(&mut host, "{}").unwrap().actions,
        ["ran `repair`: exit 0"]
    );
    let other = r#"{"steps": [{"command": "other"}]}"#;
    assert_eq!(
        run(&mut host, other).unwrap().actions,
        ["ran `other`: exit 0"]
    );
    assert_eq!(
        host.effects(),
        [
            Effect::command("repair", &[]),
            Effect::command("other", &[])
        ]
    );
}

#[test]
fn a_dry_run_shows_every_step() {
    let mut host = ScriptedHost::new();
    let mut op = operation("db", "postgres-down");
    op.dry_run = true;
    op.params = PROMOTE.into();
    let report = RunCommand.recover(&op, &mut host).unwrap();
    let actions = ["would run `check-primary`", "would run `promote`"];
    assert_eq!(report.actions, actions);
}

#[test]
fn steps_that_say_nothing_or_something_unknown_are_refused() {
    let mut host = ScriptedHost::new();
    for (params, expected) in [
        ("{}", "no command is named"),
        (r#"{"steps": [{"comand": "x"}]}"#, "comand"),
        (
            r#"{"steps": [{"command": "x", "on_exit": {"yes": "done"}}]}"#,
            "`yes` is no exit status",
        ),
        (
            r#"{"steps": [{"command": "x", "on_exit": {"0": "stop"}}]}"#,
            "stop",
        ),
        (r#"{"step": []}"#, "step"),
    ] {
        let RecoveryFailure::Permanent(why) = run(&mut host, params).unwrap_err() else {
            panic!("{params}: not permanent")
        };
        assert!(why.contains(expected), "{params}: {why}");
    }
    assert!(host.effects().is_empty());
    assert!(RunCommand::configure(r#"{"steps": [{"command": "x"}]}"#).is_ok());
    let error =
        RunCommand::configure(r#"{"steps": [{"command": "x", "on_exit": {"300": "done"}}]}"#);
    assert!(error.unwrap_err().contains("`300` is no exit status"));
}

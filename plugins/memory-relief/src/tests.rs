//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, evidence, operation};

const STEPS: &str =
    r#"{"signal": "SIGUSR1", "commands": ["clear-cache", "demote-cold"], "settle": "50ms"}"#;

fn host(settings: &str) -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(settings);
    host
}

/// Scripts so many looks that see too much memory.
fn high(host: &mut ScriptedHost, looks: usize) {
    for _ in 0..looks {
        host.on_check("api", Ok(vec![evidence("memory", "95 % used")]));
    }
}

fn overflow() -> Operation {
    let mut op = operation("api", "memory-overflow");
    op.evidence = vec![evidence("memory", "95 % used")];
    op
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    MemoryRelief.recover(&overflow(), host)
}

/// What it did, without its looks and pauses.
fn acts(host: &ScriptedHost) -> Vec<Effect> {
    let effects = host.effects().iter();
    effects
        .filter(|effect| !matches!(effect, Effect::Check(_) | Effect::Sleep(_)))
        .cloned()
        .collect()
}

#[test]
fn it_ends_with_the_first_step_that_helps() {
    let mut host = host(STEPS);
    // Before anything, and twice after the signal.
    high(&mut host, 3);
    let report = run(&mut host).unwrap();
    let actions = [
        "sent SIGUSR1 to api",
        "ran `clear-cache`",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
    let expected = [
        Effect::Signal("api".into(), Signal::Usr1),
        Effect::command("clear-cache", &[]),
    ];
    assert_eq!(acts(&host), expected);
}

#[test]
fn where_nothing_gentler_helps_it_is_restarted() {
    let mut host = host(STEPS);
    high(&mut host, 7);
    let report = run(&mut host).unwrap();
    assert_eq!(report.actions.len(), 5);
    assert_eq!(report.actions[3], "restarted api");
    assert_eq!(acts(&host).last(), Some(&Effect::Restart("api".into())));
}

#[test]
fn a_step_after_which_nobody_can_look_does_not_keep_the_next_one_back() {
    let mut host = host(r#"{"signal": "SIGUSR1", "settle": "50ms"}"#);
    high(&mut host, 1);
    for _ in 0..2 {
        let unseen = EffectError::Unavailable("it has no process".into());
        host.on_check("api", Err(unseen));
    }
    let report = run(&mut host).unwrap();
    let actions = [
        "sent SIGUSR1 to api",
        "restarted api",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
}

#[test]
fn what_does_not_help_is_no_success() {
    let mut host = host(r#"{"commands": ["clear-cache"], "restart": false, "settle": "50ms"}"#);
    high(&mut host, 9);
    let why = "nothing helped; ran `clear-cache`; then memory: 95 % used";
    assert_eq!(
        run(&mut host).unwrap_err(),
        RecoveryFailure::Retryable(why.into())
    );
}

#[test]
fn memory_that_is_back_within_its_limit_is_left_alone_and_other_checks_say_nothing_of_it() {
    let mut host = host(STEPS);
    host.on_check("api", Ok(vec![evidence("http", "slow")]));
    let report = run(&mut host).unwrap();
    assert_eq!(report.actions, ["found its checks passing"]);
    assert!(acts(&host).is_empty(), "{:?}", host.effects());
    // A person who asks for it gets it.
    let mut op = overflow();
    op.evidence = vec![evidence("operator", "anna asked for it")];
    let report = MemoryRelief.recover(&op, &mut host).unwrap();
    assert_eq!(
        report.actions,
        ["sent SIGUSR1 to api", "saw its checks pass"]
    );
}

#[test]
fn a_step_that_fails_does_not_keep_the_next_one_back_and_one_that_is_not_granted_does() {
    let mut host = host(STEPS);
    high(&mut host, 5);
    let failed = Output {
        exit_code: 3,
        stdout: Vec::new(),
        stderr: Vec::new(),
        truncated: false,
    };
    host.on_signal("api", Err(EffectError::Failed("no process".into())));
    host.on_command("clear-cache", Ok(failed));
    let report = run(&mut host).unwrap();
    let actions = [
        "could not send SIGUSR1 to api: no process",
        "`clear-cache` failed: it ended with 3",
        "ran `demote-cold`",
        "saw its checks pass",
    ];
    assert_eq!(report.actions, actions);
    high(&mut host, 1);
    host.deny("commands");
    host.on_signal("api", Err(EffectError::Failed("no process".into())));
    high(&mut host, 2);
    let denied = run(&mut host).unwrap_err();
    assert!(
        matches!(denied, RecoveryFailure::Permanent(_)),
        "{denied:?}"
    );
}

#[test]
fn a_dry_run_asks_for_every_step_and_waits_for_nothing() {
    let mut host = host(STEPS);
    let mut op = overflow();
    op.dry_run = true;
    let report = MemoryRelief.recover(&op, &mut host).unwrap();
    let actions = [
        "would send SIGUSR1 to api",
        "would run `clear-cache`",
        "would run `demote-cold`",
        "would restart api",
    ];
    assert_eq!(report.actions, actions);
    assert_eq!(host.effects().len(), 4);
}

#[test]
fn settings_that_free_nothing_or_are_unknown_are_refused() {
    let mut empty = host(r#"{"restart": false}"#);
    let RecoveryFailure::Permanent(why) = run(&mut empty).unwrap_err() else {
        panic!("not permanent")
    };
    assert!(why.contains("nothing is set that frees memory"), "{why}");
    assert!(empty.effects().is_empty());
    for (settings, expected) in [
        (r#"{"signal": "SIGKILL"}"#, "SIGUSR1"),
        (r#"{"command": "x"}"#, "unknown field `command`"),
        (r#"{"settle": "5"}"#, "settings.settle"),
    ] {
        let message = MemoryRelief::configure(settings).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    assert!(MemoryRelief::configure("{}").is_ok());
    assert!(MemoryRelief::configure(STEPS).is_ok());
}

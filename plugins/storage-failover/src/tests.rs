//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, evidence, operation};

const SETTINGS: &str = r#"{"serving": "serving", "to_local": "to-local", "to_store": "to-store"}"#;

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    host
}

fn prints(host: &mut ScriptedHost, command: &str, exit_code: i32, stdout: &str) {
    let output = Output {
        exit_code,
        stdout: stdout.into(),
        stderr: Vec::new(),
        truncated: false,
    };
    host.on_command(command, Ok(output));
}

/// What the command says of where things are stored, one time after the other.
fn serves(host: &mut ScriptedHost, places: &[&str]) {
    for place in places {
        prints(host, "serving", 0, place);
    }
}

fn is_away(host: &mut ScriptedHost, looks: u32) {
    for _ in 0..looks {
        host.on_check("s3", Ok(vec![evidence("bucket", "503 Slow Down")]));
    }
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    StorageFailover.recover(&operation("s3", "s3-unavailable"), host)
}

fn retryable(host: &mut ScriptedHost) -> String {
    match run(host).unwrap_err() {
        RecoveryFailure::Retryable(why) => why,
        other => panic!("not retryable: {other:?}"),
    }
}

/// The commands that were run, in order.
fn commands(host: &ScriptedHost) -> Vec<&str> {
    let effects = host.effects().iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Command { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn it_stores_locally_until_the_store_is_healthy_and_goes_back() {
    let mut host = host();
    serves(&mut host, &["store\n", "local\n", "store\n"]);
    is_away(&mut host, 3);
    let began = host.now();
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "switched to local storage: bucket: 503 Slow Down",
            "went back to s3 after 67 s"
        ]
    );
    assert_eq!(
        commands(&host),
        ["serving", "to-local", "serving", "to-store", "serving"]
    );
    let waits = host.effects().iter();
    let waits: Vec<Timestamp> = waits
        .filter_map(|effect| match effect {
            Effect::SleepUntil(moment) => Some(moment - began),
            _ => None,
        })
        .collect();
    assert_eq!(waits, [10_000, 25_000, 47_500, 57_500, 67_500]);
}

#[test]
fn a_store_that_is_healthy_again_is_not_left() {
    let mut host = host();
    serves(&mut host, &["store"]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        ["saw the checks of s3 pass, and stayed with it"]
    );
    assert_eq!(commands(&host), ["serving"]);
}

#[test]
fn what_an_earlier_operation_left_stored_locally_goes_back_too() {
    let mut host = host();
    serves(&mut host, &["local", "store"]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        ["found things stored locally", "went back to s3 after 30 s"]
    );
    assert_eq!(commands(&host), ["serving", "to-store", "serving"]);
}

#[test]
fn a_switch_that_changes_nothing_has_failed() {
    let mut host = host();
    serves(&mut host, &["store", "store"]);
    is_away(&mut host, 1);
    assert_eq!(
        retryable(&mut host),
        "`to-local` ended well and changed nothing: things still go to the object store"
    );
    let mut host = self::host();
    serves(&mut host, &["local", "local", "store"]);
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions[1],
        "went back to s3 after 45 s, where it failed before: `to-store` ended well and changed nothing: things are still \
         stored locally"
    );
}

#[test]
fn a_switch_that_ends_badly_says_why() {
    let mut host = host();
    serves(&mut host, &["store"]);
    is_away(&mut host, 1);
    prints(&mut host, "to-local", 1, "no room");
    assert_eq!(
        retryable(&mut host),
        "`to-local` ended with exit 1: no room"
    );
}

/// The checks pass: an attempt that ended here would be followed by no other.
#[test]
fn a_way_back_that_fails_is_tried_again_by_the_same_call() {
    let mut host = host();
    serves(&mut host, &["local", "store"]);
    prints(&mut host, "to-store", 3, "2 files differ");
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "found things stored locally",
            "went back to s3 after 45 s, where it failed before: `to-store` ended with exit 3: 2 files differ"
        ]
    );
    assert_eq!(
        commands(&host),
        ["serving", "to-store", "to-store", "serving"]
    );
}

#[test]
fn a_way_back_that_never_succeeds_ends_with_a_person_who_is_told_why() {
    let mut host = host();
    host.set_settings(SETTINGS.replace('}', r#", "wait": "1m"}"#));
    serves(&mut host, &["local"]);
    for _ in 0..10 {
        prints(&mut host, "to-store", 3, "2 files differ");
    }
    let Err(RecoveryFailure::NeedsOperator(steps)) = run(&mut host) else {
        panic!("no operator asked")
    };
    assert!(steps[0].contains("stored locally"), "{steps:?}");
    assert!(steps[1].contains("exit 3: 2 files differ"), "{steps:?}");
    // After 30, 45 and 60 s.
    assert_eq!(
        commands(&host),
        ["serving", "to-store", "to-store", "to-store"]
    );
}

#[test]
fn a_store_that_stays_away_ends_with_a_person_who_is_asked() {
    let mut host = host();
    host.set_settings(
        r#"{"serving": "serving", "to_local": "to-local", "to_store": "to-store", "wait": "1m"}"#,
    );
    serves(&mut host, &["store", "local"]);
    is_away(&mut host, 50);
    let Err(RecoveryFailure::NeedsOperator(steps)) = run(&mut host) else {
        panic!("no operator asked")
    };
    assert!(steps[0].contains("stored locally"), "{steps:?}");
    assert!(steps[2].contains("`to-store`"), "{steps:?}");
    assert!(!commands(&host).contains(&"to-store"));
}

#[test]
fn a_store_that_comes_and_goes_is_not_followed() {
    let mut host = host();
    serves(&mut host, &["store", "local", "store"]);
    is_away(&mut host, 1);
    for _ in 0..2 {
        host.on_check("s3", Ok(Vec::new()));
        host.on_check("s3", Ok(Vec::new()));
        is_away(&mut host, 1);
    }
    run(&mut host).unwrap();
    let looks = host.effects().iter();
    let looks = looks.filter(|effect| matches!(effect, Effect::Check(_)));
    assert_eq!(looks.count(), 1 + 6 + 3);
    let switches = commands(&host).into_iter();
    assert_eq!(switches.filter(|name| *name != "serving").count(), 2);
}

#[test]
fn where_nobody_can_look_nothing_is_switched_and_no_look_has_passed() {
    let unseen = || EffectError::Unavailable("check bucket could not look".into());
    let mut host = host();
    serves(&mut host, &["store"]);
    host.on_check("s3", Err(unseen()));
    assert_eq!(retryable(&mut host), "check bucket could not look");
    assert_eq!(commands(&host), ["serving"]);

    let mut host = self::host();
    serves(&mut host, &["store", "local", "store"]);
    is_away(&mut host, 1);
    host.on_check("s3", Err(unseen()));
    let report = run(&mut host).unwrap();
    // The look at 10 s was none; those that pass are at 25, 35 and 45 s.
    assert_eq!(report.actions[1], "went back to s3 after 45 s");
}

#[test]
fn a_command_that_says_no_place_is_a_mistake_of_the_config() {
    let mut host = host();
    prints(&mut host, "serving", 0, "bucket-1");
    let failure = run(&mut host).unwrap_err();
    let why = "`serving` has to print `store` or `local`, and ended with exit 0: bucket-1";
    assert_eq!(failure, RecoveryFailure::Permanent(why.into()));
    prints(&mut host, "serving", 1, "no such link");
    assert_eq!(
        retryable(&mut host),
        "`serving` ended with exit 1: no such link"
    );
}

#[test]
fn what_is_not_granted_is_permanent_before_anything_is_switched() {
    for interface in ["targets", "commands"] {
        let mut host = host();
        serves(&mut host, &["store"]);
        host.deny(interface);
        let failure = run(&mut host).unwrap_err();
        assert!(
            matches!(failure, RecoveryFailure::Permanent(_)),
            "{failure:?}"
        );
        assert_eq!(commands(&host), ["serving"]);
    }
}

#[test]
fn a_dry_run_shows_the_way_there_and_back() {
    let mut host = host();
    is_away(&mut host, 1);
    let mut op = operation("s3", "s3-unavailable");
    op.dry_run = true;
    let report = StorageFailover.recover(&op, &mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "would switch to local storage by `to-local`: bucket: 503 Slow Down",
            "would look at s3 from 10s on, until its checks pass 3 times in a row",
            "would go back by `to-store`"
        ]
    );
    assert_eq!(commands(&host), ["serving", "to-local", "to-store"]);
}

#[test]
fn settings_that_say_too_little_or_something_unknown_are_refused() {
    assert!(StorageFailover::configure(SETTINGS).is_ok());
    let with = |rest: &str| SETTINGS.replace('}', &format!(", {rest}}}"));
    for (settings, expected) in [
        ("{}".to_owned(), "serving"),
        (with(r#""passes": 0"#), "passes"),
        (with(r#""every": "soon""#), "every"),
        (with(r#""bucket": "b""#), "bucket"),
    ] {
        let error = StorageFailover::configure(&settings).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}

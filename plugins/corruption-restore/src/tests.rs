//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, backup, operation};

const NOW: Timestamp = 1_709_208_000_000;

fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"job": "state"}"#).set_now(NOW);
    host.add_backup(backup("ful-1", BackupType::Full, NOW - 3_600_000));
    host.add_backup(backup("inc-2", BackupType::Incremental, NOW - 60_000));
    host
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    CorruptionRestore.recover(&operation("db", "data-corruption"), host)
}

fn newest(job: &str) -> Effect {
    Effect::BackupNewest {
        job: job.into(),
        before: Some(NOW - 1_000),
    }
}

fn restore(id: &str) -> Effect {
    Effect::BackupRestore {
        job: "state".into(),
        id: id.into(),
    }
}

#[test]
fn a_running_target_is_stopped_restored_and_started() {
    let mut host = host();
    let report = run(&mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "stopped db",
            "restored 1 document, 1000 bytes, from inc-2",
            "started db"
        ]
    );
    assert!(
        report
            .data_loss
            .unwrap()
            .starts_with("up to 60 s of changes")
    );
    let db = || String::from("db");
    assert_eq!(
        host.effects(),
        [
            newest("state"),
            Effect::Status(db()),
            Effect::Stop(db()),
            restore("inc-2"),
            Effect::Start(db())
        ]
    );
}

#[test]
fn a_stopped_target_is_only_started() {
    let mut host = host();
    host.set_running("db", false);
    assert_eq!(
        run(&mut host).unwrap().actions.last().unwrap(),
        "started db"
    );
    assert!(!host.effects().contains(&Effect::Stop("db".into())));
}

#[test]
fn a_target_without_a_process_is_only_restored() {
    let mut host = host();
    let unknown = TargetStatus {
        health: Health::Failed,
        running: None,
        pid: None,
        started_at: None,
        restarts: 0,
    };
    host.on_status("db", Ok(unknown));
    assert_eq!(run(&mut host).unwrap().actions.len(), 1);
}

#[test]
fn what_was_saved_after_the_detection_is_never_restored() {
    let mut host = host();
    host.add_backup(backup("eme-3", BackupType::Emergency, NOW - 10));
    run(&mut host).unwrap();
    assert!(host.effects().contains(&restore("inc-2")));
}

#[test]
fn without_a_backup_a_person_is_asked_and_nothing_is_touched() {
    let mut host = ScriptedHost::new();
    host.set_settings(r#"{"job": "state"}"#);
    let Err(RecoveryFailure::NeedsOperator(steps)) = run(&mut host) else {
        panic!("no operator asked")
    };
    assert!(
        steps[0].contains("state") && steps[0].contains("db"),
        "{steps:?}"
    );
    assert_eq!(host.effects(), [newest("state")]);
}

#[test]
fn the_step_may_name_another_job() {
    let mut host = host();
    let mut op = operation("db", "data-corruption");
    op.params = r#"{"job": "other"}"#.into();
    assert!(CorruptionRestore.recover(&op, &mut host).is_err());
    assert_eq!(host.effects(), [newest("other")]);
}

#[test]
fn a_missing_job_says_where_to_name_it() {
    let mut host = ScriptedHost::new();
    let Err(RecoveryFailure::Permanent(why)) = run(&mut host) else {
        panic!("not permanent")
    };
    assert!(why.contains("`job`"), "{why}");
    assert!(host.effects().is_empty());
}

#[test]
fn a_target_that_was_stopped_for_a_restore_that_fails_is_started_again() {
    let mut host = host();
    host.on_backup_restore(
        "inc-2",
        Err(EffectError::Unavailable("tier local is full".into())),
    );
    let Err(RecoveryFailure::Retryable(why)) = run(&mut host) else {
        panic!("not retryable")
    };
    assert_eq!(why, "tier local is full; the target is started again");
    let last = host.effects().last();
    assert_eq!(last, Some(&Effect::Start("db".into())));
}

#[test]
fn one_that_was_stopped_before_stays_as_it_was_where_the_restore_fails() {
    let mut host = host();
    host.set_running("db", false);
    host.on_backup_restore("inc-2", Err(EffectError::Failed("it is torn".into())));
    let Err(RecoveryFailure::Permanent(why)) = run(&mut host) else {
        panic!("not permanent")
    };
    assert_eq!(why, "it is torn");
    assert!(!host.effects().contains(&Effect::Start("db".into())));
}

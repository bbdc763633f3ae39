//! The handler against a scripted host.

use super::*;
use mainstay_plugin_sdk::plugin::Plugin;
use mainstay_plugin_sdk::testing::{Effect, ScriptedHost, backup, evidence, operation};

const NOW: Timestamp = 1_709_208_000_000;
const SETTINGS: &str = r#"{"job": "state", "checkpoints": "marks", "wait": "1s"}"#;

/// A host with a backup of an hour ago, a checkpoint of a minute ago, and a database that never answers.
fn host() -> ScriptedHost {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS).set_now(NOW);
    host.add_backup(backup("ful-1", BackupType::Full, NOW - 3_600_000));
    host.add_backup(checkpoint("snp-2", NOW - 60_000));
    is_silent(&mut host, 50);
    host
}

fn checkpoint(id: &str, created_at: Timestamp) -> Backup {
    Backup {
        job: "marks".into(),
        ..backup(id, BackupType::Snapshot, created_at)
    }
}

fn is_silent(host: &mut ScriptedHost, looks: u32) {
    for _ in 0..looks {
        host.on_check("db", Ok(vec![evidence("postgres", "connection refused")]));
    }
}

fn attempt(number: u32, host: &mut ScriptedHost) -> Result<Report> {
    let mut op = operation("db", "postgres-down");
    op.attempt = number;
    PostgresRecovery.recover(&op, host)
}

fn db() -> String {
    "db".into()
}

fn newest(job: &str) -> Effect {
    Effect::BackupNewest {
        job: job.into(),
        before: Some(NOW - 1_000),
    }
}

fn restore_of(job: &str, id: &str) -> Effect {
    Effect::BackupRestore {
        job: job.into(),
        id: id.into(),
    }
}

#[test]
fn the_first_attempt_restarts_and_loses_nothing() {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    is_silent(&mut host, 2);
    let report = attempt(1, &mut host).unwrap();
    assert_eq!(report.actions, ["restarted db", "saw its checks pass"]);
    assert_eq!(report.data_loss, None);
    assert_eq!(
        host.effects(),
        [
            Effect::Check(db()),
            Effect::Restart(db()),
            Effect::Check(db()),
            Effect::Sleep(PAUSE),
            Effect::Check(db())
        ]
    );
}

#[test]
fn a_restart_that_does_not_help_is_followed_by_a_restore() {
    let mut host = host();
    let Err(RecoveryFailure::Retryable(why)) = attempt(1, &mut host) else {
        panic!("not retryable")
    };
    assert_eq!(
        why,
        "restarted db, and its checks did not pass within 1s: postgres: connection refused; the next attempt restores"
    );
    let backups = host.effects().iter();
    let mut backups = backups.filter(|effect| effect.interface() == "backups");
    assert_eq!(backups.next(), None);
}

#[test]
fn the_latest_checkpoint_is_restored_and_the_loss_told_in_seconds() {
    let mut host = host();
    let report = attempt(2, &mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "stopped db",
            "restored checkpoint snp-2: 1 document, 1000 bytes",
            "started db"
        ]
    );
    let loss = report.data_loss.unwrap();
    assert!(loss.starts_with("up to 60 s of changes"), "{loss}");
    assert_eq!(
        host.effects(),
        [
            Effect::Check(db()),
            newest("marks"),
            Effect::Status(db()),
            Effect::Stop(db()),
            restore_of("marks", "snp-2"),
            Effect::Start(db())
        ]
    );
}

#[test]
fn without_a_checkpoint_it_is_the_latest_backup() {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS).set_now(NOW);
    host.add_backup(backup("ful-1", BackupType::Full, NOW - 3_600_000));
    // Taken after the failure was detected, of what was broken then.
    host.add_backup(checkpoint("snp-3", NOW - 10));
    is_silent(&mut host, 1);
    let report = attempt(2, &mut host).unwrap();
    assert_eq!(
        report.actions[1],
        "restored backup ful-1: 1 document, 1000 bytes"
    );
    assert!(host.effects().contains(&restore_of("state", "ful-1")));
    let loss = report.data_loss.unwrap();
    assert!(loss.starts_with("up to 3600 s of changes"), "{loss}");
}

#[test]
fn without_either_a_person_is_asked_and_nothing_is_touched() {
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS).set_now(NOW);
    is_silent(&mut host, 1);
    let Err(RecoveryFailure::NeedsOperator(steps)) = attempt(2, &mut host) else {
        panic!("no operator asked")
    };
    assert!(steps[0].contains("marks and state"), "{steps:?}");
    assert_eq!(
        host.effects(),
        [Effect::Check(db()), newest("marks"), newest("state")]
    );
}

#[test]
fn a_database_that_answers_is_left_alone_in_every_attempt() {
    for number in [1, 2, 5] {
        let mut host = ScriptedHost::new();
        host.set_settings(SETTINGS);
        let report = attempt(number, &mut host).unwrap();
        assert_eq!(
            report.actions,
            ["saw the checks of db pass, and restored nothing"]
        );
        assert_eq!(host.effects(), [Effect::Check(db())]);
    }
}

#[test]
fn where_nobody_can_look_nothing_is_done_and_after_a_restart_it_is_waited_for() {
    let unseen = || EffectError::Unavailable("its process is only being started".into());
    for number in [1, 2] {
        let mut host = ScriptedHost::new();
        host.set_settings(SETTINGS);
        host.on_check("db", Err(unseen()));
        let why = "its process is only being started".to_owned();
        assert_eq!(
            attempt(number, &mut host).unwrap_err(),
            RecoveryFailure::Retryable(why)
        );
        assert_eq!(host.effects(), [Effect::Check(db())]);
    }
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    is_silent(&mut host, 1);
    host.on_check("db", Err(unseen()));
    assert!(attempt(1, &mut host).is_ok());
}

#[test]
fn one_that_replays_its_log_is_waited_for_and_neither_restarted_nor_restored() {
    let starts = |host: &mut ScriptedHost, looks: u32| {
        for _ in 0..looks {
            let other = evidence("memory", "2 GiB, and 1 GiB is allowed");
            let seen = evidence("postgres", "the database system is starting up");
            host.on_check("db", Ok(vec![other, seen]));
        }
    };
    for number in [1, 2, 5] {
        let mut host = ScriptedHost::new();
        host.set_settings(SETTINGS);
        starts(&mut host, 2);
        let report = attempt(number, &mut host).unwrap();
        assert_eq!(
            report.actions,
            ["waited while db replayed its log", "saw its checks pass"]
        );
        starts(&mut host, 50);
        let Err(RecoveryFailure::Retryable(why)) = attempt(number, &mut host) else {
            panic!("not retryable")
        };
        assert!(why.starts_with("db replayed its log"), "{why}");
        let only_looks = host
            .effects()
            .iter()
            .all(|effect| matches!(effect, Effect::Check(_) | Effect::Sleep(_)));
        assert!(only_looks, "{:?}", host.effects());
    }
    let mut host = ScriptedHost::new();
    host.set_settings(SETTINGS);
    is_silent(&mut host, 1);
    starts(&mut host, 50);
    let Err(RecoveryFailure::Retryable(why)) = attempt(1, &mut host) else {
        panic!("not retryable")
    };
    assert!(why.ends_with("waits while it replays its log"), "{why}");
}

#[test]
fn how_many_attempts_restart_can_be_set() {
    let mut host = host();
    host.set_settings(r#"{"job": "state", "restarts": 0}"#);
    let report = attempt(1, &mut host).unwrap();
    assert_eq!(
        report.actions[1],
        "restored backup ful-1: 1 document, 1000 bytes"
    );
    host.set_settings(r#"{"job": "state", "restarts": 5, "wait": "0s"}"#);
    let Err(RecoveryFailure::Retryable(why)) = attempt(5, &mut host) else {
        panic!("not retryable")
    };
    assert!(why.contains("no attempt restores"), "{why}");
}

#[test]
fn one_that_is_stopped_is_not_stopped_again() {
    let mut host = host();
    host.set_running("db", false);
    let report = attempt(2, &mut host).unwrap();
    assert_eq!(report.actions.len(), 2);
    assert!(!host.effects().contains(&Effect::Stop(db())));
}

#[test]
fn one_of_which_nobody_knows_whether_it_runs_is_stopped() {
    let mut host = host();
    let unknown = TargetStatus {
        health: Health::Failed,
        running: None,
        pid: None,
        started_at: None,
        restarts: 0,
    };
    host.on_status("db", Ok(unknown));
    attempt(2, &mut host).unwrap();
    assert!(host.effects().contains(&Effect::Stop(db())));
}

#[test]
fn one_that_cannot_be_stopped_is_not_restored_over() {
    let mut host = host();
    host.on_stop("db", Err(EffectError::TimedOut("db does not end".into())));
    let failure = attempt(2, &mut host).unwrap_err();
    assert_eq!(
        failure,
        RecoveryFailure::Retryable("db does not end".into())
    );
    assert_eq!(host.effects().last(), Some(&Effect::Stop(db())));
}

#[test]
fn one_that_was_stopped_for_a_restore_that_fails_is_started_again() {
    let mut host = host();
    host.on_backup_restore(
        "snp-2",
        Err(EffectError::Unavailable("tier local is full".into())),
    );
    let failure = attempt(2, &mut host).unwrap_err();
    assert_eq!(
        failure,
        RecoveryFailure::Retryable("tier local is full; the database is started again".into())
    );
    assert_eq!(host.effects().last(), Some(&Effect::Start(db())));
}

#[test]
fn a_restart_that_is_refused_is_no_reason_to_restore() {
    for (error, expected) in [
        (
            EffectError::Failed("no such program".into()),
            RecoveryFailure::Permanent("no such program".into()),
        ),
        (
            EffectError::Unavailable("busy".into()),
            RecoveryFailure::Retryable("busy".into()),
        ),
    ] {
        let mut host = host();
        host.on_restart("db", Err(error));
        assert_eq!(attempt(1, &mut host).unwrap_err(), expected);
    }
}

#[test]
fn a_dry_run_waits_for_nothing_and_says_what_would_be_restored() {
    let mut host = host();
    let mut op = operation("db", "postgres-down");
    op.dry_run = true;
    let report = PostgresRecovery.recover(&op, &mut host).unwrap();
    assert_eq!(
        report.actions,
        [
            "restarted db",
            "where that does not help, the next attempt restores checkpoint snp-2"
        ]
    );
    let sleeps = host.effects().iter();
    let mut sleeps = sleeps.filter(|effect| matches!(effect, Effect::Sleep(_)));
    assert_eq!(sleeps.next(), None);
}

#[test]
fn settings_that_say_too_little_or_something_unknown_are_refused() {
    assert!(PostgresRecovery::configure(SETTINGS).is_ok());
    for (settings, expected) in [
        ("{}", "job"),
        (r#"{"job": "a", "restarts": -1}"#, "restarts"),
        (r#"{"job": "a", "wait": 5}"#, "wait"),
        (r#"{"job": "a", "backup": "b"}"#, "backup"),
    ] {
        let error = PostgresRecovery::configure(settings).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
}

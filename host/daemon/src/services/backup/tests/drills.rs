//! What a drill restored is tried.

use super::*;
use crate::services::testing::specs;
use mainstay_domain::{
    health::Outcome,
    name::CommandName,
    spec::{CommandSpec, RestoreDrillSpec},
};

fn command(name: &str) -> (CommandName, CommandSpec) {
    let spec = CommandSpec {
        run: vec![
            "serve".to_owned(),
            "{scratch}".to_owned(),
            "{port}".to_owned(),
        ],
        placeholders: vec!["scratch".to_owned(), "port".to_owned()],
        cwd: "/".into(),
        env: Default::default(),
        user: None,
        timeout: Duration::from_secs(30),
        idempotent: false,
    };
    (CommandName::parse(name).unwrap(), spec)
}

/// A job whose drill serves what it restored for the target `api`, within so long.
async fn tried(rto: Duration) -> (Fixture, BackupRecord) {
    let fixture = Fixture::new().await;
    let drill = RestoreDrillSpec {
        start: Some(CommandName::parse("serve").unwrap()),
        target: Some(specs::name("api")),
        ..RestoreDrillSpec::default()
    };
    let mut spec = Spec::clone(&spec_with(&[JobSpec { drill, ..job(None) }]));
    let mut target = specs::target("api", vec![specs::check("tcp")]);
    target.rto = rto;
    spec.targets = vec![target].into();
    spec.commands.extend([command("serve")]);
    fixture.spec.send_replace(Arc::new(spec));
    let full = fixture.create(BackupType::Full).await.unwrap();
    (fixture, full)
}

async fn drill(fixture: &Fixture) -> Result<crate::ports::Restored, String> {
    within(BackupOperator::drill(
        &fixture.service,
        job(None).name,
        no_progress(),
    ))
    .await
    .map_err(|error| error.0)
}

#[tokio::test]
async fn what_a_drill_serves_is_timed_until_it_is_healthy_and_ended() {
    let (fixture, full) = tried(Duration::from_secs(5)).await;
    let done = drill(&fixture).await.unwrap();
    let note = done.notes.join("; ");
    assert!(
        note.starts_with("restored in 2s and healthy ")
            && note.ends_with("where the rto of api is 5s"),
        "{note}"
    );
    let drilled = record_of(&fixture.service, &full.id).drilled.unwrap();
    assert_eq!((drilled.restore_ms, drilled.rto_ms), (2_000, Some(5_000)));
    assert!(drilled.healthy_ms.is_some() && drilled.error.is_none());
    let values = |pairs: [(&str, &str); 2]| {
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    assert_eq!(
        fixture.commands.served(),
        [values([("scratch", "/scratch"), ("port", "4321")])]
    );
    let key = format!("backup-drill-{}", full.id);
    assert!(fixture.commands.ended().contains(&key));
    assert!(fixture.kinds().contains(&EventKind::DrillPassed));
}

#[tokio::test]
async fn a_service_that_ends_on_what_was_restored_fails_the_drill_with_its_last_lines() {
    let (fixture, full) = tried(Duration::from_secs(5)).await;
    fixture.commands.fail("serve");
    fixture.probe.show("tcp", Outcome::Failed);
    let told = drill(&fixture).await.unwrap_err();
    assert!(
        told.contains("ended with exit code 3") && told.contains("it said this"),
        "{told}"
    );
    let record = record_of(&fixture.service, &full.id);
    assert_eq!(record.status, BackupStatus::Verified, "its bytes are right");
    assert_eq!(record.drilled.unwrap().error, Some(told));
    let failed = fixture.journal.events().pop().unwrap();
    assert_eq!(
        (failed.kind, failed.severity),
        (EventKind::DrillFailed, Severity::Critical)
    );
}

#[tokio::test]
async fn a_service_whose_port_somebody_took_meanwhile_says_nothing_of_what_was_restored() {
    let (fixture, full) = tried(Duration::from_secs(5)).await;
    fixture.commands.fail("serve");
    fixture.commands.lose_port();
    fixture.probe.show("tcp", Outcome::Failed);
    let told = drill(&fixture).await.unwrap_err();
    assert!(
        told.contains("port 4321, which somebody else has taken"),
        "{told}"
    );
    assert_eq!(record_of(&fixture.service, &full.id).drilled, None);
    let failed = fixture.journal.events().pop().unwrap();
    assert_eq!(
        (failed.kind, failed.severity),
        (EventKind::DrillFailed, Severity::Medium)
    );
}

#[tokio::test(start_paused = true)]
async fn what_never_gets_healthy_fails_the_drill_with_what_was_seen_and_what_the_host_could_not_see_is_not_held_against_it()
 {
    for (outcome, severity) in [
        (Outcome::Failed, Severity::Critical),
        (Outcome::Unknown, Severity::Medium),
    ] {
        let (fixture, full) = tried(Duration::from_secs(5)).await;
        fixture.probe.show("tcp", outcome);
        let told = fixture
            .service
            .clone()
            .drill_now(job(None).name, no_progress())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("was not healthy within 30s: check `tcp` of api"),
            "{told}"
        );
        let failed = fixture.journal.events().pop().unwrap();
        assert_eq!(
            (failed.kind, failed.severity),
            (EventKind::DrillFailed, severity)
        );
        let drilled = record_of(&fixture.service, &full.id).drilled;
        assert_eq!(drilled.is_some(), outcome == Outcome::Failed);
    }
}

#[tokio::test]
async fn a_host_that_can_start_nothing_says_nothing_of_the_backup() {
    let (fixture, full) = tried(Duration::from_secs(5)).await;
    fixture.commands.cannot_start();
    fixture.probe.show("tcp", Outcome::Failed);
    let told = drill(&fixture).await.unwrap_err();
    assert!(told.contains("which says nothing of the backup"), "{told}");
    let failed = fixture.journal.events().pop().unwrap();
    assert_eq!(failed.severity, Severity::Medium);
    assert_eq!(record_of(&fixture.service, &full.id).drilled, None);
}

#[tokio::test]
async fn a_recovery_that_takes_longer_than_its_target_may_be_away_fails_the_drill() {
    let (fixture, full) = tried(Duration::from_secs(1)).await;
    let told = drill(&fixture).await.unwrap_err();
    assert!(
        told.contains("where the rto of api is 1s, which is less"),
        "{told}"
    );
    let drilled = record_of(&fixture.service, &full.id).drilled.unwrap();
    assert_eq!(drilled.error, Some(told));
    assert!(drilled.exceeds_rto());
    let failed = fixture.journal.events().pop().unwrap();
    assert_eq!(failed.severity, Severity::High);
}

#[tokio::test]
async fn what_a_killed_daemon_left_serving_is_ended_before_anything_is_swept() {
    let (fixture, full) = tried(Duration::from_secs(5)).await;
    fixture.store.leave_drill(&full.id);
    let fixture = fixture.restarted().await;
    let key = format!("backup-drill-{}", full.id);
    assert_eq!(
        fixture.commands.ended(),
        [key.clone(), format!("{key}-check")]
    );
}

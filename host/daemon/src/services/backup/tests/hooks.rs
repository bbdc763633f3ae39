//! The operator's commands around backups.

use super::*;
use mainstay_domain::{
    name::CommandName,
    spec::{CommandSpec, HookSpec},
};

fn command(name: &str) -> CommandName {
    CommandName::parse(name).unwrap()
}

/// A job with all three of them.
async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    let hooks = HookSpec {
        before: Some(command("begin")),
        after_success: Some(command("thank")),
        after_failure: Some(command("mourn")),
    };
    let job = JobSpec { hooks, ..job(None) };
    let mut spec = Spec::clone(&spec_with(&[job]));
    for name in ["begin", "thank", "mourn"] {
        let of_command = CommandSpec {
            run: vec![name.to_owned()],
            placeholders: Vec::new(),
            cwd: "/".into(),
            env: Default::default(),
            user: None,
            timeout: HOUR,
            idempotent: false,
        };
        spec.commands.insert(command(name), of_command);
    }
    fixture.spec.send_replace(Arc::new(spec));
    fixture
}

/// What the events of a kind say.
fn said(fixture: &Fixture, kind: EventKind) -> String {
    let events = fixture.journal.events().into_iter();
    let of_kind = events.filter(|event| event.kind == kind);
    of_kind.map(|event| event.message).collect()
}

#[tokio::test]
async fn they_run_before_and_after_a_backup_and_are_told_which_it_is() {
    let fixture = fixture().await;
    let backup = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(fixture.commands.ran(), ["begin", "thank"]);
    for (told, status) in fixture
        .commands
        .told()
        .iter()
        .zip(["in-progress", "verified"])
    {
        let of = |name: &str| told[&format!("MAINSTAY_{name}")].clone();
        assert_eq!(of("JOB"), "state");
        assert_eq!(of("BACKUP"), backup.id.to_string());
        assert_eq!(of("BACKUP_TYPE"), "full");
        assert_eq!(of("BACKUP_STATUS"), status);
    }
    assert!(backup.warnings.is_empty(), "{:?}", backup.warnings);
}

#[tokio::test]
async fn nothing_is_read_where_the_one_before_fails() {
    let fixture = fixture().await;
    fixture.commands.fail("begin");
    let error = fixture.create(BackupType::Full).await.unwrap_err();
    for says in ["nothing was read", "`before`", "`begin`", "exit code 1"] {
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(fixture.store.taken(), 0);
    assert_eq!(fixture.commands.ran(), ["begin", "mourn"]);
    let told = fixture.commands.told();
    assert_eq!(told[1]["MAINSTAY_BACKUP_STATUS"], "failed");
    assert!(said(&fixture, EventKind::BackupFailed).contains("nothing was read"));
}

#[tokio::test]
async fn one_that_fails_after_a_backup_is_told_with_it_and_changes_nothing() {
    let fixture = fixture().await;
    fixture.commands.fail("thank");
    fixture.store.warn("something else");
    let backup = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(backup.status, BackupStatus::Verified);
    assert!(!backup.incomplete);
    let [first, second] = backup.warnings.as_slice() else {
        panic!("{:?}", backup.warnings);
    };
    assert!(first.contains("`after_success` failed"), "{first}");
    assert_eq!(second, "something else");
    assert!(said(&fixture, EventKind::BackupVerified).contains("`after_success` failed"));

    fixture.commands.fail("mourn");
    fixture
        .store
        .fail_next(BackupStoreError::Source("cannot read".to_owned()));
    fixture.create(BackupType::Full).await.unwrap_err();
    let failure = said(&fixture, EventKind::BackupFailed);
    for says in ["cannot read", "`after_failure` failed", "`mourn`"] {
        assert!(failure.contains(says), "{failure}");
    }
}

#[tokio::test]
async fn an_emergency_backup_waits_for_none() {
    let fixture = fixture().await;
    fixture.commands.fail("begin");
    fixture.create(BackupType::Emergency).await.unwrap();
    assert_eq!(fixture.commands.ran(), [""; 0]);
}

//! What retention lets go, and what it never does.

use super::*;
use crate::ports::{HoldRequest, JudgeError};
use mainstay_domain::{
    actor::Actor,
    backup::Verdict,
    name::PluginName,
    spec::{PluginSpec, RetentionSpec},
};

pub(super) fn policy(min_redundancy: u32) -> RetentionSpec {
    RetentionSpec {
        policy: PluginName::parse("gfs-retention").unwrap(),
        version: semver::VersionReq::STAR,
        every: 24 * HOUR,
        min_redundancy,
        immutable_for: Duration::ZERO,
        trash_for: 24 * HOUR,
    }
}

/// Nothing is ever due but what a test asks for, and retention.
fn judged_job(min_redundancy: u32) -> JobSpec {
    JobSpec {
        full: None,
        incremental: None,
        ..job(Some(policy(min_redundancy)))
    }
}

/// Two chains: a full with an incremental, and a newer full.
pub(super) async fn two_chains() -> (Fixture, Vec<BackupRecord>) {
    let fixture = Fixture::new().await;
    fixture.spec.send_replace(spec_with(&[judged_job(1)]));
    let mut records = Vec::new();
    for backup_type in [BackupType::Full, BackupType::Incremental, BackupType::Full] {
        records.push(fixture.create(backup_type).await.unwrap());
        fixture.clock.advance(Duration::from_secs(1));
    }
    (fixture, records)
}

pub(super) async fn prune(
    fixture: &Fixture,
    dry_run: bool,
) -> Result<crate::ports::Pruned, String> {
    within(fixture.service.prune(None, dry_run))
        .await
        .map_err(|error| error.0)
}

#[tokio::test]
async fn what_is_kept_says_when_its_policy_expects_to_let_it_go() {
    let (fixture, records) = two_chains().await;
    let goes = |record: &BackupRecord| record.created_at + 90 * 24 * HOUR;
    let verdicts = records.iter().map(|record| Verdict {
        id: record.id.to_string(),
        keep: true,
        reason: "full, 0 d old, kept 90 d".to_owned(),
        expires: Some(goes(record)),
    });
    fixture.judge.answer(Ok(verdicts.collect()));
    prune(&fixture, true).await.unwrap();
    let expires = |record: &BackupRecord| record_of(&fixture.service, &record.id).expires;
    assert_eq!(expires(&records[0]), None, "a dry run changes nothing");
    prune(&fixture, false).await.unwrap();
    for record in &records {
        assert_eq!(expires(record), Some(goes(record)));
    }
}

/// It was refused.
#[tokio::test]
async fn a_rebuild_beside_a_prune_waits_for_its_turn() {
    let (fixture, _) = two_chains().await;
    let gate = fixture.judge.think();
    let pruning = prune(&fixture, false);
    let beside = async {
        wait_until("the judgement", || fixture.judge.times_asked() == 1).await;
        let mut rebuilding = fixture.service.rebuild();
        let early = tokio::time::timeout(Duration::from_millis(50), &mut rebuilding).await;
        assert!(early.is_err(), "it did not wait: {early:?}");
        gate.add_permits(1);
        within(rebuilding).await
    };
    let (pruned, rebuilt) = tokio::join!(pruning, beside);
    assert_eq!(pruned.unwrap().expired.len(), 2);
    rebuilt.unwrap();
}

#[tokio::test]
async fn what_expires_goes_to_the_trash_and_later_away() {
    let (fixture, records) = two_chains().await;
    let pruned = prune(&fixture, true).await.unwrap();
    assert_eq!(pruned.expired.len(), 2);
    assert_eq!(fixture.types().len(), 3, "a dry run changes nothing");

    let pruned = prune(&fixture, false).await.unwrap();
    let expired: Vec<&BackupId> = pruned.expired.iter().map(|record| &record.id).collect();
    assert_eq!(
        expired,
        [&records[1].id, &records[0].id],
        "what needs another goes first"
    );
    let kept = record_of(&fixture.service, &records[2].id);
    assert_eq!(kept.status, BackupStatus::Verified);
    assert!(
        kept.reason
            .unwrap()
            .starts_with("kept by the host: it belongs to the newest verified chain")
    );
    let trashed = record_of(&fixture.service, &records[0].id);
    assert_eq!(
        (trashed.status, trashed.expires),
        (
            BackupStatus::Expired,
            Some(fixture.service.now() + 24 * HOUR)
        )
    );
    assert!(fixture.store.has_in_trash(&records[0].id) && fixture.store.holds(&records[0].id));

    fixture.clock.advance(24 * HOUR);
    fixture.service.start_due();
    wait_until("the deletion", || {
        !fixture.store.holds(&records[0].id) && !fixture.store.holds(&records[1].id)
    })
    .await;
    wait_until("its records", || {
        fixture
            .service
            .list(None)
            .iter()
            .all(|record| record.status != BackupStatus::Expired)
    })
    .await;
    assert!(fixture.store.holds(&records[2].id));
    assert_eq!(
        fixture
            .kinds()
            .iter()
            .filter(|kind| **kind == EventKind::BackupDeleted)
            .count(),
        2
    );
}

#[tokio::test]
async fn what_cannot_be_restored_takes_no_place_from_what_can() {
    let (fixture, records) = two_chains().await;
    fixture.store.damage(&records[0].id);
    let verify = fixture.service.verify(records[0].id.clone(), no_progress());
    within(verify).await.unwrap_err();
    let pruned = prune(&fixture, true).await.unwrap();
    let id = |at: usize| records[at].id.to_string();
    assert_eq!(
        fixture.judge.asked_about(),
        [vec![id(2)], vec![id(0), id(1), id(2)]]
    );
    let expired: Vec<String> = pruned
        .expired
        .iter()
        .map(|record| record.id.to_string())
        .collect();
    assert_eq!(expired, [id(1), id(0)]);
    let reason = |at: usize| {
        let found = pruned.verdicts.iter().find(|verdict| verdict.id == id(at));
        found.unwrap().reason.clone()
    };
    assert_eq!(
        reason(1),
        "it cannot be restored, and takes no place from another; were it right: too old"
    );
    assert!(reason(2).contains("newest verified chain"), "{}", reason(2));
}

/// A policy lets go of what it was told was never verified.
#[tokio::test]
async fn one_whose_manifest_is_missing_is_judged_as_the_verified_one_that_it_was() {
    let (fixture, records) = two_chains().await;
    let id = &records[0].id;
    fixture.store.lose_manifest(id, 3);
    let fresh = Fixture::with(
        fixture.store.clone(),
        MemoryJournal::new(),
        fixture.clock.clone(),
        &[judged_job(1)],
    )
    .await;
    prune(&fresh, true).await.unwrap();
    let told = fresh.judge.told_verified(id);
    assert_eq!(told, Some(records[0].created_at));
}

#[tokio::test]
async fn one_that_cannot_be_deleted_keeps_no_other() {
    let (fixture, records) = two_chains().await;
    prune(&fixture, false).await.unwrap();
    fixture.store.keep_from_deletion(&records[1].id);
    fixture.clock.advance(24 * HOUR);
    fixture.service.start_due();
    wait_until("the other deletion", || {
        !fixture.store.holds(&records[0].id)
    })
    .await;
    wait_until("its record", || {
        fixture
            .service
            .list(None)
            .iter()
            .all(|record| record.id != records[0].id)
    })
    .await;
    assert_eq!(
        record_of(&fixture.service, &records[1].id).status,
        BackupStatus::Expired
    );
}

#[tokio::test]
async fn one_that_cannot_be_deleted_is_tried_once_a_look() {
    let (fixture, records) = two_chains().await;
    prune(&fixture, false).await.unwrap();
    fixture.store.keep_from_deletion(&records[1].id);
    fixture.clock.advance(24 * HOUR);
    let (_running, _stop) = fixture.start();
    let looks = 20;
    for _ in 0..looks {
        fixture.create(BackupType::Snapshot).await.unwrap();
    }
    wait_until("a try", || fixture.store.denied() > 0).await;
    // Each backup wakes the loop, and so do the start, what could be deleted, and a backup that fell due.
    assert!(
        fixture.store.denied() <= looks + 5,
        "{}",
        fixture.store.denied()
    );
}

#[tokio::test]
async fn a_failing_policy_keeps_everything_and_says_so() {
    let (fixture, _) = two_chains().await;
    fixture.judge.answer(Err(JudgeError::Failed(
        "it trapped: unreachable".to_owned(),
    )));
    let error = prune(&fixture, false).await.unwrap_err();
    assert!(
        error.contains("so everything is kept: it trapped"),
        "{error}"
    );
    assert_eq!(fixture.types().len(), 3);
    assert!(fixture.kinds().contains(&EventKind::RetentionFailed));
}

#[tokio::test]
async fn a_lying_policy_breaks_no_chain() {
    let (fixture, records) = two_chains().await;
    let verdict = |id: &str, keep| Verdict {
        id: id.to_owned(),
        keep,
        reason: "so it is".to_owned(),
        expires: None,
    };
    let lies = vec![
        verdict(records[0].id.as_str(), false),
        verdict(records[1].id.as_str(), true),
        verdict(records[2].id.as_str(), false),
        verdict("ful-01K0000000000000000000000A", false),
        verdict("/etc/passwd", false),
    ];
    fixture.judge.answer(Ok(lies));
    assert!(prune(&fixture, false).await.unwrap().expired.is_empty());
    let needed = record_of(&fixture.service, &records[0].id);
    assert!(needed.reason.unwrap().contains("needs it"));
}

#[tokio::test]
async fn a_changed_policy_judges_at_once() {
    let (fixture, records) = two_chains().await;
    let (_running, _stop) = fixture.start();
    wait_until("retention at the start", || {
        fixture.judge.times_asked() == 1
    })
    .await;
    wait_until("the trash", || fixture.store.has_in_trash(&records[0].id)).await;
    fixture.spec.send_replace(spec_with(&[judged_job(3)]));
    wait_until("retention again", || fixture.judge.times_asked() == 2).await;
    let mut spec = Spec::clone(&spec_with(&[judged_job(3)]));
    let settings = serde_json::json!({ "full": "90d" });
    let other = PluginSpec {
        settings,
        ..PluginSpec::default()
    };
    spec.plugins.insert(policy(1).policy, other);
    fixture.spec.send_replace(Arc::new(spec));
    wait_until("retention under other settings", || {
        fixture.judge.times_asked() == 3
    })
    .await;
}

#[tokio::test]
async fn the_loop_looks_again_when_retention_or_the_trash_is_due() {
    let (fixture, _) = two_chains().await;
    let mut judged = judged_job(1);
    judged.retention.as_mut().unwrap().every = 12 * HOUR;
    let spec = spec_with(&[judged]);
    fixture.spec.send_replace(Arc::clone(&spec));
    let next = |looked_at| fixture.service.next_retention(&spec, looked_at);
    let now = fixture.clock.now();
    assert_eq!(next(now), None);

    prune(&fixture, false).await.unwrap();
    assert_eq!(next(now), Some(now + 24 * HOUR), "the trash");
    assert_eq!(
        next(now + 24 * HOUR),
        None,
        "it was begun, or is tried again"
    );

    fixture.clock.advance(HOUR);
    let looked_at = fixture.service.start_due();
    wait_until("the judgement", || {
        next(looked_at) == Some(looked_at + 12 * HOUR)
    })
    .await;
    assert_eq!(fixture.judge.times_asked(), 2);
}

#[tokio::test]
async fn a_job_without_a_policy_keeps_everything_and_pruning_it_says_so() {
    let fixture = Fixture::new().await;
    let error = within(fixture.service.prune(Some(job(None).name), false))
        .await
        .unwrap_err();
    assert!(error.0.contains("everything is kept"), "{error}");
    assert!(prune(&fixture, false).await.unwrap().verdicts.is_empty());
}

#[tokio::test]
async fn a_clock_that_is_a_day_ahead_for_a_minute_deletes_nothing_from_the_trash() {
    let (fixture, records) = two_chains().await;
    prune(&fixture, false).await.unwrap();
    for restarts in [false, true] {
        fixture.clock.advance(HOUR);
        fixture.service.start_due();
        fixture.clock.set_ahead(90 * 24 * HOUR);
        if restarts {
            // A daemon that starts meanwhile believes it no more.
            fixture.service.core.settled.restart();
        }
        for _ in 0..3 {
            fixture.clock.advance(Duration::from_secs(20));
            let settled = fixture.service.settled_now();
            let expired = fixture.service.core.catalog.lock().expired();
            assert_eq!(expired.len(), 2);
            assert!(
                expired.iter().all(|record| record.expires > Some(settled)),
                "{settled}"
            );
        }
        fixture.clock.set_ahead(Duration::ZERO);
    }
    assert!(fixture.store.holds(&records[0].id) && fixture.store.holds(&records[1].id));
}

#[tokio::test]
async fn a_policy_is_not_asked_by_a_clock_that_just_jumped() {
    let (fixture, _) = two_chains().await;
    fixture.service.start_due();
    let before = fixture.service.settled_now();
    fixture.clock.set_ahead(91 * 24 * HOUR);
    assert_eq!(fixture.service.settled_now(), before);
    assert!(prune(&fixture, false).await.is_ok());
    assert!(fixture.kinds().contains(&EventKind::RetentionJudged));
}

#[tokio::test]
async fn a_cleanup_is_counted_where_it_begins_and_where_it_ends_whatever_it_removes() {
    let (fixture, _) = two_chains().await;
    prune(&fixture, true).await.unwrap();
    let text = fixture.numbers.render();
    assert!(
        !text.contains("backup_retention"),
        "a dry run is none: {text}"
    );
    let name = job(None).name;
    let check = |number: &str, expected: &str| {
        let line = format!("backup_retention_{number}{{backup_job=\"{name}\"}} {expected}\n");
        let text = fixture.numbers.render();
        assert!(text.contains(&line), "{line} in\n{text}");
    };
    let pruned = prune(&fixture, false).await.unwrap();
    assert_eq!(pruned.expired.len(), 2);
    check("cleaned_total", "1");
    check("cleaned_success_total", "1");
    check("removed_sum", "2");

    let pruned = prune(&fixture, false).await.unwrap();
    assert_eq!(pruned.expired.len(), 0);
    check("cleaned_total", "2");
    check("cleaned_success_total", "2");
    check("removed_count", "1");

    let failed = JudgeError::Failed("no answer".to_owned());
    fixture.judge.answer(Err(failed));
    prune(&fixture, false).await.unwrap_err();
    check("cleaned_total", "3");
    check("cleaned_success_total", "2");
    check("cleaned_failed_total", "1");
}

fn hold(id: &BackupId, until: Option<Timestamp>) -> HoldRequest {
    HoldRequest {
        id: id.clone(),
        until,
        reason: Some("the audit".to_owned()),
        by: Actor::new("root", "ann"),
    }
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_released_or_the_hold_is_over() {
    let (fixture, records) = two_chains().await;
    let held = within(fixture.service.hold(hold(&records[1].id, None)));
    let held = held.await.unwrap();
    assert!(held.held && record_of(&fixture.service, &held.id).held);
    let pruned = prune(&fixture, false).await.unwrap();
    assert!(pruned.expired.is_empty(), "{pruned:?}");
    let reason = |at: usize| pruned.verdicts[at].reason.clone();
    assert!(reason(0).contains("needs it"), "{}", reason(0));
    assert!(
        reason(1).contains("the operator holds it: the audit"),
        "{}",
        reason(1)
    );
    assert_eq!(
        record_of(&fixture.service, &held.id).hold,
        held.hold,
        "a judgement takes no hold away"
    );

    let by = || Actor::new("root", "");
    let released = within(fixture.service.release(records[1].id.clone(), by()));
    assert!(!released.await.unwrap().held);
    let again = within(fixture.service.release(records[1].id.clone(), by()));
    let error = again.await.unwrap_err();
    assert!(error.0.contains("nobody holds"), "{error}");

    let until = fixture.clock.now() + HOUR;
    within(fixture.service.hold(hold(&records[1].id, Some(until))))
        .await
        .unwrap();
    assert!(prune(&fixture, true).await.unwrap().expired.is_empty());
    fixture.clock.advance(HOUR);
    let pruned = prune(&fixture, true).await.unwrap();
    assert_eq!(pruned.expired.len(), 2);
    assert!(pruned.expired.iter().all(|record| !record.held));
    let kinds = fixture.kinds();
    for (kind, times) in [(EventKind::BackupHeld, 2), (EventKind::BackupReleased, 1)] {
        let found = kinds.iter().filter(|found| **found == kind);
        assert_eq!(found.count(), times, "{kind}");
    }
}

#[tokio::test]
async fn a_hold_outlives_the_journal_and_a_released_one_does_not_come_back() {
    let (fixture, records) = two_chains().await;
    let until = Some(fixture.clock.now() + HOUR);
    for (at, until) in [(0, None), (1, until), (2, None)] {
        let request = hold(&records[at].id, until);
        within(fixture.service.hold(request)).await.unwrap();
    }
    let by = Actor::new("root", "");
    within(fixture.service.release(records[2].id.clone(), by))
        .await
        .unwrap();
    fixture.clock.advance(HOUR);
    let jobs = fixture.spec.borrow().jobs.clone();
    let lost = MemoryJournal::new();
    let fixture = Fixture::with(fixture.store, lost, fixture.clock, &jobs).await;
    let held = records.iter().map(|it| record_of(&fixture.service, &it.id));
    let held: Vec<BackupRecord> = held.collect();
    let reason = held[0].hold.as_ref().and_then(|hold| hold.reason.clone());
    assert_eq!(reason.as_deref(), Some("the audit"));
    assert!(held[0].held && !held[1].held && !held[2].held);
    assert_eq!(held[1].hold, None, "it was over");
}

#[tokio::test]
async fn a_hold_of_a_backup_whose_manifest_is_missing_outlives_the_journal_until_it_is_over() {
    let (fixture, records) = two_chains().await;
    let until = Some(fixture.clock.now() + HOUR);
    for (at, until) in [(0, None), (1, until)] {
        let request = hold(&records[at].id, until);
        within(fixture.service.hold(request)).await.unwrap();
        fixture.store.lose_manifest(&records[at].id, 3);
    }
    fixture.clock.advance(HOUR);
    let jobs = fixture.spec.borrow().jobs.clone();
    let lost = MemoryJournal::new();
    let fixture = Fixture::with(fixture.store, lost, fixture.clock, &jobs).await;
    let found = |at: usize| record_of(&fixture.service, &records[at].id);
    assert_eq!(found(0).status, BackupStatus::Corrupted);
    let reason = found(0).hold.and_then(|hold| hold.reason);
    assert_eq!(reason.as_deref(), Some("the audit"));
    assert!(found(0).held && !found(1).held);
    assert_eq!(found(1).hold, None, "it was over");
}

#[tokio::test]
async fn no_hold_is_over_before_it_begins_or_of_what_lies_in_the_trash_or_is_unknown() {
    let (fixture, records) = two_chains().await;
    let past = Some(fixture.clock.now());
    let error = within(fixture.service.hold(hold(&records[0].id, past))).await;
    assert!(error.unwrap_err().0.contains("over before it begins"));
    prune(&fixture, false).await.unwrap();
    let error = within(fixture.service.hold(hold(&records[0].id, None))).await;
    assert!(error.unwrap_err().0.contains("lies in the trash already"));
    let unknown = BackupId::parse("ful-01K0000000000000000000000Z").unwrap();
    let error = within(fixture.service.hold(hold(&unknown, None))).await;
    assert!(error.unwrap_err().0.contains(unknown.as_str()));
}

fn no_room() -> BackupStoreError {
    BackupStoreError::NoRoom("cannot make /trash: No space left on device".to_owned())
}

/// What was said of the deletions.
fn told_of_deletions(fixture: &Fixture) -> Vec<String> {
    let mut events = fixture.journal.events();
    events.retain(|event| event.kind == EventKind::BackupDeleted);
    events.into_iter().map(|event| event.message).collect()
}

#[tokio::test]
async fn a_full_store_is_freed_by_pruning_also_where_nothing_can_be_moved_to_the_trash() {
    for is_seen in [true, false] {
        let (fixture, records) = two_chains().await;
        match is_seen {
            true => fixture.store.fill(),
            false => fixture.store.fail_upkeep(no_room()),
        }
        let pruned = prune(&fixture, true).await.unwrap();
        assert_eq!(pruned.expired.len(), 2);
        assert!(
            fixture.store.holds(&records[0].id),
            "a dry run frees nothing"
        );
        let pruned = prune(&fixture, false).await.unwrap();
        assert_eq!(pruned.expired.len(), 2, "{is_seen}");
        let held = records.iter().map(|record| fixture.store.holds(&record.id));
        assert_eq!(held.collect::<Vec<_>>(), [false, false, true], "{is_seen}");
        assert_eq!(fixture.service.list(None).len(), 1);
        let told = told_of_deletions(&fixture);
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("for the store has no room"), "{told:?}");
    }
}

#[tokio::test]
async fn a_backup_for_which_there_is_no_room_empties_the_trash_and_room_fills_it_again() {
    let (fixture, records) = two_chains().await;
    prune(&fixture, false).await.unwrap();
    assert!(fixture.store.holds(&records[0].id) && fixture.store.holds(&records[1].id));
    fixture.store.fail_next(no_room());
    fixture.create(BackupType::Full).await.unwrap_err();
    fixture.service.start_due();
    wait_until("the deletions", || told_of_deletions(&fixture).len() == 2).await;
    assert!(!fixture.store.holds(&records[0].id) && !fixture.store.holds(&records[1].id));
    assert!(fixture.store.holds(&records[2].id));

    fixture.create(BackupType::Full).await.unwrap();
    prune(&fixture, false).await.unwrap();
    assert!(fixture.store.has_in_trash(&records[2].id) && fixture.store.holds(&records[2].id));
}

#[tokio::test]
async fn what_was_read_back_and_restored_is_so_where_the_journal_takes_nothing() {
    let (fixture, records) = two_chains().await;
    fixture.journal.fill(true);
    let id = records[2].id.clone();
    let verified = fixture.service.verify(id.clone(), no_progress());
    assert_eq!(within(verified).await.unwrap().backup.id, id);
    let request = RestoreRequest {
        id: Some(id),
        ..restore_of(job(None).name, Some("/elsewhere"))
    };
    let restored = BackupOperator::restore(&fixture.service, request, no_progress());
    within(restored).await.unwrap();
    within(fixture.service.drill(job(None).name, no_progress()))
        .await
        .unwrap();
    assert_eq!(fixture.store.restores(), 1);
}

#[tokio::test]
async fn what_the_journal_does_not_take_in_one_batch_it_gets_one_by_one() {
    let (fixture, records) = two_chains().await;
    prune(&fixture, false).await.unwrap();
    let expired = fixture.service.core.catalog.lock().expired();
    assert_eq!(expired.len(), 2);
    // Of each that goes that it is removed, and the event that says so.
    fixture.journal.take_at_most(2);
    let gone = within(fixture.service.delete_for_good(expired)).await;
    assert_eq!(gone.unwrap(), 2);
    assert_eq!(told_of_deletions(&fixture).len(), 2);
    let removed = fixture.journal.changes().into_iter();
    let removed = removed.filter(|change| matches!(change, Change::BackupRemoved(_)));
    assert_eq!(removed.count(), 2);
    let left = fixture.service.list(None);
    let left: Vec<&BackupId> = left.iter().map(|record| &record.id).collect();
    assert_eq!(left, [&records[2].id]);
}

//! The journal as its callers see it: order, group commit, every change, every query.

mod audit;
mod broken;
mod calls;
mod copying;
mod crash;
mod damage;
mod disk;
mod fixtures;
mod held;
mod history;
mod large;
mod older;
mod opening;
mod salvaging;
mod speed;
mod swapping;
mod syncing;
mod values;

use super::{SqliteJournal, StateDirectory, load::Load};
use crate::port::{Batch, Browse, Fence, Journal, Recover, StoreErrorKind};
use fixtures::*;
use mainstay_domain::{
    backup::BackupType,
    event::{AlertQueued, Event, EventKind, TargetRenamed},
    incident::IncidentState,
    operation::OperationState,
    record::Change,
};
use std::time::Duration;

#[tokio::test]
async fn every_change_reads_back_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let operation = operation(1, "api", OperationState::InProgress);
    let incident = incident(1, "api", IncidentState::Open);
    let outbox = outbox_entry(1);
    let backup = backup(1);
    let (target, failure, job) = (target("api"), failure("api-down"), job("state"));
    let identity = process_identity();
    let entries = [intent(&operation.id, 1), result(&operation.id, 1)];
    let changes = vec![
        Change::Event(event(1)),
        Change::Incident(incident.clone().into()),
        Change::Operation(operation.clone()),
        Change::Effect(entries[0].clone()),
        Change::Effect(entries[1].clone()),
        Change::Alert(outbox.clone()),
        Change::Backup(backup.clone()),
        Change::Process(target.clone(), Some(identity.clone())),
        Change::Paused(Some(target.clone()), true),
        Change::Paused(None, true),
        Change::Cooldown(target.clone(), failure.clone(), at(9)),
        Change::Slot(job.clone(), BackupType::Incremental, at(8)),
        Change::DrillSlot(job.clone(), at(6)),
    ];
    // Twice, for whole values may be written again; only the event counts again.
    journal.commit(changes.clone().into()).await.unwrap();
    let told = journal.commit(changes.into()).await.unwrap().events();
    assert_eq!(told.iter().map(|event| event.seq).collect::<Vec<_>>(), [2]);
    drop(journal);

    let journal = open(directory.path()).unwrap();
    let recovered = journal
        .recovered(mainstay_domain::time::Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!(recovered.operations, std::slice::from_ref(&operation));
    assert_eq!(recovered.incidents, std::slice::from_ref(&incident));
    assert_eq!(recovered.outbox, std::slice::from_ref(&outbox));
    assert_eq!(recovered.backups, std::slice::from_ref(&backup));
    assert_eq!(recovered.processes, [(target.clone(), identity)]);
    assert_eq!(recovered.paused_targets, std::slice::from_ref(&target));
    assert!(recovered.paused_host);
    assert_eq!(
        recovered.cooldowns,
        [(target.clone(), failure.clone(), at(9))]
    );
    assert_eq!(recovered.drill_slots, [(job.clone(), at(6))]);
    assert_eq!(recovered.slots, [(job, BackupType::Incremental, at(8))]);
    let found = journal.operation(operation.id.clone()).await.unwrap();
    assert_eq!(found, Some((operation.clone(), entries.to_vec())));
    assert_eq!(
        journal.incident(incident.id.clone()).await.unwrap(),
        Some(incident.clone())
    );
    let events = journal.events(0, 10).await.unwrap();
    assert_eq!(events, [numbered(event(1), 1), numbered(event(1), 2)]);

    let mut ended = operation.clone();
    ended.state = OperationState::Succeeded;
    let mut healed = incident.clone();
    healed.state = IncidentState::Recovered;
    let undo = vec![
        Change::Operation(ended.clone()),
        Change::Incident(healed.into()),
        Change::AlertDone(outbox.alert.id, outbox.alerter),
        Change::BackupRemoved(backup.id),
        Change::Process(target.clone(), None),
        Change::Paused(Some(target), false),
        Change::Paused(None, false),
    ];
    journal.commit(undo.into()).await.unwrap();
    let recovered = journal
        .recovered(mainstay_domain::time::Timestamp::from_millis(0))
        .await
        .unwrap();
    assert!(recovered.operations.is_empty() && recovered.incidents.is_empty());
    assert!(recovered.outbox.is_empty() && recovered.backups.is_empty());
    assert!(recovered.processes.is_empty() && recovered.paused_targets.is_empty());
    assert!(!recovered.paused_host);
    let history = journal.history(everything()).await.unwrap();
    assert_eq!(history, [ended]);
}

#[tokio::test]
async fn what_another_owner_submits_is_refused_and_nothing_of_it_written() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for fence in [Fence(0), Fence(2)] {
        let changes = vec![Change::Event(event(1))];
        let refused = journal
            .commit(Batch {
                fence,
                ..changes.into()
            })
            .await
            .unwrap_err();
        assert_eq!(refused.kind, StoreErrorKind::Fenced);
        assert!(!refused.is_retryable());
    }
    assert!(journal.events(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn events_of_some_kinds_are_found_among_many_others_in_pages() {
    const RARE: &[EventKind] = &[EventKind::DrillFailed, EventKind::HostStarted];
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let of = |kind, n| Event { kind, ..event(n) };
    let mut changes: Vec<Change> = (0..300)
        .map(|n| Change::Event(of(EventKind::PluginLogged, n)))
        .collect();
    changes[7] = Change::Event(of(EventKind::DrillFailed, 7));
    changes[9] = Change::Event(of(EventKind::DrillPassed, 9));
    changes[200] = Change::Event(of(EventKind::HostStarted, 200));
    let over = of(EventKind::AlertQueued, 250).with_data(AlertQueued {
        alert: outbox_entry(1).alert.id,
        alerter: outbox_entry(1).alerter,
        resolves: Some("db1/drill/state".to_owned()),
    });
    changes[250] = Change::Event(over);
    journal.commit(changes.into()).await.unwrap();
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = journal.events_of(RARE, after, 2).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        after = last.seq;
        found.extend(page.into_iter().map(|event| (event.seq, event.kind)));
    }
    let expected = [
        (8, EventKind::DrillFailed),
        (201, EventKind::HostStarted),
        (251, EventKind::AlertQueued),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_names_of_a_target_are_found_among_all_events_newest_first() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let renamed = |of: &str, from: &str, to: &str| {
        let data = TargetRenamed {
            from: target(from),
            to: target(to),
        };
        let kind = EventKind::TargetRenamed;
        let event = Event { kind, ..event(1) };
        Change::Event(event.with_target(&target(of)).with_data(data))
    };
    let mut changes: Vec<Change> = (0..300).map(|n| Change::Event(event(n))).collect();
    changes[7] = renamed("web", "web", "api");
    changes[8] = renamed("api", "web", "api");
    changes[100] = renamed("api", "api", "front");
    // What is no such event, though it speaks of one.
    let mut other = event(1);
    other.message = r#""kind":"target.renamed""#.to_owned();
    changes[101] = Change::Event(other);
    journal.commit(changes.into()).await.unwrap();
    for (name, limit, expected) in [
        ("api", 10, vec![101, 9]),
        ("api", 1, vec![101]),
        ("web", 10, vec![8]),
        ("front", 10, Vec::new()),
    ] {
        let found = journal.renames(Some(target(name)), limit).await.unwrap();
        let found: Vec<u64> = found.iter().map(|event| event.seq).collect();
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(journal.renames(None, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn events_of_a_version_that_did_not_say_which_are_looked_for_are_found_too() {
    const WANTED: &[EventKind] = &[EventKind::HostStarted];
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let kind = EventKind::HostStarted;
    let started = Event { kind, ..event(2) };
    let changes = vec![Change::Event(event(1)), Change::Event(started)];
    journal.commit(changes.into()).await.unwrap();
    drop(journal);
    let database = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    database
        .execute_batch("UPDATE events SET sought = NULL")
        .unwrap();
    drop(database);
    let journal = open(directory.path()).unwrap();
    let found = journal.events_of(WANTED, 0, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].seq, 2);
}

#[tokio::test]
async fn events_are_numbered_and_told_in_the_order_of_the_calls() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut subscriber = journal.subscribe();
    let answers: Vec<_> = (0..500)
        .map(|n| journal.commit(vec![Change::Event(event(n))].into()))
        .collect();
    for (n, answer) in answers.into_iter().enumerate() {
        let told = answer.await.unwrap().events();
        assert_eq!(told[0].seq, n as u64 + 1);
        let heard = subscriber.recv().await.unwrap();
        assert_eq!(heard, told[0]);
        assert_eq!(heard.message, event(n as u64).message);
    }
    let newest = journal.last_events(2).await.unwrap();
    assert_eq!(
        newest.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [499, 500]
    );
    for (count, before) in [(0, 500), (2, 498), (499, 1), (500, 0), (9_000, 0)] {
        assert_eq!(journal.seq_before_newest(count).await.unwrap(), before);
    }
    let after = journal.events(498, 1).await.unwrap();
    assert_eq!(after[0].seq, 499);
}

#[tokio::test]
async fn submissions_that_come_together_share_a_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let answers: Vec<_> = (0..2_000)
        .map(|n| journal.commit(vec![Change::Event(event(n))].into()))
        .collect();
    for answer in answers {
        answer.await.unwrap();
    }
    let transactions = journal.transactions();
    assert!(
        (1..500).contains(&transactions),
        "2,000 commits took {transactions} transactions"
    );
}

#[tokio::test]
async fn a_commit_is_written_even_when_its_answer_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    drop(journal.commit(vec![Change::Event(event(1))].into()));
    // An empty commit is answered after everything before it.
    assert_eq!(journal.written().await.unwrap().events(), []);
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 1);
    for n in 0..100 {
        drop(journal.commit(vec![Change::Event(event(n))].into()));
    }
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 1_000).await.unwrap().len(), 101);
}

#[tokio::test]
async fn a_submission_is_written_together_or_not_at_all_and_fails_alone() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal
        .on_connection(|connection| {
            connection.execute_batch(
                "CREATE TEMP TRIGGER refuse BEFORE INSERT ON operations WHEN new.target = 'bad'
                 BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
            )
        })
        .await
        .unwrap();
    let mut subscriber = journal.subscribe();
    let answers: Vec<_> = (0..30)
        .map(|n| {
            let name = if n % 3 == 1 { "bad" } else { "good" };
            journal.commit(
                vec![
                    Change::Event(event(n)),
                    Change::Operation(operation(n, name, OperationState::Scheduled)),
                ]
                .into(),
            )
        })
        .collect();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer.await {
            Ok(_) => assert_ne!(n % 3, 1),
            Err(error) => {
                assert_eq!(n % 3, 1, "{error}");
                assert!(error.to_string().contains("refused by the test"), "{error}");
            }
        }
    }
    assert_eq!(journal.history(everything()).await.unwrap().len(), 20);
    let seqs: Vec<_> = journal
        .events(0, 100)
        .await
        .unwrap()
        .iter()
        .map(|event| event.seq)
        .collect();
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
    for seq in 1..=20 {
        let heard = tokio::time::timeout(Duration::from_secs(5), subscriber.recv()).await;
        assert_eq!(heard.unwrap().unwrap().seq, seq);
    }
}

#[tokio::test]
async fn a_line_at_its_bound_refuses_events_at_once_and_still_takes_what_is_to_be_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let bound = Load {
        changes: 100,
        bytes: usize::MAX,
    };
    let owned = StateDirectory::take(directory.path()).unwrap();
    let journal = SqliteJournal::open_bounded(owned, bound).unwrap();
    // Another connection holds the write lock, so the writer stands still.
    let blocker = rusqlite::Connection::open(directory.path().join(super::FILE_NAME)).unwrap();
    journal
        .on_connection(|connection| connection.busy_timeout(Duration::from_secs(60)))
        .await
        .unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut answers: Vec<_> = (0..150)
        .map(|n| journal.commit(vec![Change::Event(event(n))].into()))
        .collect();
    assert!(
        journal.queue.is_refusing(),
        "it is logged, though nobody has waited yet"
    );
    answers.extend((0..150).map(|n| {
        journal.commit(
            vec![Change::Operation(operation(
                n,
                "api",
                OperationState::Scheduled,
            ))]
            .into(),
        )
    }));
    blocker.execute_batch("ROLLBACK").unwrap();
    let mut refused = Vec::new();
    for (n, answer) in answers.into_iter().enumerate() {
        if let Err(error) = answer.await {
            assert_eq!(error.kind, StoreErrorKind::Full, "{error}");
            refused.push(n);
        }
    }
    let expected: Vec<usize> = (100..150).chain(250..300).collect();
    assert_eq!(refused, expected);
    assert_eq!(journal.last_events(1).await.unwrap()[0].seq, 100);
    assert_eq!(journal.history(everything()).await.unwrap().len(), 100);
    journal.written().await.unwrap();
    assert!(!journal.queue.is_refusing());
}

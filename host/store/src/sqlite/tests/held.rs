//! Writes that fail for a while: order, answers, and the reserve.

use super::fixtures::*;
use crate::{
    port::{Batch, Browse, Committed, DiskState, Journal, StoreErrorKind, Values},
    sqlite::reserve::LAST,
};
use mainstay_domain::{event::Event, operation::OperationState, record::Change};
use proptest::prelude::*;
use rusqlite::Connection;
use std::{path::Path, sync::atomic::Ordering::SeqCst};
use tokio::time::timeout;

fn reserve(directory: &Path) -> u64 {
    directory
        .join("reserve")
        .metadata()
        .map_or(0, |found| found.len())
}

/// Waits until the reserve is whole.
async fn whole(directory: &Path) {
    let look = async {
        while reserve(directory) <= LAST {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, look).await.expect("in time");
}

#[tokio::test]
async fn the_first_write_that_finds_the_disk_full_is_tried_again_with_the_reserve_and_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    whole(directory.path()).await;
    let mut told = journal.room();
    journal.faults.failures.store(1, SeqCst);
    let answer = journal.commit(vec![Change::Event(event(1))].into()).await;
    assert!(answer.unwrap().is_durable());
    // It says so, and says again when the reserve is back.
    timeout(DEADLINE, told.changed()).await.unwrap().unwrap();
    room(&journal, |room| *room == DiskState::Recovered).await;
    whole(directory.path()).await;
}

#[tokio::test]
async fn nobody_waits_for_a_disk_that_does_not_sync_and_what_is_written_is_there_once_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal
        .commit(vec![Change::Event(event(1))].into())
        .await
        .unwrap();
    // As long as this reads, the database does not take what the log holds.
    let reader = Connection::open(directory.path().join("journal.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = |reader: &Connection| -> i64 {
        reader
            .query_row("SELECT count(*) FROM events", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(&reader), 1);
    journal.faults.syncs.store(1, SeqCst);
    let written = journal.commit(Batch::written(vec![Change::Event(event(2))]));
    let durable = journal.commit(vec![Change::Event(event(3))].into());
    let written = timeout(DEADLINE, written).await.expect("nobody waits");
    assert_eq!(written.unwrap(), Committed::Written);
    room(&journal, |room| matches!(room, DiskState::Full(_))).await;
    let later = journal.commit(vec![Change::Event(event(4))].into());
    for answer in [durable, later] {
        let answer = timeout(DEADLINE, answer).await.expect("nobody waits");
        assert_eq!(answer.unwrap(), Committed::Held);
    }
    let value = journal.set(plugin("a"), "k".to_owned(), None, 1 << 20);
    assert!(timeout(DEADLINE, value).await.unwrap().is_err());
    reader.execute_batch("COMMIT").unwrap();
    room(&journal, |room| *room == DiskState::Recovered).await;
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn who_needs_only_that_it_outlives_the_daemon_is_told_that_it_was_refused() {
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
    let submit = |n, name| {
        let operation = operation(n, name, OperationState::Scheduled);
        journal.commit(Batch::written(vec![Change::Operation(operation)]))
    };
    let (good, bad) = (submit(1, "good"), submit(2, "bad"));
    assert_eq!(good.await.unwrap(), Committed::Written);
    assert_eq!(bad.await.unwrap_err().kind, StoreErrorKind::Unreadable);
    assert_eq!(journal.history(everything()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn while_nothing_can_be_written_changes_are_held_and_values_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    whole(directory.path()).await;
    journal.faults.failures.store(u32::MAX, SeqCst);
    for n in 0..3 {
        let answer = journal.commit(vec![Change::Event(event(n))].into());
        let answer = timeout(DEADLINE, answer).await.expect("nobody waits");
        assert_eq!(answer.unwrap(), Committed::Held);
    }
    assert_eq!(
        journal.written().await.unwrap(),
        Committed::Held,
        "what was before it is not durable"
    );
    let value = journal.set(plugin("a"), "k".to_owned(), None, 1 << 20);
    assert!(timeout(DEADLINE, value).await.unwrap().is_err());
    assert!(reserve(directory.path()) <= LAST);
    assert!(matches!(*journal.room().borrow(), DiskState::Full(_)));
    assert!(journal.events(0, 10).await.unwrap().is_empty());
    journal.faults.failures.store(0, SeqCst);
    room(&journal, |room| *room == DiskState::Recovered).await;
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 3);
    let value = journal.set(plugin("a"), "k".to_owned(), Some(vec![1]), 1 << 20);
    value.await.unwrap();
}

#[tokio::test]
async fn while_the_disk_fails_it_is_said_what_the_system_says_of_it_and_changes_are_held() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    whole(directory.path()).await;
    // What lies there is in the way of the look too.
    std::fs::create_dir(directory.path().join("reserve.probe")).unwrap();
    journal.faults.breaks.store(u32::MAX, SeqCst);
    let answer = journal.commit(vec![Change::Event(event(1))].into());
    let answer = timeout(DEADLINE, answer).await.expect("nobody waits");
    assert_eq!(answer.unwrap(), Committed::Held);
    let DiskState::Full(why) = journal.room().borrow().clone() else {
        panic!("it takes something");
    };
    assert!(why.contains("cannot be written: Is a directory"), "{why}");
    journal.faults.breaks.store(0, SeqCst);
    room(&journal, |room| *room == DiskState::Recovered).await;
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_value_that_is_refused_leaves_the_next_one_its_own_try() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    whole(directory.path()).await;
    // One try with the reserve, one without.
    journal.faults.failures.store(2, SeqCst);
    let set = || journal.set(plugin("a"), "k".to_owned(), Some(vec![1]), 1 << 20);
    assert!(set().await.is_err());
    set().await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_ends_while_it_holds_something_writes_it_first() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal.faults.failures.store(20, SeqCst);
    for n in 0..50 {
        drop(journal.commit(vec![Change::Event(event(n))].into()));
    }
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), 50);
}

#[tokio::test]
async fn a_reserve_that_a_daemon_before_let_go_of_is_full_until_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    std::fs::write(directory.path().join("reserve"), [0; 9]).unwrap();
    let journal = open(directory.path()).unwrap();
    room(&journal, |room| *room == DiskState::Recovered).await;
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(*journal.room().borrow(), DiskState::Healthy);
}

#[tokio::test]
async fn nothing_waits_for_a_reserve_that_is_no_regular_file() {
    for name in ["reserve", "reserve.probe"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(name);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &place, mode).unwrap();
        let journal = open(directory.path()).unwrap();
        let written = journal.commit(vec![Change::Event(event(1))].into());
        let written = timeout(DEADLINE, written).await.expect("in time").unwrap();
        assert!(written.is_durable());
        drop(journal);
        assert!(place.symlink_metadata().is_ok(), "it is nobody's to remove");
    }
}

#[tokio::test]
async fn a_refused_submission_does_not_hold_up_those_behind_it_when_all_fail_together() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal
        .on_connection(|connection| {
            connection.execute_batch(
                "CREATE TEMP TRIGGER refuse BEFORE INSERT ON operations WHEN new.target = 'bad'
                 BEGIN SELECT RAISE(ROLLBACK, 'refused by the test'); END",
            )
        })
        .await
        .unwrap();
    let answers: Vec<_> = (0..30)
        .map(|n| {
            let name = if n % 3 == 1 { "bad" } else { "good" };
            let state = OperationState::Scheduled;
            journal.commit(vec![Change::Operation(operation(n, name, state))].into())
        })
        .collect();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer.await {
            Ok(_) => assert_ne!(n % 3, 1),
            Err(error) => assert_eq!((n % 3, error.kind), (1, StoreErrorKind::Unreadable)),
        }
    }
    assert_eq!(journal.history(everything()).await.unwrap().len(), 20);
}

#[derive(Debug, Clone)]
enum Step {
    /// So many submissions, each of so many events and the newest state of one operation.
    Submit(u8, u8),
    /// So many of the next writes fail.
    Fail(u8),
    /// So many of the next syncs fail.
    FailSync(u8),
    /// Waits for an answer, durable or held.
    Wait,
    /// Another daemon takes over after this one has ended in order.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20_u8, 0..4_u8).prop_map(|(count, events)| Step::Submit(count, events)),
        3 => (1..6_u8).prop_map(Step::Fail),
        2 => (1..4_u8).prop_map(Step::FailSync),
        2 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_is_what_was_submitted_in_its_order(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let mut journal = open(directory.path()).unwrap();
            let (mut number, mut attempts) = (0, 0);
            for step in steps {
                match step {
                    Step::Submit(count, events) => for _ in 0..count {
                        let mut changes: Vec<Change> = (0..events)
                            .map(|n| Change::Event(event(number + u64::from(n))))
                            .collect();
                        number += u64::from(events);
                        attempts += 1;
                        let mut newest = operation(1, "api", OperationState::InProgress);
                        newest.attempts = attempts;
                        changes.push(Change::Operation(newest));
                        drop(journal.commit(changes.into()));
                    },
                    Step::Fail(count) => journal.faults.failures.store(count.into(), SeqCst),
                    Step::FailSync(count) => journal.faults.syncs.store(count.into(), SeqCst),
                    Step::Wait => drop(journal.written().await.unwrap()),
                    Step::Restart => {
                        drop(journal);
                        journal = open(directory.path()).unwrap();
                    }
                }
            }
            drop(journal);
            let journal = open(directory.path()).unwrap();
            let events = journal.events(0, u32::MAX).await.unwrap();
            let expected: Vec<Event> = (0..number).map(|n| numbered(event(n), n + 1)).collect();
            assert_eq!(events, expected);
            let history = journal.history(everything()).await.unwrap();
            let newest: Vec<u32> = history.iter().map(|operation| operation.attempts).collect();
            let expected: Vec<u32> = (attempts > 0).then_some(attempts).into_iter().collect();
            assert_eq!(newest, expected);
        });
    }
}

#[tokio::test]
async fn a_start_that_fails_for_another_reason_than_room_keeps_the_reserve() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    whole(directory.path()).await;
    drop(journal);
    let kept = reserve(directory.path());
    let other = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM paused")
        .unwrap();
    let error = open(directory.path()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    assert_eq!(reserve(directory.path()), kept);
    drop(other);
    open(directory.path()).unwrap();
}

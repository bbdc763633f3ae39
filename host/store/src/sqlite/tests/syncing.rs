//! A disk that hangs while it syncs: who waits for it, and who does not.

use super::fixtures::*;
use crate::{
    port::{Batch, Browse, Commit, Committed, DiskState, Journal, StoreErrorKind, Values},
    sqlite::SqliteJournal,
};
use mainstay_domain::{
    effect::EffectError, event::Event, operation::OperationState, record::Change,
};
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    sync::broadcast::{Receiver, error::TryRecvError},
    time::timeout,
};

/// Each sync of the journal hangs until this is dropped.
struct Hanging<'a>(&'a SqliteJournal);

impl<'a> Hanging<'a> {
    fn of(journal: &'a SqliteJournal) -> Self {
        journal.faults.gate.set_shut(true);
        Self(journal)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.faults.gate.set_shut(false);
    }
}

/// The writer is in a transaction until this is dropped.
struct Busy;

static IS_BUSY: AtomicBool = AtomicBool::new(false);
static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

impl Busy {
    fn begin() -> Self {
        IS_BUSY.store(true, SeqCst);
        Self
    }

    fn run(_: &Connection) -> rusqlite::Result<()> {
        HAS_BEGUN.store(true, SeqCst);
        while IS_BUSY.load(SeqCst) {
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        IS_BUSY.store(false, SeqCst);
    }
}

/// As long as this reads, the database does not take what is written from now on.
fn reading(directory: &Path) -> Connection {
    let reader = Connection::open(directory.join("journal.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = "SELECT count(*) FROM events";
    let _: i64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
    reader
}

/// How many syncs have begun.
fn syncs(journal: &SqliteJournal) -> u32 {
    journal.faults.begun.load(SeqCst)
}

/// Waits until it is so.
async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn changes(n: u64) -> Vec<Change> {
    vec![Change::Event(event(n))]
}

/// A commit that the disk is about to sync, and hangs.
async fn hung(journal: &SqliteJournal, n: u64) -> Commit {
    let before = syncs(journal);
    let answer = journal.commit(changes(n).into());
    until(|| syncs(journal) > before).await;
    answer
}

/// Commits with the next number, and returns when it is in the journal's file.
async fn write(journal: &SqliteJournal, n: u64) {
    let written = within(journal.commit(Batch::written(changes(n)))).await;
    assert_eq!(written.unwrap(), Committed::Written);
}

/// The number of the event of a commit that is durable by now.
async fn durable(answer: Commit) -> u64 {
    let answer = timeout(Duration::ZERO, answer).await;
    let committed = answer.expect("it is answered").unwrap();
    assert!(committed.is_durable());
    committed.events()[0].seq
}

async fn is_pending(answer: &mut (impl Future + Unpin)) -> bool {
    timeout(Duration::ZERO, answer).await.is_err()
}

/// These numbers are told next, in this order.
async fn told(events: &mut Receiver<Arc<Event>>, numbers: &[u64]) {
    for number in numbers {
        let heard = within(events.recv()).await.unwrap();
        assert_eq!(heard.seq, *number);
    }
}

#[tokio::test]
async fn who_needs_only_that_it_outlives_the_daemon_waits_for_no_sync_of_what_was_before() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut events = journal.subscribe();
    let hanging = Hanging::of(&journal);
    let mut first = hung(&journal, 1).await;
    let mut value = journal.set(plugin("a"), "k".to_owned(), Some(vec![1]), 1 << 20);
    write(&journal, 2).await;
    write(&journal, 3).await;
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 3);
    assert!(is_pending(&mut first).await, "it is not on the disk");
    assert!(is_pending(&mut value).await, "a value must be durable");
    assert_eq!(events.try_recv().unwrap_err(), TryRecvError::Empty);
    assert_eq!(
        journal.numbers().waiting,
        4,
        "all of it counts in the bound"
    );
    drop(hanging);
    assert!(within(&mut first).await.unwrap().is_durable());
    within(value).await.unwrap();
    told(&mut events, &[1, 2, 3]).await;
    assert_eq!(journal.numbers().waiting, 0);
}

#[tokio::test]
async fn what_is_committed_during_a_sync_shares_the_next_one_and_is_answered_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut events = journal.subscribe();
    let hanging = Hanging::of(&journal);
    let mut answers = vec![hung(&journal, 1).await];
    for n in 2..=9 {
        answers.push(journal.commit(changes(n).into()));
        until(|| journal.unsynced.len() as u64 == n - 1).await;
    }
    assert!(journal.transactions() >= 9, "each was one of its own");
    let mut last = answers.pop().unwrap();
    assert!(is_pending(&mut last).await);
    drop(hanging);
    assert!(within(last).await.unwrap().is_durable());
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(durable(answer).await, n as u64 + 1);
    }
    assert_eq!(syncs(&journal), 2);
    told(&mut events, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
    let nothing = within(journal.written()).await.unwrap();
    assert!(nothing.is_durable());
    assert_eq!(syncs(&journal), 2, "nothing new was to be synced");
}

#[tokio::test]
async fn a_journal_is_closed_after_what_it_took_is_synced_and_answered() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(directory.path()).unwrap());
    let hanging = Hanging::of(&journal);
    let mut first = hung(&journal, 1).await;
    let mut second = journal.commit(changes(2).into());
    let closing = Arc::clone(&journal);
    let closing = std::thread::spawn(move || closing.close());
    until(|| journal.queue.is_closed() && journal.unsynced.len() == 1).await;
    let late = within(journal.commit(changes(3).into())).await;
    assert_eq!(late.unwrap_err().kind, StoreErrorKind::Closed);
    assert!(is_pending(&mut first).await && is_pending(&mut second).await);
    assert!(!closing.is_finished());
    drop(hanging);
    assert!(within(first).await.unwrap().is_durable());
    assert!(within(second).await.unwrap().is_durable());
    closing.join().unwrap();
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_committed_behind_a_sync_that_fails_is_saved_with_it_and_syncs_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut events = journal.subscribe();
    journal.faults.syncs.store(1, SeqCst);
    let hanging = Hanging::of(&journal);
    let first = hung(&journal, 1).await;
    let second = journal.commit(changes(2).into());
    write(&journal, 3).await;
    drop(hanging);
    assert!(within(second).await.unwrap().is_durable());
    assert_eq!(durable(first).await, 1);
    told(&mut events, &[1, 2, 3]).await;
    assert_eq!(syncs(&journal), 1, "all of it is in the database");
    room(&journal, |room| *room == DiskState::Recovered).await;
    let log = directory.path().join("journal.db-wal").metadata().unwrap();
    assert_eq!(log.len(), 0, "what is next is behind nothing that is lost");
    let next = within(journal.commit(changes(4).into())).await;
    assert!(next.unwrap().is_durable());
    assert_eq!(syncs(&journal), 2);
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn what_the_writer_has_at_hand_is_held_too_while_what_was_before_it_cannot_be_saved() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let reader = reading(directory.path());
    journal.faults.syncs.store(1, SeqCst);
    let hanging = Hanging::of(&journal);
    let first = hung(&journal, 1).await;
    let busy = Busy::begin();
    let mut work = Box::pin(journal.on_connection(Busy::run));
    assert!(is_pending(&mut work).await);
    until(|| HAS_BEGUN.load(SeqCst)).await;
    let next = journal.commit(changes(2).into());
    drop(hanging);
    until(|| journal.unsynced.failed().is_some()).await;
    drop(busy);
    assert_eq!(within(first).await.unwrap(), Committed::Held);
    assert_eq!(within(next).await.unwrap(), Committed::Held);
    reader.execute_batch("COMMIT").unwrap();
    within(work).await.unwrap();
    room(&journal, |room| *room == DiskState::Recovered).await;
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 2);
    assert_eq!(journal.numbers().waiting, 0);
}

#[tokio::test]
async fn what_is_committed_and_cannot_be_saved_is_not_told_to_plugins_as_what_did_not_happen() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let reader = reading(directory.path());
    journal.faults.syncs.store(1, SeqCst);
    let swap = journal.compare_and_set(plugin("a"), "k".to_owned(), None, vec![1], 1 << 20);
    let told = within(swap).await;
    assert!(matches!(told, Err(EffectError::TimedOut(_))), "{told:?}");
    reader.execute_batch("COMMIT").unwrap();
    room(&journal, |room| *room == DiskState::Recovered).await;
    let found = journal.get(plugin("a"), "k".to_owned()).await.unwrap();
    assert_eq!(found, Some(vec![1]));
    assert_eq!(journal.numbers().waiting, 0);
}

#[tokio::test]
async fn what_is_refused_is_not_held_where_the_disk_does_not_sync_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal
        .on_connection(|connection| {
            connection.execute_batch(
                "CREATE TEMP TRIGGER refuse BEFORE INSERT ON operations
                 BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
            )
        })
        .await
        .unwrap();
    let reader = reading(directory.path());
    journal.faults.syncs.store(1, SeqCst);
    let operation = operation(1, "api", OperationState::Scheduled);
    let refused = journal.commit(vec![Change::Operation(operation)].into());
    let refused = within(refused).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Unreadable);
    reader.execute_batch("COMMIT").unwrap();
    room(&journal, |room| *room == DiskState::Recovered).await;
    assert_eq!(journal.numbers().waiting, 0);
}

#[tokio::test]
async fn what_cannot_be_written_is_held_while_what_was_written_before_it_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut events = journal.subscribe();
    let hanging = Hanging::of(&journal);
    let mut first = hung(&journal, 1).await;
    journal.faults.failures.store(u32::MAX, SeqCst);
    let held = within(journal.commit(changes(2).into())).await;
    assert_eq!(held.unwrap(), Committed::Held);
    assert!(is_pending(&mut first).await, "it is written");
    drop(hanging);
    assert!(within(first).await.unwrap().is_durable());
    let still = within(journal.commit(changes(3).into())).await;
    assert_eq!(still.unwrap(), Committed::Held, "a sync writes nothing");
    assert!(matches!(*journal.room().borrow(), DiskState::Full(_)));
    journal.faults.failures.store(0, SeqCst);
    room(&journal, |room| *room == DiskState::Recovered).await;
    told(&mut events, &[1, 2, 3]).await;
}

#[tokio::test]
async fn a_writer_that_panics_leaves_what_it_has_written_to_be_synced_and_answered() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let hanging = Hanging::of(&journal);
    let mut first = hung(&journal, 1).await;
    write(&journal, 2).await;
    let second = journal.commit(changes(3).into());
    until(|| journal.unsynced.len() == 2).await;
    let torn = within(journal.on_connection(|_| panic!("out of luck"))).await;
    torn.unwrap_err();
    within(journal.broken()).await;
    assert!(is_pending(&mut first).await);
    drop(hanging);
    assert!(within(second).await.unwrap().is_durable());
    assert_eq!(durable(first).await, 1);
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 10).await.unwrap().len(), 3);
}

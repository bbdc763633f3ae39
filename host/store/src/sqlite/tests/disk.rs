//! A disk that is full, as SQLite says it.

use super::fixtures::*;
use crate::port::{Browse, Committed, Journal, Values};
use mainstay_domain::{effect::EffectError, record::Change};
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test]
async fn what_a_full_disk_does_not_take_is_held_and_written_when_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut subscriber = journal.subscribe();
    journal
        .commit(vec![Change::Event(event(1))].into())
        .await
        .unwrap();
    // SQLite gives SQLITE_FULL for a file that may not grow, as it does for a disk without space.
    let file = rusqlite::Connection::open(directory.path().join(super::super::FILE_NAME)).unwrap();
    let pages: u32 = file
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    drop(file);
    journal.faults.max_pages.store(pages + 8, SeqCst);
    let mut large = event(2);
    large.message = "x".repeat(20_000);
    let mut submitted = 1;
    loop {
        submitted += 1;
        let answer = journal
            .commit(vec![Change::Event(large.clone())].into())
            .await;
        if answer.unwrap() == Committed::Held {
            break;
        }
        assert!(submitted < 10, "the disk should be full by now");
    }
    let refused = journal
        .set(
            plugin("webhook"),
            "k".to_owned(),
            Some(vec![0; 60_000]),
            1 << 20,
        )
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, EffectError::Unavailable(why) if why.contains("the disk is full")),
        "{refused:?}"
    );
    assert_eq!(
        journal.events(0, 100).await.unwrap().len(),
        submitted - 1,
        "what is held is not told yet"
    );

    journal.faults.max_pages.store(1_000_000, SeqCst);
    for seq in 1..=submitted as u64 {
        assert_eq!(subscriber.recv().await.unwrap().seq, seq);
    }
    assert!(journal.written().await.unwrap().is_durable());
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), submitted);
}

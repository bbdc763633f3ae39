//! Journals that are too large to be checked before the daemon starts.

use super::fixtures::*;
use crate::{
    port::{Browse, Journal},
    sqlite::{FILE_NAME, SqliteJournal, StateDirectory, queue::BOUND},
};
use mainstay_domain::{incident::IncidentState, record::Change};
use std::{path::Path, time::Instant};

/// So small that every journal is too large.
fn open_unchecked(directory: &Path) -> SqliteJournal {
    let directory = StateDirectory::take(directory).unwrap();
    SqliteJournal::open_limited(directory, BOUND, 0).unwrap()
}

/// A state directory with some events and open incidents.
async fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 1..200 {
        let incident = incident(n, &format!("api-{n}"), IncidentState::Open);
        let changes = vec![Change::Event(event(n)), Change::Incident(incident.into())];
        drop(journal.commit(changes.into()));
    }
    journal.written().await.unwrap();
    directory
}

/// Takes the last of its cells from the first page of an index: what it named is found by no query any more.
fn cut_index(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    let page: i64 = file
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'incidents_open'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(file);
    let mut bytes = std::fs::read(path).unwrap();
    let cells = usize::try_from((page - 1) * 4_096 + 4).unwrap();
    assert!(bytes[cells] > 0 || bytes[cells - 1] > 0, "no cell");
    bytes[cells] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_large_journal_is_told_while_it_is_open() {
    let directory = written().await;
    cut_index(&directory.path().join(FILE_NAME));
    // One of usual size is refused.
    let refused = open(directory.path()).unwrap_err().to_string();
    assert!(refused.contains("is damaged"), "{refused}");
    let journal = open_unchecked(directory.path());
    let damage = within(journal.damage()).await;
    for word in [
        directory.path().to_str().unwrap(),
        &damage.found,
        "the daemon goes on",
        "mainstay journal salvage",
        "[MS-0101]",
    ] {
        assert!(damage.text.contains(word), "`{word}`: {}", damage.text);
    }
    // It is written and read all the same.
    journal
        .commit(vec![Change::Event(event(500))].into())
        .await
        .unwrap();
    assert_eq!(journal.last_events(1).await.unwrap()[0].seq, 200);
}

#[tokio::test]
async fn a_large_journal_that_is_whole_says_nothing_and_closes_as_one_file() {
    let directory = written().await;
    let journal = open_unchecked(directory.path());
    let damage = journal.damage();
    let began = Instant::now();
    journal.close();
    assert!(began.elapsed() < DEADLINE);
    assert!(!directory.path().join("journal.db-wal").exists());
    let soon = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(soon, damage).await.is_err());
}

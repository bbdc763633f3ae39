//! What a salvage saves, what it says of that, and what it refuses.

use super::{
    damage::{content, copy, sample, write},
    fixtures::*,
};
use crate::{
    port::Browse,
    sqlite::{self, FILE_NAME, Salvaged, mark, salvage},
};
use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt, chown},
    path::Path,
};

/// A row is not what was written any more.
fn damage_an_event(directory: &Path) {
    let database = rusqlite::Connection::open(directory.join(FILE_NAME)).unwrap();
    database
        .execute("UPDATE events SET record = '{}' WHERE seq = 3", [])
        .unwrap();
}

/// Saved, set aside, gaps.
fn rows(salvaged: &Salvaged, table: &str) -> (u64, u64, u64) {
    let mut tables = salvaged.tables.iter();
    let found = tables.find(|found| found.table == table).unwrap();
    (found.rows, found.set_aside, found.gaps)
}

fn refusal(directory: &Path) -> String {
    salvage(directory, at(0)).unwrap_err().to_string()
}

#[tokio::test]
async fn a_mark_that_says_nothing_is_refused_and_nothing_is_called_whole_then() {
    let sample = sample(false).await;
    let spoilt = || {
        let directory = tempfile::tempdir().unwrap();
        copy(sample.directory.path(), directory.path());
        let mark = directory.path().join(mark::FILE_NAME);
        let mut bytes = fs::read(&mark).unwrap();
        bytes[20] ^= 4;
        fs::write(&mark, bytes).unwrap();
        directory
    };
    let directory = spoilt();
    let refused = open(directory.path()).unwrap_err();
    let refused = refused.to_string();
    for words in [
        "journal.mark",
        "nothing was changed",
        "mainstay journal check",
        "remove",
        "[MS-0101]",
    ] {
        assert!(refused.contains(words), "`{words}`: {refused}");
    }
    let report = sqlite::check(directory.path()).unwrap();
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(report.faults[0].contains("journal.mark is damaged"));
    let salvaged = salvage(directory.path(), at(0)).unwrap();
    assert_eq!(salvaged.acknowledged, None);
    assert!(!salvaged.is_whole() && salvaged.fault.is_none());
    assert!(
        salvaged.doubts[0].contains("is damaged"),
        "{:?}",
        salvaged.doubts
    );
    let journal = open(directory.path()).unwrap();
    assert!(content(&journal).await.unwrap() == sample.content);
    // Or without the mark.
    let directory = spoilt();
    fs::remove_file(directory.path().join(mark::FILE_NAME)).unwrap();
    let journal = open(directory.path()).unwrap();
    assert!(content(&journal).await.unwrap() == sample.content);
}

#[tokio::test]
async fn what_was_set_aside_before_is_saved_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..10).await;
    journal
        .on_connection(|connection| {
            connection.execute_batch(
                "INSERT INTO set_aside (origin, key, record, why) VALUES ('operations', 'op-1', '[]', 'a test')",
            )
        })
        .await
        .unwrap();
    drop(journal);
    damage_an_event(directory.path());
    let salvaged = salvage(directory.path(), at(0)).unwrap();
    assert_eq!(rows(&salvaged, "set_aside"), (1, 0, 0));
    assert_eq!(rows(&salvaged, "events"), (8, 1, 0));
    assert!(!salvaged.is_whole());
    assert!(salvaged.doubts.is_empty(), "{:?}", salvaged.doubts);
    let database = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    let whys: String = database
        .query_row(
            "SELECT group_concat(why, '; ' ORDER BY number) FROM set_aside",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(whys, "a test; its checksum is wrong");
}

/// Every second leaf of the events is lost: of the others every row is saved.
#[tokio::test]
async fn no_row_of_a_page_that_is_whole_is_lost_beside_one_that_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..300).await;
    drop(journal);
    let path = directory.path().join(FILE_NAME);
    let mut bytes = fs::read(&path).unwrap();
    let needle = b"\"kind\":\"check.failed\"";
    let is_leaf = |page: &[u8]| {
        let mut windows = page.windows(needle.len());
        page[0] == 13 && windows.any(|window| window == needle)
    };
    let leaves: Vec<usize> = (1..bytes.len() / 4_096)
        .filter(|page| is_leaf(&bytes[page * 4_096..(page + 1) * 4_096]))
        .collect();
    assert!(leaves.len() > 8, "{} leaves", leaves.len());
    let mut lost = 0;
    for page in leaves.iter().step_by(2) {
        let page = &mut bytes[page * 4_096..(page + 1) * 4_096];
        lost += u64::from(u16::from_be_bytes([page[3], page[4]]));
        // No page of a table begins so.
        page[0] = 0x77;
    }
    fs::write(&path, &bytes).unwrap();
    let salvaged = salvage(directory.path(), at(0)).unwrap();
    let (saved, _, gaps) = rows(&salvaged, "events");
    assert_eq!(saved + lost, 299, "{gaps} gaps");
    assert!(gaps > 2 && !salvaged.is_whole());
}

#[test]
fn a_journal_of_a_newer_version_and_the_database_of_another_program_are_left_alone() {
    let check = |statements: &str, words: &str| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        drop(open(directory.path()).unwrap());
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch(statements).unwrap();
        drop(database);
        let before = fs::read(&path).unwrap();
        let refused = refusal(directory.path());
        assert!(refused.contains(words), "{refused}");
        assert!(fs::read(&path).unwrap() == before);
        assert!(!directory.path().join("journal.salvage").exists());
    };
    check(
        "CREATE TABLE later (x); PRAGMA user_version = 99",
        "newer Mainstay: its schema is 99",
    );
    check(
        "CREATE TABLE theirs (x); PRAGMA application_id = 77",
        "database of another program",
    );
}

#[tokio::test]
async fn a_journal_whose_header_alone_says_something_else_is_salvaged() {
    let sample = sample(false).await;
    // The version, and the number of the program.
    for byte in [63, 68] {
        let directory = tempfile::tempdir().unwrap();
        copy(sample.directory.path(), directory.path());
        let path = directory.path().join(FILE_NAME);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0x55], byte).unwrap();
        open(directory.path()).unwrap_err();
        salvage(directory.path(), at(0)).unwrap();
        let journal = open(directory.path()).unwrap();
        assert!(content(&journal).await.unwrap() == sample.content);
    }
}

#[tokio::test]
async fn the_log_of_another_journal_is_not_taken_for_its_own() {
    let sample = sample(false).await;
    let other = tempfile::tempdir().unwrap();
    let journal = open(other.path()).unwrap();
    write(&journal, 1..90).await;
    let directory = tempfile::tempdir().unwrap();
    copy(sample.directory.path(), directory.path());
    let log = "journal.db-wal";
    fs::copy(other.path().join(log), directory.path().join(log)).unwrap();
    drop(journal);
    open(directory.path()).unwrap_err();
    let salvaged = salvage(directory.path(), at(0)).unwrap();
    assert!(salvaged.is_whole(), "{salvaged:?}");
    let journal = open(directory.path()).unwrap();
    assert!(content(&journal).await.unwrap() == sample.content);
}

/// Only root can make a file somebody else's.
#[tokio::test]
async fn what_root_salvages_belongs_to_whose_the_journal_was() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..10).await;
    drop(journal);
    damage_an_event(directory.path());
    fs::remove_file(directory.path().join("lock")).unwrap();
    let owner = 12_345;
    for name in ["journal.db", "journal.mark"] {
        chown(directory.path().join(name), Some(owner), Some(owner)).unwrap();
    }
    let salvaged = salvage(directory.path(), at(0)).unwrap();
    let mut files = salvaged.kept.clone();
    files.extend(["journal.db", "journal.mark", "lock"].map(|name| directory.path().join(name)));
    for file in files {
        let found = file.metadata().unwrap();
        let ids = (found.uid(), found.gid());
        assert_eq!(ids, (owner, owner), "{}", file.display());
    }
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), 8);
}

/// A page of the log whose number is not what was written hides one page and takes the place of another.
#[tokio::test]
async fn a_log_with_a_page_that_is_not_what_was_written_is_never_said_to_be_whole() {
    let sample = sample(true).await;
    let log = fs::read(sample.directory.path().join("journal.db-wal")).unwrap();
    let frames = (log.len() - 32) / (24 + 4_096);
    assert!(frames > 20, "{frames} frames");
    let mut salvages = 0;
    for frame in (0..frames).step_by(7) {
        let directory = tempfile::tempdir().unwrap();
        copy(sample.directory.path(), directory.path());
        let mut log = log.clone();
        log[32 + frame * (24 + 4_096) + 3] ^= 1;
        fs::write(directory.path().join("journal.db-wal"), &log).unwrap();
        if open(directory.path()).is_ok() {
            // It was in the way of nothing that was acknowledged.
            continue;
        }
        // Where the page that is lost is the first one, nothing can be read.
        if let Ok(salvaged) = salvage(directory.path(), at(0)) {
            assert!(!salvaged.is_whole(), "frame {frame}: {salvaged:?}");
        }
        salvages += 1;
    }
    assert!(salvages > 0);
}

/// The sum that a frame carries says nothing of what it holds.
#[tokio::test]
async fn a_log_in_which_only_a_sum_is_damaged_is_salvaged_whole() {
    let sample = sample(true).await;
    let path = sample.directory.path().join("journal.db-wal");
    let mut log = fs::read(&path).unwrap();
    let middle = (log.len() - 32) / (24 + 4_096) / 2;
    log[32 + middle * (24 + 4_096) + 16] ^= 1;
    fs::write(&path, &log).unwrap();
    assert!(open(sample.directory.path()).is_err());
    let salvaged = salvage(sample.directory.path(), at(0)).unwrap();
    assert!(salvaged.is_whole(), "{salvaged:?}");
    let journal = open(sample.directory.path()).unwrap();
    assert!(content(&journal).await.unwrap() == sample.content);
}

#[tokio::test]
async fn a_row_whose_text_is_none_any_more_is_set_aside_and_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..10).await;
    drop(journal);
    let database = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    database
        .execute(
            "UPDATE events SET record = CAST(x'7bff7d' AS TEXT) WHERE seq = 3",
            [],
        )
        .unwrap();
    drop(database);
    let salvaged = salvage(directory.path(), at(0)).unwrap();
    assert_eq!(rows(&salvaged, "events"), (8, 1, 0));
}

//! State directories that were damaged: each start is whole, or refuses with the file's name and what to do.

use super::fixtures::*;
use crate::{
    port::{Browse, Committed, Journal, Recover, Values},
    sqlite::{self, SqliteJournal, mark, salvage},
};
use mainstay_domain::{
    event::Event,
    incident::{Incident, IncidentState},
    operation::{Operation, OperationState},
    record::{Change, EffectEntry},
    time::Timestamp,
};
use proptest::{
    prelude::RngCore,
    test_runner::{RngAlgorithm, TestRng},
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// What is damaged, the more often the more it holds.
const FILES: [&str; 10] = [
    "journal.db",
    "journal.db",
    "journal.db",
    "journal.db",
    "journal.db-wal",
    "journal.db-wal",
    "journal.db-wal",
    "journal.db-shm",
    "journal.mark",
    "lock",
];

/// Everything that can be read of a journal.
#[derive(Debug, PartialEq)]
pub(super) struct Content {
    pub(super) recovered: String,
    pub(super) history: Vec<Operation>,
    pub(super) effects: Vec<Option<(Operation, Vec<EffectEntry>)>>,
    pub(super) incidents: Vec<Incident>,
    pub(super) events: Vec<Event>,
    pub(super) value: Option<Vec<u8>>,
}

pub(super) async fn content(journal: &SqliteJournal) -> Result<Content, crate::StoreError> {
    let history = journal.history(everything()).await?;
    let mut effects = Vec::new();
    for operation in &history {
        effects.push(journal.operation(operation.id.clone()).await?);
    }
    let value = journal.get(plugin("one"), "key".to_owned()).await;
    Ok(Content {
        recovered: format!("{:?}", journal.recovered(Timestamp::from_millis(0)).await?),
        effects,
        incidents: journal.incidents(incidents(u32::MAX)).await?,
        events: journal.events(0, u32::MAX).await?,
        value: value.map_err(|error| {
            crate::StoreError::new(crate::StoreErrorKind::Unreadable, error.to_string())
        })?,
        history,
    })
}

/// Writes some of everything from a number on; all of it is durable.
pub(super) async fn write(journal: &SqliteJournal, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let name = format!("api-{}", n % 7);
        let state = match n % 3 {
            0 => OperationState::InProgress,
            _ => OperationState::Succeeded,
        };
        let operation = operation(n, &name, state);
        let incident_state = match n % 3 {
            0 => IncidentState::Open,
            _ => IncidentState::Recovered,
        };
        let changes = vec![
            Change::Event(event(n)),
            Change::Incident(incident(n, &name, incident_state).into()),
            Change::Effect(intent(&operation.id, 1)),
            Change::Operation(operation),
            Change::Alert(outbox_entry(n)),
            Change::Backup(backup(n)),
            Change::Process(target(&name), Some(process_identity())),
            Change::Cooldown(target(&name), failure("api-down"), at(n)),
        ];
        let committed = journal.commit(changes.into()).await.unwrap();
        assert!(matches!(committed, Committed::Durable(_)));
    }
    let value = Some(vec![7; 300]);
    let set = journal.set(plugin("one"), "key".to_owned(), value, 1 << 20);
    set.await.unwrap();
}

pub(super) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // The reserve is a copy of nothing.
        if path.is_file() && !path.ends_with("reserve") {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// A state directory, as a daemon left it, and what it holds.
pub(super) struct Sample {
    pub(super) directory: tempfile::TempDir,
    pub(super) content: Content,
    /// The same some commits earlier.
    older: tempfile::TempDir,
}

pub(super) async fn sample(is_killed: bool) -> Sample {
    let [directory, older, used] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let journal = open(used.path()).unwrap();
    write(&journal, 1..40).await;
    copy(used.path(), older.path());
    write(&journal, 40..60).await;
    let content = content(&journal).await.unwrap();
    if is_killed {
        copy(used.path(), directory.path());
    }
    drop(journal);
    if !is_killed {
        assert!(
            !used.path().join("journal.db-wal").exists(),
            "a stop leaves one file"
        );
        copy(used.path(), directory.path());
    }
    Sample {
        directory,
        content,
        older,
    }
}

/// Does one thing to one file; what, for people. None where there is nothing to do it to.
fn spoil(directory: &Path, older: &Path, random: &mut TestRng) -> Option<String> {
    let mut below = |bound: usize| (random.next_u64() % bound.max(1) as u64) as usize;
    let name = FILES[below(FILES.len())];
    let path = directory.join(name);
    let mut bytes = fs::read(&path).ok().filter(|bytes| !bytes.is_empty())?;
    let at = below(bytes.len());
    let what = match below(8) {
        0..=2 => {
            let bit = below(8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        3 => {
            bytes.truncate(at);
            format!("cut to {at} bytes")
        }
        4 => {
            let end = (at + 1 + below(5_000)).min(bytes.len());
            bytes[at..end].fill(0);
            format!("zeroes from {at} to {end}")
        }
        5 => {
            fs::remove_file(&path).unwrap();
            return Some(format!("{name}: removed"));
        }
        6 => {
            bytes = b"something else that somebody put here\n".repeat(1 + below(999));
            "foreign".to_owned()
        }
        _ => {
            bytes = fs::read(older.join(name)).ok()?;
            "older".to_owned()
        }
    };
    fs::write(&path, bytes).unwrap();
    Some(format!("{name}: {what}"))
}

#[tokio::test]
async fn each_start_on_damaged_files_is_whole_or_refuses_with_the_file_and_what_to_do() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let now = std::env::var("DAMAGE_SEED").map_or(now, |text| text.parse().unwrap());
    let rounds: usize = std::env::var("DAMAGE_ROUNDS").map_or(100, |text| text.parse().unwrap());
    println!("DAMAGE_SEED={now}");
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&now.to_le_bytes());
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let samples = [sample(false).await, sample(true).await];
    let (mut whole, mut refused) = (0, 0);
    let (mut saved, mut saved_events, mut all_events) = (0, 0, 0);
    while whole + refused < rounds {
        let sample = &samples[(random.next_u64() % 2) as usize];
        let directory = tempfile::tempdir().unwrap();
        copy(sample.directory.path(), directory.path());
        let Some(what) = spoil(directory.path(), sample.older.path(), &mut random) else {
            continue;
        };
        let found = match open(directory.path()) {
            Ok(journal) => content(&journal).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => {
                assert!(found == sample.content, "{what}: something is missing");
                whole += 1;
            }
            Err(error) => {
                let error = error.to_string();
                println!("{what}: {error}");
                assert!(
                    error.contains(directory.path().to_str().unwrap()),
                    "{what}: {error}"
                );
                let is_told = ["nothing was changed", "a newer Mainstay", "another program"];
                assert!(
                    is_told.iter().any(|words| error.contains(words)),
                    "{what}: {error}"
                );
                refused += 1;
                match salvage(directory.path(), at(0)) {
                    Ok(salvaged) => {
                        let journal = open(directory.path()).unwrap();
                        let found = content(&journal).await.unwrap();
                        let events = &sample.content.events;
                        assert!(
                            found.events.iter().all(|event| events.contains(event)),
                            "{what}"
                        );
                        let is_all = found == sample.content;
                        assert!(is_all || !salvaged.is_whole(), "{what}: {salvaged:?}");
                        for kept in &salvaged.kept {
                            assert_eq!(
                                kept.metadata().unwrap().permissions().mode() & 0o777,
                                0o600
                            );
                        }
                        saved += u64::from(is_all);
                        saved_events += found.events.len();
                        all_events += events.len();
                    }
                    Err(error) => {
                        println!("  {error}");
                        all_events += sample.content.events.len();
                    }
                }
            }
        }
    }
    println!("{whole} whole, {refused} refused");
    println!("salvaged: {saved} whole, {saved_events} of {all_events} events");
    assert!(whole > 0 && refused > 0);
}

#[tokio::test]
async fn a_journal_of_before_the_mark_is_taken_and_marked() {
    let sample = sample(false).await;
    fs::remove_file(sample.directory.path().join(mark::FILE_NAME)).unwrap();
    let journal = open(sample.directory.path()).unwrap();
    assert!(content(&journal).await.unwrap() == sample.content);
    assert!(sample.directory.path().join(mark::FILE_NAME).exists());
}

/// A sync of it may have failed, which no later one says again.
#[tokio::test]
async fn what_a_killed_daemon_left_in_the_log_is_in_the_database_once_the_next_has_opened_it() {
    let sample = sample(true).await;
    let log = sample.directory.path().join("journal.db-wal");
    assert!(log.metadata().unwrap().len() > 0);
    let journal = open(sample.directory.path()).unwrap();
    assert_eq!(log.metadata().unwrap().len(), 0);
    assert!(content(&journal).await.unwrap() == sample.content);
}

/// One flipped bit in its header, and SQLite takes the whole log for none.
#[tokio::test]
async fn a_log_whose_header_lost_a_bit_is_refused_and_salvaged_whole() {
    let sample = sample(true).await;
    for bit in (0..32 * 8).step_by(3) {
        let directory = tempfile::tempdir().unwrap();
        copy(sample.directory.path(), directory.path());
        let path = directory.path().join("journal.db-wal");
        let mut log = fs::read(&path).unwrap();
        log[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &log).unwrap();
        match open(directory.path()) {
            // The number of the round means nothing; only the sum of the header notices it.
            Ok(journal) => assert!(
                content(&journal).await.unwrap() == sample.content,
                "bit {bit}"
            ),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("61 commits were acknowledged"), "{error}");
                assert_eq!(
                    fs::read(&path).unwrap(),
                    log,
                    "bit {bit}: the log was changed"
                );
                let salvaged = salvage(directory.path(), at(0)).unwrap();
                assert!(salvaged.is_whole(), "bit {bit}: {salvaged:?}");
                let journal = open(directory.path()).unwrap();
                assert!(
                    content(&journal).await.unwrap() == sample.content,
                    "bit {bit}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_this_version_cannot_read_is_set_aside_and_keeps_nothing_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..10).await;
    let whole = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
    assert!(whole.set_aside.is_empty());
    journal
        .on_connection(|connection| {
            connection.execute_batch(
                "UPDATE operations SET record = '{\"of\": \"another version\"}' WHERE number = 3;
                 UPDATE operations SET sum = row_sum(id, target, failure, state, detected_at, record);
                 UPDATE cooldowns SET failure = 'Not A Name' WHERE target = 'api-4';
                 UPDATE cooldowns SET sum = row_sum(target, failure, until)",
            )
        })
        .await
        .unwrap();
    let found = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
    let tables: Vec<_> = found.set_aside.iter().map(|aside| aside.table).collect();
    assert_eq!(tables, ["operations", "cooldowns"]);
    assert_eq!(found.operations.len() + 1, whole.operations.len());
    assert_eq!(found.cooldowns.len() + 1, whole.cooldowns.len());
    assert_eq!(found.incidents, whole.incidents);
    // Only once, and what was set aside is kept.
    let again = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
    assert!(again.set_aside.is_empty());
    drop(journal);
    let file = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    let kept: String = file
        .query_row(
            "SELECT record FROM set_aside WHERE origin = 'operations'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(kept.contains("another version"), "{kept}");
}

#[tokio::test]
async fn a_copy_of_a_journal_in_use_is_whole_private_and_starts_alone() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..20).await;
    let restored = tempfile::tempdir().unwrap();
    let to = restored.path().join("journal.db");
    assert!(sqlite::copy(directory.path(), &to).unwrap() > 0);
    assert_eq!(to.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let refused = sqlite::copy(directory.path(), &to).unwrap_err().to_string();
    assert!(refused.contains("a file is there already"), "{refused}");
    let expected = content(&journal).await.unwrap();
    let journal = open(restored.path()).unwrap();
    assert!(content(&journal).await.unwrap() == expected);
}

#[tokio::test]
async fn a_check_finds_what_was_damaged_and_nothing_in_a_whole_journal_that_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..20).await;
    let report = sqlite::check(directory.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.commits, report.acknowledged);
    assert_eq!(report.tables.len(), 13);
    assert!(
        report
            .tables
            .iter()
            .any(|table| table.table == "events" && table.rows == 19)
    );
    journal
        .on_connection(|connection| {
            connection.execute_batch(
                "UPDATE incidents SET target = 'another' WHERE number = 2;
                 UPDATE backups SET record = '{}', sum = row_sum(id, '{}') WHERE rowid = 1",
            )
        })
        .await
        .unwrap();
    let report = sqlite::check(directory.path()).unwrap();
    let of = |name: &str| {
        report
            .tables
            .iter()
            .find(|table| table.table == name)
            .unwrap()
    };
    assert!(!report.is_whole());
    assert_eq!(
        (of("incidents").damaged, of("incidents").unreadable),
        (1, 0)
    );
    assert_eq!((of("backups").damaged, of("backups").unreadable), (0, 1));
    assert!(of("incidents").named[0].contains("its checksum is wrong"));
    // A row that is read is checked.
    let read = journal
        .incidents(incidents(100))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        read.contains("the checksum of a row of incidents is wrong"),
        "{read}"
    );
    assert!(
        read.contains("is damaged") && read.contains("[MS-0101]"),
        "{read}"
    );
}

//! SQLite databases that others have open.

use super::*;
use rusqlite::Connection;
use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

/// Rows of the table, whose numbers always add up to nothing.
const ROWS: i64 = 6_000;

impl Fixture {
    fn database(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    fn with_database(mode: &str) -> Self {
        let mut fixture = Self::new();
        let database = Connection::open(fixture.database()).unwrap();
        database.pragma_update(None, "journal_mode", mode).unwrap();
        database
            .execute_batch("CREATE TABLE account (id INTEGER PRIMARY KEY, owns INTEGER, note TEXT)")
            .unwrap();
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                    INSERT INTO account SELECT i, 0, hex(randomblob(500)) FROM n";
        database.execute(fill, [ROWS]).unwrap();
        fixture.sources = vec![BackupSource::Sqlite {
            path: fixture.database(),
            key: "app.db".to_owned(),
        }];
        fixture
    }
}

/// How many rows a database has, and what they add up to.
fn sums(database: &Path) -> (i64, i64) {
    let database = Connection::open(database).unwrap();
    let sound = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(sound.unwrap(), "ok");
    let sums = database.query_row("SELECT count(*), sum(owns) FROM account", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    sums.unwrap()
}

#[test]
fn a_database_that_is_written_to_is_stored_as_a_transaction_left_it() {
    for mode in ["wal", "delete"] {
        let fixture = Fixture::with_database(mode);
        let (ended, written) = (AtomicBool::new(false), AtomicU32::new(0));
        let taken = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let database = Connection::open(fixture.database()).unwrap();
                database.busy_timeout(Duration::from_secs(120)).unwrap();
                let mut at = 0;
                while !ended.load(Ordering::Acquire) {
                    let (one, other) = (1 + at % ROWS, 1 + (at * 7 + 3) % ROWS);
                    let transfer = format!(
                        "BEGIN IMMEDIATE; UPDATE account SET owns = owns - 1 WHERE id = {one}; \
                         UPDATE account SET owns = owns + 1 WHERE id = {other}; COMMIT"
                    );
                    database.execute_batch(&transfer).unwrap();
                    written.fetch_add(1, Ordering::AcqRel);
                    at += 1;
                    thread::yield_now();
                }
            });
            while written.load(Ordering::Acquire) == 0 && !writer.is_finished() {
                thread::yield_now();
            }
            let request = fixture.request(BackupType::Full, &[]);
            let taken = fixture.store.take(&request, &no_progress());
            ended.store(true, Ordering::Release);
            taken
        });
        let taken = taken.unwrap();
        assert_eq!(taken.warnings, [""; 0], "{mode}");
        let into = fixture.restore_into(&[taken.manifest.id], "into").unwrap();
        assert_eq!(sums(&into.join("app.db")), (ROWS, 0), "{mode}");
    }
}

#[test]
fn the_same_database_again_is_no_change_and_its_copy_has_its_permissions() {
    let fixture = Fixture::with_database("wal");
    let permissions = fs::Permissions::from_mode(0o640);
    fs::set_permissions(fixture.database(), permissions).unwrap();
    let mut chain = Vec::new();
    fixture.extend(BackupType::Full, &mut chain);
    let again = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(again.manifest.documents, 0);
    let database = Connection::open(fixture.database()).unwrap();
    database
        .execute_batch("DELETE FROM account WHERE id = 1")
        .unwrap();
    drop(database);
    let changed = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(changed.manifest.documents, 1);
    let into = fixture.restore_into(&chain, "into").unwrap();
    assert_eq!(sums(&into.join("app.db")), (ROWS - 1, 0));
    let mode = fs::metadata(into.join("app.db")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o640);
    let left = fs::read_dir(fixture.job_dir()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    let of_spool = |name: &&std::ffi::OsString| name.to_string_lossy().contains("spool");
    assert_eq!(left.iter().find(of_spool), None, "{left:?}");
}

#[test]
fn what_is_no_sound_database_fails_the_backup_or_is_missed_in_an_emergency() {
    let mut fixture = Fixture::with_database("delete");
    let missing = fixture.directory.path().join("missing.db");
    let text = fixture.directory.path().join("text.db");
    fs::write(&text, "no database. ".repeat(1_000)).unwrap();
    let torn = fixture.directory.path().join("torn.db");
    let mut bytes = fs::read(fixture.database()).unwrap();
    for page in bytes.chunks_mut(4_096).skip(2) {
        page.fill(0xff);
    }
    fs::write(&torn, bytes).unwrap();
    fixture.put("a", "one");
    for (path, says) in [
        (fixture.data(), "it is no file"),
        (missing, "No such file"),
        (text, "not a database"),
        (torn, "torn.db"),
    ] {
        fixture.sources.clear();
        fixture.sources.push(BackupSource::Directory {
            path: fixture.data(),
            prefix: String::new(),
        });
        fixture.sources.push(BackupSource::Sqlite {
            path,
            key: "app.db".to_owned(),
        });
        let request = fixture.request(BackupType::Full, &[]);
        let error = fixture.store.take(&request, &no_progress()).unwrap_err();
        assert!(matches!(error, BackupStoreError::Source(_)), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(says) && error.contains("cannot copy the SQLite database"),
            "{error}"
        );
        let request = TakeBackup {
            unreadable: Unreadable::IsLeftOut,
            ..fixture.request(BackupType::Emergency, &[])
        };
        let taken = fixture.store.take(&request, &no_progress()).unwrap();
        assert!(taken.manifest.incomplete, "{says}");
        assert_eq!(taken.warnings.len(), 1, "{:?}", taken.warnings);
    }
}

#[test]
fn a_database_is_not_exchanged_in_place() {
    let mut fixture = Fixture::with_database("wal");
    fixture.put("a", "one");
    fixture.sources.push(BackupSource::Directory {
        path: fixture.data(),
        prefix: "data".to_owned(),
    });
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress())
        .unwrap();
    assert_eq!(restored.not_put_back.first, ["app.db"]);
    assert_eq!(sums(&fixture.database()), (ROWS, 0));
}

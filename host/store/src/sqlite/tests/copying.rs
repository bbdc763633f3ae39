//! Copies and checks: where they lie, and of what none is made.

use super::{
    damage::{content, write},
    fixtures::*,
};
use crate::{
    port::Browse,
    sqlite::{self, FILE_NAME, mark, source::Source},
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

async fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    write(&journal, 1..20).await;
    directory
}

/// No copy is made, for this reason, and nothing is left of it.
fn check_refused(state: &Path, words: &[&str]) {
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("copy.db");
    let error = sqlite::copy(state, &to).unwrap_err().to_string();
    for word in words.iter().chain(&[state.to_str().unwrap()]) {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{error}");
}

/// A file that is removed also by a test that fails.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_name_that_means_something_to_sqlite_is_a_file_as_any_other() {
    let state = written().await;
    // Relative to where the tests run.
    let name = format!("file:mainstay-copy-{}.db", std::process::id());
    let to = Removed(std::env::current_dir().unwrap().join(&name));
    let size = sqlite::copy(state.path(), Path::new(&name)).unwrap();
    let found = to.0.metadata().unwrap();
    assert_eq!(found.len(), size);
    assert!(size > 4_096, "{size}");
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let restored = tempfile::tempdir().unwrap();
    fs::copy(&to.0, restored.path().join(FILE_NAME)).unwrap();
    let journal = open(restored.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), 19);
}

#[tokio::test]
async fn a_name_that_is_not_utf_8_is_refused() {
    let state = written().await;
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join(OsStr::from_bytes(b"copy-\xff.db"));
    let error = sqlite::copy(state.path(), &to).unwrap_err().to_string();
    assert!(error.contains("is not UTF-8"), "{error}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_where_the_copy_should_go_is_left_and_the_error_says_what_to_do() {
    let state = written().await;
    let target = tempfile::tempdir().unwrap();
    let (file, directory) = (target.path().join("copy.db"), target.path().join("made"));
    fs::write(&file, "mine").unwrap();
    fs::create_dir(&directory).unwrap();
    for (to, what) in [(&file, "a file"), (&directory, "a directory")] {
        let error = sqlite::copy(state.path(), to).unwrap_err().to_string();
        for word in [what, "is there already", "give the copy another name"] {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        assert!(!error.contains("os error"), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_copy_is_made_of_a_whole_journal_only() {
    let state = written().await;
    let file = mark::path(&state.path().join(FILE_NAME));
    let whole = fs::read(&file).unwrap();
    let mark::Marked::Upto(mut head) = mark::read(&file).unwrap() else {
        panic!("no mark");
    };
    head.number += 5;
    mark::make(&file, &head).unwrap();
    check_refused(state.path(), &["commits were acknowledged", "[MS-0101]"]);
    fs::write(&file, &whole[..40]).unwrap();
    check_refused(state.path(), &["journal.mark is damaged"]);
    fs::write(&file, &whole).unwrap();
    let database = rusqlite::Connection::open(state.path().join(FILE_NAME)).unwrap();
    database
        .execute("UPDATE events SET record = '{}' WHERE seq = 3", [])
        .unwrap();
    drop(database);
    let words = "the checksum of the row 3 of events is wrong";
    check_refused(state.path(), &[words]);
}

#[test]
fn where_there_is_no_journal_check_and_copy_say_so() {
    let state = tempfile::tempdir().unwrap();
    check_refused(state.path(), &["holds no journal", "--state-dir"]);
    let error = sqlite::check(state.path()).unwrap_err().to_string();
    assert!(error.contains("holds no journal"), "{error}");
    // A database without a table is none either.
    let database = rusqlite::Connection::open(state.path().join(FILE_NAME)).unwrap();
    database
        .execute_batch("CREATE TABLE x (y); DROP TABLE x; VACUUM")
        .unwrap();
    drop(database);
    check_refused(state.path(), &[]);
}

#[tokio::test]
async fn a_journal_is_checked_and_copied_where_nothing_may_be_written() {
    let state = written().await;
    let path = state.path().join(FILE_NAME);
    // As on a read-only mount; root may write all the same, so the copy is looked at too.
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let report = sqlite::check(state.path());
    let target = tempfile::tempdir().unwrap();
    let copied = sqlite::copy(state.path(), &target.path().join("copy.db"));
    let source = Source::of_copy(&path).unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(report.unwrap().is_whole());
    copied.unwrap();
    let sql = "SELECT count(*) FROM events";
    let count: u32 = source
        .connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 19);
    let place = source.connection.path().map(PathBuf::from).unwrap();
    assert!(place.exists() && !place.starts_with(state.path()));
    drop(source);
    assert!(!place.exists(), "the copy was left");
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_by_its_name() {
    for name in ["journal.db", "journal.db-wal", "journal.mark"] {
        let state = written().await;
        let file = state.path().join(name);
        let _ = fs::remove_file(&file);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            file.as_path(),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let refusals = [
            open(state.path()).unwrap_err(),
            sqlite::check(state.path()).unwrap_err(),
            sqlite::salvage(state.path(), at(0)).unwrap_err(),
            sqlite::copy(state.path(), &state.path().join("copy.db")).unwrap_err(),
        ];
        for refused in refusals {
            let refused = refused.to_string();
            let words = format!("{} is a FIFO", file.display());
            assert!(refused.contains(&words), "{name}: {refused}");
        }
    }
}

#[tokio::test]
async fn check_and_start_agree_on_a_journal_without_the_commits_that_its_mark_names() {
    let state = written().await;
    let path = state.path().join(FILE_NAME);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The version in the header, of one that counted no commits.
    file.write_all_at(&2_u32.to_be_bytes(), 60).unwrap();
    let words = "commits were acknowledged, and it holds none of them";
    let refused = open(state.path()).unwrap_err().to_string();
    assert!(refused.contains(words), "{refused}");
    let report = sqlite::check(state.path()).unwrap();
    assert!(!report.is_whole());
    let faults = report.faults.join("\n");
    assert!(faults.contains(words), "{faults}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_no_damage() {
    let state = tempfile::tempdir().unwrap();
    let journal = open(state.path()).unwrap();
    write(&journal, 1..5).await;
    journal
        .on_connection(|connection| {
            let sql = "UPDATE events SET record = '{}', sum = row_sum(2, '{}') WHERE seq = 2";
            connection.execute_batch(sql)
        })
        .await
        .unwrap();
    let report = sqlite::check(state.path()).unwrap();
    assert_eq!(report.unreadable(), 1);
    assert!(report.is_whole(), "{report:?}");
    let found = content(&journal).await.unwrap();
    assert_eq!(found.events.len(), 3);
}

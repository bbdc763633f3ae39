//! Which state directories and files are taken, and what the others are told.

use super::fixtures::*;
use crate::{
    port::{Browse, Journal},
    sqlite::FILE_NAME,
};
use mainstay_domain::record::Change;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn refusal(directory: &Path) -> String {
    open(directory).unwrap_err().to_string()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_made_belongs_to_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let state = parent.path().join("var/state");
    let journal = open(&state).unwrap();
    journal
        .commit(vec![Change::Event(event(1))].into())
        .await
        .unwrap();
    assert_eq!(mode(&state), 0o700);
    for name in fs::read_dir(&state).unwrap() {
        let path = name.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_second_daemon_is_refused_with_the_pid_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    let error = refusal(directory.path());
    let pid = std::process::id();
    assert!(
        error.contains(&format!("is in use by the daemon with pid {pid}")),
        "{error}"
    );
    drop(first);
    open(directory.path()).unwrap();
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(refusal(directory.path()).contains("chmod 700"));
}

/// The file is refused with these words, and left as it was.
fn check_refused(directory: &Path, words: &[&str]) {
    let before = fs::read(directory.join(FILE_NAME)).unwrap();
    let error = refusal(directory);
    for word in words.iter().chain(&[directory.to_str().unwrap()]) {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
    assert!(
        fs::read(directory.join(FILE_NAME)).unwrap() == before,
        "the file was changed: {error}"
    );
}

async fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 0..500 {
        drop(journal.commit(vec![Change::Event(event(n))].into()));
    }
    journal.commit(Vec::new().into()).await.unwrap();
    directory
}

#[tokio::test]
async fn a_journal_from_a_newer_version_is_refused() {
    let directory = written().await;
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    file.execute_batch("PRAGMA user_version = 99").unwrap();
    file.close().unwrap();
    check_refused(
        directory.path(),
        &["newer Mainstay", "its schema is 99", "knows up to 3"],
    );
}

#[tokio::test]
async fn a_damaged_journal_is_refused() {
    let directory = written().await;
    let path = directory.path().join(FILE_NAME);
    let whole = fs::read(&path).unwrap();
    type Spoil = fn(&mut Vec<u8>);
    let damage: [(&str, Spoil); 4] = [
        ("no header", |bytes| bytes[..16].fill(b'x')),
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
        ("zeroed pages", |bytes| bytes[4_096 * 3..].fill(0)),
        ("text", |bytes| {
            *bytes = b"not a database, but a text that somebody put here".repeat(99)
        }),
    ];
    for (what, spoil) in damage {
        let mut bytes = whole.clone();
        spoil(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let _ = fs::remove_file(directory.path().join("journal.db-wal"));
        println!("{what}: {}", refusal(directory.path()));
        check_refused(
            directory.path(),
            &["is damaged", "mainstay journal salvage"],
        );
    }
    fs::write(&path, &whole).unwrap();
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 1_000).await.unwrap().len(), 500);
}

#[test]
fn the_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    file.execute_batch("CREATE TABLE theirs (x)").unwrap();
    file.close().unwrap();
    check_refused(directory.path(), &["database of another program"]);
}

#[test]
fn an_empty_file_is_a_new_journal() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE_NAME), b"").unwrap();
    open(directory.path()).unwrap();
}

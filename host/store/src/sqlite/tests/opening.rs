//! Which state directories and files are taken, and what the others are told.

use super::fixtures::*;
use crate::{
    port::{Browse, Journal},
    sqlite::{FILE_NAME, schema::MIGRATIONS},
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

#[tokio::test]
async fn what_was_open_to_others_is_closed_to_them_by_the_next_daemon() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for name in [
        "journal.db-wal",
        "compiled.key",
        "settled-clock.json",
        "program-version.json",
        "orders.json",
        "theirs",
    ] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    for entry in fs::read_dir(directory.path()).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let journal = open(directory.path()).unwrap();
    for name in [
        "lock",
        FILE_NAME,
        "journal.db-wal",
        "journal.mark",
        "compiled.key",
        "orders.json",
    ] {
        let mode = mode(&directory.path().join(name));
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    assert_eq!(mode(&logs), 0o775, "who may read it is the operator's");
    assert_eq!(mode(&directory.path().join("theirs")), 0o777);
    drop(journal);
}

#[test]
fn a_lock_that_was_open_to_others_and_that_one_of_them_holds_keeps_no_daemon_out() {
    use std::{
        io::Read,
        os::unix::process::CommandExt,
        process::{Command, Stdio},
    };
    if !rustix::process::geteuid().is_root() {
        // Nobody else may start a process of another user.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let lock = directory.path().join("lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    // The one that locks lives on, and one that locked has ended and left its descriptor to another.
    for script in [
        "exec flock \"$0\" sh -c 'echo held; sleep 60'",
        "exec 9<\"$0\"; flock 9; echo held; sleep 60",
    ] {
        let mut holder = Command::new("sh")
            .args(["-c", script])
            .arg(&lock)
            .stdout(Stdio::piped())
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .spawn()
            .unwrap();
        let mut line = [0; 5];
        holder
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut line)
            .unwrap();
        let journal = open(directory.path()).unwrap();
        assert_eq!(mode(&lock), 0o600);
        let second = refusal(directory.path());
        assert!(second.contains("is in use by the daemon"), "{second}");
        drop(journal);
        holder.kill().unwrap();
        holder.wait().unwrap();
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    }
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
    journal.written().await.unwrap();
    directory
}

#[tokio::test]
async fn a_journal_from_a_newer_version_is_refused() {
    let directory = written().await;
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    file.execute_batch("PRAGMA user_version = 99").unwrap();
    file.close().unwrap();
    let known = format!("knows up to {}", MIGRATIONS.len());
    check_refused(
        directory.path(),
        &["newer Mainstay", "its schema is 99", &known],
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

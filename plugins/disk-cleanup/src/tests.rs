//! The handler on a real directory.

use super::*;
use mainstay_plugin_sdk::testing::{ScriptedHost, operation};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn write(path: &Path, bytes: usize, age: Duration) {
    fs::write(path, vec![b'x'; bytes]).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

fn host(directory: &Path, rest: &str) -> ScriptedHost {
    let mut host = ScriptedHost::new();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    host.set_now(u64::try_from(now).unwrap());
    host.set_settings(format!(
        r#"{{"directory": {:?}, "older_than": "2h"{rest}}}"#,
        directory.display().to_string()
    ));
    host
}

fn run(host: &mut ScriptedHost) -> Result<Report> {
    DiskCleanup.recover(&operation("disk", "disk-full"), host)
}

#[test]
fn old_files_that_match_go_and_all_else_stays() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("below");
    fs::create_dir(&below).unwrap();
    write(&directory.path().join("old.log"), 100, hours(3));
    write(&below.join("older.log"), 50, hours(30));
    write(&directory.path().join("new.log"), 100, hours(1));
    write(&directory.path().join("old.db"), 100, hours(3));
    let report = run(&mut host(directory.path(), r#", "suffixes": [".log"]"#)).unwrap();
    assert_eq!(report.actions, ["deleted 2 files, 150 bytes"]);
    assert!(!directory.path().join("old.log").exists() && !below.join("older.log").exists());
    assert!(directory.path().join("new.log").exists() && directory.path().join("old.db").exists());
}

#[test]
fn a_dry_run_lists_and_deletes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("old.log"), 100, hours(3));
    let mut op = operation("disk", "disk-full");
    op.dry_run = true;
    let report = DiskCleanup
        .recover(&op, &mut host(directory.path(), ""))
        .unwrap();
    assert_eq!(report.actions[0], "would delete 1 file, 100 bytes");
    assert!(report.actions[1].contains("old.log"), "{report:?}");
    assert!(directory.path().join("old.log").exists());
}

#[cfg(unix)]
#[test]
fn links_are_neither_followed_nor_deleted() {
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("precious"), 100, hours(30));
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("directory")).unwrap();
    std::os::unix::fs::symlink(
        outside.path().join("precious"),
        directory.path().join("file"),
    )
    .unwrap();
    assert!(run(&mut host(directory.path(), "")).is_err());
    assert!(outside.path().join("precious").exists());
    assert!(directory.path().join("file").symlink_metadata().is_ok());
}

#[test]
fn nothing_to_delete_is_a_permanent_failure() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("new.log"), 100, hours(1));
    let Err(RecoveryFailure::Permanent(why)) = run(&mut host(directory.path(), "")) else {
        panic!("not permanent")
    };
    assert!(why.contains("older than 2h"), "{why}");
}

#[test]
fn a_directory_that_is_not_granted_says_how_to_grant_it() {
    let Err(RecoveryFailure::Permanent(why)) = run(&mut host(Path::new("/no/such/directory"), ""))
    else {
        panic!("not permanent")
    };
    assert!(
        why.contains("/no/such/directory") && why.contains("`dir`"),
        "{why}"
    );
}

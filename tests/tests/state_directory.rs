//! The state directory of a real daemon, with what other users and accidents do to it.

use mainstay_tests::{Daemon, HOST, SmallDisk, said};
use serde_json::json;
use std::{
    fs,
    io::Read,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Command, Stdio},
};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_lock_that_another_user_holds_keeps_no_daemon_from_starting() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else may start a process of another user.
        return;
    }
    let mut daemon = Daemon::start(HOST, &[]);
    assert!(daemon.stop());
    for below in ["", "state"] {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(daemon.path(below), open).unwrap();
    }
    let lock = daemon.path("state/lock");
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    let mut holder = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; exec sleep 60"])
        .stdout(Stdio::piped())
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .spawn()
        .unwrap();
    let mut line = [0; 5];
    let output = holder.stdout.as_mut().unwrap();
    output.read_exact(&mut line).unwrap();
    daemon.run();
    assert_eq!(mode(&lock), 0o600);
    assert_eq!(mode(&daemon.path("state/journal.db")), 0o600);
    assert!(daemon.stop());
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn on_a_read_only_disk_no_daemon_starts_and_it_is_said_what_to_do() {
    let mut daemon = Daemon::prepare(HOST);
    fs::create_dir(daemon.path("state")).unwrap();
    let disk = match SmallDisk::mount(&daemon.path("state"), "64m") {
        Ok(disk) => disk,
        Err(why) => return println!("SKIPPED, nothing was tested: {why}"),
    };
    daemon.run();
    assert!(daemon.stop());
    disk.make_read_only();
    let output = daemon.cli(&["run"]);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for words in ["state/lock", "Read-only file system", "mount it writable"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// As the README says of the way back.
#[test]
fn a_copy_of_the_journal_that_is_taken_while_the_daemon_runs_serves_in_its_place() {
    let mut daemon = Daemon::start(HOST, &[]);
    assert!(daemon.cli(&["pause"]).status.success());
    daemon.wait_for_event("the pause", |event| event["kind"] == "host.paused");
    let paused = daemon.events_of("host.paused");
    let copy = daemon.path("copy.db");
    let backup = ["journal", "backup", copy.to_str().unwrap()];
    let taken = daemon.json(&backup);
    let length = fs::metadata(&copy).unwrap().len();
    assert_eq!(taken, json!({"file": backup[2], "size_bytes": length}));
    let again = daemon.cli(&backup);
    assert!(!again.status.success(), "{}", said(&again));
    assert_eq!(fs::metadata(&copy).unwrap().len(), length);
    let is_whole = |daemon: &Daemon| {
        let checked = daemon.json(&["journal", "check"]);
        assert_eq!(checked["whole"], true, "{checked}");
        assert_eq!(checked["faults"], json!([]), "{checked}");
    };
    is_whole(&daemon);
    assert!(daemon.stop());

    let journal = daemon.path("state/journal.db");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = daemon.cli(&["journal", "check"]);
    assert_eq!(damaged.status.code(), Some(1), "{}", said(&damaged));
    assert!(said(&damaged).contains("journal.db"), "{}", said(&damaged));
    for entry in fs::read_dir(daemon.path("state")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("journal.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    fs::copy(&copy, &journal).unwrap();
    daemon.run();
    assert_eq!(daemon.events_of("host.paused"), paused);
    is_whole(&daemon);
    assert!(daemon.stop());
}

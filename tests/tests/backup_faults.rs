//! What once made backups useless, or took them away, with the whole program.

use mainstay_tests::{Daemon, HOST, in_a_mount_namespace, plugin, program, said};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, UNIX_EPOCH},
};

const JOB: &str = r#"
[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "data" }]
"#;

#[track_caller]
fn succeeds(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = daemon.cli(arguments);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
    text
}

/// Restores the newest into a new directory.
#[track_caller]
fn restore_into(daemon: &Daemon, name: &str) {
    let into = daemon.path(name);
    let into = into.to_str().unwrap();
    succeeds(daemon, &["backup", "restore", "state", "--into", into]);
}

fn take(daemon: &Daemon) -> String {
    let report = daemon.json(&["backup", "create", "state", "--type", "full"]);
    report["backups"][0]["id"].as_str().unwrap().to_owned()
}

fn prepare() -> Daemon {
    let mut daemon = Daemon::prepare(&[HOST, JOB].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    daemon
}

/// Makes directories until a path in them is too long for the kernel, and a file there.
fn put_deep(directory: &Path) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut above: OwnedFd = openat(CWD, directory, flags, Mode::empty()).unwrap();
    let name = "n".repeat(200);
    for _ in 0..25 {
        mkdirat(&above, name.as_str(), Mode::RWXU).unwrap();
        above = openat(&above, name.as_str(), flags, Mode::empty()).unwrap();
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    let file = openat(&above, "deep", flags, Mode::RUSR | Mode::WUSR).unwrap();
    File::from(file).write_all(b"deep").unwrap();
}

#[test]
fn a_restore_goes_nowhere_into_the_store_and_its_backups_stay() {
    let daemon = prepare();
    let id = take(&daemon);
    std::os::unix::fs::symlink("state/backups", daemon.path("link")).unwrap();
    for into in [
        "state/backups/state",
        "state/backups/new",
        "link/state",
        "missing/../state/backups/state",
        "state",
        "state/new",
        "plugins",
        "plugins/new",
    ] {
        let into = daemon.path(into);
        let into = into.to_str().unwrap();
        let refused = daemon.cli(&["backup", "restore", "state", "--into", into, "--replace"]);
        let text = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{into}: {text}");
        assert!(text.contains("[MS-0501]"), "{into}: {text}");
    }
    succeeds(&daemon, &["backup", "verify", &id]);
    restore_into(&daemon, "new");
    assert_eq!(fs::read_to_string(daemon.path("new/a")).unwrap(), "one");
}

#[test]
fn odd_times_and_deep_trees_are_drilled_and_restored() {
    let daemon = prepare();
    let odd = UNIX_EPOCH - Duration::from_millis(1_500);
    let file = File::open(daemon.path("data/a")).unwrap();
    file.set_modified(odd).unwrap();
    put_deep(&daemon.path("data"));
    take(&daemon);
    succeeds(&daemon, &["backup", "drill", "state"]);
    restore_into(&daemon, "new");
    let restored = fs::metadata(daemon.path("new/a")).unwrap();
    assert_eq!(restored.modified().unwrap(), odd);
    fs::write(daemon.path("data/a"), "lost").unwrap();
    succeeds(&daemon, &["backup", "restore", "state", "--replace"]);
    assert_eq!(fs::read_to_string(daemon.path("data/a")).unwrap(), "one");
    let again = take(&daemon);
    let shown = daemon.json(&["backup", "show", &again]);
    // The source, `a`, 25 directories and the file in the last of them.
    assert_eq!(shown["documents"], 28, "{shown}");
}

/// What these tests need of what is built.
fn build() {
    plugin("gfs-retention");
    plugin("corruption-restore");
}

/// A file system in memory, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: PathBuf) -> Self {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "test"])
            .arg(&path);
        assert!(mount.status().unwrap().success());
        Self(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The daemon may still have files open there.
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.unwrap().success());
    }
}

/// As one that is not root.
#[test]
fn an_owner_that_the_daemon_may_not_give_is_told_with_the_restore() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED, nothing was tested: only root gives files away");
        return;
    }
    let mut daemon = Daemon::prepare(&[HOST, JOB].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    std::os::unix::fs::chown(daemon.path("data/a"), Some(4_711), Some(4_711)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-chown", "--"]).arg(program());
    command.args(["run", "--config"]);
    command.arg(daemon.path("mainstay.toml"));
    let log = File::create(daemon.path("daemon.log")).unwrap();
    command.stdout(Stdio::null()).stderr(log);
    daemon.run_as(command);
    daemon.wait_for_first_backup();
    let into = daemon.path("new");
    let into = into.to_str().unwrap();
    let restored = daemon.json(&["backup", "restore", "state", "--into", into]);
    let notes = restored["notes"].to_string();
    assert!(
        notes.contains("owner") && notes.contains("could not be restored of 1 document"),
        "{restored}"
    );
    assert_eq!(fs::read_to_string(daemon.path("new/a")).unwrap(), "one");
    let owner = fs::metadata(daemon.path("new/a")).unwrap().uid();
    assert_eq!(owner, 0, "of the daemon's own user");
}

#[test]
fn what_a_command_prints_is_stored_on_a_disk_that_would_not_hold_it() {
    if !in_a_mount_namespace(
        "what_a_command_prints_is_stored_on_a_disk_that_would_not_hold_it",
        build,
    ) {
        return;
    }
    let directory = r#"{ kind = "directory", path = "data" }"#;
    let zeros =
        r#"{ kind = "command", run = ["head", "-c", "134217728", "/dev/zero"], key = "zeros" }"#;
    let mut daemon = Daemon::prepare(&[HOST, &JOB.replace(directory, zeros)].concat());
    fs::create_dir(daemon.path("state")).unwrap();
    let _mounted = Mounted::at(daemon.path("state"));
    daemon.run();
    daemon.wait_for_first_backup();
    let id = daemon.json(&["backup", "list"])[0]["id"].clone();
    let listed = daemon.cli(&["backup", "ls", id.as_str().unwrap(), "--json"]);
    assert!(said(&listed).contains("134217728"), "{}", said(&listed));
}

#[test]
fn a_file_of_the_year_10000_is_drilled_and_restored_and_its_time_is_told() {
    if !in_a_mount_namespace(
        "a_file_of_the_year_10000_is_drilled_and_restored_and_its_time_is_told",
        build,
    ) {
        return;
    }
    let daemon = prepare();
    // Not every file system has such times.
    let _mounted = Mounted::at(daemon.path("data"));
    fs::write(daemon.path("data/late"), "one").unwrap();
    let late = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    let file = File::open(daemon.path("data/late")).unwrap();
    file.set_modified(late).unwrap();
    let taken = daemon.json(&["backup", "create", "state", "--type", "full"]);
    let backup = &taken["backups"][0];
    assert!(backup["incomplete"].is_null(), "{backup}");
    let warnings = backup["warnings"].to_string();
    assert!(
        warnings.contains("data/late is outside of the years -9999 to 9999"),
        "{warnings}"
    );
    succeeds(&daemon, &["backup", "drill", "state"]);
    fs::write(daemon.path("data/late"), "lost").unwrap();
    succeeds(&daemon, &["backup", "restore", "state", "--replace"]);
    assert_eq!(fs::read_to_string(daemon.path("data/late")).unwrap(), "one");
    let restored = fs::metadata(daemon.path("data/late")).unwrap();
    let of_9999 = UNIX_EPOCH + Duration::from_secs(253_370_764_800);
    let modified = restored.modified().unwrap();
    assert!(of_9999 < modified && modified < late, "{modified:?}");
}

#[test]
fn a_source_that_is_a_mount_point_is_restored_in_place() {
    if !in_a_mount_namespace("a_source_that_is_a_mount_point_is_restored_in_place", build) {
        return;
    }
    let mut daemon = Daemon::prepare(&[HOST, JOB].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    let _mounted = Mounted::at(daemon.path("data"));
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    daemon.wait_for_first_backup();
    fs::write(daemon.path("data/a"), "lost").unwrap();
    fs::write(daemon.path("data/b"), "lost").unwrap();
    succeeds(&daemon, &["backup", "restore", "state", "--replace"]);
    let left = fs::read_dir(daemon.path("data")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a"]);
    assert_eq!(fs::read_to_string(daemon.path("data/a")).unwrap(), "one");
    let saved = daemon.json(&["backup", "list"]);
    assert_eq!(saved[0]["type"], "emergency", "{saved}");
}

const RECOVERED: &str = r#"
[[target]]
name = "store"
run = ["/bin/sh", "-c", "exec sleep 1000"]
[[target.check]]
kind = "file"
path = "data/a"
contains = "one"
every = "1s"
fail_after = 1
recover_after = 1
failure = "data-corruption"

[[route]]
failure = "data-corruption"
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "corruption-restore" }]

[plugin.corruption-restore]
grants = { target = ["status", "start", "stop"], backup = ["state"] }
settings = { job = "state" }
"#;

#[test]
fn a_service_whose_data_cannot_be_put_back_is_not_stopped_for_it() {
    if !in_a_mount_namespace(
        "a_service_whose_data_cannot_be_put_back_is_not_stopped_for_it",
        build,
    ) {
        return;
    }
    let mut daemon = Daemon::prepare(&[HOST, JOB, RECOVERED].concat());
    fs::create_dir_all(daemon.path("data/below")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    let _mounted = Mounted::at(daemon.path("data/below"));
    daemon.drop_plugin(&plugin("corruption-restore"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_first_backup();
    let before = daemon.pids();
    assert!(before.contains_key("store"), "{before:?}");
    fs::write(daemon.path("data/a"), "torn").unwrap();
    let failed = daemon.wait_for_event("the failure of the recovery", |event| {
        event["kind"] == "operation.failed"
    });
    assert!(failed.to_string().contains("is a mount point"), "{failed}");
    assert_eq!(daemon.pids(), before);
    let events = daemon.events();
    let stopped = events
        .iter()
        .find(|event| event["kind"] == "process.stopped");
    assert_eq!(stopped, None);
}

/// Takes every byte that is left.
fn fill(directory: &Path) {
    let path = directory.join("filler");
    let mut filler = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let block = vec![0xa5; 1 << 20];
    let mut size = block.len();
    while size > 0 {
        match filler.write(&block[..size]) {
            Ok(written) => size = size.min(written.max(1)),
            Err(error) if error.kind() == ErrorKind::StorageFull => size /= 2,
            Err(error) => panic!("the disk cannot be filled: {error}"),
        }
    }
}

#[test]
fn a_full_state_disk_is_freed_by_pruning_and_read_and_restored_from() {
    if !in_a_mount_namespace(
        "a_full_state_disk_is_freed_by_pruning_and_read_and_restored_from",
        build,
    ) {
        return;
    }
    let policy = "retention = { policy = \"gfs-retention\" }\n\
        [plugin.gfs-retention]\n\
        settings = { last = 1, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }\n";
    let drill = "drill = { every = \"7d\", scratch = \"scratch\" }\n";
    let mut daemon = Daemon::prepare(&[HOST, JOB, drill, policy].concat());
    for directory in ["data", "state", "scratch"] {
        fs::create_dir(daemon.path(directory)).unwrap();
    }
    let _mounted = Mounted::at(daemon.path("state"));
    // Bytes that do not become fewer.
    let mut state = 7_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    });
    fs::write(
        daemon.path("data/a"),
        noise.take(2 << 20).collect::<Vec<_>>(),
    )
    .unwrap();
    daemon.drop_plugin(&plugin("gfs-retention"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_first_backup();
    let mut taken = vec![take(&daemon), take(&daemon)];
    // What the daemon keeps in reserve is let go of at first.
    for _ in 0..30 {
        fill(&daemon.path("state"));
        let output = daemon.cli(&["backup", "create", "state", "--type", "full", "--json"]);
        if output.status.code() != Some(0) {
            break;
        }
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        taken.push(report["backups"][0]["id"].as_str().unwrap().to_owned());
    }
    let newest = taken.pop().unwrap();
    succeeds(&daemon, &["backup", "prune"]);
    let stored = |id: &str| {
        let places = ["state/backups/state", "state/backups/state/trash"];
        let archives = places.map(|place| daemon.path(place).join(format!("{id}.jsonl.zst")));
        archives.iter().any(|archive| archive.exists())
    };
    for id in &taken {
        assert!(!stored(id), "{id}");
    }
    assert!(stored(&newest));
    succeeds(&daemon, &["backup", "verify", &newest]);
    restore_into(&daemon, "restored");
    let read = |name: &str| fs::read(daemon.path(name)).unwrap();
    assert!(read("restored/a") == read("data/a"));
    fill(&daemon.path("state"));
    succeeds(&daemon, &["backup", "drill", "state"]);
    assert_eq!(fs::read_dir(daemon.path("scratch")).unwrap().count(), 0);
}

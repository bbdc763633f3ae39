//! What of its sources a backup holds: `exclude`, `exclude_caches`, `one_filesystem`, `include` and `on_unreadable` of `[[job]]`.

use super::{prepare, verified};
use mainstay_tests::{Daemon, in_a_mount_namespace, program, said, wait_for};
use rustix::process::geteuid;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

fn put(daemon: &Daemon, name: &str, content: &str) {
    let path = daemon.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read(daemon: &Daemon, name: &str) -> String {
    fs::read_to_string(daemon.path(name)).unwrap()
}

/// What a backup holds, as it is printed.
fn listed(daemon: &Daemon, id: &str) -> String {
    let output = daemon.cli(&["backup", "ls", id]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits for the backup that is due at the start.
fn first_backup(daemon: &Daemon, job: &str) {
    wait_for("a first backup", || match verified(daemon, job).len() {
        0 => Err(daemon.log()),
        _ => Ok(()),
    });
}

/// Acts: `job.exclude`, `job.exclude_caches`
#[test]
fn what_a_job_leaves_out_is_not_stored_and_stays_where_it_is_when_the_rest_is_put_back() {
    let mut daemon = prepare(
        r#"
[[job]]
name = "state"
encryption = "none"
exclude = ["*.tmp", "/cache/**"]
exclude_caches = true
source = [{ kind = "directory", path = "data" }]
"#,
    );
    for (name, content) in [
        ("data/a", "one"),
        ("data/deep/a.tmp", "left alone"),
        ("data/cache/c", "left alone"),
        ("data/build/CACHEDIR.TAG", TAG),
        ("data/build/out/b", "left alone"),
    ] {
        put(&daemon, name, content);
    }
    daemon.run();
    first_backup(&daemon, "state");
    let backup = verified(&daemon, "state")[0].clone();
    assert!(backup["incomplete"].is_null(), "{backup}");
    let id = backup["id"].as_str().unwrap();
    let listed = listed(&daemon, id);
    for (name, stored) in [
        ("deep", true),
        ("a.tmp", false),
        ("cache/c", false),
        ("build/CACHEDIR.TAG", true),
        ("build/out", false),
    ] {
        assert_eq!(listed.contains(name), stored, "{name}: {listed}");
    }

    put(&daemon, "data/a", "lost");
    put(&daemon, "data/lost", "lost");
    let restored = daemon.cli(&["backup", "restore", "state", "--id", id, "--replace"]);
    let said = String::from_utf8_lossy(&restored.stderr);
    assert!(restored.status.success(), "{said}");
    assert_eq!(read(&daemon, "data/a"), "one");
    assert!(!daemon.path("data/lost").exists());
    for name in ["deep/a.tmp", "cache/c", "build/out/b"] {
        let left = read(&daemon, &format!("data/{name}"));
        assert_eq!(left, "left alone", "{name}");
    }
}

/// Acts: `job.one_filesystem`
#[test]
fn another_file_system_is_read_only_where_the_job_says() {
    let test = "job::reading::another_file_system_is_read_only_where_the_job_says";
    let build = || {
        program();
    };
    if !in_a_mount_namespace(test, build) {
        return;
    }
    let job = |name: &str, keys: &str| {
        let source = "source = [{ kind = \"directory\", path = \"data\" }]\nencryption = \"none\"";
        format!("\n[[job]]\nname = \"{name}\"\n{source}\n{keys}\n")
    };
    let jobs = [job("one", ""), job("all", "one_filesystem = false")].concat();
    let mut daemon = prepare(&jobs);
    fs::create_dir(daemon.path("data/volume")).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=4m", "test"]);
    let mounted = mount.arg(daemon.path("data/volume")).status();
    assert!(mounted.unwrap().success());
    put(&daemon, "data/volume/b", "two");
    daemon.run();
    for (name, stored) in [("one", false), ("all", true)] {
        first_backup(&daemon, name);
        let backup = verified(&daemon, name)[0].clone();
        assert!(backup["incomplete"].is_null(), "{backup}");
        let warned = backup.to_string().contains("it is on another file system");
        assert_eq!(warned, !stored, "{backup}");
        let listed = listed(&daemon, backup["id"].as_str().unwrap());
        assert_eq!(listed.contains("volume/b"), stored, "{listed}");
    }
    // The daemon may still have it open.
    let unmounted = Command::new("umount")
        .arg("-l")
        .arg(daemon.path("data/volume"))
        .status();
    assert!(unmounted.unwrap().success());
}

/// Acts: `job.include.snapshot`, `job.include.emergency`
#[test]
fn a_snapshot_and_an_emergency_backup_hold_what_is_named_for_them_and_replace_nothing_else() {
    let mut daemon = prepare(
        r#"
[[job]]
name = "state"
encryption = "none"
include = { snapshot = ["/positions", "*.db"], emergency = ["/positions"] }
source = [{ kind = "directory", path = "data" }]
"#,
    );
    for (name, content) in [
        ("data/positions/a", "one"),
        ("data/deep/app.db", "two"),
        ("data/unnamed", "three"),
    ] {
        put(&daemon, name, content);
    }
    daemon.run();
    first_backup(&daemon, "state");
    let create = |backup_type: &str| -> Value {
        let created = daemon.json(&["backup", "create", "state", "--type", backup_type]);
        created["backups"][0].clone()
    };
    let id = |backup: &Value| backup["id"].as_str().unwrap().to_owned();
    for (backup_type, holds) in [("snapshot", [true, true]), ("emergency", [true, false])] {
        let backup = create(backup_type);
        assert_eq!(backup["selection"], true, "{backup}");
        assert!(backup["incomplete"].is_null(), "{backup}");
        let listed = listed(&daemon, &id(&backup));
        for (name, held) in ["positions/a", "deep/app.db"].into_iter().zip(holds) {
            assert_eq!(listed.contains(name), held, "{backup_type}: {listed}");
        }
        assert!(!listed.contains("unnamed"), "{backup_type}: {listed}");
    }
    let snapshot = id(&create("snapshot"));
    // The newest is that which holds everything.
    let drilled = daemon.json(&["backup", "drill", "state"]);
    assert_eq!(drilled["backups"][0]["type"], "full", "{drilled}");

    put(&daemon, "data/positions/a", "lost");
    put(&daemon, "data/unnamed", "newer");
    let restore = ["backup", "restore", "state", "--id", snapshot.as_str()];
    let refused = daemon.cli(&[restore.as_slice(), &["--replace"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        why.contains("a selection alone") && why.contains("--merge"),
        "{why}"
    );
    assert_eq!(read(&daemon, "data/positions/a"), "lost");
    let merged = daemon.cli(&[restore.as_slice(), &["--merge"]].concat());
    let said = String::from_utf8_lossy(&merged.stderr);
    assert!(merged.status.success(), "{said}");
    assert_eq!(read(&daemon, "data/positions/a"), "one");
    assert_eq!(read(&daemon, "data/unnamed"), "newer");
}

#[test]
fn a_source_whose_disk_is_not_mounted_any_more_gives_a_suspicious_backup_until_it_is_accepted() {
    let test = "job::reading::a_source_whose_disk_is_not_mounted_any_more_gives_a_suspicious_backup_until_it_is_accepted";
    let build = || {
        program();
    };
    if !in_a_mount_namespace(test, build) {
        return;
    }
    let mut daemon = prepare(
        r#"
[[job]]
name = "state"
encryption = "none"
source = [{ kind = "directory", path = "disk" }]
"#,
    );
    fs::create_dir(daemon.path("disk")).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=4m", "test"]);
    let mounted = mount.arg(daemon.path("disk")).status();
    assert!(mounted.unwrap().success());
    put(&daemon, "disk/a", "one");
    daemon.run();
    first_backup(&daemon, "state");
    let whole = verified(&daemon, "state")[0].clone();
    // The daemon may still have it open.
    let mut unmount = Command::new("umount");
    let unmounted = unmount.arg("-l").arg(daemon.path("disk")).status();
    assert!(unmounted.unwrap().success());
    assert!(!daemon.path("disk/a").exists());

    let create = |backup_type: &str| -> Value {
        let created = daemon.json(&["backup", "create", "state", "--type", backup_type]);
        created["backups"][0].clone()
    };
    let empty = create("incremental");
    let why = empty["suspicious"].as_str().unwrap();
    assert!(why.starts_with("nothing is mounted any more at "), "{why}");
    let disk = daemon.path("disk").canonicalize().unwrap();
    assert!(why.contains(disk.to_str().unwrap()), "{why}");
    let id = empty["id"].as_str().unwrap();
    let told = daemon.wait_for_event("that it is suspicious", |event| {
        event["kind"] == "backup.suspicious" && event["backup"] == id
    });
    assert_eq!(told["data"]["before"], whole["id"], "{told}");
    assert!(create("full")["suspicious"].is_string());
    let drilled = daemon.json(&["backup", "drill", "state"]);
    assert_eq!(drilled["backups"][0]["id"], whole["id"], "{drilled}");

    let newest = create("full");
    daemon.json(&["backup", "accept", newest["id"].as_str().unwrap()]);
    assert!(create("full")["suspicious"].is_null());
}

/// Runs the daemon as who may read only what modes say, also where the tests are root.
fn run_without_privileges(daemon: &mut Daemon) {
    let mut command = match geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search", "--"]);
            command.arg(program());
            command
        }
        false => Command::new(program()),
    };
    command.args(["run", "--config"]);
    command.arg(daemon.path("mainstay.toml"));
    let log = fs::File::create(daemon.path("daemon.log")).unwrap();
    command.stdout(Stdio::null()).stderr(log);
    daemon.run_as(command);
}

/// Acts: `job.on_unreadable`
#[test]
fn a_file_that_cannot_be_read_is_kept_as_it_was_and_named_or_fails_the_backup() {
    let job = |name: &str, keys: &str| {
        let source = "source = [{ kind = \"directory\", path = \"data\" }]\nencryption = \"none\"";
        format!("\n[[job]]\nname = \"{name}\"\n{source}\n{keys}\n")
    };
    let jobs = [
        job("lenient", ""),
        job("strict", "on_unreadable = \"fail\""),
    ];
    let mut daemon = prepare(&jobs.concat());
    put(&daemon, "data/closed", "one");
    run_without_privileges(&mut daemon);
    for name in ["lenient", "strict"] {
        first_backup(&daemon, name);
    }

    put(&daemon, "data/closed", "two, which nobody may read");
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(daemon.path("data/closed"), closed).unwrap();
    let create = |job: &str, backup_type: &str| {
        daemon.cli(&["backup", "create", job, "--type", backup_type, "--json"])
    };
    for (backup_type, becomes) in [
        ("full", "it is not in this backup"),
        (
            "incremental",
            "is that of the backup that this one is built on",
        ),
    ] {
        if backup_type == "incremental" {
            // It is built on what has the file.
            let open = fs::Permissions::from_mode(0o644);
            fs::set_permissions(daemon.path("data/closed"), open).unwrap();
            let whole = create("lenient", "full");
            assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
            put(&daemon, "data/closed", "three, which nobody may read");
            let closed = fs::Permissions::from_mode(0o000);
            fs::set_permissions(daemon.path("data/closed"), closed).unwrap();
        }
        let taken = create("lenient", backup_type);
        assert_eq!(taken.status.code(), Some(3), "{}", said(&taken));
        let report: Value = serde_json::from_slice(&taken.stdout).unwrap();
        let backup = report["backups"].as_array().unwrap().last().unwrap();
        assert_eq!(backup["incomplete"], true, "{backup}");
        let warning = backup["warnings"][0].as_str().unwrap();
        assert!(
            warning.contains("data/closed: Permission denied"),
            "{warning}"
        );
        assert!(warning.contains(becomes), "{warning}");

        let (id, into) = (backup["id"].as_str().unwrap(), daemon.path(backup_type));
        let into = into.to_str().unwrap();
        let restored = daemon.cli(&["backup", "restore", "lenient", "--id", id, "--into", into]);
        assert_eq!(restored.status.code(), Some(3), "{}", said(&restored));
        assert!(said(&restored).contains(warning), "{}", said(&restored));
        let content = fs::read_to_string(daemon.path(backup_type).join("closed")).ok();
        let kept = (backup_type == "incremental").then_some("two, which nobody may read");
        assert_eq!(content.as_deref(), kept);
    }

    let refused = daemon.cli(&["backup", "create", "strict"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let why = "data/closed: Permission denied (os error 13); give the daemon's user access to it";
    assert!(said(&refused).contains(why), "{}", said(&refused));
}

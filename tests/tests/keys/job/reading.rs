//! What of a directory is left out: `exclude`, `exclude_caches` and `one_filesystem` of `[[job]]`.

use super::{prepare, verified};
use mainstay_tests::{Daemon, in_a_mount_namespace, program, wait_for};
use std::{fs, process::Command};

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

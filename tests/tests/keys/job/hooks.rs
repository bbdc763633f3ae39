//! What runs around backups: `before`, `after_success` and `after_failure` of `[[job]]`.

use super::{prepare, verified};
use mainstay_tests::{Daemon, wait_for};
use std::fs;

/// The lines that the commands wrote, once there are so many.
fn noted(daemon: &Daemon, count: usize) -> Vec<String> {
    wait_for("what commands note", || {
        let text = fs::read_to_string(daemon.path("noted")).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines).ok_or(text)
    })
}

/// Acts: `job.before`, `job.after_success`, `job.after_failure`
#[test]
fn commands_run_around_a_backup_and_the_one_before_it_can_forbid_it() {
    let mut daemon = prepare(
        r#"
[[job]]
name = "state"
encryption = "none"
full = { cron = "0 0 1 1 *" }
source = [{ kind = "directory", path = "data" }]
before = "begin"
after_success = "stored"
after_failure = "failed"

[command.begin]
run = ["/bin/sh", "-c", "echo begin $MAINSTAY_JOB $MAINSTAY_BACKUP $MAINSTAY_BACKUP_STATUS >> noted; test ! -e forbidden"]
[command.stored]
run = ["/bin/sh", "-c", "echo stored $MAINSTAY_JOB $MAINSTAY_BACKUP $MAINSTAY_BACKUP_STATUS >> noted"]
[command.failed]
run = ["/bin/sh", "-c", "echo failed $MAINSTAY_JOB $MAINSTAY_BACKUP $MAINSTAY_BACKUP_STATUS >> noted"]
"#,
    );
    daemon.run();
    // The first one is due at once.
    let first = noted(&daemon, 2);
    wait_for("a first backup", || {
        match verified(&daemon, "state").len() {
            0 => Err(daemon.log()),
            _ => Ok(()),
        }
    });
    let id = verified(&daemon, "state")[0]["id"].clone();
    let id = id.as_str().unwrap();
    assert_eq!(first[0], format!("begin state {id} in-progress"));
    assert_eq!(first[1], format!("stored state {id} verified"));

    fs::write(daemon.path("forbidden"), "").unwrap();
    let output = daemon.cli(&["backup", "create", "state"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing was read"), "{said}");
    let all = noted(&daemon, 4);
    assert!(all[2].starts_with("begin state ful-"), "{all:?}");
    assert!(all[3].starts_with("failed state ful-"), "{all:?}");
    assert!(all[3].ends_with(" failed"), "{all:?}");
    assert_eq!(verified(&daemon, "state").len(), 1);
}

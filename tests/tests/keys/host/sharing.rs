//! With whom the socket is shared, and who of them only reads.

use super::HOST;
use mainstay_tests::{Daemon, program};
use rustix::process::geteuid;
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    process::{Command, Output},
};

/// A daemon whose socket is shared so, and whose directory everybody can get into; none where the test may be nobody else.
fn start(api: &str) -> Option<Daemon> {
    if !geteuid().is_root() {
        return None;
    }
    let host = HOST.trim_end();
    let mut daemon = Daemon::prepare(&format!("{host}\napi = {{ {api} }}\n"));
    fs::set_permissions(daemon.path(""), Permissions::from_mode(0o755)).unwrap();
    // Where the program was built others may have no way to.
    let copy = daemon.path("program");
    fs::hard_link(program(), &copy)
        .or_else(|_| fs::copy(program(), &copy).map(drop))
        .unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    daemon.run();
    Some(daemon)
}

/// The numbers of a user and of their own group.
fn account(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name));
    let fields: Vec<&str> = line.unwrap().split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

/// Runs a command of the command line as another user, who is in their own group alone.
fn cli_as(daemon: &Daemon, user: &str, arguments: &[&str]) -> Output {
    let (uid, gid) = account(user);
    let mut command = Command::new(daemon.path("program"));
    command
        .args(arguments)
        .arg("--socket")
        .arg(daemon.path("state/mainstay.sock"))
        .current_dir("/")
        .uid(uid)
        .gid(gid);
    command.output().unwrap()
}

#[track_caller]
fn is_done(output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[track_caller]
fn is_refused(output: &Output, why: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(why), "{stderr}");
}

/// Acts: `host.api.group`
#[test]
fn a_group_that_the_socket_is_shared_with_reads_and_commands_and_nobody_else_comes_in() {
    let Some(daemon) = start("group = \"nogroup\"") else {
        return;
    };
    let socket = fs::metadata(daemon.path("state/mainstay.sock")).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o660);
    assert_eq!(socket.gid(), account("nobody").1);
    let directory = fs::metadata(daemon.path("state")).unwrap();
    assert_eq!(directory.mode() & 0o777, 0o710, "who passes does not look");
    is_done(&cli_as(&daemon, "nobody", &["status"]));
    is_done(&cli_as(&daemon, "nobody", &["pause"]));
    let event = daemon.wait_for_event("the pause", |event| event["kind"] == "host.paused");
    assert_eq!(event["data"]["by"], "nobody", "{event}");
    for stranger in ["daemon", "bin"] {
        let refused = cli_as(&daemon, stranger, &["status"]);
        is_refused(&refused, "is not open to this user");
    }
}

/// Acts: `host.api.viewers`
#[test]
fn a_viewer_reads_and_every_command_of_theirs_is_refused_with_a_sentence() {
    let viewers = "group = \"nogroup\", viewers = [\"daemon\", \"@bin\"]";
    let Some(daemon) = start(viewers) else {
        return;
    };
    let socket = fs::metadata(daemon.path("state/mainstay.sock")).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o660);
    is_done(&cli_as(&daemon, "nobody", &["pause"]));
    for viewer in ["daemon", "bin"] {
        for reading in [&["status"][..], &["incidents"], &["events"]] {
            is_done(&cli_as(&daemon, viewer, reading));
        }
        for command in [
            &["resume"][..],
            &["stop", "x"],
            &["report", "x", "--failure", "f"],
            &["recover", "x", "--failure", "f"],
            &["silence", "x", "--for", "1h", "--reason", "r"],
            &["heartbeat", "x"],
            &["probe", "x"],
            &["backup", "create", "x"],
            &["backup", "prune"],
            &["plugin", "forget", "x@1.0.0"],
        ] {
            let refused = cli_as(&daemon, viewer, command);
            is_refused(&refused, "may read here, and command nothing");
        }
    }
    is_refused(
        &cli_as(&daemon, "sys", &["status"]),
        "is not open to this user",
    );
    assert_eq!(daemon.json(&["status"])["host"]["paused"], true);
}

#[test]
fn a_group_that_the_machine_does_not_have_is_told_before_and_at_the_start() {
    let host = HOST.trim_end();
    let config = format!("{host}\napi = {{ group = \"no-such-group\" }}\n");
    let daemon = Daemon::prepare(&config);
    let checked = daemon.cli(&["check"]);
    let told = String::from_utf8_lossy(&checked.stdout).into_owned()
        + &String::from_utf8_lossy(&checked.stderr);
    assert!(told.contains("`no-such-group` of host.api.group"), "{told}");
    let run = daemon.cli(&["run"]);
    assert!(!run.status.success());
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(told.contains("has no group `no-such-group`"), "{told}");
}

//! The host itself: `[host]`.

mod door;
mod sharing;

use crate::keys::target::HOST;
use mainstay_tests::{Daemon, free_port, guest, plugin, sleeper, wait_for};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
};

/// The status over TCP with these headers, as it is answered.
fn ask(port: u16, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request =
        format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Acts: `host.keep_history`
#[test]
fn what_is_too_old_is_forgotten_but_for_the_newest() {
    let config = |kept: &str| format!("{HOST}\nkeep_history = \"{kept}\"\n");
    let mut daemon = Daemon::start(&config("90d"), &[]);
    for round in 0..60 {
        let verb = ["pause", "resume"][round % 2];
        assert!(daemon.cli(&[verb]).status.success());
        assert!(daemon.cli(&[verb]).status.success());
    }
    assert!(daemon.events().len() > 120);
    assert!(daemon.stop());
    daemon.run();
    let before = daemon.events().len();
    assert!(before > 120, "nothing is old yet");
    assert!(daemon.stop());
    fs::write(daemon.path("mainstay.toml"), config("1ms")).unwrap();
    daemon.run();
    wait_for("what is old to be forgotten", || {
        match daemon.events().len() {
            left @ 90..=110 => Ok(left),
            left => Err(format!("{left} events")),
        }
    });
}

/// Acts: `host.name`, `host.state_dir`, `host.plugin_dir`, `host.api.listen`, `host.api.token`
#[test]
fn the_host_has_its_name_its_directories_and_its_door() {
    let port = free_port();
    let mut daemon = Daemon::prepare(&format!(
        r#"
[host]
name = "harbour-7"
state_dir = "kept/here"
plugin_dir = "dropped"
api = {{ listen = "127.0.0.1:{port}", token = "door" }}

[secrets]
door = {{ file = "door" }}
window = {{ file = "window" }}
"#
    ));
    for secret in ["door", "window"] {
        fs::write(daemon.path(secret), format!("opens-the-{secret}\n")).unwrap();
        fs::set_permissions(daemon.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::create_dir(daemon.path("dropped")).unwrap();
    let probe = guest("probe", &[]);
    fs::copy(&probe, daemon.path("dropped/probe.wasm")).unwrap();
    // Into `plugins`, which is not the directory of this host.
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();

    let status = daemon.wait_for_status("the plugin", |status| {
        status["plugins"][0]["state"] == "serving"
    });
    assert_eq!(status["host"]["name"], "harbour-7");
    assert_eq!(status["plugins"][0]["name"], "probe");
    assert_eq!(status["plugins"].as_array().unwrap().len(), 1);
    assert!(fs::read_dir(daemon.path("kept/here")).unwrap().count() > 0);
    assert!(!daemon.path("state").exists());

    let with = |token: &str| ask(port, &format!("authorization: Bearer {token}\r\n"));
    let answer = with("opens-the-door");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("harbour-7"), "{answer}");
    for refused in [ask(port, ""), with("opens-the-window"), with("door")] {
        assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
        assert!(!refused.contains("harbour-7"), "{refused}");
    }

    fs::write(daemon.path("door"), "another-key\n").unwrap();
    daemon.hang_up();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    assert!(with("another-key").starts_with("HTTP/1.1 200"));
    assert!(with("opens-the-door").starts_with("HTTP/1.1 401"));
}

#[test]
fn a_config_that_is_applied_is_told_with_what_it_says_otherwise_and_with_no_value() {
    let daemon = Daemon::start(&[HOST, &sleeper("job")].concat(), &[]);
    daemon.wait_for_status("it to be read", |status| {
        status["targets"][0]["name"] == "job"
    });
    let more = "\n[budget]\nper_hour = 5\n\n[plugin.webhook]\nsettings = { url = \"http://127.0.0.1:1/plain-token\" }\n";
    let config = [HOST, &sleeper("job"), more].concat();
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    let applied = daemon.wait_for_event("the config", |event| event["kind"] == "config.applied");
    assert_eq!(
        applied["data"]["added"],
        json!(["plugin.webhook"]),
        "{applied}"
    );
    assert_eq!(applied["data"]["changed"], json!(["budget"]), "{applied}");
    assert_eq!(applied["data"]["removed"], Value::Null, "{applied}");
    let message = applied["message"].as_str().unwrap();
    let words = " applied: added plugin.webhook; changed budget";
    assert!(message.ends_with(words), "{message}");
    let told = format!("{:?}{}", daemon.events(), daemon.log());
    assert!(!told.contains("plain-token"), "{told}");
}

#[test]
fn a_host_without_a_name_has_that_of_the_machine() {
    let daemon = Daemon::start(HOST, &[]);
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_str().unwrap();
    assert_eq!(daemon.json(&["status"])["host"]["name"], machine);
}

/// Acts: `host.shutdown_deadline`
#[test]
fn a_shutdown_ends_at_its_deadline_and_names_what_it_leaves() {
    let config = |deadline: &str| {
        let host = HOST.trim_end();
        format!(
            r#"
{host}
shutdown_deadline = "{deadline}"

[[target]]
name = "deaf"
run = ["sh", "-c", "trap '' TERM; touch deaf; while :; do sleep 1; done"]
grace = "1h"

[[target]]
name = "tedious"

[[route]]
failure = "tedious"
chain = [{{ handler = "probe", params = {{ do = "sleep", length = "50m" }}, timeout = "1h" }}]

# With a directory its sleep is held.
[plugin.probe]
limits = {{ timeout = "1h" }}
grants = {{ dir = ["plugins"] }}
"#
        )
    };
    let probe = guest("probe", &[]);
    let started = |deadline: &str| {
        let daemon = Daemon::start(&config(deadline), &[&probe]);
        daemon.wait_for_plugins(1);
        daemon.wait_for_event("the child to start", |event| {
            event["kind"] == "process.started"
        });
        mainstay_tests::wait_for("the child to be deaf", || {
            daemon
                .path("deaf")
                .exists()
                .then_some(())
                .ok_or("not yet".to_owned())
        });
        daemon
    };

    // Within the deadline, which is that of the newest config, a child that does not heed SIGTERM gets SIGKILL.
    let mut daemon = started("1h");
    fs::write(daemon.path("mainstay.toml"), config("2s")).unwrap();
    daemon.wait_for_event("the config", |event| event["kind"] == "config.applied");
    assert!(daemon.stop(), "{}", daemon.log());
    daemon.run();
    let stopped = daemon.wait_for_event("the end", |event| event["kind"] == "process.stopped");
    let message = stopped["message"].as_str().unwrap();
    assert!(message.contains("signal 9"), "{message}");

    // What is not over by then is named and left, and what can be ended meanwhile is ended.
    let mut daemon = started("4s");
    let recover = daemon.cli(&["recover", "tedious", "--failure", "tedious"]);
    assert!(recover.status.success());
    daemon.wait_for_event("the operation", |event| {
        event["kind"] == "operation.started"
    });
    let pid = i32::try_from(daemon.pids()["deaf"]).unwrap();
    assert!(!daemon.stop(), "{}", daemon.log());
    let log = daemon.log();
    let last = log.trim_end().lines().last().unwrap();
    assert!(last.ends_with("did not stop within 4s: recovery"), "{last}");
    let lives = test_kill_process(Pid::from_raw(pid).unwrap());
    assert!(lives.is_err(), "the child was not stopped");
}

#[test]
fn a_backup_under_way_is_interrupted_by_a_shutdown() {
    let host = HOST.trim_end();
    let config = format!(
        r#"
{host}
shutdown_deadline = "1h"

[[job]]
name = "endless"
source = [{{ kind = "command", run = ["sleep", "1h"], key = "never", timeout = "2h" }}]
full = "1d"
encryption = "none"
"#
    );
    let mut daemon = Daemon::start(&config, &[]);
    daemon.wait_for_event("the backup", |event| event["kind"] == "backup.started");
    assert!(daemon.stop(), "{}", daemon.log());
    let left = fs::read_dir(daemon.path("state/backups/endless")).unwrap();
    assert_eq!(left.count(), 0);
}

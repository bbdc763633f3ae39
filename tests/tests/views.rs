//! What people see of a running daemon: all of it, one target in full, and names and identifiers as they type them.

use mainstay_tests::{Daemon, HOST, program, wait_for};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

const WEB: &str = r#"
[[target]]
name = "web"
run = ["/bin/sh", "-c", "echo hello from web; exec sleep 1000"]

[[target.check]]
name = "look"
kind = "exec"
run = ["/bin/sh", "-c", "exit 0"]
every = "100ms"
failure = "odd"
"#;

/// What people read of a command that is done.
fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = daemon.cli(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn one_target_is_shown_with_what_its_checks_saw_its_process_and_the_end_of_its_log() {
    let daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    let shown = wait_for("a look and a line", || {
        let shown = said(&daemon, &["status", "web"]);
        let parts = ["web  healthy", "look", "ms", "hello from web"];
        match parts.iter().all(|part| shown.contains(part)) {
            true => Ok(shown),
            false => Err(shown),
        }
    });
    let pid = daemon.pids()["web"];
    assert!(shown.contains(&format!("pid {pid}, 0 restarts")), "{shown}");
    let detail = daemon.json(&["status", "web"]);
    assert_eq!(detail["checks"][0]["check"], "look");
    assert_eq!(detail["checks"][0]["outcome"], "healthy");
    assert!(detail["checks"][0]["elapsed_ms"].is_number(), "{detail}");
    assert!(detail["checks"][0]["at"].is_string(), "{detail}");
    assert_eq!(detail["log"], "hello from web");

    // Of all only what is amiss is told, and here nothing is.
    let status = said(&daemon, &["status"]);
    let first = status.lines().next().unwrap();
    assert_eq!(first, "nothing needs a person; 1 target, nothing amiss");
    assert!(status.contains("targets: 1 healthy"), "{status}");
    let all = said(&daemon, &["status", "--all"]);
    assert!(all.lines().any(|line| line.starts_with("web ")), "{all}");
}

/// A foreign service that is not there, and that its command does not bring.
const DB: &str = r#"
[[target]]
name = "db"
start_period = "0s"
commands.start = ["/bin/sh", "-c", "echo starting; echo 'no such unit' >&2; exit 5"]
pid_file = "db.pid"

[[target.check]]
kind = "file"
path = "up"
every = "50ms"
fail_after = 1
failure = "gone"
"#;

#[test]
fn a_foreign_service_is_shown_with_its_process_and_why_its_command_did_not_start_it() {
    let daemon = Daemon::start(&[HOST, DB].concat(), &[]);
    let shown_with = |parts: &[&str]| {
        wait_for("what is known of it", || {
            let shown = said(&daemon, &["status", "db"]);
            match parts.iter().all(|part| shown.contains(part)) {
                true => Ok(shown),
                false => Err(shown),
            }
        })
    };
    shown_with(&["db  failed", "db.pid names none that lives, 0 restarts"]);
    let output = daemon.cli(&["start", "db", "--wait"]);
    assert_eq!(output.status.code(), Some(1));
    let failed = "it was not started, ";
    let shown = shown_with(&[failed]);
    assert!(
        shown.contains("exited with code 5: no such unit"),
        "{shown}"
    );
    let all = said(&daemon, &["status"]);
    assert!(
        all.contains(failed) && all.contains("code 5: no such unit"),
        "{all}"
    );

    // Others start it after all.
    let mut service = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    let pid = service.id();
    std::fs::write(daemon.path("db.pid"), pid.to_string()).unwrap();
    std::fs::write(daemon.path("up"), "").unwrap();
    let shown = shown_with(&["db  healthy", &format!("pid {pid}, as ")]);
    assert!(!shown.contains(failed), "{shown}");
    let detail = daemon.json(&["status", "db"]);
    assert_eq!(detail["service"]["pid"], pid);
    assert_eq!(detail["pid"], serde_json::Value::Null, "it is no child");
    assert_eq!(detail.get("not_started"), None, "{detail}");
    service.kill().unwrap();
    service.wait().unwrap();
}

#[test]
fn restarts_count_alike_wherever_they_are_told_and_go_on_where_the_process_does() {
    let mut daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    let restarts = |daemon: &Daemon| daemon.json(&["status", "web"])["restarts"].clone();
    daemon.wait_for_event_of("process.started", "web");
    for count in [1, 2] {
        said(&daemon, &["restart", "web", "--wait"]);
        assert_eq!(restarts(&daemon), count);
        let shown = said(&daemon, &["status", "web"]);
        assert!(shown.contains(&format!(", {count} restart")), "{shown}");
        daemon.wait_for_event("the start", |event| {
            event["kind"] == "process.started" && event["data"]["restarts"] == count
        });
    }
    daemon.kill();
    daemon.run();
    daemon.wait_for_event_of("process.adopted", "web");
    assert_eq!(restarts(&daemon), 2);
    assert!(daemon.stop());
    daemon.run();
    wait_for("it to run", || {
        let row = daemon.json(&["status", "web"]);
        let pid = row["pid"].as_u64();
        pid.map(|_| ()).ok_or_else(|| row.to_string())
    });
    assert_eq!(restarts(&daemon), 0);
}

#[test]
fn what_a_target_prints_is_shown_and_followed() {
    let config = WEB.replace(
        "echo hello from web;",
        "echo 2020-01-01T00:00:00Z old; echo first; sleep 3; echo second;",
    );
    let daemon = Daemon::start(&[HOST, config.as_str()].concat(), &[]);
    let path = daemon.path("state/logs/web.log");
    wait_for("the first line", || {
        let log = std::fs::read_to_string(&path).unwrap_or_default();
        log.contains("first").then_some(()).ok_or(log)
    });
    assert!(said(&daemon, &["logs", "web"]).starts_with("2020-01-01T00:00:00Z old\nfirst\n"));

    let mut follow = Command::new(program());
    follow.args(["logs", "web", "--follow", "--lines", "1", "--config"]);
    follow.arg(daemon.path("mainstay.toml"));
    let mut following = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut shown = Vec::new();
    while shown.last().is_none_or(|line| line != "second") {
        shown.push(lines.next().expect("the log is followed").unwrap());
    }
    following.kill().unwrap();
    following.wait().unwrap();
    // It began before or after the last line was written.
    assert!(
        shown == ["first", "second"] || shown == ["second"],
        "{shown:?}"
    );

    assert_eq!(said(&daemon, &["logs", "web", "-n", "1"]), "second\n");
    assert_eq!(said(&daemon, &["logs", "web", "--since", "1h"]), "");
    let whole = said(&daemon, &["logs", "web", "--since", "2020-01-01T00:00:00Z"]);
    assert_eq!(whole.lines().count(), 3, "{whole}");
    let log = daemon.json(&["logs", "web"]);
    assert_eq!(log["text"], whole);
    assert_eq!(log["log_bytes"], whole.len());
}

#[test]
fn a_misspelt_name_is_refused_with_the_nearest_one_and_the_end_of_an_identifier_is_enough() {
    let daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    for arguments in [
        &["status", "webb"][..],
        &["logs", "webb"],
        &["probe", "webb"],
        &["restart", "webb"],
        &["stop", "webb"],
        &["pause", "webb"],
        &["report", "webb", "--failure", "odd"],
        &["recover", "webb", "--failure", "odd"],
        &["silence", "webb", "--for", "1h", "--reason", "tested"],
        &["heartbeat", "webb"],
        &["history", "--target", "webb"],
    ] {
        let output = daemon.cli(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        let expected = "error: there is no target `webb`; did you mean `web`?\nhelp: ";
        assert!(stderr.starts_with(expected), "{arguments:?}: {stderr}");
    }

    let silence = [
        "silence", "web", "--for", "1h", "--reason", "tested", "--json",
    ];
    let silence: serde_json::Value = serde_json::from_str(&said(&daemon, &silence)).unwrap();
    let id = silence["id"].as_str().unwrap();
    let listed = said(&daemon, &["silences", "--utc"]);
    assert!(listed.contains(id), "{listed}");
    let end = id.get(id.len() - 8..).unwrap();
    said(&daemon, &["unsilence", &end.to_lowercase()]);
    assert_eq!(said(&daemon, &["silences"]), "no silences\n");
    let output = daemon.cli(&["unsilence", end]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("`mainstay silences` lists them"),
        "{stderr}"
    );
}

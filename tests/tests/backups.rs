//! What is said of backups that cannot give everything back.

use mainstay_tests::{Daemon, HOST, program, said, take_backup, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

fn prepare(source: &str) -> Daemon {
    let job = format!("\n[[job]]\nname = \"state\"\nencryption = \"none\"\nsource = [{source}]\n");
    let mut daemon = Daemon::prepare(&[HOST, &job].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "one").unwrap();
    daemon.run();
    // The first one is due at once; no other is for as long as a test lasts.
    daemon.wait_for_first_backup();
    daemon
}

fn shown(daemon: &Daemon, id: &str) -> Value {
    daemon.json(&["backup", "show", id])
}

#[test]
fn a_restore_in_place_names_what_it_did_not_put_back_and_its_emergency_backup_mends_no_job() {
    let daemon = prepare(
        r#"
    { kind = "directory", path = "data" },
    { kind = "command", run = ["/bin/echo", "dump"], key = "app.sql" },
"#,
    );
    let full = take_backup(&daemon, "full");
    fs::remove_dir_all(daemon.path("data")).unwrap();
    let failed = daemon.cli(&["backup", "create", "state"]);
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));

    let restored = daemon.cli(&["backup", "restore", "state", "--replace"]);
    let text = said(&restored);
    assert_eq!(restored.status.code(), Some(3), "{text}");
    let how = format!("mainstay backup restore state --id {full} --into DIRECTORY");
    assert!(text.contains("app.sql") && text.contains(&how), "{text}");
    assert_eq!(fs::read_to_string(daemon.path("data/a")).unwrap(), "one");
    let status = daemon.json(&["status"]);
    assert_eq!(status["jobs"][0]["last_status"], "failed", "{status}");

    let again = daemon.cli(&["backup", "restore", "state", "--replace", "--json"]);
    assert_eq!(again.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(report["not_put_back"], serde_json::json!(["app.sql"]));
    assert_eq!(report["not_put_back_documents"], 1);
}

#[test]
fn what_needs_a_corrupted_backup_is_corrupted_and_a_restore_says_what_it_skipped() {
    let mut daemon = prepare(r#"{ kind = "directory", path = "data" }"#);
    let old = take_backup(&daemon, "full");
    let base = take_backup(&daemon, "full");
    fs::write(daemon.path("data/b"), "two").unwrap();
    let needs = take_backup(&daemon, "incremental");
    assert_eq!(shown(&daemon, &needs)["parent"], base.as_str());

    let place = daemon.path("state/backups/state");
    let archive = place.join(format!("{base}.jsonl.zst"));
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let verified = daemon.cli(&["backup", "verify", &base]);
    assert_eq!(verified.status.code(), Some(1), "{}", said(&verified));
    let record = shown(&daemon, &needs);
    assert_eq!(record["status"], "corrupted", "{record}");
    let why = format!("it needs {base}, which is corrupted");
    assert_eq!(record["reason"], why.as_str());
    let status = daemon.cli(&["status"]);
    let text = said(&status);
    assert!(text.contains("needs a person: 1 backup job"), "{text}");
    let into = daemon.path("restored");
    let into = into.to_str().unwrap();
    let report = daemon.json(&["backup", "restore", "state", "--into", into]);
    assert_eq!(report["backups"][0]["id"], old.as_str());
    let skipped = report["skipped"].as_array().unwrap();
    let skipped: Vec<&str> = skipped
        .iter()
        .map(|backup| backup["id"].as_str().unwrap())
        .collect();
    assert_eq!(skipped, [needs.as_str(), base.as_str()]);

    // What is taken away behind its back is seen at the next start.
    assert!(daemon.stop());
    fs::remove_file(place.join(format!("{old}.jsonl.zst"))).unwrap();
    daemon.run();
    let record = shown(&daemon, &old);
    assert_eq!(record["status"], "corrupted", "{record}");
    daemon.wait_for_event("that it is gone", |event| {
        event["kind"] == "backup.corrupted" && event["backup"] == old.as_str()
    });
}

/// A job whose backups never end by themselves, and what they are told to be when they begin: the first is due at once.
fn never_ending() -> (Daemon, Value) {
    let source = r#"{ kind = "command", run = ["sleep", "4711"], key = "never", timeout = "2h" }"#;
    let job = format!("\n[[job]]\nname = \"state\"\nencryption = \"none\"\nsource = [{source}]\n");
    let mut daemon = Daemon::prepare(&[HOST, &job].concat());
    daemon.run();
    let started = daemon.wait_for_event("a first backup", |it| it["kind"] == "backup.started");
    (daemon, started)
}

fn cancel(daemon: &Daemon) {
    // It may not be read yet.
    wait_for("the cancellation", || {
        let cancelled = daemon.cli(&["backup", "cancel", "state"]);
        match cancelled.status.success() {
            true => Ok(()),
            false => Err(said(&cancelled)),
        }
    });
}

/// Waits until a backup is told to have failed, and for nothing but that somebody cancelled it.
fn wait_for_cancelled(daemon: &Daemon, id: &Value) {
    let failed = daemon.wait_for_event("its end", |event| {
        event["kind"] == "backup.failed" && event["backup"] == *id
    });
    let why = failed["message"].as_str().unwrap();
    assert!(why.contains("it was cancelled"), "{why}");
    let shown = shown(daemon, id.as_str().unwrap());
    assert_eq!(shown["status"], "failed", "{shown}");
}

#[test]
fn a_backup_that_is_cancelled_ends_and_is_told_as_not_taken() {
    let (daemon, started) = never_ending();
    cancel(&daemon);
    wait_for_cancelled(&daemon, &started["backup"]);
}

#[test]
fn ctrl_c_in_the_terminal_of_a_backup_ends_it_in_the_daemon_too() {
    let (daemon, due) = never_ending();
    cancel(&daemon);
    wait_for_cancelled(&daemon, &due["backup"]);
    let child = begin(&daemon, &["create", "state"]);
    let started = daemon.wait_for_event("a second backup", |event| {
        event["kind"] == "backup.started" && event["backup"] != due["backup"]
    });
    let ended = interrupt(child);
    assert_eq!(ended.status.code(), Some(1), "{}", said(&ended));
    assert!(
        said(&ended).contains("it was cancelled"),
        "{}",
        said(&ended)
    );
    wait_for_cancelled(&daemon, &started["backup"]);
}

#[test]
fn ctrl_c_in_the_terminal_of_what_waits_for_its_turn_ends_that_and_not_what_runs() {
    let (daemon, due) = never_ending();
    let into = daemon.path("restored");
    let into = into.to_str().unwrap();
    for waits in [
        &["create", "state"][..],
        &["restore", "state", "--into", into],
    ] {
        let ended = interrupt(begin(&daemon, waits));
        let said = said(&ended);
        assert_eq!(ended.status.code(), Some(1), "{waits:?}: {said}");
        assert!(said.contains("waited for its turn"), "{waits:?}: {said}");
    }
    let shown = shown(&daemon, due["backup"].as_str().unwrap());
    assert_eq!(shown["status"], "in-progress", "{shown}");
    cancel(&daemon);
    wait_for_cancelled(&daemon, &due["backup"]);
}

#[test]
fn ctrl_c_that_comes_too_late_is_told_and_makes_no_failure_of_what_is_done() {
    let source = r#"{ kind = "directory", path = "data" }"#;
    let job = format!(
        "\n[[job]]\nname = \"state\"\nencryption = \"none\"\nsource = [{source}]\nafter_success = \"held\"\n"
    );
    let run = "test ! -e hold || { touch after; cat held; }";
    let command = format!("[command.held]\nrun = [\"/bin/sh\", \"-c\", \"{run}\"]\n");
    let mut daemon = Daemon::prepare(&[HOST, &job, &command].concat());
    fs::create_dir(daemon.path("data")).unwrap();
    let held = daemon.path("held");
    assert!(
        Command::new("mkfifo")
            .arg(&held)
            .status()
            .unwrap()
            .success()
    );
    daemon.run();
    daemon.wait_for_first_backup();
    fs::write(daemon.path("hold"), "").unwrap();
    let mut child = begin(&daemon, &["create", "state"]);
    wait_for("what runs after it", || {
        match daemon.path("after").exists() {
            true => Ok(()),
            false => Err(daemon.log()),
        }
    });
    press_ctrl_c(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = lines.find(|line| line.as_ref().unwrap().contains("can be cancelled"));
    fs::write(&held, "").unwrap();
    let ended = child.wait().unwrap();
    assert!(told.is_some() && ended.success(), "{ended}, {told:?}");
}

/// A command on backups, as it runs in a terminal.
fn begin(daemon: &Daemon, arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.arg("backup").args(arguments).arg("--config");
    command.arg(daemon.path("mainstay.toml"));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Ctrl-C, as soon as it is heard, and what comes of that.
fn interrupt(child: Child) -> Output {
    press_ctrl_c(&child);
    child.wait_with_output().unwrap()
}

fn press_ctrl_c(child: &Child) {
    let pid = Pid::from_child(child);
    // Until then it would end by the signal.
    wait_for("who hears of Ctrl-C", || {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        match caught & (1 << (Signal::INT.as_raw() - 1)) {
            0 => Err(status),
            _ => Ok(()),
        }
    });
    kill_process(pid, Signal::INT).unwrap();
}

//! `mainstay drill`, through the whole program, on real processes.

use mainstay_tests::{Daemon, HOST, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const ROUTE: &str = r#"
[[route]]
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;

fn start(config: &str) -> Daemon {
    let mut daemon = Daemon::prepare(config);
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    runs(&daemon);
    daemon
}

fn runs(daemon: &Daemon) {
    daemon.wait_for_status("the service to run and be well", |status| {
        let target = &status["targets"][0];
        target["pid"].is_u64() && target["incident"].is_null()
    });
}

/// The failure that the end of its process is.
fn exit_failure(daemon: &Daemon) -> String {
    let output = daemon.cli(&["drill", "web", "--failure", "nothing-like-it", "--yes"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let (_, behind) = told
        .split_once("seen are ")
        .unwrap_or_else(|| panic!("{told}"));
    behind.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_drill_kills_the_process_times_its_recovery_and_is_on_record_everywhere() {
    let daemon = start(&format!("{HOST}{}{ROUTE}", sleeper("web")));
    let failure = exit_failure(&daemon);
    for method in ["kill", "stop"] {
        runs(&daemon);
        let before = daemon.pids()["web"];
        let arguments = [
            "drill",
            "web",
            "--failure",
            failure.as_str(),
            "--method",
            method,
            "--yes",
        ];
        let told = daemon.json(&arguments);
        assert_eq!(told["kind"], "target.drilled");
        let data = &told["data"];
        assert_eq!(
            (&data["outcome"], &data["method"]),
            (&"done".into(), &method.into())
        );
        let recovered = data["recovered_ms"].as_u64().unwrap();
        assert!(data["noticed_ms"].as_u64().unwrap() <= recovered, "{told}");
        assert_ne!(daemon.pids()["web"], before, "it was broken for real");
        let incident = data["incident"].as_str().unwrap();
        let shown = daemon.json(&["incident", "show", incident]);
        let note = shown["notes"][0]["text"].as_str().unwrap_or_default();
        assert!(note.starts_with("a drill: "), "{shown}");
    }
    let broken = daemon.events_of("target.broken");
    assert_eq!(broken.len(), 2);
    let orders = fs::read_to_string(daemon.path("state/orders.json")).unwrap();
    assert!(!orders.contains("drills"), "{orders}");
}

#[test]
fn a_drill_is_refused_where_nothing_would_recover_the_target() {
    let daemon = start(&format!("{HOST}{}{ROUTE}", sleeper("web")));
    let failure = exit_failure(&daemon);
    let arguments = ["drill", "web", "--failure", failure.as_str(), "--yes"];
    let before = daemon.pids()["web"];
    let refused = |why: &str| {
        let output = daemon.cli(&arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(why), "{told}");
    };
    assert!(daemon.cli(&["pause", "web"]).status.success());
    refused("is paused");
    assert!(daemon.cli(&["resume", "web"]).status.success());
    // Nobody is there to be asked.
    let output = daemon.cli(&["drill", "web", "--failure", failure.as_str()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(daemon.pids()["web"], before, "nothing was broken");
    assert!(daemon.events_of("target.broken").is_empty());
}

#[test]
fn an_objective_that_is_missed_ends_with_exit_code_one_and_the_reason() {
    // No handler of this name serves.
    let config = format!(
        "{HOST}{}rto = \"1s\"\n\n[[route]]\nchain = [{{ handler = \"nobody\" }}]\n",
        sleeper("web")
    );
    let daemon = Daemon::start(&config, &[]);
    runs(&daemon);
    let failure = exit_failure(&daemon);
    let output = daemon.cli(&[
        "drill",
        "web",
        "--failure",
        failure.as_str(),
        "--yes",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcome = told["data"]["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("not healthy again within 2s"), "{told}");
    assert!(told["data"]["incident"].is_string());
}

#[test]
fn a_drill_whose_daemon_is_killed_is_over_with_the_next_one_which_says_so() {
    let config = format!(
        "{HOST}{}\n[[route]]\nchain = [{{ handler = \"nobody\" }}]\n",
        sleeper("web")
    );
    let mut daemon = Daemon::start(&config, &[]);
    runs(&daemon);
    let failure = exit_failure(&daemon);
    let mut client = client(&daemon, &failure);
    daemon.wait_for_event("the break", |event| event["kind"] == "target.broken");
    daemon.kill();
    client.wait().unwrap();
    let orders = fs::read_to_string(daemon.path("state/orders.json")).unwrap();
    assert!(orders.contains("drills"), "it was written down: {orders}");
    daemon.run();
    let told = daemon.wait_for_event("the end", |event| event["kind"] == "target.drilled");
    let outcome = told["data"]["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("the daemon ended"), "{told}");
    wait_for("the drill to be forgotten", || {
        let orders = fs::read_to_string(daemon.path("state/orders.json")).unwrap();
        match orders.contains("drills") {
            true => Err(orders),
            false => Ok(()),
        }
    });
}

fn client(daemon: &Daemon, failure: &str) -> Child {
    Command::new(mainstay_tests::program())
        .args(["drill", "web", "--yes", "--failure", failure, "--config"])
        .arg(daemon.path("mainstay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Broken while a file lies there, which nobody recovers.
const BY_COMMANDS: &str = r#"
[[target]]
name = "web"
run = ["/bin/sh", "-c", "exec sleep 1000"]
rto = "2s"
breaker.open_for = "200ms"
drill.block = { run = "break-block", undo = "mend-block" }
drill.fill = { run = "break-fill", undo = "mend-fill" }
drill.command = { run = "break-command", undo = "mend-command" }

[[target.check]]
kind = "exec"
run = ["/bin/sh", "-c", "! ls broken-*"]
every = "500ms"
fail_after = 1
recover_after = 1
failure = "blocked"

[[route]]
chain = [{ handler = "nobody" }]
# An incident that people heard of is over once that has lasted.
relapse_window = "0s"
"#;

fn by_commands() -> String {
    let commands = ["block", "fill", "command"].map(|method| {
        format!(
            "[command.break-{method}]\nrun = [\"/bin/sh\", \"-c\", \"touch broken-{method}\"]\n\
             [command.mend-{method}]\nrun = [\"/bin/sh\", \"-c\", \"rm -f broken-{method}; echo {method} >> undone\"]\n"
        )
    });
    format!("{HOST}{BY_COMMANDS}\n{}", commands.concat())
}

/// Acts: `target.drill.block.run`, `target.drill.block.undo`, `target.drill.fill.run`, `target.drill.fill.undo`,
/// Acts: `target.drill.command.run`, `target.drill.command.undo`
#[test]
fn a_drill_by_commands_runs_what_breaks_the_target_and_in_the_end_what_undoes_it() {
    let daemon = Daemon::start(&by_commands(), &[]);
    for method in ["block", "fill", "command"] {
        runs(&daemon);
        let arguments = [
            "drill",
            "web",
            "--failure",
            "blocked",
            "--method",
            method,
            "--yes",
            "--json",
        ];
        let output = daemon.cli(&arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let outcome = told["data"]["outcome"].as_str().unwrap();
        assert!(outcome.starts_with("not healthy again within 4s"), "{told}");
        assert!(told["data"]["noticed_ms"].is_u64(), "it was broken: {told}");
        assert!(!daemon.path(&format!("broken-{method}")).exists());
        let undone = fs::read_to_string(daemon.path("undone")).unwrap();
        assert!(undone.ends_with(&format!("{method}\n")), "{undone}");
    }
    runs(&daemon);
}

/// A daemon that was killed in the middle of a drill, and what its target is broken by.
fn killed_in_a_drill(config: &str) -> (Daemon, PathBuf) {
    let mut daemon = Daemon::start(config, &[]);
    runs(&daemon);
    let mut client = Command::new(mainstay_tests::program())
        .args([
            "drill",
            "web",
            "--yes",
            "--failure",
            "blocked",
            "--method",
            "block",
            "--config",
        ])
        .arg(daemon.path("mainstay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let broken = daemon.path("broken-block");
    wait_for("the break", || match broken.exists() {
        true => Ok(()),
        false => Err("nothing is broken".to_owned()),
    });
    daemon.kill();
    client.wait().unwrap();
    assert!(
        broken.exists(),
        "the daemon was killed before it was undone"
    );
    (daemon, broken)
}

#[test]
fn what_a_drill_broke_is_undone_by_the_next_daemon_where_the_first_is_killed() {
    let (mut daemon, broken) = killed_in_a_drill(&by_commands());
    daemon.run();
    daemon.wait_for_event("the end", |event| event["kind"] == "target.drilled");
    assert!(!broken.exists());
    runs(&daemon);
}

#[test]
fn what_still_breaks_a_target_when_its_daemon_is_killed_ends_before_it_is_undone() {
    let config = by_commands().replace(
        "\"touch broken-block\"",
        "\"while :; do touch broken-block; sleep 0.05; done\"",
    );
    let (mut daemon, broken) = killed_in_a_drill(&config);
    daemon.run();
    daemon.wait_for_event("the end", |event| event["kind"] == "target.drilled");
    runs(&daemon);
    assert!(!broken.exists(), "nothing breaks it any more");
}

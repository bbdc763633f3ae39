//! What is slow to start has its time, whoever started it.

use super::{GRANTS, RESTART, ask, change, prepare, route_of, wait_for_row, wait_until};
use mainstay_tests::{Daemon, free_port, guest, plugin, wait_for};
use serde_json::Value;
use std::fs;

/// More failing looks in a row than make a failure of those that are not excused.
const ENOUGH: u64 = 5;

/// How many failing looks of the check `up` the start of `job` has excused so far.
fn excused(daemon: &Daemon) -> u64 {
    let series = "checks_total{target=\"job\",check=\"up\",outcome=\"starting\"} ";
    let metrics = daemon.metrics();
    let mut values = metrics.lines().filter_map(|line| line.strip_prefix(series));
    values.next().map_or(0, |value| value.parse().unwrap())
}

/// Waits until a start that was made after the count was `before` has excused enough looks.
fn wait_for_excuses(daemon: &Daemon, who: &str, before: u64) {
    wait_for(
        &format!("the start by {who} to be excused"),
        || match excused(daemon) {
            now if now >= before + ENOUGH => Ok(()),
            now => Err(format!("{now} looks, {before} before")),
        },
    );
}

/// Nobody was told that the check `up` fails.
fn is_no_failure(daemon: &Daemon, who: &str) {
    let events = daemon.events();
    let raised = events.iter().find(|event| {
        let kind = &event["kind"];
        (*kind == "incident.opened" || *kind == "incident.reopened")
            && event["data"]["failure"] == "not-up"
    });
    assert_eq!(raised, None, "started by {who}");
}

fn is_healthy(row: &Value) -> bool {
    row["health"] == "healthy"
}

/// The child listens once it may. It is started by the daemon at its own start, for a changed config, by a handler after
/// an exit, by a person through a handler, and by the next daemon.
#[test]
fn a_start_period_protects_every_start_of_a_child_whoever_made_it() {
    let port = free_port();
    let target = format!(
        r#"
[[target]]
name = "job"
start_period = "1h"
validation_timeout = "1h"
exit_failure = "service-down"
env = {{ ROUND = "1" }}
run = ["sh", "-c", "until [ -e files/go ]; do sleep 0.1; done; exec python3 -m http.server {port} --bind 127.0.0.1"]
[[target.check]]
kind = "tcp"
name = "up"
address = "127.0.0.1:{port}"
every = "100ms"
fail_after = 3
recover_after = 1
failure = "not-up"
"#
    );
    let lines =
        format!("relapse_window = \"0s\"\nstrategy = {{ kind = \"immediate\" }}\n{RESTART}");
    let route = route_of("service-down", &lines);
    let mut daemon = prepare(&[&target, &route, GRANTS], &[plugin("restart-service")]);
    let go = daemon.path("files/go");
    let gets_up = |daemon: &Daemon, who: &str, before: u64| {
        wait_for_excuses(daemon, who, before);
        is_no_failure(daemon, who);
        fs::write(&go, "").unwrap();
        wait_for_row(daemon, "job", "it to be up", is_healthy);
        fs::remove_file(&go).unwrap();
        excused(daemon)
    };
    daemon.run();
    daemon.wait_for_plugins(1);
    let before = gets_up(&daemon, "the daemon", 0);
    change(&daemon, "ROUND = \"1\"", "ROUND = \"2\"");
    let before = gets_up(&daemon, "a changed config", before);
    daemon.kill_child("job");
    let before = gets_up(&daemon, "a handler", before);
    daemon.wait_for_successes("job", 1);
    let asked = ask(&daemon, "job", "service-down", false);
    gets_up(&daemon, "a person", before);
    wait_until(&daemon, &asked, "succeeded");
    assert!(daemon.stop());
    daemon.run();
    gets_up(&daemon, "the next daemon", 0);
    is_no_failure(&daemon, "anybody");
}

/// What its own service manager starts is up some time after the command has ended.
#[test]
fn a_start_period_protects_a_foreign_service_that_a_handler_started() {
    let target = r#"
[[target]]
name = "job"
start_period = "1h"
validation_timeout = "1h"
commands.restart = ["rm", "files/up"]
[[target.check]]
kind = "file"
name = "up"
path = "files/up"
every = "100ms"
fail_after = 3
recover_after = 1
failure = "not-up"
"#;
    let lines = "strategy = { kind = \"immediate\", max_attempts = 1 }\n\
         chain = [{ handler = \"probe\", params = { do = \"restart\" } }]";
    let route = route_of("slow", lines);
    let config = [target, &route, GRANTS].concat();
    let mut daemon = prepare(&[&config], &[guest("probe", &[])]);
    fs::write(daemon.path("files/up"), "").unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for_row(&daemon, "job", "it to be up", is_healthy);
    assert_eq!(excused(&daemon), 0, "nobody has started it yet");
    let asked = ask(&daemon, "job", "slow", false);
    wait_for_excuses(&daemon, "its command", 0);
    is_no_failure(&daemon, "its command");
    fs::write(daemon.path("files/up"), "").unwrap();
    wait_until(&daemon, &asked, "succeeded");
    is_no_failure(&daemon, "its command");
}

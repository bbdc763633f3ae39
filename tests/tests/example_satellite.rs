//! The example `satellite`: what each chain does about an anomaly, by its score and by the phase of the mission.

use mainstay_tests::{Daemon, ReadmeWalk, actions, plugin, repository, wait_for};
use std::{collections::BTreeMap, fs, process::Command};

/// The example, with all that it asks for, when its subsystems are healthy.
fn start() -> Daemon {
    start_with(&[])
}

/// The same, with parts of its config, which has each once, in the place of others.
fn start_with(parts: &[(&str, &str)]) -> Daemon {
    let mut daemon = Daemon::prepare_example("satellite", "mainstay.toml", &BTreeMap::new());
    let file = daemon.path("mainstay.toml");
    let mut config = fs::read_to_string(&file).unwrap();
    for (part, with) in parts {
        assert_eq!(config.matches(part).count(), 1, "{part}");
        config = config.replace(part, with);
    }
    fs::write(&file, config).unwrap();
    let plugins = ["log-file", "restart-service", "run-command"];
    for name in plugins {
        daemon.drop_plugin(&plugin(name));
    }
    daemon.run();
    daemon.wait_for_plugins(plugins.len());
    daemon.wait_until_all_are_healthy();
    daemon
}

/// Makes an anomaly by a line of the example's README.
fn break_it(daemon: &Daemon, subsystem: &str, score: &str) {
    let line = format!("python3 craft.py break {subsystem} {score}");
    let text = fs::read_to_string(repository().join("examples/satellite/README.md")).unwrap();
    assert!(text.lines().any(|one| one == line), "no such line: {line}");
    set_anomaly(daemon, subsystem, score);
}

fn set_anomaly(daemon: &Daemon, subsystem: &str, score: &str) {
    let mut craft = Command::new("python3");
    craft.args(["craft.py", "break", subsystem, score]);
    let status = craft.current_dir(daemon.directory.path()).status();
    assert!(status.unwrap().success());
}

/// The actions that the craft took for a subsystem, in order.
fn done(daemon: &Daemon, subsystem: &str) -> Vec<String> {
    let log = fs::read_to_string(daemon.path("done.log")).unwrap_or_default();
    let rows = log.lines().map(|line| line.split_once(' ').unwrap());
    let of_it = rows.filter(|(_, name)| *name == subsystem);
    of_it.map(|(action, _)| action.to_owned()).collect()
}

/// The commands of its README, from the first block to the last.
#[test]
fn each_chain_does_as_much_as_the_score_of_its_anomaly_asks_for_as_the_readme_says() {
    let mut walk = ReadmeWalk::begin("satellite", &BTreeMap::new());
    let cases: [(&str, &str, &[&str]); 5] = [
        ("power", "0.85", &["reduce-power-load", "alert-ground"]),
        (
            "thermal",
            "0.75",
            &["activate-cooling", "reduce-processor-load"],
        ),
        ("attitude", "0.85", &["stabilize-attitude", "alert-ground"]),
        (
            "comm",
            "0.96",
            &["restart-radio", "switch-to-backup-radio", "enter-safe-mode"],
        ),
        ("memory", "0.72", &["purge-cache"]),
    ];
    for (subsystem, score, expected) in cases {
        walk.line(&format!("python3 craft.py break {subsystem} {score}"));
        let operation = walk.daemon.wait_for_operation(subsystem, "succeeded");
        assert_eq!(done(&walk.daemon, subsystem), expected, "{operation}");
        assert_eq!(operation["attempts"], 1, "{operation}");
    }
    let ground = fs::read_to_string(walk.daemon.path("ground.log")).unwrap();
    let told: Vec<&str> = ground
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(told, ["power", "attitude"]);

    // What nobody knows is written down and left to people.
    walk.line("python3 craft.py break unknown 0.9");
    walk.daemon
        .wait_for_event("the chain to be done and to have helped nothing", |event| {
            event["kind"] == "operation.partial" && event["target"] == "unknown"
        });
    assert_eq!(done(&walk.daemon, "unknown")[0], "log-detailed-state");
    let state = fs::read_to_string(walk.daemon.path("state.log")).unwrap();
    assert!(state.contains("\"unknown\": 0.9"), "{state}");
    walk.daemon
        .wait_for_event_of("operation.escalated", "unknown");

    let history = walk.line("mainstay history");
    for failure in ["power-anomaly", "memory-anomaly"] {
        assert!(history.contains(failure), "{history}");
    }
    let log = walk.line("cat done.log");
    for action in ["reduce-power-load power", "purge-cache memory"] {
        assert!(log.lines().any(|line| line == action), "{action}: {log}");
    }
    walk.line("mainstay phase safe");
    walk.line("mainstay phase deployment");
    walk.line("python3 craft.py break attitude 0.95");
    wait_for("safe mode in place of the wheels", || {
        let done = done(&walk.daemon, "attitude");
        match done.iter().any(|action| action == "enter-safe-mode") {
            true => Ok(()),
            false => Err(format!("{done:?}")),
        }
    });
    let history = walk.line("mainstay history --target attitude");
    assert!(history.contains("attitude-anomaly"), "{history}");
    walk.end();
}

#[test]
fn a_phase_forbids_an_action_and_the_rest_of_the_chain_has_to_do() {
    let daemon = start();
    for phase in ["safe", "deployment"] {
        let output = daemon.cli(&["phase", phase]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{phase}: {said}");
    }
    break_it(&daemon, "attitude", "0.95");
    let operation = daemon.wait_for_operation("attitude", "succeeded");
    assert_eq!(
        done(&daemon, "attitude"),
        ["enter-safe-mode", "alert-ground"]
    );
    let skipped = "stabilize-attitude was not called: it is forbidden in the phase deployment [skipped-phase]";
    assert!(actions(&operation).contains(skipped), "{operation}");
}

/// Where nothing rests in between.
#[test]
fn the_ground_is_told_the_second_time_and_the_third_time_ends_in_safe_mode() {
    let daemon = start_with(&[
        (
            "failure = \"power-anomaly\"\nstrategy",
            "failure = \"power-anomaly\"\nrelapse_window = \"0s\"\nstrategy",
        ),
        ("reduce-power-load = \"180s\"\n", ""),
        ("enter-safe-mode = \"600s\"\n", ""),
        ("alert-ground = \"60s\"\n", ""),
    ]);
    let chain = ["reduce-power-load", "alert-ground", "enter-safe-mode"];
    let mut expected = Vec::new();
    // By its score alone each of them is one for the first step.
    for (times, score) in [(1, "0.75"), (2, "0.76"), (3, "0.77")] {
        set_anomaly(&daemon, "power", score);
        let operations = daemon.wait_for_successes("power", times);
        expected.extend_from_slice(&chain[..times]);
        assert_eq!(done(&daemon, "power"), expected, "{operations:?}");
    }
}

#[test]
fn what_helped_rests_and_the_others_of_its_chain_have_to_do() {
    let daemon = start();
    for (times, score) in [(1, "0.75"), (2, "0.95")] {
        set_anomaly(&daemon, "power", score);
        daemon.wait_for_successes("power", times);
    }
    let again = &daemon.wait_for_successes("power", 2)[1];
    let skipped = "reduce-power-load was not called: it rests after a recovery [skipped-cooldown]";
    assert!(actions(again).contains(skipped), "{again}");
    let done = done(&daemon, "power");
    let reduced = done.iter().filter(|action| *action == "reduce-power-load");
    assert_eq!(reduced.count(), 1, "{done:?}");
    assert_eq!(done.last().unwrap(), "enter-safe-mode", "{done:?}");
}

#[test]
fn what_the_watch_does_not_report_the_checks_see() {
    let daemon = start();
    let output = daemon.cli(&["stop", "watch"]);
    assert!(output.status.success(), "{output:?}");
    wait_for("the watch to be stopped", || {
        match daemon.pids().get("watch") {
            None => Ok(()),
            Some(pid) => Err(format!("it runs as {pid}")),
        }
    });
    break_it(&daemon, "memory", "0.72");
    let operation = daemon.wait_for_operation("memory", "succeeded");
    assert_eq!(operation["failure"], "memory-anomaly", "{operation}");
    assert_eq!(done(&daemon, "memory"), ["purge-cache"], "{operation}");
}

//! Supervised processes outlive a killed daemon, and the next one takes them over.

use mainstay_tests::{Daemon, plugin, wait_for};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;

/// Three targets that only sleep; each writes its start into a file, so that every start is counted.
fn config() -> String {
    let target = |name: &str| {
        format!(
            r#"
[[target]]
name = "{name}"
run = ["/bin/sh", "-c", "echo started >> {name}.starts; exec sleep 1000"]
exit_failure = "service-down"
"#
        )
    };
    let head = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[[route]]
failure = "service-down"
chain = [{ handler = "restart-service" }]
cooldown = "0s"

[plugin.restart-service]
grants = { target = ["restart"] }
"#;
    [head, &target("a"), &target("b"), &target("c")].concat()
}

fn starts(daemon: &Daemon, name: &str) -> usize {
    fs::read_to_string(daemon.path(&format!("{name}.starts")))
        .unwrap_or_default()
        .lines()
        .count()
}

fn wait_until_started(daemon: &Daemon) {
    for name in ["a", "b", "c"] {
        wait_for("a first start", || {
            if starts(daemon, name) == 1 {
                Ok(())
            } else {
                Err(name.to_owned())
            }
        });
    }
}

fn pid(raw: u32) -> Pid {
    Pid::from_raw(i32::try_from(raw).unwrap()).unwrap()
}

#[test]
fn a_killed_daemons_children_are_adopted_and_never_doubled() {
    let mut daemon = Daemon::start(&config(), &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    wait_until_started(&daemon);
    let before = daemon.pids();
    assert_eq!(before.len(), 3);

    for _ in 0..3 {
        daemon.kill();
        for raw in before.values() {
            test_kill_process(pid(*raw)).expect("a child died with the daemon");
        }
        daemon.run();
        wait_for("the next daemon to adopt each, with its pid", || {
            let pids = daemon.pids();
            match pids == before {
                true => Ok(()),
                false => Err(format!("{pids:?}")),
            }
        });
    }
    for name in ["a", "b", "c"] {
        assert_eq!(starts(&daemon, name), 1, "{name} was started twice");
    }
}

#[test]
fn one_that_died_meanwhile_is_recovered() {
    let mut daemon = Daemon::start(&config(), &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    wait_until_started(&daemon);
    let before = daemon.pids();
    daemon.kill();
    kill_process(pid(before["b"]), Signal::KILL).unwrap();
    daemon.run();
    let operation = wait_for("the recovery of b", || {
        let history = daemon.json(&["history"]);
        if history[0]["state"] == "succeeded" {
            Ok(history[0].clone())
        } else {
            Err(history.to_string())
        }
    });
    assert_eq!(operation["target"], "b");
    let after = daemon.pids();
    assert_eq!((after["a"], after["c"]), (before["a"], before["c"]));
    assert_ne!(after["b"], before["b"]);
    assert_eq!(
        (
            starts(&daemon, "a"),
            starts(&daemon, "b"),
            starts(&daemon, "c")
        ),
        (1, 2, 1)
    );
}

#[test]
fn an_adopted_child_that_dies_is_recovered_at_once() {
    let mut daemon = Daemon::start(&config(), &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    wait_until_started(&daemon);
    daemon.kill();
    daemon.run();
    let before = daemon.pids();
    kill_process(pid(before["c"]), Signal::KILL).unwrap();
    wait_for("c to run again", || {
        let now = daemon.pids();
        if now.get("c").is_some_and(|pid| *pid != before["c"]) {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    });
}

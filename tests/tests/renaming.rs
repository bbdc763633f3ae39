//! A target that is called otherwise in another config, and runs the same, keeps its process.

use mainstay_tests::{Daemon, HOST, lives, wait_for};
use std::fs;

/// Logs without end, and has left a process in a session of its own.
const SCRIPT: &str = "setsid sh -c 'echo $$ > far.pid; exec sleep 1000' &\n\
                      echo first\nwhile :; do echo tick; sleep 0.05; done\n";

fn config(targets: &[(&str, &str)]) -> String {
    let target =
        |(name, run): &(&str, &str)| format!("[[target]]\nname = \"{name}\"\nrun = {run}\n");
    let targets: Vec<String> = targets.iter().map(target).collect();
    format!("{HOST}\n{}", targets.concat())
}

const RUN: &str = "[\"sh\", \"run.sh\"]";

fn prepare(name: &str) -> Daemon {
    let daemon = Daemon::prepare(&config(&[(name, RUN)]));
    fs::write(daemon.path("run.sh"), SCRIPT).unwrap();
    daemon
}

fn far(daemon: &Daemon) -> u32 {
    wait_for("the process in a session of its own", || {
        let text = fs::read_to_string(daemon.path("far.pid")).unwrap_or_default();
        text.trim().parse().map_err(|_| text)
    })
}

/// Waits until the target has a process; its number.
fn runs(daemon: &Daemon, target: &str) -> u32 {
    wait_for("a process", || {
        let pids = daemon.pids();
        pids.get(target).copied().ok_or_else(|| format!("{pids:?}"))
    })
}

fn log(daemon: &Daemon, target: &str) -> String {
    fs::read_to_string(daemon.path(&format!("state/logs/{target}.log"))).unwrap_or_default()
}

/// Waits until the target's log, which has what was written at first, grows.
fn goes_on_logging(daemon: &Daemon, target: &str) {
    let before = log(daemon, target);
    assert!(before.starts_with("first\n"), "{before}");
    wait_for("more of the log", || {
        let now = log(daemon, target);
        (now.len() > before.len()).then_some(()).ok_or(now)
    });
}

fn reload(daemon: &Daemon, targets: &[(&str, &str)]) {
    fs::write(daemon.path("mainstay.toml"), config(targets)).unwrap();
    daemon.hang_up();
}

/// Whoever looks for either name is told of the other.
fn check_names(daemon: &Daemon, pid: u32) {
    let renamed = daemon.events_of("target.renamed");
    let found: Vec<_> = renamed
        .iter()
        .map(|event| (event["target"].clone(), event["data"].clone()))
        .collect();
    let facts = serde_json::json!({ "from": "before", "to": "after" });
    let of = serde_json::Value::from;
    assert_eq!(found, [(of("before"), facts.clone()), (of("after"), facts)]);
    let goes_on = format!("and its process {pid} goes on");
    for (target, expected, other) in [
        ("before", "before: it is called after now", "after"),
        ("after", "after: it was called before before", "before"),
    ] {
        let output = daemon.cli(&["history", "--target", target]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("{expected}, {goes_on}")), "{said}");
        let command = format!("`mainstay history --target {other}`");
        assert!(said.contains(&command), "{said}");
    }
}

#[test]
fn a_renamed_target_keeps_its_process_and_its_log_over_a_killed_daemon_and_ends_with_all_it_left() {
    let mut daemon = prepare("before");
    daemon.run();
    let (pid, far) = (runs(&daemon, "before"), far(&daemon));
    wait_for("the first line", || {
        let log = log(&daemon, "before");
        log.contains("tick").then_some(()).ok_or(log)
    });
    reload(&daemon, &[("after", RUN)]);
    assert_eq!(runs(&daemon, "after"), pid);
    goes_on_logging(&daemon, "after");
    assert!(!daemon.path("state/logs/before.log").exists());
    check_names(&daemon, pid);

    // The next daemon knows it by its new name, though its mark names the old one.
    daemon.kill();
    daemon.run();
    assert_eq!(runs(&daemon, "after"), pid);
    goes_on_logging(&daemon, "after");

    // Another target of the old name has nothing to do with it, neither when it starts nor when it ends.
    let other = ("before", "[\"sleep\", \"1000\"]");
    reload(&daemon, &[("after", RUN), other]);
    let of_other = runs(&daemon, "before");
    assert!(of_other != pid && lives(pid) && lives(far));
    reload(&daemon, &[("after", RUN)]);
    wait_for("the end of the other one", || {
        (!lives(of_other)).then_some(()).ok_or_else(|| daemon.log())
    });
    daemon.wait_for_status("the other one to be gone", |status| {
        status["targets"].as_array().unwrap().len() == 1
    });
    assert_eq!(runs(&daemon, "after"), pid);
    assert!(lives(pid) && lives(far));

    // It has one copy, and ends by its new name with what it left.
    let starts = daemon.events_of("process.started");
    assert_eq!(starts.len(), 2, "{starts:?}");
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
    assert!(daemon.stop(), "{}", daemon.log());
    assert!(!lives(pid), "process {pid} lives on");
    assert!(!lives(far), "process {far} lives on");
}

#[test]
fn a_target_that_is_renamed_while_no_daemon_is_there_keeps_its_process_too() {
    let mut daemon = prepare("before");
    daemon.run();
    let (pid, far) = (runs(&daemon, "before"), far(&daemon));
    wait_for("the first line", || {
        let log = log(&daemon, "before");
        log.contains("tick").then_some(()).ok_or(log)
    });
    daemon.kill();
    fs::write(daemon.path("mainstay.toml"), config(&[("after", RUN)])).unwrap();
    daemon.run();
    assert_eq!(runs(&daemon, "after"), pid);
    goes_on_logging(&daemon, "after");
    let adopted = daemon.events_of("process.adopted");
    let message = adopted[0]["message"].as_str().unwrap();
    let expected = format!("after: adopted process {pid} of before, which has this name now");
    assert_eq!(message, expected);
    check_names(&daemon, pid);

    // And back again, to the name that is in its mark.
    reload(&daemon, &[("before", RUN)]);
    assert_eq!(runs(&daemon, "before"), pid);
    goes_on_logging(&daemon, "before");
    reload(&daemon, &[("other", "[\"sleep\", \"1000\"]")]);
    wait_for("its end", || {
        (!lives(pid) && !lives(far))
            .then_some(())
            .ok_or_else(|| daemon.log())
    });
    runs(&daemon, "other");
    assert_eq!(daemon.events_of("process.started").len(), 2);
}

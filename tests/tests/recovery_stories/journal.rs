//! While the journal cannot be written, recovery goes on; what is held is then written whole, and in its order.

use super::{RESTART, alerts, alerts_of, route, start, wait_for_row};
use mainstay_tests::{Daemon, Receiver, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Another program that keeps the journal from being written until it is dropped, as a disk would that does not answer.
struct Hold(Child);

impl Hold {
    fn take(daemon: &Daemon) -> Self {
        const SCRIPT: &str = "import sqlite3, sys\n\
             journal = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)\n\
             journal.execute('BEGIN IMMEDIATE')\n\
             print('held', flush=True)\n\
             sys.stdin.read()\n";
        let mut command = Command::new("python3");
        command
            .args(["-c", SCRIPT])
            .arg(daemon.path("state/journal.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut hold = Self(command.spawn().unwrap());
        let mut said = String::new();
        let output = hold.0.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        hold
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a person says about the targets meanwhile, in this order.
static SAID: [(&str, &str, &str); 6] = [
    ("pause", "host.paused", "other"),
    ("resume", "host.resumed", "other"),
    ("pause", "host.paused", "other"),
    ("pause", "host.paused", "job"),
    ("pause", "host.paused", "third"),
    ("resume", "host.resumed", "job"),
];

/// The places of the events of a kind about a target.
fn places(events: &[Value], kind: &str, target: &str) -> Vec<usize> {
    let all = events.iter().enumerate();
    let found = all.filter(|(_, event)| event["kind"] == kind && event["target"] == target);
    found.map(|(place, _)| place).collect()
}

#[test]
fn nothing_is_dropped_on_a_slow_disk_and_older_values_never_follow_newer_ones() {
    let receiver = Receiver::start();
    let lines =
        format!("relapse_window = \"0s\"\nstrategy = {{ kind = \"immediate\" }}\n{RESTART}");
    let targets = ["job", "other", "third"].map(sleeper).concat();
    let config = [targets, route(&lines), alerts(&receiver)].concat();
    let plugins = [plugin("restart-service"), plugin("webhook")];
    let mut daemon = start(&[&config], &plugins);
    daemon.wait_for_status("all to run", |status| {
        let mut rows = status["targets"].as_array().unwrap().iter();
        rows.all(|row| row["pid"].is_number())
    });
    let before = daemon.pids()["job"];

    let hold = Hold::take(&daemon);
    let written = daemon.events().len();
    daemon.kill_child("job");
    wait_for("it to be back", || match daemon.pids().get("job") {
        Some(pid) if *pid != before => Ok(()),
        seen => Err(format!("{seen:?}, before {before}")),
    });
    for (verb, _, target) in SAID {
        let output = daemon.cli(&[verb, target]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb} {target}: {stderr}");
    }
    assert_eq!(daemon.events().len(), written, "nothing can be written");
    drop(hold);

    daemon.wait_for_operation("job", "succeeded");
    wait_for("all to be written, and all alerts", || {
        let events = daemon.events();
        let [queued, delivered] = ["alert.queued", "alert.delivered"].map(|kind| {
            let of_kind = events.iter().filter(|event| event["kind"] == kind);
            of_kind.count()
        });
        let is_told = !places(&events, "host.resumed", "job").is_empty();
        match is_told && queued > 0 && queued == delivered {
            true => Ok(()),
            false => Err(format!("{delivered} of {queued}, {is_told}")),
        }
    });
    let events = daemon.events();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], place as u64 + 1, "the events have a gap");
    }
    let said = events.iter().filter_map(|event| {
        let mut all = SAID.iter();
        all.find(|(_, kind, target)| event["kind"] == *kind && event["target"] == *target)
    });
    let said: Vec<_> = said.copied().collect();
    assert_eq!(said, SAID);
    let told = ["process.exited", "incident.opened", "operation.succeeded"];
    let told = told.map(|kind| places(&events, kind, "job"));
    assert!(told.iter().all(|places| places.len() == 1), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
    for kind in ["incident.opened", "operation.succeeded"] {
        assert_eq!(alerts_of(&receiver, kind), 1, "{kind}");
    }

    // The next daemon finds the newest value of each.
    daemon.kill();
    daemon.run();
    for (target, is_paused) in [("job", false), ("other", true), ("third", true)] {
        wait_for_row(&daemon, target, "whether it is paused", |row| {
            row["paused"] == is_paused
        });
    }
    let history = daemon.json(&["history", "--target", "job"]);
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    assert_eq!(history[0]["state"], "succeeded", "{history}");
    let incidents = daemon.json(&["incidents"]);
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
    assert_eq!(incidents[0]["state"], "recovered", "{incidents}");
    assert!(daemon.events_of("operation.resumed").is_empty());
}

//! What most tests ask of a daemon, in short forms.

use crate::{Daemon, wait_for};
use mainstay_domain::time::Timestamp;
use rustix::{
    fs::{CWD, Mode, mkfifoat},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use std::{
    path::Path,
    process::Output,
    time::{SystemTime, UNIX_EPOCH},
};

/// The host of a small config.
pub const HOST: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
"#;

/// A supervised target that does nothing, for ever.
pub fn sleeper(name: &str) -> String {
    format!("\n[[target]]\nname = \"{name}\"\nrun = [\"/bin/sh\", \"-c\", \"exec sleep 1000\"]\n")
}

/// Makes a FIFO.
pub fn make_fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

/// The user that the tests run as, as the machine calls it.
pub fn user_name() -> String {
    let number = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut accounts = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let account = accounts.find(|fields| fields.get(2) == Some(&number.as_str()));
    account.map_or_else(|| format!("uid {number}"), |fields| fields[0].to_owned())
}

/// All that a command printed: to standard output, and then to standard error.
pub fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// Waits until what the tiers hold is taken up after a start: until then every job waits for it.
pub fn wait_until_taken_up(daemon: &Daemon) {
    daemon.wait_for_status("the tiers to be looked at", |status| {
        let mut jobs = status["jobs"].as_array().unwrap().iter();
        let waits = |job: &Value| {
            let why = job["waits"].as_str();
            why.is_some_and(|why| why.contains("what its tiers hold"))
        };
        !jobs.any(waits)
    });
}

/// Takes a backup of the job `state`; its identifier.
pub fn take_backup(daemon: &Daemon, of_type: &str) -> String {
    let report = daemon.json(&["backup", "create", "state", "--type", of_type]);
    report["backups"][0]["id"].as_str().unwrap().to_owned()
}

/// What the handlers of an operation did, as JSON.
pub fn actions(operation: &Value) -> String {
    operation["actions"].to_string()
}

/// What an event says to a person.
pub fn message_of(event: &Value) -> &str {
    event["message"].as_str().unwrap()
}

/// The time of this machine, which daemons go by.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

/// A time of the machine-readable surface.
pub fn time(value: &Value) -> Timestamp {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

/// The milliseconds between two such times, 0 where the second is not later.
pub fn millis_between(earlier: &Value, later: &Value) -> u64 {
    u64::try_from(time(later).since(time(earlier)).as_millis()).unwrap()
}

impl Daemon {
    /// Recovers by hand and waits for the end, whatever it is; gives the operation.
    pub fn recover(&self, target: &str, failure: &str) -> Value {
        let output = self.cli(&["recover", target, "--failure", failure, "--wait", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            panic!("{target} was not recovered from {failure}: {stderr}")
        })
    }

    /// Kills the child of a target, which may not be there yet.
    pub fn kill_child(&self, target: &str) {
        let pid = wait_for("a child", || {
            let pids = self.pids();
            pids.get(target).copied().ok_or(format!("{pids:?}"))
        });
        let pid = i32::try_from(pid).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    /// Takes away the file `NAME.ok`, which a check of a target of this name looks for.
    pub fn remove_ok(&self, name: &str) {
        std::fs::remove_file(self.path(&format!("{name}.ok"))).unwrap();
    }

    /// Waits for an event of this kind that is about this target, and gives it.
    pub fn wait_for_event_of(&self, kind: &str, target: &str) -> Value {
        self.wait_for_event(&format!("{kind} of {target}"), |event| {
            event["kind"] == kind && event["target"] == target
        })
    }

    /// Waits until every target is healthy.
    pub fn wait_until_all_are_healthy(&self) {
        self.wait_for_status("all to be healthy", |status| {
            let targets = status["targets"].as_array().unwrap();
            targets.iter().all(|target| target["health"] == "healthy")
        });
    }

    /// Waits for the backup of the first job that is due as the daemon starts.
    pub fn wait_for_first_backup(&self) {
        self.wait_for_status("the first backup", |status| {
            status["jobs"][0]["last_status"] == "verified"
        });
    }

    /// Waits until the newest operation of a target is in a state, and gives it.
    pub fn wait_for_operation(&self, target: &str, state: &str) -> Value {
        wait_for(&format!("an operation of {target} to be {state}"), || {
            let history = self.json(&["history", "--target", target]);
            if history[0]["state"] == state {
                Ok(history[0].clone())
            } else {
                Err(history.to_string())
            }
        })
    }

    /// Waits until so many operations of a target have succeeded, and gives them, oldest first.
    pub fn wait_for_successes(&self, target: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} recoveries of {target}"), || {
            let history = self.json(&["history", "--target", target, "--state", "succeeded"]);
            let mut succeeded = history.as_array().unwrap().clone();
            succeeded.reverse();
            if succeeded.len() >= count {
                Ok(succeeded)
            } else {
                Err(history.to_string())
            }
        })
    }

    /// The entries of an operation's journal of one kind, `intent` or `result`.
    pub fn journal(&self, operation: &Value, kind: &str) -> Vec<Value> {
        let id = operation["id"].as_str().unwrap();
        let shown = self.json(&["operation", "show", id]);
        let mut journal = shown["journal"].as_array().unwrap().clone();
        journal.retain(|entry| entry["kind"] == kind);
        journal
    }

    /// All events of a kind so far.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["kind"] == kind);
        events
    }
}

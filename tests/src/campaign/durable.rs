//! `kill -9` of the daemon at random inside a handler with twelve effects.
//!
//! After some of the kills the log of the journal ends in a torn page, as after a loss of power. In the end each operation
//! has succeeded, and of what it did nothing with a key counted twice, nothing without one happened twice, and nothing was
//! forgotten. Where nobody knows whether something happened, the operation names it, and the campaign looks and says, as a
//! person would.

use super::Random;
use crate::{Daemon, HOST, Receiver, guest, python_guest, sleeper, wait_for};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The effects of the handler, in order.
const EFFECTS: [&str; 12] = [
    "kv.get",
    "kv.compare-and-set",
    "clock.now",
    "http.send",
    "commands.run",
    "clock.sleep",
    "http.send",
    "targets.restart",
    "kv.set",
    "http.send",
    "http.send",
    "targets.status",
];
/// The header of SQLite's write-ahead log; of a frame in it; and the page behind that.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE: usize = 4_096;
/// One operation meets at most so many kills: a call is not begun again for ever.
const KILLS_OF_ONE: u64 = 2;

/// What a campaign came to.
#[derive(Debug)]
pub struct DurableReport {
    /// Kills.
    pub kills: u32,
    /// Those of them after which the journal ended in a torn page.
    pub torn: u32,
    /// Operations, all of which succeeded.
    pub operations: u32,
    /// Effects in doubt, about which the campaign said what it saw.
    pub doubts: u32,
}

/// Whose handler it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurableGuest {
    /// The guest `probe`, in Rust.
    Rust,
    /// The guest `durable-python`.
    Python,
}

impl DurableGuest {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "probe",
            Self::Python => "durable-python",
        }
    }

    /// Its component, built on first use.
    pub fn component(self) -> PathBuf {
        match self {
            Self::Rust => guest(self.name(), &[]),
            Self::Python => python_guest(self.name()),
        }
    }

    /// A route on which it does its twelve effects, with what that needs: `keyed` is a server that knows idempotency keys, and
    /// `unkeyed` one that does not, unless it is the same. Its command leaves a line in `marks`.
    pub fn config(self, keyed: &str, unkeyed: &str) -> String {
        let name = self.name();
        let other = match keyed == unkeyed {
            true => String::new(),
            false => format!("\"{unkeyed}\", "),
        };
        format!(
            r#"
[[route]]
strategy = {{ kind = "immediate", max_attempts = 1 }}
relapse_window = "0s"

[[route.chain]]
handler = "{name}"
timeout = "50s"
params = {{ do = "twelve", length = "100ms", name = "{keyed}", word = "{unkeyed}" }}

[command.mark]
run = ["/bin/sh", "-c", "echo $MAINSTAY_IDEMPOTENCY_KEY >> marks", "{{target}}"]
placeholders = ["target"]

[plugin.{name}.grants]
target = ["restart", "status"]
command = ["mark"]
kv = "1KiB"
http = [{other}{{ origin = "{keyed}", idempotent = true }}]
"#
        )
    }
}

/// Kills so many times; panics at the first broken promise.
pub fn durable(handler: DurableGuest, count: u32, seed: u64) -> DurableReport {
    let mut random = Random::new(seed);
    let (keyed, unkeyed) = (Receiver::start(), Receiver::start());
    let config = handler.config(&keyed.url, &unkeyed.url);
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &config].concat());
    daemon.drop_large_plugin(&handler.component());
    daemon.run();
    daemon.wait_for_plugins(1);
    let mut report = DurableReport {
        kills: 0,
        torn: 0,
        operations: 0,
        doubts: 0,
    };
    let mut last = String::new();
    while report.kills < count {
        report.operations += 1;
        let pid = wait_for("the child", || {
            let pids = daemon.pids();
            pids.get("job").copied().ok_or_else(|| format!("{pids:?}"))
        });
        daemon.kill_child("job");
        let id = wait_for("the operation", || {
            // The newest alone: a list of all of them is cut off at some length.
            let history = daemon.json(&["history", "--limit", "1"]);
            match history[0]["id"].as_str() {
                Some(id) if id != last => Ok(id.to_owned()),
                _ => Err(format!("the child {pid} was killed: {history}")),
            }
        });
        last.clone_from(&id);
        for _ in 0..=random.below(KILLS_OF_ONE) {
            thread::sleep(Duration::from_millis(random.below(500)));
            daemon.kill();
            // Once for certain, however few kills there are.
            let tears = report.torn == 0 || random.once_in(2);
            if tears && tear(&daemon.path("state/journal.db-wal"), &mut random) {
                report.torn += 1;
            }
            daemon.run();
            report.kills += 1;
        }
        let ended = wait_for("the end of the operation", || {
            let operation = daemon.json(&["operation", "show", &id]);
            match operation["state"].as_str() {
                Some("succeeded") => Ok(operation),
                Some("awaiting-manual") => {
                    say_what_happened(&daemon, &operation, &keyed, &unkeyed);
                    report.doubts += 1;
                    Err(operation.to_string())
                }
                _ => Err(operation.to_string()),
            }
        });
        check(&daemon, &ended, (&keyed, &unkeyed), report.operations);
        // It says all there is to say, and of what went well nobody reads it: thousands of daemons would fill the disk.
        fs::write(daemon.path("daemon.log"), "").unwrap();
    }
    report
}

/// Half of a page that was being written, behind all that was written: its frame has the salt of the log and a size as of a
/// commit, and what it holds does not fit its sum. Whether there is a log.
fn tear(log: &Path, random: &mut Random) -> bool {
    let bytes = fs::read(log).unwrap_or_default();
    if bytes.len() < LOG_HEADER {
        return false;
    }
    let salt = bytes[16..24].to_vec();
    let mut end = LOG_HEADER;
    while bytes.get(end + 8..end + 16) == Some(salt.as_slice()) {
        end += FRAME_HEADER + PAGE;
    }
    let mut torn = [1_u32.to_be_bytes(), 9_u32.to_be_bytes()].concat();
    torn.extend(salt);
    let length = FRAME_HEADER + random.index(PAGE);
    while torn.len() < length {
        torn.extend(random.number().to_be_bytes());
    }
    let file = fs::OpenOptions::new().write(true).open(log).unwrap();
    let end = u64::try_from(end.min(bytes.len())).unwrap();
    file.write_all_at(&torn, end).unwrap();
    true
}

/// How often each key was posted.
fn posted(receiver: &Receiver) -> BTreeMap<String, u32> {
    let received = receiver.received().into_iter();
    let posts = received.filter(|request| request.line.starts_with("POST"));
    counted(posts.map(|request| request.header("idempotency-key").to_owned()))
}

fn marked(daemon: &Daemon) -> BTreeMap<String, u32> {
    let marks = fs::read_to_string(daemon.path("marks")).unwrap_or_default();
    counted(marks.lines().map(str::to_owned))
}

fn counted(keys: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Looks whether what is in doubt happened, and says so.
fn say_what_happened(daemon: &Daemon, operation: &Value, keyed: &Receiver, unkeyed: &Receiver) {
    let journal = operation["journal"].as_array().unwrap();
    let doubt = journal.iter().find(|entry| entry["in_doubt"] == true);
    let doubt = doubt.unwrap_or_else(|| panic!("it waits, and nothing is in doubt: {operation}"));
    let key = doubt["key"].as_str().unwrap();
    let error = operation["error"].as_str().unwrap_or_default();
    assert!(error.contains(key), "the doubt is not named: {operation}");
    let seen = [posted(keyed), posted(unkeyed), marked(daemon)];
    let said = match seen.iter().any(|keys| keys.contains_key(key)) {
        true => "--happened",
        false => "--did-not",
    };
    let (id, number) = (operation["id"].as_str().unwrap(), doubt["seq"].to_string());
    daemon.json(&["operation", "resolve", id, &number, said]);
}

fn check(
    daemon: &Daemon,
    ended: &Value,
    (keyed, unkeyed): (&Receiver, &Receiver),
    operations: u32,
) {
    assert_eq!(ended["attempts"], 1, "{ended}");
    let journal = ended["journal"].as_array().unwrap();
    let results: BTreeMap<u64, &str> = journal
        .iter()
        .filter(|entry| entry["kind"] == "result")
        .map(|entry| {
            (
                entry["seq"].as_u64().unwrap(),
                entry["effect"].as_str().unwrap(),
            )
        })
        .collect();
    let done: Vec<&str> = results.into_values().collect();
    assert_eq!(done, EFFECTS, "something was forgotten: {ended}");
    let run = ended["actions"][1].as_str().unwrap();
    assert_eq!(
        run,
        format!("run {operations}"),
        "it counted twice: {ended}"
    );
    let (keyed, unkeyed, marked) = (posted(keyed), posted(unkeyed), marked(daemon));
    assert_eq!(keyed.len(), 2 * operations as usize, "{keyed:?}");
    for (what, keys) in [("requests", unkeyed), ("commands", marked)] {
        assert_eq!(keys.len(), operations as usize, "{what}: {keys:?}");
        let twice = keys.iter().find(|(_, count)| **count > 1);
        assert_eq!(twice, None, "{what} happened twice");
    }
}

//! State directories that are damaged at random, at rest and after a kill, with one thing done to one file each.
//!
//! A daemon that is started on one must hold all that was acknowledged, or refuse with the file's name and what to do;
//! and what it refuses must be saved by `journal salvage`, with the truth about what is missing.

use super::Random;
use crate::{Daemon, HOST, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// What was done to how many, and how it ended.
#[derive(Debug, Default)]
pub struct DamageReport {
    /// Started, and held everything.
    pub whole: u32,
    /// Refused to start.
    pub refused: u32,
    /// Refused, and everything was saved.
    pub salvaged_whole: u32,
    /// Started with a damaged backup, which its verification names.
    pub backups_named: u32,
}

/// Below the usual host.
const CONFIG: &str = r#"
[[target]]
name = "ill"
run = ["/bin/sh", "-c", "exec sleep 1000"]
[[target.check]]
kind = "exec"
run = ["false"]
every = "1s"
timeout = "1s"
recover_after = 1
failure = "ill"

[[job]]
encryption = "none"
name = "state"
source = [{ kind = "directory", path = "data" }]

[[route]]
failure = "service-down"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "restart-service" }]
cooldown = "0s"

[plugin.restart-service]
grants = { target = ["restart"] }
"#;

/// A state directory as a daemon left it, and what its journal showed.
struct Sample {
    directory: TempDir,
    older: TempDir,
    shown: Shown,
}

/// What people can see of a journal.
#[derive(Debug, PartialEq)]
struct Shown {
    operations: BTreeSet<String>,
    incidents: BTreeSet<String>,
    events: Vec<String>,
    backups: BTreeSet<String>,
}

impl Shown {
    fn of(daemon: &Daemon) -> Self {
        let ids = |arguments: &[&str]| -> BTreeSet<String> {
            let rows = daemon.json(arguments);
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| row["id"].as_str().unwrap().to_owned())
                .collect()
        };
        Self {
            operations: ids(&["history", "--limit", "100000"]),
            incidents: ids(&["incidents", "--limit", "100000"]),
            events: daemon.events().iter().map(Value::to_string).collect(),
            backups: ids(&["backup", "list"]),
        }
    }

    /// Whether all of it is in what is shown later.
    fn is_in(&self, later: &Self) -> bool {
        self.operations.is_subset(&later.operations)
            && self.incidents.is_subset(&later.incidents)
            && self.backups.is_subset(&later.backups)
            && later.events.starts_with(&self.events)
    }
}

/// Damages `rounds` copies; panics at the first broken promise.
pub fn damage(rounds: u32, seed: u64) -> DamageReport {
    let mut random = Random::new(seed);
    let samples = [sample(false), sample(true)];
    let mut report = DamageReport::default();
    let mut round = 0;
    while round < rounds {
        let sample = &samples[usize::try_from(random.below(2)).unwrap()];
        let mut daemon = prepare();
        copy(sample.directory.path(), &daemon.path("state"));
        let Some(what) = spoil(&daemon.path("state"), sample.older.path(), &mut random) else {
            continue;
        };
        round += 1;
        try_start(&mut daemon, sample, &what, &mut report);
        if round % 50 == 0 {
            println!("{round} of {rounds}: {report:?}");
        }
    }
    report
}

/// A daemon to be started, with what there is to be kept.
pub(super) fn prepare() -> Daemon {
    let mut daemon = Daemon::prepare(&format!("{HOST}{CONFIG}{}", sleeper("well")));
    daemon.set_env("RUST_LOG", "info");
    daemon.drop_plugin(&plugin("restart-service"));
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/a"), "a").unwrap();
    daemon
}

fn sample(is_killed: bool) -> Sample {
    let mut daemon = prepare();
    daemon.run();
    daemon.wait_for_plugins(1);
    let busy = |daemon: &Daemon| {
        daemon.recover("well", "service-down");
        daemon.json(&["backup", "create", "state"]);
    };
    daemon.wait_for_event("the incident that stays", |event| {
        event["kind"] == "incident.opened"
    });
    busy(&daemon);
    let older = TempDir::new().unwrap();
    copy(&daemon.path("state"), older.path());
    busy(&daemon);
    daemon.json(&["pause"]);
    let shown = Shown::of(&daemon);
    let directory = TempDir::new().unwrap();
    match is_killed {
        true => daemon.kill(),
        false => assert!(daemon.stop()),
    }
    copy(&daemon.path("state"), directory.path());
    if !is_killed {
        let log = directory.path().join("journal.db-wal");
        assert!(!log.exists(), "a stop leaves all of it in one file");
    }
    Sample {
        directory,
        older,
        shown,
    }
}

fn try_start(daemon: &mut Daemon, sample: &Sample, what: &str, report: &mut DamageReport) {
    daemon.begin();
    let answers = |daemon: &mut Daemon| {
        wait_for("an answer or an end", || {
            if daemon.has_ended() {
                return Ok(false);
            }
            match daemon.cli(&["status", "--json"]).status.success() {
                true => Ok(true),
                false => Err(daemon.log()),
            }
        })
    };
    if answers(daemon) {
        let shown = Shown::of(daemon);
        assert!(sample.shown.is_in(&shown), "{what}: something is missing");
        report.whole += 1;
        if what.starts_with("backups/") && !daemon.cli(&["backup", "verify"]).status.success() {
            report.backups_named += 1;
        }
        return;
    }
    let log = daemon.log();
    let state = daemon.path("state");
    let said = log
        .lines()
        .rfind(|line| line.starts_with("error: "))
        .unwrap_or_else(|| panic!("{what}: ended without a word:\n{log}"))
        .to_owned();
    assert!(said.contains(state.to_str().unwrap()), "{what}: {said}");
    // Of a damaged header also that it is newer, or another program's: salvage knows better.
    let is_told = ["journal salvage", "a newer Mainstay", "another program"];
    assert!(
        is_told.iter().any(|words| said.contains(words)),
        "{what}: {said}"
    );
    report.refused += 1;
    daemon.reap();

    let output = daemon.cli(&["journal", "salvage", "--json"]);
    let salvaged: Value = match serde_json::from_slice(&output.stdout) {
        Ok(salvaged) => salvaged,
        Err(_) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("cannot be salvaged"), "{what}: {stderr}");
            return;
        }
    };
    assert_eq!(salvaged["whole"], output.status.success(), "{what}");
    if what.starts_with("journal.mark: ") {
        assert_eq!(salvaged["whole"], false, "{what}: nothing says so");
        assert_eq!(salvaged["acknowledged"], Value::Null, "{what}");
    }
    daemon.begin();
    assert!(answers(daemon), "{what}: {}", daemon.log());
    let shown = Shown::of(daemon);
    if salvaged["whole"] == true {
        assert!(
            sample.shown.is_in(&shown),
            "{what}: salvaged as whole, and something is missing"
        );
        report.salvaged_whole += 1;
    }
}

/// Every file below the directory that a daemon keeps something in.
fn files(directory: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(directory, &path, found);
        } else if kind.is_file() && !path.ends_with("reserve") {
            found.push(path);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let mut found = Vec::new();
    files(from, Path::new(""), &mut found);
    for file in found {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(&file), target).unwrap();
    }
}

/// Does one thing to one file: what, for people. None where there is nothing to do it to.
fn spoil(state: &Path, older: &Path, random: &mut Random) -> Option<String> {
    let mut all = Vec::new();
    files(state, Path::new(""), &mut all);
    all.sort();
    // The journal is what most is kept in.
    let journal: Vec<PathBuf> = all
        .iter()
        .filter(|file| file.to_string_lossy().starts_with("journal."))
        .cloned()
        .collect();
    let mut below = |bound: usize| -> usize {
        usize::try_from(random.below(u64::try_from(bound.max(1)).unwrap())).unwrap()
    };
    let from = match below(3) {
        0 => &all,
        _ => &journal,
    };
    let name = &from[below(from.len())];
    let path = state.join(name);
    let mut bytes = fs::read(&path).ok().filter(|bytes| !bytes.is_empty())?;
    let at = below(bytes.len());
    let what = match below(8) {
        0..=2 => {
            let bit = below(8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        3 => {
            bytes.truncate(at);
            format!("cut to {at} bytes")
        }
        4 => {
            let end = (at + 1 + below(5_000)).min(bytes.len());
            bytes[at..end].fill(0);
            format!("zeroes from {at} to {end}")
        }
        5 => {
            fs::remove_file(&path).unwrap();
            return Some(format!("{}: removed", name.display()));
        }
        6 => {
            bytes = b"something else that somebody put here\n".repeat(1 + below(999));
            "foreign".to_owned()
        }
        _ => {
            bytes = fs::read(older.join(name)).ok()?;
            "older".to_owned()
        }
    };
    fs::write(&path, bytes).unwrap();
    Some(format!("{}: {what}", name.display()))
}

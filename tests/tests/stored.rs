//! What another version left is read: its state directory is taken over, and no line of the corpus is lost.
//!
//! `tests/fixtures/state-VERSION-schema-N` holds two state directories as that version left them, one at its end and one
//! when it was killed, with the config that they are of, and in `expected.json` what the program said a moment before.
//! The journal's files are compressed, and what every daemon makes anew (reserve, locks, compiled plugins) is left out.

use mainstay_tests::{Daemon, Receiver, guest, plugin, repository, wait_for};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Where the alerter of the config posts to; nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

/// Copies what that version left.
fn unpack(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let packed = name
            .strip_suffix(".zst")
            .filter(|name| name.starts_with("journal.db"));
        match packed {
            _ if path.is_dir() => unpack(&path, &to.join(name)),
            Some(name) => {
                let bytes = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
                fs::write(to.join(name), bytes).unwrap();
            }
            None => {
                fs::copy(&path, to.join(name)).unwrap();
            }
        }
    }
}

/// Whether all that was said is said again; more may be.
fn says(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before
            .iter()
            .all(|(name, before)| now.get(name).is_some_and(|now| says(now, before))),
        (Value::Array(now), Value::Array(before)) => {
            now.len() == before.len()
                && now
                    .iter()
                    .zip(before)
                    .all(|(now, before)| says(now, before))
        }
        _ => now == before,
    }
}

/// A daemon of this version on what that version left, and what that version said.
struct TakenOver {
    daemon: Daemon,
    receiver: Receiver,
    before: Value,
}

impl TakenOver {
    /// `torn` are the watched files that still make their checks fail.
    fn start(fixture: &str, variant: &str, torn: &[&str]) -> Self {
        let fixture = repository().join("tests/fixtures").join(fixture);
        let receiver = Receiver::start();
        let config = fs::read_to_string(fixture.join("mainstay.toml")).unwrap();
        let config = config
            .replace(NOBODY, &receiver.url)
            // That version's default, without which what is open would be worse than it was.
            .replace(
                "contains = \"sound\"",
                "contains = \"sound\"\nseverity = \"medium\"",
            )
            .replace("length = \"45s\"", "length = \"10ms\"")
            // They are as old as the fixture: what reads them back by the clock would say so in their records.
            .replace(
                "full = \"3650d\"",
                "full = \"3650d\"\nverify = \"never\"\ndrill = \"never\"",
            )
            .replace(
                "name = \"db\"",
                "name = \"db\"\nbreaker = { open_for = \"100ms\" }",
            );
        let mut daemon = Daemon::prepare(&config);
        unpack(&fixture.join(variant).join("state"), &daemon.path("state"));
        fs::create_dir(daemon.path("data")).unwrap();
        fs::create_dir(daemon.path("watched")).unwrap();
        for watched in ["db", "cache", "slow", "counter", "quiet"] {
            let text = if torn.contains(&watched) {
                "torn"
            } else {
                "sound"
            };
            fs::write(daemon.path("watched").join(watched), text).unwrap();
        }
        for component in [
            guest("probe", &[]),
            plugin("restart-service"),
            plugin("webhook"),
        ] {
            daemon.drop_plugin(&component);
        }
        daemon.run();
        daemon.wait_for_plugins(3);
        let before = fs::read_to_string(fixture.join(variant).join("expected.json")).unwrap();
        Self {
            daemon,
            receiver,
            before: serde_json::from_str(&before).unwrap(),
        }
    }

    fn before(&self, list: &str) -> &[Value] {
        self.before[list].as_array().unwrap()
    }

    /// The one about a target that was in this state.
    fn was(&self, list: &str, target: &str, state: &str) -> Value {
        let mut found = self.before(list).iter();
        let found = found.find(|one| one["target"] == target && one["state"] == state);
        found.unwrap().clone()
    }

    /// The one with this identifier, as it is now.
    fn now(&self, command: &[&str], id: &Value) -> Value {
        let list = self.daemon.json(command);
        let mut list = list.as_array().unwrap().iter();
        let found = list.find(|one| one["id"] == *id).cloned();
        found.unwrap_or_else(|| panic!("{id} is lost"))
    }

    fn target(&self, name: &str) -> Value {
        let status = self.daemon.json(&["status"]);
        let mut targets = status["targets"].as_array().unwrap().iter();
        targets.find(|row| row["name"] == name).unwrap().clone()
    }

    /// What was over is told as it was; what was not is where it was, whatever happens to it from now on.
    fn check_history(&self) {
        for before in self.before("operations") {
            let id = before["id"].as_str().unwrap();
            let now = self.daemon.json(&["operation", "show", id]);
            let is_over = !before["finished_at"].is_null();
            match is_over {
                true => assert!(says(&now, before), "{now} was {before}"),
                false => assert_eq!(now["detected_at"], before["detected_at"], "{now}"),
            }
            self.now(&["history"], &before["id"]);
        }
        for before in self.before("incidents") {
            let now = self.now(&["incidents"], &before["id"]);
            let is_over = !before["closed_at"].is_null();
            match is_over {
                true => assert!(says(&now, before), "{now} was {before}"),
                false => assert_eq!(now["opened_at"], before["opened_at"], "{now}"),
            }
        }
        let (events, before) = (self.daemon.events(), self.before("events"));
        for (now, before) in events.iter().zip(before) {
            assert!(says(now, before), "{now} was {before}");
        }
        assert!(events.len() > before.len());
    }

    /// What waits for a person still does; what was given up for now still is.
    fn check_open(&self) {
        let mut waiting = self.was("history", "db", "awaiting-manual");
        // It has waited for longer than people may let it: that is told, and its runbook is written down with it.
        waiting.as_object_mut().unwrap().remove("revision");
        let now = self.now(&["history"], &waiting["id"]);
        assert!(says(&now, &waiting), "{now} was {waiting}");
        let open = self.was("incidents", "db", "open");
        assert_eq!(self.now(&["incidents"], &open["id"])["state"], "open");
        let escalated = self.was("incidents", "cache", "escalated");
        let now = self.now(&["incidents"], &escalated["id"]);
        assert_eq!(now["state"], "escalated");
        let rests = self.before("targets").iter();
        let mut rests = rests.filter(|row| row["name"] == "cache");
        let before = &rests.next().unwrap()["rests"];
        let now = &self.target("cache")["rests"];
        assert_eq!(now["until"], before["until"]);
        // The version before said "1 rounds".
        let why = before["why"].as_str().unwrap();
        assert_eq!(now["why"], why.replace("1 rounds", "1 round"));
        assert_eq!(self.target("quiet")["paused"], true);
        assert_eq!(self.target("counter")["paused"], false);
    }

    /// They are listed, read back and restored.
    fn check_backups(&self) {
        for before in self.before("backups") {
            let now = self.now(&["backup", "list"], &before["id"]);
            assert!(says(&now, before), "{now} was {before}");
        }
        for before in self.before("backups") {
            let id = before["id"].as_str().unwrap();
            let verified = self.daemon.cli(&["backup", "verify", id]);
            let stderr = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success(), "{id}: {stderr}");
        }
        let newest = self.before("backups")[0]["id"].as_str().unwrap();
        let into = self.daemon.path("restored");
        let into = into.to_str().unwrap();
        self.daemon
            .json(&["backup", "restore", "data", "--id", newest, "--into", into]);
        let read = |name: &str| fs::read(self.daemon.path("restored").join(name));
        assert_eq!(read("second.txt").unwrap(), b"second\n");
        assert_eq!(read("below/bytes").unwrap(), (0..=255).collect::<Vec<u8>>());
        assert!(read("first.txt").is_err(), "it was removed between the two");
        let link = fs::read_link(self.daemon.path("restored/link")).unwrap();
        assert_eq!(link, PathBuf::from("first.txt"));
    }

    /// The alert that could not be delivered then is now, under the identifier that it had.
    fn check_outbox(&self) {
        let mut queued = self.before("events").iter();
        let queued = queued.find(|event| event["kind"] == "alert.queued");
        let alert = queued.unwrap()["data"]["alert"].as_str().unwrap();
        let delivered = self.receiver.wait_for("the alert of before", |request| {
            let key = ("idempotency-key".to_owned(), alert.to_owned());
            request.headers.contains(&key)
        });
        assert_eq!(delivered.json()["target"], "db");
    }

    /// Values of plugins, and how long what was recovered is left alone.
    fn check_kept(&self) {
        let counted = self.daemon.recover("counter", "count-me");
        assert_eq!(counted["actions"][1], "run 2", "{counted}");
        wait_for("web to run", || {
            let pids = self.daemon.pids();
            pids.get("web").copied().ok_or_else(|| format!("{pids:?}"))
        });
        self.daemon.kill_child("web");
        let rests = wait_for("web to rest", || {
            let row = self.target("web");
            let until = row["rests"]["until"].as_str().map(str::to_owned);
            until.ok_or_else(|| row.to_string())
        });
        // Ten years from its recovery by that version.
        assert!(rests.starts_with("2036-11-23T"), "{rests}");
    }

    /// What was open closes when its checks pass.
    fn check_closing(&self) {
        let open = self.was("incidents", "db", "open");
        fs::write(self.daemon.path("watched/db"), "sound").unwrap();
        wait_for("the incident of db to close", || {
            let now = self.now(&["incidents"], &open["id"]);
            let is_over = now["state"] == "self-healed";
            is_over.then_some(()).ok_or_else(|| now.to_string())
        });
        let waited = self.was("history", "db", "awaiting-manual");
        let now = self.now(&["history"], &waited["id"]);
        assert_eq!(now["state"], "cancelled", "{now}");
    }

    fn check_all(&mut self) {
        self.check_history();
        self.check_open();
        self.check_backups();
        self.check_outbox();
        self.check_kept();
        self.check_closing();
        let mark = fs::metadata(self.daemon.path("state/journal.mark")).unwrap();
        assert!(mark.len() > 0);
        assert!(self.daemon.stop());
        // And what this version made of it is what it goes on with.
        self.daemon.run();
        self.check_history();
        assert!(self.daemon.stop());
    }
}

#[test]
fn a_state_directory_of_the_version_before_is_taken_over() {
    let mut taken_over = TakenOver::start("state-0.1.0-schema-2", "stopped", &["db", "cache"]);
    taken_over.check_all();
}

/// Its write-ahead log was not emptied, its process is gone, and a handler of it was called.
#[test]
fn a_state_directory_of_the_version_before_is_taken_over_after_a_kill() {
    let torn = ["db", "cache", "slow"];
    let mut taken_over = TakenOver::start("state-0.1.0-schema-2", "killed", &torn);
    let cut_off = taken_over.was("history", "slow", "in-progress");
    let of_it =
        |event: &Value, kind: &str| event["kind"] == kind && event["operation"] == cut_off["id"];
    for kind in ["operation.resumed", "operation.validating"] {
        taken_over
            .daemon
            .wait_for_event(kind, |event| of_it(event, kind));
    }
    fs::write(taken_over.daemon.path("watched/slow"), "sound").unwrap();
    wait_for("what was cut off to succeed", || {
        let now = taken_over.now(&["history"], &cut_off["id"]);
        let is_over = now["state"] == "succeeded";
        is_over.then_some(()).ok_or_else(|| now.to_string())
    });
    taken_over.check_all();
}

fn corpus() -> PathBuf {
    repository().join("host/domain/corpus")
}

/// `DIGEST FILE` for each line of the corpus, by file, in their order.
fn lines_of_the_corpus() -> Vec<String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    let lines = files
        .iter()
        .flat_map(|(name, text)| text.lines().map(move |line| (name, line)));
    lines
        .map(|(name, line)| {
            let digest = blake3::hash(line.as_bytes()).to_hex();
            format!("{} {name}", digest.get(..32).unwrap())
        })
        .collect()
}

const RENEW: &str = "MAINSTAY_RENEW=1 cargo test -p mainstay-tests corpus";

/// What was once written lies on somebody's disk: its line stays as it is, and stays read.
#[test]
fn no_line_of_the_corpus_was_changed_or_taken_away() {
    let path = corpus().join("corpus.lock");
    let found = lines_of_the_corpus();
    let locked = fs::read_to_string(&path).unwrap_or_default();
    let lost: Vec<&str> = locked
        .lines()
        .filter(|line| !found.iter().any(|found| found == line))
        .collect();
    assert!(
        lost.is_empty(),
        "lines of host/domain/corpus were changed or taken away, which the lock names; put them back, and add new ones \
         at the end: {lost:?}"
    );
    let text = found
        .iter()
        .fold(String::new(), |text, line| text + line + "\n");
    if std::env::var_os("MAINSTAY_RENEW").is_some() {
        fs::write(&path, text).unwrap();
    } else {
        assert_eq!(
            locked, text,
            "host/domain/corpus has lines that the lock does not have; add them with `{RENEW}`"
        );
    }
}

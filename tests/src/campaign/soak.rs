//! A day of operation in minutes: sixty targets, supervised and foreign, jobs over data that changes, receivers that fail,
//! reloads, plugins that come and go, operators' commands, and kills of targets and of the daemon; where it is asked for,
//! under a wall clock that jumps and with the daemon stopped for a while.
//!
//! It goes by rounds: a while of random deeds, then calm, in which everything must come to rest. What must hold all the
//! time: no supervised process runs twice, events have no gap, a pause that was acknowledged survives every restart. In
//! each calm: each target runs again, and not as the process that was killed; each alert has arrived, and each key that
//! fired is resolved; what was acknowledged is on record and done; what was backed up is restored equal to the byte; and
//! neither a jump of the clock nor a stop of the daemon touches a healthy service.

mod ledger;
mod processes;
mod wall_clock;
mod world;

use super::Random;
use crate::{Daemon, Receiver, guest, plugin};
use ledger::{Ledger, Promise};
use processes::{Watch, running};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
pub use wall_clock::WallClock;
use world::{
    BUSY_JOB, Changes, EXTRA, Flavour, STILL_JOBS, change, config, contents, failure_of,
    is_supervised, replace, targets,
};

/// How long the deeds of a round go on.
const ROUND: Duration = Duration::from_secs(12);

/// By then there is calm; generous, for a busy machine.
const CALM_WITHIN: Duration = Duration::from_secs(300);

/// Backups that are known to the byte are restored again in later rounds, so many of them.
const AGAIN: usize = 3;

const DAY: i64 = 24 * 3600;

/// How a campaign goes.
#[derive(Debug, Clone, Copy)]
pub struct SoakOptions {
    /// How long, at least; the last round is gone through whole.
    pub length: Duration,
    /// What is random follows from it.
    pub seed: u64,
    /// Under a wall clock that jumps, with stops of the daemon of so long.
    pub jump: Option<Duration>,
}

/// A backup of which it is known what was there.
struct Known {
    job: &'static str,
    id: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

struct Soak {
    /// First, for it ends before the directory of the daemon that it writes to.
    changes: Changes,
    daemon: Daemon,
    receiver: Receiver,
    random: Random,
    watch: Watch,
    clock: Option<WallClock>,
    ledger: Ledger,
    flavour: Flavour,
    /// Whose process was killed, and which.
    killed: BTreeMap<String, u32>,
    /// What a person ended, and so has to begin again.
    touched: BTreeSet<String>,
    /// What is paused by acknowledged commands; `None` is the host.
    paused: BTreeSet<Option<String>>,
    known: Vec<Known>,
    deeds: BTreeMap<&'static str, u64>,
}

/// Runs a campaign; panics at the first broken promise.
pub fn soak(options: SoakOptions) {
    let begun = Instant::now();
    let mut soak = Soak::start(options);
    let mut rounds = 0;
    soak.come_to_rest();
    while rounds == 0 || begun.elapsed() < options.length {
        rounds += 1;
        let round = Instant::now();
        while round.elapsed() < ROUND {
            soak.do_something();
            soak.watch.must_have_seen_no_copy();
        }
        soak.come_to_rest();
        soak.verify_backups();
        if let Some(stop) = options.jump {
            soak.leaves_the_healthy_alone(stop);
        }
    }
    let (alerts, promises) = soak.ledger.totals();
    let verified = soak.ledger.count("backup.verified");
    let operations = soak.ledger.count("operation.succeeded");
    println!(
        "{rounds} rounds in {:?}, seed {}: {:?}, {} events, {operations} operations succeeded, {verified} backups, \
         {} restored to the byte, {alerts} alerts, {promises} acknowledged commands",
        begun.elapsed(),
        options.seed,
        soak.deeds,
        soak.ledger.seq,
        soak.known.len(),
    );
}

impl Soak {
    fn start(options: SoakOptions) -> Self {
        let mut random = Random::new(options.seed);
        let receiver = Receiver::start();
        let flavour = Flavour::default();
        let mut daemon = Daemon::prepare(&config(&receiver.url, flavour));
        daemon.set_env("RUST_LOG", "info");
        for job in [STILL_JOBS[0], STILL_JOBS[1], BUSY_JOB] {
            fs::create_dir_all(daemon.path("data").join(job)).unwrap();
            fs::write(daemon.path("data").join(job).join("first"), "first").unwrap();
        }
        let clock = options.jump.map(|_| WallClock::install(&mut daemon));
        let root = daemon.directory.path().canonicalize().unwrap();
        let busy = daemon.path("data").join(BUSY_JOB);
        let changes = Changes::begin(busy, daemon.path("staged-busy"), random.number());
        let mut soak = Self {
            watch: Watch::begin(root, is_supervised),
            daemon,
            receiver,
            random,
            changes,
            clock,
            ledger: Ledger::default(),
            flavour,
            killed: BTreeMap::new(),
            touched: BTreeSet::new(),
            paused: BTreeSet::new(),
            known: Vec::new(),
            deeds: BTreeMap::new(),
        };
        soak.put_plugins_back();
        soak.daemon.run();
        soak
    }

    fn chance(&mut self, of: u64) -> bool {
        self.random.below(of) == 0
    }

    fn any_target(&mut self) -> String {
        let all = targets();
        all[self.random.below(all.len() as u64) as usize].clone()
    }

    fn processes(&self) -> BTreeMap<String, Vec<u32>> {
        running(&self.daemon.directory.path().canonicalize().unwrap())
    }

    fn get(&self, path: &str) -> Value {
        let (status, text) = self.daemon.get(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    fn do_something(&mut self) {
        let deed = match self.random.below(100) {
            0..25 => self.kill_a_target(),
            25..29 => self.kill_the_daemon(),
            29..31 => self.restart_the_daemon(),
            31..41 => self.pause_or_resume(),
            41..49 => self.recover(),
            49..57 => self.decide(),
            57..63 => self.edit_the_config(),
            63..71 => self.change_plugins(),
            71..77 => self.change_the_receiver(),
            77..89 => self.change_data(),
            89..95 => self.take_a_backup(),
            _ => self.jump(),
        };
        *self.deeds.entry(deed).or_default() += 1;
        // When things happen is what is random; nothing is waited for.
        thread::sleep(Duration::from_millis(self.random.below(250)));
    }

    fn kill_a_target(&mut self) -> &'static str {
        let target = self.any_target();
        for pid in self.processes().remove(&target).unwrap_or_default() {
            let raw = Pid::from_raw(pid.cast_signed()).unwrap();
            // It may have ended by itself.
            if kill_process(raw, Signal::KILL).is_ok() {
                self.killed.insert(target.clone(), pid);
            }
        }
        "kill a target"
    }

    fn kill_the_daemon(&mut self) -> &'static str {
        self.daemon.kill();
        self.begin_again();
        "kill the daemon"
    }

    fn restart_the_daemon(&mut self) -> &'static str {
        assert!(self.daemon.stop(), "{}", self.daemon.log());
        self.begin_again();
        "restart the daemon"
    }

    /// With the config that is right: the other one would keep it from starting.
    fn begin_again(&mut self) {
        self.write_config();
        self.daemon.run();
        self.pauses_are_kept();
    }

    fn pauses_are_kept(&self) {
        let status = self.get("/v1/status");
        assert_eq!(
            status["host"]["paused"],
            self.paused.contains(&None),
            "{:?} were acknowledged",
            self.paused
        );
        for row in status["targets"].as_array().unwrap() {
            let name = row["name"].as_str().unwrap();
            let expected = self.paused.contains(&Some(name.to_owned()));
            assert_eq!(
                row["paused"], expected,
                "{row}: {:?} were acknowledged",
                self.paused
            );
        }
    }

    fn pause_or_resume(&mut self) -> &'static str {
        let target = match self.chance(4) {
            true => None,
            false => Some(self.any_target()),
        };
        let (verb, paused) = match self.chance(2) {
            true => ("pause", true),
            false => ("resume", false),
        };
        self.set_paused(target, verb, paused);
        verb
    }

    fn set_paused(&mut self, target: Option<String>, verb: &str, paused: bool) {
        let body = json!({"target": target, "by": "soak"});
        let (status, answer) = self.daemon.post(&format!("/v1/{verb}"), &body);
        assert_eq!(status, 204, "{verb} {target:?}: {answer}");
        match paused {
            true => self.paused.insert(target),
            false => self.paused.remove(&target),
        };
    }

    fn recover(&mut self) -> &'static str {
        let target = self.any_target();
        let dry_run = self.chance(2);
        let what = if dry_run {
            Promise::DryRun
        } else {
            Promise::Recover
        };
        if self.ask_to_recover(&target, dry_run, what) && !dry_run {
            // What fails for want of its handler a person asks for again.
            self.touched.insert(target);
        }
        if dry_run { "dry run" } else { "recover" }
    }

    /// Whether that was acknowledged.
    fn ask_to_recover(&mut self, target: &str, dry_run: bool, what: Promise) -> bool {
        let body = json!({"target": target, "failure": failure_of(target), "dry_run": dry_run});
        let (status, answer) = self.daemon.post("/v1/recover", &body);
        match status {
            200 => {
                let id = answer["operation"].as_str().unwrap();
                self.ledger.promised(id, what);
                true
            }
            // It is being recovered already, or waits for a person.
            409 => false,
            other => panic!("recover {target}: {other}: {answer}"),
        }
    }

    /// Approves what waits for a person, or cancels what goes on.
    fn decide(&mut self) -> &'static str {
        let approves = self.chance(2);
        let history = self.get("/v1/operations?limit=100");
        let open = history.as_array().unwrap().iter();
        let open = open.filter(|operation| match operation["state"].as_str().unwrap() {
            "awaiting-manual" => true,
            "succeeded" | "failed" | "partial" | "cancelled" => false,
            _ => !approves,
        });
        let open: Vec<&Value> = open.collect();
        if open.is_empty() {
            return "decide about nothing";
        }
        let operation = open[self.random.below(open.len() as u64) as usize];
        let (id, target) = (
            operation["id"].as_str().unwrap(),
            operation["target"].as_str().unwrap(),
        );
        let (verb, what) = match approves {
            true => ("approve", Promise::Approve),
            false => ("cancel", Promise::Cancel),
        };
        if self.decided(id, verb, what) && !approves {
            self.touched.insert(target.to_owned());
        }
        verb
    }

    fn decided(&mut self, id: &str, verb: &str, what: Promise) -> bool {
        let body = json!({"reason": "soak"});
        let (status, answer) = self
            .daemon
            .post(&format!("/v1/operations/{id}/{verb}"), &body);
        // It may have moved on.
        assert!(
            matches!(status, 202 | 409),
            "{verb} {id}: {status}: {answer}"
        );
        if status == 202 {
            self.ledger.promised(id, what);
        }
        status == 202
    }

    /// A command of a foreign service that a killed daemon had begun: it may be done again, which a person has to say. Whether
    /// there was one.
    fn says_what_did_not_happen(&mut self, id: &str) -> bool {
        let operation = self.get(&format!("/v1/operations/{id}"));
        let journal = operation["journal"].as_array().unwrap().iter();
        let in_doubt: Vec<u64> = journal
            .filter(|entry| entry["in_doubt"] == true)
            .map(|entry| entry["seq"].as_u64().unwrap())
            .collect();
        for number in &in_doubt {
            let path = format!("/v1/operations/{id}/resolve");
            let body = json!({"number": number, "happened": false});
            let (status, answer) = self.daemon.post(&path, &body);
            assert!(
                matches!(status, 200 | 202 | 409),
                "{id}: {status}: {answer}"
            );
        }
        !in_doubt.is_empty()
    }

    fn write_config(&self) {
        let text = config(&self.receiver.url, self.flavour);
        let path = self.daemon.path("mainstay.toml");
        replace(&self.daemon, &path, text.as_bytes());
    }

    fn edit_the_config(&mut self) -> &'static str {
        if self.chance(3) {
            let text = config(&self.receiver.url, self.flavour) + "\nnonsense = [\n";
            let path = self.daemon.path("mainstay.toml");
            replace(&self.daemon, &path, text.as_bytes());
            return "break the config";
        }
        self.flavour = Flavour {
            number: self.random.below(1_000),
            has_extra: self.chance(2),
        };
        self.write_config();
        "edit the config"
    }

    fn put_plugin(&self, name: &str, component: &std::path::Path) {
        let path = self.daemon.path("plugins").join(format!("{name}.wasm"));
        let bytes = fs::read(component).unwrap();
        if fs::read(&path).ok().as_deref() != Some(bytes.as_slice()) {
            replace(&self.daemon, &path, &bytes);
        }
    }

    fn put_plugins_back(&self) {
        let _ = fs::remove_file(self.daemon.path("plugins/garbage.wasm"));
        self.put_plugin("restart-service", &plugin("restart-service"));
        self.put_plugin("webhook", &plugin("webhook"));
        self.put_plugin("probe", &guest("probe", &[]));
    }

    fn change_plugins(&mut self) -> &'static str {
        match self.random.below(4) {
            0 => {
                let names = ["restart-service", "webhook", "probe"];
                let name = names[self.random.below(3) as usize];
                let _ = fs::remove_file(self.daemon.path("plugins").join(format!("{name}.wasm")));
                "remove a plugin"
            }
            1 => {
                let features: &[&str] = if self.chance(2) { &["v1_0_1"] } else { &[] };
                self.put_plugin("probe", &guest("probe", features));
                "replace a plugin"
            }
            2 => {
                let path = self.daemon.path("plugins/garbage.wasm");
                replace(&self.daemon, &path, b"no plugin");
                "drop garbage"
            }
            _ => {
                self.put_plugins_back();
                "put plugins back"
            }
        }
    }

    fn change_the_receiver(&mut self) -> &'static str {
        match self.chance(2) {
            true => {
                self.receiver
                    .answer_with("503 Service Unavailable", "", "not now");
                "receiver fails"
            }
            false => {
                self.receiver.answer_with("200 OK", "", "thanks");
                "receiver works"
            }
        }
    }

    fn change_data(&mut self) -> &'static str {
        let job = STILL_JOBS[self.random.below(2) as usize];
        change(&self.daemon, job, &mut self.random);
        "change data"
    }

    /// Nothing changes meanwhile, so what was there is known.
    fn take_a_backup(&mut self) -> &'static str {
        let job = STILL_JOBS[self.random.below(2) as usize];
        let types = ["full", "incremental", "differential", "snapshot"];
        let kind = types[self.random.below(4) as usize];
        let files = contents(&self.daemon.path("data").join(job));
        let taken =
            self.daemon
                .json(&["backup", "create", job, "--type", kind, "--timeout", "60s"]);
        let backup = &taken["backups"][0];
        assert_eq!(backup["status"], "verified", "{taken}");
        let id = backup["id"].as_str().unwrap().to_owned();
        self.known.push(Known { job, id, files });
        "take a backup"
    }

    /// Sets the wall clock, by a day or by many, forth or back, or right again.
    fn jump(&mut self) -> &'static str {
        let Some(clock) = &self.clock else {
            return "no jump";
        };
        let jumps = [-DAY, 0, DAY, 400 * DAY, 0];
        clock.set(jumps[self.random.below(5) as usize]);
        "jump"
    }

    /// Puts everything right that is not the daemon's to put right, and waits until it has done the rest.
    fn come_to_rest(&mut self) {
        self.receiver.answer_with("200 OK", "", "thanks");
        fs::write(self.daemon.path("calm"), "").unwrap();
        self.flavour.has_extra = false;
        self.flavour.number += 1;
        self.write_config();
        self.put_plugins_back();
        self.pauses_are_kept();
        for target in self.paused.clone() {
            self.set_paused(target, "resume", false);
        }
        let end = Instant::now() + CALM_WITHIN;
        self.until(end, Self::what_is_not_at_rest);
        self.until(end, |soak| {
            soak.ledger.read(&soak.daemon);
            soak.ledger.alerts_are_settled(&soak.receiver).err()
        });
        self.ledger.promises_are_kept(&self.daemon);
        self.killed.clear();
        self.touched.clear();
        fs::remove_file(self.daemon.path("calm")).unwrap();
        // They would sleep on.
        let processes = self.processes();
        for (_, pids) in processes.iter().filter(|(name, _)| name.starts_with('w')) {
            for pid in pids {
                let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
            }
        }
    }

    /// Waits until nothing is told any more.
    fn until(&mut self, end: Instant, mut look: impl FnMut(&mut Self) -> Option<String>) {
        while let Some(what) = look(self) {
            self.watch.must_have_seen_no_copy();
            self.daemon.must_live();
            assert!(
                Instant::now() < end,
                "no calm after {CALM_WITHIN:?}: {what}"
            );
            // The pace of looking.
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn what_is_not_at_rest(&mut self) -> Option<String> {
        let status = self.get("/v1/status");
        let serving = status["plugins"].as_array().unwrap().iter();
        let serving = serving.filter(|row| row["state"] == "serving").count();
        if serving < 3 {
            return Some(format!("{serving} plugins serve: {}", status["plugins"]));
        }
        if status["targets"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["name"] == EXTRA)
        {
            return Some("the config is not applied".to_owned());
        }
        let waiting = self.get("/v1/operations?state=awaiting-manual&limit=1000");
        for operation in waiting.as_array().unwrap() {
            let id = operation["id"].as_str().unwrap();
            if !self.says_what_did_not_happen(id) {
                self.decided(id, "approve", Promise::Approve);
            }
        }
        let processes = self.processes();
        if processes.contains_key(EXTRA) {
            return Some(format!("{EXTRA} runs, and the config does not have it"));
        }
        let mut restless = None;
        for row in status["targets"].as_array().unwrap() {
            let name = row["name"].as_str().unwrap();
            let pids = processes.get(name).map(Vec::as_slice).unwrap_or_default();
            let is_back = match self.killed.get(name) {
                Some(killed) => pids.iter().any(|pid| pid != killed),
                None => !pids.is_empty(),
            };
            let is_at_rest = row["incident"].is_null() && row["operation"].is_null();
            let has_to_be_asked_for = self.touched.contains(name);
            if has_to_be_asked_for
                && row["operation"].is_null()
                && self.ask_to_recover(name, false, Promise::Recover)
            {
                self.touched.remove(name);
            }
            if is_back && is_at_rest && row["health"] == "healthy" && !has_to_be_asked_for {
                continue;
            }
            restless.get_or_insert_with(|| {
                format!(
                    "{row}, processes {pids:?}, killed {:?}",
                    self.killed.get(name)
                )
            });
        }
        restless
    }

    /// What is known to the byte is restored to the byte, and what was taken amid changes holds nothing else.
    fn verify_backups(&mut self) {
        let from = self.known.len().saturating_sub(AGAIN);
        let mut chosen: Vec<usize> = (from..self.known.len()).collect();
        for _ in 0..AGAIN.min(self.known.len()) {
            chosen.push(self.random.below(self.known.len() as u64) as usize);
        }
        for which in chosen {
            let Known { job, id, files } = &self.known[which];
            let restored = self.restored(job, id);
            let differs = |path: &&PathBuf| restored.get(*path) != files.get(*path);
            let first = files.keys().chain(restored.keys()).find(differs);
            assert_eq!(first, None, "{id} of {job} is not what was there");
        }
        let listed = self.get(&format!("/v1/backups?job={BUSY_JOB}"));
        let verified = listed.as_array().unwrap().iter();
        let verified: Vec<&Value> = verified.filter(|row| row["status"] == "verified").collect();
        assert!(!verified.is_empty(), "{BUSY_JOB} was never backed up");
        let row = verified[self.random.below(verified.len() as u64) as usize];
        for (path, bytes) in self.restored(BUSY_JOB, row["id"].as_str().unwrap()) {
            let was_there = bytes == b"first" || self.changes.was_there(&bytes);
            assert!(was_there, "{row}: {} never held this", path.display());
        }
    }

    fn restored(&self, job: &str, id: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let into = self.daemon.path("restored");
        let _ = fs::remove_dir_all(&into);
        let arguments = [
            "backup",
            "restore",
            job,
            "--id",
            id,
            "--timeout",
            "60s",
            "--into",
        ];
        let arguments = [arguments.as_slice(), &[into.to_str().unwrap()]].concat();
        let output = self.daemon.cli(&arguments);
        // What changed while it was read makes a backup incomplete, and its restore says so.
        let is_restored = matches!(output.status.code(), Some(0 | 3));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(is_restored, "{arguments:?} failed: {said}");
        contents(&into)
    }

    /// In a calm a jump of the clock, there and back, and a stop of the daemon change no process; and backups go on.
    fn leaves_the_healthy_alone(&mut self, stop: Duration) {
        let steady = |mut processes: BTreeMap<String, Vec<u32>>| {
            processes.retain(|name, _| !name.starts_with('w'));
            processes
        };
        let before = steady(self.processes());
        let jumps = [-DAY, DAY, 400 * DAY, 0];
        for ahead in jumps {
            if let Some(clock) = &self.clock {
                clock.set(ahead);
            }
            self.goes_on();
            self.has_this_clock(ahead);
        }
        let pid = Pid::from_raw(self.daemon.pid().cast_signed()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        // This is how long it stands still, as a paused container does.
        thread::sleep(stop);
        kill_process(pid, Signal::CONT).unwrap();
        self.goes_on();
        assert_eq!(
            steady(self.processes()),
            before,
            "a healthy service was touched"
        );
        *self.deeds.entry("jumps and a stop in a calm").or_default() += 1;
    }

    /// Waits until every check has looked some times, and a job that is due often was backed up.
    fn goes_on(&mut self) {
        let end = Instant::now() + CALM_WITHIN;
        let looked = self.looks();
        let wanted = looked + 3.0 * targets().len() as f64;
        let backups = self.ledger.count("backup.verified");
        self.until(end, |soak| {
            soak.ledger.read(&soak.daemon);
            let taken = soak.ledger.count("backup.verified") - backups;
            let looks = soak.looks();
            let goes_on = taken > 0 && looks >= wanted;
            (!goes_on).then(|| format!("{taken} backups, {} looks since", looks - looked))
        });
    }

    /// How often checks have looked.
    fn looks(&self) -> f64 {
        let numbers = self.daemon.metrics();
        let counts = numbers
            .lines()
            .filter(|line| line.starts_with("checks_total"));
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum()
    }

    /// The daemon's own time is that of the clock that the campaign sets: else its jumps would show nothing.
    fn has_this_clock(&mut self, ahead: i64) {
        let (status, _) = self.daemon.post("/v1/resume", &json!({}));
        assert_eq!(status, 204);
        let mut newest = None;
        let end = Instant::now() + CALM_WITHIN;
        self.until(end, |soak| {
            let events = soak.ledger.read(&soak.daemon);
            let resumed = events.iter().rfind(|event| event["kind"] == "host.resumed");
            newest = resumed.map(|event| crate::time(&event["at"]));
            newest.is_none().then(|| "the event".to_owned())
        });
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let expected = i64::try_from(since_epoch.as_secs()).unwrap() + ahead;
        let found = newest.map(|at| at.as_millis() / 1_000);
        let off = found.map(|found| (i64::try_from(found).unwrap() - expected).abs());
        assert!(
            off.is_some_and(|off| off < 3_600),
            "{found:?} is not {expected}"
        );
    }
}

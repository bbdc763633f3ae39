//! State directories in which something is not what it was: a file, a directory, the socket or the lock is damaged,
//! removed, closed, or something else that never begins or never ends.
//!
//! A daemon that is started on one either serves, with all that its journal held, or refuses with the name of what it
//! cannot use; soon, within its memory, and without destroying anything beside it. [`super::damage()`] looks closer at what
//! a journal loses.

use super::clear;
use super::{Random, damage};
use crate::{Daemon, make_fifo, peak_kb, program, wait_for};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, chown, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// By then a daemon serves or has refused. A build without optimisation compiles a plugin that is not cached for longer,
/// beside the other tests: what hangs is what this is to find.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 5 });

/// How much memory it may take, in kilobytes.
const MOST_KB: u64 = 500 << 10;

/// How it is written in what is put in place of a file.
const PRECIOUS: &str = "precious";

/// What a campaign did.
#[derive(Debug, Default)]
pub struct StateReport {
    /// Started, and held everything.
    pub serving: u32,
    /// Refused to start.
    pub refused: u32,
    /// Served, and named a damaged backup.
    pub backups_named: u32,
    /// The longest until either.
    pub longest: Duration,
    /// The most memory that a daemon held, in kilobytes.
    pub most_kb: u64,
}

/// Damages `rounds` copies; panics at the first broken promise.
pub fn state(rounds: u32, seed: u64) -> StateReport {
    let mut random = Random::new(seed);
    let samples = [false, true].map(Sample::make);
    let mut report = StateReport::default();
    for round in 1..=rounds {
        let sample = random.pick(&samples);
        let mut daemon = damage::prepare();
        let state = daemon.path("state");
        // What plugins are compiled to is in the sample.
        let _ = fs::remove_dir_all(&state);
        copy(sample.directory.path(), &state);
        let spoilt = spoil(&state, &mut random);
        let place = state.join(&spoilt.name);
        let is_closed = spoilt.what == CLOSED;
        let attempt = Round {
            daemon: &mut daemon,
            state,
            spoilt,
            report: &mut report,
        };
        attempt.run(sample, random.once_in(10));
        if is_closed {
            // Else who is not root cannot remove what lies in it. The daemon may have made another one.
            let _ = fs::set_permissions(&place, fs::Permissions::from_mode(0o700));
        }
        if round % 50 == 0 {
            println!("{round} of {rounds}: {report:?}");
        }
    }
    report
}

/// A state directory as a daemon left it, and what its journal showed.
struct Sample {
    directory: TempDir,
    shown: Shown,
}

/// What people can see of a journal.
#[derive(Debug)]
struct Shown {
    operations: BTreeSet<String>,
    incidents: BTreeSet<String>,
    backups: BTreeSet<String>,
    events: Vec<String>,
}

impl Sample {
    fn make(is_killed: bool) -> Self {
        let mut daemon = damage::prepare();
        daemon.run();
        daemon.wait_for_plugins(1);
        daemon.wait_for_event("the incident that stays", |event| {
            event["kind"] == "incident.opened"
        });
        daemon.recover("well", "service-down");
        for backup_type in ["full", "incremental"] {
            daemon.json(&["backup", "create", "state", "--type", backup_type]);
        }
        daemon.json(&["pause"]);
        let shown = Shown::of(&daemon);
        match is_killed {
            true => daemon.kill(),
            false => assert!(daemon.stop()),
        }
        let directory = TempDir::new().unwrap();
        copy(&daemon.path("state"), directory.path());
        Self { directory, shown }
    }
}

impl Shown {
    fn of(daemon: &Daemon) -> Self {
        let text = |path: &str| {
            let (status, text) = daemon.get(path);
            assert_eq!(status, 200, "{path}: {text}");
            text
        };
        let ids = |path: &str| -> BTreeSet<String> {
            let rows: Value = serde_json::from_str(&text(path)).unwrap();
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| row["id"].as_str().unwrap().to_owned())
                .collect()
        };
        Self {
            operations: ids("/v1/operations?limit=100000"),
            incidents: ids("/v1/incidents?limit=100000"),
            backups: ids("/v1/backups"),
            events: text("/v1/events?since=0")
                .lines()
                .map(str::to_owned)
                .collect(),
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

/// What was done to what, below the state directory.
struct Spoilt {
    name: PathBuf,
    what: &'static str,
}

/// One daemon on one damaged directory.
struct Round<'a> {
    daemon: &'a mut Daemon,
    state: PathBuf,
    spoilt: Spoilt,
    report: &'a mut StateReport,
}

impl Round<'_> {
    fn run(mut self, sample: &Sample, looks_at_backups: bool) {
        let before = self.others();
        self.daemon.begin();
        let serves = self.serves();
        if serves {
            self.report.serving += 1;
            self.must_have_its_plugin();
            let shown = Shown::of(self.daemon);
            assert!(sample.shown.is_in(&shown), "{self}: something is missing");
            let is_backup = self.spoilt.name.starts_with("backups");
            // Without its key no backup can be judged, which its name says.
            let is_key = self.spoilt.name.ends_with("backup-signing.key");
            if is_backup || looks_at_backups {
                self.look_at_backups(is_backup || is_key);
            }
            self.must_be_bounded();
            // Before that SIGTERM ends it as any program.
            wait_for("it to be ready", || {
                let log = self.daemon.log();
                let is_ready = log.lines().any(|line| line.contains("is ready on"));
                is_ready.then_some(()).ok_or(log)
            });
            let ended_well = self.daemon.stop();
            assert!(
                ended_well,
                "{self}: it does not stop:\n{}",
                self.daemon.log()
            );
        } else {
            self.report.refused += 1;
            self.daemon.reap();
            self.must_name_it();
        }
        let log = self.daemon.log();
        let panic = log.lines().find(|line| line.contains("panicked at"));
        assert!(panic.is_none(), "{self}: {panic:?}");
        for (name, bytes) in before {
            let is_journal = name.to_string_lossy().starts_with("journal.");
            if is_journal && serves {
                continue;
            }
            let now = fs::read(self.state.join(&name));
            let is_there = now.is_ok_and(|now| now == bytes);
            assert!(is_there, "{self}: {} is not what it was", name.display());
        }
        let precious = self.state.join(&self.spoilt.name).join(PRECIOUS);
        let aside = format!("{}.aside-1/{PRECIOUS}", self.spoilt.name.display());
        let is_kept = precious.exists() || self.state.join(aside).exists();
        // What is compiled is there for as long as that takes, and is the daemon's own.
        let is_own = self.spoilt.name.starts_with("compiling");
        let is_there = self.spoilt.what != DIRECTORY || is_own || is_kept;
        assert!(is_there, "{self}: what was in it is gone");
    }

    /// Waits until it serves or has ended.
    fn serves(&mut self) -> bool {
        let start = Instant::now();
        loop {
            if self.daemon.has_ended() {
                return false;
            }
            if answers(&self.state.join("mainstay.sock")) {
                self.report.longest = self.report.longest.max(start.elapsed());
                return true;
            }
            self.must_be_bounded();
            let log = || self.daemon.log();
            assert!(start.elapsed() < LONGEST, "{self}: it hangs:\n{}", log());
            // The pace of looking.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn must_be_bounded(&mut self) {
        let peak = peak_kb(self.daemon.pid()).unwrap_or(0);
        self.report.most_kb = self.report.most_kb.max(peak);
        assert!(peak < MOST_KB, "{self}: it takes {peak} kB");
    }

    /// What lies in the plugin directory serves, or is refused in words.
    fn must_have_its_plugin(&mut self) {
        let start = Instant::now();
        loop {
            let (status, text) = self.daemon.get("/v1/plugins");
            assert_eq!(status, 200, "{self}: {text}");
            let rows: Value = serde_json::from_str(&text).unwrap();
            let mut rows = rows.as_array().unwrap().iter();
            let is_settled = |row: &Value| {
                row["state"] == "serving"
                    || row["last_error"]
                        .as_str()
                        .is_some_and(|why| !why.is_empty())
            };
            if rows.any(is_settled) {
                return;
            }
            self.must_be_bounded();
            assert!(start.elapsed() < LONGEST, "{self}: no plugin: {text}");
            // The pace of looking.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Every backup is verified, or named as what is not whole.
    fn look_at_backups(&mut self, may_be_damaged: bool) {
        for id in Shown::of(self.daemon).backups {
            self.look_at_backup(&id, may_be_damaged);
        }
    }

    fn look_at_backup(&mut self, id: &str, may_be_damaged: bool) {
        let said = self.daemon.path("verified");
        let mut verify = Command::new(program());
        verify.args(["backup", "verify", id, "--config"]);
        verify.arg(self.daemon.path("mainstay.toml"));
        verify
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).unwrap());
        let mut verify = verify.spawn().unwrap();
        let start = Instant::now();
        let status = loop {
            if let Some(status) = verify.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > LONGEST {
                verify.kill().unwrap();
                verify.wait().unwrap();
                panic!("{self}: the verification of its backups hangs");
            }
            // The pace of looking.
            std::thread::sleep(Duration::from_millis(5));
        };
        if status.success() {
            return;
        }
        self.report.backups_named += 1;
        let said = fs::read_to_string(said).unwrap();
        assert!(may_be_damaged, "{self}: its backups are not whole: {said}");
        assert!(said.contains("error: "), "{self}: without a word: {said}");
    }

    /// The last word is an error that names what cannot be used.
    fn must_name_it(&self) {
        let log = self.daemon.log();
        let said = log.lines().rfind(|line| line.starts_with("error: "));
        let said = said.unwrap_or_else(|| panic!("{self}: ended without a word:\n{log}"));
        // The journal is several files, and is told of by the name of the first.
        let name = match self.spoilt.name.to_string_lossy().starts_with("journal.") {
            true => Path::new("journal.db"),
            false => &self.spoilt.name,
        };
        let path = self.state.join(name);
        assert!(said.contains(path.to_str().unwrap()), "{self}: {said}");
    }

    /// What nobody may change because of what was done: neither the damaged one nor what a daemon writes by itself.
    fn others(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let spoilt = &self.spoilt.name;
        let stays = |name: &Path| {
            let text = name.to_string_lossy();
            // An index is made anew.
            let is_backup = name.starts_with("backups") && !text.contains(".index.");
            let is_plugin = name.starts_with("plugins") && !name.ends_with("files.json");
            let is_journal = ["journal.db", "journal.db-wal"].contains(&&*text)
                && spoilt.to_string_lossy().starts_with("journal.db");
            !name.starts_with(spoilt) && (is_backup || is_plugin || is_journal)
        };
        let names = everything(&self.state).into_iter();
        let regular = names.filter(|name| {
            let found = fs::symlink_metadata(self.state.join(name)).unwrap();
            found.is_file() && stays(name)
        });
        regular
            .map(|name| {
                let bytes = fs::read(self.state.join(&name)).unwrap();
                (name, bytes)
            })
            .collect()
    }
}

impl std::fmt::Display for Round<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.spoilt.name.display(), self.spoilt.what)
    }
}

/// Whether a daemon answers there.
fn answers(socket: &Path) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut socket = UnixStream::connect(socket)?;
        socket.set_read_timeout(Some(LONGEST))?;
        socket.write_all(b"GET /v1/status HTTP/1.0\r\nhost: mainstay\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}

/// Everything below a directory, what holds others before them. What a daemon holds in reserve is nothing.
fn everything(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        // What nobody may read is not looked into.
        let entries = fs::read_dir(directory.join(&below)).into_iter().flatten();
        for entry in entries {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if path == Path::new("reserve") {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in everything(from) {
        let (old, new) = (from.join(&name), to.join(&name));
        let found = fs::symlink_metadata(&old).unwrap();
        let kind = found.file_type();
        if kind.is_dir() {
            fs::create_dir(&new).unwrap();
            fs::set_permissions(&new, found.permissions()).unwrap();
        } else if kind.is_file() {
            fs::copy(&old, &new).unwrap();
        } else if kind.is_fifo() {
            make_fifo(&new);
        } else if kind.is_socket() {
            // Its file stays when nobody listens any more.
            drop(UnixListener::bind(&new).unwrap());
        }
    }
}

/// A directory in place of something else.
const DIRECTORY: &str = "a directory is in its place";

/// Neither to be read nor, where it is a directory, to be looked into.
const CLOSED: &str = "nobody may read it";

/// Does one thing to one thing that is there.
fn spoil(state: &Path, random: &mut Random) -> Spoilt {
    let mut all = everything(state);
    // It may be there, and may be anything.
    all.push(PathBuf::from("reserve"));
    let name = random.pick(&all).clone();
    let path = state.join(&name);
    let bytes = match fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => fs::read(&path).unwrap(),
        _ => Vec::new(),
    };
    let kind = random.below(13);
    let what = match kind {
        0 if !bytes.is_empty() => {
            let mut bytes = bytes;
            let at = random.index(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            fs::write(&path, bytes).unwrap();
            "a bit is flipped"
        }
        1 if !bytes.is_empty() => {
            let end = random.index(bytes.len());
            fs::write(&path, &bytes[..end]).unwrap();
            "it is cut"
        }
        2 if !bytes.is_empty() => {
            fs::write(&path, "").unwrap();
            "it is empty"
        }
        3 if !bytes.is_empty() => {
            fs::write(
                &path,
                "what somebody put here\n".repeat(1 + random.index(999)),
            )
            .unwrap();
            "it is foreign"
        }
        4 if path.exists() => {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
            CLOSED
        }
        // Only root can give a file away.
        5 if path.exists() && rustix::process::geteuid().is_root() => {
            chown(&path, Some(12_345), Some(12_345)).unwrap();
            "it is somebody else's"
        }
        _ => {
            clear(&path);
            match kind {
                6 => {
                    make_fifo(&path);
                    "a FIFO is in its place"
                }
                7 => {
                    fs::create_dir(&path).unwrap();
                    fs::write(path.join(PRECIOUS), PRECIOUS).unwrap();
                    DIRECTORY
                }
                8 => {
                    symlink("nowhere", &path).unwrap();
                    "a link to nothing is in its place"
                }
                9 => {
                    symlink(path.file_name().unwrap(), &path).unwrap();
                    "a link to itself is in its place"
                }
                10 => {
                    symlink("/dev/zero", &path).unwrap();
                    "a link to /dev/zero is in its place"
                }
                11 => {
                    drop(UnixListener::bind(&path));
                    "a socket is in its place"
                }
                _ => "it is removed",
            }
        }
    };
    Spoilt { name, what }
}

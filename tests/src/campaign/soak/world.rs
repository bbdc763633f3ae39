//! What the campaign's daemon is told to look after, and the data that it backs up.

use super::super::Random;
use crate::Daemon;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Every target, by the letter that says what it is, and how many there are.
const KINDS: [(char, u32); 5] = [
    // Supervised, and restarted at once.
    ('s', 32),
    // Supervised, recovered by another plugin, which is replaced at times.
    ('p', 8),
    // Supervised; a person has to approve.
    ('m', 4),
    // Supervised, and ends by itself every few seconds, until there is calm.
    ('w', 4),
    // Foreign.
    ('f', 12),
];

/// A target that comes and goes with the config.
pub(super) const EXTRA: &str = "e0";

/// Backed up when nothing changes, so that what was there is known to the byte.
pub(super) const STILL_JOBS: [&str; 2] = ["still-a", "still-b"];

/// Backed up while it changes.
pub(super) const BUSY_JOB: &str = "busy";

/// The names of all targets.
pub(super) fn targets() -> Vec<String> {
    let of_kind = |(letter, count): (char, u32)| (0..count).map(move |n| format!("{letter}{n}"));
    KINDS.into_iter().flat_map(of_kind).collect()
}

/// Whether the daemon runs a target's process itself.
pub(super) fn is_supervised(target: &str) -> bool {
    !target.starts_with('f')
}

/// What its failure is called.
pub(super) fn failure_of(target: &str) -> &'static str {
    match target.chars().next() {
        Some('p') => "probe-down",
        Some('m') => "manual-down",
        Some('f') => "foreign-down",
        _ => "service-down",
    }
}

/// What differs from one config to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flavour {
    /// In the environment of some targets: they are started anew.
    pub(super) number: u64,
    /// Whether there is the extra target.
    pub(super) has_extra: bool,
}

/// The whole config.
pub(super) fn config(receiver: &str, flavour: Flavour) -> String {
    let mut text = format!(
        r#"
[host]
name = "soak"
state_dir = "state"
plugin_dir = "plugins"

[[route]]
failure = "probe-down"
strategy = {{ kind = "linear", max_attempts = 50, initial_delay = "50ms", max_delay = "500ms" }}
relapse_window = "0s"
chain = [{{ handler = "probe", params = {{ do = "restart" }} }}]

[[route]]
failure = "manual-down"
strategy = {{ kind = "manual", max_attempts = 50 }}
relapse_window = "0s"
chain = [{{ handler = "restart-service" }}]

[[route]]
strategy = {{ kind = "linear", max_attempts = 50, initial_delay = "50ms", max_delay = "500ms" }}
relapse_window = "0s"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[plugin.probe]
grants = {{ target = ["restart"] }}

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{receiver}"] }}
settings = {{ url = "{receiver}/alerts" }}
"#
    );
    for job in [STILL_JOBS[0], STILL_JOBS[1], BUSY_JOB] {
        write!(
            text,
            "\n[[job]]\nname = \"{job}\"\nsource = [{{ kind = \"directory\", path = \"data/{job}\" }}]\n\
             full = \"1h\"\nincremental = \"3s\"\nencryption = \"none\"\n"
        )
        .unwrap();
    }
    let mut names = targets();
    if flavour.has_extra {
        names.push(EXTRA.to_owned());
    }
    for name in names {
        text += &target(&name, flavour.number);
    }
    text
}

fn target(name: &str, number: u64) -> String {
    let failure = failure_of(name);
    let kind = name.chars().next().unwrap();
    if kind == 'f' {
        let stop = format!("kill -9 $(cat {name}.pid); rm -f {name}.pid; true");
        let start = format!(
            "SOAK={name} setsid sleep 100000 < /dev/null > /dev/null 2>&1 & echo $! > {name}.pid"
        );
        // One at a time, so that a command that a killed daemon left behind and the next one's do not start two; `-o`
        // keeps the lock from living on in the service.
        let run = |verb: &str, body: &str| {
            let script = format!("exec flock -o {name}.lock sh -c '{body}'");
            format!("commands.{verb} = [\"/bin/sh\", \"-c\", \"{script}\"]\n")
        };
        let both = format!("{stop}; {start}");
        return format!(
            "\n[[target]]\nname = \"{name}\"\n{}{}{}\
             [[target.check]]\nkind = \"process\"\npid_file = \"{name}.pid\"\nevery = \"500ms\"\nfail_after = 2\n\
             recover_after = 1\nfailure = \"{failure}\"\n",
            run("start", &start),
            run("stop", &stop),
            run("restart", &both),
        );
    }
    let script = match kind {
        'w' => "[ -e calm ] && exec sleep 100000; exec sleep 3",
        _ => "exec sleep 100000",
    };
    let edited = match name {
        "s0" | "s1" | "p0" => format!(", FLAVOUR = \"{number}\""),
        _ => String::new(),
    };
    format!(
        "\n[[target]]\nname = \"{name}\"\nrun = [\"/bin/sh\", \"-c\", \"{script}\"]\nexit_failure = \"{failure}\"\n\
         env = {{ SOAK = \"{name}\"{edited} }}\n\
         [[target.check]]\nkind = \"process\"\nevery = \"1s\"\nrecover_after = 1\nfailure = \"{failure}\"\n"
    )
}

/// Puts a file in its place at once.
pub(super) fn replace(daemon: &Daemon, path: &Path, bytes: &[u8]) {
    let staged = daemon.path("staged");
    fs::write(&staged, bytes).unwrap();
    fs::rename(staged, path).unwrap();
}

/// Changes some files of a job that stands still otherwise.
pub(super) fn change(daemon: &Daemon, job: &str, random: &mut Random) {
    let directory = daemon.path("data").join(job);
    for _ in 0..=random.below(5) {
        let below = directory.join(format!("d{}", random.below(3)));
        let file = below.join(format!("file {}", random.below(12)));
        if random.below(4) == 0 {
            let _ = fs::remove_file(file);
            continue;
        }
        fs::create_dir_all(&below).unwrap();
        let length = random.below(3_000) as usize;
        let bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
        fs::write(file, bytes).unwrap();
    }
}

/// Every file below a directory, with its bytes.
pub(super) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let below = path.strip_prefix(directory).unwrap().to_owned();
                found.insert(below, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Changes the files of the busy job all the time; each is replaced as a whole, so none is ever half of something.
pub(super) struct Changes {
    stop: Arc<AtomicBool>,
    /// All that was ever in a file.
    written: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Changes {
    pub(super) fn begin(directory: PathBuf, staged: PathBuf, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written: Arc<Mutex<BTreeSet<Vec<u8>>>> = Arc::default();
        let thread = thread::spawn({
            let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
            move || {
                let mut random = Random::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    let file = directory.join(format!("file {}", random.below(40)));
                    if random.below(4) == 0 {
                        let _ = fs::remove_file(file);
                    } else {
                        let bytes = format!("{:020} ", random.number()).repeat(60).into_bytes();
                        written.lock().unwrap().insert(bytes.clone());
                        fs::write(&staged, bytes).unwrap();
                        fs::rename(&staged, file).unwrap();
                    }
                    // The pace of the changes.
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        Self {
            stop,
            written,
            thread: Some(thread),
        }
    }

    /// Whether a file ever held this.
    pub(super) fn was_there(&self, bytes: &[u8]) -> bool {
        self.written.lock().unwrap().contains(bytes)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

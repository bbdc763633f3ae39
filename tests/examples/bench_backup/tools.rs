//! The programs that are compared, as their users have them; restic and borg are in `others`.

use mainstay_tests::{Daemon, HOST, peak_kb};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What one piece of work took.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// By how many bytes what is stored grew; of a restore nothing.
    pub(crate) stored: f64,
    /// The bytes of the index beside it, where the program has one for itself that it can do without.
    pub(crate) index: Option<f64>,
    /// The most memory of the process that did the work.
    pub(crate) peak_kb: f64,
}

/// One program, with a repository for each tree.
pub(crate) trait Tool {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// From now on the tree is known by its name.
    fn prepare(&mut self, name: &'static str, tree: &Path);
    /// A backup: a full one, or what changed since the one before.
    fn back_up(&mut self, name: &str, full: bool) -> Measured;
    /// Restores the newest into a new directory, and removes that.
    fn restore(&mut self, name: &str) -> Measured;
}

/// The bytes of the files below a directory for which this holds of their name.
pub(crate) fn bytes_below(directory: &Path, counts: &dyn Fn(&str) -> bool) -> f64 {
    let mut bytes = 0.0;
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            bytes += bytes_below(&entry.path(), counts);
        } else if counts(&entry.file_name().to_string_lossy()) {
            bytes += found.len() as f64;
        }
    }
    bytes
}

/// The daemon takes nothing by itself: the first backup of a job is due at once, and what is measured would wait for it.
const ONLY_WHEN_TOLD: &str = r#"window = { cron = "0 0 1 1 *", zone = "UTC", duration = "1ms" }"#;

/// A daemon of its own, and a job for each tree.
pub(crate) struct Mainstay {
    daemon: Daemon,
    config: String,
    keys: Option<(String, PathBuf)>,
    runs: bool,
}

impl Mainstay {
    pub(crate) fn new(keys: Option<(String, PathBuf)>) -> Self {
        let mut daemon = Daemon::prepare(HOST);
        // Nobody has traces written while he measures.
        daemon.set_env("RUST_LOG", "info");
        Self {
            daemon,
            config: HOST.to_owned(),
            keys,
            runs: false,
        }
    }

    /// Has the daemon do something, and measures that.
    fn timed(&self, arguments: &[&str]) -> (Duration, f64) {
        let pid = self.daemon.pid();
        // From here on its peak is that of this work.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        let begun = Instant::now();
        let output = self.daemon.cli(arguments);
        let took = begun.elapsed();
        assert!(output.status.success(), "{output:?}");
        (took, peak_kb(pid).unwrap() as f64)
    }

    fn stored(&self, name: &str, is_index: bool) -> f64 {
        let place = self.daemon.path("state/backups").join(name);
        bytes_below(&place, &|file| file.ends_with(".index.zst") == is_index)
    }
}

impl Tool for Mainstay {
    fn name(&self) -> &'static str {
        "mainstay"
    }

    fn prepare(&mut self, name: &'static str, tree: &Path) {
        let (encryption, identity) = match &self.keys {
            Some((recipient, identity)) => (
                format!("{{ recipients = [\"{recipient}\"] }}"),
                format!("identity = {{ file = \"{}\" }}\n", identity.display()),
            ),
            None => ("\"none\"".to_owned(), String::new()),
        };
        self.config += &format!(
            "\n[[job]]\nname = \"{name}\"\n{ONLY_WHEN_TOLD}\nverify = \"never\"\ndrill = \"never\"\n\
             encryption = {encryption}\n{identity}source = [{{ kind = \"directory\", path = \"{}\" }}]\n",
            tree.display()
        );
        if self.runs {
            assert!(self.daemon.stop(), "{}", self.daemon.log());
        }
        fs::write(self.daemon.path("mainstay.toml"), &self.config).unwrap();
        self.daemon.run();
        self.runs = true;
    }

    fn back_up(&mut self, name: &str, full: bool) -> Measured {
        let before = (self.stored(name, false), self.stored(name, true));
        let kind = if full { "full" } else { "incremental" };
        let (took, peak_kb) = self.timed(&["backup", "create", name, "--type", kind]);
        Measured {
            seconds: took.as_secs_f64(),
            stored: self.stored(name, false) - before.0,
            index: Some(self.stored(name, true) - before.1),
            peak_kb,
        }
    }

    fn restore(&mut self, name: &str) -> Measured {
        let into = self.daemon.path("restored");
        let path = into.to_str().unwrap();
        let (took, peak_kb) = self.timed(&["backup", "restore", name, "--into", path]);
        fs::remove_dir_all(&into).unwrap();
        Measured {
            seconds: took.as_secs_f64(),
            stored: 0.0,
            index: None,
            peak_kb,
        }
    }
}

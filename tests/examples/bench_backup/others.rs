//! restic and borg, each by its own command line.

use super::tools::{Measured, Tool, bytes_below};
use mainstay_tests::peak_kb;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How often the memory of a program is looked at.
const LOOK: Duration = Duration::from_millis(2);
const PASSWORD: &str = "side by side";

/// Repositories in a directory of their own, and which tree each is of.
struct Repositories {
    home: TempDir,
    trees: BTreeMap<String, PathBuf>,
}

impl Repositories {
    fn new() -> Self {
        Self {
            home: TempDir::new().unwrap(),
            trees: BTreeMap::new(),
        }
    }

    fn of(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command with nothing of its own outside of the directory.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("RESTIC_PASSWORD", PASSWORD)
            .env("RESTIC_CACHE_DIR", self.of("restic-cache"))
            .env("BORG_PASSPHRASE", PASSWORD)
            .env("BORG_BASE_DIR", self.of("borg-base"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        command
    }

    /// Runs it to its end, and measures that.
    fn timed(&self, mut command: Command, then: Option<Command>, grows: Option<&str>) -> Measured {
        let size = || grows.map_or(0.0, |name| bytes_below(&self.of(name), &|_| true));
        let before = size();
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut most = 0;
        let status = loop {
            most = most.max(peak_kb(child.id()).unwrap_or_default());
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(LOOK),
            }
        };
        assert!(status.success(), "{command:?}: {status}");
        if let Some(mut then) = then {
            assert!(then.status().unwrap().success(), "{then:?}");
        }
        let seconds = begun.elapsed().as_secs_f64();
        Measured {
            seconds,
            stored: size() - before,
            index: None,
            peak_kb: most as f64,
        }
    }

    fn restored(&self) -> PathBuf {
        let into = self.of("restored");
        fs::create_dir(&into).unwrap();
        into
    }
}

/// Makes what was written to a file system durable.
fn sync(path: &Path) -> Command {
    let mut sync = Command::new("sync");
    sync.arg("-f").arg(path);
    sync
}

fn is_there(program: &str, asked: &str) -> bool {
    let asked = Command::new(program)
        .arg(asked)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = asked.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("{program} is not there, and has no column");
    }
    is_there
}

/// restic; what it stores is encrypted and, by its default, compressed.
pub(crate) struct Restic(Repositories);

impl Restic {
    /// Where the machine has it.
    pub(crate) fn found() -> Option<Self> {
        is_there("restic", "version").then(|| Self(Repositories::new()))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = self.0.command("restic");
        command.arg("--repo").arg(self.0.of(name));
        command
    }
}

impl Tool for Restic {
    fn name(&self) -> &'static str {
        "restic"
    }

    fn prepare(&mut self, name: &'static str, tree: &Path) {
        self.0.trees.insert(name.to_owned(), tree.to_owned());
        let mut command = self.command(name);
        assert!(command.arg("init").status().unwrap().success());
    }

    fn back_up(&mut self, name: &str, full: bool) -> Measured {
        let mut command = self.command(name);
        command.arg("backup").arg(&self.0.trees[name]);
        if full {
            command.arg("--force");
        }
        self.0.timed(command, None, Some(name))
    }

    fn restore(&mut self, name: &str) -> Measured {
        let into = self.0.restored();
        let mut command = self.command(name);
        command.args(["restore", "latest", "--target"]).arg(&into);
        let measured = self.0.timed(command, Some(sync(&into)), None);
        fs::remove_dir_all(&into).unwrap();
        measured
    }
}

/// borg, encrypted, with the compression that the others have.
pub(crate) struct Borg {
    repositories: Repositories,
    taken: u32,
}

impl Borg {
    /// Where the machine has it.
    pub(crate) fn found() -> Option<Self> {
        is_there("borg", "--version").then(|| Self {
            repositories: Repositories::new(),
            taken: 0,
        })
    }

    fn archive(&self, name: &str) -> String {
        format!("{}::{}", self.repositories.of(name).display(), self.taken)
    }
}

impl Tool for Borg {
    fn name(&self) -> &'static str {
        "borg"
    }

    fn prepare(&mut self, name: &'static str, tree: &Path) {
        let repositories = &mut self.repositories;
        repositories.trees.insert(name.to_owned(), tree.to_owned());
        let mut command = repositories.command("borg");
        command.args(["init", "--encryption", "repokey-blake2"]);
        command.arg(repositories.of(name));
        assert!(command.status().unwrap().success());
    }

    fn back_up(&mut self, name: &str, _: bool) -> Measured {
        self.taken += 1;
        let mut command = self.repositories.command("borg");
        command.args(["create", "--compression", "zstd,3"]);
        command
            .arg(self.archive(name))
            .arg(&self.repositories.trees[name]);
        self.repositories.timed(command, None, Some(name))
    }

    fn restore(&mut self, name: &str) -> Measured {
        let into = self.repositories.restored();
        let mut command = self.repositories.command("borg");
        command
            .arg("extract")
            .arg(self.archive(name))
            .current_dir(&into);
        let measured = self.repositories.timed(command, Some(sync(&into)), None);
        fs::remove_dir_all(&into).unwrap();
        measured
    }
}

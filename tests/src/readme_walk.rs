//! An example whose services are stand-ins, walked by the commands of its README in their order, from the copy of it on.

use crate::{Daemon, program, repository, stand_ins::on_ports_in};
use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// The line that the daemon is started by.
const RUN: &str = "mainstay run";

/// What is left of it.
pub struct ReadmeWalk {
    /// In the copy of the example; its own command line reads `mainstay.toml`.
    pub daemon: Daemon,
    lines: VecDeque<String>,
    /// What the lines so far export.
    exported: Vec<(String, String)>,
    // After the daemon, whose directory is in it.
    home: TempDir,
}

impl ReadmeWalk {
    /// Runs the first block of `examples/NAME/README.md` in the repository, with a home of its own and these ports in place of
    /// those that the example names, and starts the daemon.
    pub fn begin(name: &str, ports: &BTreeMap<u16, u16>) -> Self {
        let home = TempDir::new().unwrap();
        let directory = tempfile::Builder::new()
            .prefix(name)
            .rand_bytes(0)
            .tempdir_in(home.path())
            .unwrap();
        // The README makes it.
        fs::remove_dir(directory.path()).unwrap();
        let mut daemon = Daemon::prepare("");
        daemon.directory = directory;
        let readme = repository().join("examples").join(name).join("README.md");
        let mut walk = Self {
            daemon,
            lines: commands(&fs::read_to_string(readme).unwrap()),
            exported: Vec::new(),
            home,
        };
        let end = walk.lines.iter().position(|line| line == RUN);
        let first: Vec<String> = walk.lines.drain(..end.unwrap()).collect();
        let exports = first.iter().filter_map(|line| line.strip_prefix("export "));
        let exports = exports.map(|export| export.split_once('=').unwrap());
        walk.exported = exports
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        must_succeed(&walk.shell(repository(), &first.join("\n")));
        on_ports_in(walk.daemon.directory.path(), ports);
        walk.run();
        walk
    }

    /// Does what the line says that starts the daemon.
    fn run(&mut self) {
        assert_eq!(self.lines.pop_front().as_deref(), Some(RUN));
        let mut exported = self.exported.iter();
        let config = exported.find(|(name, _)| name == "MAINSTAY_CONFIG");
        if let Some((_, config)) = config {
            // For the command line of the daemon of the tests, which names its config.
            let config = self.daemon.path(config);
            fs::copy(config, self.daemon.path("mainstay.toml")).unwrap();
        }
        let log = fs::File::create(self.daemon.path("daemon.log")).unwrap();
        let mut command = Command::new(program());
        command
            .arg("run")
            .current_dir(self.daemon.directory.path())
            .envs(self.exported.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log);
        self.daemon.run_as(command);
        let plugins = fs::read_dir(self.daemon.path("plugins")).unwrap();
        self.daemon.wait_for_plugins(plugins.count());
        self.daemon.wait_until_all_are_healthy();
    }

    /// Runs the next line, which is this one, and gives what it prints.
    pub fn line(&mut self, line: &str) -> String {
        must_succeed(&self.run_next(line))
    }

    /// The same, of one that is to be refused: what it prints and says.
    pub fn refused(&mut self, line: &str) -> String {
        let output = self.run_next(line);
        assert!(!output.status.success(), "{line}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Takes the next line, which is this one, as done: what it does is done in another way.
    pub fn done(&mut self, line: &str) {
        assert_eq!(self.lines.pop_front().as_deref(), Some(line));
    }

    /// Panics where a line is left.
    pub fn end(self) {
        assert!(self.lines.is_empty(), "{:?}", self.lines);
    }

    fn run_next(&mut self, line: &str) -> Output {
        self.done(line);
        self.shell(self.daemon.directory.path(), line)
    }

    fn shell(&self, directory: &Path, script: &str) -> Output {
        let programs: PathBuf = program().parent().unwrap().to_owned();
        let system = std::env::var("PATH").unwrap();
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(directory)
            .env("HOME", self.home.path())
            .env("PATH", format!("{}:{system}", programs.display()))
            .envs(self.exported.iter().cloned())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn must_succeed(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{said}");
    printed
}

/// The lines of all blocks of commands.
fn commands(readme: &str) -> VecDeque<String> {
    let blocks = readme.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

//! A real daemon in a directory of its own.

use crate::{compiled, processes::is_stopped, program, wait_for};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
};
use tempfile::TempDir;

/// A daemon that is started, killed and started again on the same state; its children are killed when it is dropped.
pub struct Daemon {
    /// Config, plugins, state and data are below it.
    pub directory: TempDir,
    program: Option<PathBuf>,
    child: Option<Child>,
    environment: Vec<(String, String)>,
    /// The digests of what was dropped before the first start, where the state directory is the usual one.
    dropped: Mutex<Vec<String>>,
}

impl Daemon {
    /// A directory with this config as `mainstay.toml` and an empty `plugins`. Nothing runs yet.
    pub fn prepare(config: &str) -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("plugins")).unwrap();
        fs::write(directory.path().join("mainstay.toml"), config).unwrap();
        Self {
            directory,
            program: None,
            child: None,
            environment: Vec::new(),
            dropped: Mutex::default(),
        }
    }

    /// As [`Daemon::prepare`], then started with these plugins.
    pub fn start(config: &str, plugins: &[&Path]) -> Self {
        let mut daemon = Self::prepare(config);
        for plugin in plugins {
            daemon.drop_plugin(plugin);
        }
        daemon.run();
        daemon
    }

    /// A path below the directory.
    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Has another build of the program run, the command line included.
    pub fn set_program(&mut self, program: &Path) {
        self.program = Some(program.to_owned());
    }

    fn program(&self) -> &Path {
        self.program.as_deref().unwrap_or_else(|| program())
    }

    /// Sets a variable for the daemon's next start.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Copies a component into the plugin directory under its own name. What is dropped before the first start need not be
    /// compiled, where another test had it compiled: see [`Daemon::drop_unknown`].
    pub fn drop_plugin(&self, component: &Path) {
        self.drop_unknown(component);
        let state = self.path("state");
        let config = fs::read_to_string(self.path("mainstay.toml")).unwrap_or_default();
        let is_usual =
            config.contains("state_dir = \"state\"") && !state.join("journal.db").exists();
        if is_usual && self.child.is_none() {
            let digest = compiled::digest_of(component);
            compiled::lend(&state, &digest);
            self.dropped.lock().unwrap().push(digest);
        }
    }

    /// Copies a component into the plugin directory under its own name, for this daemon to compile.
    pub fn drop_unknown(&self, component: &Path) {
        let name = component.file_name().unwrap();
        fs::copy(component, self.path("plugins").join(name)).unwrap();
    }

    /// Starts the daemon and waits until it answers.
    pub fn run(&mut self) {
        self.begin();
        self.wait_for_answer();
    }

    fn wait_for_answer(&mut self) {
        wait_for("the daemon to answer", || {
            self.must_live();
            let output = self.cli(&["status", "--json"]);
            if output.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        });
    }

    /// Panics with the log where the daemon has ended.
    pub fn must_live(&mut self) {
        if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
            panic!("the daemon ended with {status}:\n{}", self.log());
        }
    }

    /// Whether it has ended by itself; [`Daemon::reap`] comes next then.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().unwrap();
        child.try_wait().unwrap().is_some()
    }

    /// Lets go of a daemon that has ended by itself.
    pub fn reap(&mut self) {
        self.child.take().unwrap().wait().unwrap();
    }

    /// Starts the daemon and waits for nothing.
    pub fn begin(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("daemon.log"))
            .unwrap();
        let mut command = Command::new(self.program());
        command
            .args(["run", "--config"])
            .arg(self.path("mainstay.toml"));
        command.stdout(Stdio::null()).stderr(log);
        self.spawn(command);
    }

    /// Starts the daemon by this command, with the output that the command has, and waits until it answers.
    pub fn run_as(&mut self, command: Command) {
        self.spawn(command);
        self.wait_for_answer();
    }

    fn spawn(&mut self, mut command: Command) {
        command
            .stdin(Stdio::null())
            .env("RUST_LOG", "trace")
            .envs(self.environment.iter().cloned());
        self.child = Some(command.spawn().unwrap());
    }

    /// The daemon's process number.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Has it read its config and its secrets again.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// What the daemon has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Runs a command of the command line against this daemon.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program());
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("mainstay.toml"))
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Runs a command that must succeed and reads the JSON that it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let output = self.cli(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed: {stderr}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        let output = self.cli(&["events", "--json", "--since", "0"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits for an event that `wanted` accepts.
    pub fn wait_for_event(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || {
            let events = self.events();
            let kinds: Vec<&str> = events
                .iter()
                .filter_map(|event| event["kind"].as_str())
                .collect();
            let seen = format!("{kinds:?}");
            events.into_iter().find(|event| wanted(event)).ok_or(seen)
        })
    }

    /// Waits until `status --json` satisfies a predicate, and gives it.
    pub fn wait_for_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || {
            let status = self.json(&["status"]);
            if wanted(&status) {
                Ok(status)
            } else {
                Err(status.to_string())
            }
        })
    }

    /// Waits until every plugin in the directory serves.
    pub fn wait_for_plugins(&self, count: usize) {
        self.wait_for_status("plugins to serve", |status| {
            let rows = status["plugins"].as_array().unwrap();
            rows.iter().filter(|row| row["state"] == "serving").count() >= count
        });
    }

    /// SIGSTOP, and waits until all of it has stopped: from then on it does nothing, and can only be killed.
    pub fn stand_still(&self) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        wait_for("the daemon to stand still", || {
            match is_stopped(self.pid()) {
                true => Ok(()),
                false => Err("a thread of it runs".to_owned()),
            }
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills it, and all that runs in its directory or was given that.
    pub fn end(&mut self) {
        let dropped = std::mem::take(self.dropped.get_mut().unwrap());
        compiled::keep(&self.path("state"), &dropped);
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Children outlive a killed daemon; they are found by the directory that they run in or were given.
        let marker = self.directory.path().to_string_lossy().into_owned();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let about = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let text = [about("cmdline"), about("environ")].concat();
            let inside =
                fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&marker));
            let is_ours = inside || String::from_utf8_lossy(&text).contains(&marker);
            if let Some(pid) = rustix::process::Pid::from_raw(pid).filter(|_| is_ours) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }

    /// SIGTERM; whether it ended with 0.
    pub fn stop(&mut self) -> bool {
        let mut child = self.child.take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = wait_for("the daemon to end", || {
            child.try_wait().unwrap().ok_or_else(|| self.log())
        });
        status.success()
    }

    /// The pids of supervised processes, by target.
    pub fn pids(&self) -> std::collections::BTreeMap<String, u32> {
        let status = self.json(&["status"]);
        let targets = status["targets"].as_array().unwrap().iter();
        let pids = targets.filter_map(|target| {
            let pid = u32::try_from(target["pid"].as_u64()?).unwrap();
            Some((target["name"].as_str().unwrap().to_owned(), pid))
        });
        pids.collect()
    }

    /// The processes that the daemon started, as the kernel lists them: no work for the daemon.
    pub fn children(&self) -> std::collections::BTreeSet<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter();
        let lists = tasks.flatten().flatten().filter_map(|task| {
            // A thread may have ended by now.
            fs::read_to_string(task.path().join("children")).ok()
        });
        lists
            .flat_map(|list| {
                let pids = list.split_ascii_whitespace();
                pids.map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
            })
            .collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(4_000);
            eprintln!(
                "the daemon's log ends with:\n{}",
                log.get(tail..).unwrap_or(&log)
            );
        }
        self.end();
    }
}

//! The services of `examples/`, as their READMEs say to run them, with what a test fills in: ports, users, limits and times.

use crate::{Daemon, SmallDisk, free_port, packages, parent, program, repository, wait_for};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// Whom a service runs as where the tests are root, who may run no PostgreSQL.
const USER: &str = "nobody";

/// An example in a directory of its own.
pub struct Example {
    // What is dropped first is unmounted before the directory is removed.
    disk: Option<SmallDisk>,
    /// Started by [`Example::start`].
    pub daemon: Daemon,
    /// Of the service.
    pub port: u16,
    /// The target that is the service.
    name: &'static str,
    path: String,
}

impl Example {
    /// `examples/NAME` with its service on a port of its own. Its disks are never too full.
    pub fn prepare(name: &'static str, port: u16) -> Self {
        let daemon = Daemon::prepare("");
        copy(
            &repository().join("examples").join(name),
            daemon.directory.path(),
        );
        // A service of another user has to come so far.
        let open = fs::Permissions::from_mode(0o711);
        fs::set_permissions(daemon.directory.path(), open).unwrap();
        let path = [
            program().to_owned(),
            packages().program("postgres"),
            packages().program("redis-server"),
            packages().program("nginx"),
        ];
        let path = path.map(|program| program.parent().unwrap().display().to_string());
        let system = std::env::var("PATH").unwrap();
        let mut example = Self {
            disk: None,
            daemon,
            port: free_port(),
            name,
            path: format!("{}:{system}", path.join(":")),
        };
        example.daemon.set_env("PATH", &example.path);
        let libraries = packages().libraries();
        example.daemon.set_env("LD_LIBRARY_PATH", &libraries);
        let (old, new) = (port.to_string(), example.port.to_string());
        for entry in fs::read_dir(example.daemon.directory.path()).unwrap() {
            let file = entry.unwrap().path();
            let text = file.is_file().then(|| fs::read_to_string(&file).unwrap());
            if let Some(text) = text.filter(|text| text.contains(&old)) {
                fs::write(&file, text.replace(&old, &new)).unwrap();
            }
        }
        // The commands of plugins have no environment beside PATH.
        let command = format!("[command.$1]\nenv = {{ LD_LIBRARY_PATH = \"{libraries}\" }}\n");
        example.edit(|text| {
            let lines = text
                .lines()
                .map(|line| match line.strip_prefix("[command.") {
                    Some(rest) => command.replace("$1]", rest),
                    None => format!("{line}\n"),
                });
            lines.collect()
        });
        example.without_limits_of_the_disk();
        if geteuid().is_root() {
            let user = format!("# user = \"{name}\"");
            example.edit(|text| text.replace(&user, &format!("user = \"{USER}\"")));
        }
        example
    }

    fn edit(&self, change: impl FnOnce(&str) -> String) {
        let config = self.daemon.path("mainstay.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, change(&text)).unwrap();
    }

    /// The disk of the machine that runs the tests may be as full as it is.
    fn without_limits_of_the_disk(&self) {
        self.edit(|text| {
            let lines = text.lines().filter_map(|line| {
                if line.starts_with("warn_percent = ") {
                    return None;
                }
                match line.starts_with("max_percent = ") {
                    true => Some("max_percent = 100\n".to_owned()),
                    false => Some(format!("{line}\n")),
                }
            });
            lines.collect()
        });
    }

    /// Puts something in the place of a part of the config, which has it once.
    #[must_use]
    pub fn fill(self, part: &str, with: &str) -> Self {
        self.edit(|text| {
            assert_eq!(text.matches(part).count(), 1, "{part}\n{text}");
            text.replace(part, with)
        });
        self
    }

    /// Mounts a small disk on a directory of the example, with a limit that it can exceed.
    ///
    /// # Errors
    /// Nothing can be mounted here: why.
    pub fn mount(&mut self, directory: &str, size: &str) -> Result<(), String> {
        let place = self.daemon.path(directory);
        fs::create_dir_all(&place).unwrap();
        self.disk = Some(SmallDisk::mount(&place, size)?);
        self.edit(|text| text.replace("max_percent = 100", "max_percent = 80"));
        Ok(())
    }

    /// The disk that was mounted.
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().unwrap()
    }

    /// Runs a script in its directory, with its programs, and gives what it prints. `initdb` makes what belongs to the user of
    /// the service. Panics with all that it printed where it fails.
    pub fn shell(&self, script: &str) -> String {
        let prelude = match geteuid().is_root() {
            true => format!(
                "initdb() {{ chown -R {USER} pg && setpriv --reuid {USER} --clear-groups -- initdb --no-sync \"$@\"; }}\n"
            ),
            false => String::new(),
        };
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &(prelude + script)])
            .current_dir(self.daemon.directory.path())
            .env("PATH", &self.path)
            .env("LD_LIBRARY_PATH", packages().libraries())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}\n{printed}\n{error}");
        printed
    }

    /// The blocks of its README that are to be run: those before the daemon runs, and those after.
    fn blocks(&self) -> (Vec<String>, Vec<String>) {
        let text = fs::read_to_string(self.daemon.path("README.md")).unwrap();
        let (before, after) = text.split_once("<!-- run behind -->").unwrap();
        let blocks = |text: &str| {
            let parts = text.split("<!-- run -->\n```sh\n").skip(1);
            let blocks = parts.map(|part| part.split("```").next().unwrap().to_owned());
            blocks.collect::<Vec<String>>()
        };
        (blocks(before), blocks(after))
    }

    /// Does what its README says, up to the daemon that runs, and waits until the service is healthy.
    pub fn start(&mut self) {
        for block in self.blocks().0 {
            self.shell(&block);
        }
        let data = self.daemon.path("data");
        if geteuid().is_root() && data.is_dir() {
            self.shell(&format!("chown {USER} data"));
        }
        self.daemon.run();
        let plugins = fs::read_dir(self.daemon.path("plugins")).unwrap();
        self.daemon.wait_for_plugins(plugins.count());
        self.wait_until_healthy();
    }

    /// The same, started.
    pub fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Does what its README says to do with the daemon that runs, and gives all that is printed.
    pub fn walk(&self) -> String {
        let blocks = self.blocks().1.into_iter();
        let printed: Vec<String> = blocks.map(|block| self.shell(&block)).collect();
        assert!(!printed.is_empty());
        printed.concat()
    }

    /// Waits until all of the service's checks pass.
    pub fn wait_until_healthy(&self) {
        self.daemon.wait_until_all_are_healthy();
    }

    /// Stops all of its processes, as a kernel that has no time for them.
    pub fn hang(&self) {
        let pid = self.daemon.pids()[self.name];
        let all = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.parse::<u32>().ok()?;
                (number == pid || parent(number) == Some(pid)).then_some(number)
            });
        for number in all {
            let number = Pid::from_raw(number.cast_signed()).unwrap();
            // A child may have ended by now.
            let _ = kill_process(number, Signal::STOP);
        }
    }

    /// Kills it, and does something before it is started again.
    pub fn break_while_dead<T>(&self, deed: impl FnOnce() -> T) -> T {
        let is_done = |arguments: &[&str]| {
            let output = self.daemon.cli(arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        };
        is_done(&["pause", self.name]);
        let before = self.daemon.pids()[self.name];
        self.daemon.kill_child(self.name);
        self.daemon.wait_for_status("it to be dead", |status| {
            let targets = status["targets"].as_array().unwrap();
            targets.iter().all(|target| target["pid"] != before)
        });
        let done = deed();
        is_done(&["resume", self.name]);
        done
    }

    /// Waits for an alert of a kind about a failure of the service, and gives what it says.
    pub fn wait_for_alert(&self, kind: &str, failure: &str) -> String {
        let file = self.daemon.path("alerts/alerts.jsonl");
        let told = wait_for(&format!("{kind} of {failure}"), || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let mut alerts = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found =
                alerts.find(|alert| alert["kind"] == kind && alert["labels"]["failure"] == failure);
            found.ok_or(text)
        });
        assert_eq!(told["target"], self.name, "{told}");
        told["body"].as_str().unwrap().to_owned()
    }

    /// Waits until it is escalated, with words of the service in the alert; then it is repaired, and recovered by hand.
    pub fn escalates(&self, failure: &str, words: &str, repair: impl FnOnce()) {
        let told = self.wait_for_alert("operation.escalated", failure);
        assert!(told.contains(words), "{told}");
        assert!(told.contains("Runbook, step 1"), "{told}");
        let daemon = &self.daemon;
        assert!(daemon.cli(&["pause", self.name]).status.success());
        repair();
        // Refused while the last round of its own goes on.
        let operation = wait_for("a recovery by hand", || {
            let asked = [
                "recover",
                self.name,
                "--failure",
                failure,
                "--wait",
                "--json",
            ];
            let output = daemon.cli(&asked);
            serde_json::from_slice::<Value>(&output.stdout)
                .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
        });
        assert_eq!(operation["state"], "succeeded", "{operation}");
        assert!(daemon.cli(&["resume", self.name]).status.success());
        self.wait_until_healthy();
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Nothing may hold the disk when it is unmounted.
        self.daemon.end();
    }
}

/// All of a directory, into one that is there.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

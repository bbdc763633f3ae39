//! What `init` writes for a service of the machine: a unit of systemd, and where state and alerts are; and its first start.
//!
//! Invariant: a unit names plain paths alone, which need no quotes there and none in the config.
//! Invariant: what does not start is not started at the next boot either, and a unit of this name that is there stays as it is.

use anyhow::{Context, ensure};
use std::{
    env, io,
    path::{Path, PathBuf, absolute},
    process::{Command, Output, Stdio},
};

/// The unit of the repository, for the usual paths.
const UNIT: &str = include_str!("../../../../../examples/mainstay.service");
/// What it starts.
const START: &str = "/usr/local/bin/mainstay run --config /etc/mainstay/mainstay.toml";
/// What systemd calls it: by the file that stands beside `mainstay.toml`.
const NAME: &str = "mainstay.service";

/// A service of the machine.
pub(super) struct Service {
    /// Below it are state and alerts.
    pub(super) state: String,
    /// The unit's file, beside the config.
    pub(super) file: PathBuf,
    /// The unit.
    pub(super) unit: String,
}

impl Service {
    /// One that runs this program by the config, with its state below a directory.
    ///
    /// # Errors
    ///
    /// A path that a unit could name in quotes alone, or a program that cannot be told.
    pub(super) fn new(config: &Path, state: &Path) -> anyhow::Result<Self> {
        let program = env::current_exe().context("cannot tell which program this is")?;
        let state = absolute(state).context("cannot tell the present directory")?;
        Ok(Self {
            state: plain(&state)?,
            file: config.with_extension("service"),
            unit: unit(&plain(&program)?, &plain(config)?),
        })
    }

    /// Whether systemd could start it, before anything is written.
    ///
    /// # Errors
    ///
    /// Systemd does not run, or has a unit of this name, which this one would stand before.
    pub(super) fn check_startable(config: &Path) -> anyhow::Result<()> {
        let without = || {
            format!(
                "systemd does not run on this machine, and nothing was written; leave --now out, and then \
                 `mainstay run --config {}` runs it in the foreground",
                config.display()
            )
        };
        // It ends well in the state `running` alone.
        let state = ask(&["is-system-running"]).with_context(without)?;
        ensure!(printed(&state) != "offline", without());
        let found = ask(&["show", "--property=FragmentPath", "--value", NAME]);
        let found = found.context("cannot run systemctl")?;
        let other = printed(&found);
        ensure!(
            other.is_empty(),
            "systemd has {NAME} already, by {other}, and nothing was written; is Mainstay installed here? Remove that one, or \
             leave --now out and give the new one another name"
        );
        Ok(())
    }

    /// Has systemd start it, now and at each boot; it has when the daemon says that it is ready.
    ///
    /// # Errors
    ///
    /// Systemd does not take the unit, as where it has another one of this name, or the daemon does not start.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        let file = self.file.display().to_string();
        systemctl(&["enable", &file])
            .context("systemd does not take the unit, and what was written is taken away again")?;
        let started = systemctl(&["start", NAME]);
        if started.is_err() {
            // It goes on trying, and would at the next boot. Of two errors the first one is told.
            let _ = systemctl(&["disable", "--now", NAME]);
        }
        started.context(
            "the service does not start, and what was written is taken away again; `journalctl -u mainstay` says why",
        )
    }
}

fn ask(arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new("systemctl");
    // A prompt would go unseen: what it prints is kept.
    command.arg("--no-ask-password").args(arguments);
    command.stdin(Stdio::null()).output()
}

fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().to_owned()
}

/// Asks systemd for something; what it says against it is in the error.
fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let output = ask(arguments).context("cannot run systemctl")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "systemctl {} ended with {}: {}",
        arguments.join(" "),
        output.status,
        told.trim()
    );
    Ok(())
}

fn unit(program: &str, config: &str) -> String {
    let (_, below) = UNIT.split_once('\n').unwrap_or_default();
    let head = "# By `mainstay init --service`; `systemctl enable --now` takes this file by its whole path.";
    format!("{head}\n{below}").replace(START, &format!("{program} run --config {config}"))
}

fn plain(path: &Path) -> anyhow::Result<String> {
    let shown = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._+-".contains(letter);
    ensure!(
        shown.chars().all(is_plain),
        "{shown} cannot stand in a unit, and nothing was written; name a path of a-z, A-Z, 0-9 and /._+- alone"
    );
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_that_of_the_repository_but_for_what_it_starts() {
        assert_eq!(UNIT.matches(START).count(), 1);
        let unit = unit("/opt/mainstay", "/srv/host/mainstay.toml");
        let start = "ExecStart=/opt/mainstay run --config /srv/host/mainstay.toml";
        assert!(unit.lines().any(|line| line == start), "{unit}");
        assert!(!unit.contains("copy it to"), "{unit}");
        assert_eq!(unit.lines().count(), UNIT.lines().count());
    }

    #[test]
    fn a_path_that_would_need_quotes_is_refused() {
        assert_eq!(
            plain(Path::new("/var/lib/x_1.d")).unwrap(),
            "/var/lib/x_1.d"
        );
        for path in ["/var/my state", "/var/50%", "/var/$x", "/var/\"x\""] {
            assert!(plain(Path::new(path)).is_err(), "{path}");
        }
    }
}

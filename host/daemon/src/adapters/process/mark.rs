//! Marks by which a later daemon finds the children of an earlier one.
//!
//! A child is marked twice: by the variable `MAINSTAY_TARGET` in its environment, and by its output, which goes to the
//! target's log, also where that was moved or deleted since. Programs that show their state in the process list
//! (PostgreSQL, Redis, nginx) write over their first environment, and programs that log elsewhere leave the log; none is
//! known to do both before it serves.
//!
//! Anyone can write such a mark: a variable is free, and a file of the same name can be had in a mount namespace of one's
//! own. So a mark counts only where the process runs as the daemon, or as the user of the target that it names; to be ended
//! it may run as anyone where its output is that very file, which nobody but the daemon hands out: workers often change
//! their user.
//!
//! The environment of a process names its target as that was called when it was started; see `alias`.
//!
//! A child whose daemon was killed in the midst of starting it has neither mark yet. But it holds the daemon's descriptor
//! of the log from the moment on which it exists, and so it is waited for until it has become what it is to be.
//!
//! Invariant: a look that the daemon cannot do, for want of descriptors say, is an error and never finds nothing: a process
//! that is not found would get a second copy.

mod one;
mod scans;
mod seen;

use super::{
    alias::Aliases,
    environ, log,
    output::{self, FileId, Written},
    stat,
};
use crate::{adapters::limits, ports::NamedProcess};
use mainstay_domain::{
    name::TargetName,
    record::{OutputFile, ProcessIdentity},
    time::Timestamp,
};
use one::Mark;
use seen::Seen;
use std::{
    collections::HashSet,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Holds `STATE/TARGET/STARTED/RESTARTS`: a digest of the state directory (its path, and which directory that is, for in
/// another mount namespace it may be another one), the target, when it was started in
/// milliseconds since the Unix epoch, and how often it was restarted before.
pub(super) const VARIABLE: &str = "MAINSTAY_TARGET";

/// A child is made within a millisecond, or within some more where the machine is very busy.
const SETTLE: Duration = Duration::from_secs(2);

/// The marks of one state directory.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    state: String,
    /// As an earlier version wrote it, by the path alone.
    old_state: String,
    logs: PathBuf,
    aliases: Aliases,
    written: Written,
    seen: Seen,
}

impl Marks {
    /// `logs` is resolved: absolute and without symbolic links.
    pub(super) fn new(logs: &Path) -> Self {
        let path = logs.as_os_str().as_encoded_bytes();
        let which = std::fs::metadata(logs).map(|logs| format!("{}:{}", logs.dev(), logs.ino()));
        let digest =
            |bytes: &[u8]| -> String { blake3::hash(bytes).to_hex().chars().take(16).collect() };
        Self {
            state: digest(&[path, b"\0", which.unwrap_or_default().as_bytes()].concat()),
            old_state: digest(path),
            logs: logs.to_owned(),
            aliases: Aliases::default(),
            written: Written::default(),
            seen: Seen::default(),
        }
    }

    /// What tells the state directory from others.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// Of starts under another name; clones of this value share them.
    pub(super) fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// By what the files that processes write to are known, whatever their names are by now.
    pub(super) fn written(&self) -> &Written {
        &self.written
    }

    /// The variable's value.
    pub(super) fn text(&self, target: &TargetName, started_at: Timestamp, restarts: u32) -> String {
        let millis = started_at.as_millis();
        format!("{}/{target}/{millis}/{restarts}", self.state)
    }

    /// What the environment says; none where that cannot be told.
    fn read(&self, pid: u32) -> io::Result<Option<Option<Mark>>> {
        let environment = environ::look(pid)?;
        Ok(environment.map(|environment| Self::in_environment(&environment, &[&self.state])))
    }

    fn in_environment(environment: &[u8], states: &[&str]) -> Option<Mark> {
        environment.split(|&byte| byte == 0).find_map(|entry| {
            let value = std::str::from_utf8(entry).ok()?.strip_prefix(VARIABLE)?;
            let value = value.strip_prefix('=')?;
            states.iter().find_map(|state| Mark::parse(state, value))
        })
    }

    fn by_output(&self, pid: u32) -> io::Result<Option<Mark>> {
        let target = output::target_written_by(pid, &self.logs, &self.written)?;
        Ok(target.map(|target| Mark {
            target,
            start: None,
            marked_as: None,
        }))
    }

    fn by_either(&self, pid: u32) -> io::Result<Option<Mark>> {
        let by_environment = self.read(pid)?.flatten();
        self.or_by_output(pid, by_environment)
    }

    fn or_by_output(&self, pid: u32, by_environment: Option<Mark>) -> io::Result<Option<Mark>> {
        Ok(match by_environment {
            Some(mark) => Some(self.of_today(mark)),
            None => self.by_output(pid)?,
        })
    }

    /// With the target's name of today: a log is renamed with its target.
    fn of_today(&self, mark: Mark) -> Mark {
        let owner = |start| self.aliases.owner(&mark.target, start);
        match mark.start.and_then(owner) {
            None => mark,
            Some(target) => Mark {
                target,
                start: mark.start,
                marked_as: Some(mark.target),
            },
        }
    }

    /// What marks a process of this user. The environment is read only where the user is one of those whose processes can
    /// be a target's, for of others it counts for nothing.
    fn mark_of(&self, pid: u32, uid: u32, users: &HashSet<u32>) -> io::Result<Option<Mark>> {
        match users.contains(&uid) {
            true => self.by_either(pid),
            false => self.by_output(pid),
        }
    }

    /// Whether it is on the way from `fork` to `exec`: it writes to a log of ours, but not as its output.
    fn is_between_fork_and_exec(&self, pid: u32) -> io::Result<bool> {
        if pid == std::process::id() {
            return Ok(false);
        }
        let descriptors = limits::seen(std::fs::read_dir(format!("/proc/{pid}/fd")))?;
        for descriptor in descriptors.into_iter().flatten() {
            let Some(descriptor) = limits::seen(descriptor)? else {
                continue;
            };
            let file = limits::seen(std::fs::read_link(descriptor.path()))?;
            let is_log = file.is_some_and(|file| {
                log::target_of(&self.logs, &file).is_some()
                    && output::is_seen_from_here(&self.logs, &file, &descriptor.path())
            });
            let name = descriptor.file_name();
            if let Some(number) = name.to_str().filter(|_| is_log)
                && output::writes(pid, number)?
            {
                return Ok(self.by_either(pid)?.is_none());
            }
        }
        Ok(false)
    }

    fn in_the_making(&self) -> io::Result<Option<u32>> {
        for pid in all()? {
            if self.is_between_fork_and_exec(pid)? {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    }

    /// Waits until no process is in the making any more; blocks.
    fn settle(&self) -> io::Result<()> {
        let start = Instant::now();
        while let Some(pid) = self.in_the_making()? {
            if start.elapsed() > SETTLE {
                tracing::warn!(
                    pid,
                    "a process holds a log of a target and is none of its processes"
                );
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// A living process that a pid file names, where it carries the mark of this target.
    pub(super) fn named(
        &self,
        target: &TargetName,
        named: NamedProcess,
        boot_id: &str,
        now: Timestamp,
    ) -> io::Result<Option<ProcessIdentity>> {
        let NamedProcess { pid, start_ticks } = named;
        let mark = self.by_either(pid)?.filter(|mark| mark.target == *target);
        Ok(mark.map(|mark| ProcessIdentity {
            output: self.output_of(target, pid),
            ..mark.identity(pid, start_ticks, boot_id, now)
        }))
    }

    /// The file that a process of this target writes to, where that is still its log by its name.
    fn output_of(&self, target: &TargetName, pid: u32) -> Option<OutputFile> {
        let log = log::path(&self.logs, target);
        output::written_by(pid, &log).and_then(FileId::record)
    }
}

/// The numbers of all processes; see [`limits::seen`].
fn all() -> io::Result<Vec<u32>> {
    Ok(limits::seen(stat::all())?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_that_of_another_state_directory_does_not() {
        let (ours, others) = (
            Marks::new(Path::new("/a/logs")),
            Marks::new(Path::new("/b/logs")),
        );
        let target = TargetName::parse("web-1").unwrap();
        let text = ours.text(&target, Timestamp::from_millis(1_700_000_000_123), 4);
        let expected = Mark {
            target,
            start: Some((Timestamp::from_millis(1_700_000_000_123), 4)),
            marked_as: None,
        };
        let parse = |marks: &Marks, text: &str| Mark::parse(&marks.state, text);
        assert_eq!(parse(&ours, &text), Some(expected));
        assert_eq!(parse(&others, &text), None);
        for cut in 0..text.len() - 1 {
            assert_eq!(parse(&ours, &text[..cut]), None, "{}", &text[..cut]);
        }
    }

    #[test]
    fn another_directory_with_the_same_path_has_other_marks() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let (before, same) = (Marks::new(&logs), Marks::new(&logs));
        // As in another mount namespace.
        std::fs::rename(&logs, dir.path().join("others")).unwrap();
        std::fs::create_dir(&logs).unwrap();
        let other = Marks::new(&logs);
        assert_eq!(before.state, same.state);
        assert_ne!(before.state, other.state);
        assert_eq!(before.old_state, other.old_state);
    }

    #[test]
    fn the_mark_of_an_earlier_version_counts_only_for_a_process_that_is_recorded() {
        use std::{collections::HashMap, os::unix::process::CommandExt};
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::new(dir.path());
        let started_at = Timestamp::from_millis(1_700_000_000_123);
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("1000")
            .env(
                VARIABLE,
                format!("{}/web/{}/0", marks.old_state, started_at.as_millis()),
            )
            .process_group(0)
            .spawn()
            .unwrap();
        let found = marks.leaders("boot", started_at, &HashMap::new()).unwrap();
        assert_eq!(found, []);
        let mark = Mark {
            target: TargetName::parse("web").unwrap(),
            start: Some((started_at, 0)),
            marked_as: None,
        };
        let recorded = mark.identity(child.id(), 0, "boot", started_at);
        marks.end_leftovers(&[recorded]).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }
}

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

mod one;

use super::{
    alias::Aliases,
    environ,
    leftovers::Marked,
    log,
    output::{self, Written},
    stat::{self, ProcessStat},
};
use crate::ports::NamedProcess;
use mainstay_domain::{name::TargetName, record::ProcessIdentity, time::Timestamp};
use one::Mark;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::{HashMap, HashSet},
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
}

impl Marks {
    /// `logs` is resolved: absolute and without symbolic links.
    pub(super) fn new(logs: &Path) -> Self {
        let path = logs.as_os_str().as_encoded_bytes();
        let which = std::fs::metadata(logs).map(|logs| format!("{}:{}", logs.dev(), logs.ino()));
        let digest = |bytes: &[u8]| -> String { blake3::hash(bytes).to_hex().chars().take(16).collect() };
        Self {
            state: digest(&[path, b"\0", which.unwrap_or_default().as_bytes()].concat()),
            old_state: digest(path),
            logs: logs.to_owned(),
            aliases: Aliases::default(),
            written: Written::default(),
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

    fn by_environment(&self, pid: u32) -> Option<Mark> {
        Self::in_environment(pid, &[&self.state])
    }

    fn in_environment(pid: u32, states: &[&str]) -> Option<Mark> {
        let environment = environ::of(pid)?;
        environment.split(|&byte| byte == 0).find_map(|entry| {
            let value = std::str::from_utf8(entry).ok()?.strip_prefix(VARIABLE)?;
            let value = value.strip_prefix('=')?;
            states.iter().find_map(|state| Mark::parse(state, value))
        })
    }

    fn by_output(&self, pid: u32) -> Option<Mark> {
        let target = output::target_written_by(pid, &self.logs, &self.written)?;
        Some(Mark {
            target,
            start: None,
            marked_as: None,
        })
    }

    /// What marks a process of this user, with the target's name of today: a log is renamed with its target. The
    /// environment is read only where the user is one of those whose processes can be a target's, for of others it counts
    /// for nothing.
    fn mark_of(&self, pid: u32, uid: u32, users: &HashSet<u32>) -> Option<Mark> {
        let is_known = users.contains(&uid);
        let by_environment = is_known.then(|| self.by_environment(pid)).flatten();
        let mark = by_environment.or_else(|| self.by_output(pid))?;
        let owner = |start| self.aliases.owner(&mark.target, start);
        let owner = mark.start.and_then(owner);
        Some(match owner {
            None => mark,
            Some(target) => Mark {
                target,
                start: mark.start,
                marked_as: Some(mark.target),
            },
        })
    }

    /// Whether it is on the way from `fork` to `exec`: it writes to a log of ours, but not as its output.
    fn is_between_fork_and_exec(&self, pid: u32) -> bool {
        if pid == std::process::id() {
            return false;
        }
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let mut numbers = descriptors
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|descriptor| {
                let file = std::fs::read_link(descriptor.path()).ok()?;
                log::target_of(&self.logs, &file)?;
                if !output::is_seen_from_here(&self.logs, &file, &descriptor.path()) {
                    return None;
                }
                descriptor.file_name().into_string().ok()
            });
        numbers.any(|number| output::writes(pid, &number))
            && self.by_output(pid).is_none()
            && self.by_environment(pid).is_none()
    }

    /// Waits until no process is in the making any more; blocks.
    fn settle(&self) {
        let start = Instant::now();
        while let Some(pid) = stat::all()
            .into_iter()
            .find(|&pid| self.is_between_fork_and_exec(pid))
        {
            if start.elapsed() > SETTLE {
                tracing::warn!(
                    pid,
                    "a process holds a log of a target and is none of its processes"
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Every living, marked leader of a process group, oldest first. Their descendants may be among them, where they
    /// lead a group of their own; those that lead a session are not. `uids` has the users that targets run as, where it is
    /// not the daemon's own.
    pub(super) fn leaders(
        &self,
        boot_id: &str,
        now: Timestamp,
        uids: &HashMap<TargetName, u32>,
    ) -> Vec<(TargetName, ProcessIdentity)> {
        self.settle();
        let own = rustix::process::getuid().as_raw();
        let users = all_users(own, uids);
        let mut found: Vec<_> = stat::all()
            .into_iter()
            .filter_map(|pid| {
                let stat = ProcessStat::read(pid).ok()??;
                // A leader of a group cannot lead a session later on, so what does was left behind by one.
                if stat.group != pid || stat.session == pid || stat.has_ended() {
                    return None;
                }
                let uid = stat::real_uid(pid)?;
                let mark = self.mark_of(pid, uid, &users)?;
                if uid != own && uids.get(&mark.target) != Some(&uid) {
                    tracing::warn!(
                        pid,
                        uid,
                        target_name = %mark.target,
                        "a process of another user has the mark of a target, and is left alone"
                    );
                    return None;
                }
                let identity = mark.identity(pid, stat.start_ticks, boot_id, now);
                Some((mark.target, identity))
            })
            .collect();
        found.sort_by_key(|(_, identity)| (identity.start_ticks, identity.pid));
        found
    }

    /// A living process that a pid file names, where it carries the mark of this target.
    pub(super) fn named(
        &self,
        target: &TargetName,
        named: NamedProcess,
        uids: &HashMap<TargetName, u32>,
        boot_id: &str,
        now: Timestamp,
    ) -> Option<ProcessIdentity> {
        let NamedProcess { pid, start_ticks } = named;
        let users = all_users(rustix::process::getuid().as_raw(), uids);
        let uid = stat::real_uid(pid)?;
        let mark = self.mark_of(pid, uid, &users)?;
        (mark.target == *target).then(|| mark.identity(pid, start_ticks, boot_id, now))
    }

    /// Every living process that carries the mark of a target that is `wanted`, whatever group and session it is in.
    pub(super) fn carriers(
        &self,
        uids: &HashMap<TargetName, u32>,
        wanted: impl Fn(&TargetName) -> bool,
    ) -> Vec<Marked> {
        let own = rustix::process::getuid().as_raw();
        let users = all_users(own, uids);
        let carrier = |pid: u32| {
            let stat = ProcessStat::read(pid).ok()??;
            if stat.has_ended() || pid == std::process::id() {
                return None;
            }
            let uid = stat::real_uid(pid)?;
            let mark = self.mark_of(pid, uid, &users)?;
            let target = Some(mark.target).filter(&wanted)?;
            let is_trusted = uid == own
                || uids.get(&target) == Some(&uid)
                || output::is_output_of(pid, &self.logs, &target, &self.written);
            is_trusted.then_some(Marked {
                target,
                pid,
                state: char::from(stat.state),
            })
        };
        stat::all().into_iter().filter_map(carrier).collect()
    }

    /// Kills what is left of the groups of leaders that are not there any more: one look at every process, however many
    /// the leaders are.
    pub(super) fn end_leftovers(&self, leaders: &[ProcessIdentity]) {
        let mut started: HashMap<u32, Vec<Timestamp>> = HashMap::new();
        for leader in leaders {
            started
                .entry(leader.pid)
                .or_default()
                .push(leader.started_at);
        }
        for pid in stat::all() {
            let stat = ProcessStat::read(pid).ok().flatten();
            let Some(stat) = stat.filter(|stat| !stat.has_ended()) else {
                continue;
            };
            let is_marked = |starts: &Vec<Timestamp>| {
                // Of a process that is recorded the mark of an earlier version counts too.
                let mark = Self::in_environment(pid, &[&self.state, &self.old_state]);
                let start = mark.and_then(|mark| mark.start);
                start.is_some_and(|(started_at, _)| starts.contains(&started_at))
            };
            let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
            if let Some(number) = number
                && started.get(&stat.group).is_some_and(is_marked)
            {
                tracing::warn!(
                    pid,
                    leader = stat.group,
                    "killing what a dead process left behind"
                );
                let _ = kill_process(number, Signal::KILL);
            }
        }
    }
}

/// Those that processes of targets run as.
fn all_users(own: u32, uids: &HashMap<TargetName, u32>) -> HashSet<u32> {
    uids.values().copied().chain([own]).collect()
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
        use std::os::unix::process::CommandExt;
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::new(dir.path());
        let started_at = Timestamp::from_millis(1_700_000_000_123);
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("1000")
            .env(VARIABLE, format!("{}/web/{}/0", marks.old_state, started_at.as_millis()))
            .process_group(0)
            .spawn()
            .unwrap();
        assert_eq!(marks.leaders("boot", started_at, &HashMap::new()), []);
        let mark = Mark {
            target: TargetName::parse("web").unwrap(),
            start: Some((started_at, 0)),
            marked_as: None,
        };
        let recorded = mark.identity(child.id(), 0, "boot", started_at);
        marks.end_leftovers(&[recorded]);
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }
}

//! Looks at every process of the machine for marks.

use super::{super::leftovers::Marked, Marks, all, one::Mark, seen::Look};
use crate::adapters::{
    limits,
    process::{
        environ, output, signal,
        stat::{self, Listed, ProcessStat},
    },
};
use mainstay_domain::{name::TargetName, record::ProcessIdentity, time::Timestamp};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    io,
};

/// A machine on which programs start all the time is listed no more often than this.
const MOST_LISTS: usize = 8;
/// So many processes are looked at together, for their environments are in memory at one time.
const TOGETHER: usize = 64;

/// A process that may carry a mark that is looked for.
struct Candidate {
    process: Listed,
    stat: ProcessStat,
    uid: u32,
    /// It runs as one whose processes can be a target's, so that what its environment says counts.
    is_of_user: bool,
}

impl Marks {
    /// Every living, marked leader of a process group, oldest first. Their descendants may be among them, where they
    /// lead a group of their own; those that lead a session are not. `uids` has the users that targets run as, where it is
    /// not the daemon's own.
    pub(in super::super) fn leaders(
        &self,
        boot_id: &str,
        now: Timestamp,
        uids: &HashMap<TargetName, u32>,
    ) -> io::Result<Vec<(TargetName, ProcessIdentity)>> {
        self.settle()?;
        let own = rustix::process::getuid().as_raw();
        let users = all_users(own, uids);
        let mut found = Vec::new();
        for pid in all()? {
            let Some(stat) = stat_of(pid)? else { continue };
            // A leader of a group cannot lead a session later on, so what does was left behind by one.
            if stat.group != pid || stat.session == pid || stat.has_ended() || stat.is_kernel {
                continue;
            }
            let Some(uid) = uid_of(pid)? else { continue };
            let Some(mark) = self.mark_of(pid, uid, &users)? else {
                continue;
            };
            if uid != own && uids.get(&mark.target) != Some(&uid) {
                tracing::warn!(
                    pid,
                    uid,
                    target_name = %mark.target,
                    "a process of another user has the mark of a target, and is left alone"
                );
                continue;
            }
            let identity = ProcessIdentity {
                output: self.output_of(&mark.target, pid),
                ..mark.identity(pid, stat.start_ticks, boot_id, now)
            };
            found.push((mark.target, identity));
        }
        found.sort_by_key(|(_, identity)| (identity.start_ticks, identity.pid));
        Ok(found)
    }

    /// Every living process that carries the mark of a target that is `wanted`, whatever group and session it is in.
    pub(in super::super) fn carriers(
        &self,
        uids: &HashMap<TargetName, u32>,
        wanted: impl Fn(&TargetName) -> bool,
    ) -> io::Result<Vec<Marked>> {
        let own = rustix::process::getuid().as_raw();
        let users = all_users(own, uids);
        let mut found = Vec::new();
        let mut look = self.seen.look();
        visit_all(all_listed, |new| {
            for some in new.chunks(TOGETHER) {
                let mut candidates = Vec::new();
                for process in some {
                    candidates.extend(self.candidate(*process, &mut look, &users, &wanted)?);
                }
                let read = candidates.iter().filter(|one| one.is_of_user);
                let read: Vec<u32> = read.map(|one| one.process.pid).collect();
                let mut environments = environ::look_all(&read).into_iter();
                for one in candidates {
                    let pid = one.process.pid;
                    let mark = match one.is_of_user {
                        true => {
                            let environment = environments.next().transpose()?.flatten();
                            self.mark_in(&one, environment, &mut look)?
                        }
                        false => self.by_output(pid)?,
                    };
                    let target = mark.map(|mark| mark.target);
                    let Some(target) = target.filter(&wanted) else {
                        continue;
                    };
                    let is_trusted = one.uid == own
                        || uids.get(&target) == Some(&one.uid)
                        || output::is_output_of(pid, &self.logs, &target, &self.written);
                    if is_trusted {
                        found.push(Marked {
                            target,
                            pid,
                            start_ticks: one.stat.start_ticks,
                            state: char::from(one.stat.state),
                        });
                    }
                }
            }
            Ok(())
        })?;
        look.done();
        Ok(found)
    }

    /// A living process that may carry a mark that is `wanted`.
    fn candidate(
        &self,
        process: Listed,
        look: &mut Look<'_>,
        users: &HashSet<u32>,
        wanted: impl Fn(&TargetName) -> bool,
    ) -> io::Result<Option<Candidate>> {
        let pid = process.pid;
        if look.is_own(process) || look.passes_over(process) {
            return Ok(None);
        }
        let Some(stat) = stat_of(pid)? else {
            return Ok(None);
        };
        if stat.is_kernel {
            look.is_kernel(process, &stat);
        }
        if stat.has_ended() || stat.is_kernel {
            return Ok(None);
        }
        let known = look.known(process, &stat);
        // Neither mark of a process that has settled comes later.
        if matches!(known, Some(None)) {
            return Ok(None);
        }
        let is_wanted = |mark: &Mark| wanted(&self.of_today(mark.clone()).target);
        if known.iter().flatten().any(|mark| !is_wanted(mark)) {
            return Ok(None);
        }
        let uid = uid_of(pid)?;
        Ok(uid.map(|uid| Candidate {
            process,
            stat,
            uid,
            is_of_user: users.contains(&uid),
        }))
    }

    /// What marks a process with this environment, which is none where that cannot be told.
    fn mark_in(
        &self,
        one: &Candidate,
        environment: Option<Vec<u8>>,
        look: &mut Look<'_>,
    ) -> io::Result<Option<Mark>> {
        let read =
            environment.map(|environment| Self::in_environment(&environment, &[&self.state]));
        let mark = self.or_by_output(one.process.pid, read.clone().flatten())?;
        if let Some(read) = read
            // One that is known by its output alone may be another's later on.
            && (read.is_some() || mark.is_none())
        {
            look.read(one.process, &one.stat, read);
        }
        Ok(mark)
    }

    /// Kills what is left of the groups of leaders that are not there any more: one look at every process, however many
    /// the leaders are.
    pub(in super::super) fn end_leftovers(&self, leaders: &[ProcessIdentity]) -> io::Result<()> {
        let mut started: HashMap<u32, Vec<Timestamp>> = HashMap::new();
        for leader in leaders {
            started
                .entry(leader.pid)
                .or_default()
                .push(leader.started_at);
        }
        for pid in all()? {
            let lives = |stat: &ProcessStat| !stat.has_ended() && !stat.is_kernel;
            let Some(stat) = stat_of(pid)?.filter(lives) else {
                continue;
            };
            let Some(starts) = started.get(&stat.group) else {
                continue;
            };
            // Of a process that is recorded the mark of an earlier version counts too.
            let environment = environ::look(pid)?.unwrap_or_default();
            let mark = Self::in_environment(&environment, &[&self.state, &self.old_state]);
            let start = mark.and_then(|mark| mark.start);
            let is_marked = start.is_some_and(|(started_at, _)| starts.contains(&started_at));
            if is_marked {
                tracing::warn!(pid, "killing what a dead process left behind");
                // As long as it is there, the number of the group is no other's.
                if let Some(group) = Pid::from_raw(stat.group.cast_signed()) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                limits::seen(signal::kill_exactly(pid, stat.start_ticks))?;
            }
        }
        Ok(())
    }
}

/// Visits every process, and then those that have come meanwhile: one that is listed may start another one and end before
/// it is visited, as programs do that put themselves into the background.
fn visit_all<T: Copy + Eq + Hash>(
    mut list: impl FnMut() -> io::Result<Vec<T>>,
    mut visit: impl FnMut(Vec<T>) -> io::Result<()>,
) -> io::Result<()> {
    let mut met = HashSet::new();
    for _ in 0..MOST_LISTS {
        let listed = list()?.into_iter();
        let new: Vec<T> = listed.filter(|one| met.insert(*one)).collect();
        if new.is_empty() {
            break;
        }
        visit(new)?;
    }
    Ok(())
}

fn all_listed() -> io::Result<Vec<Listed>> {
    Ok(limits::seen(stat::listed())?.unwrap_or_default())
}

fn stat_of(pid: u32) -> io::Result<Option<ProcessStat>> {
    Ok(limits::seen(ProcessStat::read(pid))?.flatten())
}

fn uid_of(pid: u32) -> io::Result<Option<u32>> {
    Ok(limits::seen(stat::real_uid(pid))?.flatten())
}

/// Those that processes of targets run as.
fn all_users(own: u32, uids: &HashMap<TargetName, u32>) -> HashSet<u32> {
    uids.values().copied().chain([own]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_that_is_gone_has_started_meanwhile_is_visited_and_nobody_twice() {
        let mut lists = [vec![1, 2, 7], vec![1, 8], vec![1, 9, 8], vec![9, 1]].into_iter();
        let mut visited: Vec<i32> = Vec::new();
        let visits = visit_all(
            || Ok(lists.next().unwrap()),
            |new: Vec<i32>| {
                visited.extend(new);
                Ok(())
            },
        );
        visits.unwrap();
        assert_eq!(visited, [1, 2, 7, 8, 9]);
    }

    #[test]
    fn it_ends_though_programs_start_all_the_time() {
        let mut last = 0;
        let list = || {
            last += 1;
            Ok(vec![last])
        };
        visit_all(list, |_| Ok(())).unwrap();
        assert_eq!(last, u32::try_from(MOST_LISTS).unwrap());
    }
}

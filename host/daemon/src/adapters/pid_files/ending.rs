//! The end of a process that a pid file names.

use super::KILL_GRACE;
use crate::{
    adapters::process::{
        kill_exactly,
        stat::{ProcessStat, all},
    },
    ports::{NamedEnd, NamedProcess},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, getpgrp, pidfd_open, pidfd_send_signal},
};
use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// Blocks until the process has ended; none where it lives on.
pub(super) fn end(
    process: NamedProcess,
    was_asked: bool,
    grace: Duration,
) -> io::Result<Option<NamedEnd>> {
    let Some(pidfd) = open(process)? else {
        return Ok(Some(NamedEnd::ByItself));
    };
    if !was_asked {
        send(&pidfd, Signal::TERM)?;
    }
    // A stopped process acts on it only once it is continued.
    send(&pidfd, Signal::CONT)?;
    if ends_within(&pidfd, grace)? {
        return Ok(Some(match was_asked {
            true => NamedEnd::ByItself,
            false => NamedEnd::Terminated,
        }));
    }
    // It ends none of them when it is killed, and they hold its ports and its files.
    let group = group_of(process)?;
    send(&pidfd, Signal::KILL)?;
    for member in &group {
        // Where one may not be ended from here, the start of the next service says what is in its way.
        let _ = kill_exactly(member.pid, member.start_ticks);
    }
    if !ends_within(&pidfd, KILL_GRACE)? {
        return Ok(None);
    }
    for member in group {
        ended(member, KILL_GRACE)?;
    }
    Ok(Some(NamedEnd::Killed))
}

/// The others of the group that it leads. None where it leads none, for that is the group of whoever started it, nor where the
/// daemon is one of them.
fn group_of(process: NamedProcess) -> io::Result<Vec<NamedProcess>> {
    let own = getpgrp().as_raw_pid().unsigned_abs();
    let is_leader =
        |stat: ProcessStat| (stat.group, stat.start_ticks) == (process.pid, process.start_ticks);
    let leads = ProcessStat::read(process.pid)?.is_some_and(is_leader);
    if !leads || own == process.pid {
        return Ok(Vec::new());
    }
    let mut others = Vec::new();
    for pid in all()?.into_iter().filter(|pid| *pid != process.pid) {
        // What ends meanwhile is not in the way.
        let stat = ProcessStat::read(pid).ok().flatten();
        let stat = stat.filter(|stat| stat.group == process.pid && !stat.has_ended());
        others.extend(stat.map(|stat| NamedProcess {
            pid,
            start_ticks: stat.start_ticks,
        }));
    }
    Ok(others)
}

/// Blocks; whether this very process has ended, or does within this time.
pub(super) fn ended(process: NamedProcess, within: Duration) -> io::Result<bool> {
    match open(process)? {
        Some(pidfd) => ends_within(&pidfd, within),
        None => Ok(true),
    }
}

/// This very process; none where it has ended.
fn open(process: NamedProcess) -> io::Result<Option<OwnedFd>> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // After opening, not before: the process that has this start time now is the one that the descriptor means.
    let stat = ProcessStat::read(process.pid)?;
    let is_it = |stat: ProcessStat| stat.start_ticks == process.start_ticks && !stat.has_ended();
    Ok(stat.is_some_and(is_it).then_some(pidfd))
}

fn send(pidfd: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ends_within(pidfd: &OwnedFd, time: Duration) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        let left = time.saturating_sub(start.elapsed());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

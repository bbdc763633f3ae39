//! Signals to the groups of supervised processes.

use super::{child::Children, stat::ProcessStat};
use crate::ports::ProcessError;
use mainstay_domain::{effect::Signal, record::ProcessIdentity};
use rustix::process::{
    Pid, PidfdFlags, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};
use std::io;

/// To the whole group, which has the number of its leader.
pub(super) fn send(
    identity: &ProcessIdentity,
    signal: rustix::process::Signal,
) -> Result<(), io::Error> {
    let group = i32::try_from(identity.pid).ok().and_then(Pid::from_raw);
    let group = group.ok_or(io::ErrorKind::InvalidInput)?;
    match kill_process_group(group, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// SIGKILL to the very process that had this number and this start, whatever has the number by now.
pub(in crate::adapters) fn kill_exactly(pid: u32, start_ticks: u64) -> io::Result<()> {
    send_exactly(pid, start_ticks, rustix::process::Signal::KILL)
}

/// To that very process alone.
fn send_exactly(pid: u32, start_ticks: u64, signal: rustix::process::Signal) -> io::Result<()> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let number = number.ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // After opening, not before: the process that has this start time now is the one that the descriptor means.
    if ProcessStat::read(pid)?.is_none_or(|stat| stat.start_ticks != start_ticks) {
        return Ok(());
    }
    match pidfd_send_signal(&pidfd, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// To a living process and what belongs to it: its group where it leads one. A program that has forked twice leads none:
/// it alone is asked, and with SIGKILL all of its group goes, unless that is the daemon's own.
pub(super) fn send_to(
    identity: &ProcessIdentity,
    group: u32,
    signal: rustix::process::Signal,
) -> Result<(), io::Error> {
    if group == identity.pid {
        return send(identity, signal);
    }
    let number = |number: u32| i32::try_from(number).ok().and_then(Pid::from_raw);
    let own = rustix::process::getpgrp();
    if signal == rustix::process::Signal::KILL
        && let Some(group) = number(group).filter(|group| *group != own)
    {
        // What is left of it shows as a process that lives on.
        let _ = kill_process_group(group, signal);
    }
    let pid = number(identity.pid).ok_or(io::ErrorKind::InvalidInput)?;
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What the process is, where it is still that very process, and has not ended.
fn living(
    children: &Children,
    identity: &ProcessIdentity,
) -> Result<Option<ProcessStat>, ProcessError> {
    let pid = identity.pid;
    let stat = children.stat(identity);
    let stat = stat.map_err(|source| ProcessError::Unseen { pid, source })?;
    Ok(stat.filter(|stat| !stat.has_ended()))
}

/// The same, where it is still that very process, and has not ended.
pub(super) fn deliver(
    children: &Children,
    identity: &ProcessIdentity,
    signal: Signal,
) -> Result<(), ProcessError> {
    let pid = identity.pid;
    let Some(stat) = living(children, identity)? else {
        return Ok(());
    };
    let sent = send_to(identity, stat.group, number(signal));
    sent.map_err(|source| ProcessError::Signal { pid, source })
}

/// To the process alone, where it is still that very process, and has not ended.
pub(super) fn deliver_alone(
    children: &Children,
    identity: &ProcessIdentity,
    signal: Signal,
) -> Result<(), ProcessError> {
    let pid = identity.pid;
    if living(children, identity)?.is_none() {
        return Ok(());
    }
    // One that was adopted is nobody's to reap here, so its number may be another's from now on.
    let sent = send_exactly(pid, identity.start_ticks, number(signal));
    sent.map_err(|source| ProcessError::Signal { pid, source })
}

/// The signal as the system knows it.
pub(super) fn number(signal: Signal) -> rustix::process::Signal {
    match signal {
        Signal::Hup => rustix::process::Signal::HUP,
        Signal::Int => rustix::process::Signal::INT,
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
        Signal::Usr1 => rustix::process::Signal::USR1,
        Signal::Usr2 => rustix::process::Signal::USR2,
        Signal::Quit => rustix::process::Signal::QUIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_kill_meets_the_process_of_this_start_and_no_later_one_with_its_number() {
        let mut child = std::process::Command::new("sleep");
        let mut child = child.arg("1000").spawn().unwrap();
        let stat = ProcessStat::read(child.id()).unwrap().unwrap();
        kill_exactly(child.id(), stat.start_ticks - 1).unwrap();
        // SIGKILL, had it come, would be its end and not this one.
        let number = Pid::from_raw(child.id().cast_signed()).unwrap();
        kill_process(number, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        kill_exactly(child.id(), stat.start_ticks).unwrap();
        let mut child = std::process::Command::new("sleep");
        let mut child = child.arg("1000").spawn().unwrap();
        let stat = ProcessStat::read(child.id()).unwrap().unwrap();
        kill_exactly(child.id(), stat.start_ticks).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}

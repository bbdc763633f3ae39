//! Signals to the groups of supervised processes.

use mainstay_domain::{effect::Signal, record::ProcessIdentity};
use rustix::process::{Pid, kill_process_group};
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

/// The signal as the system knows it.
pub(super) fn number(signal: Signal) -> rustix::process::Signal {
    match signal {
        Signal::Hup => rustix::process::Signal::HUP,
        Signal::Int => rustix::process::Signal::INT,
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
        Signal::Usr1 => rustix::process::Signal::USR1,
        Signal::Usr2 => rustix::process::Signal::USR2,
    }
}

//! How a process ended, for people.

use crate::ports::{Exit, unended};
use mainstay_domain::{record::ProcessIdentity, time::Timestamp};

/// How a process ended, as a sentence.
pub(super) fn end_of(identity: &ProcessIdentity, exit: Exit, now: Timestamp) -> String {
    let pid = identity.pid;
    let age = now.since(identity.started_at);
    let age = match age.as_secs() {
        0 => format!("{} ms", age.as_millis()),
        seconds => format!("{seconds} s"),
    };
    match exit {
        Exit::Code(code) => format!("process {pid} exited with code {code} after {age}"),
        Exit::Signal(signal) => format!("process {pid} was ended by signal {signal} after {age}"),
        Exit::Unknown => format!("process {pid}, adopted, ended after {age}"),
        Exit::Unended { state } => unended(pid, state),
    }
}

//! How a process ended, for people.

use super::Core;
use crate::ports::{Exit, unended};
use mainstay_domain::{
    name::TargetName, record::ProcessIdentity, signal_words::signal_words, spec::TargetSpec,
    time::Timestamp,
};

/// What is said of one that is done as far as anybody knows.
pub(super) const NOBODY_KNOWS: &str =
    ", nobody knows how: what does its work and ends is taken to have done it";

impl Core {
    /// Whether the child of a target does its work and ends, by the present config.
    pub(super) fn is_one_shot(&self, name: &TargetName) -> bool {
        let spec = self.ports.shared.spec.borrow();
        spec.target(name).is_some_and(TargetSpec::is_one_shot)
    }
}

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
        Exit::Signal(signal) => {
            let signal = signal_words(signal);
            format!("process {pid} was ended by {signal} after {age}")
        }
        Exit::Unknown => format!("process {pid}, adopted, ended after {age}"),
        Exit::Unended { state } => unended(pid, state),
    }
}

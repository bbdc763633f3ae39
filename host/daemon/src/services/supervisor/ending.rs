//! How a process ended, for people.

use super::Core;
use crate::ports::{Exit, unended};
use mainstay_domain::{
    name::TargetName, record::ProcessIdentity, signal_words::signal_words, spec::TargetSpec,
};
use std::time::Duration;

/// What is said of one that is done as far as anybody knows.
pub(super) const NOBODY_KNOWS: &str =
    ", nobody knows how: what does its work and ends is taken to have done it";

impl Core {
    /// Whether the child of a target does its work and ends, by the present config.
    pub(super) fn is_one_shot(&self, name: &TargetName) -> bool {
        let spec = self.ports.shared.spec.borrow();
        spec.target(name).is_some_and(TargetSpec::is_one_shot)
    }

    /// How long ago a process was started.
    pub(super) fn age_of(&self, identity: &ProcessIdentity) -> Duration {
        let by_the_wall_clock = || self.ports.shared.clock.now().since(identity.started_at);
        let age = self.ports.processes.age(identity);
        age.unwrap_or_else(by_the_wall_clock)
    }
}

/// How a process ended that had run for so long, as a sentence.
pub(super) fn end_of(identity: &ProcessIdentity, exit: Exit, age: Duration) -> String {
    let pid = identity.pid;
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

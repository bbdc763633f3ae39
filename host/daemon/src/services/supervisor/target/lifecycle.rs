//! Where the process of a target stands, and where it should.
//!
//! Invariant: pure. The end of a process is news only while it runs: one that is being stopped, or that another one has
//! replaced, ends in silence.
//! Invariant: what should be is no part of what is. A handler of a foreign service may say how it should be while the
//! process that it had under the config before still runs.

use mainstay_domain::record::ProcessIdentity;

/// Where the process of a target stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// None lives.
    Down,
    /// This one lives.
    Running(ProcessIdentity),
    /// A stop is under way, so the end is no news. None where there was no process, or where it is only being started.
    Stopping(Option<ProcessIdentity>),
}

/// Whether a target should run; a handler that stops it changes that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Intent {
    /// It should.
    Run,
    /// It was stopped on purpose.
    StayDown,
}

/// What follows the stop of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum After {
    /// No process should live: the journal forgets it.
    StaysDown,
    /// Another one, whose record takes the place of this one's.
    StartsAgain,
}

impl Lifecycle {
    /// The process that lives, or is being stopped.
    pub(super) fn process(&self) -> Option<&ProcessIdentity> {
        match self {
            Self::Down => None,
            Self::Running(process) => Some(process),
            Self::Stopping(process) => process.as_ref(),
        }
    }

    /// A process was started, or adopted. A stop that began meanwhile is for it too.
    pub(super) fn begin(&mut self, process: ProcessIdentity) {
        *self = match self {
            Self::Down | Self::Running(_) => Self::Running(process),
            Self::Stopping(_) => Self::Stopping(Some(process)),
        };
    }

    /// The process that was started has left another one running, which is the service; whether that is so. One that is
    /// being stopped meanwhile is not followed.
    pub(super) fn forked(&mut self, first: &ProcessIdentity, main: ProcessIdentity) -> bool {
        match self {
            Self::Running(running) if *running == *first => {
                *self = Self::Running(main);
                true
            }
            Self::Down | Self::Running(_) | Self::Stopping(_) => false,
        }
    }

    /// From here on its end is no news; gives what is to be ended.
    pub(super) fn begin_stop(&mut self) -> Option<ProcessIdentity> {
        let process = self.process().cloned();
        *self = Self::Stopping(process.clone());
        process
    }

    /// The stop is over, and nothing lives.
    pub(super) fn end_stop(&mut self) {
        *self = Self::Down;
    }

    /// Whether this process lives, as far as is known, and its end would be news.
    pub(super) fn runs(&self, process: &ProcessIdentity) -> bool {
        matches!(self, Self::Running(running) if *running == *process)
    }

    /// This process ended by itself; whether that is news.
    pub(super) fn exited(&mut self, process: &ProcessIdentity) -> bool {
        match self {
            Self::Running(running) if *running == *process => {
                *self = Self::Down;
                true
            }
            Self::Down | Self::Running(_) | Self::Stopping(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::time::Timestamp;

    fn process(pid: u32) -> ProcessIdentity {
        ProcessIdentity {
            pid,
            start_ticks: 1,
            boot_id: "now".to_owned(),
            started_at: Timestamp::from_millis(1),
            restarts: 0,
            config: None,
            ended: None,
            completed: false,
            marked_as: None,
            output: None,
        }
    }

    /// In each of these states, what a move makes of it, and what it answers.
    fn check<T: std::fmt::Debug + PartialEq>(
        what: &str,
        step: impl Fn(&mut Lifecycle) -> T,
        table: [(Lifecycle, Lifecycle, T); 5],
    ) {
        for (before, after, answer) in table {
            let mut lifecycle = before.clone();
            assert_eq!(step(&mut lifecycle), answer, "{what}, {before:?}");
            assert_eq!(lifecycle, after, "{what}, {before:?}");
        }
    }

    #[test]
    fn each_move_from_each_state() {
        use Lifecycle::{Down, Running, Stopping};
        let running = |pid| Running(process(pid));
        let stopping = |pid| Stopping(Some(process(pid)));
        check(
            "started",
            |lifecycle| lifecycle.begin(process(7)),
            [
                (Down, running(7), ()),
                (running(7), running(7), ()),
                (running(8), running(7), ()),
                (Stopping(None), stopping(7), ()),
                (stopping(8), stopping(7), ()),
            ],
        );
        check(
            "a stop begins",
            Lifecycle::begin_stop,
            [
                (Down, Stopping(None), None),
                (running(7), stopping(7), Some(process(7))),
                (running(8), stopping(8), Some(process(8))),
                (Stopping(None), Stopping(None), None),
                (stopping(8), stopping(8), Some(process(8))),
            ],
        );
        check(
            "the stop is over",
            Lifecycle::end_stop,
            [
                (Down, Down, ()),
                (running(7), Down, ()),
                (running(8), Down, ()),
                (Stopping(None), Down, ()),
                (stopping(8), Down, ()),
            ],
        );
        check(
            "process 7 has left process 9",
            |lifecycle| lifecycle.forked(&process(7), process(9)),
            [
                (Down, Down, false),
                (running(7), running(9), true),
                (running(8), running(8), false),
                (Stopping(None), Stopping(None), false),
                (stopping(7), stopping(7), false),
            ],
        );
        check(
            "process 7 ended",
            |lifecycle| lifecycle.exited(&process(7)),
            [
                (Down, Down, false),
                (running(7), Down, true),
                (running(8), running(8), false),
                (Stopping(None), Stopping(None), false),
                (stopping(7), stopping(7), false),
            ],
        );
    }
}

//! What the monitor knows of a target's process, from the news of the supervisor.
//!
//! Invariant: pure; only news changes it, and no news makes it awaited again.

use crate::ports::ProcessUpdate;
use mainstay_domain::{
    breaker::{HealthChange, TargetHealth},
    spec::TargetSpec,
    time::Monotonic,
};
use std::time::Duration;

/// What is known of a target's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessState {
    /// It is supervised and was not told of yet, so there is nothing that could be looked at.
    Awaited,
    /// No supervised process runs: the target is a foreign service, or its process is down.
    Absent,
    /// The supervised process of this number runs.
    Runs(u32),
    /// It was stopped on purpose, or is done: nothing that is seen counts.
    Stopped,
}

impl ProcessState {
    /// Before any news.
    pub(super) fn new(spec: &TargetSpec) -> Self {
        match spec.process {
            Some(_) => Self::Awaited,
            None => Self::Absent,
        }
    }

    /// After this news, whatever was known before.
    pub(super) fn after(news: &ProcessUpdate) -> Self {
        match news {
            ProcessUpdate::Started(Some(pid))
            | ProcessUpdate::Runs(Some(pid))
            | ProcessUpdate::Forks(pid, _) => Self::Runs(*pid),
            ProcessUpdate::Started(None)
            | ProcessUpdate::Runs(None)
            | ProcessUpdate::Exited(_)
            | ProcessUpdate::Down(_) => Self::Absent,
            ProcessUpdate::Completed | ProcessUpdate::Stopped | ProcessUpdate::Held(_) => {
                Self::Stopped
            }
        }
    }

    /// Of the supervised process, while it runs.
    pub(super) fn pid(self) -> Option<u32> {
        match self {
            Self::Runs(pid) => Some(pid),
            Self::Awaited | Self::Absent | Self::Stopped => None,
        }
    }

    pub(super) fn is_awaited(self) -> bool {
        self == Self::Awaited
    }

    /// On purpose.
    pub(super) fn is_stopped(self) -> bool {
        self == Self::Stopped
    }
}

/// What this news makes of the target's health, before its process is looked at.
pub(super) fn felt(
    news: &ProcessUpdate,
    health: &mut TargetHealth,
    start_period: Duration,
    now: Monotonic,
) -> Vec<HealthChange> {
    match news {
        ProcessUpdate::Started(_) => health.started(start_period, now),
        ProcessUpdate::Runs(_) => {
            health.runs(now);
            Vec::new()
        }
        ProcessUpdate::Forks(_, within) => health.forks(*within, now),
        ProcessUpdate::Completed => health.completed(),
        ProcessUpdate::Held(_) => health.kept_stopped(),
        ProcessUpdate::Exited(_) | ProcessUpdate::Down(_) | ProcessUpdate::Stopped => {
            health.ended()
        }
    }
}

/// Why its process does not run though it should, where that is the news.
pub(super) fn down(news: ProcessUpdate) -> Option<String> {
    match news {
        ProcessUpdate::Exited(why) | ProcessUpdate::Down(why) => Some(why),
        ProcessUpdate::Started(_)
        | ProcessUpdate::Runs(_)
        | ProcessUpdate::Forks(..)
        | ProcessUpdate::Completed
        | ProcessUpdate::Stopped
        | ProcessUpdate::Held(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;

    #[test]
    fn before_news_only_a_supervised_process_is_awaited() {
        let child = specs::child("web", &["/bin/sleep", "1000"]);
        assert_eq!(ProcessState::new(&child), ProcessState::Awaited);
        let foreign = specs::target("web", Vec::new());
        assert_eq!(ProcessState::new(&foreign), ProcessState::Absent);
    }

    #[test]
    fn what_each_news_makes_known() {
        let why = || "it ended".to_owned();
        let table = [
            (ProcessUpdate::Started(Some(7)), ProcessState::Runs(7)),
            (ProcessUpdate::Started(None), ProcessState::Absent),
            (ProcessUpdate::Runs(Some(7)), ProcessState::Runs(7)),
            (ProcessUpdate::Runs(None), ProcessState::Absent),
            (
                ProcessUpdate::Forks(7, Duration::from_secs(5)),
                ProcessState::Runs(7),
            ),
            (ProcessUpdate::Exited(why()), ProcessState::Absent),
            (ProcessUpdate::Down(why()), ProcessState::Absent),
            (ProcessUpdate::Completed, ProcessState::Stopped),
            (ProcessUpdate::Stopped, ProcessState::Stopped),
            (ProcessUpdate::Held(why()), ProcessState::Stopped),
        ];
        for (news, expected) in table {
            let state = ProcessState::after(&news);
            assert_eq!(state, expected, "{news:?}");
            let pid = (expected == ProcessState::Runs(7)).then_some(7);
            assert_eq!(state.pid(), pid, "{news:?}");
        }
    }
}

//! What the monitor knows of a target's process, from the news of the supervisor.
//!
//! Invariant: pure; only news changes it, and no news makes it awaited again.

use crate::ports::ProcessNews;
use mainstay_domain::spec::TargetSpec;

/// What is known of a target's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessState {
    /// It is supervised and was not told of yet, so there is nothing that could be looked at.
    Awaited,
    /// No supervised process runs: the target is a foreign service, or its process is down.
    Absent,
    /// The supervised process of this number runs.
    Runs(u32),
    /// It was stopped on purpose: nothing that is seen counts.
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
    pub(super) fn after(news: &ProcessNews) -> Self {
        match news {
            ProcessNews::Started(Some(pid)) | ProcessNews::Runs(Some(pid)) => Self::Runs(*pid),
            ProcessNews::Started(None)
            | ProcessNews::Runs(None)
            | ProcessNews::Exited(_)
            | ProcessNews::Down(_) => Self::Absent,
            ProcessNews::Stopped => Self::Stopped,
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
            (ProcessNews::Started(Some(7)), ProcessState::Runs(7)),
            (ProcessNews::Started(None), ProcessState::Absent),
            (ProcessNews::Runs(Some(7)), ProcessState::Runs(7)),
            (ProcessNews::Runs(None), ProcessState::Absent),
            (ProcessNews::Exited(why()), ProcessState::Absent),
            (ProcessNews::Down(why()), ProcessState::Absent),
            (ProcessNews::Stopped, ProcessState::Stopped),
        ];
        for (news, expected) in table {
            let state = ProcessState::after(&news);
            assert_eq!(state, expected, "{news:?}");
            let pid = (expected == ProcessState::Runs(7)).then_some(7);
            assert_eq!(state.pid(), pid, "{news:?}");
        }
    }
}

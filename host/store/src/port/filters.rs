//! Which records somebody asks for.

use mainstay_domain::{
    event::Event,
    id::{IncidentId, OperationId},
    name::{FailureType, PluginName, TargetName},
    operation::OperationState,
    time::Timestamp,
};

/// Which operations are asked for. Empty fields ask for all.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only of this target.
    pub target: Option<TargetName>,
    /// Only with this failure.
    pub failure: Option<FailureType>,
    /// Only in this state.
    pub state: Option<OperationState>,
    /// Only detected at or after this.
    pub since: Option<Timestamp>,
    /// Only those that come after this one in the answer, for the next page. None where it is not known any more.
    pub before: Option<OperationId>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// Which incidents are asked for. Empty fields ask for all.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Only those whose failure holds.
    pub open_only: bool,
    /// Only of this target.
    pub target: Option<TargetName>,
    /// Only opened at or after this.
    pub since: Option<Timestamp>,
    /// Only those that come after this one in the answer, for the next page. None where it is not known any more.
    pub before: Option<IncidentId>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// Which rows of the audit log are asked for. Empty fields ask for all.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only about this target.
    pub target: Option<TargetName>,
    /// Only of this time or later.
    pub since: Option<Timestamp>,
    /// Only those before this one, for the next page.
    pub before: Option<u64>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// Which of the newest alerts that were sent or given up are asked for. Empty fields ask for all.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only about this target.
    pub target: Option<TargetName>,
    /// Only those of this alerter.
    pub alerter: Option<PluginName>,
    /// Only those that were given up.
    pub abandoned_only: bool,
    /// Only of this time or later.
    pub since: Option<Timestamp>,
    /// Only those before the event with this `seq`, for the next page.
    pub before: Option<u64>,
    /// At most so many, newest first.
    pub limit: u32,
}

impl AlertFilter {
    /// So many alerts are remembered, whatever is asked for of them: one more, and the oldest is none of them.
    pub const REMEMBERED: u32 = 1_000;
}

/// Which events are asked for. Empty fields ask for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only about this target.
    pub target: Option<TargetName>,
    /// Only of this time or later.
    pub from: Option<Timestamp>,
}

impl EventFilter {
    /// Whether it asks for all.
    pub fn is_empty(&self) -> bool {
        self.target.is_none() && self.from.is_none()
    }

    /// Whether an event is asked for.
    pub fn fits(&self, event: &Event) -> bool {
        let target = self.target.as_ref();
        target.is_none_or(|target| event.target.as_ref() == Some(target))
            && self.from.is_none_or(|from| event.at >= from)
    }
}

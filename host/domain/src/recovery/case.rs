//! One failure of one target, and where its recovery stands.

use super::{deciding::Deciding, input::Outcome, key::CaseKey, polling::Polling, tracked::Tracked};
use crate::{
    event::IncidentEnd,
    id::OperationId,
    incident::Incident,
    name::SignalName,
    operation::{AttemptProgress, Operation},
    record::Change,
    spec::RouteSpec,
    time::{Monotonic, Timestamp},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A failure under recovery, from its first detection until its relapse window ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What is known of the failure; the journal has the same.
    pub incident: Tracked<Incident>,
    /// What is done about it.
    pub stage: Stage,
    /// Whether the checks see the failure. A person may ask for the recovery of one that is not seen.
    pub is_present: bool,
    /// The checks passed during its operation, and have not failed since.
    pub(super) cleared_during_operation: bool,
    /// By another config no check sees it: that it is not seen to fail says nothing.
    pub(super) is_unseen: bool,
    /// By whom its target is kept stopped, and why, for people.
    pub(super) stopped: Option<String>,
    /// When the checks last saw the failure.
    pub(super) seen_at: Option<Monotonic>,
    /// When its recovery time objective ends.
    pub(super) objective: Option<Monotonic>,
    /// When the next step of its escalation is due by the clock.
    pub(super) escalates: Option<Monotonic>,
}

/// Where the recovery of a failure stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// No route fits.
    Unrouted,
    /// Handed over to people until it is over; nothing automatic is done.
    HandedOver(HandOverReason),
    /// An operation waits for its time, its turn, or its next attempt.
    Queued(Work),
    /// An operation waits for a person's decision.
    AwaitingApproval(Work),
    /// An operation runs.
    Running(Box<Running>),
    /// Recovered. A failure that comes back until then is the same incident.
    RelapseWindow {
        /// Until when.
        until: Monotonic,
    },
    /// It leaves the machine with this input; no case is stored with it.
    Over,
}

/// Why a failure was handed over to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOverReason {
    /// A person rejected its recovery, or cancelled it.
    Decided,
}

/// An operation, and what it knows beside its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Its record.
    pub operation: Operation,
    /// The route of its last attempt.
    pub route: Option<Arc<RouteSpec>>,
    /// Steps of that route that failed permanently; they are not called again.
    pub permanently_failed: BTreeSet<usize>,
    /// Effects so far; their numbers go on.
    pub effects: u32,
    /// Calls of handlers so far; their numbers go on.
    pub calls: u32,
    /// The call that the daemon before was in, where it is to be gone on with.
    pub open_call: Option<OpenCall>,
    /// The journal lacks something of the last call, so that nobody knows what it did.
    pub(super) is_lost: bool,
    /// The signal that its call waits for, where nothing of that is held.
    pub awaits: Option<SignalName>,
    /// Why the last attempt did not help; none before the first.
    pub error: Option<String>,
    /// When nobody has approved it in time.
    pub(super) expires: Option<Monotonic>,
    /// When that attempt ended: what the next one waits is counted from here. None where an earlier daemon made it.
    pub(super) tried_at: Option<Monotonic>,
    /// How long of the time since its detection the target was verified healthy: its recovery took no part of that.
    pub(super) calm: Duration,
    /// What a strategy decides about.
    pub(super) deciding: Deciding,
}

/// A call that another daemon began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall {
    /// Its number.
    pub call: u32,
    /// Effects of the operation before it.
    pub effects: u32,
}

impl Work {
    /// The work on an incident.
    pub(super) fn on(incident: &Incident, operation: Operation) -> Self {
        Self {
            calm: incident.calm(),
            ..Self::new(operation)
        }
    }

    pub(super) fn new(operation: Operation) -> Self {
        Self {
            operation,
            route: None,
            permanently_failed: BTreeSet::new(),
            effects: 0,
            calls: 0,
            open_call: None,
            is_lost: false,
            awaits: None,
            error: None,
            expires: None,
            tried_at: None,
            calm: Duration::ZERO,
            deciding: Deciding::default(),
        }
    }

    /// Changes what the record says beside its state, and writes it as another revision.
    pub(super) fn revise(&mut self, out: &mut Outcome, change: impl FnOnce(&mut Operation)) {
        change(&mut self.operation);
        self.operation.revision += 1;
        out.writes.push(Change::Operation(self.operation.clone()));
    }
}

/// An operation that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The operation.
    pub work: Work,
    /// The route as it was when this attempt began.
    pub route: Arc<RouteSpec>,
    /// What it is doing.
    pub attempt: Attempt,
    /// Who cancelled it, and why; it ends after the call.
    pub cancelled: Option<String>,
}

/// What an operation that runs is doing. The driver owes an answer in each of these, but for a look that is not yet due.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// Looks whether it is still needed.
    Looking(Polling),
    /// A step of the route is called.
    Calling {
        /// Which, from 0.
        step: usize,
        /// What the steps before it came to.
        progress: AttemptProgress,
    },
    /// The next step follows after a pause.
    Pausing {
        /// Behind which step, from 0.
        after: usize,
        /// Until when.
        until: Monotonic,
        /// What the steps before came to.
        progress: AttemptProgress,
    },
    /// The handlers are done; the checks decide.
    Validating(Polling),
}

impl Attempt {
    /// The first step is called.
    pub(super) fn first_call() -> Self {
        Self::Calling {
            step: 0,
            progress: AttemptProgress::default(),
        }
    }
}

impl Case {
    pub(super) fn new(incident: Tracked<Incident>, stage: Stage) -> Self {
        Self {
            incident,
            stage,
            is_present: false,
            cleared_during_operation: false,
            is_unseen: false,
            stopped: None,
            seen_at: None,
            objective: None,
            escalates: None,
        }
    }

    /// The checks see the failure, so that it has not been over since it was recovered last.
    pub(super) fn see(&mut self) {
        self.is_present = true;
        let is_watched = matches!(self.stage, Stage::RelapseWindow { .. });
        if !is_watched && self.incident.relapse_until.is_some() {
            self.incident.relapse_until = None;
        }
    }

    /// How it ended that the checks do not see it any more, and no operation was verified.
    pub(super) fn end_without_operation(&self) -> IncidentEnd {
        match self.is_unseen {
            true => IncidentEnd::Unseen,
            false => IncidentEnd::ByItself,
        }
    }

    pub(super) fn key(&self) -> CaseKey {
        CaseKey::from(&*self.incident)
    }

    /// Its operation that has not ended.
    pub fn work(&self) -> Option<&Work> {
        match &self.stage {
            Stage::Queued(work) | Stage::AwaitingApproval(work) => Some(work),
            Stage::Running(running) => Some(&running.work),
            Stage::Unrouted | Stage::HandedOver(_) | Stage::RelapseWindow { .. } | Stage::Over => {
                None
            }
        }
    }

    pub(super) fn work_mut(&mut self) -> Option<&mut Work> {
        match &mut self.stage {
            Stage::Queued(work) | Stage::AwaitingApproval(work) => Some(work),
            Stage::Running(running) => Some(&mut running.work),
            Stage::Unrouted | Stage::HandedOver(_) | Stage::RelapseWindow { .. } | Stage::Over => {
                None
            }
        }
    }

    /// Whether a handler acts for it now.
    pub(super) fn is_calling(&self) -> bool {
        matches!(&self.stage, Stage::Running(running) if matches!(running.attempt, Attempt::Calling { .. }))
    }

    /// Takes out what runs, to be put back in the stage that it comes to. A case at which nothing runs stays as it is.
    pub(super) fn take_running(&mut self) -> Option<Running> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Running(running) => Some(*running),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub(super) fn operation(&self) -> Option<&OperationId> {
        self.work().map(|work| &work.operation.id)
    }

    /// Whether what depends on the target waits for it.
    pub(super) fn is_failing(&self) -> bool {
        !matches!(self.stage, Stage::RelapseWindow { .. } | Stage::Over)
    }

    /// When it has to be said, if that is so then, that its objective is exceeded, or that it lasts.
    pub(super) fn exceeds_at(&self) -> Option<Monotonic> {
        let is_told = self.incident.rto_exceeded_at.is_some();
        let objective = self.objective.filter(|_| !is_told);
        let first = [objective, self.escalates].into_iter().flatten().min();
        first.filter(|_| self.is_failing())
    }

    /// When it has to be looked at again by the clock alone. The queue has times of its own.
    pub(super) fn wakes_at(&self) -> Option<Monotonic> {
        match &self.stage {
            Stage::RelapseWindow { until } => Some(*until),
            Stage::AwaitingApproval(work) => work.expires,
            Stage::Running(running) => match &running.attempt {
                Attempt::Looking(looks) | Attempt::Validating(looks) => looks.next,
                Attempt::Pausing { until, .. } => Some(*until),
                Attempt::Calling { .. } => None,
            },
            _ => None,
        }
    }

    /// The incident's detection: every time of its recovery is counted from here.
    pub(super) fn detected_at(&self) -> Timestamp {
        self.incident.opened_at
    }
}

//! What events say, asked for by name, whatever their kind: for alerts, which are made of many kinds.

use super::{
    AfterEscalation, EventData, IncidentEnd, IncidentFacts, OperationFacts, OperationOutcome,
    RecordSetAside,
};
use crate::{
    id::BackupId,
    name::{CheckName, FailureType, PluginName, TierName},
};

impl EventData {
    /// Which recovery it is about, where it is an event of an operation.
    pub fn operation(&self) -> Option<&OperationFacts> {
        match self {
            Self::OperationScheduled(facts) => Some(&facts.about),
            Self::OperationAskedFor(facts) => Some(&facts.about),
            Self::OperationAwaitingManual(facts) => Some(&facts.about),
            Self::OperationApproved(facts) => Some(&facts.about),
            Self::OperationStarted(facts) => Some(&facts.about),
            Self::OperationResumed(facts) => Some(&facts.about),
            Self::OperationSuspended(facts) => Some(&facts.about),
            Self::OperationSignalled(facts) => Some(&facts.about),
            Self::OperationDiverged(facts) => Some(&facts.about),
            Self::OperationRetrying(facts) => Some(&facts.about),
            Self::OperationValidating(facts) => Some(&facts.about),
            Self::OperationEnded(facts) => Some(&facts.about),
            Self::OperationCancelled(facts) => Some(&facts.about),
            _ => None,
        }
    }

    /// Which incident it is about, where it is an event of one.
    pub fn incident(&self) -> Option<&IncidentFacts> {
        match self {
            Self::IncidentOpened(facts) => Some(&facts.about),
            Self::IncidentReopened(facts) => Some(&facts.about),
            Self::IncidentWorsened(facts) => Some(&facts.about),
            Self::IncidentClosed(facts) => Some(&facts.about),
            Self::IncidentOverdue(facts) => Some(&facts.about),
            Self::IncidentAcknowledged(facts) => Some(&facts.about),
            Self::IncidentUnacknowledged(facts) => Some(&facts.about),
            Self::RtoExceeded(facts) => Some(&facts.about),
            Self::OperationEscalated(facts) => Some(&facts.about),
            _ => None,
        }
    }

    /// What an operation came to, where it ended.
    pub fn outcome(&self) -> Option<&OperationOutcome> {
        match self {
            Self::OperationEnded(facts) => Some(&facts.outcome),
            Self::OperationCancelled(facts) => Some(&facts.outcome),
            _ => None,
        }
    }

    /// The failure that it is about; it distinguishes alerts.
    pub fn failure(&self) -> Option<&FailureType> {
        match self {
            Self::CircuitOpened(facts) => return facts.failure.as_ref(),
            Self::FailureReported(facts) => return Some(&facts.failure),
            Self::FailureCleared(facts) => return Some(&facts.failure),
            _ => {}
        }
        let of_operation = self.operation().map(|about| &about.failure);
        of_operation.or_else(|| self.incident().map(|about| &about.failure))
    }

    /// The check that it is about; it distinguishes alerts.
    pub fn check(&self) -> Option<&CheckName> {
        match self {
            Self::CheckFailed(facts) => Some(&facts.check),
            Self::CheckDegraded(facts) => Some(&facts.check),
            Self::CheckRecovered(facts) => Some(&facts.check),
            _ => None,
        }
    }

    /// Whether it is what people ordered that was set aside, and no record of the journal.
    pub fn are_orders_lost(&self) -> bool {
        matches!(self, Self::RecordSetAside(facts) if facts.table == RecordSetAside::ORDERS)
    }

    /// Why it went wrong, for people.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::ConfigRejected(facts) => Some(facts.error.as_str()),
            Self::CharterBroken(facts) => Some(facts.why.as_str()),
            Self::OperationRetrying(facts) => Some(facts.error.as_str()),
            Self::OperationAwaitingManual(facts) => facts.error.as_deref(),
            Self::OperationEscalated(facts) => facts.error.as_deref(),
            Self::RollbackFacts(facts) => facts.error.as_deref(),
            _ => self.outcome()?.error.as_deref(),
        }
    }

    /// Whether people have to act because no handler of the route serves: nothing was tried.
    pub fn is_untried(&self) -> bool {
        matches!(self, Self::OperationEscalated(facts)
            if facts.attempts == 0 && facts.handler.is_none() && facts.error.is_some())
    }

    /// Whether a recovery ended without an answer of any handler.
    pub fn is_unanswered(&self) -> bool {
        let outcome = self.outcome();
        outcome.is_some_and(|outcome| outcome.handler.is_none() && outcome.error.is_some())
    }

    /// What was done, for people, in order.
    pub fn actions(&self) -> &[String] {
        self.outcome()
            .map_or(&[], |outcome| outcome.actions.as_slice())
    }

    /// What a person has to do, in order.
    pub fn steps(&self) -> &[String] {
        match self {
            Self::OperationAwaitingManual(facts) => facts.steps.as_slice(),
            _ => self
                .outcome()
                .map_or(&[], |outcome| outcome.steps.as_slice()),
        }
    }

    /// What a person has to do about the failure, in order.
    pub fn runbook(&self) -> &[String] {
        match self {
            Self::OperationEscalated(facts) => facts.runbook.as_slice(),
            Self::IncidentOverdue(facts) => facts.runbook.as_slice(),
            Self::IncidentUnacknowledged(facts) => facts.runbook.as_slice(),
            _ => &[],
        }
    }

    /// How many attempts were begun so far; 0 where it does not say.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::OperationAwaitingManual(facts) => facts.attempts,
            Self::IncidentReopened(facts) => facts.attempts,
            Self::IncidentClosed(facts) => facts.attempts,
            Self::RtoExceeded(facts) => facts.attempts,
            Self::OperationEscalated(facts) => facts.attempts,
            Self::IncidentOverdue(facts) => facts.attempts,
            _ => self.outcome().map_or(0, |outcome| outcome.attempts),
        }
    }

    /// The file of a plugin, where it is about one.
    pub fn plugin_file(&self) -> Option<&str> {
        match self {
            Self::PluginServing(facts) => Some(&facts.file),
            Self::PluginRejected(facts) => Some(&facts.file),
            Self::PluginWithdrawn(facts) => Some(&facts.file),
            _ => None,
        }
    }

    /// How an incident ended, where one did.
    pub fn incident_end(&self) -> Option<IncidentEnd> {
        match self {
            Self::IncidentClosed(facts) => Some(facts.how),
            _ => None,
        }
    }

    /// Whether an incident ended because a person keeps its target stopped.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::IncidentClosed(facts) if facts.stopped.is_some())
    }

    /// The effect of which a person has to say whether it happened.
    pub fn doubt(&self) -> Option<u32> {
        match self {
            Self::OperationAwaitingManual(facts) => facts.doubt,
            _ => None,
        }
    }

    /// What follows, where people were told that they have to act.
    pub fn after_escalation(&self) -> Option<AfterEscalation> {
        match self {
            Self::OperationEscalated(facts) => Some(facts.then),
            _ => None,
        }
    }

    /// Whether it is of a backup that was stored now, and not of one of before that was read back.
    pub fn is_new_backup(&self) -> bool {
        matches!(self, Self::BackupTaken(_))
    }

    /// Whether it is of a backup that does not hold all that was there.
    pub fn is_incomplete_backup(&self) -> bool {
        matches!(self, Self::BackupTaken(taken) if taken.incomplete)
    }

    /// The backup that a suspicious one is much smaller than.
    pub fn backup_before(&self) -> Option<&BackupId> {
        match self {
            Self::BackupSuspected(facts) => Some(&facts.before),
            _ => None,
        }
    }

    /// The tier that did not take a backup; it distinguishes alerts.
    pub fn refused_by(&self) -> Option<&TierName> {
        match self {
            Self::BackupFellOver(facts) => Some(&facts.tier),
            _ => None,
        }
    }

    /// Whether that was of a backup that is stored, and was to be moved there.
    pub fn was_to_be_moved(&self) -> bool {
        matches!(self, Self::BackupFellOver(facts) if facts.moving)
    }

    /// The tier that took a backup, and those that need not any more for that.
    pub fn taken_by(&self) -> &[TierName] {
        match self {
            Self::BackupTaken(facts) => facts.tiers.as_slice(),
            Self::BackupMoved(facts) => std::slice::from_ref(&facts.tier),
            _ => &[],
        }
    }

    /// Whether an incident was opened because a person asked for a recovery, and no check has seen it.
    pub fn is_asked_for(&self) -> bool {
        matches!(self, Self::IncidentOpened(facts) if facts.asked_for)
    }

    /// The handler that was called before the checks passed again, where neither it nor any before it did anything.
    pub fn idle_handler(&self) -> Option<&PluginName> {
        let outcome = self.outcome()?;
        let handler = outcome.handler.as_ref();
        handler.filter(|_| outcome.acted_by.is_none() && outcome.actions.is_empty())
    }

    /// The last lines that the target's log, or the program of a check, had at the failure.
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::IncidentOpened(facts) => facts.output.as_deref(),
            Self::OperationEscalated(facts) => facts.output.as_deref(),
            _ => self.outcome()?.output.as_deref(),
        }
    }

    /// The last handler that did something.
    pub fn acted_by(&self) -> Option<&PluginName> {
        self.outcome()?.acted_by.as_ref()
    }

    /// Whether it is of a dry run: nothing is wrong or right again by it. Its effects were only planned.
    pub fn is_dry_run(&self) -> bool {
        match self {
            Self::EffectPerformed(facts) => facts.planned,
            _ => self.operation().is_some_and(|about| about.dry_run),
        }
    }

    /// Whether it is a success that has to show that it lasts before people hear of it.
    pub fn is_unproved(&self) -> bool {
        matches!(self, Self::OperationEnded(facts) if facts.unproved)
    }

    /// Whether it is a further failure of what people were told of.
    pub fn is_again(&self) -> bool {
        matches!(self, Self::OperationEnded(facts) if facts.again)
    }
}

//! How an event is told in the daemon's log: how loud, and when that comes which it says is to come.

use super::{Event, EventData, EventKind};
use crate::{severity::Severity, time::Timestamp};
use std::time::Duration;

/// How loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventLogLevel {
    /// Something is broken that matters.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What an operator follows.
    Info,
    /// How it was done.
    Debug,
}

impl Event {
    /// How loud it is told in the log; none where the log has it in its own words already.
    ///
    /// A fault is as loud as it is bad, and an end of one is never loud, whatever severity it has.
    pub fn log_level(&self) -> Option<EventLogLevel> {
        use EventKind as Kind;
        Some(match self.kind {
            // As expected, or of no weight by its config; what comes of that is told besides.
            Kind::ProcessExited if self.severity == Severity::Low => EventLogLevel::Info,
            // A better mode than before.
            Kind::ModeChanged if self.severity == Severity::Low => EventLogLevel::Info,
            Kind::JournalFull
            | Kind::CharterBroken
            | Kind::JournalDamaged
            | Kind::RecordSetAside
            | Kind::MonitorBlind
            | Kind::ConfigRejected
            | Kind::IncidentOpened
            | Kind::IncidentReopened
            | Kind::IncidentWorsened
            | Kind::IncidentOverdue
            | Kind::IncidentUnacknowledged
            | Kind::RtoExceeded
            | Kind::OperationPartial
            | Kind::OperationFailed
            | Kind::OperationEscalated
            | Kind::AlertAbandoned
            | Kind::PluginRejected
            | Kind::PluginQuarantined
            | Kind::RouteUnhandled
            | Kind::AlerterFailing
            | Kind::BackupFailed
            | Kind::BackupRpoMissed
            | Kind::BackupCorrupted
            | Kind::BackupSuspicious
            | Kind::BackupFellOver
            | Kind::RetentionFailed
            | Kind::RollbackFailed
            | Kind::DrillFailed => match self.severity >= Severity::High {
                true => EventLogLevel::Error,
                false => EventLogLevel::Warn,
            },
            Kind::HostPaused
            | Kind::PhaseChanged
            | Kind::PolicyChanged
            | Kind::ModeChanged
            | Kind::ProcessExited
            | Kind::TargetWarned
            | Kind::TargetBroken
            | Kind::CheckFailed
            | Kind::CheckDegraded
            | Kind::CircuitOpened
            | Kind::CircuitFlapping
            | Kind::FailureReported
            | Kind::OperationAwaitingManual
            | Kind::OperationRetrying
            | Kind::OperationDiverged
            | Kind::EffectInDoubt
            | Kind::AlertDelayed
            | Kind::RollbackStarted
            | Kind::BackupWaiting => EventLogLevel::Warn,
            Kind::HostStarted
            | Kind::HostStopping
            | Kind::JournalWritable
            | Kind::CharterWhole
            | Kind::MonitorSees
            | Kind::HostResumed
            | Kind::ConfigApplied
            | Kind::ProcessStarted
            | Kind::ProcessAdopted
            | Kind::ProcessStopped
            | Kind::TargetRenamed
            | Kind::TargetStarted
            | Kind::TargetStopped
            | Kind::TargetRestarted
            | Kind::TargetReloaded
            | Kind::TargetDrilled
            | Kind::CheckRecovered
            | Kind::CircuitClosed
            | Kind::CircuitSteady
            | Kind::FailureCleared
            | Kind::IncidentClosed
            | Kind::IncidentAcknowledged
            | Kind::OperationScheduled
            | Kind::OperationApproved
            | Kind::OperationStarted
            | Kind::OperationResumed
            | Kind::OperationSuspended
            | Kind::OperationSignalled
            | Kind::EffectResolved
            | Kind::OperationSucceeded
            | Kind::OperationCancelling
            | Kind::OperationCancelled
            | Kind::EffectPerformed
            | Kind::AlertHeld
            | Kind::AlertLapsed
            | Kind::AlertGrouped
            | Kind::AlertDelivered
            | Kind::SilenceBegan
            | Kind::SilenceEnded
            | Kind::NoteAdded
            | Kind::PluginServing
            | Kind::PluginWithdrawn
            | Kind::PluginReleased
            | Kind::RouteHandled
            | Kind::AlerterRecovered
            | Kind::BackupStarted
            | Kind::BackupVerified
            | Kind::BackupExpired
            | Kind::BackupRecorded
            | Kind::BackupRestored
            | Kind::BackupHeld
            | Kind::BackupReleased
            | Kind::BackupAccepted
            | Kind::BackupMoved
            | Kind::BackupTrashed
            | Kind::BackupUndeleted
            | Kind::CheckpointTaken
            | Kind::RollbackSucceeded
            | Kind::RollbackResumed
            | Kind::RetentionJudged
            | Kind::DrillPassed => EventLogLevel::Info,
            Kind::CircuitHalfOpened
            | Kind::OperationValidating
            | Kind::AlertQueued
            | Kind::PluginDraining
            | Kind::PluginRetired
            | Kind::BackupDeleted => EventLogLevel::Debug,
            // The line itself is there.
            Kind::PluginLogged => return None,
        })
    }

    /// When that comes which it says is to come: the next attempt, the end of a pause.
    pub fn announces(&self) -> Option<Timestamp> {
        let after = |length_ms: u64| self.at + Duration::from_millis(length_ms);
        match &self.data {
            EventData::OperationScheduled(facts) => facts.due,
            EventData::OperationSuspended(facts) => Some(facts.until),
            EventData::OperationRetrying(facts) => Some(after(facts.delay_ms)),
            EventData::PausedFor(facts) => Some(after(facts.length_ms)),
            EventData::FailureReported(facts) => facts.until,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{OperationFacts, OperationRetrying, OperationScheduled},
        name::FailureType,
    };

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn event(kind: EventKind, severity: Severity) -> Event {
        Event::new(kind, severity, AT, "x")
    }

    #[test]
    fn a_fault_is_as_loud_as_it_is_bad_and_its_end_is_not_loud() {
        use EventLogLevel::{Error, Info, Warn};
        for (kind, severity, expected) in [
            (EventKind::IncidentOpened, Severity::Critical, Error),
            (EventKind::IncidentOpened, Severity::High, Error),
            (EventKind::IncidentOpened, Severity::Medium, Warn),
            // Stopped by the daemon's own end.
            (EventKind::BackupFailed, Severity::Low, Warn),
            (EventKind::OperationSucceeded, Severity::Critical, Info),
            (EventKind::IncidentClosed, Severity::Critical, Info),
            (EventKind::JournalWritable, Severity::Critical, Info),
            (EventKind::ProcessExited, Severity::High, Warn),
            (EventKind::ProcessExited, Severity::Low, Info),
            (EventKind::ModeChanged, Severity::High, Warn),
            (EventKind::ModeChanged, Severity::Low, Info),
        ] {
            let level = event(kind, severity).log_level();
            assert_eq!(level, Some(expected), "{kind} {severity:?}");
        }
    }

    #[test]
    fn what_is_to_come_has_its_time() {
        let about = OperationFacts {
            failure: FailureType::parse("down").unwrap(),
            dry_run: false,
            revision: 1,
        };
        let due = AT + Duration::from_secs(7);
        let scheduled = OperationScheduled {
            about: about.clone(),
            due: Some(due),
        };
        let retrying = OperationRetrying {
            about,
            attempt: 1,
            error: "no".to_owned(),
            delay_ms: 7_000,
        };
        for data in [EventData::from(scheduled), EventData::from(retrying)] {
            let event = event(EventKind::OperationScheduled, Severity::Low).with_data(data);
            assert_eq!(event.announces(), Some(due));
        }
        assert_eq!(
            event(EventKind::HostStarted, Severity::Low).announces(),
            None
        );
    }
}

//! Reads the data of an event, by its kind.
//!
//! Invariant: data are read as facts only where these are written as the same JSON again, so nothing that another
//! version wrote is lost, and nothing is added to it.

use super::{
    AlertDelivery, AlertHeld, AlertQueued, BackupAccepted, BackupDeleted, BackupFellOver,
    BackupHeld, BackupMoved, BackupReleased, BackupRestored, BackupSuspected, BackupTaken,
    BackupTrashed, BackupUndeleted, CharterBroken, CheckDegraded, CheckFailed, CheckRecovered,
    CheckpointTaken, CircuitOpened, ConfigApplied, ConfigRejected, EffectInDoubt, EffectPerformed,
    EffectResolved, EventData, EventKind, FailureCleared, FailureReported, IncidentAcknowledged,
    IncidentClosed, IncidentOpened, IncidentOverdue, IncidentReopened, IncidentUnacknowledged,
    IncidentWorsened, JournalDamaged, ModeChanged, MonitorBlind, NoteAdded, OperationApproved,
    OperationAskedFor, OperationAwaitingManual, OperationCancelled, OperationDiverged,
    OperationEnded, OperationEscalated, OperationResumed, OperationRetrying, OperationScheduled,
    OperationSignalled, OperationStarted, OperationSuspended, OperationValidating, PausedBy,
    PausedFor, PhaseChanged, PluginRejected, PluginServing, PluginWithdrawn, PolicyChanged,
    ProcessFacts, RecordSetAside, RollbackFacts, RtoExceeded, SilenceBegan, SilenceEnded,
    TargetBroken, TargetCommanded, TargetDrilled, TargetRenamed,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

impl EventData {
    /// The data of an event of this kind. [`EventData::Nothing`] where the object is empty, and [`EventData::Other`]
    /// where it is not what this version writes for the kind.
    pub fn parse(kind: EventKind, data: Value) -> Self {
        use EventKind as K;
        if data.as_object().is_some_and(|facts| facts.is_empty()) {
            return Self::Nothing;
        }
        let known = match kind {
            K::HostPaused => facts::<PausedBy>(&data).or_else(|| facts::<PausedFor>(&data)),
            K::HostResumed => facts::<PausedBy>(&data),
            K::CharterBroken => facts::<CharterBroken>(&data),
            K::PolicyChanged => facts::<PolicyChanged>(&data),
            K::PhaseChanged => facts::<PhaseChanged>(&data),
            K::ModeChanged => facts::<ModeChanged>(&data),
            K::ConfigApplied => facts::<ConfigApplied>(&data),
            K::ConfigRejected => facts::<ConfigRejected>(&data),
            K::ProcessStarted | K::ProcessAdopted | K::ProcessExited | K::ProcessStopped => {
                facts::<ProcessFacts>(&data)
            }
            K::TargetStarted | K::TargetStopped | K::TargetRestarted | K::TargetReloaded => {
                facts::<TargetCommanded>(&data)
            }
            K::TargetBroken => facts::<TargetBroken>(&data),
            K::TargetDrilled => facts::<TargetDrilled>(&data),
            K::FailureReported => facts::<FailureReported>(&data),
            K::FailureCleared => facts::<FailureCleared>(&data),
            K::CheckFailed => facts::<CheckFailed>(&data),
            K::CheckDegraded => facts::<CheckDegraded>(&data),
            K::CheckRecovered => facts::<CheckRecovered>(&data),
            K::TargetRenamed => facts::<TargetRenamed>(&data),
            K::CircuitOpened => facts::<CircuitOpened>(&data),
            K::IncidentOpened => facts::<IncidentOpened>(&data),
            K::IncidentReopened => facts::<IncidentReopened>(&data),
            K::IncidentWorsened => facts::<IncidentWorsened>(&data),
            K::IncidentOverdue => facts::<IncidentOverdue>(&data),
            K::IncidentAcknowledged => facts::<IncidentAcknowledged>(&data),
            K::IncidentUnacknowledged => facts::<IncidentUnacknowledged>(&data),
            K::IncidentClosed => facts::<IncidentClosed>(&data),
            K::RtoExceeded => facts::<RtoExceeded>(&data),
            K::OperationScheduled => {
                facts::<OperationScheduled>(&data).or_else(|| facts::<OperationAskedFor>(&data))
            }
            K::OperationAwaitingManual => facts::<OperationAwaitingManual>(&data),
            K::OperationApproved | K::OperationCancelling => facts::<OperationApproved>(&data),
            K::OperationStarted => facts::<OperationStarted>(&data),
            K::OperationResumed => facts::<OperationResumed>(&data),
            K::OperationSuspended => facts::<OperationSuspended>(&data),
            K::OperationSignalled => facts::<OperationSignalled>(&data),
            K::OperationDiverged => facts::<OperationDiverged>(&data),
            K::OperationRetrying => facts::<OperationRetrying>(&data),
            K::OperationValidating => facts::<OperationValidating>(&data),
            K::OperationSucceeded | K::OperationPartial | K::OperationFailed => {
                facts::<OperationEnded>(&data)
            }
            K::OperationCancelled => facts::<OperationCancelled>(&data),
            K::OperationEscalated => facts::<OperationEscalated>(&data),
            K::EffectPerformed => facts::<EffectPerformed>(&data),
            K::EffectInDoubt => facts::<EffectInDoubt>(&data),
            K::EffectResolved => facts::<EffectResolved>(&data),
            K::AlertQueued => facts::<AlertQueued>(&data),
            K::AlertDelivered | K::AlertDelayed | K::AlertAbandoned => {
                facts::<AlertDelivery>(&data)
            }
            K::AlertHeld | K::AlertLapsed | K::AlertGrouped => facts::<AlertHeld>(&data),
            K::SilenceBegan => facts::<SilenceBegan>(&data),
            K::SilenceEnded => facts::<SilenceEnded>(&data),
            K::NoteAdded => facts::<NoteAdded>(&data),
            K::JournalDamaged => facts::<JournalDamaged>(&data),
            K::RecordSetAside => facts::<RecordSetAside>(&data),
            K::MonitorBlind => facts::<MonitorBlind>(&data),
            K::PluginServing => facts::<PluginServing>(&data),
            K::PluginRejected => facts::<PluginRejected>(&data),
            K::PluginWithdrawn => facts::<PluginWithdrawn>(&data),
            K::BackupVerified => facts::<BackupTaken>(&data),
            K::BackupDeleted => facts::<BackupDeleted>(&data),
            K::BackupRestored | K::DrillPassed => facts::<BackupRestored>(&data),
            K::BackupHeld => facts::<BackupHeld>(&data),
            K::BackupReleased => facts::<BackupReleased>(&data),
            K::BackupSuspicious => facts::<BackupSuspected>(&data),
            K::BackupFellOver => facts::<BackupFellOver>(&data),
            K::BackupMoved => facts::<BackupMoved>(&data),
            K::BackupAccepted => facts::<BackupAccepted>(&data),
            K::BackupTrashed => facts::<BackupTrashed>(&data),
            K::BackupUndeleted => facts::<BackupUndeleted>(&data),
            K::CheckpointTaken => facts::<CheckpointTaken>(&data),
            K::RollbackStarted | K::RollbackSucceeded | K::RollbackFailed | K::RollbackResumed => {
                facts::<RollbackFacts>(&data)
            }
            // They say nothing to programs.
            K::HostStarted
            | K::HostStopping
            | K::CharterWhole
            | K::JournalFull
            | K::JournalWritable
            | K::TargetWarned
            | K::MonitorSees
            | K::CircuitHalfOpened
            | K::CircuitClosed
            | K::CircuitFlapping
            | K::CircuitSteady
            | K::PluginDraining
            | K::PluginRetired
            | K::PluginQuarantined
            | K::PluginReleased
            | K::PluginLogged
            | K::RouteUnhandled
            | K::RouteHandled
            | K::AlerterFailing
            | K::AlerterRecovered
            | K::BackupStarted
            | K::BackupFailed
            | K::BackupRpoMissed
            | K::BackupWaiting
            | K::BackupCorrupted
            | K::BackupExpired
            | K::BackupRecorded
            | K::RetentionFailed
            | K::RetentionJudged
            | K::DrillFailed => None,
        };
        known.unwrap_or(Self::Other(data))
    }
}

/// These facts, where they say all that is in the data and no more.
fn facts<T>(data: &Value) -> Option<EventData>
where
    T: for<'de> Deserialize<'de> + Serialize + Into<EventData>,
{
    let facts = T::deserialize(data).ok()?;
    let again = serde_json::to_value(&facts).ok()?;
    (again == *data).then(|| facts.into())
}

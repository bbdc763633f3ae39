//! What an event says to programs: one variant for each set of facts, shared between the kinds that say the same.
//!
//! Invariant: the JSON of a variant is the JSON of its facts alone, with no word for the variant; which it is follows
//! from the kind of the event.

use super::{
    AlertDelivery, AlertHeld, AlertQueued, BackupAccepted, BackupDeleted, BackupFellOver,
    BackupHeld, BackupMoved, BackupReleased, BackupRestored, BackupSuspected, BackupTaken,
    BackupTrashed, BackupUndeleted, CharterBroken, CheckDegraded, CheckFailed, CheckRecovered,
    CheckpointTaken, CircuitOpened, ConfigApplied, ConfigRejected, EffectInDoubt, EffectPerformed,
    EffectResolved, FailureCleared, FailureReported, IncidentAcknowledged, IncidentClosed,
    IncidentOpened, IncidentOverdue, IncidentReopened, IncidentUnacknowledged, IncidentWorsened,
    JournalDamaged, ModeChanged, MonitorBlind, NoteAdded, OperationApproved, OperationAskedFor,
    OperationAwaitingManual, OperationCancelled, OperationDiverged, OperationEnded,
    OperationEscalated, OperationResumed, OperationRetrying, OperationScheduled,
    OperationSignalled, OperationStarted, OperationSuspended, OperationValidating, PausedBy,
    PausedFor, PhaseChanged, PluginRejected, PluginServing, PluginWithdrawn, PolicyChanged,
    ProcessFacts, RecordSetAside, RollbackFacts, RtoExceeded, SilenceBegan, SilenceEnded,
    TargetBroken, TargetCommanded, TargetDrilled, TargetRenamed,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

macro_rules! event_data {
    ($($(#[$doc:meta])* $facts:ident),* $(,)?) => {
        /// The facts of an event, for programs; serialised as a JSON object.
        ///
        /// ```
        /// use mainstay_domain::event::{ConfigApplied, EventData};
        ///
        /// let data = EventData::from(ConfigApplied::new("ab12".to_owned(), Default::default()));
        /// assert_eq!(serde_json::to_string(&data).unwrap(), r#"{"digest":"ab12"}"#);
        /// assert_eq!(serde_json::to_string(&EventData::Nothing).unwrap(), "{}");
        /// ```
        #[derive(Debug, Clone, PartialEq)]
        pub enum EventData {
            /// There is nothing more to say; `{}`.
            Nothing,
            $($(#[$doc])* $facts($facts),)*
            /// A form that this version does not know, as another version wrote it. Nothing is read of it.
            Other(Value),
        }

        impl Serialize for EventData {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Nothing => serializer.serialize_map(Some(0))?.end(),
                    $(Self::$facts(facts) => facts.serialize(serializer),)*
                    Self::Other(value) => value.serialize(serializer),
                }
            }
        }

        $(
            impl From<$facts> for EventData {
                fn from(facts: $facts) -> Self {
                    Self::$facts(facts)
                }
            }
        )*
    };
}

event_data! {
    /// `host.paused` and `host.resumed`.
    PausedBy,
    /// `host.paused`, where the pause has an end.
    PausedFor,
    /// `charter.broken`.
    CharterBroken,
    /// `policy.changed`.
    PolicyChanged,
    /// `phase.changed`.
    PhaseChanged,
    /// `mode.changed`.
    ModeChanged,
    /// `config.applied`.
    ConfigApplied,
    /// `config.rejected`.
    ConfigRejected,
    /// `journal.damaged`.
    JournalDamaged,
    /// `record.set-aside`.
    RecordSetAside,
    /// `monitor.blind`.
    MonitorBlind,
    /// `process.started` and `process.adopted`; `process.exited` and `process.stopped` of a process that this daemon
    /// started or adopted, else they say nothing.
    ProcessFacts,
    /// `target.started`, `target.stopped`, `target.restarted` and `target.reloaded`.
    TargetCommanded,
    /// `target.broken`.
    TargetBroken,
    /// `target.drilled`.
    TargetDrilled,
    /// `failure.reported`.
    FailureReported,
    /// `failure.cleared`.
    FailureCleared,
    /// `check.failed`.
    CheckFailed,
    /// `check.degraded`.
    CheckDegraded,
    /// `check.recovered`.
    CheckRecovered,
    /// `target.renamed`.
    TargetRenamed,
    /// `circuit.opened`.
    CircuitOpened,
    /// `incident.opened`.
    IncidentOpened,
    /// `incident.reopened`.
    IncidentReopened,
    /// `incident.worsened`.
    IncidentWorsened,
    /// `incident.overdue`.
    IncidentOverdue,
    /// `incident.acknowledged`.
    IncidentAcknowledged,
    /// `incident.unacknowledged`.
    IncidentUnacknowledged,
    /// `incident.closed`.
    IncidentClosed,
    /// `rto.exceeded`.
    RtoExceeded,
    /// `operation.scheduled`, for an incident.
    OperationScheduled,
    /// `operation.scheduled`, where a person asked for it.
    OperationAskedFor,
    /// `operation.awaiting-manual`.
    OperationAwaitingManual,
    /// `operation.approved` and `operation.cancelling`.
    OperationApproved,
    /// `operation.started`.
    OperationStarted,
    /// `operation.resumed`.
    OperationResumed,
    /// `operation.suspended`.
    OperationSuspended,
    /// `operation.signalled`.
    OperationSignalled,
    /// `operation.diverged`.
    OperationDiverged,
    /// `operation.retrying`.
    OperationRetrying,
    /// `operation.validating`.
    OperationValidating,
    /// `operation.succeeded`, `operation.partial` and `operation.failed`.
    OperationEnded,
    /// `operation.cancelled`.
    OperationCancelled,
    /// `operation.escalated`.
    OperationEscalated,
    /// `effect.performed`.
    EffectPerformed,
    /// `effect.in-doubt`.
    EffectInDoubt,
    /// `effect.resolved`.
    EffectResolved,
    /// `alert.queued`.
    AlertQueued,
    /// `alert.delivered`, `alert.delayed` and `alert.abandoned`.
    AlertDelivery,
    /// `alert.held`, `alert.lapsed` and `alert.grouped`.
    AlertHeld,
    /// `silence.began`.
    SilenceBegan,
    /// `silence.ended`.
    SilenceEnded,
    /// `note.added`.
    NoteAdded,
    /// `plugin.serving`.
    PluginServing,
    /// `plugin.rejected`.
    PluginRejected,
    /// `plugin.withdrawn`.
    PluginWithdrawn,
    /// `backup.verified` of a backup that was just taken; of one that was read again, it says nothing.
    BackupTaken,
    /// `backup.deleted`.
    BackupDeleted,
    /// `backup.restored` and `drill.passed`.
    BackupRestored,
    /// `backup.held`.
    BackupHeld,
    /// `backup.released`.
    BackupReleased,
    /// `backup.suspicious`.
    BackupSuspected,
    /// `backup.fell-over`.
    BackupFellOver,
    /// `backup.moved`.
    BackupMoved,
    /// `backup.accepted`.
    BackupAccepted,
    /// `backup.trashed`.
    BackupTrashed,
    /// `backup.undeleted`.
    BackupUndeleted,
    /// `checkpoint.taken`.
    CheckpointTaken,
    /// `rollback.started`, `rollback.succeeded`, `rollback.failed` and `rollback.resumed`.
    RollbackFacts,
}

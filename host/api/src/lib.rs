//! The public JSON of Mainstay: what the admin API and `--json` show and take, and nothing else.
//!
//! A form is a plain struct or enum of strings, numbers and other forms, and is made from what the domain has. So the
//! domain may change what it stores, and programs that read the JSON do not notice.
//!
//! Invariant: additive only. Fields, words and paths are added, never renamed or taken away, and a request never needs
//! more than before; a test compares with `openapi/released.v1.json`.
//! Invariant: times are RFC 3339 in UTC, durations are milliseconds and end in `_ms`, sizes are bytes and end in `_bytes`.
//! Invariant: an answer has each of its fields always, null where there is nothing, unless the field says otherwise.

mod alerts;
mod audit;
mod backup_origin;
mod backup_statistics;
mod backups;
mod calls;
mod check;
mod checkpoints;
mod commands;
mod contents;
mod demo;
mod drilled;
mod errors;
mod event_kind;
mod events;
mod health;
mod incidents;
mod journal;
mod modes;
mod notes;
mod openapi;
mod operations;
mod phases;
mod plugins;
mod policies;
mod rehearsals;
mod requests;
mod severity;
mod silences;
mod simulation;
mod statistics;
mod status;
mod words;

/// The header of a request that gives identities of age, with commas between them, which open backups for that request alone. It is
/// taken over the Unix socket, by what reads backups: verify, restore, drill, rekey, documents and content.
pub const IDENTITY_HEADER: &str = "mainstay-identity";

pub use alerts::{AlertQuery, AlertTestBody, AlerterRow, TestedAlert};
pub use audit::{AuditCheck, AuditQuery, AuditRow};
pub use backup_origin::BackupOrigin;
pub use backup_statistics::{BackupNumbers, BackupStats};
pub use backups::{
    Backup, BackupReport, BackupStatus, BackupType, Hold, Progress, Verdict, WorkLine,
};
pub use calls::HandlerCall;
pub use check::{CheckReport, Problem, ProblemSeverity};
pub use checkpoints::{
    Checkpoint, CheckpointBody, CheckpointKind, ResumeJobBody, ResumedJob, Rollback, RollbackBody,
    RollbackStep,
};
pub use commands::{
    CancelledRestore, Commanded, EndedSilence, ForgottenPlugin, PauseReport, ReportedFailure,
    Scheduled,
};
pub use contents::{
    ChangeKind, ContentEnd, ContentLine, Document, DocumentChange, DocumentKind, DocumentPart,
};
pub use demo::{DemoEnd, DemoStep};
pub use drilled::Drilled;
pub use errors::{ErrorBody, ErrorPage, ListedError};
pub use event_kind::EventKind;
pub use events::Event;
pub use health::{
    ClusterCircuit, Consensus, HostHealth, Liveness, Node, NodeState, Readiness, RecoveryCounts,
    RetryState, TargetCounts,
};
pub use incidents::{Acknowledgement, Escalation, Evidence, Incident, IncidentState};
pub use journal::{CheckedTable, JournalCheck, JournalCopy, JournalSalvage, SalvagedTable};
pub use modes::FallbackMode;
pub use notes::{Note, NoteBody};
pub use openapi::openapi;
pub use operations::{
    Approval, EntryKind, JournalEntry, Mode, Operation, OperationDetail, OperationState, Signal,
    ValidationResult, Vote,
};
pub use phases::{HostPhase, Phase, PhaseBody, PhaseChange};
pub use plugins::{
    Capability, PluginInspection, PluginInstance, PluginKind, PluginRow, PluginState, WrittenPlugin,
};
pub use policies::{
    PolicyBody, PolicyChange, PolicyRoute, PolicySettings, RestingHandler, TargetPolicy,
};
pub use rehearsals::{
    OperationExport, RehearsalClass, RehearsalDifference, RehearsalEffect, RehearsalMatch,
    RehearsalOutcome, RehearsalReport, outcome_words,
};
pub use requests::{
    AcceptBody, AcknowledgeBody, BackupQuery, CancelRestoreBody, ContentBody, CreateBody,
    DecisionBody, DeleteBody, DiffBody, DocumentsBody, DrillBody, EventQuery, ForgetPluginBody,
    HistoryQuery, HoldBody, IncidentQuery, MoveBody, PauseBody, PruneBody, RecoverBody, RekeyBody,
    ReleaseBody, RenameQuery, ReportBody, ResolveBody, RestoreBody, SignalBody, SilenceBody,
    TargetBody, TargetDrillBody, UndeleteBody, UnsilenceBody,
};
pub use severity::Severity;
pub use silences::Silence;
pub use simulation::{SimulatedEvent, SimulatedIncident, Simulation};
pub use statistics::{Stats, StatsQuery, StatsTotal, TargetStats};
pub use status::{
    CircuitState, Health, HostStatus, JobRow, LastLook, NotStarted, OpenWindow, ProbeReport,
    ProbedCheck, RecoveryPause, ReloadRow, Rest, ServiceProcess, Status, TargetDetail, TargetLog,
    TargetRow, TierRow, Unseen, Unstarted,
};

#[cfg(test)]
mod tests;

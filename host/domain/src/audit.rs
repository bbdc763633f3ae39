//! The audit log: what was decided and done, by whom, in which phase and under which charter.
//!
//! Invariant: a row's digest is over its number, its record and the digest of the row before, so a row that was changed,
//! removed, put elsewhere or added is found by who goes through them, see [`Chain`]. It proves nothing against who writes
//! the whole chain anew: keep the last digest somewhere else for that.
//! Invariant: a record is read by versions to come, and says texts for that reason, no names of the types of today.

mod chain;

pub use chain::{AuditFault, AuditHead, Chain, digest};

use crate::{
    event::{Event, EventKind},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who did what nobody asked for.
pub const HOST: &str = "mainstay";

/// What holds when something is decided; it stands in each row from then on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditContext {
    /// The operating phase; empty where there is none.
    pub phase: String,
    /// The digest of the charter; empty where none is pinned.
    pub charter: String,
}

/// What the audit log says of one event. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When it happened.
    pub at: Timestamp,
    /// The number of the event, which may be forgotten before its row is.
    pub seq: u64,
    /// The kind of the event, `noun.verb`.
    pub kind: String,
    /// Who did it: the user of the socket's peer, the name of the token's secret, or [`HOST`] itself.
    pub actor: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// The target that it is about.
    pub target: Option<String>,
    /// The incident that it is about.
    pub incident: Option<String>,
    /// The operation that it is about.
    pub operation: Option<String>,
    /// The plugin that it is about, `name@version`.
    pub plugin: Option<String>,
    /// The backup that it is about.
    pub backup: Option<String>,
    /// The job that it is about.
    pub job: Option<String>,
    /// The phase in which it was; empty where there was none.
    pub phase: String,
    /// The digest of the charter under which it was; empty where none was pinned.
    pub charter: String,
    /// For people, one line.
    pub message: String,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place, from 1 on.
    pub number: u64,
    /// Its digest.
    pub digest: String,
    /// What it says.
    pub record: AuditRecord,
}

/// Whether events of this kind have a row: they are decisions, acts, or what a decision stands on. What the host only
/// saw, and what follows from a row that is there, has none.
pub fn is_audited(kind: EventKind) -> bool {
    use EventKind as K;
    !matches!(
        kind,
        K::JournalFull
            | K::JournalWritable
            | K::MonitorBlind
            | K::MonitorSees
            | K::ModeChanged
            | K::ProcessStarted
            | K::ProcessAdopted
            | K::ProcessExited
            | K::ProcessStopped
            | K::TargetWarned
            | K::CheckFailed
            | K::CheckDegraded
            | K::CheckRecovered
            | K::CircuitOpened
            | K::CircuitHalfOpened
            | K::CircuitClosed
            | K::CircuitFlapping
            | K::CircuitSteady
            | K::AlertQueued
            | K::AlertHeld
            | K::AlertLapsed
            | K::AlertGrouped
            | K::AlerterFailing
            | K::AlerterRecovered
            | K::AlertDelivered
            | K::AlertDelayed
            | K::AlertAbandoned
            | K::PluginDraining
            | K::PluginRetired
            | K::PluginLogged
            | K::RouteUnhandled
            | K::RouteHandled
            | K::BackupStarted
            | K::BackupRpoMissed
            | K::BackupWaiting
    )
}

/// What the audit log says of an event, with the number that the journal gave it; none where it has no row.
pub fn record_of(event: &Event, context: &AuditContext) -> Option<AuditRecord> {
    if !is_audited(event.kind) {
        return None;
    }
    // Whatever its kind says of who did it and about which incident is said by these words.
    let data = serde_json::to_value(&event.data).unwrap_or_default();
    let word = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let by = word("by");
    Some(AuditRecord {
        at: event.at,
        seq: event.seq,
        kind: event.kind.as_str().to_owned(),
        // What a person says about themselves is only said of a person.
        note: by.as_ref().and_then(|_| word("note")),
        actor: by.unwrap_or_else(|| HOST.to_owned()),
        target: event.target.as_ref().map(ToString::to_string),
        incident: word("incident"),
        operation: event.operation.as_ref().map(ToString::to_string),
        plugin: event.plugin.clone(),
        backup: event.backup.as_ref().map(ToString::to_string),
        job: event.job.as_ref().map(ToString::to_string),
        phase: context.phase.clone(),
        charter: context.charter.clone(),
        message: event.message.clone(),
    })
}

#[cfg(test)]
mod tests;

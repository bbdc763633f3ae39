//! The audit log: who decided and did what.

use mainstay_domain::audit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of the audit log. Each holds the one before in its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRow {
    /// Its place, from 1 on.
    pub number: u64,
    /// When it happened.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// The kind of the event that it is of, `noun.verb`; also one that this version does not know.
    pub kind: String,
    /// Who did it: the user of the socket's peer, the name of the token's secret, or `mainstay` itself.
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
    /// The operating phase of then; null where there was none.
    pub phase: Option<String>,
    /// The digest of the charter of then; null where none was pinned.
    pub charter: Option<String>,
    /// For people, one line.
    pub message: String,
    /// The `seq` of the event, which may be forgotten before its row is.
    pub event: u64,
    /// The digest of the row: BLAKE3, hexadecimal.
    pub digest: String,
}

impl From<&audit::AuditRow> for AuditRow {
    fn from(row: &audit::AuditRow) -> Self {
        let record = &row.record;
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            number: row.number,
            at: record.at.to_string(),
            kind: record.kind.clone(),
            actor: record.actor.clone(),
            note: record.note.clone(),
            target: record.target.clone(),
            incident: record.incident.clone(),
            operation: record.operation.clone(),
            plugin: record.plugin.clone(),
            backup: record.backup.clone(),
            job: record.job.clone(),
            phase: some(&record.phase),
            charter: some(&record.charter),
            message: record.message.clone(),
            event: record.seq,
            digest: row.digest.clone(),
        }
    }
}

/// The query of `GET /v1/audit`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only about this target.
    pub target: Option<String>,
    /// Only of this time or later.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
    /// At most so many; default 100.
    pub limit: Option<u32>,
    /// Only those before the row with this number: the last of the page before.
    pub before: Option<u64>,
}

/// What `history --verify --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditCheck {
    /// Whether every row is as it was written, and none is missing.
    pub whole: bool,
    /// The journal's file.
    pub path: String,
    /// Rows that are there.
    pub rows: u64,
    /// The last row that went by `keep_history`, with all before it; 0 where none did.
    pub forgotten: u64,
    /// The last row that was written.
    pub last: u64,
    /// Its digest; kept somewhere else, it proves later that nothing up to that row is another one.
    pub digest: String,
    /// How much is wrong.
    pub faults: u64,
    /// The first of it, sentences.
    pub named: Vec<String>,
}

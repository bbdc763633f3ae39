//! What the host asks a backup source, and what a page holds.

use crate::{backup::BackupType, name::JobName, time::Timestamp};

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The run that it belongs to.
    pub run: String,
    /// The source's own; empty for the first page.
    pub position: Vec<u8>,
}

/// One page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectRequest {
    /// Whose backup it is.
    pub job: JobName,
    /// What the backup is to hold.
    pub backup_type: BackupType,
    /// When the run began.
    pub started_at: Timestamp,
    /// The watermark of the run that this one is the difference to.
    pub since: Option<Vec<u8>>,
    /// Where the page begins.
    pub at: Cursor,
    /// Bytes that its parts may have together.
    pub page_bytes: u32,
}

/// A document, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The document's key.
    pub key: String,
    /// Where in it the bytes begin.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether it ends with them.
    pub last: bool,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Documents and parts, in order.
    pub parts: Vec<Part>,
    /// Keys that are gone.
    pub removed: Vec<String>,
    /// Where the next page begins; absent in the last one.
    pub next: Option<Cursor>,
    /// For the next run; in the last page.
    pub watermark: Option<Vec<u8>>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectFailure {
    /// Another attempt may go well.
    #[error("{0}")]
    Retryable(String),
    /// No attempt will.
    #[error("{0}")]
    Permanent(String),
    /// The run has to begin anew.
    #[error("what it reads changed meanwhile: {0}")]
    ChangedUnderneath(String),
}

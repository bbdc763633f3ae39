//! Sources that give documents by keys of their own.

use super::BackupStoreError;
use mainstay_domain::{
    backup::BackupType, id::BackupId, name::JobName, spec::PluginSource, time::Timestamp,
};

/// What a plugin is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Collecting<'a> {
    /// Which plugin.
    pub source: &'a PluginSource,
    /// The job.
    pub job: &'a JobName,
    /// The backup.
    pub backup: &'a BackupId,
    /// What it is.
    pub backup_type: BackupType,
    /// When its sources are read.
    pub started_at: Timestamp,
}

/// Some bytes of a document.
#[derive(Debug, Clone, Copy)]
pub struct SourcePart<'a> {
    /// The document's key, as its source gives it.
    pub key: &'a str,
    /// They go on where those before ended.
    pub bytes: &'a [u8],
    /// Whether the document ends with them. The next part begins another.
    pub last: bool,
}

/// Takes the parts of documents as they come; an error of it ends the asking.
pub type OnSourcePart<'a> = dyn FnMut(SourcePart<'_>) -> Result<(), BackupStoreError> + 'a;

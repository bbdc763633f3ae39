//! What backups hold, for operators.

use super::{Boxed, OnProgress, Refused};
use mainstay_domain::{
    archive::{DocumentChange, DocumentKey, Entry, KeyPattern, Selection},
    id::BackupId,
};

/// Which documents of a backup are asked for: those that both mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Under which keys.
    pub only: Selection,
    /// By which pattern; absent: all.
    pub pattern: Option<KeyPattern>,
}

/// How two states differ.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// By key.
    pub changes: Vec<DocumentChange>,
    /// What was not compared, or could not be read; sentences for people.
    pub notes: Vec<String>,
}

/// Takes the content of a document in pieces; answers whether more is wanted. It may block, and is called where that is
/// allowed.
pub type TakeContent = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// Looks into backups without restoring them. None of it waits for a job's turn, or holds up what else is to be done.
pub trait BackupViews: Send + Sync {
    /// What a backup holds, by key.
    fn documents(
        &self,
        id: BackupId,
        filter: DocumentFilter,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Vec<(DocumentKey, Entry)>, Refused>>;
    /// What leads from one backup to another one, or to what the sources of its job hold now.
    fn changes(
        &self,
        from: BackupId,
        to: Option<BackupId>,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Changes, Refused>>;
    /// Hands on the content of one document, after all that it is read from was checked.
    fn content(
        &self,
        id: BackupId,
        key: DocumentKey,
        progress: OnProgress,
        take: TakeContent,
    ) -> Boxed<'_, Result<(), Refused>>;
}

//! What stored backups hold, looked at without restoring them.

use super::{BackupStoreError, OnProgress};
use mainstay_domain::{
    archive::{DocumentKey, State},
    id::BackupId,
    name::JobName,
    spec::{BackupSource, ReadingSpec},
};

/// Takes the content of a document in pieces; an error of it ends the reading.
pub type OnContent<'a> = dyn FnMut(&[u8]) -> Result<(), BackupStoreError> + 'a;

/// What the sources of a job hold now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveState {
    /// What lies in directories.
    pub state: State,
    /// The documents of sources that are no directories, and what all documents of a plugin lie below: they are not looked at.
    pub not_read: Vec<DocumentKey>,
    /// What could not be read; sentences for people.
    pub notes: Vec<String>,
}

/// Looks into backups. Every function blocks, perhaps for long. A chain is told by its links, the one that stands alone
/// first.
pub trait BackupContents: Send + Sync {
    /// Every document of the state that a chain gives: as an index says that has its root hash, else as the whole chain
    /// does, of which every byte is read and checked then.
    fn state(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<State, BackupStoreError>;
    /// Reads what the sources hold now, every file of them but what is left out, and stores nothing.
    fn live(
        &self,
        sources: (&[BackupSource], &ReadingSpec),
        progress: &OnProgress,
    ) -> Result<LiveState, BackupStoreError>;
    /// Hands on what a file of the state holds, or where a link of it leads. Before that every byte of the chain is checked;
    /// what is large is spooled beside the backups meanwhile. None of a directory, and of what is not there, which is
    /// [`BackupStoreError::Unavailable`].
    fn content(
        &self,
        job: &JobName,
        chain: &[BackupId],
        key: &DocumentKey,
        progress: &OnProgress,
        on_content: &mut OnContent<'_>,
    ) -> Result<(), BackupStoreError>;
}

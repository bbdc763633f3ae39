//! What is restored, where it goes, and what came of it.

use super::BackupStoreError;
use mainstay_domain::{
    archive::{DocumentKey, Selection},
    spec::{BackupSource, ReadingSpec},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Where a store puts what it restores.
#[derive(Debug, Clone, PartialEq)]
pub enum RestorePlace {
    /// Everything below one directory; with `replace` whatever it holds goes.
    Into {
        /// Absolute.
        path: PathBuf,
        /// Needed where it exists and is not empty.
        replace: bool,
    },
    /// Over these sources; only directories can be.
    InPlace(Vec<BackupSource>),
}

/// What is restored, and what becomes of other things that are in its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreRules {
    /// Which documents are restored. Those that nothing is in the backup of are an error.
    pub only: Selection,
    /// Whether what is in the place, and is not restored, stays there; nothing of it is needed to be replaced then. Each
    /// file is exchanged by itself: the whole is not put in place at one moment.
    pub merge: bool,
    /// What the job leaves out of its backups: in place it stays as it is, also where everything else is replaced. It is an
    /// error where that cannot be. Into a directory it means nothing.
    pub left_alone: ReadingSpec,
}

/// What a store restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredTree {
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// What has no place there.
    pub not_put_back: NotPutBack,
    /// What is not as it was, and costs no content; sentences for people.
    pub notes: Vec<String>,
}

/// Documents of a backup for which a restore in place has no place: what a command printed, and what is below no
/// directory that is a source now. Empty where everything was restored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotPutBack {
    /// How many.
    pub documents: u64,
    /// The keys of the first of them, at most [`NotPutBack::NAMED`].
    pub first: Vec<String>,
}

impl NotPutBack {
    /// So many are named.
    pub const NAMED: usize = 20;

    /// One more.
    pub fn add(&mut self, key: &DocumentKey) {
        self.documents += 1;
        if self.first.len() < Self::NAMED {
            self.first.push(key.to_string());
        }
    }
}

/// A restored state that waits beside its place. Dropping it removes it, and blocks as placing it does.
pub trait StagedRestore: Send {
    /// Puts it in place: all of it, or nothing is changed. What is merged is put there file by file, and where that fails
    /// what was put there is taken back.
    fn place(self: Box<Self>) -> Result<RestoredTree, BackupStoreError>;
}

/// What a drill has restored, and found to be the same as what was read. Dropping it removes it, and blocks.
pub trait DrilledTree: Send + std::fmt::Debug {
    /// Where it lies.
    fn path(&self) -> &Path;
    /// What was restored.
    fn restored(&self) -> &RestoredTree;
    /// How long it took to write it.
    fn took(&self) -> Duration;
}

//! What of its sources a job reads.

use crate::backup::BackupType;
use std::collections::BTreeMap;

/// What of the directories among a job's sources is read. What is left out makes no backup incomplete, and a restore in
/// place leaves it where it is.
///
/// ```
/// use mainstay_domain::spec::{OnUnreadable, ReadingSpec};
///
/// let reading = ReadingSpec::default();
/// assert!(reading.exclude.is_empty() && !reading.exclude_caches && reading.one_filesystem);
/// assert_eq!(reading.on_unreadable, OnUnreadable::Incomplete);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingSpec {
    /// Patterns of what is left out, with all that is below it, held against paths below the source; checked. One without a
    /// slash names what has that name, wherever it is; any other is meant from the source on. Default none.
    pub exclude: Vec<String>,
    /// Whether of each directory below a source that says that it is a cache, by a CACHEDIR.TAG with its signature
    /// (<https://bford.info/cachedir/>), nothing but that is read; default false.
    pub exclude_caches: bool,
    /// Whether a directory on another file system than its source is read as an empty one; default true.
    pub one_filesystem: bool,
    /// Of a type whose backups hold a selection alone, snapshots or emergency backups, the patterns of what they hold: of documents by
    /// their keys, of what lies below such a one too; checked. Of a source that is no directory all or nothing is read, by its key or
    /// prefix. Checkpoints, and what is saved before a restore, hold everything in any case. Default none.
    pub include: BTreeMap<BackupType, Vec<String>>,
    /// What becomes of a backup where something in them cannot be read; default: it is incomplete.
    pub on_unreadable: OnUnreadable,
}

/// What becomes of a backup where something in its directories cannot be read. A source that cannot be read at all fails it.
/// Checkpoints, and what is saved before a restore, fail in any case: they are whole, or there is none. Emergency backups that
/// somebody asks for are incomplete in any case, and where a whole source cannot be read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnreadable {
    /// It is incomplete, and names that. A difference holds what the backup has of it that it is built on.
    #[default]
    Incomplete,
    /// It fails.
    Fail,
}

impl Default for ReadingSpec {
    fn default() -> Self {
        Self {
            exclude: Vec::new(),
            exclude_caches: false,
            one_filesystem: true,
            include: BTreeMap::new(),
            on_unreadable: OnUnreadable::default(),
        }
    }
}

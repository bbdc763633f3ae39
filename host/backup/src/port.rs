//! Where backups are stored, and what a store needs of its host.
//!
//! Length: all that a store can be asked for, and what it answers with, stands in one place.

mod collecting;
mod contents;
mod restore;

pub use crate::age_keys::GivenIdentities;
pub use {collecting::*, contents::*, restore::*};

use crate::bucket::Bucket;
use mainstay_domain::{
    archive::Manifest,
    backup::{BackupType, Hold},
    code::ErrorCode,
    id::BackupId,
    name::{JobName, TierName},
    source_mount::SourceMount,
    spec::{BackupSource, HttpSource, OnUnreadable, ReadingSpec, RedisSource, RunAs, SealingSpec},
    time::Timestamp,
};
use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Documents done.
    pub documents: u64,
    /// Documents in all, where known.
    pub total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, where known.
    pub total_bytes: Option<u64>,
}

/// Is told how far long work has come; must be quick.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// The host's wall clock.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where a tier is.
#[derive(Debug, Clone)]
pub enum TierPlace {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket.
    Bucket(Bucket),
}

/// The tiers of the config beside the one in the state directory, each with its place, as they are now.
pub type TierPlaces = Arc<dyn Fn() -> Vec<(TierName, TierPlace)> + Send + Sync>;

/// A file or a directory of the host's own, beside its backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlace {
    /// What it is, as people are told, e.g. `the plugin directory`.
    pub what: String,
    /// Where it is, or is to be.
    pub path: PathBuf,
}

/// What no restore into a directory takes away, nor puts anything into where it is a directory; as it is now.
pub type HostPlaces = Arc<dyn Fn() -> Vec<HostPlace> + Send + Sync>;

/// Holds back what goes to a tier and comes from it, so that it is no faster than the host wants.
pub trait TierPace: Send + Sync {
    /// So many bytes have come from a tier, or are to go to it. Blocks for as long as that takes; ends soon after `stop`.
    fn pass(&self, tier: &TierName, bytes: u64, stop: &CancellationToken);
}

/// A program that is a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceProgram<'a> {
    /// It and its arguments.
    pub run: &'a [String],
    /// Where it runs.
    pub cwd: &'a Path,
    /// As whom, and what is added to its environment; values may hold `${secret:NAME}`.
    pub run_as: &'a RunAs,
    /// How long it may take.
    pub timeout: Duration,
}

/// Runs the programs that are sources, and asks servers and plugins. What programs inherit, how they are ended, and how
/// servers are reached is for the host to decide: a store starts none, and asks nobody.
pub trait SourcePrograms: Send + Sync {
    /// Runs a program to its end and hands on what it prints, as it comes. Blocks. Exit code 0, in time, or it is an error
    /// with the end of what it said. Soon after `stop`, or an error of `on_bytes`, it is killed, with what it started:
    /// [`BackupStoreError::Interrupted`], or that error.
    fn run(
        &self,
        source: &SourceProgram<'_>,
        on_bytes: &mut OnContent<'_>,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError>;
    /// Asks a server and puts what it answers into `output`. Blocks. A status of 200 to 299, within the time and the bytes of
    /// the source, or it is an error. Soon after `stop` it is given up: [`BackupStoreError::Interrupted`].
    fn fetch(
        &self,
        source: &HttpSource,
        output: &File,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError>;
    /// Reads what a Redis holds, and hands it on in pieces, as the commands that give it back. Blocks. All of it within the time of
    /// the source, or it is an error. Soon after `stop` it is given up: [`BackupStoreError::Interrupted`].
    fn dump(
        &self,
        source: &RedisSource,
        on_bytes: &mut OnContent<'_>,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError>;
    /// Asks a plugin, and hands on what it gives, each document whole and one after the other, with no more of it in memory than
    /// a page. Blocks. All pages within the time of the source, or it is an error; [`BackupStoreError::SourceChanged`] where
    /// what was given so far does not go with the rest. Soon after `stop` it is given up: [`BackupStoreError::Interrupted`].
    fn collect(
        &self,
        asked: &Collecting<'_>,
        on_part: &mut OnSourcePart<'_>,
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError>;
}

/// What the config says of keys. It is asked each time, so that a changed config counts at once.
pub trait BackupKeys: Send + Sync {
    /// The file of the identities by which the backups of a job are read here; none: those that are encrypted are not.
    fn identity(&self, job: &JobName) -> Option<PathBuf>;
    /// The public keys, beside the host's own, whose manifests count; and the word [`UNSIGNED`].
    fn trusted(&self) -> Vec<String>;
}

/// Among the trusted keys it says that manifests count which nobody signed.
pub const UNSIGNED: &str = "unsigned";

/// How what was verified begins where only stored bytes were compared: nothing here opens what is encrypted.
pub const STORED_ONLY: &str = "verified as stored";

/// What is to be stored as one backup.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeBackup {
    /// Its identifier.
    pub id: BackupId,
    /// Its job.
    pub job: JobName,
    /// What it is.
    pub backup_type: BackupType,
    /// What is read. Of an emergency backup a directory that is not there is an empty one.
    pub sources: Vec<BackupSource>,
    /// What of the directories among them is left out.
    pub reading: ReadingSpec,
    /// What becomes of what is there and cannot be read.
    pub unreadable: Unreadable,
    /// Directories that were mount points, and held something, in the newest backup before it that counts.
    pub mounts: Vec<String>,
    /// zstd level.
    pub compression: i32,
    /// Who can read it.
    pub sealing: SealingSpec,
    /// Whether backups of the job are known to be stored: then their store has to be there, and none is begun in its place.
    pub is_known: bool,
    /// The chain of the backup that it is the difference to, the full one first; empty where it stands alone.
    pub chain: Vec<BackupId>,
    /// When its sources are read.
    pub created_at: Timestamp,
    /// Where it may be stored, the tier that is wanted first; it is in the first that takes it.
    pub tiers: Vec<TierName>,
}

/// What a backup does where something that is there cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It fails.
    Fails,
    /// It stores the rest, with a warning, and is incomplete. Of a file or a directory that cannot be read it holds what its chain
    /// has of it. Of a source that cannot be read at all, or breaks off, it fails.
    IsMissed,
    /// The same, also where that is a whole source.
    IsLeftOut,
}

impl From<OnUnreadable> for Unreadable {
    fn from(configured: OnUnreadable) -> Self {
        match configured {
            OnUnreadable::Incomplete => Self::IsMissed,
            OnUnreadable::Fail => Self::Fails,
        }
    }
}

/// A stored backup that was read back and found right.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenBackup {
    /// What was stored.
    pub manifest: Manifest,
    /// What was left out or changed while it was read; sentences for people.
    pub warnings: Vec<String>,
    /// The tiers that were wanted before the one that it is in, and why each did not take it; sentences for people.
    pub refused: Vec<(TierName, String)>,
    /// The mount points of its sources, and those of before that are empty directories now.
    pub mounts: Vec<SourceMount>,
}

/// A tier that did not take the last backup that was brought to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwellTier {
    /// Its name.
    pub tier: TierName,
    /// When that was.
    pub failed_at: Timestamp,
    /// Why; a sentence for people.
    pub why: String,
    /// Until when it is left alone where another takes the backup; none: the next is brought to it.
    pub rests_until: Option<Timestamp>,
}

/// Why a store could not do it. All texts are sentences for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupStoreError {
    /// A source cannot be read.
    #[error("{0}")]
    Source(String),
    /// A source changed while it was read, so that what was read of it does not fit together.
    #[error("{0}")]
    SourceChanged(String),
    /// What is stored is not what was written.
    #[error("backup {id} is corrupted: {what} [{code}]", code = ErrorCode::BackupUnusable)]
    Corrupted {
        /// Which of the chain.
        id: BackupId,
        /// What is wrong with it.
        what: String,
    },
    /// Who stands for it is nobody whom this host trusts. It may be right, and counts as soon as that key is trusted.
    #[error("backup {id} is not trusted: {what} [{code}]", code = ErrorCode::BackupUnusable)]
    Untrusted {
        /// Which of the chain.
        id: BackupId,
        /// Why, and what to do where it is one's own.
        what: String,
    },
    /// The store or the destination cannot be written or read now.
    #[error("{0}")]
    Unavailable(String),
    /// The file system of the store or of the destination is full, or a quota is used up.
    #[error("{0}")]
    NoRoom(String),
    /// It is encrypted, and nothing here opens it.
    #[error("{0}")]
    Locked(String),
    /// It may be stored, and nobody can tell now: [`BackupStore::committed`] says so once it can be told. Nothing else is tried
    /// meanwhile, and nothing of it removed.
    #[error("{0}")]
    InDoubt(String),
    /// The daemon stops.
    #[error("the host is stopping; what was begun is removed")]
    Interrupted,
    /// Somebody wanted it to end. No store says so: it is who cancelled one who knows why it was [`Self::Interrupted`].
    #[error("it was cancelled; what was begun is removed")]
    Cancelled,
}

impl BackupStoreError {
    /// Whether the same may work later with nothing else changed by who asks.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::NoRoom(_)
            | Self::InDoubt(_)
            | Self::SourceChanged(_)
            | Self::Interrupted
            | Self::Cancelled => true,
            Self::Source(_) | Self::Locked(_) | Self::Corrupted { .. } | Self::Untrusted { .. } => {
                false
            }
        }
    }
}

/// How a store looks at the archives that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredLook {
    /// Whether they are as long as their manifests say; none is read.
    Length,
    /// Every byte is read.
    Content,
}

/// A backup that a store holds.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBackup {
    /// Its manifest.
    pub manifest: Manifest,
    /// The tier that it is in now, which may not be the one of its manifest: it may have been moved since.
    pub tier: TierName,
    /// Whether the stored bytes are those that the manifest names, as far as they were looked at.
    pub intact: bool,
    /// Whether it is in the trash.
    pub in_trash: bool,
    /// Who holds it, as it is noted beside it; none where nobody does, and of one in the trash.
    pub hold: Option<Hold>,
}

/// An archive whose manifest is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct OrphanedArchive {
    /// The backup, by its name.
    pub id: BackupId,
    /// Its bytes; 0 where it cannot be looked at.
    pub stored_bytes: u64,
    /// Who holds the backup, as it is noted beside it; none where nobody does.
    pub hold: Option<Hold>,
}

/// What a store holds of a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredBackups {
    /// The backups.
    pub stored: Vec<StoredBackup>,
    /// What lies there as the manifest of one and is left out, each with why and what to do; sentences for people.
    pub left_out: Vec<String>,
}

/// What became of backups that were to be encrypted to others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RekeyedBackups {
    /// Those that are encrypted anew, as they are now; in a dry run those that would be, as they are.
    pub sealed: Vec<Manifest>,
    /// Those that stay as they were, each with why; sentences for people.
    pub left: Vec<String>,
}

/// Stores backups. Every function blocks, perhaps for long: call it on a blocking thread. A chain is told by its links,
/// the one that stands alone first. Where the store of backups that it is asked for is not there, it is
/// [`BackupStoreError::Unavailable`], and no backup is wrong for that.
pub trait BackupStore: BackupContents {
    /// The same store for one piece of work, and what ends that alone: soon after it is cancelled the work is
    /// [`BackupStoreError::Interrupted`].
    fn cancellable(self: Arc<Self>) -> (Arc<dyn BackupStore>, CancellationToken);
    /// The same store for one piece of work, which opens what is encrypted with these identities too.
    fn with_identities(self: Arc<Self>, given: GivenIdentities) -> Arc<dyn BackupStore>;
    /// Reads the sources, stores what differs, reads it back, and only then commits it with its manifest. A failure
    /// leaves nothing behind; but [`BackupStoreError::InDoubt`] may have stored it.
    fn take(
        &self,
        request: &TakeBackup,
        progress: &OnProgress,
    ) -> Result<TakenBackup, BackupStoreError>;
    /// Reads a whole chain back and checks every byte. What was wrong without harm to a backup and was mended, or is to
    /// be known; sentences for people.
    fn verify(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<Vec<String>, BackupStoreError>;
    /// Writes the state that a chain gives, or what the rules say of it, beside the place that it is for, whole and
    /// durable; what is in place does not change.
    fn stage(
        &self,
        job: &JobName,
        chain: &[BackupId],
        place: &RestorePlace,
        rules: &RestoreRules,
        progress: &OnProgress,
    ) -> Result<Box<dyn StagedRestore>, BackupStoreError>;
    /// Whether the state that a chain gives could be put in place over these sources, as far as that can be known before:
    /// mount points, rights, what is immutable, and room. Changes nothing. [`BackupStoreError::Unavailable`] or
    /// [`BackupStoreError::NoRoom`] where it could not.
    fn judge_in_place(
        &self,
        job: &JobName,
        chain: &[BackupId],
        sources: &[BackupSource],
    ) -> Result<(), BackupStoreError>;
    /// Restores into a directory of its own in `scratch`, or beside the backups where that is none, reads that again, and
    /// compares every document and the root hash. It lies there until it is dropped. [`BackupStoreError::NoRoom`] before
    /// anything is written, where that can be known.
    fn drill(
        &self,
        job: &JobName,
        chain: &[BackupId],
        scratch: Option<&Path>,
        progress: &OnProgress,
    ) -> Result<Box<dyn DrilledTree>, BackupStoreError>;
    /// The newest backups of the drills that a crash has cut off, and [`BackupStore::sweep`] has not swept yet.
    fn left_drills(&self) -> Vec<BackupId>;
    /// Encrypts backups of a job, which are all that were built on one full one, to those whom `sealing` names now, and all of
    /// them or none; what is not opened here, or is wrong, stays as it is. A dry run changes nothing.
    fn rekey(
        &self,
        job: &JobName,
        ids: &[BackupId],
        sealing: &SealingSpec,
        dry_run: bool,
        progress: &OnProgress,
    ) -> Result<RekeyedBackups, BackupStoreError>;
    /// Moves a backup that is in its place to another tier: there it is read back and committed before it is removed from where
    /// it was. One that is there already is no error, and one that is in both, after a crash, is then only there. An error
    /// leaves it where it was; after [`BackupStoreError::InDoubt`] it may be in both. Where its bytes were wrong already it is
    /// [`BackupStoreError::Corrupted`].
    fn move_to(
        &self,
        job: &JobName,
        id: &BackupId,
        tier: &TierName,
    ) -> Result<(), BackupStoreError>;
    /// Moves a backup to the trash; one that is there already is no error.
    fn trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Notes beside a backup who holds it, or that nobody does any more, in whichever tier it is: so that it is known where the
    /// journal is lost. Where it is in none, there is nothing to note.
    fn note_hold(
        &self,
        job: &JobName,
        id: &BackupId,
        hold: Option<&Hold>,
    ) -> Result<(), BackupStoreError>;
    /// Moves a backup from the trash back to its place; one that is there already is no error. [`BackupStoreError::Corrupted`] where it
    /// is in neither, or what is in the trash is no manifest.
    fn untrash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Deletes a backup that has expired from the trash, and from its place where it could not be moved there; one that is
    /// gone is no error. A tier that is away, and may hold it too, is asked once it is there.
    fn delete(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Whether there is any room: a MiB, and one more file. True where nobody can tell.
    fn has_room(&self) -> bool;
    /// Ends the restores that a crash cut off, to `sources` or wherever else: what they left beside a tree is removed, and a tree
    /// that was on its way out goes back. Only this machine is asked, and no other tier. What cannot be done stays, with an error
    /// for each.
    fn end_restores(&self, sources: &[BackupSource]) -> Vec<BackupStoreError>;
    /// Removes what else a crash left: pieces without a manifest, and scratch directories. What cannot be removed stays, with an
    /// error for each. Of the backups that are `known` as stored nothing is removed; one that lies there without its manifest is
    /// [`BackupStoreError::Corrupted`].
    fn sweep(&self, known: &BTreeSet<BackupId>) -> Vec<BackupStoreError>;
    /// Which of these backups, told with the bytes that were stored of each, are not there as long as they were: their files
    /// are looked for, and not read. [`BackupStoreError::Corrupted`] for each; another error where nobody can tell, as where
    /// their whole store is not there.
    fn lost(&self, job: &JobName, stored: &[(BackupId, u64)]) -> Vec<BackupStoreError>;
    /// The manifest of a backup that is committed, and durable; none where it is not.
    fn committed(&self, job: &JobName, id: &BackupId)
    -> Result<Option<Manifest>, BackupStoreError>;
    /// The archives of a job that lie there without their manifests; while none is being taken.
    fn orphans(&self, job: &JobName) -> Result<Vec<OrphanedArchive>, BackupStoreError>;
    /// The tiers beside the one in the state directory that did not take the last backup that was brought to them since the
    /// start, in the order of their names, whether or not the config still has them. It asks nobody, and does not block.
    fn unwell_tiers(&self) -> Vec<UnwellTier>;
    /// The jobs of which the store may hold backups.
    fn jobs(&self) -> Result<Vec<JobName>, BackupStoreError>;
    /// The backups of a job that the store holds, but for those that are `known`, read from their manifests; the catalog can be
    /// rebuilt from it. One that cannot be read or is not trusted is left out and named, and stays where it is. What changes the
    /// job's backups meanwhile makes it fail, or find what is gone.
    fn stored(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
        look: StoredLook,
    ) -> Result<StoredBackups, BackupStoreError>;
}

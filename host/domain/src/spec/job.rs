//! Backup jobs, as configured.

use super::{ArchiveSpec, PluginSource, ReadingSpec, RedisSource, RestoreDrillSpec, RunAs};
use crate::{
    backup::BackupType,
    encryption::Encryption,
    name::{CommandName, JobName, PluginName, TargetName, TierName},
};
use semver::VersionReq;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A named set of sources with schedules and a retention policy.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// Its name.
    pub name: JobName,
    /// What is backed up. At least one, and together such as can be put back; see [`crate::archive::faulty_sources`].
    pub sources: Vec<BackupSource>,
    /// What of the directories among them is left out; default what is on other file systems.
    pub reading: ReadingSpec,
    /// A backup that is due waits until these targets are healthy; default none.
    pub after: Vec<TargetName>,
    /// When; default every 24 h [seed 003].
    pub full: Option<Schedule>,
    /// When; default never, and under `schedule = "seed"` every 6 h [seed 003].
    pub differential: Option<Schedule>,
    /// When; default never, and under `schedule = "seed"` every 15 min [seed 003].
    pub incremental: Option<Schedule>,
    /// Recovery point objective: the newest verified backup should not be older; absent: `stale_after` is judged.
    pub rpo: Option<Duration>,
    /// Where there is no `rpo`: how old the newest verified backup may get before people hear of it; by default twice the longest
    /// time between two of its slots, and an hour at least.
    pub stale_after: Option<Duration>,
    /// zstd level, 1 to 19; default 3.
    pub compression: i32,
    /// A backup with less than so many percent of the documents or bytes of the one before is suspicious; above 0, at most 100;
    /// absent: none is. See [`crate::shrink::suspicion`].
    pub shrink_guard: Option<f64>,
    /// What runs around its backups.
    pub hooks: HookSpec,
    /// What is kept; absent: everything.
    pub retention: Option<RetentionSpec>,
    /// Its checkpoints; absent: it keeps none, and cannot be rolled back.
    pub checkpoints: Option<CheckpointSpec>,
    /// When what is stored is proven.
    pub proofs: ProofSchedules,
    /// What a drill does.
    pub drill: RestoreDrillSpec,
    /// When what is due may begin.
    pub starts: StartSpec,
    /// Where backups of a type are stored, in the first that takes it; each is in the config or `local`, and once in its list.
    /// What is not here is by [`crate::tier_order::tier_order`].
    pub tiers: BTreeMap<BackupType, Vec<TierName>>,
    /// Where old ones go; absent: each stays in the tier that took it.
    pub archive: Option<ArchiveSpec>,
    /// Who can read what is stored.
    pub sealing: SealingSpec,
}

impl JobSpec {
    /// How old its newest verified backup may get before people hear of it; none: however old.
    pub fn oldest(&self) -> Option<Duration> {
        self.rpo.or(self.stale_after)
    }

    /// Whether a restore in place puts anything back: only directories are exchanged.
    pub fn is_restorable_in_place(&self) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| matches!(source, BackupSource::Directory { .. }))
    }
}

/// The operator's commands around each backup of a job but an emergency one; absent: nothing runs. Each is told in its
/// environment which backup it is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HookSpec {
    /// Before the sources are read; where it fails, so does the backup, and nothing is read.
    pub before: Option<CommandName>,
    /// After a backup was stored and read back; that it fails is a warning of the backup.
    pub after_success: Option<CommandName>,
    /// After a backup failed, also for `before`; that it fails too is told with the failure.
    pub after_failure: Option<CommandName>,
}

/// Who can read what a job stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingSpec {
    /// How its archives are encrypted from now on; the recipients are those that the config names itself.
    pub encryption: Encryption,
    /// A file of more recipients, one a line, read for each backup; only where it is encrypted.
    pub recipients_file: Option<PathBuf>,
    /// The file of the identities by which this host reads them; absent: it reads back none that is encrypted.
    pub identity: Option<PathBuf>,
    /// Whether the host keeps an index of what its newest backups hold, names and hashes; default true.
    pub index: bool,
}

impl Default for SealingSpec {
    fn default() -> Self {
        Self {
            encryption: Encryption::None,
            recipients_file: None,
            identity: None,
            index: true,
        }
    }
}

impl SealingSpec {
    /// Whether nothing here tells what a backup of before holds, so that a difference to it cannot be made.
    pub fn hides_parents(&self) -> bool {
        self.is_locked() && !self.index
    }

    /// Whether this host cannot read what it stores from now on.
    pub fn is_locked(&self) -> bool {
        self.encryption != Encryption::None && self.identity.is_none()
    }
}

/// When what a job has stored is proven; none: only when somebody asks. See [`crate::backup_proofs`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProofSchedules {
    /// When each stored backup is to be read back; default every 7 d [seed 003].
    pub verify: Option<Schedule>,
    /// So many percent of them at each of its slots, 1 to 99; absent: all of them, the default.
    pub sample: Option<u32>,
    /// When the newest is to be restored to nowhere and compared; default every 7 d [seed 003].
    pub drill: Option<Schedule>,
}

/// When what is due of a job may begin; what somebody asks for begins at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartSpec {
    /// A backup begins so long after its slot: a part of the config's `jitter` that is always the same for the same host and
    /// job; shorter than the time between two slots. Default none.
    pub delay: Duration,
    /// Backups and proofs begin only while it is open; what begins in it may end after it. Absent: at any time.
    pub window: Option<WindowSpec>,
}

/// A time that comes again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSpec {
    /// When it opens; checked.
    pub opens: Schedule,
    /// How long it stays open; above zero.
    pub length: Duration,
}

/// When checkpoints of a job are taken, how many are kept, and what a rollback runs.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointSpec {
    /// When an automatic one is due; default every 15 min [seed 003].
    pub automatic: Schedule,
    /// When a daily one is due, which counts as an automatic one too; default every 24 h [seed 003].
    pub daily: Schedule,
    /// So many are kept, at least one; default 50 [seed 003]. See [`crate::checkpoint_rules::excess`].
    pub keep: u32,
    /// None is kept longer; default 7 d [seed 003].
    pub max_age: Duration,
    /// Pauses what uses the state, before a rollback; absent: nothing is paused.
    pub pause: Option<CommandName>,
    /// Says by its exit code 0 whether what was rolled back to is right; absent: nobody asks.
    pub check: Option<CommandName>,
    /// Resumes what was paused, after a rollback that succeeded; there where `pause` is.
    pub resume: Option<CommandName>,
}

/// When something is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Slots at whole multiples of this since the Unix epoch, so that restarts don't move them. At least 100 ms.
    Every(Duration),
    /// A cron expression in a time zone; checked.
    Cron {
        /// Five fields, or six with seconds.
        expression: String,
        /// An IANA name; `UTC` by default.
        zone: String,
    },
}

/// What yields documents.
#[derive(Debug, Clone, PartialEq)]
pub enum BackupSource {
    /// Every file below it; keys are paths relative to it. Symbolic links are kept as links.
    Directory {
        /// Absolute.
        path: PathBuf,
        /// Put before every key, so that several sources do not collide; may be empty.
        prefix: String,
    },
    /// What a program prints, as one document. Exit code 0 or the backup fails.
    Command {
        /// Program and arguments, never a shell.
        run: Vec<String>,
        /// Where it runs.
        cwd: PathBuf,
        /// As whom, and what is added to the environment that it inherits, as a target's process does.
        run_as: RunAs,
        /// The document's key.
        key: String,
        /// Default 60 s.
        timeout: Duration,
    },
    /// One file, as one document. Symbolic links to it are followed.
    File {
        /// Absolute.
        path: PathBuf,
        /// The document's key; default the file's name.
        key: String,
    },
    /// What a server answers to a GET, as one document.
    Http(HttpSource),
    /// What a plugin gives, as documents below a prefix that is theirs alone.
    Plugin(PluginSource),
    /// What a Redis holds, as one document.
    Redis(RedisSource),
    /// A copy of an SQLite database, as one document. Others may have it open.
    Sqlite {
        /// Absolute.
        path: PathBuf,
        /// The document's key.
        key: String,
    },
}

impl BackupSource {
    /// The key of its one document, or that which all documents of a plugin lie below; nothing else does. None of a directory.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Directory { .. } => None,
            Self::Command { key, .. } | Self::File { key, .. } | Self::Sqlite { key, .. } => {
                Some(key)
            }
            Self::Http(source) => Some(&source.key),
            Self::Plugin(source) => Some(&source.prefix),
            Self::Redis(source) => Some(&source.key),
        }
    }
}

/// A document that a server has. A status of 200 to 299 or the backup fails; no redirect is followed.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSource {
    /// `http` or `https`.
    pub url: String,
    /// By name in lower case; values may hold `${secret:NAME}`.
    pub headers: BTreeMap<String, String>,
    /// The document's key.
    pub key: String,
    /// For all of it; default 60 s.
    pub timeout: Duration,
    /// More bytes are no document; default 1 GiB.
    pub max_bytes: u64,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionSpec {
    /// The policy plugin.
    pub policy: PluginName,
    /// Which of its versions; default any.
    pub version: VersionReq,
    /// How often it judges, at least every 100 ms; default 24 h [seed 003].
    pub every: Duration,
    /// So many verified chains stay whatever it says; default 1.
    pub min_redundancy: u32,
    /// What is younger than this stays whatever it says; default 0 s.
    pub immutable_for: Duration,
    /// How long expired backups stay in the trash; default 24 h.
    pub trash_for: Duration,
}

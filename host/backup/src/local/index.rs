//! The index of a backup: the state that the next difference is made from, and for each file the stamp that tells
//! whether it has to be read again.
//!
//! A file whose size, mtime, ctime and inode are those of the stamp is taken as unchanged. ctime cannot be set by a
//! program, so this is sound but for writes that leave no new ctime: those within the same tick of the kernel's clock,
//! and those through a memory map whose page was dirty already, which last until the kernel writes it back (30 s by
//! default). So a file gets no stamp where its ctime is less than [`SETTLED`] before it was read.
//!
//! Invariant: an index is a cache; its root hash must be that of the manifest, else it is composed from the chain.

use super::{
    error::unavailable,
    files::{Layout, create_private, remove_file},
    regular::open_regular,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Entry, Mode, State},
    id::BackupId,
    name::JobName,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::{self, Metadata},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long a file must have rested for its stamp to be trusted.
const SETTLED: Duration = Duration::from_secs(60);

/// What a file's metadata says beside what an [`Entry`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    inode: u64,
    ctime_seconds: i64,
    ctime_nanoseconds: i64,
}

impl Stamp {
    /// The stamp of a file, to be compared with one that was settled.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            ctime_seconds: metadata.ctime(),
            ctime_nanoseconds: metadata.ctime_nsec(),
        }
    }

    /// The stamp of a file that is read now; none where it changed too lately.
    pub(super) fn settled(metadata: &Metadata) -> Option<Self> {
        let stamp = Self::of(metadata);
        let seconds = Duration::from_secs(u64::try_from(stamp.ctime_seconds).ok()?);
        let age = SystemTime::now()
            .duration_since(UNIX_EPOCH + seconds)
            .ok()?;
        (age > SETTLED + Duration::from_secs(1)).then_some(stamp)
    }
}

/// A state with its stamps.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) state: State,
    pub(super) stamps: HashMap<DocumentKey, Stamp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    key: DocumentKey,
    kind: DocumentKind,
    mode: Mode,
    mtime: jiff::Timestamp,
    uid: u32,
    gid: u32,
    size: u64,
    hash: ContentHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
}

impl Index {
    /// Stores the index of a backup and removes those of the job that are not in `wanted` any more.
    pub(super) fn store(
        &self,
        layout: &Layout,
        job: &JobName,
        id: &BackupId,
    ) -> Result<(), BackupStoreError> {
        let (path, partial) = (layout.index(job, id), layout.partial(job, id, "index"));
        let cannot = unavailable("cannot write", &partial);
        remove_file(&partial)?;
        let file = BufWriter::new(create_private(&partial)?);
        let written = (|| {
            let mut encoder = zstd::Encoder::new(file, 1)?;
            encoder.include_checksum(true)?;
            for (key, entry) in self.state.iter() {
                serde_json::to_writer(&mut encoder, &self.row(key, entry))?;
                encoder.write_all(b"\n")?;
            }
            encoder
                .finish()?
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()
        })();
        written.map_err(cannot)?;
        fs::rename(&partial, &path).map_err(unavailable("cannot make", &path))
    }

    /// Reads the index of a backup; none where it is missing or not that of this root hash.
    pub(super) fn load(
        layout: &Layout,
        job: &JobName,
        id: &BackupId,
        root_hash: ContentHash,
    ) -> Option<Self> {
        let file = open_regular(&layout.index(job, id)).ok()?;
        let mut index = Self::default();
        for line in BufReader::new(zstd::Decoder::new(file).ok()?).split(b'\n') {
            let row: Row = serde_json::from_slice(&line.ok()?).ok()?;
            if let Some(stamp) = row.stamp {
                index.stamps.insert(row.key.clone(), stamp);
            }
            let Row {
                key,
                kind,
                mode,
                mtime,
                uid,
                gid,
                size,
                hash,
                ..
            } = row;
            index
                .state
                .insert(
                    key,
                    Entry {
                        kind,
                        mode,
                        mtime,
                        uid,
                        gid,
                        size,
                        hash,
                    },
                )
                .ok()?;
        }
        (index.state.root_hash() == root_hash).then_some(index)
    }

    fn row(&self, key: &DocumentKey, entry: &Entry) -> Row {
        let Entry {
            kind,
            mode,
            mtime,
            uid,
            gid,
            size,
            hash,
        } = entry.clone();
        let stamp = self.stamps.get(key).copied();
        Row {
            key: key.clone(),
            kind,
            mode,
            mtime,
            uid,
            gid,
            size,
            hash,
            stamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Lines are only ever added; see `host/domain/src/tests/corpus.rs`.
    const CORPUS: &str = include_str!("../../../domain/corpus/backup-index-row.jsonl");

    #[test]
    fn a_stored_row_means_what_it_meant() {
        let mut text = String::new();
        for (number, line) in (1..).zip(CORPUS.lines()) {
            let line: Value = serde_json::from_str(line).unwrap();
            let row: Row = serde_json::from_value(line["record"].clone()).unwrap();
            assert_eq!(serde_json::to_value(&row).unwrap(), line["record"]);
            let version = line["version"].as_str().unwrap();
            text += &format!("{number}. of {version}: {row:?}\n");
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../../domain/corpus/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("backup-index-row", text));
    }
}

//! The index of a backup: the state that the next difference is made from, and for each file the stamp that tells
//! whether it has to be read again.
//!
//! A file whose size, mtime, ctime and inode are those of the stamp is taken as unchanged. ctime cannot be set by a
//! program, so this is sound but for writes that leave no new ctime: those within the same tick of the kernel's clock,
//! and those through a memory map whose page was dirty already, which last until the kernel writes it back (30 s by
//! default). So a stamp is not trusted whose ctime is less than [`SETTLED`] before the files were read. It is stored all the
//! same: once they were read later, it is trusted without being written again.
//!
//! An index is whole, or holds only how it differs from a whole one of its chain, so that a small difference writes a small
//! index. What differs by more than half is written whole again.
//!
//! Invariant: an index is a cache; it must say that it is of the backup, and its root hash be that of the manifest, else it is
//! composed from the chain: another backup may have the same state, and a chain that holds other content.
//!
//! Length: what is written here and how it is read again are one format.

use super::{
    durable,
    error::unavailable,
    files::{Layout, create_private, remove_file},
    read::Composed,
    regular::open_regular,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{
        ContentHash, DocumentKey, DocumentKind, Entry, Extras, Hole, Mode, PART_BYTES, State,
        Xattrs,
    },
    id::BackupId,
    name::JobName,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::Metadata,
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::MetadataExt,
    time::{SystemTime, UNIX_EPOCH},
};

/// How many seconds a file must have rested for its stamp to be trusted, and one more for what a clock leaves out.
const SETTLED: i64 = 61;

/// What a file's metadata says beside what an [`Entry`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    inode: u64,
    ctime_seconds: i64,
    ctime_nanoseconds: i64,
    /// Whether the file was read with its extended attributes, other names and holes; a stamp from before they were read
    /// is that of no file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    whole: bool,
}

impl Stamp {
    /// The stamp of a file as it is now.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            ctime_seconds: metadata.ctime(),
            ctime_nanoseconds: metadata.ctime_nsec(),
            whole: true,
        }
    }
}

/// Now, in seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A state with its stamps, and the content that its chain holds.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) state: State,
    pub(super) stamps: HashMap<DocumentKey, Stamp>,
    /// No file was read before this time, in seconds since 1970.
    pub(super) read_since: i64,
    /// What a new link can refer to by its hash.
    pub(super) held: HashSet<ContentHash>,
    /// Whether a new link may refer to its chain; not to a link of format 1.
    pub(super) can_be_referred_to: bool,
    /// The whole index that this one was read over; itself where it is whole. None where it was not read.
    pub(super) over: Option<Over>,
}

/// How an index differs from a whole one.
#[derive(Debug, Clone)]
pub(super) struct Over {
    /// The backup of the whole one.
    pub(super) whole: BackupId,
    /// The documents that are others, or gone.
    keys: BTreeSet<DocumentKey>,
    /// The content that came to what is held.
    added: Vec<ContentHash>,
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
    #[serde(default, skip_serializing_if = "Xattrs::is_empty")]
    xattrs: Xattrs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<DocumentKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holes: Vec<Hole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
}

/// The beginning of each row.
const ROW: &[u8] = b"{\"key\":";

/// A line that is no row. The first one is [`Note::Index`] and the last one [`Note::End`]; the indexes of archives of format
/// 1 have rows alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Note {
    /// What the rows are: all, or what differs from the index of another backup.
    Index {
        /// The backup that it is of; one that does not say so may be of any.
        #[serde(default)]
        of: Option<BackupId>,
        over: Option<BackupId>,
        can_be_referred_to: bool,
        read_since: i64,
    },
    /// A document that is gone.
    Gone(DocumentKey),
    /// Content that is held beside that of the state's small files.
    Held(ContentHash),
    /// Content of a small file that cannot be referred to.
    NotHeld(ContentHash),
    /// BLAKE3 over the hashes of all that is held, sorted.
    End(ContentHash),
}

impl From<Composed> for Index {
    fn from(composed: Composed) -> Self {
        Self {
            state: composed.state,
            can_be_referred_to: composed.held.is_some(),
            held: composed.held.unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl Index {
    /// Stores the index of a backup: whole, or how it differs from one that is there.
    pub(super) fn store(
        &self,
        layout: &Layout,
        job: &JobName,
        id: &BackupId,
        over: Option<&Over>,
    ) -> Result<(), BackupStoreError> {
        let (path, partial) = (layout.index(job, id), layout.partial(job, id, "index"));
        let cannot = unavailable("cannot write", &partial);
        remove_file(&partial)?;
        let file = BufWriter::new(create_private(&partial)?);
        let written = (|| {
            let mut encoder = zstd::Encoder::new(file, 1)?;
            encoder.include_checksum(true)?;
            let head = Note::Index {
                of: Some(id.clone()),
                over: over.map(|over| over.whole.clone()),
                can_be_referred_to: self.can_be_referred_to,
                read_since: self.read_since,
            };
            line(&mut encoder, &head)?;
            match over {
                None => self.write_all(&mut encoder)?,
                Some(over) => self.write_difference(&mut encoder, over)?,
            }
            line(&mut encoder, &Note::End(hash_of(&self.held)))?;
            let file = encoder.finish()?.into_inner();
            let file = file.map_err(io::IntoInnerError::into_error)?;
            durable::sync_file(&file, &partial)
        })();
        written.map_err(cannot)?;
        durable::rename(&partial, &path).map_err(unavailable("cannot make", &path))
    }

    fn write_all(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut beside: BTreeSet<&[u8; 32]> = self.held.iter().map(ContentHash::as_bytes).collect();
        for (key, entry) in self.state.iter() {
            line(to, &self.row(key, entry))?;
            if self.can_be_referred_to && is_small_file(entry) {
                beside.remove(entry.hash.as_bytes());
                if !self.held.contains(&entry.hash) {
                    line(to, &Note::NotHeld(entry.hash))?;
                }
            }
        }
        let held = self.held.iter();
        for hash in held.filter(|hash| beside.contains(hash.as_bytes())) {
            line(to, &Note::Held(*hash))?;
        }
        Ok(())
    }

    fn write_difference(&self, to: &mut dyn Write, over: &Over) -> io::Result<()> {
        for key in &over.keys {
            match self.state.get(key) {
                Some(entry) => line(to, &self.row(key, entry))?,
                None => line(to, &Note::Gone(key.clone()))?,
            }
        }
        over.added
            .iter()
            .try_for_each(|hash| line(to, &Note::Held(*hash)))
    }

    /// How this index differs from the whole one that `baseline` was read over, where that is shorter than all of it.
    /// `added` is the content that is held since `baseline`.
    pub(super) fn over(&self, baseline: &Self, added: &[ContentHash]) -> Option<Over> {
        let mut over = baseline.over.clone()?;
        let is_same = |key: &DocumentKey| {
            self.state.get(key) == baseline.state.get(key)
                && self.stamps.get(key) == baseline.stamps.get(key)
        };
        let (now, before) = (self.state.iter(), baseline.state.iter());
        let keys = now.chain(before).map(|(key, _)| key);
        over.keys.extend(keys.filter(|key| !is_same(key)).cloned());
        if self.can_be_referred_to {
            over.added.extend_from_slice(added);
        }
        let (lines, all) = (
            over.keys.len() + over.added.len(),
            self.state.len() + self.held.len(),
        );
        (lines < all / 2).then_some(over)
    }

    /// Reads the index of a backup; none where it is missing, that of another one or not that of this root hash.
    pub(super) fn load(
        layout: &Layout,
        job: &JobName,
        id: &BackupId,
        root_hash: ContentHash,
    ) -> Option<Self> {
        let mut index = Self::read(layout, job, id, true)?;
        index.over.get_or_insert_with(|| Over {
            whole: id.clone(),
            keys: BTreeSet::new(),
            added: Vec::new(),
        });
        (index.state.root_hash() == root_hash).then_some(index)
    }

    fn read(layout: &Layout, job: &JobName, id: &BackupId, may_be_over: bool) -> Option<Self> {
        let file = open_regular(&layout.index(job, id)).ok()?;
        let mut index = Self::default();
        let (mut not_held, mut has_head, mut end) = (HashSet::new(), false, None);
        for line in BufReader::new(zstd::Decoder::new(file).ok()?).split(b'\n') {
            let line = line.ok()?;
            if line.starts_with(ROW) {
                index.put(serde_json::from_slice(&line).ok()?)?;
                continue;
            }
            let note: Note = serde_json::from_slice(&line).ok()?;
            match note {
                Note::Index {
                    of,
                    over,
                    can_be_referred_to,
                    read_since,
                } => {
                    of.filter(|of| of == id)?;
                    if let Some(whole) = over {
                        index = may_be_over.then(|| Self::read(layout, job, &whole, false))??;
                        index.over = Some(Over {
                            whole,
                            keys: BTreeSet::new(),
                            added: Vec::new(),
                        });
                    }
                    has_head = true;
                    index.can_be_referred_to = can_be_referred_to;
                    index.read_since = read_since;
                }
                Note::Gone(key) => {
                    index.stamps.remove(&key);
                    index.state.remove(&key);
                    index.over.as_mut()?.keys.insert(key);
                }
                Note::Held(hash) => {
                    index.held.insert(hash);
                    if let Some(over) = &mut index.over {
                        over.added.push(hash);
                    }
                }
                Note::NotHeld(hash) => {
                    not_held.insert(hash);
                }
                Note::End(hash) => end = Some(hash),
            }
        }
        if index.over.is_none() && index.can_be_referred_to {
            let small = index.state.iter().filter(|(_, entry)| is_small_file(entry));
            let hashes = small.map(|(_, entry)| entry.hash);
            let held = hashes.filter(|hash| !not_held.contains(hash));
            index.held.extend(held);
        }
        if !has_head {
            // It has no other stamps than those that are to be trusted.
            index.read_since = i64::MAX;
        }
        let is_whole = !has_head || end == Some(hash_of(&index.held));
        is_whole.then_some(index)
    }

    /// The stamp by which it is known that a file is as it was read, where it rested for long enough by then.
    pub(super) fn stamp(&self, key: &DocumentKey) -> Option<&Stamp> {
        let is_settled =
            |stamp: &&Stamp| stamp.ctime_seconds.saturating_add(SETTLED) < self.read_since;
        self.stamps.get(key).filter(is_settled)
    }

    /// Takes up a row.
    fn put(&mut self, row: Row) -> Option<()> {
        let Row {
            key,
            kind,
            mode,
            mtime,
            uid,
            gid,
            size,
            hash,
            xattrs,
            link,
            holes,
            stamp,
        } = row;
        let extras = Extras {
            xattrs,
            link,
            holes,
        };
        if let Some(over) = &mut self.over {
            self.state.remove(&key);
            self.stamps.remove(&key);
            over.keys.insert(key.clone());
        }
        if let Some(stamp) = stamp {
            self.stamps.insert(key.clone(), stamp);
        }
        let entry = Entry {
            kind,
            mode,
            mtime,
            uid,
            gid,
            size,
            hash,
            extras: extras.boxed(),
        };
        self.state.insert(key, entry).ok()
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
            extras,
        } = entry.clone();
        let Extras {
            xattrs,
            link,
            holes,
        } = extras.map_or_else(Extras::default, |extras| *extras);
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
            xattrs,
            link,
            holes,
            stamp,
        }
    }
}

fn line(to: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// A file whose content stands in its own line, as a rule.
fn is_small_file(entry: &Entry) -> bool {
    entry.kind == DocumentKind::File && (1..=PART_BYTES as u64).contains(&entry.stored_bytes())
}

/// BLAKE3 over these hashes, sorted.
fn hash_of(held: &HashSet<ContentHash>) -> ContentHash {
    let mut sorted: Vec<&[u8; 32]> = held.iter().map(ContentHash::as_bytes).collect();
    sorted.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for hash in sorted {
        hasher.update(hash);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Lines are only ever added; see `host/domain/src/tests/corpus.rs`.
    const CORPUS: &str = include_str!("../../../domain/corpus/backup-index-row.jsonl");

    #[test]
    fn a_stamp_is_trusted_once_its_file_was_read_long_after_it() {
        let key = DocumentKey::parse("a").unwrap();
        let stamp = Stamp {
            inode: 1,
            ctime_seconds: 1_000,
            ctime_nanoseconds: 999_999_999,
            whole: true,
        };
        let mut index = Index::default();
        index.stamps.insert(key.clone(), stamp);
        for (read_since, trusted) in [(0, false), (1_000, false), (1_061, false), (1_062, true)] {
            index.read_since = read_since;
            assert_eq!(index.stamp(&key).is_some(), trusted, "{read_since}");
        }
    }

    #[test]
    fn a_note_is_never_taken_for_a_row() {
        let hash = ContentHash::of(b"");
        let key = DocumentKey::parse("a").unwrap();
        let notes = [
            Note::Index {
                of: Some(BackupId::parse("ful-01K0000000000000000000000D").unwrap()),
                over: None,
                can_be_referred_to: true,
                read_since: 7,
            },
            Note::Gone(key),
            Note::Held(hash),
            Note::NotHeld(hash),
            Note::End(hash),
        ];
        let mut texts = Vec::new();
        for note in notes {
            let mut text = Vec::new();
            line(&mut text, &note).unwrap();
            assert!(!text.starts_with(ROW));
            let read: Note = serde_json::from_slice(&text).unwrap();
            assert_eq!(format!("{read:?}"), format!("{note:?}"));
            texts.push(String::from_utf8(text).unwrap());
        }
        assert_eq!(
            texts[0],
            "{\"index\":{\"of\":\"ful-01K0000000000000000000000D\",\"over\":null,\"can_be_referred_to\":true,\"read_since\":7}}\n"
        );
        assert_eq!(texts[1], "{\"gone\":\"a\"}\n");
        assert!(
            CORPUS
                .lines()
                .all(|line| line.contains("\"record\":{\"key\":"))
        );
    }

    #[test]
    fn a_stamp_from_before_attributes_were_read_is_that_of_no_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = Stamp::of(&file.path().metadata().unwrap());
        let text = serde_json::to_string(&stamp).unwrap();
        assert_eq!(serde_json::from_str::<Stamp>(&text).unwrap(), stamp);
        let before = text.replace(",\"whole\":true", "");
        assert_ne!(before, text);
        assert_ne!(serde_json::from_str::<Stamp>(&before).unwrap(), stamp);
    }

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

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
//! Invariant: of any number of documents no more is held than tables and sets of hashes hold, and of files with several names two, where
//! the first of them is not the one that holds the content.
//!
//! Length: what is written here and how it is read again are one format.

use super::{
    durable,
    error::unavailable,
    files::{Layout, create_private, remove_file},
    hashes::{Hashes, hash_of},
    listing::Listing,
    read::Composed,
    regular::open_regular,
    rows::{self, Known},
    table::{Aside, Pair, Record, Sorter, Table, laid_over, side_by_side, unreadable},
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{
        ContentHash, DocumentKey, DocumentKind, Entry, Extras, Hole, InvalidKey, Mode, PART_BYTES,
        Xattrs,
    },
    id::BackupId,
    name::JobName,
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    collections::HashSet,
    fs::Metadata,
    io::{self, BufRead, BufReader, BufWriter, Write},
    iter::Peekable,
    os::unix::fs::MetadataExt,
    time::{SystemTime, UNIX_EPOCH},
};

/// How many seconds a file must have rested for its stamp to be trusted, and one more for what a clock leaves out.
const SETTLED: i64 = 61;

/// What a file's metadata says beside what an [`Entry`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    pub(super) ctime_seconds: i64,
    pub(super) ctime_nanoseconds: i64,
    /// Whether the file was read with its extended attributes, other names and holes; a stamp from before they were read
    /// is that of no file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) whole: bool,
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
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A state with its stamps, and the content that its chain holds.
pub(super) struct Index {
    /// Its documents, whose records say what is known of each.
    pub(super) listing: Listing,
    /// No file was read before this time, in seconds since 1970.
    read_since: i64,
    /// What a new link can refer to by its hash, if it may refer to anything.
    pub(super) held: Hashes,
    /// Whether a new link may refer to its chain; not to a link of format 1.
    pub(super) can_be_referred_to: bool,
    /// The whole index that this one was read over; itself where it is whole. None where it was not read.
    read_over: Option<ReadOver>,
}

/// What an index was read over.
struct ReadOver {
    /// The backup of the whole one.
    whole: BackupId,
    /// The content that came to what is held.
    added: Table,
}

/// How an index differs from a whole one.
pub(super) struct Over<'a> {
    /// The backup of the whole one.
    pub(super) whole: &'a BackupId,
    /// What was read over it.
    baseline: &'a Index,
    /// The content that came to what the whole one held.
    added: [&'a Table; 2],
}

/// The documents that sources are found to hold.
pub(super) struct Gathered {
    rows: Sorter,
    read_since: i64,
}

impl Gathered {
    /// None, from now on.
    pub(super) fn new(aside: &Aside) -> Self {
        Self {
            rows: Sorter::new(aside),
            read_since: now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    pub(super) fn add(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        stamp: Option<&Stamp>,
    ) -> Result<(), BackupStoreError> {
        rows::push(&mut self.rows, key, (entry, stamp), false).map_err(unreadable)
    }

    /// The index of them all, of a chain that holds this content. An error where two of them have one key.
    pub(super) fn finish(
        self,
        held: Hashes,
        can_be_referred_to: bool,
    ) -> Result<Index, BackupStoreError> {
        let rows = self.rows.finish();
        if let Some(key) = rows.twice().map_err(unreadable)? {
            let taken = InvalidKey {
                found: String::from_utf8_lossy(&key).into_owned(),
                why: "two documents have it",
            };
            return Err(BackupStoreError::Source(format!(
                "{taken}; give each source a prefix of its own; a plugin gives each key once"
            )));
        }
        Ok(Index {
            listing: Listing::of(rows),
            read_since: self.read_since,
            held,
            can_be_referred_to,
            read_over: None,
        })
    }
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

impl Index {
    /// That of no backup, which can be referred to.
    pub(super) fn empty(aside: &Aside) -> Self {
        Self {
            listing: Listing::of(Table::default()),
            read_since: 0,
            held: Hashes::new(aside),
            can_be_referred_to: true,
            read_over: None,
        }
    }

    /// That of a chain that was read, without stamps.
    pub(super) fn of(composed: Composed, aside: &Aside) -> Self {
        let Composed { listing, held } = composed;
        Self {
            listing,
            can_be_referred_to: held.is_some(),
            held: held.unwrap_or_else(|| Hashes::new(aside)),
            ..Self::empty(aside)
        }
    }

    /// What is known of a document; none where it is not there.
    pub(super) fn get(&self, key: &DocumentKey) -> Result<Option<Known>, BackupStoreError> {
        let value = self.listing.records().get(key.as_str().as_bytes());
        let row = value.and_then(|value| value.map_or(Ok(None), |value| rows::row_of(&value)));
        row.map_err(unreadable)
    }

    /// The root hash of this state with these changes, documents and tombstones, each by its key.
    pub(super) fn root_hash_with(&self, changes: &Table) -> Result<ContentHash, BackupStoreError> {
        let changed = || {
            side_by_side(self.listing.records(), changes).map(|pair| {
                let Pair { key, left, right } = pair?;
                Ok::<_, io::Error>((key, right.or(left).unwrap_or_default()))
            })
        };
        rows::root_hash(changed).map_err(unreadable)
    }

    /// Tells the documents that are here and not in another index, by key.
    pub(super) fn for_each_gone_in(
        &self,
        other: &Self,
        on_gone: &mut dyn FnMut(&DocumentKey) -> Result<(), BackupStoreError>,
    ) -> Result<(), BackupStoreError> {
        for pair in side_by_side(self.listing.records(), other.listing.records()) {
            let Pair { key, left, right } = pair.map_err(unreadable)?;
            let is_there = |value: Option<&[u8]>| value.is_some_and(|it| !rows::is_gone(it));
            if is_there(left.as_deref()) && !is_there(right.as_deref()) {
                on_gone(&rows::key_of(&key).map_err(unreadable)?)?;
            }
        }
        Ok(())
    }

    /// The backup of the whole index that this one was read over.
    pub(super) fn read_over(&self) -> Option<&BackupId> {
        self.read_over.as_ref().map(|over| &over.whole)
    }

    /// Stores the index of a backup: whole, or how it differs from one that is there.
    pub(super) fn store(
        &self,
        layout: &Layout,
        job: &JobName,
        id: &BackupId,
        over: Option<&Over<'_>>,
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
                None => self.write_all(&mut encoder, &Aside::new(layout, job, id))?,
                Some(over) => self.write_difference(&mut encoder, over)?,
            }
            let end = match self.can_be_referred_to {
                true => self.held.hash()?,
                false => ContentHash::of(b""),
            };
            line(&mut encoder, &Note::End(end))?;
            let file = encoder.finish()?.into_inner();
            let file = file.map_err(io::IntoInnerError::into_error)?;
            durable::sync_file(&file, &partial)
        })();
        let made = written.map_err(cannot).and_then(|()| {
            durable::rename(&partial, &path).map_err(unavailable("cannot make", &path))
        });
        if made.is_err() {
            // On a full disk it would take the last of the room. What cannot be removed here is at the next start.
            drop(remove_file(&partial));
        }
        made
    }

    fn write_all(&self, to: &mut dyn Write, aside: &Aside) -> io::Result<()> {
        let mut small = Hashes::new(aside);
        for record in self.listing.records().iter() {
            let (key, value) = record?;
            let Some(row) = rows::row_of(&value)? else {
                continue;
            };
            if self.can_be_referred_to && is_small_file(&row.entry) {
                small.insert(row.entry.hash)?;
            }
            line(to, &Row::of(rows::key_of(&key)?, row))?;
        }
        if !self.can_be_referred_to {
            return Ok(());
        }
        let (mut small, mut held) = (small.iter().peekable(), self.held.iter().peekable());
        loop {
            let (a, b) = (next_of(&mut small)?, next_of(&mut held)?);
            let order = match (a, b) {
                (None, None) => return Ok(()),
                (Some(a), Some(b)) => a.as_bytes().cmp(b.as_bytes()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            };
            if let Some(a) = a.filter(|_| order.is_lt()) {
                line(to, &Note::NotHeld(a))?;
            }
            if let Some(b) = b.filter(|_| order.is_gt()) {
                line(to, &Note::Held(b))?;
            }
            if order.is_le() {
                small.next();
            }
            if order.is_ge() {
                held.next();
            }
        }
    }

    fn write_difference(&self, to: &mut dyn Write, over: &Over<'_>) -> io::Result<()> {
        for pair in self.others(over.baseline) {
            let (key, value) = pair?;
            let key = rows::key_of(&key)?;
            match rows::row_of(&value)? {
                Some(row) => line(to, &Row::of(key, row))?,
                None => line(to, &Note::Gone(key))?,
            }
        }
        for added in over.added {
            for record in added.iter() {
                line(to, &Note::Held(hash_of(&record?.0)?))?;
            }
        }
        Ok(())
    }

    /// The documents that are not as the whole index has them that `baseline` was read over, by key.
    fn others(&self, baseline: &Self) -> impl Iterator<Item = io::Result<Record>> {
        side_by_side(self.listing.records(), baseline.listing.records()).filter_map(|pair| {
            let Pair { key, left, right } = match pair {
                Ok(pair) => pair,
                Err(error) => return Some(Err(error)),
            };
            let now = left.unwrap_or_default();
            let is_as_before = right
                .is_some_and(|before| !rows::is_other(&before) && rows::is_same(&now, &before));
            (!is_as_before).then_some(Ok((key, now)))
        })
    }

    /// How this index differs from the whole one that `baseline` was read over, where that is shorter than all of it.
    /// `added` is the content that is held since `baseline`.
    pub(super) fn over<'a>(
        &self,
        baseline: &'a Self,
        added: &'a Table,
    ) -> Result<Option<Over<'a>>, BackupStoreError> {
        let Some(read_over) = &baseline.read_over else {
            return Ok(None);
        };
        let mut lines = read_over.added.len() + added.len();
        let held = match self.can_be_referred_to {
            true => self.held.len(),
            false => 0,
        };
        let all = self.listing.records().len() + held;
        for other in self.others(baseline) {
            other.map_err(unreadable)?;
            lines += 1;
        }
        let over = || Over {
            whole: &read_over.whole,
            baseline,
            added: [&read_over.added, added],
        };
        Ok((lines < all / 2).then(over))
    }

    /// Reads the index of a backup; none where it is missing, that of another one or not that of this root hash.
    pub(super) fn load(
        layout: &Layout,
        job: &JobName,
        id: &BackupId,
        root_hash: ContentHash,
    ) -> Option<Self> {
        let mut index = Self::read(layout, job, id, true)?;
        index.read_over.get_or_insert_with(|| ReadOver {
            whole: id.clone(),
            added: Table::default(),
        });
        (index.listing.root_hash().ok()? == root_hash).then_some(index)
    }

    fn read(layout: &Layout, job: &JobName, id: &BackupId, may_be_over: bool) -> Option<Self> {
        let aside = Aside::new(layout, job, id);
        let file = open_regular(&layout.index(job, id)).ok()?;
        let mut index = Self::empty(&aside);
        index.can_be_referred_to = false;
        // It has no other stamps than those that are to be trusted, where nothing else is said.
        index.read_since = i64::MAX;
        let (mut found, mut added) = (Sorter::new(&aside), Sorter::new(&aside));
        let (mut whole, mut not_held) = (None, HashSet::new());
        let (mut has_head, mut end) = (false, None);
        for line in BufReader::new(zstd::Decoder::new(file).ok()?).split(b'\n') {
            let line = line.ok()?;
            if line.starts_with(ROW) {
                let row: Row = serde_json::from_slice(&line).ok()?;
                let (key, Known { entry, stamp }) = row.into_row();
                let known = (&entry, stamp.as_ref());
                rows::push(&mut found, &key, known, whole.is_some()).ok()?;
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
                    if let Some(over) = over {
                        let below =
                            may_be_over.then(|| Self::read(layout, job, &over, false))??;
                        index.held = below.held;
                        whole = Some((over, below.listing));
                    }
                    has_head = true;
                    index.can_be_referred_to = can_be_referred_to;
                    index.read_since = read_since;
                }
                Note::Gone(key) => {
                    whole.as_ref()?;
                    rows::push_gone(&mut found, &key);
                }
                Note::Held(hash) => {
                    index.held.insert(hash).ok()?;
                    if whole.is_some() {
                        added.push(hash.as_bytes(), b"");
                    }
                }
                Note::NotHeld(hash) => {
                    not_held.insert(hash);
                }
                Note::End(hash) => end = Some(hash),
            }
        }
        let found = found.finish();
        if found.twice().ok()?.is_some() {
            return None;
        }
        match whole {
            None => {
                index.listing = Listing::of(found);
                if index.can_be_referred_to {
                    index.hold_small(&not_held).ok()?;
                }
            }
            Some((whole, below)) => {
                let all = laid_over(below.records(), &found, &aside).ok()?;
                index.listing = Listing::of(all);
                let added = added.finish();
                index.read_over = Some(ReadOver { whole, added });
            }
        }
        let is_whole = !has_head || end == Some(index.held.hash().ok()?);
        is_whole.then_some(index)
    }

    /// Takes up that the content of small files is held, but for this.
    fn hold_small(&mut self, not_held: &HashSet<ContentHash>) -> io::Result<()> {
        for record in self.listing.records().iter() {
            let (_, value) = record?;
            if let Some(Known { entry, .. }) = rows::row_of(&value)?
                && is_small_file(&entry)
                && !not_held.contains(&entry.hash)
            {
                self.held.insert(entry.hash)?;
            }
        }
        Ok(())
    }

    /// Whether it is known by this stamp that a file is as it was read: where it rested for long enough by then.
    pub(super) fn trusts(&self, stamp: &Stamp) -> bool {
        stamp.ctime_seconds.saturating_add(SETTLED) < self.read_since
    }
}

/// The next hash, which stays the next.
fn next_of<I>(hashes: &mut Peekable<I>) -> io::Result<Option<ContentHash>>
where
    I: Iterator<Item = io::Result<ContentHash>>,
{
    match hashes.next_if(Result::is_err) {
        Some(error) => error.map(Some),
        None => Ok(hashes.peek().and_then(|hash| hash.as_ref().ok()).copied()),
    }
}

impl Row {
    fn of(key: DocumentKey, row: Known) -> Self {
        let Known { entry, stamp } = row;
        let Entry {
            kind,
            mode,
            mtime,
            uid,
            gid,
            size,
            hash,
            extras,
        } = entry;
        let Extras {
            xattrs,
            link,
            holes,
        } = extras.map_or_else(Extras::default, |extras| *extras);
        Self {
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
        }
    }

    fn into_row(self) -> (DocumentKey, Known) {
        let Self {
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
        } = self;
        let extras = Extras {
            xattrs,
            link,
            holes,
        };
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
        (key, Known { entry, stamp })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;
    use serde_json::Value;

    /// Lines are only ever added; see `host/domain/src/tests/corpus.rs`.
    const CORPUS: &str = include_str!("../../../domain/corpus/backup-index-row.jsonl");

    #[test]
    fn a_stamp_is_trusted_once_its_file_was_read_long_after_it() {
        let state = tempfile::tempdir().unwrap();
        let stamp = Stamp {
            inode: 1,
            ctime_seconds: 1_000,
            ctime_nanoseconds: 999_999_999,
            whole: true,
        };
        let mut index = Index::empty(&aside(state.path(), 100));
        for (read_since, trusted) in [(0, false), (1_000, false), (1_061, false), (1_062, true)] {
            index.read_since = read_since;
            assert_eq!(index.trusts(&stamp), trusted, "{read_since}");
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

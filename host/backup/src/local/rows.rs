//! Documents as records of a table: what is known of each, in as few bytes as it takes.
//!
//! Invariant: two records of one document are the same bytes only where entry and stamp are the same.

use super::{
    index::Stamp,
    table::{Record, Sorter},
};
use mainstay_domain::{
    archive::{
        ContentHash, DocumentKey, DocumentKind, Entry, Extras, FirstNames, Hole, Mode, RootHasher,
        Xattrs,
    },
    backup_chain::Fate,
};
use std::io::{self, ErrorKind};

/// Of a document that is gone nothing is known.
const GONE: &[u8] = b"";
/// It is not as the whole index has it that it was read over.
const IS_OTHER: u8 = 1;
const HAS_EXTRAS: u8 = 2;
const IS_LINK: u8 = 4;
const HAS_STAMP: u8 = 8;
/// Its content is to come from an older link of the chain that is read.
const IS_WANTED: u8 = 16;

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) entry: Entry,
    pub(super) stamp: Option<Stamp>,
}

/// Takes up a document.
pub(super) fn push(
    to: &mut Sorter,
    key: &DocumentKey,
    (entry, stamp): (&Entry, Option<&Stamp>),
    is_other: bool,
) -> io::Result<()> {
    let flags = if is_other { IS_OTHER } else { 0 };
    to.push(key.as_str().as_bytes(), &bytes_of(entry, stamp, flags)?);
    Ok(())
}

/// What is written of a document, in a record with these flags and those that follow from it.
pub(super) fn bytes_of(entry: &Entry, stamp: Option<&Stamp>, flags: u8) -> io::Result<Vec<u8>> {
    let mut value = Vec::with_capacity(128);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags = flags
        | flag(entry.extras.is_some(), HAS_EXTRAS)
        | flag(entry.link().is_some(), IS_LINK)
        | flag(stamp.is_some(), HAS_STAMP);
    let kind = match entry.kind {
        DocumentKind::File => b'f',
        DocumentKind::Directory => b'd',
        DocumentKind::Symlink => b'l',
    };
    value.extend_from_slice(&[flags, kind]);
    value.extend_from_slice(&entry.mode.bits().to_le_bytes());
    value.extend_from_slice(&entry.mtime.as_second().to_le_bytes());
    value.extend_from_slice(&entry.mtime.subsec_nanosecond().to_le_bytes());
    value.extend_from_slice(&entry.uid.to_le_bytes());
    value.extend_from_slice(&entry.gid.to_le_bytes());
    value.extend_from_slice(&entry.size.to_le_bytes());
    value.extend_from_slice(entry.hash.as_bytes());
    if let Some(stamp) = stamp {
        value.extend_from_slice(&stamp.inode.to_le_bytes());
        value.extend_from_slice(&stamp.ctime_seconds.to_le_bytes());
        value.extend_from_slice(&stamp.ctime_nanoseconds.to_le_bytes());
        value.push(u8::from(stamp.whole));
    }
    if let Some(extras) = &entry.extras {
        let Extras {
            xattrs,
            link,
            holes,
        } = extras.as_ref();
        serde_json::to_writer(&mut value, &(xattrs, link, holes))?;
    }
    Ok(value)
}

/// Takes up that a document is gone.
pub(super) fn push_gone(to: &mut Sorter, key: &DocumentKey) {
    to.push(key.as_str().as_bytes(), GONE);
}

/// Whether a record says that its document is gone.
pub(super) fn is_gone(value: &[u8]) -> bool {
    value == GONE
}

/// Whether a record says that its document is not as the whole index has it.
pub(super) fn is_other(value: &[u8]) -> bool {
    is_gone(value) || value.first().is_some_and(|flags| flags & IS_OTHER != 0)
}

/// What becomes of a document, as a record says it.
pub(super) fn bytes_of_fate(fate: &Fate) -> io::Result<Vec<u8>> {
    match fate {
        Fate::Gone => Ok(GONE.to_vec()),
        Fate::Wanted(entry) => bytes_of(entry, None, IS_WANTED),
        Fate::Complete(entry) => bytes_of(entry, None, 0),
    }
}

/// Whether the content of a document is to come from an older link.
pub(super) fn is_wanted(value: &[u8]) -> bool {
    value.first().is_some_and(|flags| flags & IS_WANTED != 0)
}

/// What a record says becomes of its document.
pub(super) fn fate_of(value: &[u8]) -> io::Result<Fate> {
    Ok(match row_of(value)? {
        None => Fate::Gone,
        Some(row) => Fate::of(row.entry, is_wanted(value)),
    })
}

/// Whether a record says that its document is another name of one.
pub(super) fn is_link(value: &[u8]) -> bool {
    value.first().is_some_and(|flags| flags & IS_LINK != 0)
}

/// Whether two records say the same of their document.
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    let parts = |value: &[u8]| value.split_first().map(|(flags, _)| flags & !IS_OTHER);
    parts(a) == parts(b) && a.get(1..) == b.get(1..)
}

/// The key of a record.
pub(super) fn key_of(key: &[u8]) -> io::Result<DocumentKey> {
    let text = std::str::from_utf8(key).ok();
    let key = text.and_then(|text| DocumentKey::parse(text).ok());
    key.ok_or_else(broken)
}

/// What a record says; none where its document is gone.
pub(super) fn row_of(value: &[u8]) -> io::Result<Option<Known>> {
    match is_gone(value) {
        true => Ok(None),
        false => read(value).map(Some).ok_or_else(broken),
    }
}

pub(super) fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is not what was written")
}

fn read(value: &[u8]) -> Option<Known> {
    let mut rest = Rest(value);
    let [flags, kind] = rest.next()?;
    let kind = match kind {
        b'f' => DocumentKind::File,
        b'd' => DocumentKind::Directory,
        b'l' => DocumentKind::Symlink,
        _ => return None,
    };
    let mode = Mode::from_bits(u32::from_le_bytes(rest.next()?));
    let (second, nanosecond) = (rest.next()?, rest.next()?);
    let (second, nanosecond) = (i64::from_le_bytes(second), i32::from_le_bytes(nanosecond));
    let (uid, gid) = (rest.next()?, rest.next()?);
    let size = u64::from_le_bytes(rest.next()?);
    let hash = ContentHash::from(blake3::Hash::from_bytes(rest.next()?));
    let stamp = match flags & HAS_STAMP {
        0 => None,
        _ => Some(Stamp {
            inode: u64::from_le_bytes(rest.next()?),
            ctime_seconds: i64::from_le_bytes(rest.next()?),
            ctime_nanoseconds: i64::from_le_bytes(rest.next()?),
            whole: rest.next()? == [1],
        }),
    };
    let extras = match flags & HAS_EXTRAS {
        0 => None,
        _ => {
            let (xattrs, link, holes): (Xattrs, Option<DocumentKey>, Vec<Hole>) =
                serde_json::from_slice(rest.0).ok()?;
            let extras = Extras {
                xattrs,
                link,
                holes,
            };
            extras.boxed()
        }
    };
    let entry = Entry {
        kind,
        mode,
        mtime: jiff::Timestamp::new(second, nanosecond).ok()?,
        uid: u32::from_le_bytes(uid),
        gid: u32::from_le_bytes(gid),
        size,
        hash,
        extras,
    };
    Some(Known { entry, stamp })
}

/// What of a record is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn next<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }
}

/// The root hash of the documents that records tell of, by key, each once. They are told twice: which names belong to one
/// file has to be known before.
pub(super) fn root_hash<I>(records: impl Fn() -> I) -> io::Result<ContentHash>
where
    I: Iterator<Item = io::Result<Record>>,
{
    let mut names = FirstNames::default();
    for record in records() {
        let (key, value) = record?;
        if is_link(&value)
            && let Some(row) = row_of(&value)?
        {
            names.note(&key_of(&key)?, &row.entry);
        }
    }
    let mut hasher = RootHasher::default();
    for record in records() {
        let (key, value) = record?;
        if let Some(row) = row_of(&value)? {
            hasher.document(&key_of(&key)?, &row.entry, &names);
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;
    use mainstay_domain::archive::{State, XattrName, XattrValue};

    fn documents() -> Vec<(DocumentKey, Known)> {
        let plain = Entry {
            kind: DocumentKind::File,
            mode: Mode::from_bits(0o4755),
            mtime: jiff::Timestamp::new(-5, -999_999_999).unwrap(),
            uid: u32::MAX,
            gid: 7,
            size: 10,
            hash: ContentHash::of(b"some"),
            extras: None,
        };
        let xattrs = Xattrs::from([(
            XattrName::from_bytes(b"user.\xff").unwrap(),
            XattrValue::new(vec![0, 255]),
        )]);
        let link = DocumentKey::parse("b").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = Stamp::of(&file.path().metadata().unwrap());
        let of_kind = |kind| Entry {
            kind,
            ..plain.clone()
        };
        let rows = [
            ("b", plain.clone(), Some(stamp)),
            ("a", plain.clone().linked_to(link), None),
            ("c", plain.clone().with_xattrs(xattrs), Some(stamp)),
            ("d", plain.clone().with_holes(vec![(0, 3).into()]), None),
            ("e", of_kind(DocumentKind::Directory), None),
            ("e/f", of_kind(DocumentKind::Symlink), None),
        ];
        let row = |(key, entry, stamp)| (DocumentKey::parse(key).unwrap(), Known { entry, stamp });
        rows.map(row).into()
    }

    #[test]
    fn what_is_known_of_a_document_is_read_as_it_was_written() {
        let state = tempfile::tempdir().unwrap();
        let (mut sorter, documents) = (Sorter::new(&aside(state.path(), 100)), documents());
        for (key, row) in &documents {
            push(&mut sorter, key, (&row.entry, row.stamp.as_ref()), true).unwrap();
        }
        let gone = DocumentKey::parse("gone").unwrap();
        push_gone(&mut sorter, &gone);
        let table = sorter.finish();
        for (key, row) in &documents {
            let value = table.get(key.as_str().as_bytes()).unwrap().unwrap();
            assert_eq!(row_of(&value).unwrap().as_ref(), Some(row), "{key}");
            assert!(is_other(&value) && !is_gone(&value));
        }
        let value = table.get(b"gone").unwrap().unwrap();
        assert_eq!(row_of(&value).unwrap(), None);
        assert!(is_other(&value));
        let expected: State = documents
            .into_iter()
            .map(|(key, row)| (key, row.entry))
            .collect();
        assert_eq!(root_hash(|| table.iter()).unwrap(), expected.root_hash());
    }

    #[test]
    fn records_are_the_same_whatever_index_they_were_read_from() {
        let state = tempfile::tempdir().unwrap();
        let value = |row: &Known, is_other| {
            let mut sorter = Sorter::new(&aside(state.path(), 10_000));
            let key = DocumentKey::parse("a").unwrap();
            let known = (&row.entry, row.stamp.as_ref());
            push(&mut sorter, &key, known, is_other).unwrap();
            sorter.finish().get(b"a").unwrap().unwrap()
        };
        let documents = documents();
        for (at, (_, row)) in documents.iter().enumerate() {
            for (other_at, (_, other)) in documents.iter().enumerate() {
                let (a, b) = (value(row, true), value(other, false));
                assert_eq!(is_same(&a, &b), at == other_at);
            }
            assert!(!is_same(&value(row, true), GONE));
        }
        assert!(is_same(GONE, GONE));
    }
}

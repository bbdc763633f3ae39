//! Which documents of a walk are one file by several names.
//!
//! Invariant: two names are one file only where it was the same file, and unchanged, at both.
//! Invariant: of any number of files no more is held than of hashes.

use super::{
    hashes::HashMapped,
    index::Stamp,
    rows,
    table::{Aside, Sorter, Table},
};
use mainstay_domain::archive::{ContentHash, DocumentKey, Entry};
use std::{fs::Metadata, io, os::unix::fs::MetadataExt};

/// The files with several names that were found so far, each by the name that was found first.
pub(super) struct HardLinks {
    /// By what tells a file from every other.
    first: HashMapped,
}

/// What a file is to those that were found before.
pub(super) enum Name {
    /// None of them.
    First,
    /// Another name of one of them, as this entry says.
    Another(Entry),
    /// Another name of this document, which has changed since.
    Changed(DocumentKey),
}

impl HardLinks {
    /// Of any number of files.
    pub(super) fn new(aside: &Aside) -> Self {
        let first = HashMapped::new(aside);
        Self { first }
    }

    /// For who holds all that is found anyway.
    pub(super) fn held() -> Self {
        let first = HashMapped::held();
        Self { first }
    }

    /// Looks whether a file was found before.
    pub(super) fn look(&self, metadata: &Metadata) -> io::Result<Name> {
        let first = match is_shared(metadata) {
            true => self.first.get(&identity_of(metadata))?,
            false => None,
        };
        let Some(first) = first else {
            return Ok(Name::First);
        };
        let (key, row) = parts_of(&first)?;
        let key = rows::key_of(key)?;
        let known = rows::row_of(row)?.ok_or_else(rows::broken)?;
        Ok(match known.stamp == Some(Stamp::of(metadata)) {
            true => Name::Another(known.entry.linked_to(key)),
            false => Name::Changed(key),
        })
    }

    /// The documents that hold the content of those that were found so far, by key, as rows.
    pub(super) fn files(&self, aside: &Aside) -> io::Result<Table> {
        let mut files = Sorter::new(aside);
        for file in self.first.iter() {
            let (_, file) = file?;
            let (key, row) = parts_of(&file)?;
            files.push(key, row);
        }
        Ok(files.finish())
    }

    /// Notes a document that holds the content of a file, as the file was found before it was read.
    pub(super) fn note(
        &mut self,
        metadata: &Metadata,
        key: &DocumentKey,
        entry: &Entry,
    ) -> io::Result<()> {
        if !is_shared(metadata) {
            return Ok(());
        }
        let key = key.as_str().as_bytes();
        let length = u32::try_from(key.len()).map_err(io::Error::other)?;
        let row = rows::bytes_of(entry, Some(&Stamp::of(metadata)), 0)?;
        let file = [length.to_le_bytes().as_slice(), key, row.as_slice()].concat();
        self.first.put(identity_of(metadata), &file)
    }
}

/// The key and the row of what is noted: the length of the key comes first (32 bits, little endian).
fn parts_of(file: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let parts = file.split_first_chunk::<4>().and_then(|(length, rest)| {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        rest.split_at_checked(length)
    });
    parts.ok_or_else(rows::broken)
}

/// What tells a file from every other.
fn identity_of(metadata: &Metadata) -> ContentHash {
    let numbers = [metadata.dev().to_le_bytes(), metadata.ino().to_le_bytes()];
    ContentHash::of(&numbers.concat())
}

/// Whether it may have other names.
fn is_shared(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;
    use mainstay_domain::archive::{DocumentKind, Mode};
    use std::{fs, os::unix::fs::PermissionsExt};

    fn entry(number: u64) -> Entry {
        Entry {
            kind: DocumentKind::File,
            mode: Mode::from_bits(0o640),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 1,
            gid: 2,
            size: number,
            hash: ContentHash::of(&number.to_le_bytes()),
            extras: None,
        }
    }

    #[test]
    fn of_any_number_of_files_each_is_known_by_its_first_name_and_few_are_held() {
        const FILES: u64 = 1_000;
        let (state, tree) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let aside = aside(state.path(), 10_000);
        let mut links = HardLinks::new(&aside);
        let key = |number: u64| DocumentKey::parse(&format!("a{number}")).unwrap();
        let names =
            |number: u64| ["a", "b"].map(|name| tree.path().join(format!("{name}{number}")));
        for number in 0..FILES {
            let [first, other] = names(number);
            fs::write(&first, "").unwrap();
            fs::hard_link(&first, &other).unwrap();
            let metadata = first.metadata().unwrap();
            assert!(matches!(links.look(&metadata).unwrap(), Name::First));
            links.note(&metadata, &key(number), &entry(number)).unwrap();
        }
        assert!(links.first.recent() < 100, "{}", links.first.recent());
        for number in 0..FILES {
            let [_, other] = names(number);
            let Name::Another(found) = links.look(&other.metadata().unwrap()).unwrap() else {
                panic!("{number} is not known");
            };
            assert_eq!(found, entry(number).linked_to(key(number)));
        }
        let files = links.files(&aside).unwrap();
        assert_eq!(files.len(), FILES);
        let row = files.get(b"a777").unwrap().unwrap();
        assert_eq!(rows::row_of(&row).unwrap().unwrap().entry, entry(777));

        let [first, other] = names(7);
        let before = Stamp::of(&first.metadata().unwrap());
        while Stamp::of(&first.metadata().unwrap()) == before {
            fs::set_permissions(&first, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let looked = links.look(&other.metadata().unwrap()).unwrap();
        assert!(matches!(looked, Name::Changed(found) if found == key(7)));
    }
}

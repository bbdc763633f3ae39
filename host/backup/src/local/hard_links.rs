//! Which documents of a walk are one file by several names.
//!
//! Invariant: two names are one file only where it was the same file, and unchanged, at both.

use super::{apart::Identity, index::Stamp};
use mainstay_domain::archive::{DocumentKey, Entry};
use std::{collections::BTreeMap, fs::Metadata};

/// The files with several names that were found so far, each by the name that was found first.
#[derive(Default)]
pub(super) struct HardLinks {
    first: BTreeMap<Identity, First>,
}

struct First {
    key: DocumentKey,
    stamp: Stamp,
    entry: Entry,
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
    /// Looks whether a file was found before.
    pub(super) fn look(&self, metadata: &Metadata) -> Name {
        let first = match is_shared(metadata) {
            true => self.first.get(&Identity::of(metadata)),
            false => None,
        };
        match first {
            None => Name::First,
            Some(first) if first.stamp == Stamp::of(metadata) => {
                Name::Another(first.entry.clone().linked_to(first.key.clone()))
            }
            Some(first) => Name::Changed(first.key.clone()),
        }
    }

    /// The documents that hold the content of those that were found so far, by key.
    pub(super) fn files(&self) -> BTreeMap<&DocumentKey, &Entry> {
        let files = self.first.values();
        files.map(|file| (&file.key, &file.entry)).collect()
    }

    /// Notes a document that holds the content of a file, as the file was found before it was read.
    pub(super) fn note(&mut self, metadata: &Metadata, key: &DocumentKey, entry: &Entry) {
        if is_shared(metadata) {
            let first = First {
                key: key.clone(),
                stamp: Stamp::of(metadata),
                entry: entry.clone(),
            };
            self.first.insert(Identity::of(metadata), first);
        }
    }
}

/// Whether it may have other names.
fn is_shared(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.is_file() && metadata.nlink() > 1
}

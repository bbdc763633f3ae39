//! The documents of a state, of any number, by key; what a [`State`] is in memory.

use super::{
    rows,
    table::{Record, Table, unreadable},
};
use crate::port::BackupStoreError;
use mainstay_domain::archive::{
    ContentHash, DocumentKey, DocumentKind, Entry, FirstNames, LinkError, State, TreeError,
};
use std::io;

/// The documents of a state.
pub(super) struct Listing {
    records: Table,
}

impl Listing {
    /// Those of these records, of which each key has one.
    pub(super) fn of(records: Table) -> Self {
        Self { records }
    }

    /// Their records.
    pub(super) fn records(&self) -> &Table {
        &self.records
    }

    /// A document; none where it is not there.
    pub(super) fn get(&self, key: &DocumentKey) -> Result<Option<Entry>, BackupStoreError> {
        self.find(key.as_str()).map_err(unreadable)
    }

    fn find(&self, key: &str) -> io::Result<Option<Entry>> {
        match self.records.get(key.as_bytes())? {
            Some(value) => Ok(rows::row_of(&value)?.map(|row| row.entry)),
            None => Ok(None),
        }
    }

    /// Every document, by key.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = Result<(DocumentKey, Entry), BackupStoreError>> {
        self.records.iter().filter_map(|record| {
            let read = record.and_then(|record| document(&record));
            read.map_err(unreadable).transpose()
        })
    }

    /// Every document that is another name of one, by key.
    pub(super) fn links(
        &self,
    ) -> impl Iterator<Item = Result<(DocumentKey, Entry), BackupStoreError>> {
        self.records.iter().filter_map(|record| {
            let read = record.and_then(|record| match rows::is_link(&record.1) {
                true => document(&record),
                false => Ok(None),
            });
            read.map_err(unreadable).transpose()
        })
    }

    /// The names of files that have several.
    pub(super) fn names(&self) -> Result<FirstNames, BackupStoreError> {
        let mut names = FirstNames::default();
        for link in self.links() {
            let (key, entry) = link?;
            names.note(&key, &entry);
        }
        Ok(names)
    }

    /// All of it, in memory.
    pub(super) fn state(&self) -> Result<State, BackupStoreError> {
        self.iter().collect()
    }

    /// See [`State::root_hash`].
    pub(super) fn root_hash(&self) -> Result<ContentHash, BackupStoreError> {
        rows::root_hash(|| self.records.iter()).map_err(unreadable)
    }

    /// Whether each hard link names a document that holds its content. The inner error is the first, in the order of the keys, that
    /// names none, another link, or other content.
    pub(super) fn check_links(&self) -> Result<Result<(), LinkError>, BackupStoreError> {
        for link in self.links() {
            let (key, entry) = link?;
            let Some(holder) = entry.link() else {
                continue;
            };
            let held = self.get(holder)?;
            if !held.is_some_and(|held| held.link().is_none() && held.same_content(&entry)) {
                let link = holder.clone();
                return Ok(Err(LinkError { key, link }));
            }
        }
        Ok(Ok(()))
    }

    /// Whether nothing lies below what is not a directory: below a symbolic link, a restore would leave its place. The inner error is
    /// the first, in the order of the keys, and what it lies below.
    pub(super) fn check_tree(&self) -> Result<Result<(), TreeError>, BackupStoreError> {
        let mut above: Option<String> = None;
        for document in self.iter() {
            let (key, _) = document?;
            for ancestor in unknown_above(&key, above.as_deref()) {
                let found = self.find(ancestor).map_err(unreadable)?;
                if found.is_some_and(|found| found.kind != DocumentKind::Directory) {
                    return Ok(Err(TreeError {
                        key: key.clone(),
                        ancestor: ancestor.to_owned(),
                    }));
                }
            }
            above = Some(key.ancestors().next().unwrap_or(".").to_owned());
        }
        Ok(Ok(()))
    }
}

/// What lies above a document, the nearest first, up to what is known already: a directory that was looked at, and all above it. So
/// that of a deep tree each directory is looked at about once, and not with each that lies below it.
fn unknown_above<'a>(key: &'a DocumentKey, known: Option<&str>) -> impl Iterator<Item = &'a str> {
    let is_known = move |above: &str| {
        known.is_some_and(|known| {
            let rest = known.strip_prefix(above);
            above == "." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let all = key.ancestors().chain(["."]);
    all.take_while(move |above| !is_known(above))
}

/// The document of a record; none where it is gone.
fn document((key, value): &Record) -> io::Result<Option<(DocumentKey, Entry)>> {
    match rows::row_of(value)? {
        Some(row) => Ok(Some((rows::key_of(key)?, row.entry))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{
        table::Sorter,
        tests::{aside, key},
    };
    use mainstay_domain::archive::Mode;

    fn entry(kind: DocumentKind) -> Entry {
        Entry {
            kind,
            mode: Mode::from_bits(0o644),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 0,
            gid: 0,
            size: 0,
            hash: ContentHash::of(b""),
            extras: None,
        }
    }

    #[test]
    fn what_was_looked_at_above_one_document_is_not_looked_at_for_the_next() {
        for (document, known, unknown) in [
            ("a/b/c", None, vec!["a/b", "a", "."]),
            ("a/b/c", Some("."), vec!["a/b", "a"]),
            ("a/b/c", Some("a"), vec!["a/b"]),
            ("a/b/c", Some("a/b"), vec![]),
            ("a/b/c", Some("a/b/d/e"), vec![]),
            ("a/b/c", Some("a/be"), vec!["a/b"]),
            ("a/b/c", Some("a-b"), vec!["a/b", "a"]),
            ("a", Some("b/c"), vec![]),
            (".", None, vec!["."]),
        ] {
            let key = key(document);
            let found: Vec<&str> = unknown_above(&key, known).collect();
            assert_eq!(found, unknown, "{document} after {known:?}");
        }
    }

    #[test]
    fn it_says_of_documents_what_a_state_says() {
        let directory = tempfile::tempdir().unwrap();
        let (file, folder) = (entry(DocumentKind::File), entry(DocumentKind::Directory));
        let link = |to: &str| file.clone().linked_to(key(to));
        let other = Entry {
            hash: ContentHash::of(b"other"),
            ..file.clone()
        };
        // What lies below no directory, and what is no link: each with what it names.
        let states = [
            (
                vec![
                    ("a", folder.clone()),
                    ("a/b", file.clone()),
                    ("a-c", file.clone()),
                ],
                (None, None),
            ),
            (
                vec![("a", file.clone()), ("a/b", file.clone())],
                (Some(("a/b", "a")), None),
            ),
            (
                vec![
                    ("a", file.clone()),
                    ("a-b/c", file.clone()),
                    ("a/b/c", file.clone()),
                ],
                (Some(("a/b/c", "a")), None),
            ),
            (
                vec![(".", file.clone()), ("b", file.clone())],
                (Some((".", ".")), None),
            ),
            (vec![(".", file.clone())], (Some((".", ".")), None)),
            (
                vec![
                    ("a", folder.clone()),
                    ("a/b", folder.clone()),
                    ("a/b/c", file.clone()),
                    ("a/d", file.clone()),
                    ("a/d/e/f", file.clone()),
                ],
                (Some(("a/d/e/f", "a/d")), None),
            ),
            (
                vec![
                    ("a", folder.clone()),
                    ("a-b", file.clone()),
                    ("a-b/c", file.clone()),
                    ("a/b", file.clone()),
                ],
                (Some(("a-b/c", "a-b")), None),
            ),
            (
                vec![("a", file.clone()), ("b", link("a")), ("c", link("a"))],
                (None, None),
            ),
            (
                vec![("a", link("b")), ("b", link("c"))],
                (None, Some(("a", "b"))),
            ),
            (vec![("a", link("nowhere"))], (None, Some(("a", "nowhere")))),
            (
                vec![("a", link("b")), ("b", folder.clone())],
                (None, Some(("a", "b"))),
            ),
            (vec![("b", link("a"))], (None, Some(("b", "a")))),
            (
                vec![("a", other), ("b", link("a"))],
                (None, Some(("b", "a"))),
            ),
            (
                vec![("a", link("a")), ("b", link("a"))],
                (None, Some(("a", "a"))),
            ),
        ];
        for (documents, (below, linked)) in states {
            let mut sorter = Sorter::new(&aside(directory.path(), 100));
            for (name, entry) in &documents {
                rows::push(&mut sorter, &key(name), (entry, None), false).unwrap();
            }
            let listing = Listing::of(sorter.finish());
            let named = documents
                .iter()
                .map(|(name, entry)| (key(name), entry.clone()));
            let state: State = named.collect();
            assert_eq!(listing.state().unwrap(), state);
            assert_eq!(listing.root_hash().unwrap(), state.root_hash());
            let below = below.map(|(name, ancestor)| TreeError {
                key: key(name),
                ancestor: ancestor.to_owned(),
            });
            assert_eq!(listing.check_tree().unwrap().err(), below);
            let linked = linked.map(|(name, holder)| LinkError {
                key: key(name),
                link: key(holder),
            });
            assert_eq!(listing.check_links().unwrap().err(), linked);
            assert_eq!(
                listing.get(&key("a")).unwrap().as_ref(),
                state.get(&key("a"))
            );
        }
    }
}

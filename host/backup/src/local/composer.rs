//! Composes the documents of a state from the links of a chain, told newest first.
//!
//! Invariant: while a link is read, what newer ones said is looked up and not changed; what the link says is laid under it once
//! the link has ended.

use super::{
    listing::Listing,
    rows,
    table::{Aside, Pair, Sorter, Table, side_by_side, unreadable},
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{DocumentKey, Entry},
    backup_chain::{ComposeError, Fate},
};
use std::{io, mem};

/// Why a state cannot be composed.
pub(super) enum Failure {
    /// The links do not give one.
    Chain(ComposeError),
    /// What was set aside cannot be read.
    Host(BackupStoreError),
}

impl From<ComposeError> for Failure {
    fn from(error: ComposeError) -> Self {
        Self::Chain(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Host(unreadable(error))
    }
}

/// A state that is being composed.
pub(super) struct Composer {
    aside: Aside,
    /// What becomes of the documents that newer links named.
    settled: Table,
    /// What the link says that is read.
    said: Sorter,
}

impl Composer {
    /// Before the newest link.
    pub(super) fn new(aside: &Aside) -> Self {
        Self {
            aside: aside.clone(),
            settled: Table::default(),
            said: Sorter::new(aside),
        }
    }

    /// Whether the content of this document in this link belongs to the composed state.
    pub(super) fn wants(&self, key: &DocumentKey) -> io::Result<bool> {
        let settled = self.settled.get(key.as_str().as_bytes())?;
        Ok(settled.is_none_or(|value| rows::is_wanted(&value)))
    }

    /// This link has this document; `inherited`: without its content. Answers what [`Composer::wants`] does.
    pub(super) fn document(
        &mut self,
        key: &DocumentKey,
        entry: Entry,
        inherited: bool,
    ) -> Result<bool, Failure> {
        self.say(key, &Fate::of(entry, inherited))
    }

    /// This link says that the document is gone.
    pub(super) fn tombstone(&mut self, key: &DocumentKey) -> Result<(), Failure> {
        self.say(key, &Fate::Gone).map(drop)
    }

    fn say(&mut self, key: &DocumentKey, fate: &Fate) -> Result<bool, Failure> {
        let bytes = key.as_str().as_bytes();
        let settled = self.settled.get(bytes)?;
        let is_wanted = settled.as_ref().is_none_or(|value| rows::is_wanted(value));
        if let Some(newer) = settled.filter(|_| is_wanted) {
            rows::fate_of(&newer)?.over(key, fate)?;
        }
        self.said.push(bytes, &rows::bytes_of_fate(fate)?);
        Ok(is_wanted)
    }

    /// The link has ended; the next one is older. An error where it named a document twice.
    pub(super) fn end_link(&mut self) -> Result<(), Failure> {
        let said = mem::replace(&mut self.said, Sorter::new(&self.aside)).finish();
        if let Some(key) = said.twice()? {
            return Err(ComposeError::Twice(rows::key_of(&key)?).into());
        }
        if self.settled.len() == 0 {
            self.settled = said;
            return Ok(());
        }
        let mut all = Sorter::new(&self.aside);
        for pair in side_by_side(&self.settled, &said) {
            let Pair { key, left, right } = pair?;
            let value = match (left, right) {
                (Some(newer), Some(older)) if rows::is_wanted(&newer) => {
                    let older = rows::fate_of(&older)?;
                    let fate = rows::fate_of(&newer)?.over(&rows::key_of(&key)?, &older)?;
                    rows::bytes_of_fate(&fate)?
                }
                (newer, older) => newer.or(older).unwrap_or_default(),
            };
            all.push(&key, &value);
        }
        self.settled = all.finish();
        Ok(())
    }

    /// The documents of the state, after the oldest link has ended.
    pub(super) fn finish(self) -> Result<Listing, Failure> {
        for record in self.settled.iter() {
            let (key, value) = record?;
            if rows::is_wanted(&value) {
                return Err(ComposeError::NoContent(rows::key_of(&key)?).into());
            }
        }
        Ok(Listing::of(self.settled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;
    use mainstay_domain::archive::{ContentHash, DocumentKind, Mode};

    fn key(text: &str) -> DocumentKey {
        DocumentKey::parse(text).unwrap()
    }

    fn entry(content: &str) -> Entry {
        Entry {
            kind: DocumentKind::File,
            mode: Mode::from_bits(0o644),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 0,
            gid: 0,
            size: content.len() as u64,
            hash: ContentHash::of(content.as_bytes()),
            extras: None,
        }
    }

    fn said(outcome: Result<impl Sized, Failure>) -> Option<ComposeError> {
        match outcome {
            Ok(_) => None,
            Err(Failure::Chain(error)) => Some(error),
            Err(Failure::Host(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn the_newest_link_that_names_a_document_decides_and_content_comes_from_below() {
        let directory = tempfile::tempdir().unwrap();
        let mut composer = Composer::new(&aside(directory.path(), 100));
        assert_eq!(said(composer.tombstone(&key("gone"))), None);
        assert_eq!(
            said(composer.document(&key("kept"), entry("1"), true)),
            None
        );
        assert_eq!(
            said(composer.document(&key("new"), entry("2"), false)),
            None
        );
        assert_eq!(said(composer.end_link()), None);
        for (name, wanted) in [
            ("gone", false),
            ("kept", true),
            ("new", false),
            ("old", true),
        ] {
            assert_eq!(composer.wants(&key(name)).unwrap(), wanted, "{name}");
        }
        for (name, content) in [("gone", "1"), ("kept", "1"), ("new", "1"), ("old", "1")] {
            let document = composer.document(&key(name), entry(content), false);
            assert_eq!(said(document), None);
        }
        assert_eq!(said(composer.end_link()), None);
        let Ok(listing) = composer.finish() else {
            panic!("it is whole");
        };
        let state = listing.state().unwrap();
        let names: Vec<&str> = state.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["kept", "new", "old"]);
        assert_eq!(state.get(&key("new")), Some(&entry("2")));
    }

    #[test]
    fn what_is_named_twice_and_what_has_no_content_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let new = || Composer::new(&aside(directory.path(), 100));
        let a = key("a");
        let mut composer = new();
        assert_eq!(said(composer.document(&a, entry("1"), false)), None);
        assert_eq!(said(composer.tombstone(&a)), None);
        assert_eq!(
            said(composer.end_link()),
            Some(ComposeError::Twice(a.clone()))
        );
        let missing = Some(ComposeError::NoContent(a.clone()));
        let mut composer = new();
        assert_eq!(said(composer.document(&a, entry("1"), true)), None);
        assert_eq!(said(composer.end_link()), None);
        assert_eq!(said(composer.document(&a, entry("2"), false)), missing);
        assert_eq!(said(composer.tombstone(&a)), missing);
        assert_eq!(said(composer.finish()), missing);
    }
}

//! Composes the documents of a state from the links of a chain, told newest first.
//!
//! Invariant: while a link is read, what newer ones said is looked up and not changed; what becomes of the link's documents is
//! laid over it once the link has ended.

use super::{
    layers::Layers,
    listing::Listing,
    rows,
    table::{Aside, Sorter, unreadable},
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
    /// What becomes of the documents that newer links named, by all of them.
    settled: Layers,
    /// What becomes of the documents that the link names that is read.
    said: Sorter,
}

impl Composer {
    /// Before the newest link.
    pub(super) fn new(aside: &Aside) -> Self {
        Self {
            aside: aside.clone(),
            settled: Layers::default(),
            said: Sorter::new(aside),
        }
    }

    /// Whether the content of this document in this link belongs to the composed state.
    pub(super) fn wants(&self, key: &DocumentKey) -> io::Result<bool> {
        let settled = self.settled_as(key)?;
        Ok(settled.is_none_or(|value| rows::is_wanted(&value)))
    }

    /// What becomes of a document by newer links; none where they do not name it.
    fn settled_as(&self, key: &DocumentKey) -> io::Result<Option<Vec<u8>>> {
        self.settled.get(key.as_str().as_bytes())
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
        let settled = self.settled_as(key)?;
        let is_wanted = settled.as_deref().is_none_or(rows::is_wanted);
        let value = match settled {
            Some(newer) if is_wanted => {
                let fate = rows::fate_of(&newer)?.over(key, fate)?;
                rows::bytes_of_fate(&fate)?
            }
            Some(newer) => newer,
            None => rows::bytes_of_fate(fate)?,
        };
        self.said.push(key.as_str().as_bytes(), &value);
        Ok(is_wanted)
    }

    /// The link has ended; the next one is older. An error where it named a document twice.
    pub(super) fn end_link(&mut self) -> Result<(), Failure> {
        let last = mem::replace(&mut self.said, Sorter::new(&self.aside)).finish();
        if let Some(key) = last.twice()? {
            return Err(ComposeError::Twice(rows::key_of(&key)?).into());
        }
        if last.len() == 0 {
            return Ok(());
        }
        self.settled.lay(last, &self.aside)?;
        Ok(())
    }

    /// The documents of the state, after the oldest link has ended.
    pub(super) fn finish(self) -> Result<Listing, Failure> {
        let all = self.settled.into_one(&self.aside)?;
        for record in all.iter() {
            let (key, value) = record?;
            if rows::is_wanted(&value) {
                return Err(ComposeError::NoContent(rows::key_of(&key)?).into());
            }
        }
        Ok(Listing::of(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::{aside, key};
    use mainstay_domain::archive::{ContentHash, DocumentKind, Mode};

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

    #[test]
    fn of_many_links_what_newer_ones_said_is_not_written_for_each_and_all_of_it_counts() {
        let directory = tempfile::tempdir().unwrap();
        let mut composer = Composer::new(&aside(directory.path(), 2_000));
        let links = 300;
        let mut written = 0;
        for link in 0..links {
            for number in 0..10 {
                let name = format!("of-{link}-{number}");
                let document = composer.document(&key(&name), entry("1"), false);
                assert_eq!(said(document), None);
            }
            // Its content is in the oldest alone.
            let is_inherited = link + 1 < links;
            if link % 7 == 0 || !is_inherited {
                let document = composer.document(&key("kept"), entry("2"), is_inherited);
                assert_eq!(said(document), None);
            }
            match link {
                0 => assert_eq!(said(composer.tombstone(&key("gone"))), None),
                _ if link % 11 == 0 => {
                    let document = composer.document(&key("gone"), entry("3"), false);
                    assert_eq!(said(document), None);
                }
                _ => {}
            }
            assert_eq!(said(composer.end_link()), None);
            written += composer.settled.lengths().last().unwrap();
            assert_eq!(composer.wants(&key("kept")).unwrap(), is_inherited);
            assert!(!composer.wants(&key("gone")).unwrap());
            assert!(!composer.wants(&key("of-0-0")).unwrap());
        }
        assert!(written < 100_000, "{written}");
        assert!(composer.settled.lengths().len() < 8);
        let Ok(listing) = composer.finish() else {
            panic!("it is whole");
        };
        let state = listing.state().unwrap();
        assert_eq!(state.len(), 10 * links + 1);
        assert_eq!(state.get(&key("kept")), Some(&entry("2")));
        assert_eq!(state.get(&key("gone")), None);
    }
}

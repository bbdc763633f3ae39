//! What of sources is not found as it was, and how people are told what of it cannot be read.
//!
//! Invariant: of any number of things that cannot be read so many are named, and the rest is counted.

use super::table::{Aside, Sorter};
use std::cell::{Cell, RefCell};

/// So many are named. A record of a backup keeps some warnings more.
const NAMED: usize = 10;

/// What a walk misses.
#[derive(Default)]
pub(super) struct Gaps {
    is_any: Cell<bool>,
    unseen: RefCell<Unseen>,
}

/// What is there, and nothing is known of what it is, or of what lies in it; of any number.
#[derive(Default)]
pub(super) struct Unseen {
    /// The first of them by their paths below their source, each with why; sentences for people.
    pub(super) named: Vec<(Vec<u8>, String)>,
    /// How many there are beside.
    pub(super) others: u64,
    /// All of their paths, each with [`FOUND`] or [`NOT_FOUND`]; none where nobody asks for them.
    pub(super) paths: Option<Sorter>,
}

/// It was found itself, as a directory that cannot be listed.
pub(super) const FOUND: &[u8] = b"found";
/// It was not.
pub(super) const NOT_FOUND: &[u8] = b"";

impl Unseen {
    /// A sentence for each, and at the end one for those that are not named.
    pub(super) fn into_notes(self) -> Vec<String> {
        let mut notes: Vec<String> = self.named.into_iter().map(|(_, what)| what).collect();
        if self.others > 0 {
            notes.push(format!("{} more cannot be read", self.others));
        }
        notes
    }
}

impl Gaps {
    /// Which keeps the paths of what is unseen.
    pub(super) fn keeping(aside: &Aside) -> Self {
        let paths = Some(Sorter::new(aside));
        let unseen = Unseen {
            paths,
            ..Unseen::default()
        };
        Self {
            is_any: Cell::default(),
            unseen: RefCell::new(unseen),
        }
    }

    /// Something that was there is not found as it was.
    pub(super) fn note(&self) {
        self.is_any.set(true);
    }

    /// What has this name cannot be looked at.
    pub(super) fn miss(&self, relative: &[u8], what: String) {
        self.add(relative, NOT_FOUND, what);
    }

    /// What is in this directory cannot be listed.
    pub(super) fn miss_inside(&self, relative: &[u8], what: String) {
        self.add(relative, FOUND, what);
    }

    fn add(&self, relative: &[u8], found: &[u8], what: String) {
        self.note();
        let mut unseen = self.unseen.borrow_mut();
        match unseen.named.len() < NAMED {
            true => unseen.named.push((relative.to_vec(), what)),
            false => unseen.others += 1,
        }
        if let Some(paths) = &mut unseen.paths {
            paths.push(relative, found);
        }
    }

    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        self.is_any.get()
    }

    /// What could not be looked at or listed, of which nobody was told.
    pub(super) fn into_unseen(self) -> Unseen {
        self.unseen.into_inner()
    }
}

/// What cannot be read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    named: Vec<String>,
    others: u64,
}

impl Unread {
    /// One more: why, and whether the chain has something of it, which is kept.
    pub(super) fn add(&mut self, what: &str, is_kept: bool) {
        if self.named.len() == NAMED {
            self.others += 1;
            return;
        }
        let becomes = match is_kept {
            true => "what there is of it is that of the backup that this one is built on",
            false => "it is not in this backup",
        };
        self.named.push(format!(
            "{what}; {becomes}; give the daemon's user access to it, or `exclude` it"
        ));
    }

    /// So many more, after as many were added as are named.
    pub(super) fn add_unnamed(&mut self, count: u64) {
        self.others += count;
    }

    /// What is to be said of them; sentences for people.
    pub(super) fn into_warnings(self) -> Vec<String> {
        let Self { mut named, others } = self;
        if others > 0 {
            named.push(format!("{others} more cannot be read"));
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;

    #[test]
    fn of_any_number_that_is_unseen_all_paths_are_known_and_few_are_held() {
        let state = tempfile::tempdir().unwrap();
        let gaps = Gaps::keeping(&aside(state.path(), 10_000));
        for number in 0..20_000 {
            let name = format!("closed/{number:08}");
            gaps.miss(name.as_bytes(), format!("cannot read {name}"));
        }
        gaps.miss_inside(b"locked", "cannot list it".to_owned());
        let unseen = gaps.into_unseen();
        assert_eq!((unseen.named.len(), unseen.others), (10, 19_991));
        let paths = unseen.paths.unwrap().finish();
        assert!(paths.held() < 20_000, "{}", paths.held());
        assert_eq!(paths.len(), 20_001);
        let found = |path: &[u8]| paths.get(path).unwrap();
        assert_eq!(found(b"closed/00012345").as_deref(), Some(NOT_FOUND));
        assert_eq!(found(b"locked").as_deref(), Some(FOUND));
        assert_eq!(found(b"closed"), None);
    }

    #[test]
    fn so_many_are_named_and_the_rest_is_counted() {
        for (count, said, last) in [
            (0, 0, None),
            (1, 1, Some("cannot read 0; it is not in this backup")),
            (10, 10, Some("cannot read 9; it is not in this backup")),
            (11, 11, Some("1 more cannot be read")),
            (1_000, 11, Some("990 more cannot be read")),
        ] {
            let mut unread = Unread::default();
            for number in 0..count {
                unread.add(&format!("cannot read {number}"), false);
            }
            let warnings = unread.into_warnings();
            assert_eq!(warnings.len(), said);
            let begins = |last: &str| warnings.last().is_some_and(|it| it.starts_with(last));
            assert!(last.is_none_or(begins), "{warnings:?}");
        }
    }
}

//! What of sources is not found as it was, and how people are told what of it cannot be read.
//!
//! Invariant: of any number of things that cannot be read so many are named, and the rest is counted.

use std::cell::{Cell, RefCell};

/// So many are named. A record of a backup keeps some warnings more.
const NAMED: usize = 10;

/// What a walk misses.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    is_any: Cell<bool>,
    unseen: RefCell<Vec<Unseen>>,
}

/// Something that is there, and nothing is known of what it is, or of what lies in it.
#[derive(Debug)]
pub(super) struct Unseen {
    /// Its path below its source.
    pub(super) relative: Vec<u8>,
    /// Whether it was found, as a directory that cannot be listed.
    pub(super) is_found: bool,
    /// Why; a sentence for people.
    pub(super) what: String,
}

impl Gaps {
    /// Something that was there is not found as it was.
    pub(super) fn note(&self) {
        self.is_any.set(true);
    }

    /// What has this name cannot be looked at.
    pub(super) fn miss(&self, relative: &[u8], what: String) {
        self.add(relative, false, what);
    }

    /// What is in this directory cannot be listed.
    pub(super) fn miss_inside(&self, relative: &[u8], what: String) {
        self.add(relative, true, what);
    }

    fn add(&self, relative: &[u8], is_found: bool, what: String) {
        self.note();
        self.unseen.borrow_mut().push(Unseen {
            relative: relative.to_vec(),
            is_found,
            what,
        });
    }

    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        self.is_any.get()
    }

    /// What could not be looked at or listed, of which nobody was told.
    pub(super) fn into_unseen(self) -> Vec<Unseen> {
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

//! Content that documents of a composed state refer to by its hash, while the links of a chain are read, newest first.
//!
//! Invariant: whoever wants content gets it once, from the newest link that has it, or the chain is an error.

use super::ComposeError;
use crate::archive::{ContentHash, DocumentKey};
use std::collections::HashMap;

/// A place in a document of the composed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The document.
    pub key: DocumentKey,
    /// How many of its bytes come before.
    pub at: u64,
}

/// What a link had of some content before the line that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Not,
    /// All of it, and nobody wanted it then.
    Passed,
    /// All of it, and it was put here.
    At(Place),
}

/// What is still to come, and what the link that is read had.
#[derive(Debug, Default)]
pub struct Wants {
    wanted: HashMap<ContentHash, Vec<(u64, Place)>>,
    seen: HashMap<ContentHash, (u64, Option<Place>)>,
    is_behind: bool,
}

impl Wants {
    /// Before the newest link.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next link, older than those before, begins.
    pub fn next_link(&mut self) {
        self.seen.clear();
        self.is_behind = false;
    }

    /// Here is content, and `put` is where it belongs anyway: the places that want it.
    pub fn supply(&mut self, hash: ContentHash, size: u64, put: Option<Place>) -> Vec<Place> {
        let wanted = self.wanted.remove(&hash).unwrap_or_default();
        // A reference that tells another length is none to this content, and is missed at the end.
        let (fitting, others): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|(wanted, _)| *wanted == size);
        if !others.is_empty() {
            self.wanted.insert(hash, others);
        }
        let places: Vec<Place> = fitting.into_iter().map(|(_, place)| place).collect();
        let put = put.or_else(|| places.first().cloned());
        let seen = self.seen.entry(hash).or_insert((size, None));
        if put.is_some() {
            *seen = (size, put);
        }
        places
    }

    /// What this link had of some content by now.
    pub fn seen(&self, hash: ContentHash, size: u64) -> Seen {
        match self.seen.get(&hash) {
            Some((seen, Some(place))) if *seen == size => Seen::At(place.clone()),
            Some((seen, None)) if *seen == size => Seen::Passed,
            _ => Seen::Not,
        }
    }

    /// A place wants content that is still to come, or came too early.
    pub fn want(&mut self, hash: ContentHash, size: u64, place: Place) {
        self.is_behind |= self.seen.contains_key(&hash);
        self.wanted.entry(hash).or_default().push((size, place));
    }

    /// Whether this link had something before it was wanted, so that it has to be read once more.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// After the oldest link: whether everything came.
    ///
    /// # Errors
    /// [`ComposeError::NoContent`] of the first key whose content came from no link.
    pub fn finish(self) -> Result<(), ComposeError> {
        let missing = self.wanted.into_values().flatten();
        let keys = missing.map(|(_, place)| place.key);
        match keys.min() {
            None => Ok(()),
            Some(key) => Err(ComposeError::NoContent(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: &str, at: u64) -> Place {
        let key = DocumentKey::parse(key).unwrap();
        Place { key, at }
    }

    #[test]
    fn what_is_wanted_comes_from_the_next_link_that_has_it_and_from_no_other() {
        let hash = ContentHash::of(b"some");
        let mut wants = Wants::new();
        wants.want(hash, 4, place("new", 0));
        wants.want(hash, 4, place("new", 9));
        assert!(!wants.is_behind());
        wants.next_link();
        assert_eq!(wants.seen(hash, 4), Seen::Not);
        let places = wants.supply(hash, 4, None);
        assert_eq!(places, [place("new", 0), place("new", 9)]);
        assert_eq!(wants.seen(hash, 4), Seen::At(place("new", 0)));
        assert_eq!(wants.supply(hash, 4, None), []);
        wants.next_link();
        assert_eq!(wants.seen(hash, 4), Seen::Not);
        assert_eq!(wants.finish(), Ok(()));
    }

    #[test]
    fn what_came_before_it_was_wanted_makes_the_link_be_read_again() {
        let hash = ContentHash::of(b"some");
        let mut wants = Wants::new();
        assert_eq!(wants.supply(hash, 4, None), []);
        assert_eq!(wants.seen(hash, 4), Seen::Passed);
        wants.want(hash, 4, place("a", 0));
        assert!(wants.is_behind());
        assert_eq!(wants.supply(hash, 4, None), [place("a", 0)]);
        wants.next_link();
        assert!(!wants.is_behind());
    }

    #[test]
    fn content_that_never_comes_and_one_of_another_length_is_missed() {
        let hash = ContentHash::of(b"some");
        let mut wants = Wants::new();
        wants.want(hash, 5, place("b", 0));
        wants.want(hash, 4, place("c", 0));
        assert_eq!(wants.supply(hash, 4, None), [place("c", 0)]);
        assert_eq!(wants.seen(hash, 5), Seen::Not);
        let missing = DocumentKey::parse("b").unwrap();
        assert_eq!(wants.finish(), Err(ComposeError::NoContent(missing)));
    }
}

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

/// What is still to come.
#[derive(Debug, Default)]
pub struct Wants {
    wanted: HashMap<ContentHash, Vec<(u64, Place)>>,
}

impl Wants {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Here is content: the places that want it.
    pub fn supply(&mut self, hash: ContentHash, size: u64) -> Vec<Place> {
        let wanted = self.wanted.remove(&hash).unwrap_or_default();
        // A reference that tells another length is none to this content, and is missed at the end.
        let (fitting, others): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|(wanted, _)| *wanted == size);
        if !others.is_empty() {
            self.wanted.insert(hash, others);
        }
        fitting.into_iter().map(|(_, place)| place).collect()
    }

    /// A place wants content that is still to come, or came too early.
    pub fn want(&mut self, hash: ContentHash, size: u64, place: Place) {
        self.wanted.entry(hash).or_default().push((size, place));
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
    fn who_wants_content_gets_it_once() {
        let hash = ContentHash::of(b"some");
        let mut wants = Wants::new();
        assert_eq!(wants.supply(hash, 4), []);
        wants.want(hash, 4, place("new", 0));
        wants.want(hash, 4, place("new", 9));
        let places = wants.supply(hash, 4);
        assert_eq!(places, [place("new", 0), place("new", 9)]);
        assert_eq!(wants.supply(hash, 4), []);
        assert_eq!(wants.finish(), Ok(()));
    }

    #[test]
    fn content_that_never_comes_and_one_of_another_length_is_missed() {
        let hash = ContentHash::of(b"some");
        let mut wants = Wants::new();
        wants.want(hash, 5, place("b", 0));
        wants.want(hash, 4, place("c", 0));
        assert_eq!(wants.supply(hash, 4), [place("c", 0)]);
        let missing = DocumentKey::parse("b").unwrap();
        assert_eq!(wants.finish(), Err(ComposeError::NoContent(missing)));
    }
}

//! Content that documents of a composed state refer to by its hash, while the links of a chain are read, newest first.
//!
//! Invariant: whoever wants content gets it once, from the newest link that has it, or the chain is an error.
//! Invariant: of any number of wants no more is held than a map by hashes holds, however many want the same.

use super::{
    hashes::HashMapped,
    table::{Aside, unreadable},
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ContentHash, DocumentKey},
    backup_chain::Place,
};
use std::io::{self, ErrorKind};

/// Tells the name of a want from the hash of any content.
const CONTEXT: &str = "mainstay: a place that wants content";
/// What is before the key in a want: the size of the content, and where it goes.
const NUMBERS: usize = 16;

/// What is still to come.
pub(super) struct Wants {
    /// By the hash of content how many want it, in 8 bytes; and each of them by what [`named`] says, nothing where it was given.
    mapped: HashMapped,
    open: u64,
}

impl Wants {
    /// Nothing.
    pub(super) fn new(aside: &Aside) -> Self {
        Self {
            mapped: HashMapped::new(aside),
            open: 0,
        }
    }

    /// Here is content: it is handed to the places that want it.
    pub(super) fn supply(
        &mut self,
        hash: ContentHash,
        size: u64,
        on_place: &mut dyn FnMut(&Place) -> Result<(), BackupStoreError>,
    ) -> Result<(), BackupStoreError> {
        let count = self.count(&hash).map_err(unreadable)?;
        let mut left = 0_u64;
        for number in 0..count {
            let want = self.take(&hash, number).map_err(unreadable)?;
            let (wanted, place) = read(&want).map_err(unreadable)?;
            if wanted == size {
                self.open = self.open.saturating_sub(1);
                on_place(&place)?;
            } else {
                // A reference that tells another length is none to this content, and is missed at the end.
                let put = self.mapped.put(named(&hash, left), &want);
                put.map_err(unreadable)?;
                left += 1;
            }
        }
        if count > 0 {
            let put = self.mapped.put(hash, &left.to_le_bytes());
            put.map_err(unreadable)?;
        }
        Ok(())
    }

    /// A place wants content that is still to come, or came too early.
    pub(super) fn want(
        &mut self,
        hash: ContentHash,
        size: u64,
        place: &Place,
    ) -> Result<(), BackupStoreError> {
        let count = self.count(&hash).map_err(unreadable)?;
        let mut want = size.to_le_bytes().to_vec();
        want.extend_from_slice(&place.at.to_le_bytes());
        want.extend_from_slice(place.key.as_str().as_bytes());
        let name = named(&hash, count);
        self.mapped.put(name, &want).map_err(unreadable)?;
        let put = self.mapped.put(hash, &(count + 1).to_le_bytes());
        put.map_err(unreadable)?;
        self.open += 1;
        Ok(())
    }

    /// After the oldest link: the first key whose content came from no link.
    pub(super) fn missed(&self) -> io::Result<Option<DocumentKey>> {
        let mut missed: Option<DocumentKey> = None;
        if self.open == 0 {
            return Ok(missed);
        }
        for record in self.mapped.iter() {
            let (_, want) = record?;
            if want.len() > NUMBERS {
                let (_, place) = read(&want)?;
                missed = Some(match missed {
                    Some(before) => before.min(place.key),
                    None => place.key,
                });
            }
        }
        Ok(missed)
    }

    fn count(&self, hash: &ContentHash) -> io::Result<u64> {
        // Nothing refers to nearly all content of nearly all chains.
        if self.open == 0 {
            return Ok(0);
        }
        let found = self.mapped.get(hash)?.unwrap_or_default();
        let count = <[u8; 8]>::try_from(found.as_slice());
        Ok(count.map_or(0, u64::from_le_bytes))
    }

    fn take(&mut self, hash: &ContentHash, number: u64) -> io::Result<Vec<u8>> {
        let name = named(hash, number);
        let want = self.mapped.get(&name)?.unwrap_or_default();
        self.mapped.put(name, b"")?;
        Ok(want)
    }
}

/// By what the want of a number is found, of those that want the same.
fn named(hash: &ContentHash, number: u64) -> ContentHash {
    let mut of = hash.as_bytes().to_vec();
    of.extend_from_slice(&number.to_le_bytes());
    blake3::Hash::from_bytes(blake3::derive_key(CONTEXT, &of)).into()
}

fn read(want: &[u8]) -> io::Result<(u64, Place)> {
    let parsed = || {
        let (size, rest) = want.split_first_chunk::<8>()?;
        let (at, key) = rest.split_first_chunk::<8>()?;
        let key = DocumentKey::parse(std::str::from_utf8(key).ok()?).ok()?;
        let at = u64::from_le_bytes(*at);
        Some((u64::from_le_bytes(*size), Place { key, at }))
    };
    let no_want = || io::Error::new(ErrorKind::InvalidData, "it is no place that wants content");
    parsed().ok_or_else(no_want)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::{aside, key};
    use tempfile::TempDir;

    fn place(of: &str, at: u64) -> Place {
        Place { key: key(of), at }
    }

    fn none() -> (Wants, TempDir) {
        let state = tempfile::tempdir().unwrap();
        let wants = Wants::new(&aside(state.path(), 1_000));
        (wants, state)
    }

    fn supplied(wants: &mut Wants, hash: ContentHash, size: u64) -> Vec<Place> {
        let mut places = Vec::new();
        let mut on_place = |place: &Place| {
            places.push(place.clone());
            Ok(())
        };
        wants.supply(hash, size, &mut on_place).unwrap();
        places
    }

    #[test]
    fn who_wants_content_gets_it_once() {
        let hash = ContentHash::of(b"some");
        let (mut wants, _state) = none();
        assert_eq!(supplied(&mut wants, hash, 4), []);
        wants.want(hash, 4, &place("new", 0)).unwrap();
        wants.want(hash, 4, &place("new", 9)).unwrap();
        let places = [place("new", 0), place("new", 9)];
        assert_eq!(supplied(&mut wants, hash, 4), places);
        assert_eq!(supplied(&mut wants, hash, 4), []);
        assert_eq!(wants.missed().unwrap(), None);
        wants.want(hash, 4, &place("again", 1)).unwrap();
        assert_eq!(supplied(&mut wants, hash, 4), [place("again", 1)]);
        assert_eq!(wants.missed().unwrap(), None);
    }

    #[test]
    fn content_that_never_comes_and_one_of_another_length_is_missed() {
        let hash = ContentHash::of(b"some");
        let (mut wants, _state) = none();
        for (size, of) in [(5, "b"), (4, "c"), (5, "a/b")] {
            wants.want(hash, size, &place(of, 0)).unwrap();
        }
        assert_eq!(supplied(&mut wants, hash, 4), [place("c", 0)]);
        assert_eq!(wants.missed().unwrap(), Some(key("a/b")));
        let others = [place("b", 0), place("a/b", 0)];
        assert_eq!(supplied(&mut wants, hash, 5), others);
        assert_eq!(wants.missed().unwrap(), None);
    }

    #[test]
    fn of_any_number_of_wants_each_is_given_its_own() {
        let (mut wants, _state) = none();
        let of = |number: u64| ContentHash::of(&number.to_le_bytes());
        for number in 0..2_000 {
            wants.want(of(number), 8, &place("all", number)).unwrap();
            wants.want(of(0), 8, &place("same", number)).unwrap();
        }
        for number in (1..2_000).rev() {
            let found = supplied(&mut wants, of(number), 8);
            assert_eq!(found, [place("all", number)]);
        }
        assert_eq!(wants.missed().unwrap(), Some(key("all")));
        let same = supplied(&mut wants, of(0), 8);
        assert_eq!((same.len(), &same[0]), (2_001, &place("all", 0)));
        assert!((0..2_000).all(|number| same[number + 1] == place("same", number as u64)));
        assert_eq!(wants.missed().unwrap(), None);
    }
}

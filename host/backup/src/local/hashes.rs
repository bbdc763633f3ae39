//! Hashes of content, of any number, and what is known by them.
//!
//! Invariant: so many are held as were taken up last; the others are set aside in a few tables, and a filter of one size tells of
//! nearly all that are in none of both.

use super::{
    layers::Layers,
    table::{Aside, Table},
};
use mainstay_domain::archive::ContentHash;
use std::{
    cmp::Ordering,
    collections::HashMap,
    io::{self, ErrorKind},
};

/// What a hash takes in a map, with the map's own room.
const BYTES_OF_ONE: usize = 64;
/// The bits of a filter; a power of two. For three million hashes one in a hundred questions is answered wrong and asked of
/// the disk.
const FILTER_BITS: usize = 1 << 25;

/// Values by hash.
pub(super) struct HashMapped {
    /// None where all are held.
    aside: Option<Aside>,
    recent: HashMap<ContentHash, Box<[u8]>>,
    /// What the recent ones come to.
    bytes: usize,
    older: Layers,
    /// Says of a hash whether it may be among the older ones; empty where there are none.
    filter: Vec<u64>,
}

impl HashMapped {
    pub(super) fn new(aside: &Aside) -> Self {
        Self {
            aside: Some(aside.clone()),
            ..Self::held()
        }
    }

    /// Of which none is set aside.
    pub(super) fn held() -> Self {
        Self {
            aside: None,
            recent: HashMap::new(),
            bytes: 0,
            older: Layers::default(),
            filter: Vec::new(),
        }
    }

    /// What was put last by a hash.
    pub(super) fn get(&self, hash: &ContentHash) -> io::Result<Option<Vec<u8>>> {
        if let Some(value) = self.recent.get(hash) {
            return Ok(Some(value.to_vec()));
        }
        let may_be_older = bits_of(hash).all(|(word, bit)| {
            let word = self.filter.get(word);
            word.is_some_and(|word| word & bit != 0)
        });
        match may_be_older {
            true => self.older.get(hash.as_bytes()),
            false => Ok(None),
        }
    }

    pub(super) fn put(&mut self, hash: ContentHash, value: &[u8]) -> io::Result<()> {
        self.bytes += BYTES_OF_ONE + value.len();
        self.recent.insert(hash, value.into());
        let is_full = |aside: &&Aside| self.bytes >= aside.most();
        match self.aside.as_ref().filter(is_full).cloned() {
            Some(aside) => self.set_aside(&aside),
            None => Ok(()),
        }
    }

    /// How many are held.
    #[cfg(test)]
    pub(super) fn recent(&self) -> usize {
        self.recent.len()
    }

    /// What was put last by each hash, sorted: the recent ones beside the older ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = io::Result<(ContentHash, Vec<u8>)>> {
        let mut recent: Vec<_> = self.recent.iter().collect();
        recent.sort_unstable_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        let mut recent = recent.into_iter().peekable();
        let mut older = self.older.iter().peekable();
        std::iter::from_fn(move || {
            let order = match (older.peek(), recent.peek()) {
                (Some(Ok((key, _))), Some((hash, _))) => {
                    key.as_slice().cmp(hash.as_bytes().as_slice())
                }
                (Some(_), _) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            if order.is_lt() {
                let record = older.next()?;
                return Some(record.and_then(|(key, value)| Ok((hash_of(&key)?, value))));
            }
            if order.is_eq() {
                older.next();
            }
            let (hash, value) = recent.next()?;
            Some(Ok((*hash, value.to_vec())))
        })
    }

    fn set_aside(&mut self, aside: &Aside) -> io::Result<()> {
        self.filter.resize(FILTER_BITS / 64, 0);
        for (word, bit) in self.recent.keys().flat_map(bits_of) {
            if let Some(word) = self.filter.get_mut(word) {
                *word |= bit;
            }
        }
        let mut recent: Vec<_> = self.recent.iter().collect();
        recent.sort_unstable_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        let records = recent
            .into_iter()
            .map(|(hash, value)| (hash.as_bytes().as_slice(), &**value));
        let mut table = Table::default();
        table.add_run(records, aside);
        self.recent.clear();
        self.bytes = 0;
        self.older.lay(table, aside)
    }
}

/// Hashes, each once.
pub(super) struct Hashes {
    mapped: HashMapped,
    count: u64,
}

impl Hashes {
    pub(super) fn new(aside: &Aside) -> Self {
        let mapped = HashMapped::new(aside);
        Self { mapped, count: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    pub(super) fn contains(&self, hash: &ContentHash) -> io::Result<bool> {
        Ok(self.mapped.get(hash)?.is_some())
    }

    /// Takes a hash up; answers whether it is new.
    pub(super) fn insert(&mut self, hash: ContentHash) -> io::Result<bool> {
        if self.contains(&hash)? {
            return Ok(false);
        }
        self.mapped.put(hash, b"")?;
        self.count += 1;
        Ok(true)
    }

    /// All of them, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = io::Result<ContentHash>> {
        self.mapped.iter().map(|record| Ok(record?.0))
    }

    /// BLAKE3 over all of them, sorted.
    pub(super) fn hash(&self) -> io::Result<ContentHash> {
        let mut hasher = blake3::Hasher::new();
        for hash in self.iter() {
            hasher.update(hash?.as_bytes());
        }
        Ok(hasher.finalize().into())
    }
}

/// Reads a hash from its bytes.
pub(super) fn hash_of(bytes: &[u8]) -> io::Result<ContentHash> {
    match <[u8; 32]>::try_from(bytes) {
        Ok(bytes) => Ok(blake3::Hash::from_bytes(bytes).into()),
        Err(_) => Err(io::Error::new(
            ErrorKind::InvalidData,
            "a hash has 32 bytes",
        )),
    }
}

/// The words of a filter that tell of a hash, and the bit of each.
fn bits_of(hash: &ContentHash) -> impl Iterator<Item = (usize, u64)> {
    let numbers = hash.as_bytes().chunks_exact(4).take(4);
    numbers.map(|bytes| {
        let number = bytes
            .iter()
            .fold(0_usize, |number, byte| (number << 8) | usize::from(*byte));
        let bit = number % FILTER_BITS;
        (bit / 64, 1_u64 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;
    use std::collections::BTreeSet;

    #[test]
    fn any_number_is_known_once_and_told_in_order_while_few_are_held() {
        let state = tempfile::tempdir().unwrap();
        let mut hashes = Hashes::new(&aside(state.path(), 6_400));
        let of = |number: u32| ContentHash::of(&number.to_le_bytes());
        for number in 0..5_000 {
            assert!(hashes.insert(of(number)).unwrap());
            assert!(!hashes.insert(of(number / 2)).unwrap());
        }
        assert_eq!(hashes.len(), 5_000);
        assert!(hashes.mapped.recent.len() < 100);
        let older = hashes.mapped.older.lengths();
        assert!(
            older.iter().sum::<u64>() > 4_900 && older.len() < 8,
            "{older:?}"
        );
        assert!((0..5_000).all(|number| hashes.contains(&of(number)).unwrap()));
        assert!((5_000..9_000).all(|number| !hashes.contains(&of(number)).unwrap()));
        let expected: BTreeSet<[u8; 32]> =
            (0..5_000).map(|number| *of(number).as_bytes()).collect();
        let found: Vec<[u8; 32]> = hashes
            .iter()
            .map(|hash| *hash.unwrap().as_bytes())
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_was_put_last_by_a_hash_counts() {
        let state = tempfile::tempdir().unwrap();
        let mut mapped = HashMapped::new(&aside(state.path(), 1_000));
        let of = |number: u32| ContentHash::of(&number.to_le_bytes());
        for round in [b"one", b"two"] {
            (0..100).for_each(|number| mapped.put(of(number), round).unwrap());
        }
        assert!(mapped.recent.len() < 16);
        let all: Vec<_> = mapped.iter().map(|record| record.unwrap()).collect();
        assert_eq!(all.len(), 100);
        assert!(all.iter().all(|(_, value)| value == b"two"));
        let is_before =
            |pair: &[(ContentHash, Vec<u8>)]| pair[0].0.as_bytes() < pair[1].0.as_bytes();
        assert!(all.windows(2).all(is_before));
        let is_right =
            |number| mapped.get(&of(number)).unwrap().as_deref() == Some(b"two".as_slice());
        assert!((0..100).all(is_right));
        assert_eq!(mapped.get(&of(100)).unwrap(), None);
    }
}

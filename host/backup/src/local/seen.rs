//! The content that the link of a chain had before the line that is read, and where it was put.

use super::{
    hashes::HashMapped,
    table::{Aside, unreadable},
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ContentHash, DocumentKey},
    backup_chain::Place,
};

/// What a link had of some content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing, or what has this hash and another length.
    Not,
    /// All of it, and nobody wanted it then.
    Passed,
    /// All of it, and it was put here.
    At(Place),
}

/// The content of one link.
pub(super) struct SeenInLink {
    by_hash: HashMapped,
}

impl SeenInLink {
    /// Before its first line.
    pub(super) fn new(aside: &Aside) -> Self {
        let by_hash = HashMapped::new(aside);
        Self { by_hash }
    }

    /// Here is content, and perhaps where it was put.
    pub(super) fn note(
        &mut self,
        hash: ContentHash,
        size: u64,
        put: Option<&Place>,
    ) -> Result<(), BackupStoreError> {
        if put.is_none() && self.has(&hash)? {
            return Ok(());
        }
        let mut value = size.to_le_bytes().to_vec();
        if let Some(Place { key, at }) = put {
            value.extend_from_slice(&at.to_le_bytes());
            value.extend_from_slice(key.as_str().as_bytes());
        }
        self.by_hash.put(hash, &value).map_err(unreadable)
    }

    /// Whether there was content with this hash.
    pub(super) fn has(&self, hash: &ContentHash) -> Result<bool, BackupStoreError> {
        let found = self.by_hash.get(hash).map_err(unreadable)?;
        Ok(found.is_some())
    }

    /// What there was of some content.
    pub(super) fn look(&self, hash: &ContentHash, size: u64) -> Result<Seen, BackupStoreError> {
        let found = self.by_hash.get(hash).map_err(unreadable)?;
        let found = found.as_deref().and_then(|value| read(value, size));
        Ok(found.unwrap_or(Seen::Not))
    }
}

fn read(value: &[u8], expected: u64) -> Option<Seen> {
    let (size, put) = value.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*size) != expected {
        return None;
    }
    let Some((at, key)) = put.split_first_chunk::<8>() else {
        return Some(Seen::Passed);
    };
    let key = DocumentKey::parse(std::str::from_utf8(key).ok()?).ok()?;
    let at = u64::from_le_bytes(*at);
    Some(Seen::At(Place { key, at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;

    #[test]
    fn where_content_was_put_is_known_and_not_forgotten_where_it_comes_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut seen = SeenInLink::new(&aside(directory.path(), 100));
        let hash = ContentHash::of(b"some");
        let place = Place {
            key: DocumentKey::parse("a/%E9").unwrap(),
            at: 7,
        };
        assert_eq!(seen.look(&hash, 4).unwrap(), Seen::Not);
        assert!(!seen.has(&hash).unwrap());
        seen.note(hash, 4, None).unwrap();
        assert_eq!(seen.look(&hash, 4).unwrap(), Seen::Passed);
        assert_eq!(seen.look(&hash, 5).unwrap(), Seen::Not);
        seen.note(hash, 4, Some(&place)).unwrap();
        for number in 0..100_u32 {
            let other = ContentHash::of(&number.to_le_bytes());
            seen.note(other, 4, None).unwrap();
        }
        seen.note(hash, 4, None).unwrap();
        assert_eq!(seen.look(&hash, 4).unwrap(), Seen::At(place));
    }
}

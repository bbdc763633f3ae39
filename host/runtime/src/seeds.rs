//! Seeds of calls: 32 bytes for each, from which everything that is to be unguessable in that call is drawn.
//!
//! Invariant: who knows one seed knows no other, so that a seed can be kept with its call.

use std::{
    fs::File,
    io::{self, Read},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The seeds of one host.
pub(crate) struct Seeds {
    key: [u8; 32],
    drawn: AtomicU64,
}

impl Seeds {
    /// From a key of the system's random numbers.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            key: random_key()?,
            drawn: AtomicU64::new(0),
        })
    }

    /// One that was never given before.
    pub(crate) fn draw(&self) -> [u8; 32] {
        let number = self.drawn.fetch_add(1, Relaxed);
        *blake3::keyed_hash(&self.key, &number.to_le_bytes()).as_bytes()
    }
}

/// 32 random bytes from the system.
pub(crate) fn random_key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_calls_have_the_same_seed_in_one_host_or_in_two() {
        let hosts = [Seeds::new().unwrap(), Seeds::new().unwrap()];
        let drawn: BTreeSet<_> = (0..200).map(|call| hosts[call % 2].draw()).collect();
        assert_eq!(drawn.len(), 200);
    }
}

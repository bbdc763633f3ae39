//! The charter: what may never be done automatically, pinned by its digest [seed 002, "constitutional hash"].
//!
//! Invariant: while its file is not what it was pinned to, nothing is begun and nothing is called, whoever asks.

use crate::hex;
use sha2::{Digest, Sha256};
use std::fmt;

/// The SHA-256 of some bytes, hexadecimal.
///
/// ```
/// let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(mainstay_domain::policy::sha256_hex(b""), empty);
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What is wrong with the file of the charter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CharterBreach {
    /// It is another one than the config is pinned to.
    Changed {
        /// The digest that the config has.
        pinned: String,
        /// That of the file.
        found: String,
    },
    /// It cannot be read, for people.
    Unreadable(String),
}

impl CharterBreach {
    /// What a look at the file found; none where it is what it was pinned to.
    pub fn of(pinned: &str, found: Result<String, String>) -> Option<Self> {
        match found {
            Ok(found) if found == pinned => None,
            Ok(found) => Some(Self::Changed {
                pinned: pinned.to_owned(),
                found,
            }),
            Err(why) => Some(Self::Unreadable(why)),
        }
    }
}

impl fmt::Display for CharterBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { pinned, found } => write!(
                f,
                "the charter is not what the config is pinned to: its SHA-256 is {found}, and `charter.sha256` is {pinned}"
            ),
            Self::Unreadable(why) => write!(f, "the charter cannot be read: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charter_is_whole_where_its_digest_is_the_one_that_it_was_pinned_to() {
        let pinned = sha256_hex(b"targets = []\n");
        assert_eq!(CharterBreach::of(&pinned, Ok(pinned.clone())), None);
        let other = CharterBreach::of(&pinned, Ok(sha256_hex(b"targets = [ ]\n")));
        let said = other.unwrap().to_string();
        assert!(
            said.contains(&pinned) && said.contains("not what"),
            "{said}"
        );
        let gone = CharterBreach::of(&pinned, Err("no such file".to_owned()));
        assert!(gone.unwrap().to_string().ends_with("no such file"));
    }
}

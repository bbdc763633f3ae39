//! Names for what lies beside a place for a while.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

/// What a name may have in bytes.
const LONGEST_NAME: usize = 255;

/// A name beside another; one that is not too long where that is long itself.
pub(super) fn temporary(name: &OsStr, what: &str) -> OsString {
    let mut full = OsString::from(".");
    full.push(name);
    full.push(format!(".mainstay-{what}"));
    if full.len() <= LONGEST_NAME {
        return full;
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!(".{hash}.mainstay-{what}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_all_their_bytes_and_never_too_long() {
        let name = |bytes: &[u8]| temporary(OsStr::from_bytes(bytes), "restore");
        assert_eq!(name(b"data"), ".data.mainstay-restore");
        assert_ne!(name(b"\xfe"), name(b"\xff"));
        for length in [236, 237, 238, 239, 254, 255] {
            let (a, b) = (
                vec![b'a'; length],
                [&vec![b'a'; length - 1][..], b"b"].concat(),
            );
            assert!(name(&a).len() <= LONGEST_NAME, "{length}");
            assert_ne!(name(&a), name(&b), "{length}");
        }
    }
}

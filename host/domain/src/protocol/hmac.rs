//! HMAC-SHA-256 [RFC 2104], and the first block of PBKDF2 with it [RFC 8018].

use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

/// A key, of which both hashes have begun: it costs nothing to use it again.
pub(super) struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    pub(super) fn new(key: &[u8]) -> Self {
        let key = match key.len() > BLOCK {
            true => Sha256::digest(key).to_vec(),
            false => key.to_vec(),
        };
        let mut block = [0_u8; BLOCK];
        for (place, byte) in block.iter_mut().zip(key) {
            *place = byte;
        }
        let begun = |pad: u8| Sha256::new().chain_update(block.map(|byte| byte ^ pad));
        Self {
            inner: begun(0x36),
            outer: begun(0x5c),
        }
    }

    pub(super) fn of(&self, message: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(message).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

/// As many bytes of a key as a digest has, from a password.
pub(super) fn pbkdf2(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let key = Hmac::new(password);
    let mut last = key.of(&[salt, &1_u32.to_be_bytes()].concat());
    let mut sum = last;
    for _ in 1..rounds {
        last = key.of(&last);
        sum = xor(sum, last);
    }
    sum
}

pub(super) fn xor(mut left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    for (left, right) in left.iter_mut().zip(right) {
        *left ^= right;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::encode as hex;

    #[test]
    fn the_codes_are_those_of_rfc_4231_and_keys_may_be_longer_than_a_block() {
        let short = Hmac::new(b"Jefe").of(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(short), expected);
        let long = Hmac::new(&[0xaa; 131]);
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(long.of(message)), expected);
        assert_eq!(long.of(message), long.of(message), "a key is used again");
    }
}

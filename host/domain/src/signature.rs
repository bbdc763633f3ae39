//! The signature of a request: with a shared secret a receiver knows whom a body is from, that it is whole, and that it is
//! new.

use crate::policy::sha256_hex;
use sha2::{Digest, Sha256};

/// The block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// `t=SECONDS,v1=HEX`: HMAC-SHA-256 over the seconds since the Unix epoch, a full stop and the body.
///
/// ```
/// let signature = mainstay_domain::signature::signature(b"key", 1_700_000_000, b"{}");
/// assert!(signature.starts_with("t=1700000000,v1="));
/// assert_eq!(signature.len(), "t=1700000000,v1=".len() + 64);
/// ```
pub fn signature(secret: &[u8], seconds: u64, body: &[u8]) -> String {
    let mut message = format!("{seconds}.").into_bytes();
    message.extend_from_slice(body);
    format!("t={seconds},v1={}", hmac_sha256_hex(secret, &message))
}

/// HMAC (RFC 2104) with SHA-256, hexadecimal.
fn hmac_sha256_hex(secret: &[u8], message: &[u8]) -> String {
    let mut key = match secret.len() > BLOCK {
        true => Sha256::digest(secret).to_vec(),
        false => secret.to_vec(),
    };
    key.resize(BLOCK, 0);
    let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    let mut outer = padded(0x5c);
    outer.extend_from_slice(&inner);
    sha256_hex(&outer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases 1, 2 and 6 of RFC 4231.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let check = |key: &[u8], message: &[u8], expected: &str| {
            assert_eq!(hmac_sha256_hex(key, message), expected);
        };
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }

    #[test]
    fn another_time_body_or_secret_is_another_signature() {
        let one = signature(b"key", 7, b"body");
        assert_eq!(signature(b"key", 7, b"body"), one);
        for other in [
            signature(b"key", 8, b"body"),
            signature(b"key", 7, b"bodY"),
            signature(b"kez", 7, b"body"),
        ] {
            assert_ne!(other, one);
        }
    }
}

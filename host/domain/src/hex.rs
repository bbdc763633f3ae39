//! Bytes as hexadecimal digits, and back: the one place for it, as a test of the house sees.

use std::fmt::Write;

/// Two digits for each byte, in lower case.
///
/// ```
/// use mainstay_domain::hex::{decode, encode};
/// assert_eq!(encode([0, 10, 255]), "000aff");
/// assert_eq!(decode("000aFF"), Some(vec![0, 10, 255]));
/// ```
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The bytes that these digits are, in either case; none where they are no pairs, or something else is among them.
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut values = digits.chars().map(|digit| digit.to_digit(16));
    while let Some(high) = values.next() {
        let (high, low) = (high?, values.next()??);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_pairs_of_digits_is_no_bytes() {
        assert_eq!(decode(""), Some(Vec::new()));
        for digits in ["0", "0g", "+f", " f", "0x0f", "f f", "ää", "000"] {
            assert_eq!(decode(digits), None, "{digits}");
        }
    }

    proptest! {
        #[test]
        fn bytes_survive_in_either_case(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let digits = encode(&bytes);
            prop_assert_eq!(digits.len(), 2 * bytes.len());
            prop_assert_eq!(decode(&digits.to_uppercase()), Some(bytes.clone()));
            prop_assert_eq!(decode(&digits), Some(bytes));
        }
    }
}

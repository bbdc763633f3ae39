//! Lengths of time and sizes in the words of a sentence for people. Programs get whole numbers of one unit.

use crate::time::millis;
use std::time::Duration;

/// Units of time and their seconds, the longest first.
const LENGTHS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
/// Units of size, each a power of 1024, the largest first.
const SIZES: [(&str, u32); 5] = [
    ("PiB", 50),
    ("TiB", 40),
    ("GiB", 30),
    ("MiB", 20),
    ("KiB", 10),
];

/// A length of time, with its two largest units.
///
/// ```
/// use mainstay_domain::measure::length;
/// use std::time::Duration;
/// assert_eq!(length(Duration::from_millis(90)), "90 ms");
/// assert_eq!(length(Duration::from_millis(9_320)), "9.3 s");
/// assert_eq!(length(Duration::from_millis(106_659)), "1 min 47 s");
/// assert_eq!(length(Duration::from_secs(7_200)), "2 h");
/// ```
pub fn length(length: Duration) -> String {
    let millis = millis(length);
    match length.as_secs() {
        0 => return format!("{millis} ms"),
        1..=9 if !(millis / 100).is_multiple_of(10) => {
            return format!("{}.{} s", millis / 1_000, millis / 100 % 10);
        }
        seconds @ 1..=9 => return format!("{seconds} s"),
        _ => {}
    }
    let seconds = millis.saturating_add(500) / 1_000;
    let mut units = LENGTHS.iter().skip_while(|(_, one)| seconds < *one);
    let Some((unit, one)) = units.next() else {
        return format!("{seconds} s");
    };
    let first = format!("{} {unit}", seconds / one);
    match units.next() {
        Some((smaller, part)) if seconds % one >= *part => {
            format!("{first} {} {smaller}", seconds % one / part)
        }
        _ => first,
    }
}

/// A size in bytes, with one unit; one decimal below ten.
///
/// ```
/// use mainstay_domain::measure::size;
/// assert_eq!(size(1), "1 byte");
/// assert_eq!(size(512), "512 bytes");
/// assert_eq!(size(1_536), "1.5 KiB");
/// assert_eq!(size(414_978_048), "396 MiB");
/// assert_eq!(size(256 << 20), "256 MiB");
/// ```
pub fn size(bytes: u64) -> String {
    let Some((unit, bits)) = SIZES.iter().find(|(_, bits)| bytes >> bits > 0) else {
        return crate::text::counted(bytes, "byte");
    };
    let whole = bytes >> bits;
    if whole >= 10 {
        let nearest = bytes.saturating_add(1 << (bits - 1)) >> bits;
        return format!("{nearest} {unit}");
    }
    let tenth = ((bytes - (whole << bits)) >> (bits - 10)) * 10 / 1_024;
    match tenth > 0 {
        true => format!("{whole}.{tenth} {unit}"),
        false => format!("{whole} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_its_two_largest_units() {
        for (seconds, expected) in [
            (1, "1 s"),
            (10, "10 s"),
            (60, "1 min"),
            (3_605, "1 h"),
            (3_700, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_greatest_size_has_words() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(u64::MAX), "16383 PiB");
    }
}

//! How long an X.509 certificate is valid, read from its DER, and what that means for who serves it.
//!
//! Only the validity is read: RFC 5280, section 4.1. Whether the certificate is good in any other way is not asked, for
//! one that has expired, or that signed itself, has an end too.
//!
//! Invariant: no bytes make it panic or read outside of them; what is not understood is none.

use crate::{health::Outcome, time::Timestamp};

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// From when until when a certificate is valid, in seconds since the Unix epoch, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before this.
    pub not_before: i64,
    /// Not after this.
    pub not_after: i64,
}

/// How many days a certificate must have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysLeft {
    /// With fewer the check fails; 0: only where it is over.
    pub min: u32,
    /// With fewer it is degraded; none: never.
    pub warn: Option<u32>,
}

impl Validity {
    /// Days until the end; below zero where that has passed.
    pub fn days_left(&self, now: Timestamp) -> f64 {
        (self.not_after as f64 - seconds(now)) / DAY
    }

    /// What its end means, or that it has not begun.
    pub fn judge(&self, now: Timestamp, days: DaysLeft) -> Outcome {
        let left = self.days_left(now);
        if left < f64::from(days.min) || self.is_early(now) {
            Outcome::Failed
        } else if days.warn.is_some_and(|warn| left < f64::from(warn)) {
            Outcome::Degraded
        } else {
            Outcome::Healthy
        }
    }

    /// Whether it is not valid yet.
    pub fn is_early(&self, now: Timestamp) -> bool {
        seconds(now) < self.not_before as f64
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1e3
}

/// The validity of a certificate; none where the bytes are no certificate.
pub fn validity(der: &[u8]) -> Option<Validity> {
    let mut outside = Reader(der);
    let mut certificate = Reader(outside.read(SEQUENCE)?);
    let mut signed = Reader(certificate.read(SEQUENCE)?);
    // The version may be absent.
    let _ = signed.read(VERSION);
    signed.read(INTEGER)?; // serial number
    signed.read(SEQUENCE)?; // algorithm
    signed.read(SEQUENCE)?; // issuer
    let mut times = Reader(signed.read(SEQUENCE)?);
    Some(Validity {
        not_before: times.time()?,
        not_after: times.time()?,
    })
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, where it has this tag; else nothing is taken.
    fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        if found != tag {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let octets = usize::from(first & 0x7f);
            if !(1..=4).contains(&octets) {
                return None;
            }
            let (written, behind) = rest.split_at_checked(octets)?;
            let written = written.iter();
            length = written.fold(0, |length, &octet| (length << 8) | usize::from(octet));
            rest = behind;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// A time, in either form.
    fn time(&mut self) -> Option<i64> {
        if let Some(short) = self.read(UTC_TIME) {
            let year = number(short.get(..2)?)?;
            let century = if year < 50 { 2000 } else { 1900 };
            return point(century + year, short.get(2..)?);
        }
        let long = self.read(GENERALIZED_TIME)?;
        point(number(long.get(..4)?)?, long.get(4..)?)
    }
}

/// Digits as a number.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        Some(number * 10 + digit)
    })
}

/// Seconds since the Unix epoch of `MMDDHHMMSSZ` in this year.
fn point(year: i64, rest: &[u8]) -> Option<i64> {
    let [digits @ .., b'Z'] = rest else {
        return None;
    };
    if digits.len() != 10 {
        return None;
    }
    let mut parts = digits.chunks(2).map(number);
    let mut part = |range: std::ops::RangeInclusive<i64>| {
        let part = parts.next()??;
        range.contains(&part).then_some(part)
    };
    let (month, day) = (part(1..=12)?, part(1..=31)?);
    let (hour, minute, second) = (part(0..=23)?, part(0..=59)?, part(0..=60)?);
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years begin in March here, so that a leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    fn der(pem: &str) -> Vec<u8> {
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        STANDARD.decode(lines.collect::<String>()).unwrap()
    }

    fn expired() -> Vec<u8> {
        der(include_str!("../../../tests/fixtures/tls/expired.pem"))
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn second(text: &str) -> i64 {
        i64::try_from(at(text).as_millis() / 1000).unwrap()
    }

    #[test]
    fn the_validity_of_real_certificates_is_read_in_either_form_of_time() {
        let server = der(include_str!("../../../tests/fixtures/tls/server.pem"));
        let not_before = second("2020-01-01T00:00:00Z");
        for (der, not_after) in [
            (expired(), second("2021-01-01T00:00:00Z")),
            (server, second("2119-01-01T00:00:00Z")),
        ] {
            let expected = Validity {
                not_before,
                not_after,
            };
            assert_eq!(validity(&der), Some(expected));
        }
    }

    #[test]
    fn times_are_as_the_calendar_has_them_and_others_are_none() {
        let time = |tag: u8, text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            let bytes = [&[tag, length][..], text.as_bytes()].concat();
            Reader(&bytes).time()
        };
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (
                UTC_TIME,
                "491231235959Z",
                Some(second("2049-12-31T23:59:59Z")),
            ),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (
                GENERALIZED_TIME,
                "20000229120000Z",
                Some(second("2000-02-29T12:00:00Z")),
            ),
            (
                GENERALIZED_TIME,
                "20240301000000Z",
                Some(second("2024-03-01T00:00:00Z")),
            ),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000+0100", None),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "7001010000-1Z", None),
            (GENERALIZED_TIME, "20240301000000", None),
            (GENERALIZED_TIME, "20240301000000.5Z", None),
            (GENERALIZED_TIME, "", None),
            (INTEGER, "700101000000Z", None),
        ] {
            assert_eq!(time(tag, text), expected, "{text}");
        }
    }

    #[test]
    fn it_fails_below_the_least_days_and_warns_below_more() {
        let validity = Validity {
            not_before: second("2024-01-01T00:00:00Z"),
            not_after: second("2024-03-31T00:00:00Z"),
        };
        let days = |min, warn| DaysLeft { min, warn };
        for (now, days, expected) in [
            ("2024-03-01T00:00:00Z", days(30, None), Outcome::Healthy),
            ("2024-03-01T00:00:01Z", days(30, None), Outcome::Failed),
            ("2024-03-01T00:00:01Z", days(7, Some(30)), Outcome::Degraded),
            ("2024-02-01T00:00:00Z", days(7, Some(30)), Outcome::Healthy),
            ("2024-03-31T00:00:00Z", days(0, None), Outcome::Healthy),
            ("2024-03-31T00:00:01Z", days(0, None), Outcome::Failed),
            ("2023-12-31T23:59:59Z", days(0, None), Outcome::Failed),
        ] {
            assert_eq!(validity.judge(at(now), days), expected, "{now} {days:?}");
        }
        assert!((validity.days_left(at("2024-03-30T12:00:00Z")) - 0.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = validity(&bytes);
        }

        #[test]
        fn no_damage_of_a_certificate_makes_it_panic(
            flips in prop::collection::vec((0_usize..400, any::<u8>()), 1..6),
            cut in 0_usize..400,
        ) {
            let mut der = expired();
            for (place, octet) in flips {
                if let Some(found) = der.get_mut(place) {
                    *found = octet;
                }
            }
            der.truncate(cut);
            let _ = validity(&der);
        }

        #[test]
        fn every_day_follows_the_one_before(day in -200_000_i64..200_000) {
            // As jiff counts them.
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day);
            let (year, month) = (i64::from(date.year()), i64::from(date.month()));
            prop_assert_eq!(days(year, month, i64::from(date.day())), day);
        }
    }
}

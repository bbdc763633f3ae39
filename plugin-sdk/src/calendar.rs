//! The civil calendar in UTC: what a timestamp is called.
//!
//! Proleptic Gregorian, without leap seconds, as Unix time has it. Enough for names of days and for RFC 3339; no
//! time zones and no parsing.

use crate::host::Timestamp;

/// Milliseconds of a day.
pub const DAY: Timestamp = 86_400_000;

/// A moment, in UTC, with the parts that people name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// Year, 1970 and later.
    pub year: u64,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Millisecond, 0 to 999.
    pub millisecond: u16,
}

impl Civil {
    /// The parts of a timestamp.
    ///
    /// ```
    /// let leap_day = mainstay_plugin_sdk::calendar::Civil::from_timestamp(1_709_208_000_000);
    /// assert_eq!((leap_day.year, leap_day.month, leap_day.day, leap_day.hour), (2024, 2, 29, 12));
    /// ```
    pub fn from_timestamp(time: Timestamp) -> Self {
        let (year, month, day) = date_of(time / DAY);
        let rest = time % DAY;
        Self {
            year,
            month,
            day,
            hour: part(rest / 3_600_000),
            minute: part(rest / 60_000 % 60),
            second: part(rest / 1_000 % 60),
            millisecond: u16::try_from(rest % 1_000).unwrap_or_default(),
        }
    }
}

/// The ISO 8601 week of a timestamp: the year that the week belongs to, and its number, 1 to 53.
///
/// ```
/// // Friday, 1 January 2021 belongs to the last week of 2020.
/// assert_eq!(mainstay_plugin_sdk::calendar::iso_week(1_609_459_200_000), (2020, 53));
/// ```
pub fn iso_week(time: Timestamp) -> (u64, u8) {
    let days = time / DAY;
    // A week belongs to the year of its Thursday; day 0, 1 January 1970, was one.
    let since_monday = (days + 3) % 7;
    let thursday = days + 3 - since_monday;
    let (year, month, day) = date_of(thursday);
    (year, part(day_of_year(year, month, day) / 7 + 1))
}

/// A timestamp as RFC 3339 in UTC, to the millisecond.
///
/// ```
/// assert_eq!(mainstay_plugin_sdk::calendar::rfc3339(1_709_208_000_042), "2024-02-29T12:00:00.042Z");
/// ```
pub fn rfc3339(time: Timestamp) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millisecond,
    } = Civil::from_timestamp(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Year, month and day of a count of days since the epoch, by 400-year eras that start on 1 March (H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn date_of(days: u64) -> (u64, u8, u8) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (
        era * 400 + year_of_era + u64::from(month <= 2),
        part(month),
        part(day),
    )
}

/// Days since 1 January, from 0.
fn day_of_year(year: u64, month: u8, day: u8) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = BEFORE
        .get(usize::from(month) - 1)
        .copied()
        .unwrap_or_default();
    before + u64::from(day) - 1 + u64::from(leap && month > 2)
}

/// A part of a date is below 256 by construction.
fn part(value: u64) -> u8 {
    u8::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_the_names_that_the_calendar_gives_them() {
        fn check(time: Timestamp, expected: &str) {
            assert_eq!(rfc3339(time), expected);
        }
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_704_067_199_000, "2023-12-31T23:59:59.000Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_week_belongs_to_the_year_of_its_thursday() {
        fn check(day: u64, expected: (u64, u8)) {
            assert_eq!(iso_week(day * DAY), expected, "{}", rfc3339(day * DAY));
        }
        check(0, (1970, 1));
        check(3, (1970, 1)); // Sunday
        check(4, (1970, 2)); // Monday
        check(16_801, (2015, 53)); // Friday, 1 January 2016
        check(17_896, (2019, 1)); // Monday, 31 December 2018
        check(18_262, (2020, 1)); // Wednesday, 1 January 2020
    }

    #[test]
    fn days_follow_each_other_for_a_thousand_years() {
        let mut previous = Civil::from_timestamp(0);
        for day in 1..365_250 {
            let civil = Civil::from_timestamp(day * DAY);
            assert!(previous < civil, "{previous:?} {civil:?}");
            assert!((1..=12).contains(&civil.month) && (1..=31).contains(&civil.day));
            assert!(civil.day == previous.day + 1 || civil.day == 1);
            previous = civil;
        }
    }
}

//! How times, lengths and sizes are said to people.
//!
//! Invariant: only [`now`] looks at a clock, and only [`Times::new`] at the zone of this machine.

use super::layout::printable;
use jiff::{
    Zoned,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use mainstay_domain::time::{Timestamp, millis};
use std::time::{Duration, SystemTime};

/// From the first moment of a second to its last.
const LAST_OF_SECOND: Duration = Duration::from_millis(999);

/// When it is, and where.
#[derive(Debug, Clone)]
pub(super) struct Times {
    /// What counts as now; none: the clock, whenever it is asked, for a command may last.
    fixed: Option<Timestamp>,
    zone: TimeZone,
}

impl Times {
    /// The clock, in the zone of this machine or in UTC.
    pub(super) fn new(utc: bool) -> Self {
        let zone = match utc {
            true => TimeZone::UTC,
            false => TimeZone::system(),
        };
        Self { fixed: None, zone }
    }

    /// Another time than now.
    #[cfg(test)]
    pub(super) fn at(now: Timestamp, zone: TimeZone) -> Self {
        let fixed = Some(now);
        Self { fixed, zone }
    }

    /// The clock and how long ago it is, e.g. `14:03:07, 5 min ago`; with its date where that is not today.
    pub(super) fn both(&self, time: &str) -> String {
        match self.clock(time) {
            Some(clock) => format!("{clock}, {}", relative(time, self.now())),
            None => printable(time),
        }
    }

    /// The clock alone.
    pub(super) fn clock(&self, time: &str) -> Option<String> {
        let time = self.zoned(Timestamp::parse(time).ok()?)?;
        let today = self.zoned(self.now())?;
        let form = match time.date() == today.date() {
            true => "%H:%M:%S",
            false => "%Y-%m-%d %H:%M:%S",
        };
        Some(time.strftime(form).to_string())
    }

    /// The clock to the millisecond, without a date.
    pub(super) fn moment(&self, time: &str) -> String {
        let zoned = Timestamp::parse(time)
            .ok()
            .and_then(|time| self.zoned(time));
        zoned.map_or_else(
            || printable(time),
            |zoned| zoned.strftime("%H:%M:%S%.3f").to_string(),
        )
    }

    /// The date and the clock.
    pub(super) fn date_and_clock(&self, time: &str) -> String {
        let zoned = Timestamp::parse(time)
            .ok()
            .and_then(|time| self.zoned(time));
        zoned.map_or_else(
            || printable(time),
            |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
    }

    /// What the zone is called, e.g. `Europe/Berlin`, or how far it is from UTC.
    pub(super) fn zone_name(&self) -> String {
        match self.zone.iana_name() {
            Some(name) => printable(name),
            None if self.zone.is_unknown() => "UTC".to_owned(),
            None => {
                let now = self.zoned(self.now());
                now.map_or_else(|| "local".to_owned(), |now| now.offset().to_string())
            }
        }
    }

    /// Now.
    pub(super) fn now(&self) -> Timestamp {
        self.fixed.unwrap_or_else(now)
    }

    /// The time that a line begins with: RFC 3339, or a date, with slashes too, and a clock of the zone; in a bracket or not. Of
    /// a line that is an object of JSON its first text that is such a time of RFC 3339.
    pub(super) fn read_at_begin(&self, line: &str) -> Option<Timestamp> {
        if line.starts_with('{') {
            let mut texts = line.split('"');
            return texts.find_map(|text| Timestamp::parse(text).ok());
        }
        let line = line.strip_prefix('[').unwrap_or(line);
        let word = line.split_whitespace().next()?;
        if let Ok(time) = Timestamp::parse(word.trim_end_matches(']')) {
            return Some(time);
        }
        let clock = line.get(.."2026-01-31 12:00:00".len())?.replace('/', "-");
        let clock: DateTime = clock.parse().ok()?;
        let time = self.zone.to_timestamp(clock).ok()?;
        let millis = u64::try_from(time.as_millisecond()).ok()?;
        Some(Timestamp::from_millis(millis))
    }

    /// The time that a clock of the zone shows then; the beginning of time where none shows it.
    pub(super) fn at_clock(&self, shown: ShownTime) -> Timestamp {
        let of_day = || {
            let today = self.zoned(self.now())?.date();
            let day = match shown.day {
                Day::Today => today,
                Day::Yesterday => today.yesterday().ok()?,
                Day::Of(day) => day,
            };
            let time = self.zone.to_timestamp(day.to_datetime(shown.clock)).ok()?;
            u64::try_from(time.as_millisecond()).ok()
        };
        of_day().map(Timestamp::from_millis).unwrap_or_default()
    }

    /// The last moment at which a clock of the zone shows that: a clock without parts of a second shows it for all of one.
    pub(super) fn end_of_clock(&self, shown: ShownTime) -> Timestamp {
        let rest = match shown.clock.subsec_nanosecond() {
            0 => LAST_OF_SECOND,
            _ => Duration::ZERO,
        };
        self.at_clock(shown) + rest
    }

    fn zoned(&self, time: Timestamp) -> Option<Zoned> {
        let millis = i64::try_from(time.as_millis()).ok()?;
        let time = jiff::Timestamp::from_millisecond(millis).ok()?;
        Some(time.to_zoned(self.zone.clone()))
    }
}

/// A time as it is shown: of the zone in which times are told, without its date where that is today's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownTime {
    day: Day,
    clock: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    Today,
    Yesterday,
    Of(Date),
}

impl ShownTime {
    /// Reads `14:41`, `14:41:00`, `2026-01-31`, `2026-01-31 14:41:00`, `today`, `yesterday` and `yesterday 14:41`; a day alone is its
    /// beginning.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // An offset from UTC would be read, and count for nothing.
        let is_clock = |text: &str| {
            let mut letters = text.chars();
            text.contains(':') && letters.all(|letter| matches!(letter, '0'..='9' | ':' | '.'))
        };
        let clock_of = |text: &str| text.parse::<Time>().ok().filter(|_| is_clock(text));
        let midnight = Time::midnight();
        let (day, clock) = match text.split_once([' ', 'T']) {
            Some((day, clock)) => (Day::parse(day)?, clock_of(clock)?),
            None => match Day::parse(text) {
                Some(day) => (day, midnight),
                None => (Day::Today, clock_of(text)?),
            },
        };
        Some(Self { day, clock })
    }
}

impl Day {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "today" => Some(Self::Today),
            "yesterday" => Some(Self::Yesterday),
            _ if text.len() == "2026-01-31".len() => {
                let day: Date = text.parse().ok()?;
                // Others are told by no clock of a computer.
                (1970..=9998).contains(&day.year()).then_some(Self::Of(day))
            }
            _ => None,
        }
    }
}

/// The time now.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_millis(millis(since.unwrap_or_default()))
}

/// A time as people say it, e.g. `5 min ago` or `in 2 h`.
pub(super) fn relative(time: &str, now: Timestamp) -> String {
    let Ok(time) = Timestamp::parse(time) else {
        return time.to_owned();
    };
    if time > now {
        return format!("in {}", length(time.since(now)));
    }
    match now.since(time) {
        age if age < Duration::from_secs(1) => "now".to_owned(),
        age => format!("{} ago", length(age)),
    }
}

/// A length as people say it, with one unit.
pub(super) fn length(length: Duration) -> String {
    let (millis, seconds) = (length.as_millis(), length.as_secs());
    match seconds {
        0 => format!("{millis} ms"),
        1..=9 => format!("{:.1} s", length.as_secs_f64()),
        10..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A size as people say it, in powers of ten.
pub(super) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut amount = bytes as f64;
    let mut shown = "B";
    for unit in units {
        if amount < 999.5 {
            break;
        }
        amount /= 1_000.0;
        shown = unit;
    }
    let digits = usize::from(shown != "B" && amount < 9.95);
    format!("{amount:.digits$} {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_of_the_zone_and_has_its_date_where_that_is_not_today() {
        // Half past midnight of the fifth, two hours east.
        let now = Timestamp::parse("2026-03-04T22:30:00Z").unwrap();
        let east = Times::at(now, TimeZone::fixed(jiff::tz::offset(2)));
        let utc = Times::at(now, TimeZone::UTC);
        for (time, there, here) in [
            (
                "2026-03-04T22:25:00Z",
                "00:25:00, 5 min ago",
                "22:25:00, 5 min ago",
            ),
            (
                "2026-03-04T21:00:00Z",
                "2026-03-04 23:00:00, 90 min ago",
                "21:00:00, 90 min ago",
            ),
            (
                "2026-03-04T22:33:00Z",
                "00:33:00, in 3 min",
                "22:33:00, in 3 min",
            ),
            ("some day", "some day", "some day"),
        ] {
            assert_eq!(east.both(time), there);
            assert_eq!(utc.both(time), here);
        }
        assert_eq!(
            (east.zone_name(), utc.zone_name()),
            ("+02".to_owned(), "UTC".to_owned())
        );
        assert_eq!(east.moment("2026-03-04T22:25:00.120Z"), "00:25:00.120");
    }

    #[test]
    fn a_time_is_read_as_it_is_shown_in_the_zone_in_which_it_is() {
        // Half past midnight of the fifth, two hours east.
        let now = Timestamp::parse("2026-03-04T22:30:00Z").unwrap();
        let east = Times::at(now, TimeZone::fixed(jiff::tz::offset(2)));
        for (text, expected) in [
            ("00:25:00", "2026-03-04T22:25:00Z"),
            ("14:41", "2026-03-05T12:41:00Z"),
            ("today", "2026-03-04T22:00:00Z"),
            ("yesterday", "2026-03-03T22:00:00Z"),
            ("yesterday 23:00", "2026-03-04T21:00:00Z"),
            ("2026-03-04 23:00:00", "2026-03-04T21:00:00Z"),
            ("2026-03-04T23:00", "2026-03-04T21:00:00Z"),
            ("2030-01-01", "2029-12-31T22:00:00Z"),
            ("1970-01-01", "1970-01-01T00:00:00Z"),
        ] {
            let read = ShownTime::parse(text).unwrap();
            let expected = Timestamp::parse(expected).unwrap();
            assert_eq!(east.at_clock(read), expected, "{text}");
        }
        // What is shown is read as what it was.
        for time in [
            "2026-03-04T22:25:00Z",
            "2026-03-04T21:00:00Z",
            "2019-05-06T07:08:09Z",
        ] {
            let read = ShownTime::parse(&east.clock(time).unwrap()).unwrap();
            assert_eq!(east.at_clock(read), Timestamp::parse(time).unwrap());
        }
        // What is asked for up to a time that was shown is what was shown with it.
        for (text, expected) in [
            ("00:25:00", "2026-03-04T22:25:00.999Z"),
            ("00:25:00.120", "2026-03-04T22:25:00.120Z"),
            ("14:41", "2026-03-05T12:41:00.999Z"),
        ] {
            let read = ShownTime::parse(text).unwrap();
            let expected = Timestamp::parse(expected).unwrap();
            assert_eq!(east.end_of_clock(read), expected, "{text}");
        }
        for none in [
            "",
            "lately",
            "7",
            "1441",
            "25:00",
            "2026-02-30",
            "today 7",
            "9999-12-31",
            "14:41:00Z",
            "2026-03-04 14:41+02",
            "today ",
        ] {
            assert_eq!(ShownTime::parse(none), None, "{none}");
        }
    }
}

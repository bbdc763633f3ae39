//! The slots of one schedule, before and after a time.

use super::ScheduleError;
use crate::{
    spec::Schedule,
    text::{counted, excerpt},
    time::{Timestamp, millis},
};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Zoned, tz::TimeZone};

/// A schedule that was read: to read a cron expression costs more than to find a slot of it.
pub(super) enum Slots<'a> {
    Every(u64),
    Cron(&'a str, Box<Cron>, TimeZone),
}

impl<'a> Slots<'a> {
    /// Reads it.
    pub(super) fn of(schedule: &'a Schedule) -> Result<Self, ScheduleError> {
        Ok(match schedule {
            Schedule::Every(every) => Self::Every(millis(*every).max(1)),
            Schedule::Cron { expression, zone } => {
                Self::Cron(expression, Box::new(cron_of(expression)?), zone_of(zone)?)
            }
        })
    }

    /// The first slot after a time.
    pub(super) fn after(&self, after: Timestamp) -> Result<Timestamp, ScheduleError> {
        match self {
            Self::Every(every) => {
                let past = after.as_millis() / every;
                Ok(Timestamp::from_millis(
                    past.saturating_add(1).saturating_mul(*every),
                ))
            }
            Self::Cron(expression, cron, zone) => {
                let found = cron.find_next_occurrence(&zoned(after, zone), false);
                found
                    .map(|slot| timestamp(&slot))
                    .map_err(|_| ScheduleError::Never((*expression).to_owned()))
            }
        }
    }
}

/// The newest slot at or before `now`; none where the search finds none.
pub(super) fn newest_slot(
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Option<Timestamp>, ScheduleError> {
    match schedule {
        Schedule::Every(every) => {
            let every = millis(*every).max(1);
            Ok(Some(Timestamp::from_millis(
                now.as_millis() / every * every,
            )))
        }
        Schedule::Cron { expression, zone } => {
            let start = zoned(now, &zone_of(zone)?);
            let found = cron_of(expression)?
                .find_previous_occurrence(&start, true)
                .ok();
            Ok(found
                .map(|slot| timestamp(&slot))
                .filter(|slot| *slot <= now))
        }
    }
}

/// The longest expression that is read, in bytes: all values of all fields, one by one, are less.
const LONGEST_EXPRESSION: usize = 1024;

/// A cron expression. One with a field that names nothing is refused, for a time that fits it is looked for second by
/// second through a year.
fn cron_of(expression: &str) -> Result<Cron, ScheduleError> {
    let refused = |why: String| ScheduleError::Expression {
        expression: excerpt(expression),
        why,
    };
    if expression.len() > LONGEST_EXPRESSION {
        return Err(refused(format!(
            "it has more than {LONGEST_EXPRESSION} bytes"
        )));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let cron = parser.parse(expression).map_err(|error| {
        let why = || error.to_string().trim_end_matches('.').to_owned();
        refused(fault(&parser, expression).unwrap_or_else(why))
    })?;
    let fields = expression.split_whitespace();
    if fields.flat_map(|field| field.split(',')).any(str::is_empty) {
        return Err(refused("a comma stands between two values".to_owned()));
    }
    let pattern = &cron.pattern;
    let times = [
        (&pattern.seconds, "second"),
        (&pattern.minutes, "minute"),
        (&pattern.hours, "hour"),
        (&pattern.months, "month"),
    ];
    let never = times.iter().find(|(field, _)| field.values().is_empty());
    if let Some((_, name)) = never {
        return Err(refused(format!("its {name} is none")));
    }
    let days = [&pattern.days, &pattern.days_of_week];
    if days
        .iter()
        .any(|field| field.values().is_empty() && !field.has_modifiers())
    {
        return Err(refused("its day is none".to_owned()));
    }
    Ok(cron)
}

/// The fields of an expression, and what each may be.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day", "1 to 31"),
    ("month", "1 to 12, or JAN to DEC"),
    ("weekday", "0 to 7, or SUN to SAT"),
];

/// Which field of an expression that cannot be read is why: the first that cannot be read alone.
fn fault(parser: &CronParser, expression: &str) -> Option<String> {
    let written: Vec<&str> = expression.split_whitespace().collect();
    let count = written.len();
    let left_out = FIELDS.len().checked_sub(count).filter(|fields| *fields < 2);
    let Some(left_out) = left_out else {
        return Some(format!("it has {}", counted(count, "field")));
    };
    let mut fields = written.iter().zip(FIELDS.iter().skip(left_out)).enumerate();
    fields.find_map(|(number, (field, (name, range)))| {
        let alone = (0..count).map(|other| if other == number { *field } else { "*" });
        let alone: Vec<&str> = alone.collect();
        let is_fault = parser.parse(&alone.join(" ")).is_err();
        is_fault.then(|| format!("its {name} is `{}`, and may be {range}", excerpt(field)))
    })
}

fn zone_of(zone: &str) -> Result<TimeZone, ScheduleError> {
    match zone {
        "UTC" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|_| ScheduleError::Zone(excerpt(zone))),
    }
}

fn zoned(time: Timestamp, zone: &TimeZone) -> Zoned {
    let seconds = i64::try_from(time.as_millis() / 1000).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    time.to_zoned(zone.clone())
}

fn timestamp(time: &Zoned) -> Timestamp {
    Timestamp::from_millis(u64::try_from(time.timestamp().as_millisecond()).unwrap_or_default())
}

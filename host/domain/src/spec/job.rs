//! Backup jobs, as configured.

use crate::name::{JobName, PluginName};
use croner::{
    Cron,
    parser::{CronParser, Year},
};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use semver::VersionReq;
use std::{path::PathBuf, time::Duration};

/// A named set of sources with schedules and a retention policy.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// Its name.
    pub name: JobName,
    /// What is backed up. At least one.
    pub sources: Vec<BackupSource>,
    /// When; default every 24 h [seed 003].
    pub full: Option<Schedule>,
    /// When; default never (the seed's 6 h where written).
    pub differential: Option<Schedule>,
    /// When; default never (the seed's 15 min where written).
    pub incremental: Option<Schedule>,
    /// Recovery point objective: the newest verified backup should not be older; absent: not judged.
    pub rpo: Option<Duration>,
    /// zstd level, 1 to 19; default 3.
    pub compression: i32,
    /// What is kept; absent: everything.
    pub retention: Option<RetentionSpec>,
}

/// When something is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Slots at whole multiples of this since the Unix epoch, so that restarts don't move them.
    Every(Duration),
    /// A cron expression in a time zone; checked.
    Cron {
        /// Five fields, or six with seconds.
        expression: String,
        /// An IANA name; `UTC` by default.
        zone: String,
    },
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Not a cron expression.
    #[error("`{expression}` is not a cron expression: {why}")]
    Expression {
        /// What was given.
        expression: String,
        /// Which rule it breaks.
        why: String,
    },
    /// A cron expression whose day never comes, such as 30 February.
    #[error("`{0}` never comes")]
    Never(String),
    /// Not a time zone of this machine.
    #[error("`{0}` is not a time zone that this machine knows")]
    Zone(String),
}

impl Schedule {
    /// Checks a cron expression and the name of its time zone.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, InvalidSchedule> {
        let time_zone = TimeZone::get(zone).map_err(|_| InvalidSchedule::Zone(zone.to_owned()))?;
        let slots = parse_cron(expression)?;
        slots
            .find_next_occurrence(&fixed_day(time_zone), true)
            .map_err(|_| InvalidSchedule::Never(expression.to_owned()))?;
        Ok(Schedule::Cron {
            expression: expression.to_owned(),
            zone: zone.to_owned(),
        })
    }

    /// The longest time between two slots that follow each other, for cron as seen over a year or some hundred slots.
    pub fn longest_gap(&self) -> Duration {
        let (expression, zone) = match self {
            Schedule::Every(interval) => return *interval,
            Schedule::Cron { expression, zone } => (expression, zone),
        };
        let (Ok(slots), Ok(time_zone)) = (parse_cron(expression), TimeZone::get(zone)) else {
            return Duration::MAX;
        };
        let next = |last: &Zoned| slots.find_next_occurrence(last, false).ok();
        let times = std::iter::successors(next(&fixed_day(time_zone)), next);
        let seconds: Vec<i64> = times
            .take(400)
            .map(|time| time.timestamp().as_second())
            .collect();
        let gaps = seconds.iter().zip(seconds.iter().skip(1));
        let longest = gaps.map(|(earlier, later)| later - earlier).max();
        let longest = longest.and_then(|seconds| u64::try_from(seconds).ok());
        longest.map_or(Duration::MAX, Duration::from_secs)
    }
}

/// Any day will do, but always the same one.
fn fixed_day(zone: TimeZone) -> Zoned {
    Timestamp::UNIX_EPOCH.to_zoned(zone)
}

pub(crate) fn parse_cron(expression: &str) -> Result<Cron, InvalidSchedule> {
    let parser = CronParser::builder().year(Year::Disallowed).build();
    parser
        .parse(expression)
        .map_err(|error| InvalidSchedule::Expression {
            expression: expression.to_owned(),
            why: error.to_string().trim_end_matches('.').to_owned(),
        })
}

/// What yields documents.
#[derive(Debug, Clone, PartialEq)]
pub enum BackupSource {
    /// Every file below it; keys are paths relative to it. Symbolic links are kept as links.
    Directory {
        /// Absolute.
        path: PathBuf,
        /// Put before every key, so that several sources do not collide; may be empty.
        prefix: String,
    },
    /// What a program prints, as one document. Exit code 0 or the backup fails.
    Command {
        /// Program and arguments, never a shell.
        run: Vec<String>,
        /// Where it runs.
        cwd: PathBuf,
        /// The document's key.
        key: String,
        /// Default 60 s.
        timeout: Duration,
    },
}

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionSpec {
    /// The policy plugin.
    pub policy: PluginName,
    /// Which of its versions; default any.
    pub version: VersionReq,
    /// How often it judges; default 24 h [seed 003].
    pub every: Duration,
    /// So many verified chains stay whatever it says; default 1.
    pub min_redundancy: u32,
    /// How long expired backups stay in the trash; default 24 h.
    pub trash_for: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cron_schedule_is_checked_with_its_zone() {
        for (expression, zone) in [
            ("0 3 * * *", "UTC"),
            ("*/15 * * * *", "Europe/Berlin"),
            ("30 0 3 * * MON", "America/New_York"),
            ("0 0 29 2 *", "UTC"),
        ] {
            let schedule = Schedule::cron(expression, zone);
            assert!(schedule.is_ok(), "{expression} {zone}: {schedule:?}");
        }
        let why = |expression, zone| Schedule::cron(expression, zone).unwrap_err();
        for bad in ["", "daily", "61 * * * *", "* * * *", "0 0 3 * * * 2030"] {
            assert!(
                matches!(why(bad, "UTC"), InvalidSchedule::Expression { .. }),
                "{bad}"
            );
        }
        assert!(matches!(
            why("0 0 30 2 *", "UTC"),
            InvalidSchedule::Never(_)
        ));
        assert!(matches!(
            why("0 3 * * *", "Mars/Olympus"),
            InvalidSchedule::Zone(_)
        ));
    }

    #[test]
    fn the_longest_gap_is_the_worst_case() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        assert_eq!(Schedule::Every(hours(5)).longest_gap(), hours(5));
        for (expression, zone, gap) in [
            ("0 3 * * *", "UTC", hours(24)),
            ("0 3,6 * * *", "UTC", hours(21)),
            ("0 3 * * MON", "UTC", hours(7 * 24)),
            ("0 12 * * *", "Europe/Berlin", hours(25)),
        ] {
            let schedule = Schedule::cron(expression, zone).unwrap();
            assert_eq!(schedule.longest_gap(), gap, "{expression} {zone}");
        }
    }
}

//! Which backups stand for a period.
//!
//! Invariant: a held backup is kept, and so is the newest verified one of a schedule.
//! Invariant: only verified backups stand for a period, so an unverified one never displaces one that is known to
//! be good.
//! Invariant: what was taken beside the schedule, of what was there before a restore say, stands for no period, so it never
//! displaces one that a restore takes by itself. Snapshots and emergency backups have counts of their own.

use mainstay_plugin_sdk::calendar::{Civil, DAY, iso_week};
use mainstay_plugin_sdk::retention::{Backup, BackupType, Timestamp, Verdict};
use schemars::JsonSchema;
use serde::Deserialize;
use std::cmp::Reverse;

/// How many are kept. Periods are those of the calendar in UTC, weeks are ISO 8601; a period without a backup does
/// not count. Of each period the newest backup is kept. Snapshots and emergency backups stand for no period, and are none
/// of the last: they have counts of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "RawCounts")]
pub struct Counts(RawCounts);

/// How many are kept; at least one count, of `last` and the periods, is above 0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawCounts {
    /// The newest backups, of those that are full, differential or incremental; 3 by default.
    last: u32,
    /// Hours; 24 by default.
    hourly: u32,
    /// Days; 7 by default.
    daily: u32,
    /// Weeks; 4 by default.
    weekly: u32,
    /// Months; 12 by default.
    monthly: u32,
    /// Years; 3 by default.
    yearly: u32,
    /// The newest emergency backups; 3 by default.
    emergency: u32,
    /// The newest snapshots; 3 by default.
    snapshot: u32,
}

impl Default for RawCounts {
    fn default() -> Self {
        Self {
            last: 3,
            hourly: 24,
            daily: 7,
            weekly: 4,
            monthly: 12,
            yearly: 3,
            emergency: 3,
            snapshot: 3,
        }
    }
}

impl TryFrom<RawCounts> for Counts {
    type Error = &'static str;

    fn try_from(raw: RawCounts) -> Result<Self, Self::Error> {
        let RawCounts {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            // Of these alone none is of a schedule.
            emergency: _,
            snapshot: _,
        } = raw;
        if [last, hourly, daily, weekly, monthly, yearly]
            .iter()
            .all(|count| *count == 0)
        {
            Err(
                "`last` and every count of a period are 0, which would keep nothing that is taken on schedule; give at least one count above 0 of them",
            )
        } else {
            Ok(Self(raw))
        }
    }
}

const HELD: &str = "held by the operator";

/// How long an unverified backup is waited for.
const VERIFICATION_WAIT: Timestamp = DAY;

/// The period of a backup, as a number that is the same within the period; the index is its place among the
/// verified ones that the same rules judge, newest first.
type Period = fn(usize, &Backup) -> u64;

/// One rule, while the verified backups pass it, newest first.
struct Rule {
    name: &'static str,
    count: u32,
    kept: u32,
    period: Period,
    last_period: Option<u64>,
}

impl Rule {
    fn new(name: &'static str, count: u32, period: Period) -> Self {
        Self {
            name,
            count,
            kept: 0,
            period,
            last_period: None,
        }
    }

    /// Why this rule keeps the backup, if it does: it is the first, so the newest, of its period.
    fn reason(&mut self, index: usize, backup: &Backup) -> Option<String> {
        let period = (self.period)(index, backup);
        if self.kept >= self.count || self.last_period == Some(period) {
            return None;
        }
        self.last_period = Some(period);
        self.kept += 1;
        Some(format!("{} {} of {}", self.name, self.kept, self.count))
    }
}

/// The rules for backups of one sort, and how many verified ones passed them.
struct Rules {
    rules: Vec<Rule>,
    verified: usize,
    /// Why one is let go that no rule keeps.
    otherwise: String,
}

impl Rules {
    /// The newest ones of a type, whatever their periods.
    fn newest(name: &'static str, count: u32) -> Self {
        Self {
            rules: vec![Rule::new(name, count, place)],
            verified: 0,
            otherwise: format!(
                "{name}, not among the newest {count} of these, and stands for no period"
            ),
        }
    }

    /// A verdict on the next verified backup.
    fn verdict(&mut self, backup: &Backup) -> Verdict {
        let place = self.verified;
        self.verified += 1;
        let rules = self.rules.iter_mut();
        let mut reasons: Vec<String> = rules
            .filter_map(|rule| rule.reason(place, backup))
            .collect();
        if backup.held {
            reasons.push(HELD.to_owned());
        }
        match reasons.is_empty() {
            true => Verdict::expire(backup, self.otherwise.as_str()),
            false => Verdict::keep(backup, reasons.join(", ")),
        }
    }
}

/// The period of which each backup is the only one.
fn place(index: usize, _: &Backup) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

impl Counts {
    /// The rules for what is taken on schedule.
    fn scheduled(&self) -> Rules {
        let RawCounts {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            emergency: _,
            snapshot: _,
        } = self.0;
        let rules = vec![
            Rule::new("last", last, place),
            Rule::new("hourly", hourly, |_, backup| backup.created_at / 3_600_000),
            Rule::new("daily", daily, |_, backup| backup.created_at / DAY),
            Rule::new("weekly", weekly, |_, backup| {
                let (year, week) = iso_week(backup.created_at);
                year * 100 + u64::from(week)
            }),
            Rule::new("monthly", monthly, |_, backup| {
                let civil = Civil::from_timestamp(backup.created_at);
                civil.year * 100 + u64::from(civil.month)
            }),
            Rule::new("yearly", yearly, |_, backup| {
                Civil::from_timestamp(backup.created_at).year
            }),
        ];
        Rules {
            rules,
            verified: 0,
            otherwise: "no period that is kept has it as its newest".to_owned(),
        }
    }

    /// One verdict for each backup, newest first.
    pub(crate) fn verdicts(&self, backups: &[Backup], now: Timestamp) -> Vec<Verdict> {
        let mut newest_first: Vec<&Backup> = backups.iter().collect();
        newest_first.sort_by_key(|backup| Reverse((backup.created_at, &backup.id)));
        let mut scheduled = self.scheduled();
        let mut emergency = Rules::newest("emergency", self.0.emergency);
        let mut snapshot = Rules::newest("snapshot", self.0.snapshot);
        newest_first
            .into_iter()
            .map(|backup| {
                if backup.verified_at.is_none() {
                    return unverified(backup, now);
                }
                match backup.type_ {
                    BackupType::Full | BackupType::Differential | BackupType::Incremental => {
                        scheduled.verdict(backup)
                    }
                    BackupType::Emergency => emergency.verdict(backup),
                    BackupType::Snapshot => snapshot.verdict(backup),
                }
            })
            .collect()
    }
}

/// A backup whose stored bytes were not read back yet, or were found wrong.
fn unverified(backup: &Backup, now: Timestamp) -> Verdict {
    let until = backup.created_at.saturating_add(VERIFICATION_WAIT);
    if backup.held {
        Verdict::keep(backup, HELD)
    } else if now < until {
        Verdict::keep(backup, "not verified yet").expires_at(until)
    } else {
        Verdict::expire(backup, "not verified within a day").expires_at(until)
    }
}

#[cfg(test)]
mod tests;

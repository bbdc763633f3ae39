//! What became of the failures of targets, in numbers.

use mainstay_domain::{name::TargetName, time::Timestamp};
use std::time::Duration;

/// Of which failures numbers are asked for.
#[derive(Debug, Clone)]
pub struct StatisticsFilter {
    /// Only of this target.
    pub target: Option<TargetName>,
    /// Those of the config: they are answered for even where nothing happened to them.
    pub configured: Vec<TargetName>,
    /// Detected at or after this.
    pub since: Timestamp,
    /// What is open lasts until then.
    pub until: Timestamp,
}

/// The failures of one target, in numbers. Dry runs do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatistics {
    /// Which target.
    pub target: TargetName,
    /// Incidents that were opened.
    pub incidents: u64,
    /// Operations that succeeded.
    pub recoveries: u64,
    /// Operations that failed, or were done with checks that still failed.
    pub failures: u64,
    /// Those recoveries whose time is known.
    pub timed: u64,
    /// The mean of these times, in milliseconds; none where there is none.
    pub mean_ms: Option<u64>,
    /// The time that half of them took at most, in milliseconds.
    pub median_ms: Option<u64>,
    /// The time that 95 in a hundred of them took at most, in milliseconds.
    pub p95_ms: Option<u64>,
    /// Those of them that took longer than the objective.
    pub late: u64,
    /// How often a failure came back within the relapse window of its recovery.
    pub relapses: u64,
    /// For how long it is known whether it failed.
    pub known: Duration,
    /// For how long of that at least one failure held, from its detection until it was verified healthy.
    pub down: Duration,
}

impl TargetStatistics {
    /// Of a target of which nothing is known.
    pub fn none(target: TargetName) -> Self {
        Self {
            target,
            incidents: 0,
            recoveries: 0,
            failures: 0,
            timed: 0,
            mean_ms: None,
            median_ms: None,
            p95_ms: None,
            late: 0,
            relapses: 0,
            known: Duration::ZERO,
            down: Duration::ZERO,
        }
    }
}

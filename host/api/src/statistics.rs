//! What became of the failures of targets, in numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The query of `GET /v1/stats`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    /// Only of this target.
    pub target: Option<String>,
    /// Of what was detected at or after this, which is not to come; default: 30 days ago.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
}

/// What became of the failures of targets since a time. What the journal has forgotten is not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Until when: now.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// All that is in `targets`, as one; null of a daemon that does not say.
    #[serde(default)]
    pub total: Option<StatsTotal>,
    /// Each target of the config, in its order, then those of the past.
    pub targets: Vec<TargetStats>,
}

/// What became of the failures of several targets as one. Shares are from 0 to 1; dry runs do not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsTotal {
    /// Incidents that were opened.
    pub incidents: u64,
    /// How often one of them came back within the relapse window of its recovery.
    pub relapses: u64,
    /// Operations that succeeded.
    pub recoveries: u64,
    /// Operations that failed, or were done with checks that still failed.
    pub failed: u64,
    /// The share, from 0 to 1, of these two that were recoveries after which the failure did not come back at once; null where there was
    /// none.
    pub success_rate: Option<f64>,
    /// The mean time of a recovery, from the first detection; null where none is known.
    pub mean_recovery_ms: Option<u64>,
    /// The share of them within the recovery time objective, from 0 to 1.
    pub rto_met: Option<f64>,
}

/// What became of the failures of one target. Shares are from 0 to 1; dry runs do not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetStats {
    /// The target's name.
    pub target: String,
    /// Incidents that were opened.
    pub incidents: u64,
    /// How often one of them came back within the relapse window of its recovery.
    pub relapses: u64,
    /// Operations that succeeded.
    pub recoveries: u64,
    /// Operations that failed, or were done with checks that still failed.
    pub failed: u64,
    /// The share, from 0 to 1, of these two that were recoveries after which the failure did not come back at once; null where there was
    /// none.
    pub success_rate: Option<f64>,
    /// The mean time of a recovery, from the first detection; null where none is known.
    pub mean_recovery_ms: Option<u64>,
    /// Half of the recoveries took at most so long.
    pub median_recovery_ms: Option<u64>,
    /// 95 in a hundred of them took at most so long.
    pub p95_recovery_ms: Option<u64>,
    /// The share of them within the recovery time objective, from 0 to 1.
    pub rto_met: Option<f64>,
    /// The share, from 0 to 1, of the known time in which it was not down, which it is from the detection of a failure until it is verified
    /// healthy; null where nothing is known.
    pub uptime: Option<f64>,
    /// The share, from 0 to 1, of the time asked for of which it is known whether it was down: the host ran, and had the target.
    pub known: f64,
    /// That time, in milliseconds.
    pub known_ms: u64,
}

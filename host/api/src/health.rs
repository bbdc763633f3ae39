//! How the host as a whole does, and the hosts that work together.

use crate::{
    modes::FallbackMode,
    status::{CircuitState, Health},
    words::words,
};
use mainstay_domain::{
    coordination, fallback_mode,
    host_health::{self, class_of},
    time::{Timestamp, millis},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

words! {
    /// How many attempts to recover failed within the hour.
    #[serde(rename_all = "kebab-case")]
    RetryState as host_health::RetryState {
        /// Fewer than 5.
        Stable,
        /// Fewer than 20.
        Elevated,
        /// 20 or more.
        Critical,
    }
}

words! {
    /// Where the circuits of all nodes stand, as these decided together.
    #[serde(rename_all = "kebab-case")]
    ClusterCircuit as coordination::ClusterCircuit {
        /// Most say that they are closed.
        Closed,
        /// Most say that one is open.
        Open,
        /// Most say that one is half-open.
        HalfOpen,
        /// Too few have said anything.
        Unknown,
        /// No answer has more than half of the votes.
        SplitBrain,
    }
}

words! {
    /// Whether a node takes part.
    #[serde(rename_all = "kebab-case")]
    NodeState as coordination::NodeState {
        /// It does.
        Live,
        /// It has left, or not begun yet.
        Left,
    }
}

/// What `health --json` prints: the host as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostHealth {
    /// In which mode it works.
    pub mode: FallbackMode,
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub mode_since: String,
    /// From 0 to 1: 0.40 of its targets, 0.35 of their circuits, 0.25 of its attempts to recover.
    pub score: f64,
    /// What that score means: healthy from 0.8 on, degraded from 0.5 on, else failed.
    pub class: Health,
    /// How its targets are as one: failed where one is, else degraded where one is, else healthy where one is.
    pub health: Health,
    /// How many targets do how.
    pub targets: TargetCounts,
    /// The worst of their circuits.
    pub circuit: CircuitState,
    /// How many of these are open.
    pub open_circuits: u64,
    /// How many attempts to recover failed within the hour, in a word.
    pub retry: RetryState,
    /// How many did; a thousand at most.
    pub failed_attempts: u64,
    /// What recovery does now.
    pub recovery: RecoveryCounts,
    /// How long the daemon runs.
    pub uptime_ms: u64,
    /// What the hosts that work together decided; of one that works alone, as it is itself.
    pub consensus: Consensus,
}

/// How many targets do how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetCounts {
    /// All of them.
    pub total: u64,
    /// Every check of them passes.
    pub healthy: u64,
    /// They work, but not as they should.
    pub degraded: u64,
    /// They have failed.
    pub failed: u64,
    /// They were started a moment ago.
    pub starting: u64,
    /// Nothing is known of them.
    pub unknown: u64,
}

/// What recovery does now, in targets: of one it does several of these at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryCounts {
    /// They have an open incident.
    pub failing: u64,
    /// They have an operation that has not ended.
    pub operations: u64,
    /// Their next operation, or its next attempt, waits for its time.
    pub resting: u64,
    /// Their operation is due and held: by a budget, the phase, a dependency, its turn.
    pub held: u64,
    /// Their recovery waits for a person.
    pub waiting: u64,
}

/// What several hosts decided together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Consensus {
    /// Where the circuits stand.
    pub circuit: ClusterCircuit,
    /// The mode in which all work.
    pub mode: FallbackMode,
    /// Who leads; null where nobody does.
    pub leader: Option<String>,
    /// Whether more than half of the members have voted.
    pub quorum_met: bool,
    /// How many have.
    pub voting: u64,
    /// The share of the votes that agree on the circuits, from 0 to 1.
    pub strength: f64,
}

/// One host of those that work together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// What it calls itself.
    pub name: String,
    /// Whether it takes part.
    pub state: NodeState,
    /// Whether it leads.
    pub leader: bool,
    /// The version of its program.
    pub version: String,
    /// How its targets are as one.
    pub health: Health,
    /// The same as a number: healthy 1, degraded 0.6, failed 0, unknown 0.5.
    pub health_score: f64,
    /// In which mode it works.
    pub mode: FallbackMode,
    /// How long ago it was heard; null where it never was.
    pub last_seen_ms: Option<u64>,
}

/// What `GET /ready` answers where the host is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// That it is: else the answer is an error, 503.
    pub ready: bool,
    /// In which mode it works: `primary`, else it is not ready.
    pub mode: FallbackMode,
}

/// What `GET /live` answers for as long as the daemon does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Liveness {
    /// That it lives.
    pub live: bool,
    /// How long it has.
    pub uptime_ms: u64,
}

impl HostHealth {
    /// The form of a host in this mode, of which recovery does this, and that started so long ago.
    pub fn of(
        health: &host_health::HostHealth,
        (mode, since): (fallback_mode::FallbackMode, Timestamp),
        recovery: RecoveryCounts,
        uptime: Duration,
        consensus: &coordination::Consensus,
    ) -> Self {
        let score = health.score();
        Self {
            mode: mode.into(),
            mode_since: since.to_string(),
            score,
            class: class_of(score).into(),
            health: health.system().into(),
            targets: TargetCounts {
                total: number(health.targets()),
                healthy: number(health.healthy),
                degraded: number(health.degraded),
                failed: number(health.failed),
                starting: number(health.starting),
                unknown: number(health.unknown),
            },
            circuit: health.circuit().into(),
            open_circuits: number(health.open),
            retry: health.retry().into(),
            failed_attempts: number(health.failed_attempts),
            recovery,
            uptime_ms: millis(uptime),
            consensus: Consensus::from(consensus),
        }
    }
}

impl From<&coordination::Consensus> for Consensus {
    fn from(consensus: &coordination::Consensus) -> Self {
        Self {
            circuit: consensus.circuit.into(),
            mode: consensus.mode.into(),
            leader: consensus.leader.clone(),
            quorum_met: consensus.quorum_met,
            voting: number(consensus.voting),
            strength: consensus.strength,
        }
    }
}

impl From<&coordination::NodeInfo> for Node {
    fn from(node: &coordination::NodeInfo) -> Self {
        Self {
            name: node.name.clone(),
            state: node.state.into(),
            leader: node.is_leader,
            version: node.version.clone(),
            health: node.health.into(),
            health_score: node.health_score,
            mode: node.mode.into(),
            last_seen_ms: node.last_seen.map(millis),
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

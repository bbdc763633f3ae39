//! The gate in numbers: how much of its budgets is used, what it has refused, and what operations wait for.

use super::{Floor, Scope, Why};
use crate::spec::BudgetSpec;
use std::collections::BTreeMap;

/// Why the gate did not let an operation go on, without what that is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GateReason {
    /// The charter is not what it was pinned to.
    Charter,
    /// The charter forbids it.
    Forbidden,
    /// The phase recovers nothing as mild by itself.
    Phase,
    /// Too few members of a group are well.
    Floor,
    /// As many run as may.
    AtOnce,
    /// As many have begun within the hour as may.
    PerHour,
}

impl GateReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Charter,
        Self::Forbidden,
        Self::Phase,
        Self::Floor,
        Self::AtOnce,
        Self::PerHour,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Charter => "charter",
            Self::Forbidden => "forbidden",
            Self::Phase => "phase",
            Self::Floor => "floor",
            Self::AtOnce => "at-once",
            Self::PerHour => "per-hour",
        }
    }
}

impl From<&Why> for GateReason {
    fn from(why: &Why) -> Self {
        match why {
            Why::Charter => Self::Charter,
            Why::Phase { .. } => Self::Phase,
            Why::Floor { .. } => Self::Floor,
            Why::AtOnce { .. } => Self::AtOnce,
            Why::PerHour { .. } => Self::PerHour,
        }
    }
}

/// What an operation that does not go on now waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitReason {
    /// A person decides.
    Person,
    /// A signal comes to its handler.
    Signal,
    /// A pause ends.
    Pause,
    /// Its time comes: between two attempts, in a sleep of its handler, in a cooldown.
    Time,
    /// One of those that run ends.
    Turn,
    /// What its target depends on is recovered.
    Dependency,
    /// Another recovery of its target ends.
    Target,
    /// The gate lets it go on.
    Gate(GateReason),
}

impl WaitReason {
    /// All of them. Where a floor is not met or the charter forbids, people are asked, and nothing waits for the gate.
    pub const ALL: [Self; 11] = [
        Self::Person,
        Self::Signal,
        Self::Pause,
        Self::Time,
        Self::Turn,
        Self::Dependency,
        Self::Target,
        Self::Gate(GateReason::Charter),
        Self::Gate(GateReason::Phase),
        Self::Gate(GateReason::AtOnce),
        Self::Gate(GateReason::PerHour),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Signal => "signal",
            Self::Pause => "pause",
            Self::Time => "time",
            Self::Turn => "turn",
            Self::Dependency => "dependency",
            Self::Target => "target",
            Self::Gate(reason) => reason.as_str(),
        }
    }
}

/// How much of one budget is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetNumbers {
    /// Over what it is.
    pub scope: Scope,
    /// What it allows.
    pub budget: BudgetSpec,
    /// So many recoveries run now.
    pub running: u32,
    /// So many have begun within the hour.
    pub begun: u32,
}

/// The gate in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateNumbers {
    /// The budgets that limit anything.
    pub budgets: Vec<BudgetNumbers>,
    /// The groups that have a floor.
    pub floors: Vec<Floor>,
    /// So many failures cool down now.
    pub cooling: u32,
    /// How often it has refused since the daemon started, by why: what is held back again counts again.
    pub refusals: BTreeMap<GateReason, u64>,
    /// How many operations wait now, by what for.
    pub waiting: BTreeMap<WaitReason, u32>,
}

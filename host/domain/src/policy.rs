//! The one gate for what automatic recovery may do: phases, budgets, and floors of healthy members.
//!
//! [`gate`] is asked before an operation begins an attempt, and says why something waits as a value: [`Why`], which
//! status, history and alerts show.
//!
//! Invariant: pure and total: the same facts give the same answer, whatever was asked before.
//! Invariant: what a person asked for or approved is not held back by what bounds automatic recovery; it is counted. Only a
//! charter that is not what it was pinned to holds back everybody.
//! Invariant: of several reasons the one is given that lasts longest: a phase before a floor, a floor before a budget.

mod budget;
mod charter;
mod gate_numbers;
mod history;
mod target_policy;
#[cfg(test)]
mod tests;

pub use crate::phase::{Multiplier, Phase, PhaseChange, UnknownPhase};
pub use crate::target_policy::TargetPolicy;
pub use budget::{Ledger, WINDOW};
pub use charter::{CharterBreach, sha256_hex};
pub use gate_numbers::{BudgetNumbers, GateNumbers, GateReason, WaitReason};
pub use history::PolicyHistory;
pub use target_policy::{EffectivePolicy, EffectiveRoute};

use crate::{
    name::{GroupName, TargetName},
    severity::Severity,
    spec::{BudgetSpec, OverBudget, PhaseSpec},
    time::Monotonic,
};
use std::fmt;

/// Over what a budget is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All targets.
    Host,
    /// The targets of a group.
    Group(GroupName),
    /// One target.
    Target(TargetName),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Host => f.write_str("the host"),
            Scope::Group(group) => write!(f, "the group {group}"),
            Scope::Target(target) => write!(f, "{target}"),
        }
    }
}

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// How bad the failure is.
    pub severity: Severity,
    /// A person asked for it, or approved it.
    pub is_manual: bool,
    /// The operation has begun before, and is counted in its hour.
    pub is_counted: bool,
}

/// What is known where it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The charter is not what it was pinned to.
    pub is_charter_broken: bool,
    /// What of the charter this would break.
    pub breach: Option<Breach>,
    /// The phase of the host.
    pub phase: Phase,
    /// What that allows.
    pub rule: PhaseSpec,
    /// The members of the target's group that are well, the target itself aside; none where it has no group with a floor.
    pub floor: Option<Floor>,
    /// The budgets that the target is in, the widest first.
    pub budgets: Vec<Spent>,
}

/// How many members of a group are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Which group.
    pub group: GroupName,
    /// Members that neither fail nor are being recovered, the target itself aside.
    pub healthy: u32,
    /// So many there have to be.
    pub least: u32,
}

/// How much of a budget is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Over what.
    pub scope: Scope,
    /// What it allows.
    pub budget: BudgetSpec,
    /// How many others run.
    pub running: u32,
    /// How many have begun within the hour, or are about to.
    pub begun: u32,
    /// When the hour has room for one more, where it has none now.
    pub frees_at: Option<Monotonic>,
}

/// Why something may not be done now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The charter is not what it was pinned to.
    Charter,
    /// The phase recovers nothing as mild as this by itself.
    Phase {
        /// Which.
        phase: Phase,
        /// What it does recover; none: nothing.
        least: Option<Severity>,
    },
    /// Too few members of the group are well.
    Floor {
        /// Which group.
        group: GroupName,
        /// How many others are well.
        healthy: u32,
        /// How many have to be.
        least: u32,
    },
    /// As many run as may.
    AtOnce {
        /// Over what.
        scope: Scope,
        /// So many may.
        limit: u32,
    },
    /// As many have begun within the hour as may.
    PerHour {
        /// Over what.
        scope: Scope,
        /// So many may.
        limit: u32,
        /// When there is room.
        until: Monotonic,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Charter => {
                f.write_str("the charter is not what the config is pinned to [MS-0405]")
            }
            Why::Phase { phase, least: None } => {
                write!(f, "in the phase {phase} nothing is recovered automatically")
            }
            Why::Phase {
                phase,
                least: Some(least),
            } => write!(
                f,
                "in the phase {phase} only what is {least} or worse is recovered automatically"
            ),
            Why::Floor {
                group,
                healthy,
                least,
            } => write!(
                f,
                "of the group {group} {} healthy, and its floor is {least}",
                match healthy {
                    1 => "one other is".to_owned(),
                    many => format!("{many} others are"),
                }
            ),
            Why::AtOnce { scope, limit } => {
                write!(
                    f,
                    "the budget of {scope} is {} at one time",
                    recoveries(*limit)
                )
            }
            Why::PerHour { scope, limit, .. } => {
                let most = recoveries(*limit);
                write!(f, "the budget of {scope} is {most} an hour, and is used up")
            }
        }
    }
}

fn recoveries(number: u32) -> String {
    match number {
        1 => "1 recovery".to_owned(),
        many => format!("{many} recoveries"),
    }
}

/// What the gate answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It may be done now.
    Go,
    /// It waits; by the time that the reason names, or until that is over.
    Wait(Why),
    /// A person has to approve it.
    Ask(Why),
    /// It is never done automatically.
    Forbid(Breach),
}

/// What would break the charter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// An automatic recovery of this target.
    Target(TargetName),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breach::Target(target) => {
                write!(f, "the charter forbids the automatic recovery of {target}")
            }
        }
    }
}

/// Whether something may be done now.
///
/// ```
/// use mainstay_domain::{policy::{Ask, Facts, Gate, Phase, gate}, severity::Severity, spec::PhaseSpec};
///
/// let ask = Ask { severity: Severity::High, is_manual: false, is_counted: false };
/// let phase = Phase::Launch;
/// let facts = Facts {
///     is_charter_broken: false, breach: None, phase, rule: PhaseSpec::of(phase), floor: None, budgets: Vec::new(),
/// };
/// assert!(matches!(gate(&ask, &facts), Gate::Wait(_)), "in a launch only what is critical is recovered");
/// ```
pub fn gate(ask: &Ask, facts: &Facts) -> Gate {
    if facts.is_charter_broken {
        return Gate::Wait(Why::Charter);
    }
    if ask.is_manual {
        return Gate::Go;
    }
    if let Some(breach) = &facts.breach {
        return Gate::Forbid(breach.clone());
    }
    let least = facts.rule.least;
    if least.is_none_or(|least| ask.severity < least) {
        let phase = facts.phase;
        return Gate::Wait(Why::Phase { phase, least });
    }
    if let Some(floor) = &facts.floor
        && floor.healthy < floor.least
    {
        return Gate::Ask(Why::Floor {
            group: floor.group.clone(),
            healthy: floor.healthy,
            least: floor.least,
        });
    }
    if !ask.is_counted
        && let Some(answer) = facts.budgets.iter().find_map(above_the_hour)
    {
        return answer;
    }
    let at_once = facts.budgets.iter().find_map(Spent::at_once);
    at_once.map_or(Gate::Go, Gate::Wait)
}

impl Spent {
    /// Why one more may not run beside those that do, where it may not.
    pub fn at_once(&self) -> Option<Why> {
        let limit = self.budget.concurrent?.get();
        let scope = self.scope.clone();
        (self.running >= limit).then_some(Why::AtOnce { scope, limit })
    }
}

/// What becomes of one more than may begin within the hour.
fn above_the_hour(spent: &Spent) -> Option<Gate> {
    let limit = spent.budget.per_hour?.get();
    if spent.begun < limit {
        return None;
    }
    let why = Why::PerHour {
        scope: spent.scope.clone(),
        limit,
        until: spent.frees_at.unwrap_or_default(),
    };
    Some(match spent.budget.over {
        OverBudget::Ask => Gate::Ask(why),
        OverBudget::Wait => Gate::Wait(why),
    })
}

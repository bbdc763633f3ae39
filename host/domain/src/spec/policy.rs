//! What automatic recovery may do beside its routes, as configured: budgets, groups and phases.

use crate::{
    name::{GroupName, PluginName, TargetName},
    phase::{Multiplier, Phase},
    severity::Severity,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

/// What bounds automatic recovery.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicySpec {
    /// The budget over all targets.
    pub host: BudgetSpec,
    /// Groups of targets; each name that a target gives is one of them.
    pub groups: BTreeMap<GroupName, GroupSpec>,
    /// Of the targets that say anything of it.
    pub targets: BTreeMap<TargetName, TargetPolicySpec>,
    /// Who approves what awaits a person, where the target does not say otherwise.
    pub approval: ApprovalSpec,
    /// What may never be done automatically; none: nothing is forbidden.
    pub charter: Option<CharterSpec>,
    /// How long a handler rests for a target after it recovered it [seed 001]; of those that are not here: not at all.
    pub cooldowns: BTreeMap<PluginName, Duration>,
    /// Of the phases that are not as the seed has them.
    pub phases: BTreeMap<Phase, PhaseSpec>,
}

impl PolicySpec {
    /// The group of a target.
    pub fn group_of(&self, target: &TargetName) -> Option<(&GroupName, &GroupSpec)> {
        let group = self.targets.get(target)?.group.as_ref()?;
        self.groups.get_key_value(group)
    }

    /// Who approves the recovery of a target.
    pub fn approval_of(&self, target: &TargetName) -> &ApprovalSpec {
        let own = self.targets.get(target);
        own.and_then(|own| own.approval.as_ref())
            .unwrap_or(&self.approval)
    }

    /// What a phase allows.
    pub fn phase(&self, phase: Phase) -> PhaseSpec {
        let written = self.phases.get(&phase);
        written.cloned().unwrap_or_else(|| PhaseSpec::of(phase))
    }
}

/// How much automatic recovery may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetSpec {
    /// So many recoveries run at one time; none: as many as the host runs, which is 16.
    pub concurrent: Option<NonZeroU32>,
    /// So many begin within an hour; none: no limit.
    pub per_hour: Option<NonZeroU32>,
    /// What becomes of one that is above `per_hour`; default: a person is asked.
    pub over: OverBudget,
}

/// What becomes of a recovery that is above what may begin within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverBudget {
    /// It awaits a person.
    #[default]
    Ask,
    /// It waits until the hour has room.
    Wait,
}

/// Targets that share a budget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSpec {
    /// Who is in it.
    pub members: BTreeSet<TargetName>,
    /// How much of it may be touched.
    pub budget: BudgetSpec,
    /// So many others of it must be well before one is recovered automatically; default 0.
    pub floor: u32,
}

/// What bounds the recovery of one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetPolicySpec {
    /// The group that it is in.
    pub group: Option<GroupName>,
    /// How much may be done to it; of one target one recovery runs at a time anyway.
    pub budget: BudgetSpec,
    /// Who approves its recovery; none: as for all.
    pub approval: Option<ApprovalSpec>,
}

/// Who approves what awaits a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalSpec {
    /// So many people have to; default 1.
    pub needed: NonZeroU32,
    /// Who may, users or names of tokens' secrets; none: all who may command. Not fewer than `needed`.
    pub of: BTreeSet<String>,
    /// Where it is not approved within this time, it is escalated and left to people; none: it waits.
    pub expires: Option<Duration>,
}

impl Default for ApprovalSpec {
    fn default() -> Self {
        Self {
            needed: NonZeroU32::MIN,
            of: BTreeSet::new(),
            expires: None,
        }
    }
}

/// What may never be done automatically [seed 002], as it was read from its file; its bounds are in the budget of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharterSpec {
    /// The file.
    pub file: PathBuf,
    /// The SHA-256 that it is pinned to and had when it was read, hexadecimal.
    pub sha256: String,
    /// Targets that are never recovered automatically.
    pub targets: BTreeSet<TargetName>,
    /// Handlers that are never called automatically.
    pub handlers: BTreeSet<PluginName>,
}

impl CharterSpec {
    /// The beginning of its digest, which stands before each line of the log.
    pub fn prefix(&self) -> &str {
        self.sha256.get(..16).unwrap_or(&self.sha256)
    }
}

/// What may be done in a phase [seed 001].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseSpec {
    /// The least severity that is recovered automatically; none: nothing is.
    pub least: Option<Severity>,
    /// The only handlers that are called; none: all are.
    pub allowed: Option<BTreeSet<PluginName>>,
    /// Handlers that are not called, also where they are among those.
    pub forbidden: BTreeSet<PluginName>,
    /// How many times as much it takes until something counts as failed.
    pub multiplier: Multiplier,
}

impl PhaseSpec {
    /// As the seed has it.
    pub fn of(phase: Phase) -> Self {
        Self {
            least: phase.least(),
            allowed: None,
            forbidden: BTreeSet::new(),
            multiplier: phase.multiplier(),
        }
    }

    /// Whether it lets a handler be called.
    pub fn lets(&self, handler: &PluginName) -> bool {
        let allowed = self.allowed.as_ref();
        !self.forbidden.contains(handler) && allowed.is_none_or(|all| all.contains(handler))
    }
}

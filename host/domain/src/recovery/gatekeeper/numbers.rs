//! The gate in numbers, as they are now.

use crate::{
    name::TargetName,
    operation::Mode,
    policy::{BudgetNumbers, Floor, GateNumbers, GateReason, Scope, WaitReason},
    queue::{Place, StartBlock},
    recovery::{Case, InputTime, Recovery, Stage},
};
use std::collections::{BTreeMap, BTreeSet};

impl Recovery {
    /// The gate in numbers. Costs a visit to each case and to each target that the policy says anything of.
    pub fn gate_numbers(&self, at: InputTime) -> GateNumbers {
        let mut waiting: BTreeMap<WaitReason, u32> = BTreeMap::new();
        for reason in self.cases.values().filter_map(|case| self.waits_by(case)) {
            let count = waiting.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
        GateNumbers {
            budgets: self.budget_numbers(at),
            floors: self.floors(),
            cooling: self.cooldowns.cooling(at.now),
            refusals: self.keeper.refusals.clone(),
            waiting,
        }
    }

    /// The gate did not let an operation go on.
    pub(in crate::recovery) fn count_refusal(&mut self, reason: GateReason) {
        let count = self.keeper.refusals.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    fn budget_numbers(&self, at: InputTime) -> Vec<BudgetNumbers> {
        let (view, policy) = (self.view(), &self.settings.spec().policy);
        let groups = policy.groups.iter();
        let groups = groups.map(|(name, group)| (Scope::Group(name.clone()), group.budget));
        let targets = policy.targets.iter();
        let targets = targets.map(|(name, target)| (Scope::Target(name.clone()), target.budget));
        let scopes = std::iter::once((Scope::Host, policy.host));
        let scopes = scopes.chain(groups).chain(targets);
        let limited =
            scopes.filter(|(_, budget)| budget.concurrent.is_some() || budget.per_hour.is_some());
        let numbers = limited.map(|(scope, budget)| {
            let spent = view.spent_in(scope, budget, self.queue.busy());
            BudgetNumbers {
                begun: self.keeper.ledger.begun(&spent.scope, at.monotonic),
                running: spent.running,
                scope: spent.scope,
                budget,
            }
        });
        numbers.collect()
    }

    fn floors(&self) -> Vec<Floor> {
        let touched: BTreeSet<&TargetName> = self.queue.busy().map(|(target, _)| target).collect();
        let view = self.view();
        let groups = self.settings.spec().policy.groups.iter();
        let with_floor = groups.filter(|(_, group)| group.floor > 0);
        with_floor
            .map(|(name, group)| view.floor_of(name, group, &touched))
            .collect()
    }

    /// What the operation of a case waits for; none where it has none, or goes on.
    fn waits_by(&self, case: &Case) -> Option<WaitReason> {
        let work = match &case.stage {
            Stage::AwaitingApproval(_) => return Some(WaitReason::Person),
            Stage::Queued(work) => work,
            _ => return None,
        };
        if work.awaits.is_some() {
            return Some(WaitReason::Signal);
        }
        let operation = &work.operation;
        let is_automatic = operation.mode == Mode::Automatic;
        if is_automatic && self.pause_of(&operation.target).is_some() {
            return Some(WaitReason::Pause);
        }
        Some(match self.queue.place(&operation.id)? {
            Place::Waiting => WaitReason::Time,
            Place::Ready => WaitReason::Turn,
            Place::Blocked(StartBlock::Dependency(_)) => WaitReason::Dependency,
            Place::Blocked(StartBlock::TargetBusy(_)) => WaitReason::Target,
            Place::Blocked(StartBlock::Gate(why)) => WaitReason::Gate(GateReason::from(why)),
            // The pause is over, and it begins.
            Place::Blocked(StartBlock::HostPaused | StartBlock::TargetPaused(_)) => return None,
        })
    }
}

//! What the gate has to know of the machine, as facts.

use super::Gatekeeper;
use crate::{
    id::OperationId,
    name::{GroupName, TargetName},
    policy::{Ask, Breach, Facts, Floor, Gate, Scope, Spent, Why, gate},
    queue::QueueEntry,
    recovery::{Case, CaseKey, Work, settings::Settings},
    spec::{BudgetSpec, GroupSpec, PolicySpec},
    time::Monotonic,
};
use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
};

/// The parts of the machine that the gate looks at, while the queue is being changed.
pub(in crate::recovery) struct View<'a> {
    pub(in crate::recovery) keeper: &'a Gatekeeper,
    pub(in crate::recovery) settings: &'a Settings,
    pub(in crate::recovery) failing: &'a HashMap<TargetName, u32>,
    pub(in crate::recovery) cases: &'a HashMap<CaseKey, Box<Case>>,
    pub(in crate::recovery) operations: &'a HashMap<OperationId, CaseKey>,
}

impl View<'_> {
    fn policy(&self) -> &PolicySpec {
        &self.settings.spec().policy
    }

    /// Why an operation has to wait in the queue. What a person has to be asked about begins, and is asked about then.
    pub(in crate::recovery) fn holds_back<'b>(
        &self,
        entry: &QueueEntry,
        busy: impl Iterator<Item = (&'b TargetName, &'b OperationId)> + Clone,
    ) -> Option<Why> {
        let ask = Ask {
            severity: entry.severity,
            is_manual: entry.is_manual,
            is_counted: self.is_counted(&entry.operation),
        };
        match self.gate(&entry.target, &ask, busy.clone()) {
            // Its call has begun, and no phase ends what has.
            Gate::Wait(Why::Phase { .. }) if self.is_in_call(&entry.operation) => {
                let others = busy.filter(|(other, _)| **other != entry.target);
                let spent = self.spent(&entry.target, others);
                spent.iter().find_map(Spent::at_once)
            }
            Gate::Wait(why) => Some(why),
            Gate::Go | Gate::Ask(_) | Gate::Forbid(_) => None,
        }
    }

    /// Asks the gate. Of `busy`, what runs, that of the target itself does not count.
    pub(super) fn gate<'b>(
        &self,
        target: &TargetName,
        ask: &Ask,
        busy: impl Iterator<Item = (&'b TargetName, &'b OperationId)> + Clone,
    ) -> Gate {
        let others = busy.filter(|(other, _)| *other != target);
        let phase = self.keeper.phase;
        let facts = Facts {
            is_charter_broken: self.keeper.breach.is_some(),
            breach: self.breach(target),
            phase,
            rule: self.policy().phase(phase),
            floor: self.floor(target, others.clone()),
            budgets: self.spent(target, others),
        };
        gate(ask, &facts)
    }

    pub(super) fn breach(&self, target: &TargetName) -> Option<Breach> {
        let charter = self.policy().charter.as_ref()?;
        let is_forbidden = charter.targets.contains(target);
        is_forbidden.then(|| Breach::Target(target.clone()))
    }

    fn floor<'b>(
        &self,
        target: &TargetName,
        others: impl Iterator<Item = (&'b TargetName, &'b OperationId)>,
    ) -> Option<Floor> {
        let (name, group) = self.policy().group_of(target)?;
        if group.floor == 0 {
            return None;
        }
        let mut touched: BTreeSet<&TargetName> = others.map(|(other, _)| other).collect();
        // It is none of those that have to be well while it is recovered.
        touched.insert(target);
        Some(self.floor_of(name, group, &touched))
    }

    /// How many of a group are well, of which none is that is failing or touched, and how many have to be.
    pub(super) fn floor_of(
        &self,
        name: &GroupName,
        group: &GroupSpec,
        touched: &BTreeSet<&TargetName>,
    ) -> Floor {
        let is_well = |member: &&TargetName| {
            !self.failing.contains_key(*member) && !touched.contains(*member)
        };
        let healthy = group.members.iter().filter(is_well).count();
        Floor {
            group: name.clone(),
            healthy: u32::try_from(healthy).unwrap_or(u32::MAX),
            least: group.floor,
        }
    }

    fn spent<'b>(
        &self,
        target: &TargetName,
        others: impl Iterator<Item = (&'b TargetName, &'b OperationId)> + Clone,
    ) -> Vec<Spent> {
        let policy = self.policy();
        let group = policy.group_of(target);
        let group = group.map(|(name, group)| (Scope::Group(name.clone()), group.budget));
        let own = policy.targets.get(target);
        let own = own.map(|own| (Scope::Target(target.clone()), own.budget));
        let scopes = [Some((Scope::Host, policy.host)), group, own];
        let limited = scopes
            .into_iter()
            .flatten()
            .filter(|(_, budget)| budget.concurrent.is_some() || budget.per_hour.is_some());
        limited
            .map(|(scope, budget)| self.spent_in(scope, budget, others.clone()))
            .collect()
    }

    pub(super) fn spent_in<'b>(
        &self,
        scope: Scope,
        budget: BudgetSpec,
        others: impl Iterator<Item = (&'b TargetName, &'b OperationId)>,
    ) -> Spent {
        let (mut running, mut coming) = (0_u32, 0_u32);
        for (_, operation) in others.filter(|(other, _)| self.is_in(&scope, other)) {
            running = running.saturating_add(1);
            if !self.is_counted(operation) {
                coming = coming.saturating_add(1);
            }
        }
        let (ledger, now) = (&self.keeper.ledger, self.keeper.monotonic);
        let limit = budget.per_hour.map_or(u32::MAX, NonZeroU32::get);
        Spent {
            running,
            begun: ledger.begun(&scope, now).saturating_add(coming),
            frees_at: ledger.frees_at(&scope, limit, coming, now),
            scope,
            budget,
        }
    }

    fn is_in(&self, scope: &Scope, target: &TargetName) -> bool {
        match scope {
            Scope::Host => true,
            Scope::Group(name) => {
                let group = self.policy().groups.get(name);
                group.is_some_and(|group| group.members.contains(target))
            }
            Scope::Target(own) => own == target,
        }
    }

    fn budget(&self, scope: &Scope) -> Option<BudgetSpec> {
        let policy = self.policy();
        match scope {
            Scope::Host => Some(policy.host),
            Scope::Group(name) => policy.groups.get(name).map(|group| group.budget),
            Scope::Target(name) => policy.targets.get(name).map(|target| target.budget),
        }
    }

    /// Whether an operation has begun an attempt, and so is in the ledger where that was of late.
    fn is_counted(&self, operation: &OperationId) -> bool {
        let work = self.work(operation);
        work.is_some_and(|work| work.operation.started_at.is_some())
    }

    /// Whether an operation is in the middle of a call, which sleeps or is to be gone on with.
    fn is_in_call(&self, operation: &OperationId) -> bool {
        let work = self.work(operation);
        work.is_some_and(|work| work.open_call.is_some())
    }

    fn work(&self, operation: &OperationId) -> Option<&Work> {
        let key = self.operations.get(operation)?;
        self.cases.get(key)?.work()
    }

    /// Until when this surely holds, where that is known without a look: only the time makes room in the hour of one target,
    /// whatever else begins and ends. There may be one for each of very many targets.
    fn lasts_until(&self, why: &Why) -> Option<Monotonic> {
        match why {
            Why::PerHour {
                scope: Scope::Target(_),
                until,
                ..
            } => Some(*until).filter(|until| *until > self.keeper.monotonic),
            _ => None,
        }
    }

    /// How many of those that this has held back it lets go by now; none where it still holds.
    pub(super) fn room<'b>(
        &self,
        why: &Why,
        busy: impl Iterator<Item = (&'b TargetName, &'b OperationId)>,
    ) -> usize {
        if self.lasts_until(why).is_some() {
            return 0;
        }
        let holds = match why {
            Why::Charter => self.keeper.breach.is_some(),
            Why::Phase { phase, least } => {
                *phase == self.keeper.phase && self.policy().phase(*phase).least == *least
            }
            // A person is asked, and nothing waits in the queue.
            Why::Floor { .. } => false,
            Why::AtOnce { scope, .. } | Why::PerHour { scope, .. } => {
                let Some(budget) = self.budget(scope) else {
                    return usize::MAX;
                };
                let spent = self.spent_in(scope.clone(), budget, busy);
                let (limit, used) = match why {
                    Why::AtOnce { .. } => (budget.concurrent, spent.running),
                    _ => (budget.per_hour, spent.begun),
                };
                let left = limit.map(|limit| limit.get().saturating_sub(used));
                return left.map_or(usize::MAX, |left| {
                    usize::try_from(left).unwrap_or(usize::MAX)
                });
            }
        };
        match holds {
            true => 0,
            false => usize::MAX,
        }
    }

    /// When what holds something back may be over by itself.
    pub(super) fn ends_at<'b>(
        &self,
        why: &Why,
        busy: impl Iterator<Item = (&'b TargetName, &'b OperationId)>,
    ) -> Option<Monotonic> {
        if let Some(until) = self.lasts_until(why) {
            return Some(until);
        }
        let Why::PerHour { scope, .. } = why else {
            return None;
        };
        self.spent_in(scope.clone(), self.budget(scope)?, busy)
            .frees_at
    }
}

//! `[budget]`, `[group.NAME]`, `[phase.NAME]` and `[approval]`: what bounds automatic recovery.

use super::{
    super::{
        context::EntityKind,
        reader::{Fields, ValueAt},
        values::{existing, name, one_of, positive_duration, whole, word},
    },
    named,
};
use mainstay_domain::{
    name::{GroupName, PluginName, TargetName},
    policy::Phase,
    severity::Severity,
    spec::{
        ApprovalSpec, BudgetSpec, GroupSpec, OverBudget, PhaseSpec, PolicySpec, TargetPolicySpec,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

/// What becomes of a recovery that is above what may begin within an hour.
const OVER: [(&str, OverBudget); 2] = [("ask", OverBudget::Ask), ("wait", OverBudget::Wait)];

/// The least severity that a phase recovers.
const LEAST: [(&str, Option<Severity>); 5] = [
    ("low", Some(Severity::Low)),
    ("medium", Some(Severity::Medium)),
    ("high", Some(Severity::High)),
    ("critical", Some(Severity::Critical)),
    ("never", None),
];

/// What the keys of the config's root say of it. The targets come first, for they say in which groups they are.
pub(super) fn policy(fields: &mut Fields<'_>) -> PolicySpec {
    let host = fields.optional("budget", |at| {
        at.fields("the budget", |fields| Some(budget(fields, true)))
    });
    let mut groups = fields.or("group", BTreeMap::new(), groups);
    let phases = fields.or("phase", BTreeMap::new(), phases);
    let approval = fields.or("approval", ApprovalSpec::default(), approval);
    let targets = std::mem::take(&mut fields.context.facts.borrow_mut().policies);
    let targets: BTreeMap<TargetName, TargetPolicySpec> = targets.into_iter().collect();
    for (target, policy) in &targets {
        let group = policy.group.as_ref().and_then(|name| groups.get_mut(name));
        if let Some(group) = group {
            group.members.insert(target.clone());
        }
    }
    judge_floors(fields, &groups);
    PolicySpec {
        host: host.unwrap_or_default(),
        groups,
        targets,
        approval,
        phases,
    }
}

/// What a target says of it.
pub(super) fn of_target(fields: &mut Fields<'_>, target: Option<&TargetName>) {
    let group = existing(EntityKind::Group, GroupName::parse);
    let group = fields.optional("group", group);
    let own = fields.optional("budget", |at| {
        at.fields("the target's budget", |fields| Some(budget(fields, false)))
    });
    let approval = fields.optional("approval", approval);
    if group.is_none() && own.is_none() && approval.is_none() {
        return;
    }
    if let Some(target) = target {
        let policy = TargetPolicySpec {
            group,
            budget: own.unwrap_or_default(),
            approval,
        };
        let mut facts = fields.context.facts.borrow_mut();
        facts.policies.push((target.clone(), policy));
    }
}

/// Of one target one recovery runs at a time anyway.
fn budget(fields: &mut Fields<'_>, is_of_many: bool) -> BudgetSpec {
    let concurrent = match is_of_many {
        true => fields.optional("concurrent", whole(1..=10_000_u32)),
        false => None,
    };
    let per_hour = fields.optional("per_hour", whole(1..=1_000_000_u32));
    if per_hour.is_none() {
        let help = "add e.g. per_hour = 60, or remove it";
        fields.reject_key("over", "there is no `per_hour` to be above", help);
    }
    let over = |at| one_of("what becomes of what is above the budget", &OVER, at);
    BudgetSpec {
        concurrent: concurrent.and_then(NonZeroU32::new),
        per_hour: per_hour.and_then(NonZeroU32::new),
        over: fields.or("over", OverBudget::Ask, over),
    }
}

/// Who approves. Of fewer people than are needed nothing could ever be approved.
fn approval(at: ValueAt<'_>) -> Option<ApprovalSpec> {
    at.fields("the approval", |fields| {
        let of = fields.list("of", "of = [\"anna\", \"ben\"]", word);
        let of: BTreeSet<String> = of.into_iter().collect();
        let needed = fields.or("needed", 1, whole(1..=100_u32));
        let is_too_few = usize::try_from(needed).is_ok_and(|needed| needed > of.len());
        if is_too_few
            && !of.is_empty()
            && let Some(at) = fields.get("needed")
        {
            let message = format!("`needed` is {needed}, and `of` names {} people", of.len());
            at.refuse::<()>(message, "name more of them in `of`, or lower `needed`");
        }
        Some(ApprovalSpec {
            needed: NonZeroU32::new(needed).unwrap_or(NonZeroU32::MIN),
            of,
            expires: fields.optional("expires", positive_duration),
        })
    })
}

fn groups(at: ValueAt<'_>) -> Option<BTreeMap<GroupName, GroupSpec>> {
    named(at, EntityKind::Group, GroupName::parse, |at, what| {
        at.fields(what, |fields| {
            Some(GroupSpec {
                budget: budget(fields, true),
                floor: fields.or("floor", 0, whole(0..=100_000_u32)),
                ..GroupSpec::default()
            })
        })
    })
}

/// A floor that is never kept would be one where a person is asked about everything, which is said otherwise.
fn judge_floors(fields: &mut Fields<'_>, groups: &BTreeMap<GroupName, GroupSpec>) {
    let Some(at) = fields.get("group") else {
        return;
    };
    for (key, place, _) in at.entries() {
        let group = groups.get(key);
        let members = group.map_or(0, |group| group.members.len());
        if let Some(group) = group
            && group.floor > 0
            && usize::try_from(group.floor).is_ok_and(|floor| floor >= members)
        {
            let message = format!(
                "group `{key}` has {members} members, so there are never {} others that are well",
                group.floor
            );
            let help = "lower `floor`, or add group = \"NAME\" to more targets; a route with \
                        strategy = { kind = \"manual\" } always asks a person";
            at.context.error(place, message, help);
        }
    }
}

fn phases(at: ValueAt<'_>) -> Option<BTreeMap<Phase, PhaseSpec>> {
    let mut found = BTreeMap::new();
    for (key, place, at) in at.entries() {
        let phase = Phase::parse(key).map_err(|error| {
            at.context
                .error(place, error.to_string(), "write e.g. [phase.deployment]");
        });
        let rule = at.fields(&format!("phase `{key}`"), |fields| {
            let usual = PhaseSpec::of(phase.unwrap_or_default());
            let severity = |at| one_of("a severity, or never", &LEAST, at);
            let handler = name(PluginName::parse);
            let forbidden = fields.list("forbid", "forbid = [\"disk-cleanup\"]", handler);
            Some(PhaseSpec {
                least: fields.or("severity", usual.least, severity),
                forbidden: forbidden.into_iter().collect(),
            })
        });
        if let (Ok(phase), Some(rule)) = (phase, rule) {
            found.insert(phase, rule);
        }
    }
    Some(found)
}

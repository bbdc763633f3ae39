//! `[budget]`, `[group.NAME]`, `[phase.NAME]` and `[approval]`: what bounds automatic recovery.

use super::{
    super::{
        charter,
        context::EntityKind,
        reader::{Fields, ValueAt},
        values::{existing, number, one_of, path, positive_duration, whole, word},
    },
    named,
    ruled::ruled,
};
use mainstay_domain::{
    code::ErrorCode,
    name::{GroupName, PluginName, TargetName},
    policy::{CharterBreach, Multiplier, Phase},
    severity::Severity,
    spec::{
        ApprovalSpec, BudgetSpec, CharterSpec, GroupSpec, OverBudget, PhaseSpec, PolicySpec,
        TargetPolicySpec,
    },
    text::counted,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
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
    let mut host = host.unwrap_or_default();
    let charter = fields.optional("charter", |at| charter(at, &mut host));
    let cooldowns = fields.or("cooldown", BTreeMap::new(), cooldowns);
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
        host,
        groups,
        targets,
        approval,
        charter,
        cooldowns,
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
    if fields.get("per_hour").is_none() {
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

/// The charter is read here: a config that is pinned to another one is refused, at the start and whenever it is read anew.
/// Its bounds hold whatever the budget of the host says.
fn charter(at: ValueAt<'_>, host: &mut BudgetSpec) -> Option<CharterSpec> {
    at.fields("the charter", |fields| {
        let file = fields.required("file", "file = \"charter.toml\"", path);
        let example = "sha256 = \"…\", which `sha256sum charter.toml` prints";
        let pinned = fields.required("sha256", example, sha256);
        let (file, pinned) = (file?, pinned?);
        let refuse = |why: String, help: &str| {
            let message = ErrorCode::CharterBroken.mark(why);
            fields.needs(&message, help);
            None
        };
        let (found, rules) = match charter::read(&file) {
            Ok(read) => read,
            Err(why) => {
                let why = format!("the charter {} cannot be read: {why}", file.display());
                return refuse(why, "put it there, or remove [charter]");
            }
        };
        if let Some(breach) = CharterBreach::of(&pinned, Ok(found)) {
            let help =
                "put the right file back, or write its SHA-256 here if it is the one that you mean";
            return refuse(breach.to_string(), help);
        }
        let rules = match rules {
            Ok(rules) => rules,
            Err(why) => {
                let why = format!("the charter {} is not understood: {why}", file.display());
                let help =
                    "it may have targets = [], handlers = [], concurrent = 5 and per_hour = 60";
                return refuse(why, help);
            }
        };
        host.concurrent = least(host.concurrent, rules.concurrent);
        host.per_hour = least(host.per_hour, rules.per_hour);
        Some(CharterSpec {
            file,
            sha256: pinned,
            targets: rules.targets.into_iter().collect(),
            handlers: rules.handlers.into_iter().collect(),
        })
    })
}

/// The lesser bound, where there are any.
fn least(one: Option<NonZeroU32>, other: Option<NonZeroU32>) -> Option<NonZeroU32> {
    one.into_iter().chain(other).min()
}

fn sha256(at: ValueAt<'_>) -> Option<String> {
    let text = word(at)?.to_ascii_lowercase();
    match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Some(text),
        false => at.not(
            "a SHA-256, which has 64 hexadecimal digits",
            "write what `sha256sum charter.toml` prints first",
        ),
    }
}

/// Who approves. Of fewer people than are needed nothing could ever be approved.
fn approval(at: ValueAt<'_>) -> Option<ApprovalSpec> {
    at.fields("the approval", |fields| {
        let example = "of = [\"anna\", \"ben\"]";
        let of = fields.some_of("of", example, "all who may command", word);
        let of: BTreeSet<String> = of.into_iter().collect();
        let needed = fields.or("needed", 1, whole(1..=100_u32));
        let is_too_few = usize::try_from(needed).is_ok_and(|needed| needed > of.len());
        if is_too_few
            && !of.is_empty()
            && let Some(at) = fields.get("needed")
        {
            let names = counted(of.len(), "name");
            let message = format!("`needed` is {needed}, and `of` has {names}");
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
                "the floor of group `{key}` is {}, and it has {}: there are never so many others",
                group.floor,
                counted(members, "member")
            );
            let help = "lower `floor`, or add group = \"NAME\" to more targets; a route with \
                        strategy = { kind = \"manual\" } always asks a person";
            at.context.error(place, message, help);
        }
    }
}

/// How long each handler rests for a target that it recovered.
fn cooldowns(at: ValueAt<'_>) -> Option<BTreeMap<PluginName, Duration>> {
    let mut found = BTreeMap::new();
    for (key, place, at) in at.entries() {
        let length = positive_duration(at);
        match PluginName::parse(key) {
            Ok(name) => {
                let mut facts = at.context.facts.borrow_mut();
                facts.ruled.push((name.clone(), place));
                found.extend(length.map(|length| (name, length)));
            }
            Err(error) => {
                let help = "write the name of a handler, e.g. restart-service = \"5m\"";
                at.context.error(place, error.to_string(), help);
            }
        }
    }
    Some(found)
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
            let help = "write allow = [\"restart-service\"]";
            let allowed = fields.optional("allow", |at| at.each(help, ruled));
            let forbidden = fields.list("forbid", "forbid = [\"disk-cleanup\"]", ruled);
            Some(PhaseSpec {
                least: fields.or("severity", usual.least, severity),
                allowed: allowed.map(|allowed| allowed.into_iter().collect()),
                forbidden: forbidden.into_iter().collect(),
                multiplier: fields.or("multiplier", usual.multiplier, multiplier),
            })
        });
        if let (Ok(phase), Some(rule)) = (phase, rule) {
            found.insert(phase, rule);
        }
    }
    Some(found)
}

/// How many times as many failures are enough.
fn multiplier(at: ValueAt<'_>) -> Option<Multiplier> {
    match number(at)? {
        factor if (0.1..=100.0).contains(&factor) => Some(Multiplier::new(factor)),
        _ => at.not(
            "a multiplier from 0.1 to 100",
            "write e.g. multiplier = 2.0: twice as many failures are needed then",
        ),
    }
}

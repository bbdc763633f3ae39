//! `tiers` of a job: where backups of each type are stored.

use super::super::super::{
    context::EntityKind,
    reader::{Fields, ValueAt},
    values::name,
};
use mainstay_domain::{backup::BackupType, name::TierName};
use std::collections::BTreeMap;

const KEYS: [(&str, BackupType); 5] = [
    ("full", BackupType::Full),
    ("differential", BackupType::Differential),
    ("incremental", BackupType::Incremental),
    ("snapshot", BackupType::Snapshot),
    ("emergency", BackupType::Emergency),
];

pub(super) fn tiers(at: ValueAt<'_>) -> Option<BTreeMap<BackupType, Vec<TierName>>> {
    at.fields("the tiers", |fields| {
        let said = KEYS.map(|(key, backup_type)| Some((backup_type, list(fields, key)?)));
        Some(said.into_iter().flatten().collect())
    })
}

fn list(fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<TierName>> {
    const HELP: &str =
        "write [\"local\"], or tiers of the config in the order in which they are tried";
    let at = fields.get(key)?;
    let named = at.each(HELP, tier)?;
    if named.is_empty() {
        return at.refuse(format!("`{key}` names no tier"), HELP);
    }
    for (number, tier) in named.iter().enumerate() {
        if named.iter().take(number).any(|before| before == tier) {
            return at.refuse(
                format!("`{key}` names the tier `{tier}` twice"),
                "name each once",
            );
        }
    }
    Some(named)
}

pub(super) fn tier(at: ValueAt<'_>) -> Option<TierName> {
    let name = name(TierName::parse)(at)?;
    if !name.is_local() {
        at.context
            .require_reference(EntityKind::Tier, name.as_str(), at.node.place);
        let mut facts = at.context.facts.borrow_mut();
        facts.tiers_of_jobs.insert(name.clone());
    }
    Some(name)
}

//! All that is known of one backup.

use super::{
    backup_notes::{drilled_words, origin_facts, standing},
    holds::held_words,
    output::{Block, Cell, Output, Tone, cell, size},
};
use mainstay_api::Backup;

/// Shows it, one fact a line.
pub(super) fn show_backup(out: &Output, backup: Backup) -> anyhow::Result<()> {
    let absent = || "-".to_owned();
    let both = |time: &String| out.times.both(time);
    let held = held_words(backup.held, backup.hold.as_ref(), &out.times);
    let (status, of_status) = standing(&backup);
    let facts = [
        ("backup", backup.id),
        ("job", backup.job),
        ("type", backup.backup_type.to_string()),
        ("status", status),
        ("tier", backup.tier),
        ("created", both(&backup.created_at)),
        (
            "verified",
            backup.verified_at.as_ref().map_or_else(absent, both),
        ),
        ("parent", backup.parent.unwrap_or_else(absent)),
        ("base", backup.base),
        ("documents", backup.documents.to_string()),
        ("tombstones", backup.tombstones.to_string()),
        ("size", size(backup.size_bytes)),
        ("stored", size(backup.stored_bytes)),
        ("root hash", backup.root_hash),
        ("held", held),
        ("expires", backup.expires.as_ref().map_or_else(absent, both)),
        ("reason", backup.reason.unwrap_or_else(absent)),
    ];
    let tone_of = |name: &str| match name {
        "status" => of_status,
        _ => Tone::Plain,
    };
    let fact = |(name, text): (&str, String)| (name.to_owned(), cell(text, tone_of(name)));
    let mut facts: Vec<(String, Cell)> = facts.into_iter().map(fact).collect();
    if let Some(checkpoint) = backup.checkpoint {
        let named = checkpoint.name.map(|name| format!(", {name}"));
        let text = format!("{}{}", checkpoint.kind, named.unwrap_or_default());
        facts.push(("checkpoint".to_owned(), cell(text, Tone::Plain)));
    }
    if let Some(origin) = backup.origin {
        facts.extend(origin_facts(origin));
    }
    if let Some(why) = backup.suspicious {
        facts.push(("suspicious".to_owned(), cell(why, Tone::Warn)));
    }
    if let Some(drilled) = backup.drilled {
        let (text, tone) = drilled_words(&drilled, &out.times);
        facts.push(("drilled".to_owned(), cell(text, tone)));
    }
    let warnings = backup.warnings.into_iter();
    facts.extend(warnings.map(|warning| ("to know".to_owned(), cell(warning, Tone::Warn))));
    out.show(&[Block::Facts(facts)])
}

//! The host's guard over what a retention policy says.
//!
//! A policy is a plugin: it may be wrong, or hostile. Its verdicts are advice. The host keeps a backup
//! - that a kept one depends on,
//! - that belongs to the newest verified chain, or to one of the `min_redundancy` newest; one that gives no complete state
//!   is none of them as long as there are others,
//! - that is held, is a checkpoint, is not finished, or lies in the future because the clock went back,
//! - that is younger than `immutable_for`,
//! - that has no verdict, or contradicting ones, or one whose own `expires` is still to come.
//!
//! Invariant: whatever the verdicts are, no kept backup needs an expired one.

use crate::{
    backup::{BackupRecord, BackupStatus, BackupType, Verdict},
    backup_chain::{by_age_at, verified},
    id::BackupId,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// What no policy can undercut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionLimits {
    /// So many verified chains stay; 0 is as 1.
    pub min_redundancy: u32,
    /// What is younger than this stays; zero: nothing stays for its age.
    pub immutable_for: Duration,
}

/// One verdict for each backup of a job, in the order of `records`, with the reason why the host keeps what the policy
/// would expire. Verdicts for unknown backups are ignored, and so are backups that are in the trash already or were
/// never taken.
pub fn guard(
    records: &[BackupRecord],
    verdicts: &[Verdict],
    limits: RetentionLimits,
    now: Timestamp,
) -> Vec<Verdict> {
    let judged: Vec<&BackupRecord> = records
        .iter()
        .filter(|record| is_judged(record.status))
        .collect();
    let policy_verdicts = policy_verdicts(verdicts);
    let kept = kept(records, &policy_verdicts, limits, now);
    let verdict = |record: &&BackupRecord| {
        let policy_verdict = policy_verdicts.get(record.id.as_str());
        let policy = policy_verdict.map_or("", |policy_verdict| policy_verdict.reason.as_str());
        match kept.get(&record.id) {
            Some(why) if why.is_empty() => Verdict {
                id: record.id.to_string(),
                keep: true,
                reason: policy.to_owned(),
                expires: policy_verdict.and_then(|policy_verdict| policy_verdict.expires),
            },
            Some(why) => Verdict {
                id: record.id.to_string(),
                keep: true,
                reason: kept_by_host_reason(why, policy),
                expires: None,
            },
            None => Verdict {
                id: record.id.to_string(),
                keep: false,
                reason: policy.to_owned(),
                expires: None,
            },
        }
    };
    judged.iter().map(verdict).collect()
}

/// Why the host keeps one of the backups of a job where it alone is to go; none where it may.
pub(crate) fn why_kept(
    records: &[BackupRecord],
    id: &BackupId,
    limits: RetentionLimits,
    now: Timestamp,
) -> Option<String> {
    let wish = |record: &BackupRecord| Verdict {
        id: record.id.to_string(),
        keep: record.id != *id,
        reason: String::new(),
        expires: None,
    };
    let wishes: Vec<Verdict> = records.iter().map(wish).collect();
    kept(records, &policy_verdicts(&wishes), limits, now).remove(id)
}

/// What stays, and why; empty where the policy keeps it.
fn kept<'a>(
    records: &'a [BackupRecord],
    policy_verdicts: &HashMap<&str, &Verdict>,
    limits: RetentionLimits,
    now: Timestamp,
) -> BTreeMap<&'a BackupId, String> {
    let mut kept: BTreeMap<&BackupId, String> = BTreeMap::new();
    for record in records.iter().filter(|record| is_judged(record.status)) {
        let policy_verdict = policy_verdicts.get(record.id.as_str());
        if let Some(why) = inherent_reason(record, policy_verdict, limits.immutable_for, now) {
            kept.insert(&record.id, why);
        }
    }
    for (record, why) in newest_backup_chains(records, limits.min_redundancy, now) {
        kept.entry(&record.id).or_insert(why);
    }
    keep_what_is_needed(records, &mut kept);
    kept
}

/// Whether a policy is asked about a backup that stands like this.
pub fn is_judged(status: BackupStatus) -> bool {
    !matches!(status, BackupStatus::Expired | BackupStatus::Failed)
}

fn kept_by_host_reason(why: &str, policy: &str) -> String {
    match policy {
        "" => format!("kept by the host: {why}"),
        policy => format!("kept by the host: {why} (the policy: {policy})"),
    }
}

/// The policy's verdict for each backup; keep wins where there are several.
fn policy_verdicts(verdicts: &[Verdict]) -> HashMap<&str, &Verdict> {
    let mut policy_verdicts: HashMap<&str, &Verdict> = HashMap::new();
    for verdict in verdicts {
        let policy_verdict = policy_verdicts.entry(&verdict.id).or_insert(verdict);
        if verdict.keep && !policy_verdict.keep {
            *policy_verdict = verdict;
        }
    }
    policy_verdicts
}

/// Whether a backup is too young to go, whoever wishes it; one from the future is.
pub fn is_immutable(record: &BackupRecord, immutable_for: Duration, now: Timestamp) -> bool {
    record.created_at + immutable_for > now
}

/// Why a checkpoint stays.
const NO_MATTER_OF_A_POLICY: &str =
    "it is a checkpoint, which goes by the job's `checkpoints` alone";

/// Why a backup stays whatever the others do; empty where the policy keeps it.
fn inherent_reason(
    record: &BackupRecord,
    policy_verdict: Option<&&Verdict>,
    immutable_for: Duration,
    now: Timestamp,
) -> Option<String> {
    let Some(policy_verdict) = policy_verdict else {
        let why = match record.checkpoint {
            Some(_) => NO_MATTER_OF_A_POLICY,
            None => "the policy gave no verdict",
        };
        return Some(why.to_owned());
    };
    if policy_verdict.keep {
        Some(String::new())
    } else if record.is_held_at(now) {
        Some(held_reason(record))
    } else if record.checkpoint.is_some() {
        Some(NO_MATTER_OF_A_POLICY.to_owned())
    } else if matches!(
        record.status,
        BackupStatus::Pending | BackupStatus::InProgress
    ) {
        Some("it is not finished".to_owned())
    } else if record.created_at > now {
        Some("it was taken in the future; the clock went back".to_owned())
    } else if is_immutable(record, immutable_for, now) {
        let until = record.created_at + immutable_for;
        Some(format!("it is immutable until {until} (immutable_for)"))
    } else {
        let later = policy_verdict.expires.filter(|expires| *expires > now)?;
        Some(format!("the policy says itself that it expires at {later}"))
    }
}

fn held_reason(record: &BackupRecord) -> String {
    let hold = record.hold.as_ref();
    let until = hold.and_then(|hold| hold.until);
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let why = hold.and_then(|hold| hold.reason.as_deref());
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("the operator holds it{until}{why}")
}

/// The usable members of the newest verified chains: those of full backups first, for a snapshot or an emergency
/// backup is no replacement for them; of those first the ones that give a complete state, for an incomplete one, or a selection, is none for
/// that. Those from the future come last; each of them is kept for that alone.
fn newest_backup_chains(
    records: &[BackupRecord],
    min_redundancy: u32,
    now: Timestamp,
) -> Vec<(&BackupRecord, String)> {
    let mut bases: Vec<&BackupRecord> = records
        .iter()
        .filter(|r| r.backup_type.stands_alone() && r.status == BackupStatus::Verified)
        .collect();
    let verified = verified(records);
    let gives_all: BTreeSet<&BackupId> = records
        .iter()
        .filter(|record| record.is_whole() && verified.contains(&record.id))
        .map(|record| &record.base)
        .collect();
    bases.sort_by(|a, b| {
        let is_full = |record: &BackupRecord| record.backup_type == BackupType::Full;
        let gives_all = |record: &BackupRecord| gives_all.contains(&record.id);
        is_full(b)
            .cmp(&is_full(a))
            .then_with(|| gives_all(b).cmp(&gives_all(a)))
            .then_with(|| by_age_at(now, b, a))
    });
    let count = usize::try_from(min_redundancy.max(1)).unwrap_or(usize::MAX);
    let mut members = Vec::new();
    for (place, base) in bases.into_iter().take(count).enumerate() {
        let why = match place {
            0 => "it belongs to the newest verified chain".to_owned(),
            _ => {
                format!("it belongs to one of the {count} newest verified chains (min_redundancy)")
            }
        };
        let chain = records
            .iter()
            .filter(|record| record.base == base.id && verified.contains(&record.id));
        members.extend(chain.map(|record| (record, why.clone())));
    }
    members
}

/// Adds whatever a kept backup is the difference to, link by link, and the full one that its chain starts from.
fn keep_what_is_needed<'a>(records: &'a [BackupRecord], kept: &mut BTreeMap<&'a BackupId, String>) {
    let by_id: HashMap<&BackupId, &BackupRecord> =
        records.iter().map(|record| (&record.id, record)).collect();
    let mut open: Vec<&BackupId> = kept.keys().copied().collect();
    let mut seen: BTreeSet<&BackupId> = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(record) = by_id.get(id).filter(|_| seen.insert(id)) else {
            continue;
        };
        for needed in record.parent.iter().chain([&record.base]) {
            if needed != id && !kept.contains_key(needed) {
                kept.insert(needed, format!("{id} needs it"));
            }
            open.push(needed);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

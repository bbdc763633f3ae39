//! Which chains fit into the budget.
//!
//! Invariant: a chain is kept or let go as a whole, so that what is kept can be restored and nothing is kept in vain.
//! Invariant: the newest verified chain is kept, whatever it takes, and so is one with a held backup. It is one of a full
//! backup as long as there is any: what was taken beside the schedule, of what was there before a restore say, is none that a
//! restore takes by itself.
//! Invariant: only verified chains take room from others; among them, none is kept that is older than one that is let go,
//! unless it is held, or the newest.

use mainstay_plugin_sdk::calendar::DAY;
use mainstay_plugin_sdk::retention::{Backup, BackupType, Timestamp, Verdict};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// What the backups of a job may take. The newest chains that fit are kept: a full backup and all that is taken since, or
/// one that stands alone. The newest full backup stays with its chain before any other. What lies in the trash, and what the
/// host keeps beside, is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// So many bytes, as they are stored; at least 1.
    bytes: NonZeroU64,
}

/// How long an unverified chain is waited for.
const VERIFICATION_WAIT: Timestamp = DAY;

/// Backups of one base.
type Chain<'a> = Vec<&'a Backup>;

impl Budget {
    /// One verdict for each backup, those of the newest chain first.
    pub(crate) fn verdicts(&self, backups: &[Backup], now: Timestamp) -> Vec<Verdict> {
        let budget = self.bytes.get();
        let chains = newest_first(backups);
        let first = newest_that_counts(&chains);
        let is_newest = |place: usize| first == Some(place);
        let places = chains.iter().enumerate();
        let stay = places.filter(|(place, chain)| is_held(chain) || is_newest(*place));
        // Of these the room is taken first.
        let mut used = stay.fold(0_u64, |sum, (_, chain)| sum.saturating_add(bytes_of(chain)));
        let mut is_full = used > budget;
        let mut verdicts = Vec::with_capacity(backups.len());
        for (place, chain) in chains.iter().enumerate() {
            if is_held(chain) {
                verdicts.extend(keep(
                    chain,
                    "it, or one of its chain, is held by the operator",
                ));
                continue;
            }
            if is_newest(place) {
                let reason = match used <= budget {
                    true => format!("{used} of {budget} bytes, with what is newer or held"),
                    false => format!(
                        "the newest chain, though with what is held it takes {used} bytes, more than {budget}"
                    ),
                };
                verdicts.extend(keep(chain, &reason));
                continue;
            }
            if !is_verified(chain) {
                verdicts.extend(unverified(chain, now));
                continue;
            }
            let with_it = used.saturating_add(bytes_of(chain));
            // The newest full backup may be an older one.
            let beside = match first {
                Some(first) if place < first => "the newest full backup and ",
                _ => "",
            };
            if with_it <= budget && !is_full {
                let reason =
                    format!("{with_it} of {budget} bytes, with {beside}what is newer or held");
                verdicts.extend(keep(chain, &reason));
                used = with_it;
            } else {
                let reason = match is_full {
                    true if beside.is_empty() => {
                        format!("a newer chain already goes beyond the {budget} bytes")
                    }
                    true => {
                        format!("what goes before it already goes beyond the {budget} bytes")
                    }
                    false => format!(
                        "with {beside}what is newer or held it takes {with_it} bytes, more than {budget}"
                    ),
                };
                verdicts.extend(let_go(chain, &reason));
                is_full = true;
            }
        }
        verdicts
    }
}

/// The place of the newest verified chain of a full backup, or of the newest verified one at all.
fn newest_that_counts(chains: &[Chain<'_>]) -> Option<usize> {
    let is_full = |chain: &Chain<'_>| is_verified(chain) && is_of_full(chain);
    let of_full = chains.iter().position(is_full);
    of_full.or_else(|| chains.iter().position(|chain| is_verified(chain)))
}

/// The chains, that with the newest backup first.
fn newest_first(backups: &[Backup]) -> Vec<Chain<'_>> {
    let mut chains: BTreeMap<&str, Chain<'_>> = BTreeMap::new();
    for backup in backups {
        chains.entry(&backup.base).or_default().push(backup);
    }
    let mut chains: Vec<Chain<'_>> = chains.into_values().collect();
    chains.sort_by(|a, b| newest(b).cmp(&newest(a)));
    chains
}

/// When the newest backup of a chain was taken, and its identifier.
fn newest<'a>(chain: &[&'a Backup]) -> Option<(Timestamp, &'a str)> {
    let backups = chain.iter().copied();
    backups
        .map(|backup| (backup.created_at, backup.id.as_str()))
        .max()
}

fn bytes_of(chain: &[&Backup]) -> u64 {
    chain
        .iter()
        .fold(0, |sum, backup| sum.saturating_add(backup.stored_bytes))
}

fn is_held(chain: &[&Backup]) -> bool {
    chain.iter().any(|backup| backup.held)
}

/// Whether what the chain starts from was read back and found right.
fn is_verified(chain: &[&Backup]) -> bool {
    chain
        .iter()
        .any(|backup| backup.id == backup.base && backup.verified_at.is_some())
}

fn is_of_full(chain: &[&Backup]) -> bool {
    chain
        .iter()
        .any(|backup| backup.id == backup.base && matches!(backup.type_, BackupType::Full))
}

fn keep(chain: &[&Backup], reason: &str) -> Vec<Verdict> {
    let verdict = |backup: &&Backup| Verdict::keep(backup, reason);
    chain.iter().map(verdict).collect()
}

fn let_go(chain: &[&Backup], reason: &str) -> Vec<Verdict> {
    let verdict = |backup: &&Backup| Verdict::expire(backup, reason);
    chain.iter().map(verdict).collect()
}

/// A chain whose start was not read back yet, or was found wrong.
fn unverified(chain: &[&Backup], now: Timestamp) -> Vec<Verdict> {
    let taken = newest(chain).map_or(0, |(taken, _)| taken);
    let until = taken.saturating_add(VERIFICATION_WAIT);
    let verdicts = match now < until {
        true => keep(chain, "what its chain starts from is not verified yet"),
        false => let_go(
            chain,
            "what its chain starts from was not verified within a day",
        ),
    };
    let at_its_time = verdicts
        .into_iter()
        .map(|verdict| verdict.expires_at(until));
    at_its_time.collect()
}

#[cfg(test)]
mod tests;

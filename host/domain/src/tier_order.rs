//! Where a backup is stored: in the first tier of these that takes it.

use crate::{
    backup::BackupType,
    name::TierName,
    spec::{JobSpec, TierRole, TierSpec},
};
use std::collections::BTreeMap;

/// The tiers for a backup of a job, the one that is wanted first; at least one. What the job does not say is as in seed 003:
/// a full backup goes to the tiers with the role `cloud`, a differential one to those with the role `network`, each by name,
/// and both else to the state directory, as every other does.
pub fn tier_order(
    job: &JobSpec,
    tiers: &BTreeMap<TierName, TierSpec>,
    backup_type: BackupType,
) -> Vec<TierName> {
    if let Some(said) = job.tiers.get(&backup_type).filter(|said| !said.is_empty()) {
        return said.clone();
    }
    let role = match backup_type {
        BackupType::Full => Some(TierRole::Cloud),
        BackupType::Differential => Some(TierRole::Network),
        BackupType::Incremental | BackupType::Snapshot | BackupType::Emergency => None,
    };
    // The one in the state directory is wanted last, wherever it is.
    let fitting = tiers
        .iter()
        .filter(|(name, tier)| !name.is_local() && Some(tier.role) == role);
    let mut order: Vec<TierName> = fitting.map(|(name, _)| name.clone()).collect();
    order.push(TierName::local());
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::JobName,
        spec::{
            HookSpec, ProofSchedules, ReadingSpec, RestoreDrillSpec, SealingSpec, StartSpec,
            TierPlaceSpec,
        },
    };

    fn job(said: &[(BackupType, &[&str])]) -> JobSpec {
        let names = |names: &[&str]| {
            let names = names.iter().map(|name| TierName::parse(name).unwrap());
            names.collect::<Vec<_>>()
        };
        JobSpec {
            name: JobName::parse("state").unwrap(),
            sources: Vec::new(),
            reading: ReadingSpec::default(),
            after: Vec::new(),
            full: None,
            differential: None,
            incremental: None,
            rpo: None,
            stale_after: None,
            compression: 3,
            shrink_guard: None,
            hooks: HookSpec::default(),
            retention: None,
            checkpoints: None,
            proofs: ProofSchedules::default(),
            drill: RestoreDrillSpec::default(),
            sealing: SealingSpec::default(),
            starts: StartSpec::default(),
            archive: None,
            tiers: said.iter().map(|(of, to)| (*of, names(to))).collect(),
        }
    }

    #[track_caller]
    fn check(job: &JobSpec, roles: &[(&str, TierRole)], of: BackupType, expected: &[&str]) {
        let tiers = roles.iter().map(|(name, role)| {
            let tier = TierSpec {
                place: TierPlaceSpec::Directory(format!("/{name}").into()),
                role: *role,
                bandwidth: Vec::new(),
            };
            (TierName::parse(name).unwrap(), tier)
        });
        let found = tier_order(job, &tiers.collect(), of);
        let found: Vec<&str> = found.iter().map(TierName::as_str).collect();
        assert_eq!(found, expected, "{of}");
    }

    #[test]
    fn without_a_word_of_the_job_it_is_as_the_seed_has_it() {
        use BackupType::{Differential, Emergency, Full, Incremental, Snapshot};
        let all = [
            ("cold", TierRole::Archive),
            ("nas", TierRole::Network),
            ("offsite", TierRole::Cloud),
        ];
        let silent = job(&[]);
        check(&silent, &all, Full, &["offsite", "local"]);
        check(&silent, &all, Differential, &["nas", "local"]);
        for of in [Incremental, Snapshot, Emergency] {
            check(&silent, &all, of, &["local"]);
        }
        for of in BackupType::ALL {
            check(&silent, &all[..1], of, &["local"]);
            check(&silent, &[], of, &["local"]);
        }
        check(&silent, &all[..2], Full, &["local"]);
        let elsewhere = [("local", TierRole::Network), ("nas", TierRole::Network)];
        check(&silent, &elsewhere, Differential, &["nas", "local"]);
    }

    #[test]
    fn what_the_job_says_goes_first_and_of_its_type_only() {
        let all = [("nas", TierRole::Network), ("offsite", TierRole::Cloud)];
        let said = job(&[(BackupType::Full, &["nas", "offsite"])]);
        check(&said, &all, BackupType::Full, &["nas", "offsite"]);
        check(&said, &all, BackupType::Differential, &["nas", "local"]);
    }
}

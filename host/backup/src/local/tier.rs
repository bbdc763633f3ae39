//! The stores of a job in other tiers than that of the state directory.
//!
//! Each has a mark, `store.json`, as the one in the state directory has; `tier-NAME.json` beside that one is a copy of it. So a
//! tier whose disk is not mounted, or is another one, is told from one where nothing was stored yet.
//!
//! Invariant: the directory of a tier, or its bucket, is never made here, and no store begins in one where a known store is not.
//! Invariant: no backup is wrong because a tier is not there; then it is not known.
//! Invariant: no host takes a store for its own of which it trusts no backup: another may be at work in it.
//!
//! Length: when a store in a tier begins, is known again and is taken up is one set of rules.

use super::{
    error::unavailable,
    files::{Layout, create_private_dir, names_in, remove_file, write_create_only},
    no_manifest,
    place::Place,
    regular::read_manifest,
    spot::{Spot, is_of_the_way},
    store::{self, FORMAT, Mark},
};
use crate::port::{BackupStoreError, UnwellTier};
use mainstay_domain::{
    archive::Manifest,
    id::BackupId,
    name::{JobName, TierName},
    time::Timestamp,
};
use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    iter,
    sync::Arc,
};

/// The other tiers in which backups of a job were stored.
pub(super) fn noted(layout: &Layout, job: &JobName) -> Result<Vec<TierName>, BackupStoreError> {
    let names = names_in(&layout.job(job))?;
    let tiers = names.iter().filter_map(|name| {
        let name = name.strip_prefix("tier-")?.strip_suffix(".json")?;
        TierName::parse(name).ok()
    });
    Ok(tiers.collect())
}

/// Whether every other tier is there in which backups of a job were stored.
pub(super) fn check_noted(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    for tier in noted(layout, job)? {
        check_there(layout, job, &tier)?;
    }
    Ok(())
}

/// An error where a change of a tier in which backups of a job were stored was given up and may still come.
pub(super) fn check_over(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    for tier in noted(layout, job)? {
        if let Some(place) = layout.other(&tier) {
            let over = place.mark(job).check_over();
            over.map_err(unavailable("cannot tell what is in", &place.shown()))?;
        }
    }
    Ok(())
}

/// What is missing may be where nobody can look now: then that is the error.
pub(super) fn unless_away(
    layout: &Layout,
    job: &JobName,
    error: BackupStoreError,
) -> BackupStoreError {
    match error {
        BackupStoreError::Corrupted { .. } => match check_noted(layout, job) {
            Ok(()) => error,
            Err(away) => away,
        },
        error => error,
    }
}

/// The store of a job in a tier that is known, where it is there and the same.
pub(super) fn check_there(
    layout: &Layout,
    job: &JobName,
    tier: &TierName,
) -> Result<Arc<dyn Place>, BackupStoreError> {
    let other = existing(layout, job, tier)?;
    let note = layout.note(job, tier);
    let known = read_manifest(&note).map_err(unavailable("cannot read", &note))?;
    let mark = other.mark(job);
    let path = mark.shown();
    let what = match mark.read_manifest() {
        Ok(found) if found == known => return Ok(other),
        Ok(_) => "is that of another store",
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            "is not there"
        }
        Err(error) => return Err(unavailable("cannot read", &path)(error)),
    };
    Err(BackupStoreError::Unavailable(format!(
        "the backups of job {job} in the tier {tier} are known and not where they were stored: {} {what}; {}; \
         where it is lost for good, remove {}, and a new store begins there",
        path.display(),
        other.way_back(tier),
        note.display()
    )))
}

fn existing(
    layout: &Layout,
    job: &JobName,
    tier: &TierName,
) -> Result<Arc<dyn Place>, BackupStoreError> {
    layout.other(tier).ok_or_else(|| {
        BackupStoreError::Unavailable(format!(
            "backups of job {job} belong in the tier {tier}, and the config has none of that name; put [tier.{tier}] back; where \
             what it holds is lost for good, remove {}",
            layout.note(job, tier).display()
        ))
    })
}

/// The store of a job in a tier, for a backup that is to be stored there; it begins where there is none yet. The store in the
/// state directory is marked.
pub(super) fn begin(
    layout: &Layout,
    job: &JobName,
    tier: &TierName,
    began_with: &BackupId,
) -> Result<Arc<dyn Place>, BackupStoreError> {
    if layout.is_noted(job, tier) {
        return check_there(layout, job, tier);
    }
    let other = existing(layout, job, tier)?;
    other.check_there(tier)?;
    let path = store::path(layout, job);
    let Some(home) = store::read_mark(&layout.spot(path.clone()))? else {
        return Err(BackupStoreError::Unavailable(format!(
            "{} is not there, and it says whose the store in the tier {tier} is",
            path.display()
        )));
    };
    other.make_job(job)?;
    if store::read_mark(&other.mark(job))?.is_none() {
        let mark = Mark {
            format: FORMAT,
            began_with: began_with.clone(),
            job: job.clone(),
            home: Some(home.began_with.clone()),
        };
        store::write_mark(&other.mark(job), &mark)?;
    }
    take_note(layout, job, tier, other.as_ref(), &home.began_with)?;
    Ok(other)
}

/// Notes the store in a tier, where it is that of this host's job.
fn take_note(
    layout: &Layout,
    job: &JobName,
    tier: &TierName,
    other: &dyn Place,
    home: &BackupId,
) -> Result<(), BackupStoreError> {
    let spot = other.mark(job);
    let path = spot.shown();
    let bytes = spot
        .read_manifest()
        .map_err(unavailable("cannot read", &path))?;
    let mark = store::parse_mark(&path, &bytes)?;
    let of = mark.home.as_ref().unwrap_or(&mark.began_with);
    if of != home {
        return Err(foreign(
            job,
            tier,
            other,
            &format!("a store that began with {of}"),
        ));
    }
    check_mark(job, tier, other, &mark)?;
    let note = layout.note(job, tier);
    // A crash may have left it half written.
    remove_file(&note.with_extension("json.partial"))?;
    write_create_only(&note, &bytes)
}

/// Whether a mark in a tier is one of this job, as this host reads them.
fn check_mark(
    job: &JobName,
    tier: &TierName,
    other: &dyn Place,
    mark: &Mark,
) -> Result<(), BackupStoreError> {
    if mark.format > FORMAT {
        let what = format!(
            "format {}, and this mainstay writes up to {FORMAT}",
            mark.format
        );
        return Err(foreign(job, tier, other, &what));
    }
    match &mark.job == job {
        true => Ok(()),
        false => Err(foreign(job, tier, other, &format!("job {}", mark.job))),
    }
}

fn foreign(job: &JobName, tier: &TierName, other: &dyn Place, what: &str) -> BackupStoreError {
    BackupStoreError::Unavailable(format!(
        "the store in {} is not that of job {job} of this host: its store.json says {what}; give each host a place of its own \
         as `path` or `url` of [tier.{tier}]",
        other.shown().join(job.as_str()).display()
    ))
}

/// The stores of a job in other tiers, those among them that were not known too: for a host whose state directory was lost.
/// `known` are the backups of which the catalog knows.
pub(super) fn take_up(
    layout: &Layout,
    job: &JobName,
    known: &BTreeSet<BackupId>,
) -> Vec<(TierName, Arc<dyn Place>)> {
    let mut found = Vec::new();
    for (tier, other) in layout.others() {
        match belongs(layout, job, &tier, other.as_ref(), known) {
            Ok(true) => found.push((tier, other)),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%job, %tier, %error, "what is stored in a tier cannot be taken up now");
            }
        }
    }
    found
}

fn belongs(
    layout: &Layout,
    job: &JobName,
    tier: &TierName,
    other: &dyn Place,
    known: &BTreeSet<BackupId>,
) -> Result<bool, BackupStoreError> {
    if layout.is_noted(job, tier) {
        return check_there(layout, job, tier).map(|_| true);
    }
    let Some(mark) = store::read_mark(&other.mark(job))? else {
        return Ok(false);
    };
    let path = store::path(layout, job);
    let home = match store::read_mark(&layout.spot(path.clone()))? {
        Some(home) => home.began_with,
        None => {
            check_mark(job, tier, other, &mark)?;
            let is_allowed = path.try_exists().unwrap_or(false);
            if !is_allowed && holds_known(other, job, known)? {
                // What is not mounted is not begun anew.
                store::check_there(layout, job)?;
            }
            if is_foreign(layout, job, other)? {
                // Each backup in it is told to be left out.
                return Ok(true);
            }
            let home = mark.home.unwrap_or(mark.began_with);
            create_private_dir(&layout.job(job))?;
            // An empty one is a person's word that a store may begin.
            remove_file(&path)?;
            let mark = Mark {
                format: FORMAT,
                began_with: home.clone(),
                job: job.clone(),
                home: None,
            };
            store::write_mark(&layout.spot(path), &mark)?;
            home
        }
    };
    take_note(layout, job, tier, other, &home)?;
    Ok(true)
}

/// Whether this host, that has no store of the job yet, trusts no manifest of one in a tier: it is another host's, which may be at
/// work in it. One without any, or with such as are damaged, may be its own. An error where nobody can tell now.
fn is_foreign(layout: &Layout, job: &JobName, other: &dyn Place) -> Result<bool, BackupStoreError> {
    let (mut is_untrusted, mut unread) = (false, None);
    for (spot, _) in other.manifests_here(job)? {
        let manifest = match spot.read_manifest() {
            Ok(bytes) => Manifest::from_bytes(&bytes).ok(),
            Err(error) if error.kind() != ErrorKind::NotFound && is_of_the_way(&error) => {
                unread = Some(unavailable("cannot read", &spot.shown())(error));
                None
            }
            Err(_) => None,
        };
        let Some(manifest) = manifest else {
            continue;
        };
        match layout.keys().check_unknown(&manifest) {
            Ok(()) => return Ok(false),
            Err(BackupStoreError::Untrusted { .. }) => is_untrusted = true,
            Err(BackupStoreError::Corrupted { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    unread.map_or(Ok(is_untrusted), Err)
}

fn holds_known(
    other: &dyn Place,
    job: &JobName,
    known: &BTreeSet<BackupId>,
) -> Result<bool, BackupStoreError> {
    let manifests = other.manifests_here(job)?;
    let paths = manifests.iter().map(|(spot, _)| spot.shown());
    let mut ids = paths.filter_map(|path| BackupId::parse(path.file_stem()?.to_str()?).ok());
    Ok(ids.any(|id| known.contains(&id)))
}

/// The tiers that hold any file of a backup. None where it is gone; an error where it may be in one that is not there.
pub(super) fn holders(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
) -> Result<Vec<Arc<dyn Place>>, BackupStoreError> {
    let found = layout.holders(job, id)?;
    if found.is_empty() {
        check_noted(layout, job)?;
    }
    Ok(found)
}

/// The tiers that did not take the last backup that was brought to them, as it was noted then. Nobody is asked, nor the config.
pub(super) fn unwell(layout: &Layout, now: Timestamp) -> Vec<UnwellTier> {
    let circuits = layout.circuits().lock();
    let unwell = circuits.iter().filter_map(|(tier, circuit)| {
        let (failed_at, why) = circuit.last_failure()?;
        Some(UnwellTier {
            tier: tier.clone(),
            failed_at,
            why: why.to_owned(),
            rests_until: circuit.open_until(now).map(|(until, _)| until),
        })
    });
    let mut unwell: Vec<UnwellTier> = unwell.collect();
    unwell.sort_by(|one, other| one.tier.cmp(&other.tier));
    unwell
}

/// The jobs that have a store in any tier.
pub(super) fn jobs(layout: &Layout) -> Result<Vec<JobName>, BackupStoreError> {
    let mut jobs: BTreeSet<JobName> = layout.jobs()?.into_iter().collect();
    for (tier, other) in layout.others() {
        match other.jobs_here() {
            Ok(found) => {
                let is_store = |job: &JobName| other.mark(job).try_exists().unwrap_or(false);
                jobs.extend(found.into_iter().filter(is_store));
            }
            Err(error) => {
                tracing::error!(%tier, %error, "what a tier holds cannot be listed now");
            }
        }
    }
    Ok(jobs.into_iter().collect())
}

/// Removes what a crash left of a job in each tier that is there; what could not be, and what lies there without its manifest.
pub(super) fn sweep(
    layout: &Layout,
    job: &JobName,
    known: &BTreeSet<BackupId>,
) -> Vec<BackupStoreError> {
    let tiers = noted(layout, job).unwrap_or_default();
    let others = tiers.iter().map(|tier| check_there(layout, job, tier));
    let mut problems = Vec::new();
    let here: Arc<dyn Place> = Arc::new(layout.clone());
    for place in iter::once(Ok(here)).chain(others) {
        match place.and_then(|place| Ok((place.sweep_here(job, known)?, place))) {
            Ok((without, place)) => {
                let settled = without
                    .into_iter()
                    .map(|id| without_manifest(layout, job, id, place.as_ref()));
                problems.extend(settled.filter_map(Result::err));
            }
            Err(error) => problems.push(error),
        }
    }
    problems
}

/// What lies in a tier without its manifest is a leftover where the backup is whole in another. Where it is whole in the same
/// one, in the trash, it stays: there a deletion would take both.
fn without_manifest(
    layout: &Layout,
    job: &JobName,
    id: BackupId,
    place: &dyn Place,
) -> Result<(), BackupStoreError> {
    let (archive, manifest) = layout.find(job, &id)?;
    let there = place.shown().join(job.as_str());
    match is_whole(&archive, &manifest)? {
        true if archive.shown().starts_with(&there) => Ok(()),
        true => place.delete_here(job, &id),
        false if manifest.try_exists()? => Err(BackupStoreError::Corrupted {
            what: format!(
                "its archive is not beside its manifest as long as it was stored, and what lies of it in {} has none; where that \
                 is right, move it to {}",
                there.display(),
                archive.shown().display()
            ),
            id,
        }),
        false => Err(unless_away(layout, job, no_manifest(id))),
    }
}

/// Whether an archive is there as long as its manifest says. What is in the way of a look is no answer.
fn is_whole(archive: &Spot, manifest: &Spot) -> Result<bool, BackupStoreError> {
    let looked = |error: io::Error, at: &Spot| match is_of_the_way(&error) {
        true if error.kind() != ErrorKind::NotFound => {
            Err(unavailable("cannot read", &at.shown())(error))
        }
        _ => Ok(false),
    };
    let bytes = match manifest.read_manifest() {
        Ok(bytes) => bytes,
        Err(error) => return looked(error, manifest),
    };
    let Ok(manifest) = Manifest::from_bytes(&bytes) else {
        return Ok(false);
    };
    match archive.length() {
        Ok(length) => Ok(length == manifest.stored_bytes),
        Err(error) => looked(error, archive),
    }
}

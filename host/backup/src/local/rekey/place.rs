//! How what was encrypted anew takes the place of what was there.
//!
//! Invariant: it may be begun by one and finished by another, twice, and at once.

use super::{
    super::{
        durable,
        error::unavailable,
        files::{
            ARCHIVES, Layout, ignore_not_found, names_in, remove_file, sync_dir, write_create_only,
        },
        judge::is_fixed,
        lane::Lane,
        regular::read_manifest,
        spot::{change, look},
        tier::{check_there, noted as noted_tiers},
    },
    Link,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{Encryption, Manifest},
    id::BackupId,
    name::{JobName, TierName},
};
use std::{
    fs,
    io::ErrorKind,
    iter,
    path::{Path, PathBuf},
};

/// Says that the new ones are whole; each line names a backup.
const NOTE: &str = "rekeying";
/// In the name of what is to take the place of another file, after the identifier.
const MARK: &str = ".rekeyed";
const PARTIAL: &str = ".partial";

/// The name of what is to take the place of a file of a backup.
pub(super) fn staged_at(target: &Path, id: &BackupId) -> PathBuf {
    let name = target.file_name().and_then(|name| name.to_str());
    let suffix = name.and_then(|name| name.strip_prefix(id.as_str()));
    target.with_file_name(format!("{id}{MARK}{}{PARTIAL}", suffix.unwrap_or_default()))
}

/// Whose place it is to take: the backup, and the name.
fn target_of(name: &str) -> Option<(&str, String)> {
    let (id, suffix) = name.strip_suffix(PARTIAL)?.split_once(MARK)?;
    Some((id, format!("{id}{suffix}")))
}

/// Of what is built on one full backup, what would be encrypted anew and is left, each with why, where any of it is in a bucket:
/// an object cannot take the place of another at once with those that name it.
pub(super) fn left_for_a_bucket(links: &[Link]) -> Option<Vec<String>> {
    let there = links.iter().find(|link| link.directory.is_none())?;
    let there = there.archive.shown();
    let anew = links.iter().filter(|link| link.opening.is_some());
    let left = anew.map(|link| {
        format!(
            "backup {} is left as it is: of its chain {} is in a bucket, where nothing is encrypted anew; it can be opened as \
             before until it expires",
            link.manifest.id,
            there.display()
        )
    });
    Some(left.collect())
}

/// The same, where any of it gives up no name: what is noted could not be put in place, and before it is nothing of the job is read.
pub(super) fn left_where_fixed(links: &[Link]) -> Option<Vec<String>> {
    let fixed = links.iter().find_map(|link| {
        let directory = link.directory.as_ref()?;
        let manifest = directory.join(format!("{}.json", link.manifest.id));
        let files = [directory.clone(), link.archive.shown(), manifest];
        files.into_iter().find(|path| {
            let fixed = look(link.archive.lane(), path, |path| Ok(is_fixed(path)));
            // Who does not answer is told of by who changes something there.
            fixed.unwrap_or(false)
        })
    })?;
    let anew = links.iter().filter(|link| link.opening.is_some());
    let left = anew.map(|link| {
        format!(
            "backup {} is left as it is: of its chain {} is immutable, or append-only, and nothing can take its place; change that \
             with `chattr -i -a` and rekey again",
            link.manifest.id,
            fixed.display()
        )
    });
    Some(left.collect())
}

pub(super) fn note_of(layout: &Layout, job: &JobName) -> PathBuf {
    layout.job(job).join(NOTE)
}

/// From here on there is no way back.
pub(super) fn note(layout: &Layout, job: &JobName, ids: &[String]) -> Result<(), BackupStoreError> {
    let path = note_of(layout, job);
    // A crash may have left it half written.
    remove_file(&path.with_extension("partial"))?;
    write_create_only(&path, ids.join("\n").as_bytes())
}

/// Removes what another rekey left before it was noted, wherever it lies: it would take a place once this one is noted. An error
/// where not all is there now that may hold something of the job: then nothing may be noted, as it could not be put in place, and
/// until it is nothing of the job is read or changed.
pub(super) fn make_ready(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let is_left = |name: &String| {
        let target = target_of(name);
        target.is_some_and(|(id, _)| BackupId::parse(id).is_ok())
    };
    for (directory, lane) in directories(layout, job)? {
        let mut names = listed(&directory, lane.as_ref())?;
        names.retain(is_left);
        if !names.is_empty() {
            change(lane.as_ref(), &directory, move |directory| {
                let mut left = names.iter().map(|name| directory.join(name));
                left.try_for_each(|path| remove_file(&path))
            })?;
        }
    }
    Ok(())
}

/// The names in a directory of a tier.
fn listed(directory: &Path, lane: Option<&Lane>) -> Result<Vec<String>, BackupStoreError> {
    let listed = look(lane, directory, |directory| Ok(names_in(directory)));
    listed.map_err(unavailable("cannot list", directory))?
}

/// The directories that may hold something of a job, each with the lane that it is asked in, where each tier is there in which
/// backups of it were stored. What one holds that is away has to wait for it. A bucket holds nothing of it.
fn directories(
    layout: &Layout,
    job: &JobName,
) -> Result<Vec<(PathBuf, Option<Lane>)>, BackupStoreError> {
    let buckets: Vec<TierName> = layout
        .others()
        .into_iter()
        .filter(|(_, place)| place.directory().is_none())
        .map(|(tier, _)| tier)
        .collect();
    let known = noted_tiers(layout, job)?;
    for tier in &known {
        if !buckets.contains(tier) {
            check_there(layout, job, tier)?;
        }
    }
    // One that does not answer, and no backup of the job was stored in, holds nothing of it. Any other one is asked, and fails: what is
    // noted would not be put in place there, and be noted no more.
    let others = layout.other_directories().into_iter();
    let others = others.filter_map(|(tier, lane)| {
        let root = tier.root().to_owned();
        let may_hold =
            known.contains(tier.name()) || lane.look(move || drop(fs::read_dir(root))).is_ok();
        may_hold.then_some((tier, Some(lane)))
    });
    let places = iter::once((layout.clone(), None)).chain(others);
    let directories = places.flat_map(|(place, lane)| {
        let both = [place.job(job), place.trash_of(job)];
        both.map(|directory| (directory, lane.clone()))
    });
    Ok(directories.collect())
}

/// Puts what is noted in its place. It may be done twice, and at once.
pub(in crate::local) fn finish(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let note = note_of(layout, job);
    let noted = match read_manifest(&note) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        noted => noted.map_err(unavailable("cannot read", &note))?,
    };
    let noted = String::from_utf8_lossy(&noted).into_owned();
    for (directory, lane) in directories(layout, job)? {
        let names = listed(&directory, lane.as_ref())?;
        if names.is_empty() {
            continue;
        }
        let noted = noted.clone();
        change(lane.as_ref(), &directory, move |directory| {
            let ids: Vec<&str> = noted.lines().collect();
            put_in_place(directory, &names, &ids)
        })?;
    }
    remove_file(&note)?;
    sync_dir(&layout.job(job))
}

fn put_in_place(directory: &Path, names: &[String], ids: &[&str]) -> Result<(), BackupStoreError> {
    let staged = names
        .iter()
        .filter_map(|name| Some((name, target_of(name)?)))
        .filter(|(_, (id, _))| ids.contains(id));
    for (name, (_, target)) in staged {
        let (from, to) = (directory.join(name), directory.join(target));
        ignore_not_found(durable::rename(&from, &to)).map_err(unavailable("cannot make", &to))?;
    }
    sync_dir(directory)?;
    // What was in plain and is encrypted now, or the other way round, has another name.
    for id in ids {
        let path = directory.join(format!("{id}.json"));
        let Some(manifest) = read_manifest(&path)
            .ok()
            .and_then(|bytes| Manifest::from_bytes(&bytes).ok())
        else {
            continue;
        };
        let [plain, sealed] = ARCHIVES.map(|suffix| directory.join(format!("{id}{suffix}")));
        let (is_there, other) = match manifest.encryption {
            Encryption::None => (plain, sealed),
            Encryption::Age { .. } => (sealed, plain),
        };
        if is_there.exists() {
            remove_file(&other)?;
        }
    }
    sync_dir(directory)
}

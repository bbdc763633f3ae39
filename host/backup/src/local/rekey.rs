//! Encrypts what is stored to other recipients.
//!
//! age writes no other header before content that is encrypted already, so that a whole archive is opened and sealed again, piece
//! by piece; what is compressed in it stays as it is. What was built on a backup names its manifest by hash, so that all of one
//! full backup change together: archives and manifests are written beside the old ones, whole and durable; then a note says so,
//! and from there on the new ones take the place of the old, by this process or by the next.
//!
//! Invariant: before the note all is as it was, and after it nothing of the job is read or changed before all is as it is to be.
//! Invariant: a manifest is signed anew only where it counts, and was that of its place in the chain.
//! Invariant: what lies in a tier that may not answer is looked at and changed in its lane alone.
//! Invariant: nothing of what is built on one full backup changes where any of it is in a bucket: objects are not renamed.

mod anew;
mod output;
mod place;

pub(super) use place::finish;

use super::{
    durable,
    error::unavailable,
    files::{Layout, create_private, remove_file, sync_dir},
    lane::Lane,
    no_manifest,
    read::{known_manifest, opening},
    seal::Opening,
    spot::{Spot, change},
    tier,
};
use crate::port::{BackupStoreError, OnProgress, Progress, RekeyedBackups};
use anew::{is_same, seal_anew};
use mainstay_domain::{
    archive::{ContentHash, Encryption, Manifest, ParentLink},
    id::BackupId,
    name::JobName,
};
use place::{left_for_a_bucket, left_where_fixed, make_ready, note, note_of, staged_at};
use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// A backup that is looked at.
struct Link {
    manifest: Manifest,
    hash: ContentHash,
    /// Where it is: in its place or in the trash of a tier. None: in a bucket.
    directory: Option<PathBuf>,
    archive: Spot,
    /// What opens it, where it is to be sealed again.
    opening: Option<Opening>,
}

/// What was written and is not in place yet.
#[derive(Default)]
struct Staged {
    ids: Vec<String>,
    /// Each with the lane that it is changed in.
    files: Vec<(PathBuf, Option<Lane>)>,
    directories: BTreeMap<PathBuf, Option<Lane>>,
}

/// Encrypts those of these backups, which are all of one full one, that are not encrypted so.
pub(super) fn rekey(
    layout: &Layout,
    stop: &CancellationToken,
    (job, ids): (&JobName, &[BackupId]),
    to: &Encryption,
    dry_run: bool,
    progress: &OnProgress,
) -> Result<RekeyedBackups, BackupStoreError> {
    if !dry_run {
        // One of two copies could still go, and the other would be as it was.
        tier::check_over(layout, job)?;
    }
    let mut found = RekeyedBackups::default();
    let mut links = Vec::new();
    for id in ids {
        match link_of(layout, job, id, to, &mut found.left) {
            Ok(link) => links.push(link),
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => found.left.push(error.to_string()),
        }
    }
    let links = parents_first(links);
    let anew = || links.iter().filter(|link| link.opening.is_some());
    if let Some(left) = left_for_a_bucket(&links).or_else(|| left_where_fixed(&links)) {
        found.left.extend(left);
        return Ok(found);
    }
    if dry_run || anew().next().is_none() {
        found.sealed = anew().map(|link| link.manifest.clone()).collect();
        return Ok(found);
    }
    make_ready(layout, job)?;
    let mut staged = Staged::default();
    let done = stage(
        layout,
        stop,
        &links,
        to,
        progress,
        (&mut staged, &mut found),
    );
    let noted = done.and_then(|()| match staged.ids.is_empty() {
        true => Ok(()),
        false => note(layout, job, &staged.ids),
    });
    if let Err(error) = noted {
        // Where it may be noted, what was written is needed.
        if !note_of(layout, job).try_exists().unwrap_or(true) {
            for (path, lane) in &staged.files {
                if let Err(error) = change(lane.as_ref(), path, remove_file) {
                    tracing::warn!(%job, %error, "what is left of it is removed at the next start");
                }
            }
        }
        return Err(error);
    }
    finish(layout, job)?;
    Ok(found)
}

fn link_of(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    to: &Encryption,
    left: &mut Vec<String>,
) -> Result<Link, BackupStoreError> {
    let manifest = known_manifest(layout, job, id)?.ok_or_else(|| no_manifest(id.clone()))?;
    let opening = match is_same(&manifest.encryption, to) {
        true => None,
        false => match opening(layout, &manifest) {
            Ok(opening) => Some(opening),
            Err(BackupStoreError::Locked(why)) => {
                left.push(why);
                None
            }
            Err(error) => return Err(error),
        },
    };
    let (archive, path) = layout.find(job, id)?;
    let directory = path.directory().map(Path::to_owned);
    let hash = hash_of(&manifest)?;
    Ok(Link {
        manifest,
        hash,
        directory,
        archive,
        opening,
    })
}

fn hash_of(manifest: &Manifest) -> Result<ContentHash, BackupStoreError> {
    let hash = manifest.hash();
    hash.map_err(|error| BackupStoreError::Unavailable(error.to_string()))
}

fn parents_first(links: Vec<Link>) -> Vec<Link> {
    let parents: HashMap<BackupId, Option<BackupId>> = links
        .iter()
        .map(|link| {
            let parent = link
                .manifest
                .parent
                .as_ref()
                .map(|parent| parent.id.clone());
            (link.manifest.id.clone(), parent)
        })
        .collect();
    let depth = |link: &Link| {
        let mut at = Some(&link.manifest.id);
        // No chain is longer than there are links, whatever they say.
        (0..parents.len())
            .take_while(|_| {
                at = at.and_then(|id| parents.get(id)).and_then(Option::as_ref);
                at.is_some()
            })
            .count()
    };
    let mut links: Vec<(usize, Link)> =
        links.into_iter().map(|link| (depth(&link), link)).collect();
    links.sort_by_key(|(depth, _)| *depth);
    links.into_iter().map(|(_, link)| link).collect()
}

/// Writes what is to be in the place of what is there, beside it.
fn stage(
    layout: &Layout,
    stop: &CancellationToken,
    links: &[Link],
    to: &Encryption,
    progress: &OnProgress,
    (staged, found): (&mut Staged, &mut RekeyedBackups),
) -> Result<(), BackupStoreError> {
    let anew = || links.iter().filter(|link| link.opening.is_some());
    let mut done = Progress {
        total: Some(anew().map(|link| link.manifest.documents).sum()),
        total_bytes: Some(anew().map(|link| link.manifest.stored_bytes).sum()),
        ..Progress::default()
    };
    let before: HashMap<&BackupId, ContentHash> = links
        .iter()
        .map(|link| (&link.manifest.id, link.hash))
        .collect();
    let mut after: HashMap<&BackupId, ContentHash> = HashMap::new();
    for link in links {
        let old = &link.manifest;
        let id = &old.id;
        let Some(directory) = &link.directory else {
            continue;
        };
        let lane = link.archive.lane();
        let parent = match &old.parent {
            Some(parent) => match before.get(&parent.id) {
                Some(hash) if *hash != parent.manifest_hash => {
                    found.left.push(format!(
                        "backup {id} is left as it is: its manifest does not belong to this place in the chain"
                    ));
                    continue;
                }
                _ => {
                    let hash = after.get(&parent.id).copied();
                    Some(ParentLink {
                        id: parent.id.clone(),
                        manifest_hash: hash.unwrap_or(parent.manifest_hash),
                    })
                }
            },
            None => None,
        };
        let mut manifest = Manifest {
            parent,
            signature: None,
            ..old.clone()
        };
        let mut is_sealed = false;
        if let Some(opening) = &link.opening {
            let name = layout.archive(&old.job, id, to);
            let target = directory.join(name.file_name().unwrap_or_default());
            let path = staged_at(&target, id);
            staged.files.push((path.clone(), lane.cloned()));
            let was = done;
            let sealed = seal_anew((link, opening), &path, to, stop, &mut |bytes| {
                done.bytes += bytes;
                progress(done);
            });
            match sealed {
                Ok(stored) => {
                    manifest.encryption = to.clone();
                    manifest.stored_bytes = stored.bytes;
                    manifest.stored_hash = stored.hash;
                    is_sealed = true;
                }
                // It is as wrong as before, and keeps nobody from the others.
                Err(error @ BackupStoreError::Corrupted { .. }) => {
                    found.left.push(error.to_string());
                    change(lane, &path, remove_file)?;
                    done = was;
                }
                Err(error) => return Err(error),
            }
            done.documents += old.documents;
        }
        if !is_sealed && manifest.parent == old.parent {
            continue;
        }
        let manifest = layout.keys().host().sign(manifest)?;
        after.insert(id, hash_of(&manifest)?);
        let bytes = manifest
            .to_bytes()
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        let path = staged_at(&directory.join(format!("{id}.json")), id);
        staged.files.push((path.clone(), lane.cloned()));
        change(lane, &path, move |path| {
            let mut file = create_private(path)?;
            file.write_all(&bytes)
                .and_then(|()| durable::sync_file(&file, path))
                .map_err(unavailable("cannot write", path))
        })?;
        staged.ids.push(id.to_string());
        staged.directories.insert(directory.clone(), lane.cloned());
        if is_sealed {
            found.sealed.push(manifest);
        }
    }
    staged
        .directories
        .iter()
        .try_for_each(|(path, lane)| change(lane.as_ref(), path, sync_dir))
}

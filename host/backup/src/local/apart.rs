//! Where a directory is to the store, whatever path it is named by.
//!
//! Invariant: directories are told apart by themselves and not by their paths: links and mounts give one of them many.

use super::{error::unavailable, files::Layout, resolve::resolve, store};
use crate::port::BackupStoreError;
use mainstay_domain::code::ErrorCode;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, Metadata},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where a directory, or one that may be made, is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Neither has anything of the other.
    Apart,
    /// The store is below it.
    AboveStore,
    /// It is the store or of it: below its directory, or below that of one of its jobs.
    InStore,
}

/// What tells a directory from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// That of what a path leads to, links followed; none where nothing is there.
    pub(super) fn at(path: &Path) -> Result<Option<Self>, BackupStoreError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self::of(&found))),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(unavailable("cannot look at", path)(error)),
        }
    }
}

/// A tree that held the backups would take them with it when it is replaced, and one among them their place.
pub(super) fn check_apart(layout: &Layout, target: &Path) -> Result<(), BackupStoreError> {
    let found = whereabouts(layout, &resolve(target))?;
    let places = layout.places();
    let store: Vec<String> = places
        .iter()
        .filter_map(|place| Some(place.directory()?.display().to_string()))
        .collect();
    let (target, store) = (target.display(), store.join(" or "));
    let why = match found {
        Whereabouts::Apart => return Ok(()),
        Whereabouts::AboveStore => format!(
            "{target} cannot be replaced: it holds the backups, which are in {store}; restore into another directory"
        ),
        Whereabouts::InStore => format!(
            "nothing can be restored into {target}: it is where the backups are, in {store}; restore into another directory"
        ),
    };
    Err(BackupStoreError::Unavailable(
        ErrorCode::RestoreRefused.mark(why),
    ))
}

/// Two of these directories, without links in their paths, of which the first is the second, or its path leads through that: where
/// their paths do not say so, by a mount.
pub(super) fn one_in_another<'a>(directories: &[&'a Path]) -> Option<(&'a Path, &'a Path)> {
    let mut known = BTreeMap::new();
    for directory in directories {
        let Ok(Some(found)) = Identity::at(directory) else {
            continue;
        };
        if let Some(same) = known.insert(found, *directory) {
            return Some((*directory, same));
        }
    }
    directories.iter().find_map(|inner| {
        let above = inner.ancestors().skip(1);
        let mut found = above.filter_map(|above| Identity::at(above).ok().flatten());
        let outer = found.find_map(|found| known.get(&found))?;
        Some((*inner, *outer))
    })
}

/// The directories of the store in the state directory, and in it those of the jobs, which may be links or mounts themselves.
fn own_paths(layout: &Layout) -> Result<Vec<PathBuf>, BackupStoreError> {
    let mut own = Vec::from([layout.root().to_owned()]);
    for job in layout.jobs()? {
        own.push(layout.trash_of(&job));
        own.push(layout.job(&job));
    }
    Ok(own)
}

/// The same of another tier. What else lies there is not ours.
fn paths_in(tier: &Layout) -> Vec<PathBuf> {
    let mut own = Vec::from([tier.root().to_owned()]);
    let mut jobs = tier.jobs().unwrap_or_default();
    jobs.retain(|job| store::path(tier, job).exists());
    own.extend(jobs.iter().map(|job| tier.trash_of(job)));
    own.extend(jobs.iter().map(|job| tier.job(job)));
    own
}

/// What of these can be looked at.
fn found(paths: &[PathBuf]) -> BTreeSet<Identity> {
    let found = paths.iter().filter_map(|path| fs::metadata(path).ok());
    found.map(|found| Identity::of(&found)).collect()
}

/// Those above these, links followed.
fn above(paths: &[PathBuf]) -> Vec<PathBuf> {
    let resolved = paths.iter().filter_map(|path| path.canonicalize().ok());
    let above = resolved.flat_map(|path| {
        let above = path.ancestors().skip(1);
        above.map(Path::to_owned).collect::<Vec<_>>()
    });
    above.collect()
}

/// The directories of the store as far as they can be looked at: no source is read any further where it leads into one.
#[derive(Debug, Default)]
pub(super) struct OwnPlaces {
    found: BTreeSet<Identity>,
    /// Those of the tiers that do not answer, which nobody can look at, by their paths.
    silent: BTreeSet<PathBuf>,
}

impl OwnPlaces {
    /// Whether this is one of them, as far as that is known without a look at it.
    pub(super) fn has_path(&self, path: &Path) -> bool {
        self.silent.contains(path)
    }

    /// Whether what has this metadata is one of them.
    pub(super) fn has(&self, directory: &Metadata) -> bool {
        self.found.contains(&Identity::of(directory))
    }
}

/// Those of all tiers. One that does not answer keeps nobody from the rest.
pub(super) fn own_places(layout: &Layout) -> OwnPlaces {
    let own = own_paths(layout).unwrap_or_else(|_| Vec::from([layout.root().to_owned()]));
    let mut places = OwnPlaces {
        found: found(&own),
        silent: BTreeSet::new(),
    };
    for (tier, lane) in layout.other_directories() {
        let root = tier.root().to_owned();
        match lane.look(move || found(&paths_in(&tier))) {
            Ok(of_tier) => places.found.extend(of_tier),
            Err(_) => {
                places.silent.insert(root);
            }
        }
    }
    places
}

/// Where a path, which has no links in it, is to the store. It may lead to nothing yet.
pub(super) fn whereabouts(layout: &Layout, path: &Path) -> Result<Whereabouts, BackupStoreError> {
    let own = own_paths(layout)?;
    let mut in_store = identities(own.iter().map(PathBuf::as_path))?;
    let mut above_others = BTreeSet::new();
    for (tier, lane) in layout.other_directories() {
        let root = tier.root().to_owned();
        let of_tier = lane.look(move || {
            let own = paths_in(&tier);
            (found(&own), found(&above(&own)))
        });
        match of_tier {
            Ok((places, above)) => {
                in_store.extend(places);
                above_others.extend(above);
            }
            // Of one that does not answer now, and may by the time that something is put in place, its path is known.
            Err(_) if path.starts_with(&root) => return Ok(Whereabouts::InStore),
            Err(_) if root.starts_with(path) => return Ok(Whereabouts::AboveStore),
            Err(_) => {}
        }
    }
    for place in path.ancestors() {
        if Identity::at(place)?.is_some_and(|place| in_store.contains(&place)) {
            return Ok(Whereabouts::InStore);
        }
    }
    let Some(target) = Identity::at(path)? else {
        return Ok(Whereabouts::Apart);
    };
    // Where a link leads from the store, and where it lies itself.
    let mut named = above(&own);
    named.extend(layout.root().ancestors().skip(1).map(Path::to_owned));
    let above_store = identities(named.iter().map(PathBuf::as_path))?;
    let is_above = above_store.contains(&target) || above_others.contains(&target);
    Ok(match is_above {
        true => Whereabouts::AboveStore,
        false => Whereabouts::Apart,
    })
}

fn identities<'a>(
    paths: impl Iterator<Item = &'a Path>,
) -> Result<BTreeSet<Identity>, BackupStoreError> {
    let found = paths.map(Identity::at).filter_map(Result::transpose);
    found.collect()
}

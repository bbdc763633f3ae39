//! Whether a restore in place can put its trees where they belong: to be known before anything is stopped for it.

use super::{
    apart::check_apart,
    coverage::check_noted,
    error::unavailable,
    files::Layout,
    hosts_own::check_not_state,
    index::Index,
    listing::Listing,
    mounts::{check_none_below, is_mount_point},
    read::read_manifests,
    resolve::resolve,
    room::free,
    take::check_sources,
};
use crate::port::BackupStoreError;
use mainstay_domain::{code::ErrorCode, id::BackupId, name::JobName, spec::BackupSource};
use rustix::{
    fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags, access, statx},
    io::Errno,
};
use std::{collections::BTreeMap, fs, path::Path};

/// Looks at each directory among the sources, and changes nothing.
pub(super) fn judge_in_place(
    layout: &Layout,
    job: &JobName,
    chain: &[BackupId],
    sources: &[BackupSource],
) -> Result<(), BackupStoreError> {
    // What is there now is saved before it is replaced.
    check_sources(layout, sources)?;
    let mut homes = BTreeMap::new();
    for source in sources {
        let BackupSource::Directory { path, .. } = source else {
            continue;
        };
        check_apart(layout, path)?;
        check_not_state(layout, path)?;
        let target = resolve(path);
        check_none_below(&target)?;
        let is_inside = target.is_dir() && is_mount_point(&target)?;
        let above = match is_inside {
            true => Some(target.as_path()),
            false => target.parent(),
        };
        // What is not there yet is made.
        let Some(home) = above.and_then(|above| above.ancestors().find(|place| place.exists()))
        else {
            continue;
        };
        check_writable(&target, home)?;
        check_movable(&target, home, is_inside)?;
        homes.insert(home.to_owned(), target);
    }
    if let Some(newest) = read_manifests(layout, job, chain)?.last() {
        check_noted(newest, sources)?;
    }
    let Some(wanted) = size_of(layout, job, chain)? else {
        return Ok(());
    };
    // Of several nobody knows which of them takes how much.
    match homes.first_key_value() {
        Some((home, target)) if homes.len() == 1 => check_room(target, home, wanted),
        _ => Ok(()),
    }
}

fn refused(why: String) -> BackupStoreError {
    BackupStoreError::Unavailable(ErrorCode::RestoreRefused.mark(why))
}

fn check_writable(target: &Path, home: &Path) -> Result<(), BackupStoreError> {
    let writable = access(home, Access::WRITE_OK | Access::EXEC_OK);
    writable.map_err(|error| {
        let help = match error {
            Errno::ROFS => "mount it writable",
            _ => "give the daemon's user access to it",
        };
        refused(format!(
            "{} cannot be replaced, for {} cannot be written: {error}; {help}, or restore into another directory",
            target.display(),
            home.display()
        ))
    })
}

/// Whether something is immutable, or can only grow. Where the kernel does not say, it is found out when it is moved.
pub(super) fn is_fixed(path: &Path) -> bool {
    let fixed = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE);
    found.is_ok_and(|found| found.stx_attributes.intersects(fixed))
}

/// What is immutable, or can only grow, gives up no name and takes no other.
fn check_movable(target: &Path, home: &Path, is_inside: bool) -> Result<(), BackupStoreError> {
    let mut moved = vec![home.to_owned(), target.to_owned()];
    if is_inside {
        let listed = fs::read_dir(target).map_err(unavailable("cannot list", target))?;
        for entry in listed {
            moved.push(entry.map_err(unavailable("cannot list", target))?.path());
        }
    }
    for path in moved {
        if is_fixed(&path) {
            return Err(refused(format!(
                "{} cannot be replaced: {} is immutable, or append-only; change that with `chattr -i -a`, or restore into another directory",
                target.display(),
                path.display()
            )));
        }
    }
    Ok(())
}

fn check_room(target: &Path, home: &Path, wanted: u64) -> Result<(), BackupStoreError> {
    let Some(free) = free(home).filter(|free| *free < wanted) else {
        return Ok(());
    };
    Err(BackupStoreError::NoRoom(format!(
        "{} cannot be replaced: the restored tree has {wanted} bytes and is written beside what is there, and {free} are free; make room",
        target.display()
    )))
}

/// The bytes of the state that a chain gives, where its index says so: nothing else is read for it.
pub(super) fn size_of(
    layout: &Layout,
    job: &JobName,
    chain: &[BackupId],
) -> Result<Option<u64>, BackupStoreError> {
    let manifests = read_manifests(layout, job, chain)?;
    let newest = manifests.last();
    let index = newest.and_then(|it| Index::load(layout, job, &it.id, it.root_hash));
    index.map(|index| room_for(&index.listing)).transpose()
}

/// The bytes that a state takes while it is restored: the holes of a file are made in a second one beside it.
fn room_for(listing: &Listing) -> Result<u64, BackupStoreError> {
    let (mut all, mut twice) = (0_u64, 0);
    for entry in listing.iter() {
        let (_, entry) = entry?;
        let bytes = entry.stored_bytes();
        all = all.saturating_add(bytes);
        if !entry.holes().is_empty() {
            twice = bytes.max(twice);
        }
    }
    Ok(all.saturating_add(twice))
}

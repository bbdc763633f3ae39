//! What is left of a restore and cannot be removed, as where somebody made a file of it immutable.
//!
//! Invariant: it keeps nobody from the next restore, however often that happens: it is moved aside, as `.NAME.mainstay-left-1` and so
//! on, and told at each start until it can be removed.

use super::is_there;
use crate::{
    local::{mounts::check_none_within, removal::remove_tree, temporary::temporary},
    port::BackupStoreError,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// So many are looked after.
const MOST: u32 = 9;
/// So many more are in the last of them, and looked after with that.
const MOST_WITHIN: u32 = 10_000;

/// Removes a tree beside a target, or moves aside what of it cannot be removed.
pub(super) fn clear(tree: &Path, target: &Path) -> Result<(), BackupStoreError> {
    if !is_there(tree)? {
        return Ok(());
    }
    // What is mounted there is in use.
    check_none_within(tree)?;
    let Err(error) = remove_tree(tree) else {
        return Ok(());
    };
    let free = free_among(asides(target));
    let Some(aside) = free.filter(|aside| fs::rename(tree, aside).is_ok()) else {
        return Err(error);
    };
    tracing::error!(
        path = %aside.display(), %error,
        "what a restore left cannot be removed, and is moved aside; the next start removes it once it can be"
    );
    Ok(())
}

/// Where something can be moved aside: the first of these places that is free, or else a name in the last, with which it is removed.
pub(in crate::local) fn free_among(places: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let is_free = |place: &PathBuf| matches!(is_there(place), Ok(false));
    let mut last = None;
    for place in places {
        if is_free(&place) {
            return Some(place);
        }
        last = Some(place);
    }
    let last = last?;
    let mut within = (1..=MOST_WITHIN).map(|number| last.join(format!(".mainstay-left-{number}")));
    within.find(is_free)
}

/// Removes what was moved aside; the error is the first.
pub(super) fn sweep(target: &Path) -> Result<(), BackupStoreError> {
    let mut first = Ok(());
    for aside in asides(target) {
        first = first.and(remove_tree(&aside));
    }
    first
}

fn asides(target: &Path) -> impl Iterator<Item = PathBuf> {
    (1..=MOST).filter_map(move |number| {
        let name = temporary(target.file_name()?, &format!("left-{number}"));
        Some(target.with_file_name(name))
    })
}

//! What of the host's own beside its backups a restore would take away: its state, its plugins, its keys, its config.
//!
//! Invariant: as of the store, places are told apart by themselves and not by their paths: links and mounts give one of them many.

use super::{apart::Identity, files::Layout, resolve::resolve};
use crate::port::{BackupStoreError, HostPlace};
use mainstay_domain::code::ErrorCode;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Where something is to be restored to.
struct Target<'a> {
    shown: &'a Path,
    /// Without links and `..`.
    path: PathBuf,
    /// None where nothing is there.
    at: Option<Identity>,
    /// Itself, and the directories that it is in.
    within: BTreeSet<Identity>,
}

/// A host whose state is exchanged while it is at work has neither the old one nor the new one.
pub(super) fn check_not_state(layout: &Layout, target: &Path) -> Result<(), BackupStoreError> {
    let state = HostPlace {
        what: "the state directory".to_owned(),
        path: layout.state_dir().to_owned(),
    };
    Target::of(target)?.check(&state, false)
}

/// What else is the host's own is not replaced, and its directories are added nothing to. Who merges into a directory that holds a
/// file of them takes nothing away.
pub(super) fn check_not_own(
    layout: &Layout,
    target: &Path,
    merge: bool,
) -> Result<(), BackupStoreError> {
    let target = Target::of(target)?;
    let mut own = layout.host_places().into_iter();
    own.try_for_each(|own| target.check(&own, merge))
}

impl<'a> Target<'a> {
    fn of(shown: &'a Path) -> Result<Self, BackupStoreError> {
        let path = resolve(shown);
        let at = Identity::at(&path)?;
        let within = path.ancestors().map(Identity::at);
        let within: Result<Vec<_>, _> = within.collect();
        Ok(Self {
            shown,
            at,
            within: within?.into_iter().flatten().collect(),
            path,
        })
    }

    fn check(&self, own: &HostPlace, merge: bool) -> Result<(), BackupStoreError> {
        let path = resolve(&own.path);
        let (target, what, place) = (self.shown.display(), &own.what, path.display());
        let refused = |why: String| {
            let why = format!("{why}; restore into another directory");
            let why = ErrorCode::RestoreRefused.mark(why);
            Err(BackupStoreError::Unavailable(why))
        };
        if !path.is_file() && self.is_in(&path) {
            return refused(format!(
                "nothing can be restored into {target}: it is, or is in, {what}, which is {place}"
            ));
        }
        let is_there = fs::symlink_metadata(&own.path).is_ok();
        // Where a link leads, and where it lies itself.
        let holds = is_there && (self.holds(&path) || self.holds(&own.path));
        match holds && !(merge && path.is_file()) {
            true => refused(format!(
                "{target} cannot be replaced: it holds {what}, which is {place}"
            )),
            false => Ok(()),
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        let found = identity(directory);
        self.path.starts_with(directory) || found.is_some_and(|found| self.within.contains(&found))
    }

    fn holds(&self, place: &Path) -> bool {
        let mut above = place.ancestors().skip(1);
        above.any(|above| {
            above == self.path || self.at.is_some_and(|at| identity(above) == Some(at))
        })
    }
}

/// What cannot be looked at is known by its path alone.
fn identity(path: &Path) -> Option<Identity> {
    Identity::at(path).ok().flatten()
}

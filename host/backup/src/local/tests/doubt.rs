//! A manifest of which nobody was told whether it was written.

use super::*;
use crate::local::durable::Change;
use rustix::io::Errno;
use std::{cell::Cell, io};

type Refuses = fn(Change<'_>) -> Option<Errno>;

thread_local! {
    /// The changes that fail on this thread.
    static REFUSED: Cell<Option<Refuses>> = const { Cell::new(None) };
}

/// A change is about to be made, and fails here.
pub(in crate::local) fn tell(change: Change<'_>) -> io::Result<()> {
    if let Some(error) = REFUSED.get().and_then(|refuses| refuses(change)) {
        return Err(error.into());
    }
    crashes::tell(change);
    Ok(())
}

/// What fails on this thread fails on another where that has run this.
pub(in crate::local) fn handed_on() -> impl FnOnce() + Send + 'static {
    let refuses = REFUSED.get();
    move || REFUSED.set(refuses)
}

/// Changes fail until it is dropped.
pub(super) struct Refused;

impl Refused {
    pub(super) fn by(refuses: Refuses) -> Self {
        REFUSED.set(Some(refuses));
        Self
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        REFUSED.set(None);
    }
}

/// Whether it is the manifest of a full backup, or is to become one.
fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("ful-") && (name.ends_with(".json") || name.ends_with(".json.partial"))
}

/// Nothing that was written is taken back.
fn no_removal(change: Change<'_>) -> Option<Errno> {
    let is_one = matches!(change, Change::Removed(path) if is_manifest(path));
    is_one.then_some(Errno::IO)
}

/// And as soon as there is a manifest nothing more is made durable.
fn nothing_after(change: Change<'_>) -> Option<Errno> {
    let has_manifest = |directory: &Path| {
        let names = files::names_in(directory).unwrap();
        names.iter().any(|name| is_manifest(Path::new(name)))
    };
    let is_one = matches!(change, Change::DirectorySynced(directory) if has_manifest(directory));
    no_removal(change).or(is_one.then_some(Errno::IO))
}

#[test]
fn what_is_stored_although_its_put_failed_is_taken() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    let refused = Refused::by(no_removal);
    fixture.extend(BackupType::Full, &mut chain);
    drop(refused);
    fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert_eq!(fixture.stored().len(), 1);
}

#[test]
fn what_may_be_stored_is_in_doubt_and_known_once_it_can_be_looked_at() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let request = fixture.request(BackupType::Full, &[]);
    let refused = Refused::by(nothing_after);
    let taken = fixture.store.take(&request, &no_progress());
    let Err(BackupStoreError::InDoubt(what)) = &taken else {
        panic!("{taken:?}");
    };
    assert!(what.contains("cannot be told now"), "{what}");
    let committed = || fixture.store.committed(&job(), &request.id);
    assert!(committed().is_err(), "it is not durable");
    drop(refused);
    let manifest = committed().unwrap().unwrap();
    assert_eq!(manifest.id, request.id);
    assert_eq!(fixture.sweep(&[]), vec![]);
    let restored = fixture.restore_into(&[manifest.id], "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
}

#[test]
fn what_was_taken_back_is_not_stored() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let request = fixture.request(BackupType::Full, &[]);
    let refused = Refused::by(|change| {
        let is_one = matches!(change, Change::Linked(path) if is_manifest(path));
        is_one.then_some(Errno::IO)
    });
    let taken = fixture.store.take(&request, &no_progress());
    drop(refused);
    assert!(
        matches!(&taken, Err(BackupStoreError::Unavailable(_))),
        "{taken:?}"
    );
    assert_eq!(fixture.store.committed(&job(), &request.id), Ok(None));
    assert_eq!(fixture.stored(), vec![]);
    assert_eq!(fixture.store.orphans(&job()), Ok(vec![]));
}

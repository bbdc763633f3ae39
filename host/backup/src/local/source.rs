//! Reads sources: walks directories in a fixed order.
//!
//! Invariant: a walk never leaves its directory: symbolic links are found, not followed, also where one takes the place
//! of a directory meanwhile.
//! Invariant: what cannot be read is an error, or told as such, never left out in silence; only what vanished meanwhile, and
//! what is no file, directory or link, is left out, with a warning.
//! Invariant: what the job leaves out is not opened, and is no gap.
//! Invariant: nothing that backups are stored in is read, in whichever tier and by whatever path: each backup would hold those
//! before it.
//! Invariant: what vanished is a gap, and so is the whole source where it is taken away while it is read, however little of
//! it was listed by then.

use super::{
    apart::{Identity, OwnPlaces},
    check_stop,
    inside::is_work,
    names::{Names, Open},
    reading::Reading,
    source_mounts::SourceMounts,
    tree::Tree,
    unread::Gaps,
};
use crate::port::BackupStoreError;
use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Something that a walk found.
pub(super) struct Found<'a> {
    /// Relative to where the walk began; `.` for that itself.
    pub(super) relative: Vec<u8>,
    /// Where it is, for people.
    pub(super) path: PathBuf,
    /// What it is, links not followed.
    pub(super) metadata: Metadata,
    /// It itself, whatever takes its name; not open for reading.
    pub(super) place: File,
    /// Where it is opened by its relative name.
    pub(super) tree: &'a Tree,
}

/// How a walk deals with what it meets.
pub(super) struct WalkRules<'a> {
    /// Directories that are left out, by whatever path they are reached: those of the store.
    pub(super) except: &'a OwnPlaces,
    /// Whether a walk goes on where something cannot be read.
    pub(super) tolerant: bool,
    /// Noted where something that was there is not found as it was; what is no document, a socket say, is not missed.
    pub(super) gaps: &'a Gaps,
    /// Told of each directory whose content is read.
    pub(super) mounts: &'a SourceMounts,
    /// What the job leaves out.
    pub(super) reading: &'a Reading,
    pub(super) stop: &'a CancellationToken,
}

/// What came of an attempt to read something.
pub(super) enum Got<T> {
    /// This.
    This(T),
    /// It vanished, which was warned of.
    Vanished,
    /// It cannot be read, as this sentence for people says, and that is tolerated; nobody was told.
    Unread(String),
}

/// Is told of each thing that is found, and may add warnings.
pub(super) type OnFound<'a> =
    dyn FnMut(Found<'_>, &mut Vec<String>) -> Result<(), BackupStoreError> + 'a;

/// Hands on everything at and below `root`, each directory before what it holds, names sorted by their bytes.
pub(super) fn walk(
    root: &Path,
    rules: &WalkRules<'_>,
    warnings: &mut Vec<String>,
    on_found: &mut OnFound<'_>,
) -> Result<(), BackupStoreError> {
    let unreadable = unreadable(root);
    let root = root.canonicalize().map_err(unreadable)?;
    let tree = Tree::open(&root).map_err(unreadable)?;
    let source = tree.place(b".").and_then(|place| place.metadata());
    let source = source.map_err(unreadable)?;
    let began = Identity::of(&source);
    let above = root.parent().and_then(|above| fs::metadata(above).ok());
    let mut open = Open::new(root.clone(), above.map(|above| above.dev()));
    while let Some((relative, path, above)) = open.take_next() {
        check_stop(rules.stop)?;
        let is_own = || format!("left out {}: it is where the backups are", path.display());
        if rules.except.has_path(&path) {
            warnings.push(is_own());
            continue;
        }
        let looked_at = tree
            .place(&relative)
            .and_then(|place| Ok((place.metadata()?, place)));
        let (metadata, place) = match tolerate(looked_at, &path, rules, warnings)? {
            Got::This(looked_at) => looked_at,
            Got::Vanished => continue,
            Got::Unread(what) => {
                rules.gaps.miss(&relative, what);
                continue;
            }
        };
        if metadata.is_dir() && rules.except.has(&metadata) {
            warnings.push(is_own());
            continue;
        }
        if metadata.is_dir() && is_work(&relative, &path) {
            continue;
        }
        if metadata.is_dir() && !rules.reading.leads_through(&relative) {
            continue;
        }
        let kind = metadata.file_type();
        let mut inside = Names::default();
        if kind.is_dir() && rules.reading.is_elsewhere(&metadata, &source) {
            warnings.push(format!(
                "left out what is in {}: it is on another file system; one_filesystem = false has it read",
                path.display()
            ));
        } else if kind.is_dir() {
            let listed = rules.reading.list(&tree, &relative, &place);
            match tolerate(listed, &path, rules, warnings)? {
                Got::This(listed) => {
                    let is_mounted = above.is_some_and(|above| above != metadata.dev());
                    rules.mounts.look(&path, is_mounted, listed.read.is_empty());
                    inside = listed.read;
                }
                Got::Vanished => continue,
                // Of such a source there is nothing to go on with.
                Got::Unread(what) if relative == b"." => {
                    return Err(BackupStoreError::Source(format!(
                        "{what}, and it is a source; {ADVICE}"
                    )));
                }
                Got::Unread(what) => rules.gaps.miss_inside(&relative, what),
            }
        }
        if kind.is_dir() || kind.is_file() || kind.is_symlink() {
            if !inside.is_empty() {
                open.enter((relative.clone(), path.clone()), metadata.dev(), inside);
            }
            let found = Found {
                relative,
                path,
                metadata,
                place,
                tree: &tree,
            };
            on_found(found, warnings)?;
        } else {
            let what = if kind.is_socket() {
                "a socket"
            } else if kind.is_fifo() {
                "a pipe"
            } else {
                "a device"
            };
            warnings.push(format!("left out {}: it is {what}", path.display()));
        }
    }
    let is_there = fs::symlink_metadata(&root).is_ok_and(|now| Identity::of(&now) == began);
    if !is_there {
        rules.gaps.note();
        warnings.push(format!(
            "the source {} was taken away while it was read",
            root.display()
        ));
    }
    Ok(())
}

/// What to say of a source that cannot be read at all.
fn unreadable(source: &Path) -> impl Fn(io::Error) -> BackupStoreError + Copy {
    move |error| {
        BackupStoreError::Source(format!(
            "cannot read the source {}: {error}",
            source.display()
        ))
    }
}

/// Hands on one file, wherever a link in its path leads.
pub(super) fn single(
    source: &Path,
    warnings: &mut Vec<String>,
    on_found: &mut OnFound<'_>,
) -> Result<(), BackupStoreError> {
    let unreadable = unreadable(source);
    let no_file = || unreadable(io::Error::other("it is no file"));
    let path = source.canonicalize().map_err(unreadable)?;
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(no_file());
    };
    let tree = Tree::open(above).map_err(unreadable)?;
    let relative = name.as_bytes().to_vec();
    let place = tree.place(&relative).map_err(unreadable)?;
    let metadata = place.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(no_file());
    }
    let found = Found {
        relative,
        path: path.clone(),
        metadata,
        place,
        tree: &tree,
    };
    on_found(found, warnings)
}

/// What to do about what cannot be read.
const ADVICE: &str = "give the daemon's user access to it, or move it out of the source";

/// What was read, or why not; an error where it cannot be read and that is not tolerated.
pub(super) fn tolerate<T>(
    result: io::Result<T>,
    path: &Path,
    rules: &WalkRules<'_>,
    warnings: &mut Vec<String>,
) -> Result<Got<T>, BackupStoreError> {
    match result {
        Ok(value) => Ok(Got::This(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            rules.gaps.note();
            warnings.push(format!(
                "left out {}: it vanished while it was read",
                path.display()
            ));
            Ok(Got::Vanished)
        }
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            match rules.tolerant {
                true => Ok(Got::Unread(what)),
                false => Err(BackupStoreError::Source(format!("{what}; {ADVICE}"))),
            }
        }
    }
}

//! Takes what a job leaves out of its backups over into a restored tree, so that a restore in place loses none of it.
//!
//! Invariant: the tree in place is not changed: a file that is taken over is in both trees, until one of them is removed.
//! Invariant: what the backup holds counts: what was left out never takes its place.

use super::{
    durable,
    error::unavailable,
    holes::{FileData, spread},
    inside::is_work,
    metadata::{mode_of, owner_of, times_of},
    reading::Reading,
    tree::{Tree, below},
    xattrs::{read_xattrs, set_xattrs},
};
use crate::port::BackupStoreError;
use mainstay_domain::{archive::Xattrs, code::ErrorCode};
use rustix::{
    fs::{AtFlags, Mode, chmodat, chownat, linkat, utimensat},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, ErrorKind},
    os::{fd::AsFd, unix::ffi::OsStrExt},
    path::Path,
};

/// Takes over what `reading` leaves out of `from` into `to`, and makes it durable there. An error where something of it
/// cannot be: then nothing may be replaced.
pub(super) fn carry_over(
    from: &Path,
    to: &Path,
    reading: &Reading,
) -> Result<(), BackupStoreError> {
    if !from.is_dir() {
        return Ok(());
    }
    let old = Tree::open(from).map_err(unavailable("cannot read", from))?;
    let new = Tree::open(to).map_err(unavailable("cannot read", to))?;
    let mut carrier = Carrier {
        old,
        new,
        made: BTreeMap::new(),
    };
    let mut open = vec![(b".".to_vec(), false)];
    while let Some((relative, is_left_out)) = open.pop() {
        let path = match relative.as_slice() {
            b"." => from.to_owned(),
            relative => from.join(OsStr::from_bytes(relative)),
        };
        let carried = carrier.carry(&relative, is_left_out, (&path, reading));
        let inside = carried.map_err(|error| {
            BackupStoreError::Unavailable(ErrorCode::RestoreRefused.mark(format!(
                "{} cannot be replaced: {} is left out of the backups of its job, and cannot be taken over into the restored \
                 tree: {error}; move it away, or restore into another directory",
                from.display(),
                path.display()
            )))
        })?;
        open.extend(inside);
    }
    if carrier.made.is_empty() {
        return Ok(());
    }
    let finished = carrier.finish().and_then(|()| durable::sync_tree(to));
    finished.map_err(unavailable("cannot fsync", to))
}

struct Carrier {
    old: Tree,
    new: Tree,
    /// The directories of the new tree that are made or changed, with the metadata that they are to have, and the extended
    /// attributes of those that are made.
    made: BTreeMap<Vec<u8>, (Metadata, Option<Xattrs>)>,
}

impl Carrier {
    /// Takes one thing over where it is left out, and answers with what it holds.
    fn carry(
        &mut self,
        relative: &[u8],
        is_left_out: bool,
        (path, reading): (&Path, &Reading),
    ) -> io::Result<Vec<(Vec<u8>, bool)>> {
        let found = self.old.place(relative);
        let found = found.and_then(|place| Ok((place.metadata()?, place)));
        let (metadata, place) = match found {
            // It vanished.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            found => found?,
        };
        if !metadata.is_dir() {
            if is_left_out {
                self.file(relative, &metadata)?;
            }
            return Ok(Vec::new());
        }
        if is_work(relative, path) {
            return Ok(Vec::new());
        }
        let source = self.old.place(b".")?.metadata()?;
        if reading.is_elsewhere(&metadata, &source) {
            return Err(io::Error::other("it is on another file system"));
        }
        if is_left_out {
            self.directory(relative)?;
        }
        let listed = reading.list(&self.old, relative, &place)?;
        let read = listed.read.iter().map(|name| (name, is_left_out));
        let left_out = listed.left_out.iter().map(|name| (name, true));
        let inside = read.chain(left_out);
        Ok(inside
            .map(|(name, is_left_out)| (below(relative, name), is_left_out))
            .collect())
    }

    /// Whatever is no directory.
    fn file(&mut self, relative: &[u8], metadata: &Metadata) -> io::Result<()> {
        match self.new.place(relative) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (from, name) = self.old.above(relative)?;
        let above = relative.strip_suffix(name).unwrap_or_default();
        self.directory(above.strip_suffix(b"/").unwrap_or(b"."))?;
        let (to, _) = self.new.above(relative)?;
        match linkat(&from, name, &to, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            // A file system without links, or a file that is not the daemon's.
            Err(Errno::PERM | Errno::XDEV | Errno::MLINK | Errno::OPNOTSUPP)
                if metadata.is_file() =>
            {
                let (xattrs, _) = read_xattrs(&self.old.place(relative)?)?;
                copy(self.old.file(relative)?, &mut self.new.new_file(relative)?)?;
                give(&to, name, metadata, Some(&xattrs))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a directory of the old tree in the new one, and those above it, where they are not there, and lets them be changed.
    fn directory(&mut self, relative: &[u8]) -> io::Result<()> {
        if self.made.contains_key(relative) {
            return Ok(());
        }
        self.one_directory(b".")?;
        let slashes = relative.iter().enumerate();
        let slashes = slashes.filter(|(_, byte)| **byte == b'/');
        for (end, _) in slashes {
            self.one_directory(relative.get(..end).unwrap_or_default())?;
        }
        self.one_directory(relative)
    }

    fn one_directory(&mut self, relative: &[u8]) -> io::Result<()> {
        if self.made.contains_key(relative) {
            return Ok(());
        }
        let (metadata, xattrs) = match self.new.place(relative) {
            Ok(place) => (place.metadata()?, None),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.new.new_directory(relative)?;
                let old = self.old.place(relative)?;
                let (xattrs, _) = read_xattrs(&old)?;
                (old.metadata()?, Some(xattrs))
            }
            Err(error) => return Err(error),
        };
        if !metadata.is_dir() {
            return Err(io::Error::other(
                "what the backup has in its place is no directory",
            ));
        }
        let (above, name) = self.new.above(relative)?;
        let mode = mode_of(&metadata) | Mode::RWXU;
        chmodat(&above, name, mode, AtFlags::empty())?;
        self.made.insert(relative.to_vec(), (metadata, xattrs));
        Ok(())
    }

    /// Gives the directories their metadata, those in others before these.
    fn finish(self) -> io::Result<()> {
        let below = self.made.iter().rev();
        let below = below.filter(|(relative, _)| relative.as_slice() != b".");
        let all = below.chain(self.made.get_key_value(b".".as_slice()));
        for (relative, (metadata, xattrs)) in all {
            let (above, name) = self.new.above(relative)?;
            give(&above, name, metadata, xattrs.as_ref())?;
        }
        Ok(())
    }
}

/// Copies a file into an empty one, and its holes.
fn copy(from: File, to: &mut File) -> io::Result<()> {
    let metadata = from.metadata()?;
    let mut data = FileData::open(from, &metadata)?;
    let holes = data.holes().to_vec();
    spread(&mut data, to, &holes, metadata.len())
}

/// Gives what a directory has by a name owner, permissions and time, and extended attributes where they are not what they
/// are to be. Who is not root gives no owner away, nor what goes with one, and keeps the rest.
fn give(above: &File, name: &[u8], metadata: &Metadata, xattrs: Option<&Xattrs>) -> io::Result<()> {
    let (owner, group) = owner_of(metadata);
    match chownat(above, name, owner, group, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let set = xattrs.map_or(Ok(()), |xattrs| set_xattrs(above.as_fd(), name, xattrs));
    match set {
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    chmodat(above, name, mode_of(metadata), AtFlags::empty())?;
    Ok(utimensat(
        above,
        name,
        &times_of(metadata),
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

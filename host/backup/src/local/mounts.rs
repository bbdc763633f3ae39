//! What is mounted where: a tree that is renamed or removed would take what is mounted in it along.

use super::error::unavailable;
use crate::port::BackupStoreError;
use mainstay_domain::code::ErrorCode;
use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The kernel's list of what this process sees mounted (proc_pid_mountinfo(5)).
const MOUNTS: &str = "/proc/self/mountinfo";

/// What is mounted somewhere. As long as anybody waits for it nothing else is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    id: Vec<u8>,
    device: Vec<u8>,
    point: PathBuf,
}

/// What a path lies in, which has no links in it: the kernel tells it, and what is mounted there is not asked. None where nobody can
/// tell.
pub(super) fn mount_of(path: &Path) -> Option<Mount> {
    mount_in(&fs::read(MOUNTS).ok()?, path)
}

/// Whether a directory, whose path has no links in it, is a mount point.
pub(super) fn is_mount_point(directory: &Path) -> Result<bool, BackupStoreError> {
    Ok(mount_points(&list()?).any(|point| point == directory))
}

/// Refuses a directory, whose path has no links in it, that is or holds a mount point.
pub(super) fn check_none_within(directory: &Path) -> Result<(), BackupStoreError> {
    let list = list()?;
    refuse(directory, mounted_within(&list, directory))
}

/// Refuses a directory, whose path has no links in it, that holds a mount point; it may be one itself.
pub(super) fn check_none_below(directory: &Path) -> Result<(), BackupStoreError> {
    let list = list()?;
    refuse(directory, mounted_below(&list, directory))
}

fn list() -> Result<Vec<u8>, BackupStoreError> {
    fs::read(MOUNTS).map_err(unavailable("cannot read", Path::new(MOUNTS)))
}

fn refuse(directory: &Path, mounted: Option<PathBuf>) -> Result<(), BackupStoreError> {
    match mounted {
        None => Ok(()),
        Some(mounted) => Err(BackupStoreError::Unavailable(ErrorCode::RestoreRefused.mark(format!(
            "{} cannot be replaced or removed: {} is a mount point, and what is mounted there would go with it; unmount it, or restore into another directory",
            directory.display(),
            mounted.display()
        )))),
    }
}

/// The first mount point of the list at or below a directory.
fn mounted_within(list: &[u8], directory: &Path) -> Option<PathBuf> {
    mount_points(list).find(|point| point.starts_with(directory))
}

/// The first mount point of the list below a directory.
fn mounted_below(list: &[u8], directory: &Path) -> Option<PathBuf> {
    mount_points(list).find(|point| point.starts_with(directory) && point != directory)
}

fn mount_in(list: &[u8], path: &Path) -> Option<Mount> {
    let lines = list.split(|byte| *byte == b'\n');
    let mounts = lines.filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let id = fields.next()?;
        let device = fields.nth(1)?;
        let point = unescape(fields.nth(1)?);
        let point = PathBuf::from(OsStr::from_bytes(&point));
        path.starts_with(&point).then(|| Mount {
            id: id.to_vec(),
            device: device.to_vec(),
            point,
        })
    });
    // Of two in one place the later one is above the other.
    mounts.max_by_key(|mount| mount.point.components().count())
}

fn mount_points(list: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = list.split(|byte| *byte == b'\n');
    let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.map(|point| PathBuf::from(OsStr::from_bytes(&unescape(point))))
}

/// The kernel writes space, tab, line feed and backslash as `\` with three octal digits.
fn unescape(point: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(point.len());
    let mut rest = point;
    while let Some((first, after)) = rest.split_first() {
        let escaped = after
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        path.push(escaped.unwrap_or(*first));
        let read = if escaped.is_some() { 4 } else { 1 };
        rest = rest.get(read..).unwrap_or_default();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_found_at_and_below_a_directory_and_nowhere_else() {
        let list = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            31 27 254:1 / /srv/data/volume rw shared:5 - ext4 /dev/vdb rw\n\
            32 27 254:0 /bound /srv/a\\040b\\134c/bound rw - ext4 /dev/vda rw\n";
        for (directory, found) in [
            ("/srv/data", Some("/srv/data/volume")),
            ("/srv/data/volume", Some("/srv/data/volume")),
            ("/srv/a b\\c", Some("/srv/a b\\c/bound")),
            ("/srv/data/vol", None),
            ("/srv/data/volume/below", None),
            ("/home", None),
        ] {
            let mounted = mounted_within(list, Path::new(directory));
            assert_eq!(mounted.as_deref(), found.map(Path::new), "{directory}");
            let below = mounted_below(list, Path::new(directory));
            let found = found.filter(|found| *found != directory);
            assert_eq!(below.as_deref(), found.map(Path::new), "{directory}");
        }
    }

    #[test]
    fn what_a_path_lies_in_is_the_deepest_mount_and_of_two_in_one_place_the_upper_one() {
        let before = "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
            31 27 0:41 / /mnt/nas rw shared:5 - nfs4 nas:/ rw\n";
        let over = "44 31 0:52 / /mnt/nas rw shared:5 - nfs4 nas:/ rw\n";
        let mount = |list: &str, path: &str| mount_in(list.as_bytes(), Path::new(path)).unwrap();
        let (root, nas) = (mount(before, "/mnt"), mount(before, "/mnt/nas/backups"));
        assert_eq!(
            (root.point.as_path(), root.id.as_slice()),
            (Path::new("/"), &b"27"[..])
        );
        assert_eq!(
            (nas.device.as_slice(), nas.id.as_slice()),
            (&b"0:41"[..], &b"31"[..])
        );
        assert_eq!(mount(before, "/mnt/nas-2"), root);
        let both = [before, over].concat();
        assert_eq!(mount(&both, "/mnt/nas").id, b"44");
        assert_ne!(mount(&both, "/mnt/nas"), nas);
        assert_eq!(mount_in(b"", Path::new("/mnt")), None);
    }
}

//! Owner, permissions, extended attributes and time of what is restored.
//!
//! Invariant: what a file system does not take of these costs itself and a note, never the restore.

use super::xattrs::set_xattrs;
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, Entry},
    text::counted,
};
use rustix::{
    fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, chmodat, chownat, utimensat},
    io::Errno,
};
use std::{
    fs::Metadata,
    os::{fd::BorrowedFd, unix::fs::MetadataExt},
};

/// Documents that do not have the owner, permissions, attributes, other names or time that they had.
#[derive(Debug, Default)]
pub(super) struct Unset {
    documents: u64,
    first: Option<String>,
}

impl Unset {
    /// One more, and why.
    pub(super) fn add(&mut self, key: &DocumentKey, why: &str) {
        self.documents += 1;
        self.first.get_or_insert_with(|| format!("`{key}`: {why}"));
    }

    /// A sentence for people; none where all have them.
    pub(super) fn note(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(format!(
            "owner, permissions, time, attributes or hard links could not be restored of {}, the first {first}",
            counted(self.documents, "document")
        ))
    }
}

/// Makes owner, permissions, extended attributes and time of what a directory has by a name those of an entry. Who is not root
/// may set no owner but itself, and no group but its own, and the kernel says so. An error is one of the file system, not of
/// what it is asked.
///
/// In this order: another owner takes file capabilities away, an ACL changes the permissions, and who has made a file read-only
/// may not set its attributes any more.
pub(super) fn set_metadata(
    directory: BorrowedFd<'_>,
    name: &[u8],
    (key, entry): (&DocumentKey, &Entry),
    unset: &mut Unset,
) -> rustix::io::Result<()> {
    let mut refused = None;
    let mut tolerate = |set: rustix::io::Result<()>, is_refusal: fn(Errno) -> bool| match set {
        Err(error) if is_refusal(error) => {
            refused.get_or_insert(error);
            Ok(())
        }
        set => set,
    };
    // The highest number means that nothing is changed.
    let (owner, group) = (
        Uid::from_raw_unchecked(entry.uid),
        Gid::from_raw_unchecked(entry.gid),
    );
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    tolerate(
        chownat(directory, name, Some(owner), Some(group), flags),
        is_refusal,
    )?;
    // A file system without room for them in its inodes says that the disk is full.
    tolerate(set_xattrs(directory, name, entry.xattrs()), |_| true)?;
    if entry.kind != DocumentKind::Symlink {
        let mode = Mode::from_raw_mode(entry.mode.bits());
        tolerate(chmodat(directory, name, mode, AtFlags::empty()), is_refusal)?;
    }
    let time = timespec(entry.mtime);
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    tolerate(
        utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW),
        is_refusal,
    )?;
    if let Some(error) = refused {
        unset.add(key, &error.to_string());
    }
    Ok(())
}

/// To whom belongs what has this metadata: a user and a group.
pub(super) fn owner_of(metadata: &Metadata) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw_unchecked(metadata.uid())),
        Some(Gid::from_raw_unchecked(metadata.gid())),
    )
}

/// The permissions of what has this metadata.
pub(super) fn mode_of(metadata: &Metadata) -> Mode {
    Mode::from_raw_mode(metadata.mode() & 0o7777)
}

/// The times of what has this metadata: of access too that of the last change.
pub(super) fn times_of(metadata: &Metadata) -> Timestamps {
    let time = Timespec {
        tv_sec: metadata.mtime(),
        tv_nsec: metadata.mtime_nsec(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Whether a file system, or the daemon's user, does not take such a thing at all.
fn is_refusal(error: Errno) -> bool {
    matches!(
        error,
        Errno::PERM
            | Errno::ACCESS
            | Errno::INVAL
            | Errno::OPNOTSUPP
            | Errno::OVERFLOW
            | Errno::RANGE
            | Errno::NOSYS
    )
}

/// Its nanoseconds count forward from the second, also before 1970.
fn timespec(time: jiff::Timestamp) -> Timespec {
    let (second, nanosecond) = (time.as_second(), i64::from(time.subsec_nanosecond()));
    let (tv_sec, tv_nsec) = match nanosecond < 0 {
        true => (second.saturating_sub(1), nanosecond + 1_000_000_000),
        false => (second, nanosecond),
    };
    Timespec { tv_sec, tv_nsec }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;

    #[test]
    fn nanoseconds_count_forward_on_both_sides_of_1970() {
        for (text, seconds, nanoseconds) in [
            ("1970-01-01T00:00:00.5Z", 0, 500_000_000),
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
            ("1969-12-31T23:59:59Z", -1, 0),
            ("1969-12-31T23:59:58.5Z", -2, 500_000_000),
            ("1901-01-01T00:00:00.000000001Z", -2_177_452_800, 1),
        ] {
            let found = timespec(text.parse().unwrap());
            assert_eq!(
                (found.tv_sec, found.tv_nsec),
                (seconds, nanoseconds),
                "{text}"
            );
        }
    }

    /// Of a file of the user who runs the tests.
    fn own_file() -> Entry {
        Entry {
            kind: DocumentKind::File,
            mode: mainstay_domain::archive::Mode::from_bits(0o640),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            size: 0,
            hash: mainstay_domain::archive::ContentHash::of(b""),
            extras: None,
        }
    }

    #[test]
    fn an_owner_that_only_root_may_set_is_noted_by_whoever_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a");
        std::fs::write(&file, "").unwrap();
        let key = DocumentKey::parse("a").unwrap();
        let note = |entry: &Entry| {
            let mut unset = Unset::default();
            let name = file.as_os_str().as_encoded_bytes();
            set_metadata(CWD, name, (&key, entry), &mut unset).unwrap();
            unset.note()
        };
        let own = own_file();
        assert_eq!(note(&own), None);
        let another = Entry {
            uid: own.uid + 1,
            ..own
        };
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(note(&another).is_some(), !is_root);
    }

    #[test]
    fn an_attribute_that_is_refused_costs_itself_and_a_note() {
        use mainstay_domain::archive::{XattrName, XattrValue, Xattrs};
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a");
        std::fs::write(&file, "").unwrap();
        let name = |name: &str| XattrName::from_bytes(name.as_bytes()).unwrap();
        // No capability has this form.
        let xattrs = Xattrs::from([
            (name("security.capability"), XattrValue::new(vec![1])),
            (name("user.kept"), XattrValue::new(vec![2])),
        ]);
        let entry = own_file().with_xattrs(xattrs);
        let key = DocumentKey::parse("a").unwrap();
        let mut unset = Unset::default();
        let path = file.as_os_str().as_encoded_bytes();
        set_metadata(CWD, path, (&key, &entry), &mut unset).unwrap();
        assert!(unset.note().is_some());
        let mut value = [0_u8; 8];
        let length = rustix::fs::getxattr(&file, "user.kept", &mut value).unwrap();
        assert_eq!(value.get(..length), Some(&[2][..]));
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap());
        assert_eq!(mode & 0o7777, 0o640);
    }

    #[test]
    fn what_a_file_system_refuses_is_noted_and_what_is_not_there_is_an_error() {
        let entry = own_file();
        let key = DocumentKey::parse("a").unwrap();
        let mut unset = Unset::default();
        // The permissions of files of processes are the kernel's.
        let refused = b"/proc/self/status";
        set_metadata(CWD, refused, (&key, &entry), &mut unset).unwrap();
        let note = unset.note().unwrap();
        assert!(
            note.contains("`a`") && note.contains("not permitted"),
            "{note}"
        );
        let missing = b"/proc/self/nothing";
        set_metadata(CWD, missing, (&key, &entry), &mut unset).unwrap_err();
    }

    #[test]
    fn what_is_unset_is_counted_with_the_first_of_it() {
        let mut unset = Unset::default();
        assert_eq!(unset.note(), None);
        for key in ["a", "b"] {
            unset.add(&DocumentKey::parse(key).unwrap(), "not permitted");
        }
        let said = "owner, permissions, time, attributes or hard links could not be restored of 2 documents, the first `a`: not permitted";
        assert_eq!(unset.note().as_deref(), Some(said));
    }
}

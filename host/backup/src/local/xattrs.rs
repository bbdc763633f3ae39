//! Extended attributes, with them ACLs and file capabilities, of files, directories and links.
//!
//! What is not carried belongs to the system that a tree is on, not to the tree: labels of SELinux and the like, and what
//! `chattr` sets, such as immutable and append-only.
//!
//! They are reached through `/proc/self/fd`, which leads to what is held open, a link itself too, and not to what took its
//! name.

use mainstay_domain::archive::{MAX_XATTR_BYTES, XattrName, XattrValue, Xattrs};
use rustix::{
    fs::{Mode, OFlags, XattrFlags, getxattr, listxattr, openat, removexattr, setxattr},
    io::Errno,
};
use std::{
    fs::File,
    os::fd::{AsRawFd, BorrowedFd},
};

/// The kernel's bound for the names of one file, and for one value.
const KERNEL_BYTES: usize = 1 << 16;

/// The attributes of what is held open, and the names of those for which there is no room.
pub(super) fn read_xattrs(place: &File) -> rustix::io::Result<(Xattrs, Vec<XattrName>)> {
    let path = path_of(place);
    let (mut xattrs, mut left_out) = (Xattrs::new(), Vec::new());
    let mut room = MAX_XATTR_BYTES;
    for name in carried_names(&path)? {
        let (Some(key), Some(value)) = (XattrName::from_bytes(&name), value(&path, &name)?) else {
            continue;
        };
        match room.checked_sub(name.len() + value.len()) {
            Some(left) => {
                room = left;
                xattrs.insert(key, XattrValue::new(value));
            }
            None => left_out.push(key),
        }
    }
    Ok((xattrs, left_out))
}

/// Makes the attributes of what a directory has by a name those that are wanted: what it got from the directory that it was
/// made in goes. All of it is tried; the error is the first.
pub(super) fn set_xattrs(
    directory: BorrowedFd<'_>,
    name: &[u8],
    wanted: &Xattrs,
) -> rustix::io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat(directory, name, flags, Mode::empty())?;
    let path = path_of(&place);
    let there = match carried_names(&path) {
        Err(_) if wanted.is_empty() => return Ok(()),
        there => there?,
    };
    let mut first = Ok(());
    for name in there {
        let key = XattrName::from_bytes(&name);
        if !key.is_some_and(|key| wanted.contains_key(&key)) {
            first = first.and(removexattr(path.as_str(), name.as_slice()));
        }
    }
    for (name, value) in wanted {
        let name = name.to_bytes();
        let set = setxattr(
            path.as_str(),
            name.as_slice(),
            value.as_bytes(),
            XattrFlags::empty(),
        );
        first = first.and(set);
    }
    first
}

fn path_of(place: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}

fn is_carried(name: &[u8]) -> bool {
    let is_one = matches!(
        name,
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default"
    );
    is_one || name.starts_with(b"user.") || name.starts_with(b"trusted.")
}

/// Sorted; none where the file system has no attributes.
fn carried_names(path: &str) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut few = [0_u8; 1024];
    let mut many = Vec::new();
    let listed = match listxattr(path, &mut few) {
        Ok(length) => few.get(..length),
        Err(Errno::RANGE) => {
            many.resize(KERNEL_BYTES, 0_u8);
            let length = listxattr(path, many.as_mut_slice())?;
            many.get(..length)
        }
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => None,
        Err(error) => return Err(error),
    };
    let names = listed.unwrap_or_default().split(|byte| *byte == 0);
    let mut names: Vec<Vec<u8>> = names
        .filter(|name| is_carried(name))
        .map(<[u8]>::to_vec)
        .collect();
    names.sort();
    Ok(names)
}

/// None where it has gone meanwhile, or is of a kind that is switched off.
fn value(path: &str, name: &[u8]) -> rustix::io::Result<Option<Vec<u8>>> {
    let mut value = vec![0_u8; KERNEL_BYTES];
    match getxattr(path, name, value.as_mut_slice()) {
        Ok(length) => {
            value.truncate(length);
            value.shrink_to_fit();
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::{os::fd::AsFd, os::unix::fs::symlink};

    fn xattrs(of: &[(&[u8], &[u8])]) -> Xattrs {
        let pair = |(name, value): &(&[u8], &[u8])| {
            (
                XattrName::from_bytes(name).unwrap(),
                XattrValue::new(value.to_vec()),
            )
        };
        of.iter().map(pair).collect()
    }

    #[test]
    fn what_is_set_is_read_and_what_is_not_wanted_goes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let at = File::open(directory.path()).unwrap();
        let open = File::open(&file).unwrap();
        let long = vec![7; 1_000];
        let many = xattrs(&[
            (b"user.\xff%\xc3\xbc", b"\0\xff"),
            (b"user.empty", b""),
            (b"user.long", &long),
        ]);
        set_xattrs(at.as_fd(), b"file", &many).unwrap();
        assert_eq!(read_xattrs(&open).unwrap(), (many, vec![]));
        let one = xattrs(&[(b"user.long", b"short")]);
        set_xattrs(at.as_fd(), b"file", &one).unwrap();
        assert_eq!(read_xattrs(&open).unwrap(), (one, vec![]));
        set_xattrs(at.as_fd(), b"file", &Xattrs::new()).unwrap();
        assert_eq!(read_xattrs(&open).unwrap(), (Xattrs::new(), vec![]));
    }

    #[test]
    fn those_of_a_link_are_its_own_and_what_is_refused_keeps_no_other_from_being_set() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "").unwrap();
        symlink("file", &link).unwrap();
        let at = File::open(directory.path()).unwrap();
        let wanted = xattrs(&[(b"user.of-no-link", b"1")]);
        // The kernel has none of these on links.
        set_xattrs(at.as_fd(), b"link", &wanted).unwrap_err();
        let open = File::open(&file).unwrap();
        assert_eq!(read_xattrs(&open).unwrap().0, Xattrs::new());
        // No capability has this form.
        let wanted = xattrs(&[(b"security.capability", b"1"), (b"user.a", b"1")]);
        set_xattrs(at.as_fd(), b"file", &wanted).unwrap_err();
        assert_eq!(read_xattrs(&open).unwrap().0, xattrs(&[(b"user.a", b"1")]));
        set_xattrs(CWD, b"/proc/self/none", &wanted).unwrap_err();
    }

    #[test]
    fn labels_and_what_is_the_kernels_are_not_carried() {
        for (name, carried) in [
            ("user.x", true),
            ("trusted.x", true),
            ("security.capability", true),
            ("system.posix_acl_access", true),
            ("system.posix_acl_default", true),
            ("security.selinux", false),
            ("security.ima", false),
            ("system.nfs4_acl", false),
            ("user", false),
            ("", false),
        ] {
            assert_eq!(is_carried(name.as_bytes()), carried, "{name}");
        }
    }
}

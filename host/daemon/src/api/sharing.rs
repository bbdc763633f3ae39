//! With whom the socket is shared: a group, and viewers, who each get an entry of an access control list.
//!
//! Invariant: nobody else comes in: others have no right at all, and of the state directory who is let in may pass through
//! and not look.

use mainstay_domain::socket_rights::{SocketRights, Viewers};
use rustix::fs::XattrFlags;
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

/// Where the kernel keeps the list of a file; see acl(5).
const ACL: &str = "system.posix_acl_access";

const READ_AND_WRITE: u16 = 6;
const PASS: u16 = 1;

/// With whom the socket is shared.
#[derive(Debug, Clone, Default)]
pub(super) struct Sharing {
    group: Option<u32>,
    viewers: Viewers,
}

impl Sharing {
    /// As the rights over the socket say.
    pub(super) fn of(rights: &SocketRights) -> Self {
        Self {
            group: rights.group,
            viewers: rights.viewers.clone(),
        }
    }

    /// Lets them through to what lies in the directory, by names that they know.
    pub(super) fn open_directory(&self, directory: &Path) -> io::Result<()> {
        self.open(directory, PASS)
    }

    /// Lets them use the socket.
    pub(super) fn open_socket(&self, socket: &Path) -> io::Result<()> {
        self.open(socket, READ_AND_WRITE)
    }

    /// Gives them these rights beside those that are there.
    fn open(&self, path: &Path, rights: u16) -> io::Result<()> {
        if self.group.is_none() && self.viewers.is_empty() {
            return Ok(());
        }
        if self.group.is_some() {
            chown(path, None, self.group)?;
        }
        let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
        let of_group = self.group.map_or(0, |_| rights);
        if self.viewers.is_empty() {
            let mode = mode | (u32::from(of_group) << 3);
            return fs::set_permissions(path, Permissions::from_mode(mode));
        }
        let part = |shift: u32| u16::try_from((mode >> shift) & 0o7).unwrap_or_default();
        let list = list(
            &self.viewers,
            rights,
            [part(6), part(3) | of_group, part(0)],
        );
        rustix::fs::setxattr(path, ACL, &list, XattrFlags::empty())?;
        Ok(())
    }
}

/// An access control list as the kernel takes it: these rights for the viewers, and those of the owner, the group and all
/// others.
fn list(viewers: &Viewers, rights: u16, [owner, group, others]: [u16; 3]) -> Vec<u8> {
    const VERSION: u32 = 2;
    const NOBODY: u32 = u32::MAX;
    let sorted = |ids: &[u32]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let mut list = VERSION.to_le_bytes().to_vec();
    let mut add = |tag: u16, rights: u16, id: u32| {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    };
    // In the order of their tags, and of the numbers of each.
    add(0x01, owner, NOBODY);
    for user in sorted(&viewers.users) {
        add(0x02, rights, user);
    }
    add(0x04, group, NOBODY);
    for group in sorted(&viewers.groups) {
        add(0x08, rights, group);
    }
    add(0x10, group | rights, NOBODY);
    add(0x20, others, NOBODY);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_acl_5_has_it() {
        let viewers = Viewers {
            users: vec![1002, 1001, 1002],
            groups: vec![50],
        };
        let list = list(&viewers, 6, [6, 0, 0]);
        let (version, entries) = list.split_at(4);
        assert_eq!(version, [2, 0, 0, 0]);
        let entries: Vec<(u8, u8)> = entries
            .chunks(8)
            .map(|entry| (entry[0], entry[2]))
            .collect();
        let expected = [(1, 6), (2, 6), (2, 6), (4, 0), (8, 6), (0x10, 6), (0x20, 0)];
        assert_eq!(entries, expected);
    }

    #[test]
    fn who_shares_with_nobody_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let before = fs::metadata(directory.path()).unwrap().permissions().mode();
        Sharing::default().open_directory(directory.path()).unwrap();
        let after = fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(after, before);
    }

    #[test]
    fn a_group_may_pass_through_the_directory_and_not_look_into_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let own = rustix::process::getegid().as_raw();
        let sharing = Sharing {
            group: Some(own),
            viewers: Viewers::default(),
        };
        sharing.open_directory(directory.path()).unwrap();
        let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o710);
    }
}

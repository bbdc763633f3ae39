//! A directory whose content is opened, and made, without ever leaving it.
//!
//! Invariant: no name is too long: the kernel is given no more of one than it takes at once.
//! Invariant: no symbolic link is followed, at no place of a name: whoever may change a source while it is read cannot
//! turn a directory into a way out of it.

use super::names::Names;
use rustix::{
    fs::{
        AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, linkat, mkdirat, openat, openat2,
        readlinkat, symlinkat, unlinkat,
    },
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

/// So much of a name is opened at once. The kernel takes 4,095 bytes.
const AT_ONCE: usize = 4_000;

/// A directory that is held open.
pub(super) struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// Opens a directory.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(CWD, root, flags, Mode::empty())?;
        Ok(Self { root })
    }

    /// A place in the directory, for its metadata and for [`names`] and [`target`]; `.` is the directory itself.
    pub(super) fn place(&self, relative: &[u8]) -> io::Result<File> {
        self.at(relative, OFlags::PATH)
    }

    /// A file, to be read; without waiting for a pipe that took its place.
    pub(super) fn file(&self, relative: &[u8]) -> io::Result<File> {
        self.at(relative, OFlags::RDONLY | OFlags::NONBLOCK)
    }

    /// The directory that a name is in, to be used with the last part of the name.
    pub(super) fn above<'a>(&self, relative: &'a [u8]) -> io::Result<(File, &'a [u8])> {
        let (above, name) = split_last(relative);
        Ok((self.at(above, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    /// Makes a file, for its owner only, and the directories above it.
    pub(super) fn new_file(&self, relative: &[u8]) -> io::Result<File> {
        let (above, name) = split_last(relative);
        let above = self.new_directory(above)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&above, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// A file that was made, to be written on.
    pub(super) fn file_again(&self, relative: &[u8]) -> io::Result<File> {
        self.at(relative, OFlags::WRONLY)
    }

    /// Makes a symbolic link, and the directories above it.
    pub(super) fn new_link(&self, relative: &[u8], leads_to: &[u8]) -> io::Result<()> {
        let (above, name) = split_last(relative);
        let above = self.new_directory(above)?;
        Ok(symlinkat(leads_to, &above, name)?)
    }

    /// Makes another name of a file, which is in this tree or another one, and the directories above it.
    pub(super) fn new_name(&self, relative: &[u8], (tree, of): (&Self, &[u8])) -> io::Result<()> {
        let (above, name) = split_last(relative);
        let above = self.new_directory(above)?;
        let (there, file) = tree.above(of)?;
        Ok(linkat(&there, file, &above, name, AtFlags::empty())?)
    }

    /// Takes a file's name away.
    pub(super) fn remove_name(&self, relative: &[u8]) -> io::Result<()> {
        let (above, name) = self.above(relative)?;
        Ok(unlinkat(&above, name, AtFlags::empty())?)
    }

    /// Makes a directory, and those above it, where they are not there.
    pub(super) fn new_directory(&self, relative: &[u8]) -> io::Result<File> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let mut missing = Vec::new();
        let mut rest = relative;
        let mut open = loop {
            match self.at(rest, flags) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && rest != b"." => {
                    let (above, name) = split_last(rest);
                    missing.push(name);
                    rest = above;
                }
                open => break open?,
            }
        };
        for name in missing.into_iter().rev() {
            match mkdirat(&open, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let always = OFlags::NOFOLLOW | OFlags::CLOEXEC;
            open = openat(&open, name, always | flags, Mode::empty())?.into();
        }
        Ok(open)
    }

    fn at(&self, relative: &[u8], flags: OFlags) -> io::Result<File> {
        let mut near: Option<Self> = None;
        let mut rest = relative;
        while let Some((first, after)) = first_steps(rest) {
            let from = near.as_ref().unwrap_or(self);
            let root = from.open_near(first, OFlags::PATH | OFlags::DIRECTORY)?;
            near = Some(Self { root });
            rest = after;
        }
        let opened = near.as_ref().unwrap_or(self).open_near(rest, flags)?;
        Ok(opened.into())
    }

    fn open_near(&self, relative: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let opened = match self.in_one_step(relative, flags) {
            // The kernel is older than 5.6, or a sandbox does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => self.step_by_step(relative, flags),
            opened => opened,
        };
        match opened {
            Ok(opened) => Ok(opened),
            // A link or a file took its place, or that of a directory above it: what was listed is gone.
            Err(Errno::LOOP | Errno::NOTDIR) => Err(Errno::NOENT.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn in_one_step(&self, relative: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(&self.root, relative, flags, Mode::empty(), resolve)
    }

    fn step_by_step(&self, relative: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mut names = relative.split(|byte| *byte == b'/');
        let last = names.next_back().unwrap_or(b".");
        let always = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut above: Option<OwnedFd> = None;
        for name in names {
            let flags = always | OFlags::PATH | OFlags::DIRECTORY;
            let from = above.as_ref().unwrap_or(&self.root);
            above = Some(openat(from, name, flags, Mode::empty())?);
        }
        let from = above.as_ref().unwrap_or(&self.root);
        openat(from, last, always | flags, Mode::empty())
    }
}

/// As much of a name as is opened at once, and the rest; none where that is all of it.
fn first_steps(relative: &[u8]) -> Option<(&[u8], &[u8])> {
    let (near, _) = relative.split_at_checked(AT_ONCE)?;
    let at = near.iter().rposition(|byte| *byte == b'/')?;
    Some((relative.get(..at)?, relative.get(at + 1..)?))
}

/// What a name is in, and the last part of it.
fn split_last(relative: &[u8]) -> (&[u8], &[u8]) {
    let at = relative.iter().rposition(|byte| *byte == b'/');
    let parts = at.and_then(|at| Some((relative.get(..at)?, relative.get(at + 1..)?)));
    parts.unwrap_or((b".".as_slice(), relative))
}

/// The path of what a directory has by a name, relative to where a walk began.
pub(super) fn below(relative: &[u8], name: &OsStr) -> Vec<u8> {
    match relative {
        b"." => name.as_bytes().to_vec(),
        _ => [relative, b"/", name.as_bytes()].concat(),
    }
}

/// The names in a directory, sorted by their bytes.
pub(super) fn names(directory: &File) -> io::Result<Names> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = Dir::new(openat(directory, ".", flags, Mode::empty())?)?;
    let mut names = Names::default();
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name)?;
        }
    }
    names.sort();
    Ok(names)
}

/// Where a symbolic link leads.
pub(super) fn target(link: &File) -> io::Result<Vec<u8>> {
    Ok(readlinkat(link, "", Vec::new())?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Read, os::unix::fs::symlink};

    #[test]
    fn a_name_of_any_length_is_made_and_opened() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::open(directory.path()).unwrap();
        for parts in [1, 15, 16, 17, 40] {
            for part in [200, 248, 249, 250, 255] {
                let name = vec!["n".repeat(part); parts].join("/");
                let (file, link) = (format!("{name}/file"), format!("{name}/link"));
                tree.new_file(file.as_bytes()).unwrap();
                tree.new_link(link.as_bytes(), b"file").unwrap();
                let found = tree.place(file.as_bytes()).unwrap();
                assert!(found.metadata().unwrap().is_file());
                assert_eq!(
                    target(&tree.place(link.as_bytes()).unwrap()).unwrap(),
                    b"file"
                );
                let listed = names(&tree.place(name.as_bytes()).unwrap()).unwrap();
                assert!(listed.iter().eq(["file", "link"]));
                let (above, last) = tree.above(file.as_bytes()).unwrap();
                assert_eq!(last, b"file");
                assert!(names(&above).unwrap().iter().any(|name| name == "file"));
                let missing = format!("{name}/none/file");
                let gone = tree.file(missing.as_bytes()).unwrap_err();
                assert_eq!(gone.kind(), io::ErrorKind::NotFound);
            }
        }
        let long = "n".repeat(256);
        assert!(tree.new_file(long.as_bytes()).is_err());
    }

    #[test]
    fn a_tree_is_not_left_by_a_link_whatever_the_kernel_has() {
        type Opens = fn(&Tree, &[u8], OFlags) -> rustix::io::Result<OwnedFd>;
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "inside").unwrap();
        symlink("a", root.join("link")).unwrap();
        symlink("a/b/file", root.join("last")).unwrap();
        let tree = Tree::open(&root).unwrap();
        for opens in [Tree::in_one_step as Opens, Tree::step_by_step] {
            let open = |relative: &str, flags| opens(&tree, relative.as_bytes(), flags);
            let mut text = String::new();
            let mut file = File::from(open("a/b/file", OFlags::RDONLY).unwrap());
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "inside");
            let listed = names(&open(".", OFlags::PATH).unwrap().into()).unwrap();
            assert!(listed.iter().eq(["a", "last", "link"]), "{listed:?}");

            let link = File::from(open("last", OFlags::PATH).unwrap());
            assert!(link.metadata().unwrap().is_symlink());
            assert_eq!(target(&link).unwrap(), b"a/b/file");
            assert_eq!(open("last", OFlags::RDONLY).unwrap_err(), Errno::LOOP);
            for below in ["link/b/file", "link/b", "last/x", "a/b/file/x"] {
                let refused = open(below, OFlags::PATH).unwrap_err();
                assert!(matches!(refused, Errno::LOOP | Errno::NOTDIR), "{below}");
            }
            assert_eq!(open("a/x", OFlags::PATH).unwrap_err(), Errno::NOENT);
        }
        for below in ["link/b/file", "last"] {
            let gone = tree.file(below.as_bytes()).unwrap_err();
            assert_eq!(gone.kind(), io::ErrorKind::NotFound, "{below}");
        }
        assert!(Tree::open(&root.join("link")).is_err());
    }
}

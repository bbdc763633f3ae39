//! A log that lies where others may write, opened without being led to somebody else's file.
//!
//! Invariant: a link on the way is followed only where it is root's, the daemon's own user's, or of whom the file is that
//! it leads to: who may make a link, but not read a file, is shown nothing of that file.
//! Invariant: each step is taken from the directory of the one before, and what was looked at is what is followed, so that
//! nothing can be swapped in between.

use rustix::{
    fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, openat, readlinkat},
    process::geteuid,
};
use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Component, Path},
};

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// A place on the way; only good to go on from.
const STEP: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A regular file, and what is known of the opened one. Blocks.
pub(super) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut ahead = Vec::new();
    let mut at = File::from(openat(CWD, ".", STEP, Mode::empty())?);
    let mut foreign = Vec::new();
    let mut links = 0;
    go(path, &mut at, &mut ahead)?;
    while let Some(name) = ahead.pop() {
        let is_last = ahead.is_empty();
        let step = openat(&at, &name, STEP | OFlags::NOFOLLOW, Mode::empty())?;
        let step = File::from(step);
        let metadata = step.metadata()?;
        if !metadata.is_symlink() {
            if is_last {
                let file = openat(&at, &name, READ | OFlags::NOFOLLOW, Mode::empty())?;
                return judged(File::from(file), &foreign);
            }
            at = step;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(io::Error::other("it goes through too many links"));
        }
        if !is_trusted(metadata.uid()) {
            foreign.push(metadata.uid());
        }
        // What a link of the kernel says is not where it leads, as of the root of a container.
        if fstatfs(&step)?.f_type == PROC_SUPER_MAGIC {
            if is_last {
                let file = openat(&at, &name, READ, Mode::empty())?;
                return judged(File::from(file), &foreign);
            }
            at = File::from(openat(&at, &name, STEP, Mode::empty())?);
            continue;
        }
        let leads_to = readlinkat(&step, "", Vec::<u8>::new())?;
        let leads_to = Path::new(OsStr::from_bytes(leads_to.as_bytes()));
        go(leads_to, &mut at, &mut ahead)?;
    }
    Err(no_regular_file())
}

/// Puts the steps of a path before those that are ahead, the next one last.
fn go(path: &Path, at: &mut File, ahead: &mut Vec<OsString>) -> io::Result<()> {
    if path.is_absolute() {
        *at = File::from(openat(CWD, "/", STEP, Mode::empty())?);
    }
    let steps = path.components().rev().filter_map(|step| match step {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    ahead.extend(steps);
    Ok(())
}

fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// The opened file, where each of these users that had a link on the way is its owner.
fn judged(file: File, foreign: &[u32]) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(no_regular_file());
    }
    let owner = metadata.uid();
    match foreign.iter().find(|user| **user != owner) {
        None => Ok((file, metadata)),
        Some(user) => Err(io::Error::other(format!(
            "a link of user {user} leads to a file of user {owner}, so it is not followed; name the file itself, or give \
             the link to root"
        ))),
    }
}

fn no_regular_file() -> io::Error {
    io::Error::other("it is no regular file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        io::Read,
        os::unix::fs::{chown, lchown, symlink},
    };

    const NOBODY: Option<u32> = Some(65_534);

    fn read(path: &Path) -> Result<String, String> {
        let (mut file, _) = open(path).map_err(|error| error.to_string())?;
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn own_links_are_followed_wherever_they_stand_and_a_circle_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("logs")).unwrap();
        fs::write(at("logs/web.log"), "words").unwrap();
        symlink("../logs/./web.log", at("logs/last")).unwrap();
        symlink(at("logs"), at("way")).unwrap();
        symlink("way/last", at("far")).unwrap();
        symlink("round", at("round")).unwrap();
        for path in ["logs/web.log", "logs/last", "way/last", "far", "way/../far"] {
            // What is above a link is above the place that it leads to.
            assert_eq!(read(&at(path)).as_deref(), Ok("words"), "{path}");
        }
        for (path, words) in [
            ("round", "too many links"),
            ("way", "no regular file"),
            ("none", "No such file"),
            ("logs/web.log/none", "Not a directory"),
        ] {
            let error = read(&at(path)).unwrap_err();
            assert!(error.contains(words), "{path}: {error}");
        }
    }

    #[test]
    fn a_link_of_somebody_else_leads_to_their_own_files_only() {
        if !geteuid().is_root() {
            return; // Only root can make a link of somebody else.
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("private"), "words").unwrap();
        symlink("private", at("log")).unwrap();
        symlink(".", at("way")).unwrap();
        assert_eq!(read(&at("log")).as_deref(), Ok("words"));
        lchown(at("log"), NOBODY, NOBODY).unwrap();
        lchown(at("way"), NOBODY, NOBODY).unwrap();
        for path in ["log", "way/private", "way/log"] {
            let error = read(&at(path)).unwrap_err();
            let words = "a link of user 65534 leads to a file of user 0";
            assert!(error.contains(words), "{path}: {error}");
        }
        chown(at("private"), NOBODY, NOBODY).unwrap();
        for path in ["log", "way/private", "way/log"] {
            assert_eq!(read(&at(path)).as_deref(), Ok("words"), "{path}");
        }
    }
}

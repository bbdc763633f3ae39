//! Directories of the host's own that hold what can be made again, or lines for people. What lies in the place of one and is
//! none that can be used is put aside, where it is told, and keeps no host from starting.
//!
//! Invariant: nothing that lay there is lost, and what a link leads to is not changed.

use rustix::fs::{Access, access};
use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// So many of one name are put aside; a further one stays where it lies.
const MOST_ASIDE: u32 = 100;

/// Makes a directory for its owner only, with its parents; one that is there keeps its mode, but that its owner may use it.
/// What else lies there is put aside, which the log tells. The error says why there is no such directory then.
pub fn make(path: &Path) -> io::Result<()> {
    let Err(why) = use_or_make(path) else {
        return Ok(());
    };
    match put_aside(path) {
        Ok(aside) => {
            tracing::warn!(
                path = %path.display(),
                aside = %aside.display(),
                error = %why,
                "what lay there cannot be used, and was put aside"
            );
            use_or_make(path)
        }
        // It is not what lies there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(why),
        Err(error) => {
            let text = format!("{why}, and what lies there cannot be put aside: {error}");
            Err(io::Error::new(why.kind(), text))
        }
    }
}

/// Gives what lies there, whatever that is, another name beside it; which.
pub fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=MOST_ASIDE {
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".aside-{number}"));
        let aside = PathBuf::from(aside);
        match fs::symlink_metadata(&aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::rename(path, &aside)?;
                return Ok(aside);
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Err(io::Error::other(format!(
        "{MOST_ASIDE} of its name were put aside before"
    )))
}

fn use_or_make(path: &Path) -> io::Result<()> {
    let is_link = match fs::symlink_metadata(path) {
        Ok(found) => found.is_symlink(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return DirBuilder::new().recursive(true).mode(0o700).create(path);
        }
        Err(error) => return Err(error),
    };
    let found = fs::metadata(path)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is no directory"));
    }
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    match access(path, all) {
        // Its owner may have closed it to all.
        Err(_) if !is_link => {
            let mode = found.permissions().mode() & 0o7777;
            fs::set_permissions(path, Permissions::from_mode(mode | 0o700))?;
            Ok(access(path, all)?)
        }
        usable => Ok(usable?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::os::unix::fs::symlink;

    #[test]
    fn what_lies_in_the_place_of_a_directory_is_put_aside_and_nothing_of_it_is_lost() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        make(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o050)).unwrap();
        make(&path).unwrap();
        assert!(path.join("kept").exists(), "it is used");
        fs::rename(&path, root.path().join("other")).unwrap();

        fs::write(&path, "mine").unwrap();
        make(&path).unwrap();
        symlink("nowhere", path.join("inner")).unwrap();
        make(&path.join("inner")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        make(&root.path().join("loop")).unwrap();
        mkfifoat(CWD, root.path().join("fifo"), Mode::RUSR).unwrap();
        make(&root.path().join("fifo")).unwrap();
        for name in ["cache", "cache/inner", "loop", "fifo"] {
            assert!(root.path().join(name).is_dir(), "{name}");
            let aside = root.path().join(format!("{name}.aside-1"));
            assert!(fs::symlink_metadata(aside).is_ok(), "{name}");
        }
        let aside = root.path().join("cache.aside-1");
        assert_eq!(fs::read_to_string(aside).unwrap(), "mine");

        // The next one does not take its place.
        fs::rename(&path, root.path().join("another")).unwrap();
        fs::write(&path, "mine too").unwrap();
        make(&path).unwrap();
        let aside = root.path().join("cache.aside-2");
        assert_eq!(fs::read_to_string(aside).unwrap(), "mine too");
    }

    #[test]
    fn what_a_link_leads_to_is_used_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let (there, link) = (root.path().join("there"), root.path().join("link"));
        fs::create_dir(&there).unwrap();
        fs::set_permissions(&there, Permissions::from_mode(0o755)).unwrap();
        symlink("there", &link).unwrap();
        make(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&there).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn where_there_can_be_none_the_error_says_why() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "mine").unwrap();
        let error = make(&root.path().join("file/cache")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{error}");
        let kept = fs::read_to_string(root.path().join("file"));
        assert_eq!(kept.unwrap(), "mine");
    }
}

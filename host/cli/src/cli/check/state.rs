//! The state directory: whether it can be one.

use super::directories::resolved;
use mainstay_daemon::config::{Loaded, Problem};
use rustix::fs::{Access, StatVfsMountFlags, access, statfs, statvfs};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What keeps the daemon from having its state there. Where the config is not whole, it has told already of directories that lie
/// in one another as they are written.
pub(super) fn problems(loaded: &Loaded, is_whole: bool) -> Vec<Problem> {
    let host = &loaded.spec.host;
    let mut found = Vec::new();
    if let Some(problem) = problem(&host.state_dir) {
        found.push(loaded.problem_about_directory("state_dir", problem));
    }
    let lie_together = |one: &Path, other: &Path| one.starts_with(other) || other.starts_with(one);
    let is_told = !is_whole && lie_together(&host.state_dir, &host.plugin_dir);
    let (state, plugins) = (resolved(&host.state_dir), resolved(&host.plugin_dir));
    if lie_together(&state, &plugins) && !is_told {
        let problem = Problem::error(
            format!(
                "`plugin_dir` is {}, and `state_dir` {}: the host would take its own files for plugins",
                plugins.display(),
                state.display()
            ),
            "name directories beside one another; links are followed",
        );
        found.push(loaded.problem_about_directory("plugin_dir", problem));
    }
    found
}

fn problem(path: &Path) -> Option<Problem> {
    let shown = path.display();
    let wrong = |what: String| {
        let help = "name a directory on a disk that the daemon can write to";
        Some(Problem::error(
            format!("the state directory {shown} cannot be one: {what}"),
            help,
        ))
    };
    let place = match nearest(path) {
        Ok(place) => place,
        Err(error) => return wrong(error.to_string()),
    };
    let found = match fs::metadata(&place) {
        Ok(found) => found,
        Err(error) => return wrong(error.to_string()),
    };
    if !found.is_dir() {
        return wrong(format!("{} is no directory", place.display()));
    }
    if place == path && found.permissions().mode() & 0o002 != 0 {
        return wrong("everybody may write to it".to_owned());
    }
    if is_of_the_kernel(&place) {
        return wrong(format!(
            "{} is no file system that keeps files",
            place.display()
        ));
    }
    if statvfs(&place).is_ok_and(|of| of.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return wrong(format!("{} is mounted read-only", place.display()));
    }
    access(&place, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| {
        Problem::warning(
            format!(
                "who runs this check cannot write to the state directory {shown}: {}: {error}",
                place.display()
            ),
            "see that the user of the daemon can; it makes the directory with mode 700 where it is not there",
        )
    })
}

/// The directory itself, or what it would be made in.
fn nearest(path: &Path) -> io::Result<PathBuf> {
    for place in path.ancestors() {
        match fs::symlink_metadata(place) {
            Ok(_) => return Ok(place.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// File systems that show the kernel: proc, sysfs, both kinds of control groups, devpts, debugfs, tracefs, securityfs.
pub(super) fn is_of_the_kernel(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| {
        matches!(
            found.f_type,
            0x9fa0
                | 0x6265_6572
                | 0x0027_e0eb
                | 0x6367_7270
                | 0x1cd1
                | 0x6462_6720
                | 0x7472_6163
                | 0x7363_6673
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_one_that_can_be_made_and_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("there")).unwrap();
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        for (path, expected) in [
            (at("there"), None),
            (at("later"), None),
            (at("there/later/still"), None),
            (at("file"), Some("is no directory")),
            (at("file/state"), Some("Not a directory")),
            (at("open"), Some("everybody may write")),
            (at("link"), Some("No such file")),
            ("/proc".into(), Some("no file system that keeps files")),
            (
                "/proc/state".into(),
                Some("no file system that keeps files"),
            ),
            ("/dev/null".into(), Some("is no directory")),
        ] {
            let found = problem(&path);
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(says)) => {
                    assert!(
                        found.is_error() && found.message.contains(says),
                        "{found:?}"
                    );
                }
                _ => panic!("{}: {found:?}, not {expected:?}", path.display()),
            }
        }
    }
}

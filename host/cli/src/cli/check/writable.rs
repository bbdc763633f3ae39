//! What anybody on the machine may write to and the daemon does what it says: the config, and the plugins.
//!
//! Warnings, for a machine may have no other users.

use mainstay_daemon::config::{Loaded, Problem};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Everybody may write to it.
const BY_ALL: u32 = 0o002;
/// In a directory with it nobody replaces what is another's.
const STICKY: u32 = 0o1000;

/// A warning for each.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut directories = BTreeSet::new();
    for file in &loaded.files {
        directories.extend(std::path::absolute(file).ok().and_then(directory_of));
        if mode(file).is_some_and(|mode| mode & BY_ALL != 0) {
            problems.push(problem("the config", file));
        }
    }
    for directory in &directories {
        if is_open(directory) {
            problems.push(problem("the directory of the config", directory));
        }
    }
    let plugins = &loaded.spec.host.plugin_dir;
    // A new file in it is a plugin, whoever made it.
    if mode(plugins).is_some_and(|mode| mode & BY_ALL != 0) {
        let problem = problem("the plugin directory", plugins);
        problems.push(loaded.problem_about_directory("plugin_dir", problem));
    }
    problems
}

fn directory_of(file: PathBuf) -> Option<PathBuf> {
    file.parent().map(Path::to_path_buf)
}

fn problem(what: &str, path: &Path) -> Problem {
    let shown = path.display();
    Problem::warning(
        format!(
            "everybody may write to {what}, {shown}, and so have the daemon run what they like"
        ),
        format!("run `chmod o-w {shown}`"),
    )
}

/// Where it cannot be looked at nothing is known.
fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode())
}

fn is_open(directory: &Path) -> bool {
    mode(directory).is_some_and(|mode| mode & BY_ALL != 0 && mode & STICKY == 0)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::loaded, *};

    #[test]
    fn what_everybody_may_write_to_is_told() {
        let (directory, loaded) = loaded("");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("plugins")).unwrap();
        let set = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let (file, plugins) = (at("mainstay.toml"), at("plugins"));
        for (path, usual, open, says) in [
            (file.as_path(), 0o644, 0o666, Some("to the config, ")),
            (
                plugins.as_path(),
                0o755,
                0o777,
                Some("to the plugin directory, "),
            ),
            (
                plugins.as_path(),
                0o755,
                0o1777,
                Some("to the plugin directory, "),
            ),
            (plugins.as_path(), 0o755, 0o775, None),
            (
                directory.path(),
                0o700,
                0o777,
                Some("to the directory of the config, "),
            ),
            (directory.path(), 0o700, 0o1777, None),
        ] {
            set(path, usual);
            assert!(problems(&loaded).is_empty(), "{path:?}");
            set(path, open);
            let found = problems(&loaded);
            set(path, usual);
            match (found.as_slice(), says) {
                ([], None) => {}
                ([problem], Some(says)) => {
                    assert!(problem.message.contains(says), "{problem:?}");
                    assert!(!problem.is_error(), "{problem:?}");
                }
                (found, _) => panic!("{path:?} {open:o}: {found:?}, not {says:?}"),
            }
        }
    }
}

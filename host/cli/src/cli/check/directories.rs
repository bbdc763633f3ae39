//! The directories that plugins are granted: whether they are there, and whether a guest should see them.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A warning for each grant of a directory that cannot be what is meant.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let host = &loaded.spec.host;
    let own = [
        ("the state directory", resolved(&host.state_dir)),
        ("the plugin directory", resolved(&host.plugin_dir)),
    ];
    let mut problems = Vec::new();
    for (name, plugin) in &loaded.spec.plugins {
        for grant in &plugin.grants.dir {
            let doubts = doubts(&grant.path, &own);
            if doubts.is_empty() {
                continue;
            }
            let message = format!(
                "{name} is granted the directory {}, which {}",
                grant.path.display(),
                doubts.join(", and ")
            );
            let help =
                "grant a directory that is there and holds what the plugin needs, and nothing else";
            let problem = Problem::warning(message, help);
            problems.push(loaded.problem_about(EntityKind::Plugin, name.as_str(), problem));
        }
    }
    problems
}

/// What is wrong with a granted directory, for people.
fn doubts(path: &Path, own: &[(&str, PathBuf)]) -> Vec<String> {
    let mut doubts = Vec::new();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => doubts.push("is no directory".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            doubts.push("is not there".to_owned());
        }
        Err(error) => doubts.push(format!("cannot be looked at: {error}")),
    }
    let path = resolved(path);
    if path.parent().is_none() {
        doubts.push("is the whole file system".to_owned());
        return doubts;
    }
    for (what, directory) in own {
        if path == *directory {
            doubts.push(format!("is {what}"));
        } else if path.starts_with(directory) {
            doubts.push(format!("lies in {what}"));
        } else if directory.starts_with(&path) {
            doubts.push(format!("holds {what}"));
        }
    }
    doubts
}

/// The path without links, as far as it is there.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|ancestor| {
        let real = fs::canonicalize(ancestor).ok()?;
        let missing = path.strip_prefix(ancestor).ok()?;
        // To join nothing would put a `/` at the end.
        Some(match missing.as_os_str().is_empty() {
            true => real,
            false => real.join(missing),
        })
    });
    there.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_doubted_where_it_is_no_place_for_a_guest() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for directory in ["state", "plugins", "cache", "state/plugins"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("state", at("link")).unwrap();
        let own = [
            ("the state directory", resolved(&at("state"))),
            ("the plugin directory", resolved(&at("plugins"))),
        ];
        for (path, expected) in [
            (at("cache"), ""),
            (at("missing"), "is not there"),
            (at("file"), "is no directory"),
            (at("state"), "is the state directory"),
            (at("link"), "is the state directory"),
            (at("cache/../state/."), "is the state directory"),
            (at("state/plugins"), "lies in the state directory"),
            (
                at("state/later"),
                "is not there; lies in the state directory",
            ),
            (at("plugins"), "is the plugin directory"),
            (
                root.path().to_owned(),
                "holds the state directory; holds the plugin directory",
            ),
            (PathBuf::from("/"), "is the whole file system"),
        ] {
            assert_eq!(doubts(&path, &own).join("; "), expected, "{path:?}");
        }
    }
}

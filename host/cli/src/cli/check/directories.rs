//! The directories that plugins are granted: whether they are there, and whether a guest should see them.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::spec::SecretSource;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Directories of the system that tell who reads them what is nobody else's, or let who writes to them command the machine; and
/// whether that is so of all that lies in them.
const OF_THE_SYSTEM: [(&str, bool); 7] = [
    ("/boot", false),
    ("/dev", false),
    ("/etc", false),
    ("/proc", true),
    ("/root", false),
    ("/run", false),
    ("/sys", true),
];

/// A warning for each grant of a directory that cannot be what is meant.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let own = own(loaded);
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

/// What of the host's own no guest should see, and what that is for people: directories, and files by themselves.
fn own(loaded: &Loaded) -> Vec<(String, PathBuf)> {
    let spec = &loaded.spec;
    let mut own = vec![
        (
            "the state directory".to_owned(),
            resolved(&spec.host.state_dir),
        ),
        (
            "the plugin directory".to_owned(),
            resolved(&spec.host.plugin_dir),
        ),
    ];
    let config = loaded.files.iter();
    own.extend(config.map(|file| ("the config".to_owned(), resolved(file))));
    for (name, source) in &spec.secrets {
        if let SecretSource::File(file) = source {
            own.push((format!("the secret `{name}`"), resolved(file)));
        }
    }
    for job in &spec.jobs {
        if let Some(file) = &job.sealing.identity {
            own.push((
                format!("the identity of job `{}`", job.name),
                resolved(file),
            ));
        }
    }
    own
}

/// What is wrong with a granted directory, for people.
fn doubts(path: &Path, own: &[(String, PathBuf)]) -> Vec<String> {
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
    for (directory, with_all) in OF_THE_SYSTEM {
        if path == Path::new(directory) {
            doubts.push("is the system's own".to_owned());
        } else if with_all && path.starts_with(directory) {
            doubts.push(format!("lies in {directory}, which is the system's own"));
        }
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
            ("the state directory".to_owned(), resolved(&at("state"))),
            ("the plugin directory".to_owned(), resolved(&at("plugins"))),
            ("the secret `t`".to_owned(), resolved(&at("keys/t"))),
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
            (at("keys"), "is not there; holds the secret `t`"),
            (
                root.path().to_owned(),
                "holds the state directory; holds the plugin directory; holds the secret `t`",
            ),
            (PathBuf::from("/proc"), "is the system's own"),
            (
                PathBuf::from("/proc/self/task/../fd"),
                "lies in /proc, which is the system's own",
            ),
            (PathBuf::from("/dev"), "is the system's own"),
            (PathBuf::from("/dev/shm"), ""),
            (PathBuf::from("/etc"), "is the system's own"),
            (PathBuf::from("/"), "is the whole file system"),
        ] {
            assert_eq!(doubts(&path, &own).join("; "), expected, "{path:?}");
        }
    }

    #[test]
    fn what_is_the_hosts_own_is_the_config_and_what_it_keeps_secret_too() {
        let (directory, loaded) = super::super::testing::loaded(
            "[secrets]\na = { file = \"keys/a\" }\nb = { env = \"B\" }\n\
             [[job]]\nname = \"j\"\nencryption = \"none\"\nidentity = { file = \"keys/j\" }\n\
             source = [{ kind = \"directory\", path = \"d\" }]\n\
             [plugin.p]\ngrants = { dir = [\"keys\", \"d\"] }\n",
        );
        fs::create_dir(directory.path().join("keys")).unwrap();
        fs::create_dir(directory.path().join("d")).unwrap();
        let found = problems(&loaded);
        let [found] = found.as_slice() else {
            panic!("{found:?}");
        };
        let says = "/keys, which holds the secret `a`, and holds the identity of job `j`";
        assert!(found.message.ends_with(says), "{found:?}");
        let named: Vec<String> = own(&loaded).into_iter().map(|(what, _)| what).collect();
        assert!(named.contains(&"the config".to_owned()), "{named:?}");
    }
}

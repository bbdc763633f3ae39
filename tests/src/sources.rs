//! What components are made of, as one digest: who has a component of the same sources need not build it again.

use crate::repository;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Where the plugins that come with the program are kept, packed, with a record of them.
pub fn carried() -> PathBuf {
    repository().join("host/cli/carried")
}

/// A component there.
pub fn packed(name: &str) -> PathBuf {
    carried().join(format!("{name}.wasm.zst"))
}

/// The first-party plugins.
pub fn plugin_names() -> BTreeSet<String> {
    let entries = fs::read_dir(repository().join("plugins")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let packages = paths.filter(|path| path.join("Cargo.toml").is_file());
    packages
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// Of all that the first-party plugins are made of.
pub fn digest_of_plugins() -> String {
    digest_of(&["plugins"], plugin_names())
}

/// Of all that one guest of the tests, or one plugin, is made of.
pub(crate) fn digest_of_guest(name: &str) -> String {
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(digest) = known.get(name) {
        return digest.clone();
    }
    let homes = ["plugins", "tests/guests"].map(|home| format!("{home}/{name}"));
    let home = homes
        .iter()
        .find(|home| repository().join(home).is_dir())
        .unwrap_or_else(|| panic!("no guest `{name}`: {homes:?}"));
    let digest = digest_of(&[home], BTreeSet::from([name.to_owned()]));
    known.insert(name.to_owned(), digest.clone());
    digest
}

/// Of these directories, the SDK, the profile that guests are built with, and what the packages depend on.
fn digest_of(directories: &[&str], packages: BTreeSet<String>) -> String {
    let mut files = BTreeMap::new();
    for directory in directories.iter().chain(&["plugin-sdk"]) {
        sources(&repository().join(directory), &mut files);
    }
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let mut hasher = blake3::Hasher::new();
    for (path, bytes) in files {
        let head = format!("{} {}\n", path.display(), bytes.len());
        hasher.update(head.as_bytes()).update(&bytes);
    }
    hasher.update(manifest["profile"]["guest"].to_string().as_bytes());
    for package in with_dependencies(packages) {
        hasher.update(package.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// The files of a directory that a component is made of.
fn sources(directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_for_tests = ["tests", "tests.rs", "testing", "testing.rs", "target"].contains(&name);
        if is_for_tests || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if ["rs", "toml", "wit"]
            .iter()
            .any(|kind| name.ends_with(kind))
        {
            let below = path.strip_prefix(repository()).unwrap().to_owned();
            found.insert(below, fs::read(&path).unwrap());
        }
    }
}

/// Packages and what they are made of, with their versions, as `Cargo.lock` has them.
fn with_dependencies(packages: BTreeSet<String>) -> BTreeSet<String> {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let rows = lock["package"].as_array().unwrap();
    let mut open: Vec<String> = packages.into_iter().collect();
    let mut found = BTreeSet::new();
    while let Some(wanted) = open.pop() {
        // A name, and its version where there are several.
        let mut words = wanted.split(' ');
        let (name, version) = (words.next().unwrap(), words.next());
        for row in rows {
            let of = |key: &str| row.get(key).and_then(|value| value.as_str());
            let is_wanted = of("name") == Some(name)
                && version.is_none_or(|version| of("version") == Some(version));
            let package = format!("{name} {}", of("version").unwrap());
            if is_wanted && found.insert(package) {
                let needs = row.get("dependencies").and_then(|list| list.as_array());
                let needs = needs.into_iter().flatten();
                open.extend(needs.map(|one| one.as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

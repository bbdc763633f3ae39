//! The published contract cannot be changed by accident: the bytes of each version are pinned, and a newer one of the same
//! major version takes what was built against an older one.

use std::{
    fs,
    path::{Path, PathBuf},
};
use wit_component::semver_check;
use wit_parser::{Resolve, WorldId};

/// The published versions, oldest first, each with BLAKE3 over the names and texts of the files of
/// `plugin-sdk/wit/VERSION`, comments and blank lines left out, for docs may get better. A published version is frozen:
/// what is missing in it goes into the next minor version, in a directory of its own.
const PINNED: [(&str, &str); 3] = [
    (
        "1.0.0",
        "0a59d61ba8fc8bd70c0d4e119fc92e9b35d217d4e2822e94d1149e5ad3005f29",
    ),
    (
        "1.1.0",
        "4f3b0f888437a026dd9df6029d2c952cbafd5460babcd5a51486ac733ec86413",
    ),
    (
        "1.2.0",
        "9efe49bcaba505a52204ca12f3cf5f27825a6b4df61dc3d74b83dca7d731ae11",
    ),
];

/// The worlds that have been there from the first version on.
const WORLDS: [&str; 3] = ["recovery-handler", "alerter", "retention-policy"];

/// Where the versions are.
fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/wit")
}

#[test]
fn the_published_contract_is_frozen() {
    for (version, pinned) in PINNED {
        let directory = contracts().join(version);
        let mut files: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let mut hasher = blake3::Hasher::new();
        for file in files {
            hasher.update(file.file_name().unwrap().as_encoded_bytes());
            for line in fs::read_to_string(&file).unwrap().lines() {
                let line = line.split("//").next().unwrap().trim();
                if !line.is_empty() {
                    hasher.update(line.as_bytes());
                    hasher.update(b"\n");
                }
            }
        }
        let found = hasher.finalize().to_hex().to_string();
        assert_eq!(
            found, pinned,
            "plugin-sdk/wit/{version} is frozen, and this is another contract: take the change back, and put it into a new \
             minor version, in a directory of its own beside it, with its own bindings in host/runtime; a new hash is never \
             the way"
        );
    }
}

/// A world of the package in a directory.
fn world(resolve: &mut Resolve, directory: &Path, world: &str) -> WorldId {
    let (package, _) = resolve.push_dir(directory).unwrap();
    resolve.select_world(&[package], Some(world)).unwrap()
}

/// Whether a host of the world `new` takes what was built for the one that is there of the same name in `old`.
fn takes(old: &Path, new: &Path, name: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let old = world(&mut resolve, old, name);
    let new = world(&mut resolve, new, name);
    semver_check(resolve, old, new).map_err(|error| format!("{name}: {error:#}"))
}

#[test]
fn a_newer_contract_takes_what_was_built_against_an_older_one() {
    for versions in PINNED.windows(2) {
        let [old, new] = [versions[0], versions[1]].map(|(version, _)| contracts().join(version));
        for name in WORLDS {
            takes(&old, &new, name).unwrap();
        }
    }
}

#[test]
fn a_field_or_an_exported_function_more_is_another_contract() {
    let old = contracts().join("1.0.0");
    for (file, had, has) in [
        (
            "recovery.wit",
            "dry-run: bool,",
            "dry-run: bool, more: bool,",
        ),
        (
            "recovery.wit",
            "recover: func",
            "more: func(); recover: func",
        ),
        ("types.wit", "critical,", "critical, hopeless,"),
    ] {
        let changed = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(contracts().join("1.1.0")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            let mut text = fs::read_to_string(&path).unwrap();
            if name == file {
                assert!(text.contains(had), "{file} has no `{had}`");
                text = text.replacen(had, has, 1);
            }
            fs::write(changed.path().join(name), text).unwrap();
        }
        takes(&old, changed.path(), "recovery-handler").unwrap_err();
    }
}

#[test]
fn every_item_of_the_newest_contract_says_what_it_is() {
    let (version, _) = PINNED[PINNED.len() - 1];
    let directory = contracts().join(version);
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&directory).unwrap();
    let package = &resolve.packages[package];
    for (name, world) in &package.worlds {
        let docs = &resolve.worlds[*world].docs;
        assert!(docs.contents.is_some(), "the world {name} has no docs");
    }
    for (name, interface) in &package.interfaces {
        let interface = &resolve.interfaces[*interface];
        assert!(interface.docs.contents.is_some(), "{name} has no docs");
        for (function, what) in &interface.functions {
            assert!(what.docs.contents.is_some(), "{name}.{function}: no docs");
        }
    }
}

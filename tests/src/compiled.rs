//! What plugins are compiled to, shared by the daemons of all tests of one build directory: a program that is built without
//! optimisation takes seconds for each, and most tests are about something else.
//!
//! Invariant: each daemon has copies of its own, and only of what was dropped before its first start. What a test drops
//! later, or writes by itself, is compiled.

use crate::build_directory;
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Where the program keeps it, below its state directory.
const DIRECTORY: &str = "compiled";
/// The key that makes it the program's own.
const KEY: &str = "compiled.key";

fn shared() -> PathBuf {
    build_directory().join("compiled-by-tests")
}

/// The digest by which the files of a component are named.
pub(crate) fn digest_of(component: &Path) -> String {
    blake3::hash(&fs::read(component).unwrap())
        .to_hex()
        .to_string()
}

/// Puts what is known of a component into a state directory, as if a daemon had compiled it there.
pub(crate) fn lend(state: &Path, digest: &str) {
    let directory = state.join(DIRECTORY);
    make_private(&directory);
    let key = key();
    match fs::read(state.join(KEY)) {
        Ok(there) if there != key => return,
        Ok(_) => {}
        Err(_) => write(&state.join(KEY), &key).unwrap(),
    }
    for (name, known) in files_of(&shared(), &[digest.to_owned()]) {
        copy(&known, &directory, &name);
    }
}

/// Keeps what a daemon has compiled of these components, for the next one.
pub(crate) fn keep(state: &Path, digests: &[String]) {
    if fs::read(state.join(KEY)).is_ok_and(|there| there == key()) {
        for (name, compiled) in files_of(&state.join(DIRECTORY), digests) {
            copy(&compiled, &shared(), &name);
        }
    }
}

/// The key of all, made on first use by whoever comes first.
fn key() -> Vec<u8> {
    let path = shared().join(KEY);
    if !path.exists() {
        make_private(&shared());
        let unfinished = tempfile::NamedTempFile::new_in(shared()).unwrap();
        let seed = unfinished.path().display().to_string();
        fs::write(unfinished.path(), blake3::hash(seed.as_bytes()).as_bytes()).unwrap();
        // Another one may have been faster.
        let _ = unfinished.persist_noclobber(&path);
    }
    fs::read(path).unwrap()
}

/// Makes a directory, and those above it, for this user alone.
fn make_private(directory: &Path) {
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(directory).unwrap();
}

/// What a directory has of these components: names and paths.
fn files_of(directory: &Path, digests: &[String]) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named =
        entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    let wanted = named.filter(|(name, _)| {
        let digest = name.split_once('-').map(|(digest, _)| digest);
        digest.is_some_and(|digest| digests.iter().any(|wanted| wanted == digest))
    });
    wanted.collect()
}

/// A copy, whole or not at all, where there is none yet.
fn copy(from: &Path, directory: &Path, name: &str) {
    let to = directory.join(name);
    // A daemon that still runs may take it away.
    let Ok(bytes) = fs::read(from) else { return };
    if !to.exists() {
        let unfinished = tempfile::NamedTempFile::new_in(directory).unwrap();
        fs::write(unfinished.path(), bytes).unwrap();
        let _ = unfinished.persist_noclobber(to);
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut file, bytes)
}

//! What `init` puts into place, and takes away again where a later step fails.
//!
//! Invariant: only what was made here is taken away, and a directory only where nothing else has come into it.

use crate::{
    carried::Carried,
    cli::{
        failure::cannot,
        install::{self, Put},
    },
};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Files and directories, in the order in which they were made. What is not kept is taken away when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a directory, and those above it, where it is not there.
    pub(super) fn directory(&mut self, directory: &Path, mode: u32) -> anyhow::Result<()> {
        let is_missing = |above: &&Path| {
            let found = fs::symlink_metadata(above);
            found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let missing: Vec<&Path> = directory.ancestors().take_while(is_missing).collect();
        self.0.extend(missing.into_iter().rev().map(Path::to_owned));
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(mode);
        let made = builder.create(directory);
        made.map_err(|error| cannot("cannot make", directory, &error))
    }

    /// Writes a file that is not there.
    pub(super) fn file(&mut self, file: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let written = options.open(file).and_then(|mut opened| {
            self.0.push(file.to_owned());
            opened.write_all(text.as_bytes())
        });
        written.map_err(|error| cannot("cannot write", file, &error))
    }

    /// Puts a plugin into a directory.
    pub(super) fn plugin(&mut self, plugin: &Carried, directory: &Path) -> anyhow::Result<()> {
        if install::put(plugin, directory)? == Put::New {
            self.0.push(install::path_in(directory, plugin));
        }
        Ok(())
    }

    /// All of it stays.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // Only an empty directory can be taken away so; what cannot be is left, beside the error that is told.
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_taken_away_but_for_what_others_have() {
        let root = tempfile::tempdir().unwrap();
        let [there, new] = ["there", "new"].map(|name| root.path().join(name));
        let (mine, file) = (there.join("mine"), new.join("file"));
        fs::create_dir(&there).unwrap();
        fs::write(&mine, "mine").unwrap();
        let make = || {
            let mut made = Made::default();
            made.directory(&there.join("a/b"), 0o777).unwrap();
            made.directory(&new.join("c"), 0o777).unwrap();
            made.file(&file, 0o666, "x").unwrap();
            made.file(&mine, 0o666, "x").unwrap_err();
            made
        };
        drop(make());
        assert!(!new.exists());
        assert!(!there.join("a").exists());
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
        // What came into a directory meanwhile stays, and so does what is above it.
        let made = make();
        fs::write(there.join("a/b/other"), "").unwrap();
        drop(made);
        assert!(!new.exists());
        assert!(there.join("a/b/other").exists());
        make().keep();
        assert_eq!(fs::read(&file).unwrap(), b"x");
        assert!(new.join("c").is_dir());
    }
}

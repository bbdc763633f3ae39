//! What of a directory is left out because its job says so: no gap, and nothing that a restore in place may remove.

use super::{
    names::Names,
    tree::{Tree, below, names},
};
use crate::{patterns::Patterns, port::BackupStoreError};
use mainstay_domain::{
    archive::{DocumentKey, KeyPrefix},
    spec::ReadingSpec,
};
use std::{
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
};

const CACHE_TAG: &str = "CACHEDIR.TAG";
/// What the tag of a cache begins with (<https://bford.info/cachedir/>).
const CACHE_SIGNATURE: &[u8; 43] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// A job's rules, ready to be held against paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    exclude: Option<Patterns>,
    exclude_caches: bool,
    one_filesystem: bool,
    /// Of a backup that holds a selection alone: the patterns of it, and what stands before the keys of the source.
    selected: Option<(KeyPrefix, Patterns)>,
}

/// What a directory holds, its names sorted by their bytes.
pub(super) struct Listed {
    /// What is read.
    pub(super) read: Names,
    /// What is left out.
    pub(super) left_out: Names,
}

impl Reading {
    pub(super) fn of(spec: &ReadingSpec) -> Result<Self, BackupStoreError> {
        let exclude = match spec.exclude.is_empty() {
            true => None,
            false => Some(Patterns::of(&spec.exclude).map_err(|error| {
                BackupStoreError::Source(format!("a pattern of `exclude` {error}"))
            })?),
        };
        Ok(Self {
            exclude,
            exclude_caches: spec.exclude_caches,
            one_filesystem: spec.one_filesystem,
            selected: None,
        })
    }

    /// The same for a backup that holds a selection alone, where there are patterns of that.
    pub(super) fn selecting(self, prefix: &KeyPrefix, patterns: Option<&Patterns>) -> Self {
        let selected = patterns.map(|patterns| (prefix.clone(), patterns.clone()));
        Self { selected, ..self }
    }

    /// Whether a directory, by its path below the source, is selected, or may hold something that is.
    pub(super) fn leads_through(&self, relative: &[u8]) -> bool {
        let (Some((prefix, patterns)), Ok(key)) =
            (&self.selected, DocumentKey::from_bytes(relative))
        else {
            return true;
        };
        patterns.may_name_in(&prefix.join(&key).to_bytes())
    }

    /// Whether a directory is read as an empty one, because it is on another file system than its source. Only
    /// directories are asked: on an overlay, files have the numbers of what lies below it.
    pub(super) fn is_elsewhere(&self, directory: &Metadata, source: &Metadata) -> bool {
        self.one_filesystem && directory.dev() != source.dev()
    }

    /// Whether what is at this path below a source is left out by its name, or that of a directory that it is in.
    pub(super) fn leaves_out(&self, relative: &[u8]) -> bool {
        let exclude = self.exclude.as_ref();
        exclude.is_some_and(|exclude| exclude.name_or_hold(relative))
    }

    /// What a directory of a source holds.
    pub(super) fn list(&self, tree: &Tree, relative: &[u8], place: &File) -> io::Result<Listed> {
        let mut read = names(place)?;
        // Who names a cache as a source means it.
        let is_cache = self.exclude_caches && relative != b"." && is_cache(tree, relative, &read);
        let is_read = |name: &OsStr| {
            let is_named = self.exclude.as_ref();
            let is_named = is_named.is_some_and(|it| it.name(&below(relative, name)));
            !is_named && (!is_cache || name == CACHE_TAG)
        };
        let left_out = read.split_off(is_read)?;
        Ok(Listed { read, left_out })
    }
}

fn is_cache(tree: &Tree, directory: &[u8], names: &Names) -> bool {
    if !names.iter().any(|name| name == CACHE_TAG) {
        return false;
    }
    let begins = || {
        let tag = tree.file(&below(directory, OsStr::new(CACHE_TAG)))?;
        let mut begins = Vec::new();
        if tag.metadata()?.is_file() {
            let length = CACHE_SIGNATURE.len() as u64;
            tag.take(length).read_to_end(&mut begins)?;
        }
        Ok::<_, io::Error>(begins)
    };
    // One that cannot be read says nothing.
    begins().is_ok_and(|begins| begins == CACHE_SIGNATURE)
}

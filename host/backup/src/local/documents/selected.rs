//! What of the sources a backup takes that holds a selection alone.
//!
//! Invariant: of what is not selected no content is read, and nobody is asked; no directory is listed in which nothing can be.
//! Invariant: with what is selected go the directories that it lies in, with what is known of them, so that it is put back into
//! directories as they were.

use super::{Content, SourceReader, entry_of, xattrs_of};
use crate::{
    local::source::{Found, WalkRules},
    patterns::Patterns,
    port::{BackupStoreError, TakeBackup},
};
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, Entry, KeyPrefix},
    spec::BackupSource,
};
use std::mem;

/// Which documents are taken.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// Absent: all.
    patterns: Option<Patterns>,
    /// The directories that the walk is in and that are not taken yet, the outer one first.
    above: Vec<(DocumentKey, Entry)>,
}

impl Selected {
    pub(super) fn of(request: &TakeBackup) -> Result<Self, BackupStoreError> {
        let texts = request.reading.include.get(&request.backup_type);
        let patterns = texts.map(|texts| Patterns::of(texts)).transpose();
        let patterns = patterns
            .map_err(|error| BackupStoreError::Source(format!("a pattern of `include` {error}")))?;
        Ok(Self {
            patterns,
            ..Self::default()
        })
    }

    /// Whether something may be left out.
    pub(super) fn is_part(&self) -> bool {
        self.patterns.is_some()
    }

    pub(super) fn patterns(&self) -> Option<&Patterns> {
        self.patterns.as_ref()
    }

    /// Whether a source is read: a directory is, for what is in it is taken or not by itself.
    pub(super) fn takes_source(&self, source: &BackupSource) -> bool {
        let prefix = source.document().map(KeyPrefix::parse);
        // One that is none is refused where it is read.
        let key = prefix.and_then(|prefix| Some(prefix.ok()?.join(&DocumentKey::root())));
        key.is_none_or(|key| self.takes(&key))
    }

    fn takes(&self, key: &DocumentKey) -> bool {
        let patterns = self.patterns.as_ref();
        patterns.is_none_or(|patterns| patterns.name_or_hold(&key.to_bytes()))
    }

    /// The walk begins anew, in another directory.
    pub(super) fn begin(&mut self) {
        self.above.clear();
    }
}

impl SourceReader<'_> {
    /// Whether something that a walk found is taken. A directory that is not waits for what is in it.
    pub(super) fn selects(
        &mut self,
        key: &DocumentKey,
        found: &Found<'_>,
        rules: &WalkRules<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<bool, BackupStoreError> {
        if !self.selected.is_part() {
            return Ok(true);
        }
        self.selected.above.retain(|(above, _)| lies_in(key, above));
        if self.selected.takes(key) {
            for (above, entry) in mem::take(&mut self.selected.above) {
                self.record(above, entry, Content::Here(Vec::new()), None)?;
            }
            return Ok(true);
        }
        if found.metadata.is_dir() {
            let xattrs = xattrs_of(&found.place, &found.path, rules, warnings);
            let entry = entry_of(DocumentKind::Directory, &found.metadata).with_xattrs(xattrs);
            self.selected.above.push((key.clone(), entry));
        }
        Ok(false)
    }
}

/// Whether it is in that directory, or below it.
fn lies_in(key: &DocumentKey, directory: &DocumentKey) -> bool {
    let rest = key.as_str().strip_prefix(directory.as_str());
    directory.is_root() || rest.is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_in_the_directories_that_it_names() {
        for (key, directory, lies) in [
            ("a/b", "a", true),
            ("a/b/c", "a", true),
            ("a", ".", true),
            ("ab", "a", false),
            ("a", "a", false),
            ("a", "a/b", false),
        ] {
            let [parsed, above] = [key, directory].map(|text| DocumentKey::parse(text).unwrap());
            assert_eq!(lies_in(&parsed, &above), lies, "{key} in {directory}");
        }
    }
}

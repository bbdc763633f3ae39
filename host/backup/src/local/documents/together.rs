//! Whether what several sources give is one tree.
//!
//! Invariant: nothing is stored below what is no directory: it would be verified, and never restored.

use crate::{local::index::Index, port::BackupStoreError};
use mainstay_domain::{
    archive::{DocumentKey, KeyPrefix, TreeError},
    spec::BackupSource,
};

/// Once all sources are read: whether nothing of one lies below a file or a link of another.
pub(in crate::local) fn check_together(
    sources: &[BackupSource],
    found: &Index,
) -> Result<(), BackupStoreError> {
    if !may_meet(sources) {
        return Ok(());
    }
    found
        .listing
        .check_tree()?
        .map_err(|TreeError { key, ancestor }| {
            BackupStoreError::Source(format!(
                "a backup of these sources could not be restored: `{key}` of one of them lies below `{ancestor}`, which is no directory in \
                 another; give one of them another `prefix` or `key`, or `exclude` what is there"
            ))
        })
}

/// Whether one of them has its place among what another one, a directory, may hold.
fn may_meet(sources: &[BackupSource]) -> bool {
    let prefixes = sources.iter().filter_map(|source| match source {
        BackupSource::Directory { prefix, .. } => KeyPrefix::parse(prefix).ok(),
        _ => None,
    });
    let prefixes: Vec<KeyPrefix> = prefixes.collect();
    let mut keys = sources.iter().filter_map(|source| {
        let key = match source {
            BackupSource::Directory { prefix, .. } => prefix.trim_end_matches('/'),
            other => other.document()?,
        };
        DocumentKey::parse(key).ok()
    });
    let is_below = |prefix: &KeyPrefix, key: &DocumentKey| {
        let rest = prefix.strip(key);
        rest.is_some_and(|rest| !rest.is_root())
    };
    keys.any(|key| prefixes.iter().any(|prefix| is_below(prefix, &key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_may_meet_where_one_has_its_place_in_what_another_may_hold() {
        let directory = |prefix: &str| BackupSource::Directory {
            path: "/data".into(),
            prefix: prefix.to_owned(),
        };
        let file = |key: &str| BackupSource::File {
            path: "/file".into(),
            key: key.to_owned(),
        };
        for (sources, may) in [
            (vec![directory("")], false),
            (vec![directory("a"), directory("b"), file("c")], false),
            (vec![file("a"), file("b/c")], false),
            (vec![directory(""), file("a")], true),
            (vec![file("a/b/c"), directory("a/")], true),
            (vec![directory("a"), directory("a/b")], true),
            (vec![directory("a"), directory("ab/c")], false),
        ] {
            assert_eq!(may_meet(&sources), may, "{sources:?}");
        }
    }
}

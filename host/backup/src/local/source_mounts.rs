//! Which directories of sources are mount points, and which were and are empty now.

use mainstay_domain::source_mount::SourceMount;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// So many are noted of a backup, by their paths; those first at which nothing is mounted any more.
const NOTED: usize = 64;

/// What walks find of them.
#[derive(Debug, Default)]
pub(super) struct SourceMounts {
    expected: BTreeSet<String>,
    seen: RefCell<BTreeMap<String, Seen>>,
}

#[derive(Debug, Clone, Copy)]
enum Seen {
    /// Something else is mounted there than around it, and is read.
    Mounted,
    /// It was expected to be so, and is empty, and no mount point.
    Vanished,
    /// It was expected to be so, and what it holds is on the file system of the directory above; or nothing is in what is mounted.
    Changed,
}

impl SourceMounts {
    /// None yet; these were mount points that held something.
    pub(super) fn expected(paths: &[String]) -> Self {
        Self {
            expected: paths.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// Notes a directory whose content is read: whether it is on another file system than the one above it, and whether nothing
    /// of it is read.
    pub(super) fn look(&self, path: &Path, is_mounted: bool, is_empty: bool) {
        if !is_mounted && self.expected.is_empty() {
            return;
        }
        let path = path.display().to_string();
        let seen = match (is_mounted, is_empty) {
            (true, false) => Seen::Mounted,
            _ if !self.expected.contains(&path) => return,
            (false, true) => Seen::Vanished,
            (true, true) | (false, false) => Seen::Changed,
        };
        self.seen.borrow_mut().insert(path, seen);
    }

    /// What is known now. Where something could not be looked at, what was expected and not found may still be there.
    pub(super) fn into_found(self, is_incomplete: bool) -> Vec<SourceMount> {
        let mut seen = self.seen.into_inner();
        if is_incomplete {
            for path in self.expected {
                seen.entry(path).or_insert(Seen::Mounted);
            }
        }
        let found = seen.into_iter().filter_map(|(path, seen)| {
            let vanished = match seen {
                Seen::Mounted => false,
                Seen::Vanished => true,
                Seen::Changed => return None,
            };
            Some(SourceMount { path, vanished })
        });
        let mut found: Vec<SourceMount> = found.collect();
        found.sort_by_key(|mount| !mount.vanished);
        found.truncate(NOTED);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mounted_is_missed_where_it_is_empty_alone() {
        let names = ["/mounted", "/gone", "/moved", "/emptied", "/unseen"].map(str::to_owned);
        for (is_incomplete, unseen) in [(false, None), (true, Some(false))] {
            let mounts = SourceMounts::expected(&names);
            for (path, is_mounted, is_empty) in [
                ("/mounted", true, false),
                ("/new", true, false),
                ("/gone", false, true),
                ("/moved", false, false),
                ("/emptied", true, true),
                ("/new and empty", true, true),
                ("/plain", false, false),
                ("/plain and empty", false, true),
            ] {
                mounts.look(Path::new(path), is_mounted, is_empty);
            }
            let found = mounts.into_found(is_incomplete);
            assert_eq!(found[0].path, "/gone", "before all others");
            let is = |path: &str| {
                let mount = found.iter().find(|mount| mount.path == path);
                mount.map(|mount| mount.vanished)
            };
            let all = [
                ("/gone", Some(true)),
                ("/mounted", Some(false)),
                ("/new", Some(false)),
                ("/unseen", unseen),
                ("/moved", None),
                ("/emptied", None),
            ];
            for (path, vanished) in all {
                assert_eq!(is(path), vanished, "{path}");
            }
            let noted = all.iter().filter(|(_, vanished)| vanished.is_some());
            assert_eq!(found.len(), noted.count(), "{found:?}");
        }
        // Who expects none looks at no directory of the file system itself.
        let mounts = SourceMounts::default();
        mounts.look(Path::new("/plain"), false, true);
        assert!(mounts.into_found(true).is_empty());
    }

    #[test]
    fn so_many_are_noted_and_what_is_missed_before_the_others() {
        let names: Vec<String> = (100..300).map(|number| format!("/{number}")).collect();
        let mounts = SourceMounts::expected(&names);
        for (place, name) in names.iter().enumerate() {
            let is_there = place < 190;
            mounts.look(Path::new(name), is_there, !is_there);
        }
        let found = mounts.into_found(false);
        assert_eq!(found.len(), NOTED);
        assert_eq!(found.iter().filter(|mount| mount.vanished).count(), 10);
    }
}

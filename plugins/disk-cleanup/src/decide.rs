//! Which files go.
//!
//! Invariant: a file that is not older than the rule says is never chosen.

use mainstay_plugin_sdk::recovery::Timestamp;
use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

/// A file that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// When it was last changed.
    pub(crate) modified: Timestamp,
}

/// What the operator allows.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) older_than: Duration,
    pub(crate) keep_bytes: Option<u64>,
    pub(crate) free_bytes: Option<u64>,
}

/// Chooses files, oldest first and of the same age the largest first, until the rules' goal is reached: of
/// `keep_bytes` and `free_bytes` the one that frees more, or all that is old where there is neither.
pub(crate) fn choose<'files>(
    files: &'files [File],
    rules: &Rules,
    now: Timestamp,
) -> Vec<&'files File> {
    let mut old: Vec<&File> = files
        .iter()
        .filter(|file| u128::from(now.saturating_sub(file.modified)) > rules.older_than.as_millis())
        .collect();
    old.sort_by_key(|file| (file.modified, Reverse(file.bytes), &file.path));
    let held: u64 = files
        .iter()
        .fold(0, |sum, file| sum.saturating_add(file.bytes));
    let above = rules.keep_bytes.map(|keep| held.saturating_sub(keep));
    let Some(goal) = above.max(rules.free_bytes) else {
        return old;
    };
    let mut freed = 0_u64;
    old.into_iter()
        .take_while(|file| {
            let wanted = freed < goal;
            freed = freed.saturating_add(file.bytes);
            wanted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: u64, modified: Timestamp) -> File {
        File {
            path: name.into(),
            bytes,
            modified,
        }
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_the_goal_needs() {
        let files = [
            file("new", 50, 99_000),
            file("b", 10, 20_000),
            file("a", 30, 10_000),
            file("c-small", 5, 30_000),
            file("c-large", 40, 30_000),
        ];
        let check = |older_than: u64, keep_bytes, free_bytes, expected: &[&str]| {
            let older_than = Duration::from_millis(older_than);
            let rules = Rules {
                older_than,
                keep_bytes,
                free_bytes,
            };
            let chosen = choose(&files, &rules, 100_000);
            let names: Vec<_> = chosen
                .iter()
                .map(|file| file.path.display().to_string())
                .collect();
            assert_eq!(names, expected, "{rules:?}");
        };
        check(50_000, None, None, &["a", "b", "c-large", "c-small"]);
        check(75_000, None, None, &["a", "b"]);
        check(80_000, None, None, &["a"]); // "b" is exactly that old
        check(200_000, None, None, &[]);
        check(50_000, None, Some(0), &[]);
        check(50_000, None, Some(1), &["a"]);
        check(50_000, None, Some(31), &["a", "b"]);
        check(50_000, Some(135), None, &[]);
        check(50_000, Some(100), None, &["a", "b"]);
        check(50_000, Some(100), Some(41), &["a", "b", "c-large"]);
        check(50_000, Some(0), None, &["a", "b", "c-large", "c-small"]);
    }

    #[test]
    fn a_file_from_the_future_is_new() {
        let rules = Rules {
            older_than: Duration::ZERO,
            keep_bytes: None,
            free_bytes: None,
        };
        assert!(choose(&[file("f", 1, 2_000)], &rules, 1_000).is_empty());
    }
}

//! A salvage that is cut off at each of its steps.

use super::{
    damage::{content, copy, sample},
    fixtures::*,
};
use crate::sqlite::{salvage, swap::cut};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// A state directory whose journal is refused, for its log has lost a bit.
fn spoilt(sample: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy(sample, directory.path());
    let log = directory.path().join("journal.db-wal");
    let mut bytes = fs::read(&log).unwrap();
    bytes[0] ^= 1;
    fs::write(&log, bytes).unwrap();
    directory
}

fn refusal(directory: &Path) -> String {
    let refused = open(directory).unwrap_err().to_string();
    refused.replace(directory.to_str().unwrap(), "DIRECTORY")
}

/// How many of the old files lie in the directory under their new names.
fn kept(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".damaged-")).count()
}

/// Does this until the cut; whether it was cut off.
fn is_cut_off(steps: u32, work: impl FnOnce()) -> bool {
    cut::after(steps);
    let ended = catch_unwind(AssertUnwindSafe(work));
    let was_left = cut::never();
    assert_eq!(ended.is_ok(), was_left);
    !was_left
}

#[tokio::test]
async fn a_salvage_that_is_cut_off_leaves_the_old_journal_or_the_new_one() {
    let sample = sample(true).await;
    let directory = spoilt(sample.directory.path());
    let refused = refusal(directory.path());
    let whole_run = salvage(directory.path(), at(0)).unwrap();
    assert_eq!(whole_run.kept.len(), 3);
    let (mut old, mut new) = (0, 0);
    for steps in 0.. {
        let directory = spoilt(sample.directory.path());
        let path = directory.path();
        if !is_cut_off(steps, || drop(salvage(path, at(0)))) {
            break;
        }
        // Whoever finishes it is cut off too.
        for more in 0..3 {
            is_cut_off(more, || drop(open(path)));
        }
        match open(path) {
            Ok(journal) => {
                new += 1;
                let found = content(&journal).await.unwrap();
                assert!(found == sample.content, "after {steps} steps");
                assert_eq!(kept(path), 3, "after {steps} steps");
            }
            Err(_) => {
                old += 1;
                assert_eq!(refusal(path), refused, "after {steps} steps");
                assert_eq!(kept(path), 0, "after {steps} steps");
                // And another salvage does it.
                let again = salvage(path, at(0)).unwrap();
                assert_eq!(again.tables, whole_run.tables);
            }
        }
        let workshop = path.join("journal.salvage");
        assert!(!workshop.exists(), "after {steps} steps");
    }
    println!("{old} times the old one, {new} times the new one");
    assert!(old >= 3 && new >= 6, "{old} and {new}");
}

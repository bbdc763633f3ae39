//! No kind of event without a test that sees it.

use mainstay_domain::event::EventKind;
use mainstay_tests::repository;
use std::{collections::BTreeSet, fs, path::Path};

/// What no test of the whole program brings about: the file of the test that sees it, and its name.
const ELSEWHERE: [(EventKind, &str, &str); 3] = [
    (
        EventKind::JournalDamaged,
        "host/daemon/src/app/host_events.rs",
        "a_journal_that_is_found_damaged_is_told_once_and_the_daemon_goes_on",
    ),
    (
        EventKind::CircuitSteady,
        "host/domain/src/recovery/tests/config.rs",
        "of_a_flapping_target_that_is_taken_out_and_brought_back_the_end_is_told_once",
    ),
    (
        EventKind::PluginReleased,
        "host/daemon/src/services/plugins.rs",
        "what_is_said_of_a_plugin_is_true_wherever_it_stands",
    ),
];

/// What stands between quotation marks in the files of a directory, among other pieces of them.
fn quoted(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            quoted(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        found.extend(text.split('"').map(str::to_owned));
    }
}

#[test]
fn each_kind_of_event_has_a_test_that_sees_it() {
    let mut words = BTreeSet::new();
    for directory in ["tests/tests", "tests/src/campaign"] {
        quoted(&repository().join(directory), &mut words);
    }
    let elsewhere: BTreeSet<EventKind> = ELSEWHERE.iter().map(|(kind, ..)| *kind).collect();
    for kind in EventKind::ALL {
        assert_ne!(
            words.contains(kind.as_str()),
            elsewhere.contains(kind),
            "{kind:?} is to be seen by a test of the whole program, or named above with the test that sees it"
        );
    }
    for (kind, file, test) in ELSEWHERE {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "{kind:?}: {file}");
    }
}

//! What a crash in a restore leaves beside its place.

use super::*;

/// A restore that gets as far as that its tree is whole, and then its daemon is gone.
fn crash_in_a_restore(fixture: &Fixture, chain: &[BackupId], place: &RestorePlace) {
    let rules = RestoreRules::default();
    let staged = fixture
        .store
        .stage(&job(), chain, place, &rules, &no_progress());
    std::mem::forget(staged.unwrap());
}

fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn what_an_interrupted_restore_left_is_removed_at_the_next_start_wherever_it_was_to() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let elsewhere = fixture.directory.path().join("else");
    let into = RestorePlace::Into {
        path: elsewhere.join("where"),
        replace: false,
    };
    let before = names(fixture.directory.path());
    crash_in_a_restore(&fixture, &chain, &into);
    assert_eq!(names(&elsewhere), 1);
    assert_eq!(fixture.sweep(&chain), []);
    assert_eq!(names(&elsewhere), 0);
    fs::remove_dir(&elsewhere).unwrap();

    // In place, of a source that the config has no more by then.
    let place = RestorePlace::InPlace(fixture.sources.clone());
    crash_in_a_restore(&fixture, &chain, &place);
    assert_eq!(names(fixture.directory.path()), before + 1);
    fixture.sources.clear();
    // Before anything else is asked of the store: what is restored may be in use soon.
    assert_eq!(fixture.store.end_restores(&fixture.sources), []);
    assert_eq!(names(fixture.directory.path()), before);
    assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "one");
}

#[test]
fn a_restore_that_has_ended_is_noted_no_more() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let note = fixture.job_dir().join("restoring");
    fixture.restore_into(&chain, "restored").unwrap();
    assert!(!note.exists());
    fixture.restore_into(&chain, "restored").unwrap_err();
    assert!(!note.exists());
    // Where it cannot be noted, it is restored all the same.
    fs::create_dir(&note).unwrap();
    fixture.restore_into(&chain, "again").unwrap();
}

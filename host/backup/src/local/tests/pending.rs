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

#[test]
fn what_is_on_a_disk_that_is_not_mounted_at_a_start_is_removed_at_a_later_one() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let [disk, away] = ["disk", "away"].map(|name| fixture.directory.path().join(name));
    fs::create_dir(&disk).unwrap();
    let into = RestorePlace::Into {
        path: disk.join("new/where"),
        replace: false,
    };
    crash_in_a_restore(&fixture, &chain, &into);
    assert_eq!(names(&disk.join("new")), 1);
    // An empty mount point.
    fs::rename(&disk, &away).unwrap();
    fs::create_dir(&disk).unwrap();
    let start = || fixture.store.end_restores(&fixture.sources);
    assert_eq!(start(), []);
    // Another one of the same job ends meanwhile.
    fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(start(), []);
    let note = fixture.job_dir().join("restoring");
    assert!(note.exists());

    fs::remove_dir(&disk).unwrap();
    fs::rename(&away, &disk).unwrap();
    assert_eq!(start(), []);
    assert_eq!(names(&disk.join("new")), 0);
    assert!(!note.exists());
}

#[test]
fn what_is_on_a_disk_that_is_not_mounted_is_still_looked_for_after_a_restore_to_its_mount_point() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let root = fixture.directory.path();
    let [disk, like, away] = ["disk", "like", "away"].map(|name| root.join(name));
    let into = |disk: &Path| RestorePlace::Into {
        path: disk.join("new/where"),
        replace: false,
    };
    // The restore that is cut off here goes on holding its place, so that it is to another one.
    fs::create_dir(&like).unwrap();
    crash_in_a_restore(&fixture, &chain, &into(&like));
    let note = fixture.job_dir().join("restoring");
    let noted = fs::read_to_string(&note).unwrap();
    fs::write(&note, noted.replace("/like", "/disk")).unwrap();
    fs::rename(&like, &away).unwrap();
    fs::create_dir(&disk).unwrap();
    let store = &fixture.store;
    store
        .restore(&job(), &chain, &into(&disk), &no_progress())
        .unwrap();
    assert!(disk.join("new/where/a").exists());

    fs::remove_dir_all(&disk).unwrap();
    fs::rename(&away, &disk).unwrap();
    assert_eq!(store.end_restores(&fixture.sources), []);
    assert_eq!(names(&disk.join("new")), 0);
    assert!(!note.exists());
}

#[test]
fn what_a_version_before_has_noted_is_looked_at_and_a_place_that_cannot_be_keeps_none_of_the_others()
 {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.take(BackupType::Full, &[]);
    let root = fixture.directory.path();
    let [odd, other] = ["x:1:y", "other"].map(|name| root.join(name));
    for target in [&odd, &other] {
        let name = target.file_name().unwrap().to_str().unwrap();
        fs::create_dir(root.join(format!(".{name}.mainstay-restore"))).unwrap();
    }
    // Of the first both the old tree and another one are there, and neither is removed.
    fs::create_dir_all(root.join(".x:1:y.mainstay-old/a")).unwrap();
    fs::create_dir_all(odd.join("b")).unwrap();
    let paths = [&odd, &other].map(|path| path.to_str().unwrap());
    let note = fixture.job_dir().join("restoring");
    fs::write(&note, paths.join("\0")).unwrap();
    let problems = fixture.store.end_restores(&fixture.sources);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(!root.join(".other.mainstay-restore").exists());
    assert_eq!(fs::read_to_string(&note).unwrap(), paths[0]);
    fs::remove_dir_all(odd.join("b")).unwrap();
    assert_eq!(fixture.store.end_restores(&fixture.sources), []);
    assert!(odd.join("a").exists() && !note.exists());
}

//! Where drills write.

use super::{
    mounted::{Mounted, may_mount},
    *,
};
use std::os::unix::ffi::OsStrExt;

fn drilled() -> (Fixture, Vec<BackupId>, PathBuf) {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let scratch = fixture.directory.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    (fixture, chain, scratch)
}

fn names(directory: &Path) -> Vec<String> {
    files::names_in(directory).unwrap()
}

#[test]
fn a_drill_lies_in_a_directory_of_its_own_until_it_is_dropped() {
    let (fixture, chain, scratch) = drilled();
    fs::write(scratch.join("of-others"), "").unwrap();
    let tree = fixture
        .store
        .drill(&job(), &chain, Some(&scratch), &no_progress())
        .unwrap();
    assert_eq!(tree.path().parent(), Some(scratch.as_path()));
    assert_eq!(fs::read_to_string(tree.path().join("a")).unwrap(), "one");
    assert_eq!(tree.restored().bytes, 3);
    assert_eq!(fixture.store.left_drills(), chain);
    drop(tree);
    assert_eq!(names(&scratch), ["of-others"]);
    assert_eq!(fixture.store.left_drills(), []);
}

#[test]
fn what_a_crash_left_of_a_drill_is_swept_and_nothing_that_is_not_of_one() {
    let (fixture, chain, scratch) = drilled();
    let note = fixture.job_dir().join("drilling");
    let noted = |path: &Path| {
        let text = [chain[0].as_str().as_bytes(), path.as_os_str().as_bytes()];
        fs::write(&note, text.join(&0)).unwrap();
    };
    let left = scratch.join(format!("mainstay-drill-state-{}", chain[0]));
    let others = scratch.join("of-others");
    for path in [&left, &others] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), "").unwrap();
        noted(path);
        assert_eq!(fixture.store.left_drills(), chain);
        assert_eq!(fixture.sweep(&chain), []);
        assert!(!note.exists());
    }
    assert_eq!(names(&scratch), ["of-others"], "its name is no drill's");
    // And whatever else is written there.
    for text in ["", "nonsense", "\0\0", "ful-01K0000000000000000000000A"] {
        fs::write(&note, text).unwrap();
        assert_eq!(fixture.sweep(&chain), []);
        assert!(!note.exists(), "{text:?}");
    }
}

#[test]
fn what_a_drill_left_on_a_disk_that_is_not_mounted_is_removed_once_it_is_whatever_is_drilled_then()
{
    let (fixture, chain, scratch) = drilled();
    let drill = || {
        let drilled = fixture
            .store
            .drill(&job(), &chain, Some(&scratch), &no_progress());
        drilled.unwrap()
    };
    // As of a crash.
    std::mem::forget(drill());
    assert_eq!(names(&scratch).len(), 1);
    let away = scratch.with_file_name("away");
    fs::rename(&scratch, &away).unwrap();
    fs::create_dir(&scratch).unwrap();
    assert_eq!(fixture.sweep(&chain), []);
    assert_eq!(fixture.store.left_drills(), [], "it was told once");
    drop(drill());
    assert_eq!(fixture.sweep(&chain), []);

    fs::remove_dir(&scratch).unwrap();
    fs::rename(&away, &scratch).unwrap();
    assert_eq!(fixture.sweep(&chain), []);
    assert_eq!(names(&scratch), [""; 0]);
    assert!(!fixture.job_dir().join("drilled").exists());
}

#[test]
fn a_place_that_is_none_or_the_stores_own_is_refused_before_anything_is_written() {
    let (fixture, chain, scratch) = drilled();
    let link = fixture.directory.path().join("link");
    symlink(fixture.job_dir(), &link).unwrap();
    for (place, expected) in [
        (scratch.join("nothing"), "there is no directory"),
        (fixture.job_dir(), "is where the backups are"),
        (link, "is where the backups are"),
    ] {
        let error = fixture
            .store
            .drill(&job(), &chain, Some(&place), &no_progress())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(fixture.store.left_drills(), []);
}

#[test]
fn without_room_a_drill_writes_nothing_and_on_another_file_system_it_works() {
    if !may_mount(
        "scratch::without_room_a_drill_writes_nothing_and_on_another_file_system_it_works",
    ) {
        return;
    }
    let fixture = Fixture::new();
    let disk = Mounted::memory(fixture.directory.path().join("scratch"));
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let drill = |chain: &[BackupId]| {
        fixture
            .store
            .drill(&job(), chain, Some(&disk.0), &no_progress())
    };
    assert_eq!(drill(&chain).unwrap().restored().bytes, 3);
    fixture.put("large", vec![7; 16 << 20]);
    fixture.extend(BackupType::Incremental, &mut chain);
    let error = drill(&chain).unwrap_err();
    assert!(matches!(error, BackupStoreError::NoRoom(_)), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(names(&disk.0), [""; 0]);
}

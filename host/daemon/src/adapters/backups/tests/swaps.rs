//! Trees that take each other's place.

use super::*;
use swap::Swap;

#[test]
fn a_directory_that_something_is_mounted_at_is_not_replaced() {
    // Mounted wherever the list of mounts can be read.
    let refused = Swap::begin(Path::new("/proc"), true).err().unwrap();
    let error = refused.to_string();
    assert!(error.contains("/proc is a mount point"), "{error}");
}

#[test]
fn what_came_into_an_empty_directory_meanwhile_is_not_replaced() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let backup = fixture.take(BackupType::Full, &[]).manifest.id;
    let into = fixture.directory.path().join("into");
    fs::create_dir(&into).unwrap();
    let written = into.join("new");
    let progress: OnProgress = Arc::new(move |_| fs::write(&written, "mine").unwrap());
    let place = RestorePlace::Into {
        path: into.clone(),
        replace: false,
    };
    let restored = fixture.store.restore(&job(), &[backup], &place, &progress);
    let error = restored.unwrap_err().to_string();
    assert!(error.contains("while the backup was read"), "{error}");
    assert_eq!(fs::read_to_string(into.join("new")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&into).unwrap().count(), 1);
}

#[test]
fn of_two_restores_to_one_place_the_second_is_refused() {
    let fixture = Fixture::new();
    let link = fixture.directory.path().join("link");
    symlink(fixture.data(), &link).unwrap();
    let first = Swap::begin(&fixture.data(), false).unwrap();
    fs::write(first.staging().join("a"), "restored").unwrap();
    for same in [&fixture.data(), &link] {
        let error = Swap::begin(same, false).err().unwrap().to_string();
        assert!(error.contains("is under way"), "{error}");
    }
    let restored = fs::read_to_string(first.staging().join("a")).unwrap();
    assert_eq!(restored, "restored");
    drop(first);
    Swap::begin(&link, false).unwrap();
}

//! Sources that lead to where the backups are, by another path.

use super::{
    mounted::{Mounted, may_mount},
    *,
};

/// Two full backups in `nas`: neither holds what the tier does, and that is told.
fn reads_nothing_of_the_tier(fixture: &Fixture, place: &Path) {
    let left_out = format!(
        "left out {}: it is where the backups are",
        place.canonicalize().unwrap().display()
    );
    for _ in 0..2 {
        let taken = fixture.extend_in(&["nas"], BackupType::Full, &mut vec![]);
        assert_eq!(taken.warnings, std::slice::from_ref(&left_out));
        assert_eq!(taken.manifest.documents, 2, "the directory and `a`");
        assert!(!taken.manifest.incomplete);
    }
}

#[test]
fn a_tier_that_a_link_leads_to_in_a_source_is_not_read() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let inside = fixture.data().join("inside");
    fs::create_dir(&inside).unwrap();
    let link = fixture.directory.path().join("nas");
    symlink(&inside, &link).unwrap();
    let nas = TierName::parse("nas").unwrap();
    fixture.tiers.lock().push((nas, TierPlace::Directory(link)));
    reads_nothing_of_the_tier(&fixture, &inside);
}

#[test]
fn a_tier_that_is_mounted_in_a_source_too_is_not_read() {
    if !may_mount("own_places::a_tier_that_is_mounted_in_a_source_too_is_not_read") {
        return;
    }
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let nas = fixture.with_tier("nas");
    let bound = Mounted::bind(&nas, fixture.data().join("bound"));
    reads_nothing_of_the_tier(&fixture, &bound.0);
    drop(bound);
    // Only the job's own directory in it.
    fs::remove_dir(fixture.data().join("bound")).unwrap();
    let bound = Mounted::bind(&nas.join("state"), fixture.data().join("state"));
    reads_nothing_of_the_tier(&fixture, &bound.0);
    let mut source = fixture.request(BackupType::Full, &[]);
    source.sources = vec![BackupSource::Directory {
        path: bound.0.clone(),
        prefix: String::new(),
    }];
    let error = fixture.store.take(&source, &no_progress()).unwrap_err();
    assert!(
        error.to_string().contains("where backups are stored"),
        "{error}"
    );
}

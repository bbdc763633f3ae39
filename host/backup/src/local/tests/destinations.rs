//! The store is no destination of a restore, and no source, whatever path it is named by.

use super::{
    mounted::{Mounted, may_mount},
    *,
};

/// Refuses it with and without leave to replace, and has touched nothing.
#[track_caller]
fn refuses(fixture: &Fixture, chain: &[BackupId], path: &Path, says: &str) {
    for replace in [true, false] {
        let place = RestorePlace::Into {
            path: path.to_owned(),
            replace,
        };
        let restored = fixture.store.restore(&job(), chain, &place, &no_progress());
        let error = restored.unwrap_err().to_string();
        assert!(error.contains(says), "{}: {error}", path.display());
    }
    fixture.store.verify(&job(), chain, &no_progress()).unwrap();
}

/// A backup, and beside it another job's.
fn two_jobs(fixture: &Fixture) -> BackupId {
    fixture.put("a", "one");
    let other = TakeBackup {
        job: JobName::parse("other").unwrap(),
        ..fixture.request(BackupType::Full, &[])
    };
    fixture.store.take(&other, &no_progress()).unwrap();
    fixture.take(BackupType::Full, &[]).manifest.id
}

const WITHIN: &str = "it is where the backups are";
const ABOVE: &str = "it holds the backups";

#[test]
fn nothing_is_restored_into_or_over_the_store_by_any_path() {
    let fixture = Fixture::new();
    let chain = [two_jobs(&fixture)];
    let root = fixture.directory.path();
    let links = root.join("links");
    fs::create_dir(&links).unwrap();
    symlink(root.join("state/backups"), links.join("store")).unwrap();
    symlink("store/state", links.join("job")).unwrap();
    symlink("../state/backups/new", links.join("dangling")).unwrap();
    symlink(root, links.join("root")).unwrap();
    for (path, says) in [
        ("state/backups", WITHIN),
        ("state/backups/state", WITHIN),
        ("state/backups/state/new/below", WITHIN),
        ("state/backups/other", WITHIN),
        ("state/backups/new", WITHIN),
        ("data/../state/backups/state", WITHIN),
        ("missing/../state/backups/state", WITHIN),
        ("missing/also/../../state/backups/new", WITHIN),
        ("links/store", WITHIN),
        ("links/job", WITHIN),
        ("links/job/new", WITHIN),
        ("links/dangling", WITHIN),
        ("links/root/state/backups/other", WITHIN),
        ("state", ABOVE),
        ("links/root", ABOVE),
        ("missing/../state", ABOVE),
        ("", ABOVE),
    ] {
        refuses(&fixture, &chain, &root.join(path), says);
    }
    assert!(!root.join("missing").exists(), "nothing was made either");
    fixture.restore_into(&chain, "missing/../beside").unwrap();
    assert!(!root.join("missing").exists() && root.join("beside/a").exists());
}

#[test]
fn a_store_that_a_link_leads_to_is_no_destination_at_either_end() {
    let fixture = Fixture::new();
    let root = fixture.directory.path();
    fs::create_dir_all(root.join("disk/backups")).unwrap();
    fs::create_dir(root.join("state")).unwrap();
    symlink("../disk/backups", root.join("state/backups")).unwrap();
    let chain = [two_jobs(&fixture)];
    for (path, says) in [
        ("disk", ABOVE),
        ("state", ABOVE),
        ("disk/backups/other", WITHIN),
        ("state/backups/other", WITHIN),
    ] {
        refuses(&fixture, &chain, &root.join(path), says);
    }
    fixture.restore_into(&chain, "disk/beside").unwrap();
}

#[test]
fn a_store_that_is_mounted_elsewhere_too_is_no_destination_and_no_source_there() {
    if !may_mount(
        "destinations::a_store_that_is_mounted_elsewhere_too_is_no_destination_and_no_source_there",
    ) {
        return;
    }
    let mut fixture = Fixture::new();
    let chain = [two_jobs(&fixture)];
    let root = fixture.directory.path().to_owned();
    let all = [
        ("bound-store", "state/backups"),
        ("bound-job", "state/backups/state"),
        ("bound-state", "state"),
    ];
    let bound = all.map(|(at, what)| Mounted::bind(&root.join(what), root.join(at)));
    for (path, says) in [
        ("bound-store", WITHIN),
        ("bound-store/other", WITHIN),
        ("bound-store/new", WITHIN),
        ("bound-job", WITHIN),
        ("bound-job/new", WITHIN),
        ("bound-state", ABOVE),
        ("bound-state/backups/state", WITHIN),
    ] {
        refuses(&fixture, &chain, &root.join(path), says);
    }

    let directory = |path: PathBuf| BackupSource::Directory {
        path,
        prefix: String::new(),
    };
    fixture.sources = vec![directory(root.join("bound-job"))];
    let request = fixture.request(BackupType::Full, &[]);
    let error = fixture.store.take(&request, &no_progress()).unwrap_err();
    assert!(error.to_string().contains("where backups are stored"));
    fixture.sources = vec![directory(root.join("bound-state"))];
    let taken = fixture.take(BackupType::Full, &[]);
    assert!(
        taken
            .warnings
            .iter()
            .any(|it| it.contains("where the backups are")),
        "{:?}",
        taken.warnings
    );
    assert_eq!(
        taken.manifest.documents, 3,
        "itself, the key that signs and what it found, and none of the store's bytes"
    );
    drop(bound);
}

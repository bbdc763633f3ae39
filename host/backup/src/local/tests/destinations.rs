//! The store is no destination of a restore, and no source, whatever path it is named by.

use super::{
    mounted::{Mounted, may_mount},
    *,
};
use crate::port::HostPlace;

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

#[test]
fn where_no_directory_can_be_made_that_is_told_of_the_place_that_was_named() {
    let fixture = Fixture::new();
    let chain = [two_jobs(&fixture)];
    for (path, says) in [
        ("/proc/x", "cannot make a new directory in /proc: "),
        ("/proc/x/y", "cannot make /proc/x: "),
    ] {
        refuses(&fixture, &chain, Path::new(path), says);
        let help = "where none can be made, restore into another directory";
        refuses(&fixture, &chain, Path::new(path), help);
    }
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
fn nothing_is_restored_over_what_else_is_the_hosts_own_by_any_path() {
    let mut fixture = Fixture::new();
    let root = fixture.directory.path().to_owned();
    for directory in ["state", "plugins", "keys", "links", "real"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    for file in ["state/journal.db", "plugins/a.wasm", "keys/drill.txt"] {
        fs::write(root.join(file), "own").unwrap();
    }
    // What is configured may be a link itself.
    symlink("../real", root.join("links/configured")).unwrap();
    for (link, to) in [
        ("state", "../state"),
        ("plugins", "../plugins"),
        ("dangling", "../plugins/new"),
        ("keys", "../keys"),
    ] {
        symlink(to, root.join("links").join(link)).unwrap();
    }
    let place = |what: &str, path: &str| HostPlace {
        what: what.to_owned(),
        path: root.join(path),
    };
    let places = vec![
        place("the plugin directory", "plugins"),
        place("the identity", "keys/drill.txt"),
        place("the linked one", "links/configured"),
        place("what is not there", "missing/later"),
    ];
    fixture.store = fixture
        .store
        .with_root(root.join("disk/backups"))
        .with_host_places(Arc::new(move || places.clone()));
    fixture.put("a", "one");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    for (path, says) in [
        ("state", "the state directory"),
        ("state/new", "the state directory"),
        ("links/state", "the state directory"),
        ("data/../state", "the state directory"),
        ("plugins", "the plugin directory"),
        ("plugins/new/below", "the plugin directory"),
        ("links/plugins", "the plugin directory"),
        ("links/dangling", "the plugin directory"),
        ("none/../plugins", "the plugin directory"),
        ("keys", "it holds the identity"),
        ("links/keys", "it holds the identity"),
        ("real", "the linked one"),
        ("links", "it holds the linked one"),
        ("missing/later/still", "what is not there"),
        ("disk", ABOVE),
        ("disk/backups/state", WITHIN),
        ("", ABOVE),
    ] {
        refuses(&fixture, &chain, &root.join(path), says);
    }
    for file in ["state/journal.db", "plugins/a.wasm", "keys/drill.txt"] {
        assert_eq!(fs::read_to_string(root.join(file)).unwrap(), "own");
    }
    // In place neither.
    fixture.sources = vec![BackupSource::Directory {
        path: root.join("state"),
        prefix: String::new(),
    }];
    let judged = fixture.judge_in_place(&chain).unwrap_err().to_string();
    assert!(judged.contains("the state directory"), "{judged}");
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress());
    let error = restored.unwrap_err().to_string();
    assert!(error.contains("the state directory"), "{error}");
    // Beside them, and beside a file, there is room.
    fixture.restore_into(&chain, "keys/new").unwrap();
    fixture.restore_into(&chain, "beside").unwrap();
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

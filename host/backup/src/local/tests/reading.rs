//! What a job leaves out of its directories, and what a restore in place does with that.

use super::{
    mounted::{Mounted, may_mount},
    *,
};
use crate::{local::reading::Reading, patterns::Patterns, port::BackupContents};
use mainstay_domain::archive::KeyPrefix;
use rustix::fs::{XattrFlags, setxattr};
use std::os::unix::fs::MetadataExt;

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of a test.\n";

impl Fixture {
    /// The paths below a directory, but for itself.
    fn paths(&self, root: &Path) -> Vec<String> {
        let state = self.tree(root);
        let keys = state.iter().map(|(key, _)| key.to_string());
        let mut paths: Vec<String> = keys.filter(|key| key != ".").collect();
        paths.sort();
        paths
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.data().join(name)).unwrap()
    }

    fn put_in_place(&self, chain: &[BackupId]) -> Result<RestoredTree, BackupStoreError> {
        let place = RestorePlace::InPlace(self.sources.clone());
        let rules = RestoreRules {
            left_alone: self.reading.clone(),
            ..RestoreRules::default()
        };
        self.store
            .stage(&job(), chain, &place, &rules, &no_progress())?
            .place()
    }
}

fn excluding(patterns: &[&str]) -> ReadingSpec {
    ReadingSpec {
        exclude: patterns.iter().map(|&pattern| pattern.to_owned()).collect(),
        ..ReadingSpec::default()
    }
}

fn with_caches() -> Fixture {
    let mut fixture = Fixture::new();
    for (name, content) in [
        ("a", "one"),
        ("a.tmp", "left alone"),
        ("deep/b", "two"),
        ("deep/b.tmp", "left alone"),
        ("cache/c", "left alone"),
        ("deep/cache/d", "kept"),
        ("build/CACHEDIR.TAG", TAG),
        ("build/out/e", "left alone"),
        ("fake/CACHEDIR.TAG", "Signature: of nobody"),
        ("fake/f", "kept"),
    ] {
        fixture.put(name, content);
    }
    fixture.reading = ReadingSpec {
        exclude_caches: true,
        ..excluding(&["*.tmp", "cache/**"])
    };
    fixture
}

#[test]
fn what_a_job_leaves_out_is_in_no_backup_and_is_no_gap() {
    let mut fixture = with_caches();
    let mut chain = Vec::new();
    let taken = fixture.extend(BackupType::Full, &mut chain);
    assert!(!taken.manifest.incomplete);
    assert_eq!(taken.warnings, [""; 0]);
    let stored = [
        "a",
        "build",
        "build/CACHEDIR.TAG",
        "cache",
        "deep",
        "deep/b",
        "deep/cache",
        "deep/cache/d",
        "fake",
        "fake/CACHEDIR.TAG",
        "fake/f",
    ];
    let into = fixture.restore_into(&chain, "into").unwrap();
    assert_eq!(fixture.paths(&into), stored);
    fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    let sources = (fixture.sources.as_slice(), &fixture.reading);
    let live = fixture.store.live(sources, &no_progress()).unwrap();
    assert_eq!(live.state.iter().count(), stored.len() + 1);

    // What is left out from now on is deleted in the next one.
    fixture.reading.exclude.push("/deep/cache".to_owned());
    let taken = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(taken.manifest.tombstones, 2);
}

#[test]
fn a_restore_in_place_leaves_what_the_job_leaves_out() {
    let fixture = with_caches();
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let before = fixture.tree(&fixture.data());
    let cached = fixture.data().join("cache/c");
    let inode = fs::metadata(&cached).unwrap().ino();
    fixture.put("a", "changed");
    fixture.put("extra", "goes");
    fixture.put("cache/new/late", "left alone");
    fs::remove_file(fixture.data().join("deep/b")).unwrap();
    fs::remove_dir_all(fixture.data().join("fake")).unwrap();

    fixture.put_in_place(&chain).unwrap();
    let after = fixture.tree(&fixture.data());
    for (key, entry) in before.iter() {
        assert_eq!(after.get(key), Some(entry), "{key}");
    }
    assert_eq!(fixture.read("cache/new/late"), "left alone");
    assert!(!fixture.data().join("extra").exists());
    assert_eq!(fs::metadata(&cached).unwrap().ino(), inode);
    assert_eq!(fs::metadata(&cached).unwrap().nlink(), 1);
    let beside = fs::read_dir(fixture.directory.path()).unwrap().count();
    assert_eq!(beside, 2, "the source and the state");
}

#[test]
fn what_is_left_in_place_keeps_attributes_other_names_and_holes() {
    let fixture = with_caches();
    let at = |name: &str| fixture.data().join(name);
    fixture.put("cache/new/late", "left alone");
    fs::hard_link(at("cache/c"), at("deep/c.tmp")).unwrap();
    let sparse = fs::File::create(at("cache/new/sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    for name in ["a", "a.tmp", "cache", "cache/new", "deep/c.tmp"] {
        setxattr(at(name), "user.of", name.as_bytes(), XattrFlags::empty()).unwrap();
    }
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let before = fixture.tree(&fixture.data());
    fixture.put("a", "changed");
    fixture.put_in_place(&chain).unwrap();
    assert_same_tree(&fixture, &fixture.data(), &before);
    assert_eq!(fs::metadata(at("cache/c")).unwrap().nlink(), 2);
}

#[test]
fn what_the_backup_holds_counts_where_it_is_left_out_only_since() {
    let mut fixture = Fixture::new();
    fixture.put("a.tmp", "stored");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    fixture.put("a.tmp", "since");
    fixture.put("b.tmp", "since");
    fixture.reading = excluding(&["*.tmp"]);
    fixture.put_in_place(&chain).unwrap();
    assert_eq!(fixture.read("a.tmp"), "stored");
    assert_eq!(fixture.read("b.tmp"), "since");
}

#[test]
fn nothing_is_replaced_where_what_is_left_out_would_be_lost() {
    let mut fixture = Fixture::new();
    fixture.put("box", "a file");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    fs::remove_file(fixture.data().join("box")).unwrap();
    fixture.put("box/x.tmp", "left alone");
    fixture.reading = excluding(&["*.tmp"]);
    let error = fixture.put_in_place(&chain).unwrap_err().to_string();
    for says in ["cannot be replaced", "box/x.tmp", "is no directory"] {
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(fixture.read("box/x.tmp"), "left alone");
    let beside = fs::read_dir(fixture.directory.path()).unwrap().count();
    assert_eq!(beside, 2, "the source and the state");
}

#[test]
fn what_is_on_another_file_system_is_named_and_read_only_where_the_job_says() {
    if !may_mount(
        "reading::what_is_on_another_file_system_is_named_and_read_only_where_the_job_says",
    ) {
        return;
    }
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let _mounted = Mounted::memory(fixture.data().join("volume"));
    fixture.put("volume/b", "two");
    let taken = fixture.take(BackupType::Full, &[]);
    let warnings = taken.warnings.join("\n");
    assert!(
        warnings.contains("data/volume: it is on another file system"),
        "{warnings}"
    );
    assert!(!taken.manifest.incomplete);
    let chain = [taken.manifest.id];
    let into = fixture.restore_into(&chain, "into").unwrap();
    assert_eq!(fixture.paths(&into), ["a", "volume"]);
    let error = fixture.put_in_place(&chain).unwrap_err().to_string();
    assert!(error.contains("is a mount point"), "{error}");

    fixture.reading.one_filesystem = false;
    let all = [fixture.take(BackupType::Full, &[]).manifest.id];
    let into = fixture.restore_into(&all, "all").unwrap();
    assert_eq!(fixture.paths(&into), ["a", "volume", "volume/b"]);
}

/// What a backup finds mounted, where these directories were before, and whether it is no more.
fn mounts(fixture: &Fixture, expected: &[&Path]) -> Vec<(PathBuf, bool)> {
    let expected = expected.iter().map(|path| path.display().to_string());
    let request = TakeBackup {
        mounts: expected.collect(),
        ..fixture.request(BackupType::Full, &[])
    };
    let taken = fixture.store.take(&request, &no_progress()).unwrap();
    let found = taken.mounts.into_iter();
    found
        .map(|mount| (PathBuf::from(mount.path), mount.vanished))
        .collect()
}

#[test]
fn what_was_mounted_in_a_source_and_is_an_empty_directory_is_told_and_nothing_else() {
    if !may_mount(
        "reading::what_was_mounted_in_a_source_and_is_an_empty_directory_is_told_and_nothing_else",
    ) {
        return;
    }
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let volume = fixture.data().canonicalize().unwrap().join("volume");
    let mounted = Mounted::memory(volume.clone());
    fixture.put("volume/b", "two");
    // What is not read cannot be missed.
    assert!(mounts(&fixture, &[]).is_empty());
    fixture.reading.one_filesystem = false;
    assert_eq!(mounts(&fixture, &[]), [(volume.clone(), false)]);
    drop(mounted);
    assert_eq!(mounts(&fixture, &[&volume]), [(volume.clone(), true)]);
    assert!(mounts(&fixture, &[]).is_empty());
    fixture.put("volume/b", "it is here now");
    assert!(mounts(&fixture, &[&volume]).is_empty());
    fs::remove_dir_all(&volume).unwrap();
    assert!(mounts(&fixture, &[&volume]).is_empty());
}

#[test]
fn a_source_that_was_a_mount_point_and_is_an_empty_directory_is_told() {
    if !may_mount("reading::a_source_that_was_a_mount_point_and_is_an_empty_directory_is_told") {
        return;
    }
    let fixture = Fixture::new();
    let data = fixture.data().canonicalize().unwrap();
    let mounted = Mounted::memory(data.clone());
    fixture.put("a", "one");
    assert_eq!(mounts(&fixture, &[]), [(data.clone(), false)]);
    drop(mounted);
    assert_eq!(mounts(&fixture, &[&data]), [(data.clone(), true)]);
}

fn including(backup_type: BackupType, patterns: &[&str]) -> ReadingSpec {
    let patterns = patterns.iter().map(|&pattern| pattern.to_owned());
    ReadingSpec {
        include: std::collections::BTreeMap::from([(backup_type, patterns.collect())]),
        ..ReadingSpec::default()
    }
}

#[test]
fn a_backup_of_a_type_holds_what_is_named_for_it_with_the_directories_above_alone() {
    let mut fixture = Fixture::new();
    for name in [
        "positions/a",
        "positions/deep/b",
        "other/c",
        "other/deep/state.db",
        "state.db",
        "rest/positions/d",
    ] {
        fixture.put(name, name);
    }
    let other = fixture.data().join("other");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o750)).unwrap();
    fixture.reading = including(BackupType::Snapshot, &["/positions", "*.db"]);
    let taken = fixture.take(BackupType::Snapshot, &[]);
    assert!(taken.manifest.selection && !taken.manifest.incomplete);
    let into = fixture
        .restore_into(&[taken.manifest.id], "selection")
        .unwrap();
    assert_eq!(
        fixture.paths(&into),
        [
            "other",
            "other/deep",
            "other/deep/state.db",
            "positions",
            "positions/a",
            "positions/deep",
            "positions/deep/b",
            "state.db",
        ]
    );
    let mode = fs::metadata(into.join("other")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o750);
    // No directory is looked into in which nothing can be.
    fixture.reading = including(BackupType::Snapshot, &["/positions/deep"]);
    let patterns = Patterns::of(&["/positions/deep".to_owned()]).unwrap();
    let prefix = KeyPrefix::parse("").unwrap();
    let reading = Reading::of(&fixture.reading).unwrap();
    let reading = reading.selecting(&prefix, Some(&patterns));
    let mut looked_into = vec![".", "positions", "positions/deep", "other", "rest"];
    looked_into.retain(|directory| reading.leads_through(directory.as_bytes()));
    assert_eq!(looked_into, [".", "positions", "positions/deep"]);
    let chain = [fixture.take(BackupType::Snapshot, &[]).manifest.id];
    let into = fixture.restore_into(&chain, "deep").unwrap();
    assert_eq!(
        fixture.paths(&into),
        ["positions", "positions/deep", "positions/deep/b"]
    );
    // Of a type that says nothing all is taken.
    for of_all in [BackupType::Full, BackupType::Emergency] {
        let taken = fixture.take(of_all, &[]);
        assert!(!taken.manifest.selection);
        let into = fixture.restore_into(&[taken.manifest.id], of_all.as_str());
        assert!(into.unwrap().join("rest/positions/d").exists());
    }
}

#[test]
fn what_is_named_are_keys_and_of_what_is_not_named_nothing_is_read() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("b", "two");
    let single = fixture.directory.path().join("single.txt");
    fs::write(&single, "three").unwrap();
    fixture.sources = vec![
        BackupSource::Directory {
            path: fixture.data(),
            prefix: "data".to_owned(),
        },
        // It is not there, so that it cannot be read.
        BackupSource::File {
            path: fixture.directory.path().join("none"),
            key: "other".to_owned(),
        },
        BackupSource::File {
            path: single,
            key: "single".to_owned(),
        },
    ];
    fixture.reading = including(BackupType::Emergency, &["/data/a", "single"]);
    let taken = fixture.take(BackupType::Emergency, &[]);
    assert_eq!(taken.warnings, Vec::<String>::new());
    assert!(!taken.manifest.incomplete);
    let into = fixture.restore_into(&[taken.manifest.id], "into").unwrap();
    assert_eq!(fixture.paths(&into), ["data", "data/a", "single"]);

    fixture.reading = including(BackupType::Emergency, &["/a"]);
    let request = fixture.request(BackupType::Emergency, &[]);
    let error = fixture.store.take(&request, &no_progress()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("hold nothing that `include.emergency` names"),
        "{error}"
    );
    assert_eq!(fixture.stored().len(), 1);
}

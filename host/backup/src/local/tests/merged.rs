//! Restores of parts, and into directories that hold other things.

use super::*;
use mainstay_domain::archive::{DocumentKey, Selection};

fn rules(only: &[&str], merge: bool) -> RestoreRules {
    let keys = only.iter().map(|key| DocumentKey::parse(key).unwrap());
    RestoreRules {
        only: Selection::under(keys.collect()),
        merge,
        ..RestoreRules::default()
    }
}

impl Fixture {
    fn place_by(
        &self,
        chain: &[BackupId],
        place: &RestorePlace,
        rules: &RestoreRules,
    ) -> Result<RestoredTree, BackupStoreError> {
        let staged = self
            .store
            .stage(&job(), chain, place, rules, &no_progress());
        staged?.place()
    }

    fn within(&self, name: &str) -> RestorePlace {
        RestorePlace::Into {
            path: self.directory.path().join(name),
            replace: false,
        }
    }

    /// Names below a directory, with what the files hold.
    fn texts(&self, name: &str) -> Vec<String> {
        let root = self.directory.path().join(name);
        let state = self.tree(&root);
        let text =
            |key: &DocumentKey| fs::read_to_string(root.join(key.as_str())).unwrap_or_default();
        let keys = state.iter().filter(|(key, _)| !key.is_root());
        keys.map(|(key, _)| format!("{key}={}", text(key)))
            .collect()
    }

    fn names_beside(&self) -> usize {
        fs::read_dir(self.directory.path()).unwrap().count()
    }
}

fn three_files() -> (Fixture, Vec<BackupId>) {
    let fixture = Fixture::new();
    fixture.put("etc/web/site", "one");
    fixture.put("etc/website", "two");
    fixture.put("srv/large", vec![b'7'; 3 << 20]);
    symlink("site", fixture.data().join("etc/web/link")).unwrap();
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("etc/web/site", "changed");
    fixture.extend(BackupType::Incremental, &mut chain);
    (fixture, chain)
}

#[test]
fn a_part_is_restored_with_the_directories_that_it_lies_in_and_nothing_else() {
    let (fixture, chain) = three_files();
    let above = fixture.data().join("etc");
    fs::set_permissions(&above, fs::Permissions::from_mode(0o710)).unwrap();
    let mut chain = chain;
    fixture.extend(BackupType::Incremental, &mut chain);
    let restored = fixture.place_by(&chain, &fixture.within("part"), &rules(&["etc/web"], false));
    assert_eq!(restored.unwrap().not_put_back, NotPutBack::default());
    assert_eq!(
        fixture.texts("part"),
        [
            "etc=",
            "etc/web=",
            "etc/web/link=changed",
            "etc/web/site=changed"
        ]
    );
    let mode = fs::metadata(fixture.directory.path().join("part/etc")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o7777, 0o710);

    let two = rules(&["etc/website", "srv"], false);
    let restored = fixture
        .place_by(&chain, &fixture.within("two"), &two)
        .unwrap();
    assert_eq!(restored.bytes, 3 + (3 << 20));
    assert!(fixture.directory.path().join("two/srv/large").exists());

    let before = fixture.names_beside();
    let none = rules(&["etc/web", "etc/we"], false);
    let error = fixture.place_by(&chain, &fixture.within("none"), &none);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("at or under `etc/we`") && error.contains("backup ls"),
        "{error}"
    );
    assert_eq!(fixture.names_beside(), before);
}

#[test]
fn what_is_merged_leaves_what_the_backup_does_not_have() {
    let (fixture, chain) = three_files();
    let other = fixture.directory.path().join("other");
    fs::create_dir_all(other.join("etc/web")).unwrap();
    fs::write(other.join("etc/web/site"), "theirs").unwrap();
    fs::write(other.join("etc/web/mine"), "mine").unwrap();
    fs::set_permissions(other.join("etc"), fs::Permissions::from_mode(0o701)).unwrap();
    let before = fixture.names_beside();
    let part = rules(&["etc"], true);
    fixture
        .place_by(&chain, &fixture.within("other"), &part)
        .unwrap();
    assert_eq!(
        fixture.texts("other"),
        [
            "etc=",
            "etc/web=",
            "etc/web/link=changed",
            "etc/web/mine=mine",
            "etc/web/site=changed",
            "etc/website=two"
        ]
    );
    let mode = fs::metadata(other.join("etc")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o701, "it was there");
    assert_eq!(fixture.names_beside(), before);

    // In place, with what was made since.
    fixture.put("since", "mine");
    fs::remove_file(fixture.data().join("etc/website")).unwrap();
    let place = RestorePlace::InPlace(fixture.sources.clone());
    fixture
        .place_by(&chain[..1], &place, &rules(&[], true))
        .unwrap();
    let texts = fixture.texts("data");
    for text in ["since=mine", "etc/web/site=one", "etc/website=two"] {
        assert!(texts.contains(&text.to_owned()), "{text} in {texts:?}");
    }
    // And where nothing is there yet.
    fixture
        .place_by(&chain, &fixture.within("new"), &rules(&[], true))
        .unwrap();
    assert!(fixture.directory.path().join("new/srv/large").exists());
}

#[test]
fn what_cannot_be_merged_changes_nothing() {
    let (fixture, chain) = three_files();
    let other = fixture.directory.path().join("other");
    fs::create_dir_all(other.join("srv/large")).unwrap();
    fs::create_dir_all(other.join("etc")).unwrap();
    fs::write(other.join("etc/website"), "theirs").unwrap();
    let before = (fixture.tree(&other), fixture.names_beside());
    let error = fixture.place_by(&chain, &fixture.within("other"), &rules(&[], true));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("srv/large is a directory, and none in the backup"),
        "{error}"
    );
    assert_eq!((fixture.tree(&other), fixture.names_beside()), before);
    fs::remove_dir(other.join("srv/large")).unwrap();
    fs::remove_dir(other.join("srv")).unwrap();
    fs::write(other.join("srv"), "theirs").unwrap();
    let error = fixture.place_by(&chain, &fixture.within("other"), &rules(&[], true));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("srv is no directory"), "{error}");
    let website = fs::read_to_string(other.join("etc/website")).unwrap();
    assert_eq!(website, "theirs");
}

#[test]
fn a_merge_that_is_not_kept_puts_what_it_replaced_back() {
    let fixture = Fixture::new();
    fixture.put("a", "old");
    fixture.put("mine", "mine");
    let mut swap = swap::Swap::begin_merge(&fixture.data()).unwrap();
    fs::write(swap.staging().join("a"), "new").unwrap();
    fs::create_dir(swap.staging().join("dir")).unwrap();
    fs::write(swap.staging().join("dir/b"), "new").unwrap();
    swap.merge().unwrap();
    assert_eq!(
        fixture.texts("data"),
        ["a=new", "dir=", "dir/b=new", "mine=mine"]
    );
    drop(swap);
    assert_eq!(fixture.texts("data"), ["a=old", "mine=mine"]);
}

#[test]
fn what_patterns_name_is_restored_with_the_directories_above_and_nothing_else() {
    let (fixture, chain) = three_files();
    fs::create_dir(fixture.data().join("empty")).unwrap();
    let web = fixture.data().join("etc/web");
    fs::set_permissions(&web, fs::Permissions::from_mode(0o750)).unwrap();
    let mut chain = chain;
    fixture.extend(BackupType::Incremental, &mut chain);
    let meant = |patterns: &[&str]| RestoreRules {
        only: Selection::of_person(patterns).unwrap(),
        ..RestoreRules::default()
    };
    let restored = fixture.place_by(&chain, &fixture.within("part"), &meant(&["etc/*/s?te"]));
    assert_eq!(
        fixture.texts("part"),
        ["etc=", "etc/web=", "etc/web/site=changed"]
    );
    // The root, the two directories and the file.
    assert_eq!(restored.unwrap().documents, 4);
    let path = fixture.directory.path().join("part/etc/web");
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750);

    fixture
        .place_by(&chain, &fixture.within("links"), &meant(&["lin*", "srv"]))
        .unwrap();
    let link = fixture.directory.path().join("links/etc/web/link");
    assert_eq!(fs::read_link(link).unwrap(), Path::new("site"));
    assert!(!fixture.directory.path().join("links/etc/website").exists());
    assert!(fixture.directory.path().join("links/srv/large").exists());

    let none = fixture.place_by(&chain, &fixture.within("none"), &meant(&["*.conf"]));
    let error = none.unwrap_err().to_string();
    assert!(error.contains("`*.conf`"), "{error}");
}

//! What is there and cannot be read: it is told, and it is not gone.

use super::*;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::{os::unix::fs::MetadataExt, thread};

/// Does something as who may read and write only what its mode says, also where the tests are root.
fn without_privileges<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let act = || {
        let mut sets = capabilities(None).unwrap();
        let dropped = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        sets.effective.remove(dropped);
        // By these the kernel says what may be done.
        sets.permitted.remove(dropped);
        set_capabilities(None, sets).unwrap();
        act()
    };
    thread::scope(|scope| scope.spawn(act).join().unwrap())
}

impl Fixture {
    fn set_mode(&self, name: &str, mode: u32) {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.data().join(name), permissions).unwrap();
    }

    fn try_take(
        &self,
        unreadable: Unreadable,
        backup_type: BackupType,
        chain: &[BackupId],
    ) -> Result<TakenBackup, BackupStoreError> {
        let request = TakeBackup {
            unreadable,
            ..self.request(backup_type, chain)
        };
        without_privileges(|| self.store.take(&request, &no_progress()))
    }

    /// Takes what can be read, and adds it to the chain.
    fn miss(&self, backup_type: BackupType, chain: &mut Vec<BackupId>) -> TakenBackup {
        let taken = self.try_take(Unreadable::IsMissed, backup_type, chain);
        let taken = taken.unwrap();
        chain.push(taken.manifest.id.clone());
        self.store.verify(&job(), chain, &no_progress()).unwrap();
        taken
    }

    /// Restores, and opens what is closed in it.
    fn reopened(&self, chain: &[BackupId], name: &str, closed: &str) -> PathBuf {
        let into = self.restore_into(chain, name).unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(into.join(closed), open).unwrap();
        into
    }
}

fn content(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn what_cannot_be_read_stays_as_the_chain_has_it_and_is_told_until_it_can() {
    let fixture = Fixture::new();
    for name in ["a", "closed", "deep/locked/b", "deep/locked/c/d"] {
        fixture.put(name, "one");
    }
    let large = "in several parts ".repeat(200_000);
    fixture.put("deep/locked/large", &large);
    let mut chain = Vec::new();
    fixture.extend(BackupType::Full, &mut chain);

    fixture.put("a", "two");
    fixture.put("closed", "three, and nobody may read it");
    fixture.set_mode("closed", 0);
    fixture.set_mode("deep/locked", 0);
    for (backup_type, name) in [
        (BackupType::Incremental, "first"),
        (BackupType::Incremental, "again"),
    ] {
        let taken = fixture.miss(backup_type, &mut chain);
        assert!(taken.manifest.incomplete, "{taken:?}");
        assert_eq!(taken.manifest.tombstones, 0);
        let warnings = taken.warnings.join("\n");
        for closed in ["data/closed: Permission", "data/deep/locked: Permission"] {
            let named = warnings.lines().find(|it| it.contains(closed)).unwrap();
            let of_before = "is that of the backup that this one is built on";
            assert!(named.contains(of_before), "{warnings}");
        }
        assert_eq!(taken.warnings.len(), 2, "{warnings}");
        let into = fixture.reopened(&chain, name, "deep/locked");
        assert_eq!(content(into.join("a")), "two");
        for kept in ["closed", "deep/locked/b", "deep/locked/c/d"] {
            assert_eq!(content(into.join(kept)), "one", "{kept}");
        }
        assert!(content(into.join("deep/locked/large")) == large);
    }

    fixture.set_mode("closed", 0o644);
    fixture.set_mode("deep/locked", 0o755);
    fs::remove_file(fixture.data().join("deep/locked/b")).unwrap();
    let taken = fixture.miss(BackupType::Incremental, &mut chain);
    assert!(!taken.manifest.incomplete && taken.warnings.is_empty());
    assert_eq!(taken.manifest.tombstones, 1);
    let into = fixture.restore_into(&chain, "open").unwrap();
    assert_same_tree(&fixture, &into, &fixture.tree(&fixture.data()));
}

#[test]
fn what_no_chain_has_is_missing_and_named_or_the_backup_fails() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("closed", "two");
    fixture.put("locked/b", "three");
    fixture.set_mode("closed", 0);
    fixture.set_mode("locked", 0);
    let refused = fixture.try_take(Unreadable::Fails, BackupType::Full, &[]);
    let refused = refused.unwrap_err().to_string();
    let advice = "Permission denied (os error 13); give the daemon's user access to it";
    assert!(refused.contains(advice), "{refused}");
    assert!(fixture.stored().is_empty());

    let mut chain = Vec::new();
    let taken = fixture.miss(BackupType::Full, &mut chain);
    assert!(taken.manifest.incomplete, "{taken:?}");
    let warnings = taken.warnings.join("\n");
    for closed in ["data/closed: ", "data/locked: "] {
        let named = warnings.lines().find(|it| it.contains(closed)).unwrap();
        assert!(named.contains("it is not in this backup"), "{warnings}");
    }
    assert_eq!(taken.warnings.len(), 2, "{warnings}");
    let into = fixture.reopened(&chain, "first", "locked");
    assert!(!into.join("closed").exists() && !into.join("locked/b").exists());

    fixture.set_mode("closed", 0o644);
    fixture.set_mode("locked", 0o755);
    let taken = fixture.miss(BackupType::Incremental, &mut chain);
    assert!(!taken.manifest.incomplete, "{taken:?}");
    let into = fixture.restore_into(&chain, "open").unwrap();
    assert_same_tree(&fixture, &into, &fixture.tree(&fixture.data()));
}

#[test]
fn a_source_of_which_nothing_can_be_read_is_a_backup_only_of_what_is_about_to_be_lost() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let other = fixture.directory.path().join("other");
    fs::create_dir(&other).unwrap();
    fixture.sources.push(BackupSource::Directory {
        path: other,
        prefix: "other".to_owned(),
    });
    fixture.set_mode(".", 0);
    for unreadable in [Unreadable::Fails, Unreadable::IsMissed] {
        let refused = fixture.try_take(unreadable, BackupType::Full, &[]);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("/data: Permission denied"), "{refused}");
    }
    let taken = fixture.try_take(Unreadable::IsLeftOut, BackupType::Emergency, &[]);
    assert!(taken.unwrap().manifest.incomplete);
    fixture.set_mode(".", 0o755);
}

#[test]
fn a_file_that_is_a_source_by_itself_is_missed_only_in_a_backup_of_what_is_about_to_be_lost() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let path = fixture.directory.path().join("app.conf");
    fs::write(&path, "two").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    fixture.sources.push(BackupSource::File {
        path,
        key: "app.conf".to_owned(),
    });
    for unreadable in [Unreadable::Fails, Unreadable::IsMissed] {
        let refused = fixture.try_take(unreadable, BackupType::Full, &[]);
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("/app.conf: Permission denied"),
            "{refused}"
        );
    }
    let taken = fixture.try_take(Unreadable::IsLeftOut, BackupType::Emergency, &[]);
    assert!(taken.unwrap().manifest.incomplete);
}

#[test]
fn other_names_of_a_file_are_kept_as_such_where_that_is_so_and_else_with_their_content() {
    let fixture = Fixture::new();
    let at = |name: &str| fixture.data().join(name);
    let (shared, inside) = ("of both names ".repeat(20), "of two inside ".repeat(20));
    fixture.put("a", &shared);
    fixture.put("locked/one", &inside);
    fs::hard_link(at("a"), at("locked/b")).unwrap();
    fs::hard_link(at("locked/one"), at("locked/two")).unwrap();
    let mut chain = Vec::new();
    fixture.extend(BackupType::Full, &mut chain);

    fixture.set_mode("a", 0o600);
    fixture.set_mode("locked", 0);
    fixture.miss(BackupType::Incremental, &mut chain);
    let into = fixture.reopened(&chain, "same", "locked");
    let inode = |name: &str| fs::metadata(into.join(name)).unwrap().ino();
    assert_eq!(inode("a"), inode("locked/b"));
    let mode = fs::metadata(into.join("a")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600, "it is as it was found");
    assert_eq!(inode("locked/one"), inode("locked/two"));

    fs::remove_file(at("a")).unwrap();
    fixture.put("a", "another file");
    let taken = fixture.miss(BackupType::Incremental, &mut chain);
    assert_eq!(taken.manifest.tombstones, 0);
    let into = fixture.reopened(&chain, "apart", "locked");
    assert_eq!(content(into.join("a")), "another file");
    assert_eq!(content(into.join("locked/b")), shared);
    assert_eq!(content(into.join("locked/two")), inside);
    fixture.set_mode("locked", 0o755);
}

#[test]
fn another_name_that_the_chain_has_no_content_for_is_told_as_missing() {
    let fixture = Fixture::new();
    let at = |name: &str| fixture.data().join(name);
    fixture.put("large", "in several parts ".repeat(200_000));
    fixture.put("locked/a", "one");
    fs::hard_link(at("large"), at("locked/b")).unwrap();
    let mut chain = Vec::new();
    fixture.extend(BackupType::Full, &mut chain);
    fs::remove_file(at("large")).unwrap();
    fixture.set_mode("locked", 0);
    let taken = fixture.miss(BackupType::Incremental, &mut chain);
    assert_eq!(taken.manifest.tombstones, 2);
    let warnings = taken.warnings.join("\n");
    let missing =
        "cannot read `locked/b`, another name of a file that changed; it is not in this backup";
    assert!(warnings.contains(missing), "{warnings}");
    let into = fixture.reopened(&chain, "into", "locked");
    assert_eq!(content(into.join("locked/a")), "one");
    fixture.set_mode("locked", 0o755);
}

#[test]
fn nothing_is_kept_that_the_job_leaves_out_by_now_or_another_source_gives() {
    let mut fixture = Fixture::new();
    let beside = fixture.directory.path().join("app.conf");
    fs::write(&beside, "one").unwrap();
    fixture.put("locked/a", "kept");
    fixture.put("locked/old.tmp", "left out soon");
    fixture.put("locked/cache/b", "left out soon");
    fixture.sources.push(BackupSource::File {
        path: beside.clone(),
        key: "locked/app.conf".to_owned(),
    });
    let mut chain = Vec::new();
    fixture.extend(BackupType::Full, &mut chain);

    fs::write(&beside, "two, and longer").unwrap();
    fixture.set_mode("locked", 0);
    fixture.reading.exclude = vec!["*.tmp".to_owned(), "/locked/cache".to_owned()];
    let taken = fixture.miss(BackupType::Incremental, &mut chain);
    assert_eq!(taken.manifest.tombstones, 3, "{taken:?}");
    let into = fixture.reopened(&chain, "into", "locked");
    assert_eq!(content(into.join("locked/a")), "kept");
    assert_eq!(content(into.join("locked/app.conf")), "two, and longer");
    fixture.set_mode("locked", 0o755);
}

/// Nothing is stopped for what would then be found to be in the way.
#[test]
fn a_source_below_what_may_not_be_written_is_judged_to_be_in_the_way_of_a_restore_in_place() {
    let mut fixture = Fixture::new();
    let above = fixture.directory.path().join("above");
    let data = above.join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("a"), "one").unwrap();
    fixture.sources = vec![BackupSource::Directory {
        path: data,
        prefix: String::new(),
    }];
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let judge = || without_privileges(|| fixture.judge_in_place(&chain));
    assert_eq!(judge(), Ok(()));
    let set_mode = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(&above, permissions).unwrap();
    };
    set_mode(0o555);
    let judged = judge();
    // What is left of the test is removed by who may.
    set_mode(0o755);
    let error = judged.unwrap_err().to_string();
    assert!(
        error.contains("cannot be written") && error.contains("give the daemon's user access"),
        "{error}"
    );
}

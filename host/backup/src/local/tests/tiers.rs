//! Backups in other tiers than that of the state directory.

mod gone;
mod late;
mod moved;
mod paced;
mod silent;

use super::{
    mounted::{Mounted, may_mount},
    *,
};

pub(super) fn tier(name: &str) -> TierName {
    TierName::parse(name).unwrap()
}

impl Fixture {
    /// A tier of the config, whose directory is there.
    pub(super) fn with_tier(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir(&path).unwrap();
        self.tiers
            .lock()
            .push((tier(name), TierPlace::Directory(path.clone())));
        path
    }

    /// Takes a backup into the first of these tiers that takes it, and adds it to the chain.
    pub(super) fn extend_in(
        &self,
        tiers: &[&str],
        backup_type: BackupType,
        chain: &mut Vec<BackupId>,
    ) -> TakenBackup {
        let request = TakeBackup {
            tiers: tiers.iter().map(|name| tier(name)).collect(),
            ..self.request(backup_type, chain)
        };
        let taken = self.store.take(&request, &no_progress()).unwrap();
        chain.push(taken.manifest.id.clone());
        taken
    }

    /// The same state and tiers under a daemon that knows nothing of before.
    fn on_another_host(&self) -> Self {
        let other = Self::new();
        *other.tiers.lock() = self.tiers.lock().clone();
        other
    }
}

/// The names in a directory that begin with a backup's identifier.
pub(super) fn files_of(directory: &Path, id: &BackupId) -> Vec<String> {
    let mut names = files::names_in(directory).unwrap();
    names.retain(|name| name.starts_with(&id.to_string()));
    names
}

pub(super) fn unavailable<T: std::fmt::Debug>(result: Result<T, BackupStoreError>) -> String {
    match result {
        Err(BackupStoreError::Unavailable(what)) => what,
        other => panic!("{other:?}"),
    }
}

/// A full backup in `nas`, and an incremental one at home.
fn over_two_tiers(fixture: &Fixture) -> (PathBuf, Vec<BackupId>) {
    let nas = fixture.with_tier("nas");
    let chain = over_tier_and_home(fixture, "nas", vec![7; 3 << 20]);
    (nas, chain)
}

/// A full backup in a tier, with this large document, and an incremental one at home.
pub(super) fn over_tier_and_home(fixture: &Fixture, tier: &str, large: Vec<u8>) -> Vec<BackupId> {
    let mut chain = vec![];
    fixture.put("a", "one");
    fixture.put("large", large);
    let full = fixture.extend_in(&[tier], BackupType::Full, &mut chain);
    assert_eq!((full.manifest.tier.as_str(), full.refused), (tier, vec![]));
    fixture.put("b", "two");
    fs::remove_file(fixture.data().join("a")).unwrap();
    let next = fixture.extend_in(&["local"], BackupType::Incremental, &mut chain);
    assert_eq!(next.manifest.tier, "local");
    chain
}

#[test]
fn a_chain_over_two_tiers_is_restored_verified_and_drilled() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let in_nas = nas.join("state");
    assert_eq!(
        files_of(&in_nas, &chain[0]).len(),
        2,
        "archive and manifest"
    );
    let home = files_of(&fixture.job_dir(), &chain[0]);
    assert!(
        home.iter().all(|name| name.ends_with(".index.zst")),
        "{home:?}"
    );
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    let verified = fixture.store.verify(&job(), &chain, &no_progress());
    assert_eq!(verified, Ok(vec![]));
    fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    let place = RestorePlace::Into {
        path: nas.join("state"),
        replace: true,
    };
    let into_the_tier = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress());
    let why = unavailable(into_the_tier);
    assert!(why.contains("it is where the backups are"), "{why}");
}

#[test]
fn a_changed_byte_in_a_tier_is_found() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let archive = nas.join(format!("state/{}.jsonl.zst", chain[0]));
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let verified = fixture.store.verify(&job(), &chain, &no_progress());
    assert!(
        matches!(&verified, Err(BackupStoreError::Corrupted { id, .. }) if *id == chain[0]),
        "{verified:?}"
    );
}

#[test]
fn where_a_tier_is_not_there_the_next_takes_it_and_no_backup_is_wrong() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let away = fixture.directory.path().join("away");
    fs::rename(&nas, &away).unwrap();
    for mounted in [false, true] {
        if mounted {
            // The mount point of what is not mounted.
            fs::create_dir(&nas).unwrap();
        }
        let mut next = vec![];
        let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut next);
        assert_eq!(taken.manifest.tier, "local");
        assert_eq!(taken.refused.len(), 1);
        let (refused, why) = &taken.refused[0];
        assert_eq!(refused, &tier("nas"));
        assert!(
            why.contains("are known and not where they were stored"),
            "{why}"
        );
        fixture
            .restore_into(&next, &format!("next-{mounted}"))
            .unwrap();

        let verified = fixture.store.verify(&job(), &chain, &no_progress());
        assert!(unavailable(verified).contains("in the tier nas"));
        let lost = fixture.store.lost(&job(), &[(chain[0].clone(), 1)]);
        assert!(
            matches!(&lost[..], [BackupStoreError::Unavailable(_)]),
            "{lost:?}"
        );
        assert!(unavailable(fixture.store.committed(&job(), &chain[0])).contains("nas"));
        for gone in [
            fixture.store.trash(&job(), &chain[0]),
            fixture.store.delete(&job(), &chain[0]),
        ] {
            assert!(unavailable(gone).contains("nas"));
        }
        let only = TakeBackup {
            tiers: vec![tier("nas")],
            ..fixture.request(BackupType::Full, &[])
        };
        unavailable(fixture.store.take(&only, &no_progress()));
        assert_eq!(files_of(&fixture.job_dir(), &only.id), Vec::<String>::new());
        let is_begun = files::names_in(&nas).unwrap();
        assert_eq!(is_begun, Vec::<String>::new(), "no store begins there");
    }
    fs::remove_dir(&nas).unwrap();
    fs::rename(&away, &nas).unwrap();
    fixture.restore_into(&chain, "restored").unwrap();
}

#[test]
fn a_tier_whose_directory_was_never_there_is_not_made() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let path = fixture.directory.path().join("nas");
    let place = TierPlace::Directory(path.clone());
    fixture.tiers.lock().push((tier("nas"), place));
    let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut vec![]);
    assert_eq!(taken.manifest.tier, "local");
    assert!(
        taken.refused[0].1.contains("mount or make it"),
        "{:?}",
        taken.refused
    );
    assert!(!path.exists());
    let unknown = fixture.extend_in(&["none", "local"], BackupType::Full, &mut vec![]);
    assert!(
        unknown.refused[0].1.contains("[tier.none]"),
        "{:?}",
        unknown.refused
    );
}

#[test]
fn what_a_tier_did_not_take_is_whole_in_the_next_and_not_in_it() {
    let fixture = Fixture::new();
    let (nas, _) = over_two_tiers(&fixture);
    let other = fixture.with_tier("other");
    // What is in its way is no store's.
    fs::write(other.join("state"), "a file").unwrap();
    let mut chain = vec![];
    let taken = fixture.extend_in(&["other", "nas"], BackupType::Full, &mut chain);
    assert_eq!(
        (taken.manifest.tier.as_str(), taken.refused.len()),
        ("nas", 1)
    );
    assert_eq!(fs::read_to_string(other.join("state")).unwrap(), "a file");
    assert_eq!(files_of(&nas.join("state"), &chain[0]).len(), 2);
    fixture.restore_into(&chain, "restored").unwrap();
}

#[test]
fn two_hosts_do_not_share_a_store() {
    let fixture = Fixture::new();
    over_two_tiers(&fixture);
    let second = fixture.on_another_host();
    second.put("a", "another");
    let mut chain = vec![];
    second.extend_in(&["local"], BackupType::Full, &mut chain);
    assert_eq!(second.stored().len(), 1, "the other's are not taken up");
    let taken = second.extend_in(&["nas", "local"], BackupType::Full, &mut vec![]);
    assert_eq!(taken.manifest.tier, "local");
    let why = &taken.refused[0].1;
    assert!(
        why.contains("is not that of job state of this host"),
        "{why}"
    );
    assert_eq!(second.sweep(&chain), vec![]);
    assert_eq!(fixture.stored().len(), 2);
}

#[test]
fn a_host_that_has_nothing_yet_does_not_take_the_store_of_another_for_its_own() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let before = files::names_in(&nas.join("state")).unwrap();
    let second = fixture.on_another_host();
    assert_eq!(second.store.jobs(), Ok(vec![job()]));
    let found = second
        .store
        .stored(&job(), &BTreeSet::new(), StoredLook::Content)
        .unwrap();
    assert_eq!((found.stored.len(), found.left_out.len()), (0, 1));
    let why = &found.left_out[0];
    assert!(why.contains("is not this host's"), "{why}");
    assert_eq!(second.sweep(&[]), vec![]);
    second.put("a", "another");
    let mut next = vec![];
    let taken = second.extend_in(&["nas", "local"], BackupType::Full, &mut next);
    assert_eq!(taken.manifest.tier, "local");
    let why = &taken.refused[0].1;
    assert!(
        why.contains("is not that of job state of this host"),
        "{why}"
    );
    second.restore_into(&next, "restored").unwrap();
    assert_eq!(files::names_in(&nas.join("state")).unwrap(), before);
    let verified = fixture.store.verify(&job(), &chain, &no_progress());
    assert_eq!(verified, Ok(vec![]));
}

#[test]
fn a_store_of_which_nothing_can_be_read_now_is_nobodys_own() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let second = fixture.on_another_host();
    let manifest = nas.join("state").join(format!("{}.json", chain[0]));
    let aside = fixture.directory.path().join("aside");
    fs::rename(&manifest, &aside).unwrap();
    // Who opens it is led round and round.
    symlink(&manifest, &manifest).unwrap();
    assert_eq!(second.stored(), vec![]);
    assert!(!second.job_dir().exists(), "it is not taken for its own");
    fs::remove_file(&manifest).unwrap();
    fs::rename(&aside, &manifest).unwrap();
    assert_eq!(second.stored(), vec![]);
    assert!(!second.job_dir().exists(), "it is another host's");
}

#[test]
fn what_a_tier_holds_is_taken_up_where_the_state_directory_was_lost() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.with_tier("nas");
    let mut chain = vec![];
    fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    fs::remove_dir_all(fixture.directory.path().join("state")).unwrap();
    assert_eq!(fixture.store.jobs(), Ok(vec![job()]));
    let found = fixture.stored();
    assert_eq!(found.len(), 1);
    assert!(found[0].intact && !found[0].in_trash);
    assert_eq!(found[0].manifest.tier, "nas");
    assert_eq!(fixture.sweep(&chain), vec![]);
    fixture.restore_into(&chain, "restored").unwrap();
    fixture.extend_in(&["nas"], BackupType::Incremental, &mut chain);
    fixture.restore_into(&chain, "again").unwrap();
}

#[test]
fn a_home_that_is_not_mounted_is_not_begun_anew_for_what_a_tier_holds() {
    let fixture = Fixture::new();
    let (_, chain) = over_two_tiers(&fixture);
    fs::remove_dir_all(fixture.job_dir()).unwrap();
    let known: BTreeSet<BackupId> = chain.iter().cloned().collect();
    let found = fixture.store.stored(&job(), &known, StoredLook::Length);
    assert_eq!(found.unwrap().stored.len(), 0);
    assert!(!fixture.job_dir().exists());
}

#[test]
fn what_expired_goes_to_the_trash_of_its_tier_and_leaves_it() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let id = &chain[0];
    fixture.store.trash(&job(), id).unwrap();
    assert_eq!(files_of(&nas.join("state/trash"), id).len(), 2);
    assert!(fixture.stored().iter().any(|it| it.in_trash && it.intact));
    fixture.restore_into(&chain[..1], "from-the-trash").unwrap();
    fixture.store.delete(&job(), id).unwrap();
    assert_eq!(files_of(&nas.join("state/trash"), id), Vec::<String>::new());
    fixture.store.delete(&job(), id).unwrap();
}

#[test]
fn what_a_crash_left_in_a_tier_is_removed_and_what_is_known_is_told() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let in_nas = nas.join("state");
    let left = fixture.request(BackupType::Full, &[]).id;
    for name in [
        format!("{left}.archive.partial"),
        format!("{left}.jsonl.zst"),
    ] {
        fs::write(in_nas.join(name), "x").unwrap();
    }
    // Of a backup that fell over to the state directory.
    fs::write(in_nas.join(format!("{}.jsonl.zst", chain[1])), "x").unwrap();
    let home = files_of(&fixture.job_dir(), &chain[0]);
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert_eq!(
        files_of(&fixture.job_dir(), &chain[0]),
        home,
        "the index stays"
    );
    assert_eq!(files_of(&in_nas, &left), Vec::<String>::new());
    assert_eq!(files_of(&in_nas, &chain[1]), Vec::<String>::new());
    fixture.restore_into(&chain, "restored").unwrap();

    fs::remove_file(in_nas.join(format!("{}.json", chain[0]))).unwrap();
    let swept = fixture.sweep(&chain);
    assert!(!swept.is_empty());
    for error in swept {
        assert!(
            matches!(&error, BackupStoreError::Corrupted { id, .. } if *id == chain[0]),
            "{error:?}"
        );
    }
    let orphans = fixture.store.orphans(&job()).unwrap();
    assert_eq!(orphans.len(), 1);
}

#[test]
fn a_tier_that_failed_again_and_again_is_left_alone_where_another_takes_it() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let path = fixture.directory.path().join("nas");
    let place = TierPlace::Directory(path.clone());
    fixture.tiers.lock().push((tier("nas"), place));
    let take = |tiers: &[&str]| fixture.extend_in(tiers, BackupType::Full, &mut vec![]);
    for _ in 0..3 {
        let taken = take(&["nas", "local"]);
        let (_, why) = &taken.refused[0];
        assert!(why.contains("mount or make it"), "{why}");
        assert!(!why.contains("left alone"), "{why}");
    }
    let unwell = fixture.store.unwell_tiers();
    let [shown] = unwell.as_slice() else {
        panic!("{unwell:?}");
    };
    assert_eq!(shown.tier, tier("nas"));
    assert!(shown.why.contains("mount or make it"), "{shown:?}");
    assert_eq!(
        shown.rests_until,
        Some(shown.failed_at + Duration::from_secs(60))
    );
    let places = std::mem::take(&mut *fixture.tiers.lock());
    assert_eq!(fixture.store.unwell_tiers(), unwell, "nobody is asked");
    *fixture.tiers.lock() = places;
    fs::create_dir(&path).unwrap();
    let taken = take(&["nas", "local"]);
    assert_eq!(taken.manifest.tier, "local");
    let (refused, why) = &taken.refused[0];
    assert_eq!((refused, taken.refused.len()), (&tier("nas"), 1));
    assert!(why.contains("is left alone until"), "{why}");
    assert!(why.contains("mount or make it"), "{why}");
    let untouched = files::names_in(&path).unwrap();
    assert_eq!(untouched, Vec::<String>::new());

    let only = take(&["nas"]);
    assert_eq!((only.manifest.tier.as_str(), only.refused), ("nas", vec![]));
    assert_eq!(fixture.store.unwell_tiers(), vec![]);
    assert_eq!(take(&["nas", "local"]).manifest.tier, "nas");
}

#[test]
fn a_full_or_read_only_tier_keeps_nothing_of_what_the_next_takes() {
    if !may_mount("tiers::a_full_or_read_only_tier_keeps_nothing_of_what_the_next_takes") {
        return;
    }
    let fixture = Fixture::new();
    let disk = Mounted::memory(fixture.with_tier("nas"));
    let mut chain = vec![];
    fixture.put("a", "one");
    fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    let in_nas = || files::names_in(&disk.0.join("state")).unwrap();
    let before = in_nas();

    // More than the disk has, and nothing gets it smaller.
    let mut noise = vec![0; 6 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    fixture.put("large", noise);
    let mut next = vec![];
    let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut next);
    assert_eq!(taken.manifest.tier, "local");
    let (_, why) = &taken.refused[0];
    assert!(why.contains("make room"), "{why}");
    assert_eq!(in_nas(), before, "nothing half is left");
    fixture.restore_into(&next, "large").unwrap();

    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-o", how]).arg(&disk.0).status();
        assert!(mounted.unwrap().success());
    };
    remount("remount,ro");
    fixture.put("large", "small");
    let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut vec![]);
    assert_eq!(taken.manifest.tier, "local");
    let (_, why) = &taken.refused[0];
    assert!(why.contains("mount it writable"), "{why}");
    assert_eq!(in_nas(), before);
    fixture.restore_into(&chain, "small").unwrap();

    remount("remount,rw");
    let mut next = vec![];
    let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut next);
    assert_eq!(taken.manifest.tier, "nas", "{:?}", taken.refused);
    fixture.restore_into(&next, "again").unwrap();
}

//! Backups that are encrypted to others than they were.

use super::{
    immutable::chattr,
    sealed::{Sealed, is_locked},
    tiers::tier,
    *,
};
use mainstay_domain::archive::Encryption;

impl Sealed {
    /// Encrypts a chain to the second recipient alone.
    pub(super) fn rekey(&self, chain: &[BackupId], dry_run: bool) -> RekeyedBackups {
        let sealing = self.to_the_second();
        let store = &self.fixture.store;
        let rekeyed = store.rekey(&job(), chain, &sealing, dry_run, &no_progress());
        rekeyed.unwrap()
    }

    fn to_the_second(&self) -> SealingSpec {
        SealingSpec {
            encryption: Encryption::Age {
                recipients: vec![self.recipients[1].clone()],
            },
            recipients_file: None,
            identity: None,
            index: true,
        }
    }

    /// A full backup and two that are built on it, each in its own way.
    fn chain(&self) -> Vec<BackupId> {
        let mut chain = Vec::new();
        for (name, of_type) in [
            ("a", BackupType::Full),
            ("b", BackupType::Incremental),
            ("c", BackupType::Incremental),
        ] {
            self.fixture.put(name, name.repeat(100_000));
            self.extend(of_type, &mut chain);
        }
        chain
    }

    /// The second recipient alone opens it, and what it gives is what was read.
    #[track_caller]
    fn assert_rekeyed(&self, chain: &[BackupId]) {
        self.opens_with(&self.files[0]);
        is_locked(self.fixture.restore_into(chain, "locked"));
        self.opens_with(&self.files[1]);
        assert_eq!(self.verify(chain), Ok(vec![]));
        let restored = self.fixture.restore_into(chain, "restored").unwrap();
        let expected = self.fixture.tree(&self.fixture.data());
        assert_same_tree(&self.fixture, &restored, &expected);
        let names = files::names_in(&self.fixture.job_dir()).unwrap();
        let left = |name: &String| name.contains("rekey") || name.ends_with(".partial");
        assert!(!names.iter().any(left), "{names:?}");
    }
}

#[test]
fn a_chain_is_encrypted_to_others_and_built_on() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let mut chain = sealed.chain();
    let before = sealed.archive(&chain[0]);
    let bytes = fs::read(&before).unwrap();
    let would = sealed.rekey(&chain, true);
    assert_eq!((would.sealed.len(), would.left.len()), (3, 0));
    assert_eq!(fs::read(&before).unwrap(), bytes);
    // In any order.
    let mut ids = chain.clone();
    ids.reverse();
    let rekeyed = sealed.rekey(&ids, false);
    assert_eq!((rekeyed.sealed.len(), rekeyed.left.len()), (3, 0));
    for manifest in &rekeyed.sealed {
        let archive = fs::metadata(sealed.archive(&manifest.id)).unwrap();
        assert_eq!(archive.len(), manifest.stored_bytes);
    }
    sealed.assert_rekeyed(&chain);
    assert_eq!(sealed.rekey(&chain, false), RekeyedBackups::default());
    sealed.fixture.put("d", "four");
    sealed.extend(BackupType::Incremental, &mut chain);
    assert_eq!(sealed.verify(&chain), Ok(vec![]));
}

#[test]
fn what_is_not_opened_here_stays_and_what_is_plain_is_encrypted() {
    let sealed = Sealed::new();
    let chain = sealed.chain();
    let left = sealed.rekey(&chain, false);
    assert_eq!((left.sealed.len(), left.left.len()), (0, 3));
    sealed.opens_with(&sealed.files[1]);
    assert_eq!(sealed.verify(&chain), Ok(vec![]));

    sealed.fixture.put("a", "one");
    let plain = sealed.fixture.take(BackupType::Full, &[]).manifest;
    let chain = [plain.id];
    assert_eq!(sealed.rekey(&chain, false).sealed.len(), 1);
    assert!(sealed.archive(&chain[0]).exists());
    let of_before = format!("{}.jsonl.zst", chain[0]);
    assert!(!sealed.fixture.job_dir().join(of_before).exists());
    sealed.assert_rekeyed(&chain);
}

#[test]
fn a_damaged_archive_keeps_nobody_from_the_others_and_is_no_better_for_it() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let chain = sealed.chain();
    let path = sealed.archive(&chain[1]);
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&path, bad).unwrap();
    let rekeyed = sealed.rekey(&chain, false);
    assert_eq!((rekeyed.sealed.len(), rekeyed.left.len()), (2, 1));
    sealed.opens_with(&sealed.files[1]);
    assert_eq!(sealed.verify(&chain[..1]), Ok(vec![]));
    assert!(matches!(
        sealed.verify(&chain),
        Err(BackupStoreError::Corrupted { id, .. }) if id == chain[1]
    ));
    // It heals: those after it are still built on it.
    fs::write(&path, good).unwrap();
    assert_eq!(sealed.verify(&chain), Ok(vec![]));
}

#[test]
fn a_manifest_in_a_foreign_place_is_not_signed_anew() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let (first, second) = (sealed.chain(), sealed.chain());
    let layout = &sealed.fixture.store.layout;
    let manifest = sealed.fixture.store.committed(&job(), &first[1]);
    let manifest = manifest.unwrap().unwrap();
    let other = sealed.fixture.store.committed(&job(), &second[0]);
    let moved = Manifest {
        parent: Some(mainstay_domain::archive::ParentLink {
            id: first[0].clone(),
            manifest_hash: other.unwrap().unwrap().hash().unwrap(),
        }),
        signature: None,
        ..manifest
    };
    let moved = layout.keys().host().sign(moved).unwrap();
    fs::write(
        layout.manifest(&job(), &first[1]),
        moved.to_bytes().unwrap(),
    )
    .unwrap();
    let rekeyed = sealed.rekey(&first[..2], false);
    assert_eq!((rekeyed.sealed.len(), rekeyed.left.len()), (1, 1));
    let found = sealed.fixture.store.committed(&job(), &first[1]);
    assert_eq!(found, Ok(Some(moved)));
}

/// What is noted is put in place before anything else of the job.
#[test]
fn a_chain_of_which_a_file_is_immutable_stays_as_it_is() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let chain = sealed.chain();
    let manifest = sealed.fixture.store.layout.manifest(&job(), &chain[2]);
    for fixed in [sealed.archive(&chain[1]), manifest] {
        if !chattr("+i", &fixed) {
            println!("SKIPPED, nothing was tested: nothing can be made immutable here");
            return;
        }
        let store = &sealed.fixture.store;
        let sealing = sealed.to_the_second();
        let rekeyed = store.rekey(&job(), &chain, &sealing, false, &no_progress());
        // Before anything is asserted, for what is immutable would stay for good.
        chattr("-i", &fixed);
        let rekeyed = rekeyed.unwrap();
        assert_eq!((rekeyed.sealed.len(), rekeyed.left.len()), (0, 3));
        assert!(rekeyed.left[0].contains("immutable"), "{rekeyed:?}");
        assert_eq!(sealed.verify(&chain), Ok(vec![]));
    }
    assert_eq!(sealed.rekey(&chain, false).sealed.len(), 3);
    sealed.assert_rekeyed(&chain);
}

#[test]
fn a_tier_that_is_away_keeps_a_rekey_from_being_begun_and_nothing_else() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let nas = sealed.fixture.with_tier("nas");
    sealed.fixture.put("a", "one");
    let request = TakeBackup {
        tiers: vec![tier("nas")],
        ..sealed.request(BackupType::Full, &[])
    };
    sealed.fixture.store.take(&request, &no_progress()).unwrap();
    let mut chain = sealed.chain();
    let away = sealed.fixture.directory.path().join("away");
    fs::rename(&nas, &away).unwrap();
    let (store, sealing) = (&sealed.fixture.store, sealed.to_the_second());
    let rekeyed = store.rekey(&job(), &chain, &sealing, false, &no_progress());
    assert!(
        matches!(rekeyed, Err(BackupStoreError::Unavailable(_))),
        "{rekeyed:?}"
    );
    assert_eq!(sealed.verify(&chain), Ok(vec![]));
    sealed.extend(BackupType::Incremental, &mut chain);
    fs::rename(&away, &nas).unwrap();
    assert_eq!(sealed.rekey(&chain, false).sealed.len(), 4);
    sealed.assert_rekeyed(&chain);
}

#[test]
fn what_another_rekey_left_elsewhere_takes_no_place() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let chain = sealed.chain();
    let trash = sealed.fixture.store.layout.trash_of(&job());
    fs::create_dir_all(&trash).unwrap();
    let left = format!("{}.rekeyed.json.partial", chain[0]);
    fs::write(trash.join(left), "{}").unwrap();
    assert_eq!(sealed.rekey(&chain, false).sealed.len(), 3);
    assert_eq!(files::names_in(&trash).unwrap(), [""; 0]);
    sealed.assert_rekeyed(&chain);
}

/// A crash at every change that a rekey makes: before the note all is as it was, after it all is as it is to be.
#[test]
fn wherever_it_is_cut_off_the_next_start_finds_the_one_or_the_other() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let chain = sealed.chain();
    let place = sealed.fixture.job_dir();
    let kept = sealed.fixture.directory.path().join("kept");
    let copy = |from: &Path, to: &Path| {
        drop(fs::remove_dir_all(to));
        let status = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(status.unwrap().success());
    };
    copy(&place, &kept);
    let stored: Vec<(BackupId, u64)> = chain
        .iter()
        .map(|id| {
            let bytes = fs::metadata(sealed.archive(id)).unwrap().len();
            (id.clone(), bytes)
        })
        .collect();
    sealed.rekey(&chain, false);
    let after = sealed.fixture.directory.path().join("after");
    copy(&place, &after);
    // What is staged, and so many of it in place; without the note nothing is.
    let staged: Vec<String> = files::names_in(&after)
        .unwrap()
        .into_iter()
        .filter(|name| name.ends_with(".json") || name.ends_with(".age"))
        .filter(|name| name != "store.json")
        .collect();
    assert_eq!(staged.len(), 6, "{staged:?}");
    for in_place in 0..=staged.len() {
        for is_noted in [false, true] {
            if !is_noted && in_place > 0 {
                continue;
            }
            copy(&kept, &place);
            for (number, name) in staged.iter().enumerate() {
                let (id, suffix) = name.split_once('.').unwrap();
                let to = match number < in_place {
                    true => name.clone(),
                    false => format!("{id}.rekeyed.{suffix}.partial"),
                };
                fs::copy(after.join(name), place.join(to)).unwrap();
            }
            if is_noted {
                let ids: Vec<&str> = chain.iter().map(BackupId::as_str).collect();
                fs::write(place.join("rekeying"), ids.join("\n")).unwrap();
            }
            assert_eq!(sealed.fixture.sweep(&chain), []);
            // The catalog knows no other length yet.
            assert_eq!(sealed.fixture.store.lost(&job(), &stored), []);
            drop(fs::remove_dir_all(
                sealed.fixture.directory.path().join("restored"),
            ));
            match is_noted {
                true => sealed.assert_rekeyed(&chain),
                false => {
                    sealed.opens_with(&sealed.files[0]);
                    assert_eq!(sealed.verify(&chain), Ok(vec![]));
                }
            }
        }
    }
}

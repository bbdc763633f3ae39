//! Backups in a bucket.

use super::{
    sealed::Sealed,
    tiers::{files_of, over_tier_and_home, tier, unavailable},
    *,
};
use crate::{
    bucket::{Bucket, BucketAccess},
    local::{
        committed::is_there_after_all,
        objects::Objects,
        pace::{AtOnce, Pace},
        place::Place,
    },
    port::TierPace,
};
use mainstay_domain::{
    backup::Hold,
    spec::{BucketSpec, S3TierSpec},
};
use object_store::memory::InMemory;

pub(super) fn in_memory() -> Bucket {
    Bucket::of_store("shop", "of/host", InMemory::new())
}

/// What cannot be reached.
#[derive(Debug)]
struct Unreachable;

impl BucketAccess for Unreachable {
    fn reveal(&self, _: &str) -> Result<String, String> {
        Err("no secret is there".to_owned())
    }

    fn client(&self) -> Result<reqwest::Client, String> {
        Err("nobody is there".to_owned())
    }
}

fn unreachable_bucket() -> Bucket {
    let spec = S3TierSpec {
        bucket: "shop".to_owned(),
        prefix: String::new(),
        endpoint: None,
        region: "eu-1".to_owned(),
        access_key: "id".to_owned(),
        secret_key: "${secret:key}".to_owned(),
        ca: None,
    };
    let access: Arc<dyn BucketAccess> = Arc::new(Unreachable);
    Bucket::of(&BucketSpec::S3(spec), &access)
}

impl Fixture {
    /// From now on the tier `offsite` is this bucket.
    fn has_offsite(&self, bucket: &Bucket) {
        let place = TierPlace::Bucket(bucket.clone());
        *self.tiers.lock() = vec![(tier("offsite"), place)];
    }
}

/// The keys of a backup, below those of its job.
fn keys_of(bucket: &Bucket, id: &BackupId) -> Vec<String> {
    let mut keys = Vec::new();
    for below in ["state", "state/trash"] {
        for (name, _) in bucket.list(below).unwrap().objects {
            if name.starts_with(&id.to_string()) {
                keys.push(format!("{below}/{name}"));
            }
        }
    }
    keys
}

/// A full backup in a bucket, of more than one part, and an incremental one at home.
fn over_bucket_and_home(fixture: &Fixture) -> (Bucket, Vec<BackupId>) {
    let bucket = in_memory();
    fixture.has_offsite(&bucket);
    let mut noise = vec![0; 20 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let chain = over_tier_and_home(fixture, "offsite", noise);
    (bucket, chain)
}

/// Brings home what a bucket has of a backup too, as where it fell over to the next tier when an answer was lost.
fn bring_home_too(fixture: &Fixture, bucket: &Bucket, id: &BackupId) {
    for key in keys_of(bucket, id) {
        let bytes = bucket.read(&key, u64::MAX).unwrap().unwrap();
        let name = key.rsplit('/').next().unwrap();
        fs::write(fixture.job_dir().join(name), bytes).unwrap();
    }
}

#[test]
fn a_chain_over_a_bucket_and_the_state_directory_is_restored_verified_and_drilled() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let id = &chain[0];
    assert_eq!(
        keys_of(&bucket, id),
        [format!("state/{id}.json"), format!("state/{id}.jsonl.zst")]
    );
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    let verified = fixture.store.verify(&job(), &chain, &no_progress());
    assert_eq!(verified, Ok(vec![]));
    fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    let committed = fixture.store.committed(&job(), id).unwrap().unwrap();
    let stored = [(id.clone(), committed.stored_bytes)];
    assert_eq!(fixture.store.lost(&job(), &stored), vec![]);
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert_eq!(keys_of(&bucket, id).len(), 2);
}

#[test]
fn a_changed_byte_and_a_missing_object_are_found() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let key = format!("state/{}.jsonl.zst", chain[0]);
    let right = bucket.read(&key, u64::MAX).unwrap().unwrap();
    let mut wrong = right.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    let corrupted = |result: Result<_, BackupStoreError>| {
        let is_told =
            matches!(&result, Err(BackupStoreError::Corrupted { id, .. }) if *id == chain[0]);
        assert!(is_told, "{result:?}");
    };
    let verify = || fixture.store.verify(&job(), &chain, &no_progress());
    bucket.replace(&key, wrong).unwrap();
    corrupted(verify());
    bucket.delete(std::slice::from_ref(&key)).unwrap();
    corrupted(verify());
    bucket.replace(&key, right).unwrap();
    assert_eq!(verify(), Ok(vec![]));
}

#[test]
fn where_a_bucket_cannot_be_asked_or_is_another_one_the_next_tier_takes_it_and_no_backup_is_wrong()
{
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    for (other, says) in [
        (unreachable_bucket(), "nobody is there"),
        (in_memory(), "is not there"),
    ] {
        fixture.has_offsite(&other);
        let mut next = vec![];
        let taken = fixture.extend_in(&["offsite", "local"], BackupType::Full, &mut next);
        assert_eq!(taken.manifest.tier, "local");
        let (refused, why) = &taken.refused[0];
        assert_eq!(refused, &tier("offsite"));
        assert!(why.contains(says), "{why}");
        fixture.restore_into(&next, says).unwrap();

        unavailable(fixture.store.verify(&job(), &chain, &no_progress()));
        unavailable(fixture.restore_into(&chain, "none"));
        unavailable(fixture.store.trash(&job(), &chain[0]));
        unavailable(fixture.store.delete(&job(), &chain[0]));
        let lost = fixture.store.lost(&job(), &[(chain[0].clone(), 1)]);
        let troubles = [lost, fixture.sweep(&chain)].concat();
        assert!(!troubles.is_empty());
        for trouble in troubles {
            unavailable(Err::<(), _>(trouble));
        }
    }
    fixture.has_offsite(&bucket);
    fixture.restore_into(&chain, "again").unwrap();
}

#[test]
fn what_expired_is_told_by_its_manifest_and_leaves_the_bucket() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let id = &chain[0];
    let (manifest, archive) = (format!("state/{id}.json"), format!("state/{id}.jsonl.zst"));
    let before = bucket.read(&manifest, u64::MAX).unwrap().unwrap();
    let in_place = keys_of(&bucket, id);
    let trashed = [archive, format!("state/trash/{id}.json")];
    fixture.store.trash(&job(), id).unwrap();
    assert_eq!(keys_of(&bucket, id), trashed);
    fixture.store.trash(&job(), id).unwrap();
    assert_eq!(keys_of(&bucket, id), trashed);
    assert!(fixture.stored().iter().any(|it| it.in_trash && it.intact));
    fixture.restore_into(&chain[..1], "from-the-trash").unwrap();

    // As a crash leaves it between both.
    bucket.replace(&manifest, before).unwrap();
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert_eq!(keys_of(&bucket, id), trashed);
    let hold = Hold {
        by: "root".to_owned(),
        reason: None,
        until: None,
    };
    for _ in 0..2 {
        fixture.store.untrash(&job(), id).unwrap();
        assert_eq!(keys_of(&bucket, id), in_place);
    }
    assert!(fixture.stored().iter().all(|it| !it.in_trash && it.intact));
    fixture.restore_into(&chain, "taken-back").unwrap();
    fixture.store.note_hold(&job(), id, Some(&hold)).unwrap();
    let is_held = |it: &StoredBackup| it.hold.as_ref() == Some(&hold);
    assert!(fixture.stored().iter().any(is_held));
    fixture.store.note_hold(&job(), id, None).unwrap();
    assert_eq!(keys_of(&bucket, id), in_place);
    fixture.store.trash(&job(), id).unwrap();
    // Far too long for a manifest, it stays there, and nobody is told otherwise.
    let in_trash = format!("state/trash/{id}.json");
    bucket.replace(&in_trash, vec![b' '; 17 << 20]).unwrap();
    let stays = fixture.store.untrash(&job(), id).unwrap_err();
    assert!(matches!(stays, BackupStoreError::Corrupted { .. }));
    fixture.store.delete(&job(), id).unwrap();
    assert_eq!(keys_of(&bucket, id), Vec::<String>::new());
    let gone = fixture.store.untrash(&job(), id).unwrap_err();
    assert!(matches!(gone, BackupStoreError::Corrupted { .. }), "{gone}");
    fixture.store.delete(&job(), id).unwrap();
}

#[test]
fn what_a_crash_left_in_a_bucket_is_removed_and_what_is_known_is_told() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let left = fixture.request(BackupType::Full, &[]).id;
    for id in [&left, &chain[1]] {
        let key = format!("state/{id}.jsonl.zst.age");
        bucket.replace(&key, vec![1]).unwrap();
    }
    assert_eq!(fixture.sweep(&chain), vec![]);
    for id in [&left, &chain[1]] {
        assert_eq!(keys_of(&bucket, id), Vec::<String>::new());
    }
    fixture.restore_into(&chain, "restored").unwrap();

    let manifest = format!("state/{}.json", chain[0]);
    bucket.delete(std::slice::from_ref(&manifest)).unwrap();
    let swept = fixture.sweep(&chain);
    assert!(!swept.is_empty());
    for error in swept {
        let is_told = matches!(&error, BackupStoreError::Corrupted { id, .. } if *id == chain[0]);
        assert!(is_told, "{error:?}");
    }
    let orphans = fixture.store.orphans(&job()).unwrap();
    assert_eq!(orphans.len(), 1);
}

#[test]
fn what_a_bucket_holds_is_taken_up_where_the_state_directory_was_lost() {
    let fixture = Fixture::new();
    let bucket = in_memory();
    fixture.has_offsite(&bucket);
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["offsite"], BackupType::Full, &mut chain);
    fs::remove_dir_all(fixture.directory.path().join("state")).unwrap();
    assert_eq!(fixture.store.jobs(), Ok(vec![job()]));
    let found = fixture.stored();
    assert_eq!(found.len(), 1);
    assert!(found[0].intact && !found[0].in_trash);
    assert_eq!(found[0].manifest.tier, "offsite");
    fixture.restore_into(&chain, "restored").unwrap();
    fixture.extend_in(&["offsite"], BackupType::Incremental, &mut chain);
    fixture.restore_into(&chain, "again").unwrap();
}

#[test]
fn what_was_deleted_while_its_bucket_was_away_does_not_come_back_with_it() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let id = &chain[0];
    bring_home_too(&fixture, &bucket, id);
    fixture.has_offsite(&unreachable_bucket());
    for _ in 0..2 {
        fixture.store.delete(&job(), id).unwrap();
        let left = files_of(&fixture.job_dir(), id);
        assert_eq!(left, [format!("{id}.deleted")]);
    }
    assert_eq!(keys_of(&bucket, id).len(), 2);
    fixture.has_offsite(&bucket);
    assert!(fixture.stored().iter().all(|it| it.manifest.id != *id));
    assert_eq!(keys_of(&bucket, id), Vec::<String>::new());
    assert_eq!(files_of(&fixture.job_dir(), id), Vec::<String>::new());
}

#[test]
fn a_deletion_that_is_tried_again_is_remembered_for_the_tiers_that_went_away_since() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let id = &chain[0];
    bring_home_too(&fixture, &bucket, id);
    // As it was noted while another tier was away, before the bucket failed.
    let note = fixture.job_dir().join(format!("{id}.deleted"));
    fs::write(&note, "nas").unwrap();
    fixture.has_offsite(&unreachable_bucket());
    fixture.store.delete(&job(), id).unwrap();
    assert_eq!(fs::read_to_string(&note).unwrap(), "nas\noffsite");
    fixture.has_offsite(&bucket);
    assert!(fixture.stored().iter().all(|it| it.manifest.id != *id));
    assert_eq!(keys_of(&bucket, id), Vec::<String>::new());
}

#[test]
fn whether_a_bucket_has_a_manifest_is_told_only_where_it_can_be_asked() {
    let id = Fixture::new().request(BackupType::Full, &[]).id;
    let is_there = |bucket: &Bucket, bytes: &[u8]| {
        let place = Objects {
            bucket: bucket.clone(),
            pace: Pace::new(Arc::new(AtOnce), tier("offsite")),
        };
        let spot = place.manifest_at(&job(), &id);
        is_there_after_all(&place, &job(), (&spot, bytes))
    };
    assert_eq!(is_there(&unreachable_bucket(), b"one"), None);
    let bucket = in_memory();
    assert_eq!(is_there(&bucket, b"one"), None, "it is another one");
    bucket.replace("state/store.json", b"{}".to_vec()).unwrap();
    assert_eq!(is_there(&bucket, b"one"), Some(false));
    let key = format!("state/{id}.json");
    bucket.replace(&key, b"one".to_vec()).unwrap();
    assert_eq!(is_there(&bucket, b"one"), Some(true));
    assert_eq!(is_there(&bucket, b"two"), None);
}

#[test]
fn what_is_built_on_a_backup_in_a_bucket_is_not_encrypted_anew_and_that_is_told() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let bucket = in_memory();
    sealed.fixture.has_offsite(&bucket);
    sealed.fixture.put("a", "one");
    let request = TakeBackup {
        tiers: vec![tier("offsite")],
        ..sealed.request(BackupType::Full, &[])
    };
    let full = sealed.fixture.store.take(&request, &no_progress()).unwrap();
    assert_eq!(full.manifest.tier, "offsite");
    let mut chain = vec![full.manifest.id];
    sealed.fixture.put("b", "two");
    sealed.extend(BackupType::Incremental, &mut chain);
    let before = files::names_in(&sealed.fixture.job_dir()).unwrap();
    for dry_run in [true, false] {
        let rekeyed = sealed.rekey(&chain, dry_run);
        assert_eq!((rekeyed.sealed.len(), rekeyed.left.len()), (0, 2));
        for why in &rekeyed.left {
            assert!(why.contains("is in a bucket"), "{why}");
        }
    }
    assert_eq!(files::names_in(&sealed.fixture.job_dir()).unwrap(), before);
    assert_eq!(keys_of(&bucket, &chain[0]).len(), 2);
    assert_eq!(sealed.verify(&chain), Ok(vec![]));
}

/// The archives and manifests of a backup in the state directory, and in a bucket; its index is no part of it.
fn pieces_of(fixture: &Fixture, bucket: &Bucket, id: &BackupId) -> [Vec<String>; 2] {
    let mut at_home = files_of(&fixture.job_dir(), id);
    at_home.retain(|name| !name.ends_with(".index.zst"));
    [at_home, keys_of(bucket, id)]
}

#[test]
fn a_link_of_a_chain_goes_into_a_bucket_and_out_of_it_and_the_chain_serves_all_the_same() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let expected = fixture.tree(&fixture.data());
    for (number, (link, to)) in [(1, "offsite"), (0, "local"), (1, "local"), (0, "offsite")]
        .into_iter()
        .enumerate()
    {
        let id = &chain[link];
        fixture.store.move_to(&job(), id, &tier(to)).unwrap();
        let found = pieces_of(&fixture, &bucket, id);
        let counts = if to == "local" { [2, 0] } else { [0, 2] };
        assert_eq!(found.each_ref().map(Vec::len), counts, "{found:?}");
        assert_eq!(fixture.sweep(&chain), vec![], "{number}");
        let stored = fixture.stored();
        let stored = stored.iter().find(|it| it.manifest.id == *id).unwrap();
        assert!(stored.intact && stored.tier == tier(to), "{number}");
        let verified = fixture.store.verify(&job(), &chain, &no_progress());
        assert_eq!(verified, Ok(vec![]), "{number}");
        let into = format!("restored-{number}");
        let restored = fixture.restore_into(&chain, &into).unwrap();
        assert_same_tree(&fixture, &restored, &expected);
    }
}

#[test]
fn what_is_wrong_already_and_what_a_bucket_does_not_take_stays_where_it_is() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let key = format!("state/{}.jsonl.zst", chain[0]);
    let right = bucket.read(&key, u64::MAX).unwrap().unwrap();
    let mut wrong = right.clone();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    bucket.replace(&key, wrong).unwrap();
    let moved = fixture.store.move_to(&job(), &chain[0], &TierName::local());
    assert!(
        matches!(&moved, Err(BackupStoreError::Corrupted { id, .. }) if *id == chain[0]),
        "{moved:?}"
    );
    let [at_home, keys] = pieces_of(&fixture, &bucket, &chain[0]);
    assert_eq!((at_home.len(), keys.len()), (0, 2));
    bucket.replace(&key, right).unwrap();
    fixture.has_offsite(&unreachable_bucket());
    for (link, to) in [(1, "offsite"), (0, "local")] {
        unavailable(fixture.store.move_to(&job(), &chain[link], &tier(to)));
    }
    fixture.has_offsite(&bucket);
    for (id, expected) in chain.iter().zip([[0, 2], [2, 0]]) {
        let found = pieces_of(&fixture, &bucket, id);
        assert_eq!(found.each_ref().map(Vec::len), expected, "{found:?}");
    }
    fixture.restore_into(&chain, "restored").unwrap();
}

/// Puts what nobody expects there into a bucket, as soon as anything goes to it.
struct Meddling(Bucket, String);

impl TierPace for Meddling {
    fn pass(&self, tier: &TierName, _: u64, _: &CancellationToken) {
        if tier.as_str() == "offsite" {
            self.0.replace(&self.1, b"another".to_vec()).unwrap();
        }
    }
}

#[test]
fn where_nobody_can_tell_whether_a_bucket_has_it_a_backup_stays_in_both_until_it_is_moved_again() {
    let fixture = Fixture::new();
    let bucket = in_memory();
    fixture.has_offsite(&bucket);
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["local"], BackupType::Full, &mut chain);
    let id = &chain[0];
    let meddling = Meddling(bucket.clone(), format!("state/{id}.json"));
    let fixture = Fixture {
        store: fixture.store.with_pace(Arc::new(meddling)),
        ..fixture
    };
    let moved = fixture.store.move_to(&job(), id, &tier("offsite"));
    assert!(
        matches!(&moved, Err(BackupStoreError::InDoubt(_))),
        "{moved:?}"
    );
    let found = pieces_of(&fixture, &bucket, id);
    assert_eq!(found.each_ref().map(Vec::len), [2, 2], "{found:?}");
    fixture.restore_into(&chain, "in-doubt").unwrap();
    let fixture = Fixture {
        store: fixture.store.with_pace(Arc::new(AtOnce)),
        ..fixture
    };
    fixture.store.move_to(&job(), id, &tier("offsite")).unwrap();
    let found = pieces_of(&fixture, &bucket, id);
    assert_eq!(found.each_ref().map(Vec::len), [0, 2], "{found:?}");
    fixture.restore_into(&chain, "moved").unwrap();
}

#[test]
fn what_nobody_here_can_open_is_not_called_wrong_where_its_bucket_is_another_one() {
    let sealed = Sealed::new();
    let bucket = in_memory();
    sealed.fixture.has_offsite(&bucket);
    sealed.fixture.put("a", "one");
    let request = TakeBackup {
        tiers: vec![tier("offsite")],
        ..sealed.request(BackupType::Full, &[])
    };
    let full = sealed.fixture.store.take(&request, &no_progress()).unwrap();
    let chain = [full.manifest.id];
    sealed.verify(&chain).unwrap();
    let archive = format!("state/{}.jsonl.zst.age", chain[0]);
    bucket.delete(&[archive]).unwrap();
    let missing = sealed.verify(&chain);
    let is_told = matches!(&missing, Err(BackupStoreError::Corrupted { .. }));
    assert!(is_told, "{missing:?}");
    bucket.delete(&["state/store.json".to_owned()]).unwrap();
    unavailable(sealed.verify(&chain));
}

#[test]
fn what_a_bucket_lost_is_told_of_those_alone() {
    let fixture = Fixture::new();
    let (bucket, chain) = over_bucket_and_home(&fixture);
    let stored: Vec<(BackupId, u64)> = chain
        .iter()
        .map(|id| {
            let manifest = fixture.store.committed(&job(), id).unwrap().unwrap();
            (id.clone(), manifest.stored_bytes)
        })
        .collect();
    let lost = || fixture.store.lost(&job(), &stored);
    let is_told = || {
        let told = lost();
        let is_told =
            matches!(&told[..], [BackupStoreError::Corrupted { id, .. }] if *id == chain[0]);
        assert!(is_told, "{told:?}");
    };
    assert_eq!(lost(), vec![]);
    for key in [".json", ".jsonl.zst"].map(|of| format!("state/{}{of}", chain[0])) {
        let bytes = bucket.read(&key, u64::MAX).unwrap().unwrap();
        bucket.delete(std::slice::from_ref(&key)).unwrap();
        is_told();
        bucket.replace(&key, bytes).unwrap();
        assert_eq!(lost(), vec![]);
    }
    let archive = format!("state/{}.jsonl.zst", chain[0]);
    bucket.replace(&archive, vec![1]).unwrap();
    is_told();
}

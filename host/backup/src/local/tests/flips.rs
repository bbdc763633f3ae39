//! Damage of whatever is stored in another tier: it is found, and as long as it is there nothing wrong is restored or handed on.

use super::{buckets::in_memory, tiers::tier, *};
use crate::{bucket::Bucket, port::BackupContents};
use mainstay_domain::archive::State;

/// The ends of the names of a backup's files.
const ENDS: [&str; 2] = ["jsonl.zst", "json"];

/// What the newest backup holds: what differs from the full one, and what is in that alone.
const NEWEST: [(&str, &str); 3] = [("a", "another"), ("b", "as it was"), ("c/d", "new")];

/// Where the backups of the job are.
enum Kept {
    InDirectory(PathBuf),
    InBucket(Bucket),
}

impl Kept {
    fn read(&self, name: &str) -> Vec<u8> {
        match self {
            Self::InDirectory(directory) => fs::read(directory.join(name)).unwrap(),
            Self::InBucket(bucket) => {
                let read = bucket.read(&format!("state/{name}"), u64::MAX);
                read.unwrap().unwrap()
            }
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::InDirectory(directory) => fs::write(directory.join(name), bytes).unwrap(),
            Self::InBucket(bucket) => {
                let key = format!("state/{name}");
                bucket.replace(&key, bytes.to_vec()).unwrap();
            }
        }
    }

    fn remove(&self, name: &str) {
        match self {
            Self::InDirectory(directory) => fs::remove_file(directory.join(name)).unwrap(),
            Self::InBucket(bucket) => bucket.delete(&[format!("state/{name}")]).unwrap(),
        }
    }
}

/// A full and an incremental backup in one tier, and another that stands alone.
struct Stored {
    fixture: Fixture,
    kept: Kept,
    chain: Vec<BackupId>,
    apart: BackupId,
    expected: State,
}

impl Stored {
    /// In the tier `offsite`.
    fn new(fixture: Fixture, kept: Kept) -> Self {
        let extend = |backup_type, chain: &mut Vec<BackupId>| {
            let taken = fixture.extend_in(&["offsite"], backup_type, chain);
            assert_eq!(taken.manifest.tier, "offsite");
        };
        let (mut chain, mut apart) = (vec![], vec![]);
        fixture.put("a", "of another");
        extend(BackupType::Snapshot, &mut apart);
        fixture.put("a", "one");
        fixture.put("b", "as it was");
        extend(BackupType::Full, &mut chain);
        for (name, content) in NEWEST.iter().filter(|(name, _)| *name != "b") {
            fixture.put(name, content);
        }
        extend(BackupType::Incremental, &mut chain);
        let expected = fixture.tree(&fixture.data());
        let apart = apart.remove(0);
        Self {
            fixture,
            kept,
            chain,
            apart,
            expected,
        }
    }

    fn in_directory() -> Self {
        let fixture = Fixture::new();
        let kept = Kept::InDirectory(fixture.with_tier("offsite").join("state"));
        Self::new(fixture, kept)
    }

    fn in_bucket() -> Self {
        let (fixture, bucket) = (Fixture::new(), in_memory());
        let place = TierPlace::Bucket(bucket.clone());
        *fixture.tiers.lock() = vec![(tier("offsite"), place)];
        Self::new(fixture, Kept::InBucket(bucket))
    }

    fn verify(&self) -> Result<Vec<String>, BackupStoreError> {
        let store = &self.fixture.store;
        store.verify(&job(), &self.chain, &no_progress())
    }

    /// Reading back finds it.
    #[track_caller]
    fn is_found(&self, case: &str) {
        assert!(self.verify().is_err(), "{case}: it was not found");
    }

    /// What is handed on of a document is right, or there is nothing.
    #[track_caller]
    fn hands_on_right_or_nothing(&self, (name, content): (&str, &str), case: &str) {
        let mut handed_on = Vec::new();
        let mut take = |bytes: &[u8]| {
            handed_on.extend_from_slice(bytes);
            Ok(())
        };
        let (store, key) = (&self.fixture.store, key(name));
        let read = store.content(&job(), &self.chain, &key, &no_progress(), &mut take);
        let right = if read.is_ok() { content } else { "" };
        assert_eq!(handed_on, right.as_bytes(), "{case}: {name}");
    }

    /// What is restored is right, or there is nothing; whether it was.
    #[track_caller]
    fn restores_right_or_nothing(&self, case: &str) -> bool {
        match self.fixture.restore_into(&self.chain, "restored") {
            Ok(restored) => {
                assert_same_tree(&self.fixture, &restored, &self.expected);
                fs::remove_dir_all(restored).unwrap();
                true
            }
            Err(_) => {
                let into = self.fixture.directory.path().join("restored");
                assert!(!into.exists(), "{case}: something was restored");
                false
            }
        }
    }

    /// All of it.
    #[track_caller]
    fn is_found_and_not_restored(&self, case: &str) {
        self.is_found(case);
        for document in NEWEST {
            self.hands_on_right_or_nothing(document, case);
        }
        self.restores_right_or_nothing(case);
    }

    #[track_caller]
    fn is_right(&self) {
        assert_eq!(self.verify(), Ok(vec![]));
        assert!(self.restores_right_or_nothing("as it was"));
    }
}

/// In a directory, and in a bucket.
fn in_each(check: impl Fn(&Stored)) {
    for stored in [Stored::in_directory(), Stored::in_bucket()] {
        stored.is_right();
        check(&stored);
        stored.is_right();
    }
}

#[test]
fn a_flip_of_any_byte_in_any_tier_is_found_and_nothing_wrong_is_restored_meanwhile() {
    in_each(|stored| {
        for (id, end) in stored.chain.iter().flat_map(|id| ENDS.map(|end| (id, end))) {
            let name = format!("{id}.{end}");
            let good = stored.kept.read(&name);
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1 << (at % 8);
                stored.kept.write(&name, &bad);
                let case = format!("{name}: byte {at}");
                stored.is_found(&case);
                stored.hands_on_right_or_nothing(NEWEST[at % NEWEST.len()], &case);
                // Each restore makes what it does durable, which takes its time.
                if at % 16 == 0 {
                    stored.restores_right_or_nothing(&case);
                }
            }
            stored.kept.write(&name, &good);
        }
    });
}

#[test]
fn what_is_cut_longer_or_gone_in_any_tier_is_found_and_nothing_wrong_is_restored_meanwhile() {
    in_each(|stored| {
        for (id, end) in stored.chain.iter().flat_map(|id| ENDS.map(|end| (id, end))) {
            let name = format!("{id}.{end}");
            let good = stored.kept.read(&name);
            for cut in [0, 1, good.len() / 2, good.len() - 1] {
                stored.kept.write(&name, &good[..cut]);
                stored.is_found_and_not_restored(&format!("{name}: cut at {cut}"));
            }
            stored.kept.write(&name, &[&good[..], b"x"].concat());
            stored.is_found_and_not_restored(&format!("{name}: something behind it"));
            stored.kept.remove(&name);
            stored.is_found_and_not_restored(&format!("{name}: gone"));
            stored.kept.write(&name, &good);
        }
    });
}

#[test]
fn what_is_in_the_place_of_another_in_any_tier_is_found_and_nothing_wrong_is_restored_meanwhile() {
    in_each(|stored| {
        let (full, next, apart) = (&stored.chain[0], &stored.chain[1], &stored.apart);
        let of_both: [&[&str]; 3] = [&ENDS[..1], &ENDS[1..], &ENDS];
        for (one, other) in [(full, next), (full, apart), (next, apart)] {
            for ends in of_both {
                let exchange = || {
                    for end in ends {
                        let names = [one, other].map(|id| format!("{id}.{end}"));
                        let held = names.each_ref().map(|name| stored.kept.read(name));
                        stored.kept.write(&names[0], &held[1]);
                        stored.kept.write(&names[1], &held[0]);
                    }
                };
                exchange();
                stored.is_found_and_not_restored(&format!("{one} and {other}: {ends:?}"));
                exchange();
            }
        }
    });
}

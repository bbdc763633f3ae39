//! What goes to a tier and comes from it is counted, so that it can be held back.

use super::*;
use crate::{
    age_keys::{read_identities, write_new_identity},
    bucket::Bucket,
    port::TierPace,
};
use mainstay_domain::archive::Encryption;
use object_store::memory::InMemory;
use std::collections::BTreeMap;

#[derive(Default)]
struct Counting(Mutex<BTreeMap<String, u64>>);

impl TierPace for Counting {
    fn pass(&self, tier: &TierName, bytes: u64, _: &CancellationToken) {
        *self.0.lock().entry(tier.to_string()).or_default() += bytes;
    }
}

impl Counting {
    /// Since the last look, of each tier.
    fn passed(&self) -> Vec<(String, u64)> {
        let passed = std::mem::take(&mut *self.0.lock());
        passed.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
    }
}

#[test]
fn every_byte_of_an_archive_that_goes_to_a_tier_or_comes_from_it_passes() {
    let counting = Arc::new(Counting::default());
    let fixture = Fixture::new();
    let fixture = Fixture {
        store: fixture.store.with_pace(counting.clone()),
        ..fixture
    };
    fixture.with_tier("nas");
    fixture.with_tier("cold");
    let mut noise = vec![0; 100_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    fixture.put("noise", noise);
    let mut chain = vec![];
    let taken = fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    let bytes = taken.manifest.stored_bytes;
    let of = |passed: &[(&str, u64)]| -> Vec<(String, u64)> {
        let passed = passed.iter();
        passed
            .map(|(tier, times)| ((*tier).to_owned(), times * bytes))
            .collect()
    };
    // It goes there, and is read back.
    assert_eq!(counting.passed(), of(&[("nas", 2)]));
    fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(counting.passed(), of(&[("nas", 1)]));
    fixture
        .store
        .move_to(&job(), &chain[0], &tier("cold"))
        .unwrap();
    assert_eq!(counting.passed(), of(&[("cold", 2), ("nas", 1)]));
    fixture
        .store
        .move_to(&job(), &chain[0], &TierName::local())
        .unwrap();
    assert_eq!(counting.passed(), of(&[("cold", 1), ("local", 2)]));
    let key = fixture.directory.path().join("key.txt");
    write_new_identity(&key).unwrap();
    let sealing = SealingSpec {
        encryption: Encryption::Age {
            recipients: vec![read_identities(&key).unwrap()[0].to_public().to_string()],
        },
        ..SealingSpec::default()
    };
    let rekeyed = fixture
        .store
        .rekey(&job(), &chain, &sealing, false, &no_progress())
        .unwrap();
    // It is read, written anew, and read back.
    let anew = rekeyed.sealed[0].stored_bytes;
    assert_eq!(counting.passed(), [("local".to_owned(), 2 * bytes + anew)]);
}

#[test]
fn every_byte_of_an_archive_that_goes_to_a_bucket_or_comes_from_it_passes() {
    let counting = Arc::new(Counting::default());
    let fixture = Fixture::new();
    let fixture = Fixture {
        store: fixture.store.with_pace(counting.clone()),
        ..fixture
    };
    let bucket = Bucket::of_store("shop", "of/host", InMemory::new());
    let place = TierPlace::Bucket(bucket);
    fixture.tiers.lock().push((tier("offsite"), place));
    fixture.put("a", "one");
    let mut chain = vec![];
    let taken = fixture.extend_in(&["offsite"], BackupType::Full, &mut chain);
    let bytes = taken.manifest.stored_bytes;
    let of = |tier: &str, times: u64| (tier.to_owned(), times * bytes);
    assert_eq!(counting.passed(), [of("offsite", 2)]);
    fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(counting.passed(), [of("offsite", 1)]);
    let move_to = |to: &TierName| fixture.store.move_to(&job(), &chain[0], to).unwrap();
    move_to(&TierName::local());
    assert_eq!(counting.passed(), [of("local", 2), of("offsite", 1)]);
    move_to(&tier("offsite"));
    assert_eq!(counting.passed(), [of("local", 1), of("offsite", 2)]);
}

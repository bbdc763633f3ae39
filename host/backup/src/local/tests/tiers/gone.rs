//! A tier whose directory goes away while an archive is copied into it.

use super::*;
use crate::port::TierPace;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Takes the directory of the tier `nas` away at one of the times that bytes go there.
struct TakenAway {
    from: PathBuf,
    to: PathBuf,
    /// At which, counted down.
    at: AtomicU32,
    /// As where a disk is not mounted any more.
    leaves_mount_point: bool,
}

impl TierPace for TakenAway {
    fn pass(&self, of: &TierName, _: u64, _: &CancellationToken) {
        if *of == tier("nas") && self.at.fetch_sub(1, Relaxed) == 1 {
            fs::rename(&self.from, &self.to).unwrap();
            if self.leaves_mount_point {
                fs::create_dir(&self.from).unwrap();
            }
        }
    }
}

#[test]
fn a_tier_that_goes_away_in_the_middle_of_a_copy_has_nothing_half_and_takes_the_next() {
    for (at, leaves_mount_point) in [(1, false), (2, true), (3, false)] {
        let fixture = Fixture::new();
        let nas = fixture.with_tier("nas");
        let away = fixture.directory.path().join("away");
        fixture.put("a", "one");
        let mut first = vec![];
        fixture.extend_in(&["nas"], BackupType::Full, &mut first);
        let taken_away = TakenAway {
            from: nas.clone(),
            to: away.clone(),
            at: AtomicU32::new(at),
            leaves_mount_point,
        };
        let fixture = Fixture {
            store: fixture.store.with_pace(Arc::new(taken_away)),
            ..fixture
        };
        // It is copied in three pieces, and nothing gets it smaller.
        let mut noise = vec![0; 600_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        fixture.put("large", noise);
        let mut chain = vec![];
        let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut chain);
        assert!(away.exists(), "{at}");
        assert_eq!(taken.manifest.tier, "local", "{at}");
        let (refused, why) = &taken.refused[0];
        assert_eq!((refused, taken.refused.len()), (&tier("nas"), 1));
        assert!(why.contains("nas"), "{why}");
        let begun = files::names_in(&nas).unwrap();
        assert_eq!(begun, Vec::<String>::new(), "no store begins there");
        fixture.restore_into(&chain, "meanwhile").unwrap();

        if leaves_mount_point {
            fs::remove_dir(&nas).unwrap();
        }
        fs::rename(&away, &nas).unwrap();
        assert_eq!(fixture.sweep(&[&first[..], &chain[..]].concat()), vec![]);
        let left = files_of(&nas.join("state"), &chain[0]);
        assert_eq!(left, Vec::<String>::new(), "{at}");
        for chain in [&first, &chain] {
            let verified = fixture.store.verify(&job(), chain, &no_progress());
            assert_eq!(verified, Ok(vec![]), "{at}");
        }
        let mut next = vec![];
        let taken = fixture.extend_in(&["nas", "local"], BackupType::Full, &mut next);
        assert_eq!(taken.manifest.tier, "nas", "{at}");
        fixture.restore_into(&next, "next").unwrap();
    }
}

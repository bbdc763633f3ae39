//! Backups that are moved from one tier to another.

use super::*;
use crate::age_keys::{read_identities, write_new_identity};
use mainstay_domain::archive::Encryption;

fn move_to(fixture: &Fixture, id: &BackupId, name: &str) -> Result<(), BackupStoreError> {
    fixture.store.move_to(&job(), id, &tier(name))
}

/// Where a catalog that knows nothing finds each.
fn found_in(fixture: &Fixture) -> Vec<(BackupId, String)> {
    let stored = fixture.stored().into_iter();
    let mut found: Vec<(BackupId, String)> = stored
        .map(|it| {
            assert!(it.intact && !it.in_trash, "{:?}", it.manifest.id);
            (it.manifest.id, it.tier.to_string())
        })
        .collect();
    found.sort();
    found
}

/// The archive and the manifest of a backup in a directory; its index is no part of it.
fn pieces_of(directory: &Path, id: &BackupId) -> Vec<String> {
    let mut names = files_of(directory, id);
    names.retain(|name| !name.ends_with(".index.zst"));
    names
}

#[test]
fn a_link_of_a_chain_goes_from_tier_to_tier_and_the_chain_serves_all_the_same() {
    let fixture = Fixture::new();
    let (nas, mut chain) = over_two_tiers(&fixture);
    let cold = fixture.with_tier("cold");
    let expected = fixture.tree(&fixture.data());
    let (full, next) = (chain[0].clone(), chain[1].clone());
    for (number, (id, to)) in [
        (&full, "cold"),
        (&next, "cold"),
        (&full, "local"),
        (&full, "cold"),
        (&next, "nas"),
    ]
    .into_iter()
    .enumerate()
    {
        move_to(&fixture, id, to).unwrap();
        let places = [
            ("local", fixture.job_dir()),
            ("nas", nas.join("state")),
            ("cold", cold.join("state")),
        ];
        for (name, directory) in &places {
            let pieces = if *name == to { 2 } else { 0 };
            let found = pieces_of(directory, id);
            assert_eq!(found.len(), pieces, "{number} {name}: {found:?}");
        }
        assert_eq!(fixture.sweep(&chain), vec![], "{number}");
        assert!(found_in(&fixture).contains(&(id.clone(), to.to_owned())));
        let verified = fixture.store.verify(&job(), &chain, &no_progress());
        assert_eq!(verified, Ok(vec![]), "{number}");
        let into = format!("restored-{number}");
        let restored = fixture.restore_into(&chain, &into).unwrap();
        assert_same_tree(&fixture, &restored, &expected);
    }
    // The manifest is the one that was signed, so the next difference has its parent.
    fixture.put("c", "three");
    fixture.extend_in(&["local"], BackupType::Incremental, &mut chain);
    let restored = fixture.restore_into(&chain, "last").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    // Again changes nothing.
    let before = files_of(&cold.join("state"), &full);
    move_to(&fixture, &full, "cold").unwrap();
    assert_eq!(files_of(&cold.join("state"), &full), before);
    for id in chain.iter().rev() {
        fixture.store.trash(&job(), id).unwrap();
        fixture.store.delete(&job(), id).unwrap();
    }
    assert_eq!(fixture.stored(), vec![]);
}

#[test]
fn what_a_tier_does_not_take_stays_where_it_is_whole() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let path = fixture.directory.path().join("cold");
    let place = TierPlace::Directory(path.clone());
    fixture.tiers.lock().push((tier("cold"), place));
    let why = unavailable(move_to(&fixture, &chain[0], "cold"));
    assert!(why.contains("mount or make it"), "{why}");
    assert_eq!(fixture.store.unwell_tiers()[0].tier, tier("cold"));
    let why = unavailable(move_to(&fixture, &chain[0], "none"));
    assert!(why.contains("[tier.none]"), "{why}");
    fs::create_dir(&path).unwrap();
    // What is in its way is no store's.
    fs::write(path.join("state"), "a file").unwrap();
    unavailable(move_to(&fixture, &chain[0], "cold"));
    assert_eq!(pieces_of(&nas.join("state"), &chain[0]).len(), 2);
    fixture.restore_into(&chain, "restored").unwrap();
    fs::remove_file(path.join("state")).unwrap();
    move_to(&fixture, &chain[0], "cold").unwrap();
    let unwell = fixture.store.unwell_tiers();
    assert!(
        unwell.iter().all(|it| it.tier != tier("cold")),
        "{unwell:?}"
    );
}

#[test]
fn what_is_wrong_already_is_not_moved_and_what_is_in_the_trash_stays() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let cold = fixture.with_tier("cold");
    let archive = nas.join(format!("state/{}.jsonl.zst", chain[0]));
    let right = fs::read(&archive).unwrap();
    let mut wrong = right.clone();
    wrong[right.len() / 2] ^= 1;
    fs::write(&archive, &wrong).unwrap();
    let moved = move_to(&fixture, &chain[0], "cold");
    assert!(
        matches!(&moved, Err(BackupStoreError::Corrupted { id, .. }) if *id == chain[0]),
        "{moved:?}"
    );
    assert_eq!(
        pieces_of(&cold.join("state"), &chain[0]),
        Vec::<String>::new()
    );
    assert_eq!(fs::read(&archive).unwrap(), wrong);
    fs::write(&archive, &right).unwrap();
    fixture.store.trash(&job(), &chain[1]).unwrap();
    let why = unavailable(move_to(&fixture, &chain[1], "cold"));
    assert!(why.contains("lies in the trash"), "{why}");
    let missing = fixture.request(BackupType::Full, &[]).id;
    let moved = move_to(&fixture, &missing, "cold");
    assert!(
        matches!(moved, Err(BackupStoreError::Corrupted { .. })),
        "{moved:?}"
    );
}

/// Each step at which a crash may leave a move, and what the next process finds then.
#[test]
fn a_move_that_was_cut_off_leaves_one_backup_and_is_gone_on_with() {
    for step in 0..5 {
        let fixture = Fixture::new();
        let (nas, chain) = over_two_tiers(&fixture);
        let cold = fixture.with_tier("cold");
        // Its store is known and marked.
        move_to(&fixture, &chain[1], "cold").unwrap();
        let id = &chain[0];
        let (from, to) = (nas.join("state"), cold.join("state"));
        let (archive, manifest) = (format!("{id}.jsonl.zst"), format!("{id}.json"));
        match step {
            0 => fs::write(to.join(format!("{id}.archive.partial")), "half").unwrap(),
            1 => {
                fs::copy(from.join(&archive), to.join(&archive)).unwrap();
            }
            2 => {
                fs::copy(from.join(&archive), to.join(&archive)).unwrap();
                fs::write(to.join(format!("{id}.json.partial")), "half").unwrap();
            }
            _ => {
                for name in [&archive, &manifest] {
                    fs::copy(from.join(name), to.join(name)).unwrap();
                }
                if step == 4 {
                    fs::remove_file(from.join(&manifest)).unwrap();
                }
            }
        }
        let lies_in = if step == 4 { "cold" } else { "nas" };
        for is_swept in [false, true] {
            if is_swept {
                assert_eq!(fixture.sweep(&chain), vec![], "{step}");
            }
            let found = found_in(&fixture);
            assert_eq!(found.len(), 2, "{step}: {found:?}");
            // Of one that is whole in both it is where it is found first.
            let place = found.iter().find(|(it, _)| it == id).unwrap();
            assert!(place.1 == lies_in || step == 3, "{step}: {place:?}");
            assert_eq!(fixture.store.orphans(&job()), Ok(vec![]), "{step}");
            let into = format!("restored-{is_swept}");
            fixture.restore_into(&chain, &into).unwrap();
        }
        move_to(&fixture, id, "cold").unwrap();
        assert_eq!(pieces_of(&from, id), Vec::<String>::new(), "{step}");
        assert_eq!(pieces_of(&to, id), [manifest, archive], "{step}");
        fixture.restore_into(&chain, "moved").unwrap();
    }
}

#[test]
fn half_a_copy_with_a_manifest_is_made_anew() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let cold = fixture.with_tier("cold");
    move_to(&fixture, &chain[1], "cold").unwrap();
    let (from, to) = (nas.join("state"), cold.join("state"));
    let manifest = format!("{}.json", chain[0]);
    fs::copy(from.join(&manifest), to.join(&manifest)).unwrap();
    fs::write(to.join(format!("{}.jsonl.zst", chain[0])), "half").unwrap();
    move_to(&fixture, &chain[0], "cold").unwrap();
    assert_eq!(pieces_of(&from, &chain[0]), Vec::<String>::new());
    fixture.restore_into(&chain, "restored").unwrap();
}

/// The archive and the manifest of a backup, copied as by a move that was cut off.
fn copied(from: &Path, to: &Path, id: &BackupId) {
    for name in pieces_of(from, id) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[test]
fn what_was_rekeyed_after_a_move_was_cut_off_stays_so_wherever_it_goes() {
    for to in ["local", "nas"] {
        let fixture = Fixture::new();
        let (nas, chain) = over_two_tiers(&fixture);
        let (id, in_nas) = (&chain[0], nas.join("state"));
        copied(&in_nas, &fixture.job_dir(), id);
        let key = fixture.directory.path().join("key.txt");
        write_new_identity(&key).unwrap();
        let recipient = read_identities(&key).unwrap()[0].to_public().to_string();
        let sealing = SealingSpec {
            encryption: Encryption::Age {
                recipients: vec![recipient],
            },
            ..SealingSpec::default()
        };
        let rekeyed = fixture
            .store
            .rekey(&job(), &chain, &sealing, false, &no_progress())
            .unwrap();
        assert_eq!(rekeyed.left, [""; 0], "{to}");
        move_to(&fixture, id, to).unwrap();
        let (is_there, other) = match to {
            "nas" => (in_nas, fixture.job_dir()),
            _ => (fixture.job_dir(), in_nas),
        };
        let names = [format!("{id}.json"), format!("{id}.jsonl.zst.age")];
        assert_eq!(pieces_of(&is_there, id), names, "{to}");
        assert_eq!(pieces_of(&other, id), Vec::<String>::new(), "{to}");
        let expected = rekeyed.sealed.iter().find(|manifest| manifest.id == *id);
        let found = fs::read(is_there.join(&names[0])).unwrap();
        assert_eq!(
            Some(&Manifest::from_bytes(&found).unwrap()),
            expected,
            "{to}"
        );
    }
}

#[test]
fn what_was_deleted_while_a_tier_was_away_is_not_moved_from_there() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let cold = fixture.with_tier("cold");
    let id = &chain[0];
    copied(&nas.join("state"), &fixture.job_dir(), id);
    let away = fixture.directory.path().join("away");
    fs::rename(&nas, &away).unwrap();
    fixture.store.delete(&job(), id).unwrap();
    let why = unavailable(move_to(&fixture, id, "cold"));
    assert!(why.contains("was deleted"), "{why}");
    fs::rename(&away, &nas).unwrap();
    let moved = move_to(&fixture, id, "cold");
    assert!(
        matches!(moved, Err(BackupStoreError::Corrupted { .. })),
        "{moved:?}"
    );
    for directory in [nas, cold] {
        let left = files_of(&directory.join("state"), id);
        assert_eq!(left, Vec::<String>::new());
    }
}

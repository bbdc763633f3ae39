//! Deletions while a tier is away that may hold the backup too, and what is removed because another tier has it.

use super::{tiers::files_of, *};

/// A full backup in `nas`, and a copy of it in the state directory; the tier is away then.
fn in_two_tiers(fixture: &Fixture) -> (PathBuf, PathBuf, BackupId) {
    let nas = fixture.with_tier("nas");
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    let id = chain.remove(0);
    let in_nas = nas.join("state");
    for name in files_of(&in_nas, &id) {
        fs::copy(in_nas.join(&name), fixture.job_dir().join(&name)).unwrap();
    }
    let away = fixture.directory.path().join("away");
    fs::rename(&nas, &away).unwrap();
    (nas, away, id)
}

#[test]
fn what_was_deleted_does_not_come_back_with_its_tier() {
    let fixture = Fixture::new();
    let (nas, away, id) = in_two_tiers(&fixture);
    // Twice, as where the record of it was not written.
    for _ in 0..2 {
        fixture.store.delete(&job(), &id).unwrap();
        let left = files_of(&fixture.job_dir(), &id);
        assert_eq!(left, [format!("{id}.deleted")]);
    }
    assert_eq!(fixture.stored(), vec![]);
    assert_eq!(fixture.sweep(&[]).len(), 1, "the tier is away");
    fs::rename(&away, &nas).unwrap();
    assert_eq!(files_of(&nas.join("state"), &id).len(), 2);
    assert_eq!(fixture.stored(), vec![]);
    assert_eq!(files_of(&nas.join("state"), &id), Vec::<String>::new());
    assert_eq!(files_of(&fixture.job_dir(), &id), Vec::<String>::new());
}

#[test]
fn the_next_deletion_asks_the_tier_that_is_back() {
    let fixture = Fixture::new();
    let (nas, away, id) = in_two_tiers(&fixture);
    let other = fixture.take(BackupType::Full, &[]).manifest.id;
    fixture.store.delete(&job(), &id).unwrap();
    fs::rename(&away, &nas).unwrap();
    fixture.store.delete(&job(), &other).unwrap();
    assert_eq!(files_of(&nas.join("state"), &id), Vec::<String>::new());
    assert_eq!(files_of(&fixture.job_dir(), &id), Vec::<String>::new());
}

#[test]
fn what_came_out_of_the_trash_is_deleted_by_no_note_of_before() {
    let fixture = Fixture::new();
    let (nas, away, id) = in_two_tiers(&fixture);
    let (place, note) = (
        fixture.job_dir(),
        fixture.job_dir().join(format!("{id}.deleted")),
    );
    // The deletion is noted for the tier that is away, and fails at home before anything is gone.
    let blocked = place.join(format!("trash/{id}.json"));
    fs::create_dir_all(&blocked).unwrap();
    fixture.store.delete(&job(), &id).unwrap_err();
    assert!(note.exists());
    fs::remove_dir(&blocked).unwrap();
    // A person wants it back.
    fixture.store.untrash(&job(), &id).unwrap();
    assert!(!note.exists());
    fs::rename(&away, &nas).unwrap();
    let left = crate::local::deletions::settle(&fixture.store.layout, &job());
    assert_eq!(left, Ok(BTreeSet::new()));
    assert_eq!(files_of(&nas.join("state"), &id).len(), 2);
    let chain = [id];
    fixture.restore_into(&chain, "restored").unwrap();
}

#[test]
fn what_is_half_deleted_and_does_not_come_out_of_the_trash_is_still_noted() {
    let fixture = Fixture::new();
    let (nas, away, id) = in_two_tiers(&fixture);
    fixture.store.delete(&job(), &id).unwrap();
    // As of a deletion that a crash cut off.
    let archive = fixture.job_dir().join(format!("{id}.jsonl.zst"));
    fs::write(&archive, "half").unwrap();
    fixture.store.untrash(&job(), &id).unwrap_err();
    assert!(fixture.job_dir().join(format!("{id}.deleted")).exists());
    fs::rename(&away, &nas).unwrap();
    let left = crate::local::deletions::settle(&fixture.store.layout, &job());
    assert_eq!(left, Ok(BTreeSet::new()));
    assert_eq!(files_of(&nas.join("state"), &id), Vec::<String>::new());
}

#[test]
fn a_tier_that_is_lost_for_good_is_asked_no_more() {
    let fixture = Fixture::new();
    let (_, _, id) = in_two_tiers(&fixture);
    fixture.store.delete(&job(), &id).unwrap();
    fs::remove_file(fixture.job_dir().join("tier-nas.json")).unwrap();
    assert_eq!(fixture.stored(), vec![]);
    assert_eq!(files_of(&fixture.job_dir(), &id), Vec::<String>::new());
}

#[test]
fn what_is_in_no_other_tier_than_one_that_is_away_is_not_deleted() {
    let fixture = Fixture::new();
    let (_, _, id) = in_two_tiers(&fixture);
    for name in files_of(&fixture.job_dir(), &id) {
        fs::remove_file(fixture.job_dir().join(name)).unwrap();
    }
    let deleted = fixture.store.delete(&job(), &id);
    assert!(
        matches!(deleted, Err(BackupStoreError::Unavailable(_))),
        "{deleted:?}"
    );
    assert_eq!(files_of(&fixture.job_dir(), &id), Vec::<String>::new());
}

#[test]
fn what_lies_in_a_tier_alone_stays_where_the_archive_in_another_is_cut_off() {
    let fixture = Fixture::new();
    let nas = fixture.with_tier("nas");
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    fixture.put("a", "two");
    fixture.extend_in(&["local"], BackupType::Incremental, &mut chain);
    let name = format!("{}.jsonl.zst", chain[1]);
    let (home, copy) = (fixture.job_dir().join(&name), nas.join("state").join(&name));
    let whole = fs::read(&home).unwrap();
    fs::write(&copy, &whole).unwrap();
    fs::write(&home, &whole[1..]).unwrap();
    let swept = fixture.sweep(&chain);
    let [BackupStoreError::Corrupted { id, what }] = &swept[..] else {
        panic!("{swept:?}");
    };
    assert_eq!(id, &chain[1]);
    assert!(what.contains("as long as it was stored"), "{what}");
    assert_eq!(fs::read(&copy).unwrap(), whole);
    // As a person is told; then it is a leftover.
    fs::write(&home, &whole).unwrap();
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert!(!copy.exists());
    fixture.restore_into(&chain, "restored").unwrap();
}

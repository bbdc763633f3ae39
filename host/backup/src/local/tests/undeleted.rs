//! Backups that come out of the trash again.

use super::{
    tiers::{files_of, tier},
    *,
};

#[test]
fn what_comes_out_of_the_trash_is_what_it_was_and_others_build_on_it() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("b", "two");
    fixture.extend(BackupType::Incremental, &mut chain);
    let tree = fixture.tree(&fixture.data());
    let before: Vec<Vec<String>> = chain
        .iter()
        .map(|id| files_of(&fixture.job_dir(), id))
        .collect();
    for id in chain.iter().rev() {
        fixture.store.trash(&job(), id).unwrap();
    }
    assert!(fixture.stored().iter().all(|it| it.in_trash));
    for id in &chain {
        fixture.store.untrash(&job(), id).unwrap();
        // Once more is no error, and changes nothing.
        fixture.store.untrash(&job(), id).unwrap();
    }
    assert!(fixture.stored().iter().all(|it| it.intact && !it.in_trash));
    for (id, before) in chain.iter().zip(&before) {
        let mut files = before.clone();
        // The trash takes the index, which is made anew.
        files.retain(|name| !name.ends_with(".index.zst"));
        assert_eq!(files_of(&fixture.job_dir(), id), files);
        assert!(files_of(&fixture.job_dir().join("trash"), id).is_empty());
    }
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &tree);
    fixture.put("c", "three");
    fixture.extend(BackupType::Incremental, &mut chain);
    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
}

#[test]
fn a_crash_between_both_moves_leaves_it_whole_in_the_trash() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let id = &chain[0];
    fixture.store.trash(&job(), id).unwrap();
    let trash = fixture.job_dir().join("trash");
    let name = format!("{id}.json");
    fs::rename(trash.join(&name), fixture.job_dir().join(&name)).unwrap();
    assert_eq!(fixture.sweep(&chain), []);
    assert!(fixture.stored()[0].in_trash);
    // Or whoever wanted it asks once more.
    fs::rename(trash.join(&name), fixture.job_dir().join(&name)).unwrap();
    fixture.store.untrash(&job(), id).unwrap();
    assert!(files_of(&trash, id).is_empty());
    assert!(fixture.stored().iter().all(|it| it.intact && !it.in_trash));
    fixture.restore_into(&chain, "restored").unwrap();
}

#[test]
fn it_comes_back_in_the_tier_that_it_was_in_and_what_is_gone_is_told() {
    let fixture = Fixture::new();
    let nas = fixture.with_tier("nas");
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["nas"], BackupType::Full, &mut chain);
    let before = files_of(&nas.join("state"), &chain[0]);
    fixture.store.trash(&job(), &chain[0]).unwrap();
    assert!(files_of(&nas.join("state"), &chain[0]).is_empty());
    fixture.store.untrash(&job(), &chain[0]).unwrap();
    assert_eq!(files_of(&nas.join("state"), &chain[0]), before);
    assert_eq!(fixture.stored()[0].tier, tier("nas"));
    fixture.store.trash(&job(), &chain[0]).unwrap();
    fixture.store.delete(&job(), &chain[0]).unwrap();
    let gone = fixture.store.untrash(&job(), &chain[0]).unwrap_err();
    assert!(matches!(gone, BackupStoreError::Corrupted { .. }), "{gone}");
}

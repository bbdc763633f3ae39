//! A store that is not there is neither wrong nor begun anew.

use super::*;

fn known(fixture: &Fixture) -> TakeBackup {
    TakeBackup {
        is_known: true,
        ..fixture.request(BackupType::Full, &[])
    }
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, BackupStoreError>) -> String {
    match result {
        Err(BackupStoreError::Unavailable(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_the_disk_of_a_store_is_not_mounted_nothing_is_wrong_and_nothing_begins() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    let (id, chain) = (taken.id.clone(), [taken.id.clone()]);
    let (store, away) = (
        fixture.directory.path().join("state/backups"),
        fixture.directory.path().join("away"),
    );
    fs::rename(&store, &away).unwrap();
    for place in [None, Some(store.clone()), Some(fixture.job_dir())] {
        if let Some(place) = place {
            fs::create_dir(&place).unwrap();
        }
        let progress = no_progress();
        let all = [
            unavailable(fixture.store.take(&known(&fixture), &progress)),
            unavailable(fixture.store.verify(&job(), &chain, &progress)),
            unavailable(fixture.restore_into(&chain, "restored")),
            unavailable(fixture.store.drill(&job(), &chain, None, &progress)),
            unavailable(fixture.store.trash(&job(), &id)),
            unavailable(fixture.store.delete(&job(), &id)),
        ];
        for what in all {
            assert!(what.contains("store.json is not there; mount"), "{what}");
        }
        let lost = fixture
            .store
            .lost(&job(), &[(id.clone(), taken.stored_bytes)]);
        assert!(
            matches!(lost.as_slice(), [BackupStoreError::Unavailable(_)]),
            "{lost:?}"
        );
        assert_eq!(fixture.sweep(&chain), []);
    }
    assert_eq!(fs::read_dir(fixture.job_dir()).unwrap().count(), 0);

    // Mounted again, all is as it was.
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
    fixture
        .store
        .take(&known(&fixture), &no_progress())
        .unwrap();
}

#[test]
fn a_lost_store_begins_anew_where_a_person_says_so() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.take(BackupType::Full, &[]);
    fs::remove_dir_all(fixture.job_dir()).unwrap();
    fs::create_dir(fixture.job_dir()).unwrap();
    unavailable(fixture.store.take(&known(&fixture), &no_progress()));
    let mark = fixture.job_dir().join("store.json");
    fs::write(&mark, "").unwrap();
    let id = fixture
        .store
        .take(&known(&fixture), &no_progress())
        .unwrap()
        .manifest
        .id;
    let text = fs::read_to_string(&mark).unwrap();
    assert_eq!(
        text,
        format!("{{\"format\":1,\"began_with\":\"{id}\",\"job\":\"state\"}}\n")
    );
}

#[test]
fn a_store_of_before_is_known_by_what_lies_in_it_and_one_of_another_job_is_not_written_to() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let mark = fixture.job_dir().join("store.json");
    let text = fs::read_to_string(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
    fixture
        .store
        .take(&known(&fixture), &no_progress())
        .unwrap();
    assert!(mark.exists());
    for (mark_says, says) in [
        (
            text.replace("state", "other"),
            "it is the store of job other",
        ),
        (text.replace(":1,", ":2,"), "format 2"),
        (text.replace('{', "["), "cannot be read"),
    ] {
        fs::write(&mark, mark_says).unwrap();
        let what = unavailable(fixture.store.take(&known(&fixture), &no_progress()));
        assert!(what.contains(says), "{what}");
        // What is there can be read all the same.
        fixture
            .store
            .verify(&job(), &chain, &no_progress())
            .unwrap();
    }
}

#[test]
fn an_archive_without_its_manifest_is_found_in_its_place_and_in_the_trash() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let taken = (0..3).map(|_| fixture.take(BackupType::Full, &[]).manifest);
    let taken: Vec<_> = taken.collect();
    assert_eq!(fixture.store.orphans(&job()).unwrap(), []);
    fixture.store.trash(&job(), &taken[1].id).unwrap();
    assert_eq!(fixture.store.orphans(&job()).unwrap(), []);
    let manifest = |place: &str, at: usize| {
        let below = format!("{place}{}.json", taken[at].id);
        fixture.job_dir().join(below)
    };
    fs::remove_file(manifest("", 0)).unwrap();
    fs::remove_file(manifest("trash/", 1)).unwrap();
    let expected = [1, 0].map(|at: usize| OrphanedArchive {
        id: taken[at].id.clone(),
        stored_bytes: taken[at].stored_bytes,
        hold: None,
    });
    assert_eq!(fixture.store.orphans(&job()).unwrap(), expected);
}

#[test]
fn a_mark_that_cannot_be_looked_at_keeps_nobody_from_what_lies_beside_it() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let mark = fixture.job_dir().join("store.json");
    fs::remove_file(&mark).unwrap();
    symlink("store.json", &mark).unwrap();
    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
    let what = unavailable(fixture.store.take(&known(&fixture), &no_progress()));
    assert!(what.contains("store.json"), "{what}");
}

#[test]
fn a_backup_that_cannot_be_read_keeps_nobody_from_the_others_and_stays() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let taken = [(); 2].map(|()| fixture.take(BackupType::Full, &[]).manifest.id);
    let name = format!("{}.json", taken[0]);
    let manifest = fixture.job_dir().join(&name);
    fs::remove_file(&manifest).unwrap();
    symlink(&name, &manifest).unwrap();
    let found = fixture.stored().into_iter();
    let found: Vec<_> = found.map(|stored| stored.manifest.id).collect();
    assert_eq!(found, [taken[1].clone()]);
    assert_eq!(fixture.sweep(&[]), []);
    let archive = fixture.job_dir().join(format!("{}.jsonl.zst", taken[0]));
    assert!(archive.exists());
}

#[test]
fn nothing_is_removed_while_the_trash_cannot_be_listed() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    fs::remove_file(fixture.job_dir().join(format!("{id}.json"))).unwrap();
    let archive = fixture.job_dir().join(format!("{id}.jsonl.zst"));
    let trash = fixture.job_dir().join("trash");
    fs::write(&trash, "").unwrap();
    unavailable(fixture.store.orphans(&job()));
    assert_eq!(fixture.sweep(&[]).len(), 1);
    assert!(archive.exists());
    fs::remove_file(&trash).unwrap();
    assert_eq!(fixture.store.orphans(&job()).unwrap().len(), 1);
    assert_eq!(fixture.sweep(&[]), []);
    assert!(!archive.exists());
}

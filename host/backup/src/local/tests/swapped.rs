//! Files of the store that lie in the place of others, and such as are gone.

use super::*;

const ARCHIVE: &str = "jsonl.zst";
const MANIFEST: &str = "json";

fn other() -> JobName {
    JobName::parse("other").unwrap()
}

fn path(fixture: &Fixture, job: &JobName, id: &BackupId, suffix: &str) -> PathBuf {
    fixture.store.layout.job(job).join(format!("{id}.{suffix}"))
}

fn exchange(one: &Path, two: &Path) {
    let aside = one.with_extension("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(two, one).unwrap();
    fs::rename(&aside, two).unwrap();
}

/// Nothing of it is verified, and nothing restored.
#[track_caller]
fn is_found(fixture: &Fixture, job: &JobName, chain: &[BackupId], case: &str) {
    let is_corrupted = |error: BackupStoreError| {
        assert!(
            matches!(error, BackupStoreError::Corrupted { .. }),
            "{case}: {error}"
        );
    };
    let verified = fixture.store.verify(job, chain, &no_progress());
    is_corrupted(verified.expect_err(case));
    let into = fixture.directory.path().join("restored");
    let place = RestorePlace::Into {
        path: into.clone(),
        replace: false,
    };
    let restored = fixture.store.restore(job, chain, &place, &no_progress());
    is_corrupted(restored.expect_err(case));
    assert!(!into.exists(), "{case}: something was restored");
}

#[test]
fn files_of_backups_in_the_place_of_others_are_found_of_whatever_backup_and_job() {
    let fixture = Fixture::new();
    let mut chain = vec![];
    for (content, backup_type) in [
        ("one", BackupType::Full),
        ("two", BackupType::Incremental),
        ("three", BackupType::Incremental),
    ] {
        fixture.put("a", content);
        fixture.extend(backup_type, &mut chain);
    }
    let apart = fixture.take(BackupType::Snapshot, &[]).manifest.id;
    let foreign = TakeBackup {
        job: other(),
        ..fixture.request(BackupType::Full, &[])
    };
    fixture.store.take(&foreign, &no_progress()).unwrap();
    let (own, another) = (job(), other());
    let all = [
        (&own, &chain[0]),
        (&own, &chain[1]),
        (&own, &chain[2]),
        (&own, &apart),
        (&another, &foreign.id),
    ];
    let verify_all = || {
        let chains = [
            (&own, chain.as_slice()),
            (&own, std::slice::from_ref(&apart)),
            (&another, std::slice::from_ref(&foreign.id)),
        ];
        for (job, chain) in chains {
            fixture.store.verify(job, chain, &no_progress()).unwrap();
        }
    };
    for (at, one) in all.iter().enumerate() {
        for two in &all[at + 1..] {
            for suffixes in [&[ARCHIVE][..], &[MANIFEST], &[ARCHIVE, MANIFEST]] {
                let case = format!("{suffixes:?} of {one:?} and {two:?}");
                let exchange_all = || {
                    for suffix in suffixes {
                        exchange(
                            &path(&fixture, one.0, one.1, suffix),
                            &path(&fixture, two.0, two.1, suffix),
                        );
                    }
                };
                exchange_all();
                for (job, id) in [one, two] {
                    let links = match chain.contains(id) {
                        true => chain.clone(),
                        false => vec![(*id).clone()],
                    };
                    is_found(&fixture, job, &links, &case);
                }
                // A catalog that is rebuilt takes nothing for what it is not.
                for job in [&own, &another] {
                    let known = BTreeSet::new();
                    let found = fixture.store.stored(job, &known, StoredLook::Content);
                    for stored in found.unwrap().stored {
                        let id = &stored.manifest.id;
                        let is_moved = [one.1, two.1].contains(&id);
                        assert_eq!(&stored.manifest.job, job, "{case}");
                        assert!(!is_moved || !stored.intact, "{case}: {id} is intact");
                    }
                }
                exchange_all();
            }
        }
    }
    verify_all();
}

#[test]
fn a_manifest_of_another_backup_commits_none() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let first = fixture.take(BackupType::Full, &[]).manifest;
    let second = fixture.take(BackupType::Full, &[]).manifest;
    let committed = |id: &BackupId| fixture.store.committed(&job(), id);
    assert_eq!(committed(&first.id), Ok(Some(first.clone())));
    exchange(
        &path(&fixture, &job(), &first.id, MANIFEST),
        &path(&fixture, &job(), &second.id, MANIFEST),
    );
    for id in [&first.id, &second.id] {
        let found = committed(id);
        assert!(
            matches!(found, Err(BackupStoreError::Corrupted { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn a_mark_and_an_index_that_are_gone_cost_nothing_and_are_made_anew() {
    let fixture = Fixture::new();
    let mut chain = vec![];
    fixture.put("a", "one");
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("b", "two");
    fixture.extend(BackupType::Incremental, &mut chain);
    let mark = fixture.job_dir().join("store.json");
    fs::remove_file(&mark).unwrap();
    for id in &chain {
        fs::remove_file(path(&fixture, &job(), id, "index.zst")).unwrap();
    }
    let notes = fixture.store.verify(&job(), &chain, &no_progress());
    assert_eq!(notes, Ok(Vec::new()));
    fs::remove_file(fixture.data().join("a")).unwrap();
    let taken = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(taken.manifest.tombstones, 1);
    assert!(mark.exists());
    let expected = fixture.tree(&fixture.data());
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &expected);
}

//! Trees that take each other's place.

use super::{doubt::Refused, *};
use crate::local::durable::Change;
use rustix::io::Errno;
use swap::Swap;

#[test]
fn what_came_into_an_empty_directory_meanwhile_is_not_replaced() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let backup = fixture.take(BackupType::Full, &[]).manifest.id;
    let into = fixture.directory.path().join("into");
    fs::create_dir(&into).unwrap();
    let written = into.join("new");
    let progress: OnProgress = Arc::new(move |_| fs::write(&written, "mine").unwrap());
    let place = RestorePlace::Into {
        path: into.clone(),
        replace: false,
    };
    let restored = fixture.store.restore(&job(), &[backup], &place, &progress);
    let error = restored.unwrap_err().to_string();
    assert!(error.contains("while the backup was read"), "{error}");
    assert_eq!(fs::read_to_string(into.join("new")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&into).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_made_durable_is_not_put_in_place() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    fixture.put("a", "newer");
    let into = fixture.directory.path().join("into");
    for place in [
        RestorePlace::InPlace(fixture.sources.clone()),
        RestorePlace::Into {
            path: into.clone(),
            replace: false,
        },
    ] {
        let refused = Refused::by(|change| {
            let is_one = matches!(change, Change::TreeSynced(_));
            is_one.then_some(Errno::IO)
        });
        let restored = fixture
            .store
            .restore(&job(), &chain, &place, &no_progress());
        drop(refused);
        let error = restored.unwrap_err().to_string();
        assert!(error.contains("cannot fsync"), "{error}");
        let held = fs::read_to_string(fixture.data().join("a")).unwrap();
        assert_eq!(held, "newer");
        assert!(!into.exists());
    }
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress());
    restored.unwrap();
    let held = fs::read_to_string(fixture.data().join("a")).unwrap();
    assert_eq!(held, "good");
}

#[test]
fn of_two_restores_to_one_place_the_second_is_refused() {
    let fixture = Fixture::new();
    let link = fixture.directory.path().join("link");
    symlink(fixture.data(), &link).unwrap();
    let first = Swap::begin(&fixture.data(), false).unwrap();
    fs::write(first.staging().join("a"), "restored").unwrap();
    for same in [&fixture.data(), &link] {
        let error = Swap::begin(same, false).err().unwrap().to_string();
        assert!(error.contains("is under way"), "{error}");
    }
    let restored = fs::read_to_string(first.staging().join("a")).unwrap();
    assert_eq!(restored, "restored");
    drop(first);
    Swap::begin(&link, false).unwrap();
}

/// As it is between the two renames, where names cannot be exchanged: the source is at `old`, the new tree in `staging`.
fn between_renames(fixture: &Fixture) -> [PathBuf; 2] {
    fixture.put("a", "old");
    let [old, staging] = ["old", "restore"].map(|what| {
        let name = format!(".data.mainstay-{what}");
        fixture.directory.path().join(name)
    });
    fs::rename(fixture.data(), &old).unwrap();
    [old, staging]
}

#[test]
fn an_old_tree_whose_place_was_taken_meanwhile_is_kept() {
    let fixture = Fixture::new();
    let swap = Swap::begin(&fixture.data(), true).unwrap();
    let [old, staging] = between_renames(&fixture);
    fs::write(staging.join("a"), "new").unwrap();
    fixture.put("b", "recreated");
    drop(swap);
    let problems = fixture.sweep(&[]);
    let error = problems[0].to_string();
    assert!(error.contains("move one of them away"), "{error}");
    assert!(Swap::begin(&fixture.data(), true).is_err());
    assert_eq!(fs::read_to_string(old.join("a")).unwrap(), "old");
    assert_eq!(
        fs::read_to_string(fixture.data().join("b")).unwrap(),
        "recreated"
    );

    fs::remove_dir_all(fixture.data()).unwrap();
    assert_eq!(fixture.sweep(&[]), []);
    assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "old");
    assert!(!old.exists() && !staging.exists());
}

#[test]
fn an_old_tree_goes_back_over_an_empty_directory_and_where_a_link_leads() {
    let mut fixture = Fixture::new();
    let [old, staging] = between_renames(&fixture);
    for directory in [&staging, &fixture.data()] {
        fs::create_dir(directory).unwrap();
    }
    assert_eq!(fixture.sweep(&[]), []);
    assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "old");

    let links = tempfile::tempdir().unwrap();
    let link = links.path().join("link");
    symlink(fixture.data(), &link).unwrap();
    fixture.sources = vec![BackupSource::Directory {
        path: link,
        prefix: String::new(),
    }];
    between_renames(&fixture);
    fs::create_dir(&staging).unwrap();
    assert_eq!(fixture.sweep(&[]), []);
    assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "old");
    assert!(!old.exists() && !staging.exists());
}

#[test]
fn a_tree_that_was_placed_by_either_way_is_taken_out_again() {
    let fixture = Fixture::new();
    let placed = |by_exchange: bool| {
        let mut swap = Swap::begin(&fixture.data(), true).unwrap();
        fs::write(swap.staging().join("a"), "new").unwrap();
        if by_exchange {
            fixture.put("a", "old");
            swap.place().unwrap();
        } else {
            let [_, staging] = between_renames(&fixture);
            // Over nothing, which is the second rename.
            swap.place().unwrap();
            assert!(!staging.exists());
        }
        swap
    };
    for by_exchange in [true, false] {
        let swap = placed(by_exchange);
        assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "new");
        drop(swap);
        assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "old");
        assert_eq!(fs::read_dir(fixture.directory.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_restore_that_is_cancelled_leaves_nothing_and_no_other_work_ends_with_it() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let backup = fixture.take(BackupType::Full, &[]).manifest.id;
    let Fixture {
        directory, store, ..
    } = fixture;
    let store: Arc<dyn BackupStore> = Arc::new(store);
    let (cancellable, stop) = Arc::clone(&store).cancellable();
    let progress: OnProgress = Arc::new(move |_| stop.cancel());
    let place = RestorePlace::Into {
        path: directory.path().join("into"),
        replace: false,
    };
    let before = fs::read_dir(directory.path()).unwrap().count();
    let (rules, chain) = (RestoreRules::default(), [backup]);
    let staged = cancellable.stage(&job(), &chain, &place, &rules, &progress);
    assert_eq!(staged.err(), Some(BackupStoreError::Interrupted));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), before);
    let staged = store.stage(&job(), &chain, &place, &rules, &no_progress());
    staged.unwrap().place().unwrap();
}

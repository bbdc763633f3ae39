//! Changes of a tier that were given up, and come later.

use super::*;
use crate::{
    age_keys::{read_identities, write_new_identity},
    local::{
        committed::is_there_after_all,
        deletions::settle,
        lane::{Lane, Lanes, Patience},
    },
};
use mainstay_domain::archive::Encryption;
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    thread,
};

/// The same store, which waits for no change of another tier, and tries one that does not answer again at once.
fn impatient(store: &LocalBackups) -> LocalBackups {
    let patience = Patience {
        change: Duration::ZERO,
        rest: Duration::ZERO,
        ..Patience::default()
    };
    asking(store, Lanes::new(patience, CancellationToken::new()))
}

fn asking(store: &LocalBackups, lanes: Lanes) -> LocalBackups {
    LocalBackups {
        layout: store.layout.clone().asking(lanes),
        programs: Arc::clone(&store.programs),
        now: Arc::clone(&store.now),
        stop: store.stop.clone(),
        sizes: store.sizes,
    }
}

/// The same store, which waits for nothing of another tier, and leaves one alone that does not answer.
fn wary(store: &LocalBackups) -> LocalBackups {
    let patience = Patience {
        look: Duration::ZERO,
        rest: Duration::from_secs(86_400),
        ..Patience::default()
    };
    asking(store, Lanes::new(patience, CancellationToken::new()))
}

/// The lane of the first tier of the config.
fn lane_of(store: &LocalBackups) -> Lane {
    store.layout.other_directories().remove(0).1
}

/// Gives up a change that is not over before the sender goes, and waits until its tier answers again.
fn give_up(lane: &Lane) -> Sender<()> {
    give_up_what(lane, || ())
}

/// The same of one that does this then.
fn give_up_what(lane: &Lane, then: impl FnOnce() + Send + 'static) -> Sender<()> {
    let (release, held) = channel::<()>();
    let given_up = lane.change(move || {
        let _ = held.recv();
        then();
    });
    given_up.unwrap_err();
    while lane.look(|| ()).is_err() {
        thread::yield_now();
    }
    release
}

/// Gives up a look that is not over before the sender goes.
fn look_in_vain(lane: &Lane) -> Sender<()> {
    let (release, held) = channel::<()>();
    let given_up = lane.look(move || {
        let _ = held.recv();
    });
    given_up.unwrap_err();
    release
}

#[test]
fn what_may_still_be_committed_is_in_doubt_and_not_missing() {
    let fixture = Fixture::new();
    over_two_tiers(&fixture);
    let store = impatient(&fixture.store);
    let missing = fixture.request(BackupType::Full, &[]).id;
    let place = store.layout.other(&tier("nas")).unwrap();
    let spot = place.manifest_at(&job(), &missing);
    let found = || is_there_after_all(place.as_ref(), &job(), (&spot, b"{}".as_slice()));
    let committed = || store.committed(&job(), &missing);
    assert_eq!((found(), committed()), (Some(false), Ok(None)));

    let lane = lane_of(&store);
    let release = give_up(&lane);
    assert_eq!(found(), None);
    let why = unavailable(committed());
    assert!(why.contains("is not over"), "{why}");
    drop(release);
    while lane.check_over().is_err() {
        thread::yield_now();
    }
    assert_eq!((found(), committed()), (Some(false), Ok(None)));
}

#[test]
fn nothing_is_moved_to_where_it_may_still_be_taken_away() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let cold = fixture.with_tier("cold");
    let (id, nas, cold) = (&chain[0], nas.join("state"), cold.join("state"));
    let move_to = |store: &LocalBackups, id, name| store.move_to(&job(), id, &tier(name));
    // Its store is known and marked.
    move_to(&fixture.store, &chain[1], "cold").unwrap();
    // As of a move that was given up where it was to be taken away.
    let pieces = files_of(&nas, id);
    assert_eq!(pieces.len(), 2, "{pieces:?}");
    for name in &pieces {
        fs::copy(nas.join(name), cold.join(name)).unwrap();
    }

    let store = impatient(&fixture.store);
    let lane = lane_of(&store);
    let release = give_up(&lane);
    let why = unavailable(move_to(&store, id, "nas"));
    assert!(why.contains("is not over"), "{why}");
    for directory in [&nas, &cold] {
        assert_eq!(files_of(directory, id), pieces);
    }
    drop(release);
    while lane.check_over().is_err() {
        thread::yield_now();
    }
    move_to(&fixture.store, id, "nas").unwrap();
    assert_eq!(files_of(&nas, id), pieces);
    assert_eq!(files_of(&cold, id), Vec::<String>::new());
}

#[test]
fn nothing_is_restored_over_a_tier_that_does_not_answer_for_a_while() {
    let fixture = Fixture::new();
    let above = tempfile::tempdir().unwrap();
    let above = above.path().canonicalize().unwrap();
    let nas = above.join("nas");
    fs::create_dir(&nas).unwrap();
    let place = TierPlace::Directory(nas.clone());
    fixture.tiers.lock().push((tier("nas"), place));
    fixture.put("a", "one");
    fixture.extend_in(&["nas"], BackupType::Full, &mut vec![]);
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let before = files::names_in(&nas.join("state")).unwrap();

    let store = wary(&fixture.store);
    let release = look_in_vain(&lane_of(&store));
    let restore = |path: PathBuf| {
        let place = RestorePlace::Into {
            path,
            replace: true,
        };
        store.restore(&job(), &chain, &place, &no_progress())
    };
    for path in [nas.clone(), nas.join("state")] {
        let why = unavailable(restore(path));
        assert!(why.contains("it is where the backups are"), "{why}");
    }
    let why = unavailable(restore(above.clone()));
    assert!(why.contains("it holds the backups"), "{why}");
    assert_eq!(files::names_in(&nas.join("state")).unwrap(), before);
    restore(fixture.directory.path().join("restored")).unwrap();
    drop(release);
}

/// To somebody new, who opens it here.
fn to_another(fixture: &Fixture) -> SealingSpec {
    let key = fixture.directory.path().join("key.txt");
    write_new_identity(&key).unwrap();
    let recipient = read_identities(&key).unwrap()[0].to_public().to_string();
    SealingSpec {
        encryption: Encryption::Age {
            recipients: vec![recipient],
        },
        ..SealingSpec::default()
    }
}

#[test]
fn what_is_encrypted_anew_is_written_in_the_lane_of_its_tier() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let archive = nas.join(format!("state/{}.jsonl.zst", chain[0]));
    let before = fs::read(&archive).unwrap();
    let sealing = to_another(&fixture);
    let patience = Patience {
        change: Duration::from_secs(2),
        rest: Duration::ZERO,
        ..Patience::default()
    };
    let lanes = Lanes::new(patience, CancellationToken::new());
    let store = asking(&fixture.store, lanes);
    // In the middle of it a change of the tier is given up, and may still come.
    let lane = lane_of(&store);
    let held = Arc::new(Mutex::new(None));
    let (asked, hold) = (lane.clone(), Arc::clone(&held));
    let progress: OnProgress = Arc::new(move |_| {
        let mut held = hold.lock();
        if held.is_none() {
            *held = Some(give_up(&asked));
        }
    });
    let why = unavailable(store.rekey(&job(), &chain, &sealing, false, &progress));
    assert!(why.contains("is not over"), "{why}");
    assert!(held.lock().take().is_some());
    while lane.check_over().is_err() {
        thread::yield_now();
    }
    assert!(fs::read(&archive).unwrap() == before, "all is as it was");
    let store = &fixture.store;
    assert_eq!(store.verify(&job(), &chain, &no_progress()), Ok(vec![]));
    let rekeyed = store.rekey(&job(), &chain, &sealing, false, &no_progress());
    assert_eq!(rekeyed.unwrap().sealed.len(), 2);
    let left = files_of(&nas.join("state"), &chain[0]);
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn nothing_is_encrypted_anew_where_it_may_still_be_taken_away() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let sealing = to_another(&fixture);
    let rekey = |store: &LocalBackups| store.rekey(&job(), &chain, &sealing, false, &no_progress());
    let store = impatient(&fixture.store);
    let release = give_up(&lane_of(&store));
    let before = files_of(&nas.join("state"), &chain[0]);
    let why = unavailable(rekey(&store));
    assert!(why.contains("is not over"), "{why}");
    assert_eq!(files_of(&nas.join("state"), &chain[0]), before);
    drop(release);
    assert_eq!(rekey(&fixture.store).unwrap().sealed.len(), 2);
}

/// What holds a tier as long as something is in it.
type Held = Arc<Mutex<Option<Sender<()>>>>;

/// The same store, whose tier answers no more as soon as the tiers are asked for so often after a rekey was noted.
fn silent_while_put_in_place(fixture: &Fixture, nas: &Path, time: usize) -> (LocalBackups, Held) {
    let patience = Patience {
        look: Duration::from_millis(100),
        rest: Duration::from_secs(86_400),
        ..Patience::default()
    };
    let lanes = Lanes::new(patience, CancellationToken::new());
    let held = Held::default();
    let (asked, root, hold) = (lanes.clone(), nas.to_owned(), Arc::clone(&held));
    let (configured, note) = (
        Arc::clone(&fixture.tiers),
        fixture.job_dir().join("rekeying"),
    );
    let times = AtomicUsize::new(0);
    let tiers = Arc::new(move || {
        if note.exists() && times.fetch_add(1, Relaxed) + 1 == time {
            *hold.lock() = Some(look_in_vain(&asked.of(&root)));
        }
        configured.lock().clone()
    });
    let state = fixture.directory.path().join("state");
    let store = LocalBackups {
        layout: Layout::new(&state, tiers).asking(lanes.clone()),
        ..asking(&fixture.store, lanes)
    };
    (store, held)
}

#[test]
fn what_is_encrypted_anew_is_put_in_place_in_all_tiers_whenever_one_of_them_does_not_answer() {
    for time in 1..=4 {
        let fixture = Fixture::new();
        let (nas, chain) = over_two_tiers(&fixture);
        let sealing = to_another(&fixture);
        let (store, held) = silent_while_put_in_place(&fixture, &nas, time);
        let rekeyed = store.rekey(&job(), &chain, &sealing, false, &no_progress());
        drop(held.lock().take());
        rekey::finish(&fixture.store.layout, &job()).unwrap();
        let is_sealed = |directory: &Path, id: &BackupId| {
            let names = files_of(directory, id);
            names.iter().any(|name| name.ends_with(".age"))
        };
        let of_tier = is_sealed(&nas.join("state"), &chain[0]);
        let at_home = is_sealed(&fixture.job_dir(), &chain[1]);
        assert_eq!(of_tier, at_home, "{time}, {:?}", rekeyed.map(drop));
    }
}

#[test]
fn a_tier_in_a_source_is_not_read_where_it_does_not_answer_for_a_while() {
    let fixture = Fixture::new();
    let nas = fixture.data().canonicalize().unwrap().join("nas");
    fs::create_dir(&nas).unwrap();
    let place = TierPlace::Directory(nas.clone());
    fixture.tiers.lock().push((tier("nas"), place));
    fixture.put("a", "one");
    fixture.extend_in(&["nas"], BackupType::Full, &mut vec![]);

    let store = wary(&fixture.store);
    let release = look_in_vain(&lane_of(&store));
    let request = fixture.request(BackupType::Full, &[]);
    let taken = store.take(&request, &no_progress()).unwrap();
    let left_out = format!("left out {}: it is where the backups are", nas.display());
    assert_eq!(taken.warnings, [left_out]);
    assert_eq!(taken.manifest.documents, 2, "the directory and `a`");
    assert!(!taken.manifest.incomplete);
    drop(release);
}

#[test]
fn what_comes_after_it_was_deleted_is_deleted_too() {
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let store = impatient(&fixture.store);
    let lane = lane_of(&store);
    let late = nas.join(format!("state/{}.jsonl.zst", chain[1]));
    let path = late.clone();
    let release = give_up_what(&lane, move || fs::write(path, "late").unwrap());
    store.delete(&job(), &chain[1]).unwrap();
    assert_eq!(files_of(&fixture.job_dir(), &chain[1]).len(), 1, "its note");
    drop(release);
    while lane.check_over().is_err() {
        thread::yield_now();
    }
    assert!(late.exists());
    let left = settle(&fixture.store.layout, &job());
    assert_eq!(left, Ok(BTreeSet::new()));
    assert!(!late.exists());
}

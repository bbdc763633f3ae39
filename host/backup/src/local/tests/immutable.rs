//! Trees that a restore left, of which something was made immutable.

use super::*;
use inside::Inside;

pub(super) fn chattr(how: &str, path: &Path) -> bool {
    let ran = Command::new("chattr").arg(how).arg(path).status();
    ran.is_ok_and(|status| status.success())
}

#[test]
fn what_is_immutable_in_an_interrupted_restore_keeps_nobody_from_the_next_one() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let good = fixture.tree(&fixture.data());
    let [staging, left] = ["restore", "left-1"].map(|what| {
        let name = format!(".data.mainstay-{what}");
        fixture.directory.path().join(name)
    });
    fs::create_dir_all(staging.join("d/e")).unwrap();
    for name in ["a", "fixed", "z", "e/f"] {
        fs::write(staging.join("d").join(name), "").unwrap();
    }
    if !chattr("+i", &staging.join("d/fixed")) {
        println!("SKIPPED, nothing was tested: nothing can be made immutable here");
        return;
    }
    fixture.put("a", "bad");
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress());
    let told = fixture.sweep(&chain);
    let names = files::names_in(&left.join("d")).unwrap();
    // Before anything is asserted, for what is immutable would stay for good.
    for tree in [&staging, &left] {
        chattr("-i", &tree.join("d/fixed"));
    }
    restored.unwrap();
    assert_same_tree(&fixture, &fixture.data(), &good);
    assert_eq!(names, ["fixed"], "nothing else stays");
    assert!(!staging.exists());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].to_string().contains("mainstay-left-1"), "{told:?}");
    assert_eq!(fixture.sweep(&chain), vec![]);
    assert!(!left.exists());
}

/// As where the source is a mount point.
#[test]
fn what_is_immutable_in_a_tree_whose_content_was_exchanged_keeps_nobody_from_the_next_exchange() {
    let fixture = Fixture::new();
    fixture.put("d/a", "old");
    fixture.put("d/fixed", "old");
    if !chattr("+i", &fixture.data().join("d/fixed")) {
        println!("SKIPPED, nothing was tested: nothing can be made immutable here");
        return;
    }
    let inside = Inside::of(&fixture.data());
    let exchange = |content: &str| {
        inside.recover()?;
        let new = inside.begin()?;
        fs::write(new.join("a"), content).unwrap();
        inside.place()?;
        inside.finish()
    };
    let exchanged: [Result<(), BackupStoreError>; 2] = [exchange("one"), exchange("two")];
    let work = fixture.data().join(".mainstay-restore");
    let left = files::names_in(&work.join("left-1/d")).unwrap();
    // Before anything is asserted, for what is immutable would stay for good.
    for place in ["left-1/d/fixed", "old/d/fixed", "../d/fixed"] {
        chattr("-i", &work.join(place));
    }
    assert_eq!(exchanged, [Ok(()), Ok(())]);
    assert_eq!(left, ["fixed"], "nothing else stays");
    let held = fs::read_to_string(fixture.data().join("a")).unwrap();
    assert_eq!(held, "two");
    // It is nothing of the source.
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    assert_eq!(taken.documents, 2, "the directory and `a`");
    inside.recover().unwrap();
    assert!(!work.exists());
}

/// Nothing is stopped for what would then be found to be in the way.
#[test]
fn what_is_immutable_is_judged_to_be_in_the_way_of_a_restore_in_place() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let judge = || fixture.judge_in_place(&chain);
    let (data, above) = (fixture.data(), fixture.directory.path());
    for (how, undo, path, says) in [
        ("+i", "-i", data.as_path(), "chattr -i -a"),
        ("+a", "-a", data.as_path(), "chattr -i -a"),
        ("+a", "-a", above, "chattr -i -a"),
        // The kernel says so itself.
        ("+i", "-i", above, "cannot be written"),
    ] {
        if !chattr(how, path) {
            println!("SKIPPED, nothing was tested: nothing can be made immutable here");
            return;
        }
        let judged = judge();
        // Before anything is asserted, for what is immutable would stay for good.
        chattr(undo, path);
        let error = judged.unwrap_err().to_string();
        let path = path.display().to_string();
        assert!(error.contains(says) && error.contains(&path), "{error}");
        assert_eq!(judge(), Ok(()), "{how} {path}");
    }
    assert_eq!(fs::read_to_string(data.join("a")).unwrap(), "good");
}

/// What is immutable there is no more.
fn let_go(below: &Path) {
    let ran = Command::new("chattr")
        .args(["-R", "-i"])
        .arg(below)
        .status();
    assert!(ran.unwrap().success());
}

#[test]
fn however_often_something_immutable_is_left_nobody_is_kept_from_the_next_restore() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let mut restored = Vec::new();
    for number in 0..12 {
        fixture.put("fixed", "old");
        if !chattr("+i", &fixture.data().join("fixed")) {
            assert_eq!(number, 0, "it could be before");
            println!("SKIPPED, nothing was tested: nothing can be made immutable here");
            return;
        }
        let store = &fixture.store;
        let done = store.restore(&job(), &chain, &place, &no_progress());
        restored.push(done.map(drop));
    }
    // Before anything is asserted, for what is immutable would stay for good.
    let_go(fixture.directory.path());
    assert!(restored.iter().all(Result::is_ok), "{restored:?}");
    assert!(!fixture.data().join("fixed").exists());
    assert_eq!(fixture.sweep(&chain), []);
    let left = fs::read_dir(fixture.directory.path()).unwrap().count();
    assert_eq!(left, 2, "the source and the state");
}

/// As where the source is a mount point.
#[test]
fn however_often_something_immutable_is_left_nobody_is_kept_from_the_next_exchange() {
    let fixture = Fixture::new();
    let inside = Inside::of(&fixture.data());
    let exchange = || {
        inside.recover()?;
        let new = inside.begin()?;
        fs::write(new.join("a"), "new").unwrap();
        inside.place()?;
        inside.finish()
    };
    let mut exchanged: Vec<Result<(), BackupStoreError>> = Vec::new();
    for number in 0..7 {
        fixture.put("d/fixed", "old");
        if !chattr("+i", &fixture.data().join("d/fixed")) {
            assert_eq!(number, 0, "it could be before");
            println!("SKIPPED, nothing was tested: nothing can be made immutable here");
            return;
        }
        exchanged.push(exchange());
    }
    let_go(&fixture.data());
    assert!(exchanged.iter().all(Result::is_ok), "{exchanged:?}");
    inside.recover().unwrap();
    assert_eq!(files::names_in(&fixture.data()).unwrap(), ["a"]);
}

//! Restores where something is mounted.

use super::*;
use inside::Inside;
use std::os::unix::fs::MetadataExt;

/// Runs this very test in a mount namespace of its own, where it may mount. Whether this is the process in it.
pub(super) fn may_mount(test: &str) -> bool {
    const MARK: &str = "MAINSTAY_TEST_MAY_MOUNT";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let allowed = Command::new("unshare").args(["-rm", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("SKIPPED, nothing was tested: this machine allows no mount namespace");
        return false;
    }
    let mut again = Command::new("unshare");
    again.arg("-rm").arg(std::env::current_exe().unwrap());
    let test = format!("local::tests::{test}");
    again.args(["--exact", &test, "--nocapture"]).env(MARK, "1");
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Something that is mounted, until it is dropped.
pub(super) struct Mounted(pub(super) PathBuf);

impl Mounted {
    pub(super) fn mount(arguments: &[&str], at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(arguments).arg(&at).status();
        assert!(mounted.unwrap().success(), "{}", at.display());
        Self(at)
    }

    pub(super) fn bind(what: &Path, at: PathBuf) -> Self {
        Self::mount(&["--bind", what.to_str().unwrap()], at)
    }

    pub(super) fn memory(at: PathBuf) -> Self {
        Self::mount(&["-t", "tmpfs", "-o", "size=4m,nr_inodes=64", "test"], at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.unwrap().success(), "{}", self.0.display());
    }
}

#[test]
fn a_source_that_is_a_mount_point_is_restored_in_place() {
    if !may_mount("mounted::a_source_that_is_a_mount_point_is_restored_in_place") {
        return;
    }
    let fixture = Fixture::new();
    let _mounted = Mounted::memory(fixture.data());
    let mount = fs::metadata(fixture.data()).unwrap();
    fixture.put("a", "good");
    fixture.put("dir/b", "good too");
    symlink("a", fixture.data().join("link")).unwrap();
    fs::set_permissions(fixture.data(), fs::Permissions::from_mode(0o751)).unwrap();
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let good = fixture.tree(&fixture.data());

    fixture.put("a", "bad");
    fixture.put("worse", "bad");
    fs::remove_dir_all(fixture.data().join("dir")).unwrap();
    fs::set_permissions(fixture.data(), fs::Permissions::from_mode(0o700)).unwrap();
    fixture.judge_in_place(&chain).unwrap();
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let staged = fixture
        .store
        .stage(
            &job(),
            &chain,
            &place,
            &RestoreRules::default(),
            &no_progress(),
        )
        .unwrap();
    // What is saved of it meanwhile holds nothing of the restore.
    let saved = fixture.take(BackupType::Emergency, &[]).manifest;
    assert_eq!(saved.documents, 4, "the directory, `a`, `link` and `worse`");
    staged.place().unwrap();
    assert_same_tree(&fixture, &fixture.data(), &good);
    assert_eq!(fs::metadata(fixture.data()).unwrap().dev(), mount.dev());
    assert!(!fixture.data().join(".mainstay-restore").exists());

    // Also as any other directory, where it is empty or may be replaced.
    let other = Mounted::memory(fixture.directory.path().join("other"));
    let restored = fixture.restore_into(&chain, "other").unwrap();
    assert_same_tree(&fixture, &restored, &good);
    let error = fixture.restore_into(&chain, "other").unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    drop(other);
}

#[test]
fn what_is_mounted_below_a_source_is_in_the_way_before_and_while_it_is_restored() {
    if !may_mount(
        "mounted::what_is_mounted_below_a_source_is_in_the_way_before_and_while_it_is_restored",
    ) {
        return;
    }
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let _mounted = Mounted::memory(fixture.data().join("below"));
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let judged = fixture.judge_in_place(&chain);
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress());
    for error in [judged.unwrap_err(), restored.unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("below is a mount point"), "{error}");
    }
}

#[test]
fn what_cannot_be_put_in_place_is_judged_so_before() {
    if !may_mount("mounted::what_cannot_be_put_in_place_is_judged_so_before") {
        return;
    }
    let mut fixture = Fixture::new();
    let root = fixture.directory.path().to_owned();
    let disk = Mounted::memory(root.join("disk"));
    let data = disk.0.join("data");
    fs::create_dir(&data).unwrap();
    fixture.sources = vec![BackupSource::Directory {
        path: data.clone(),
        prefix: String::new(),
    }];
    fs::write(data.join("a"), vec![7; 1 << 20]).unwrap();
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let judge = || fixture.judge_in_place(&chain);
    assert_eq!(judge(), Ok(()));
    fs::write(disk.0.join("filler"), vec![7; 5 << 19]).unwrap();
    let error = judge().unwrap_err();
    assert!(matches!(error, BackupStoreError::NoRoom(_)), "{error}");
    fs::remove_file(disk.0.join("filler")).unwrap();
    assert_eq!(judge(), Ok(()));

    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(&disk.0);
        assert!(mount.status().unwrap().success());
    };
    remount("ro");
    let error = judge().unwrap_err().to_string();
    assert!(error.contains("mount it writable"), "{error}");
    remount("rw");
    assert_eq!(judge(), Ok(()));
}

/// A directory with an old tree, and a new one that is written in it.
fn half_restored(fixture: &Fixture) -> Inside {
    for name in ["a", "b", "old"] {
        fixture.put(name, "old");
    }
    let inside = Inside::of(&fixture.data());
    let new = inside.begin().unwrap();
    for name in ["a", "b", "new"] {
        fs::write(new.join(name), "new").unwrap();
    }
    let for_all = fs::Permissions::from_mode(0o755);
    let will_be = fixture.data().join(".mainstay-restore/as-it-will-be");
    fs::set_permissions(will_be, for_all).unwrap();
    inside
}

/// What each file of the directory holds.
fn held(fixture: &Fixture) -> Vec<(String, String)> {
    let entries = fs::read_dir(fixture.data()).unwrap();
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    let mut held: Vec<_> = entries.map(|entry| read(entry.unwrap())).collect();
    held.sort();
    held
}

fn files(names: [&str; 3], hold: &str) -> Vec<(String, String)> {
    let file = |name: &str| (name.to_owned(), hold.to_owned());
    names.map(file).to_vec()
}

#[test]
fn an_exchange_that_a_crash_cut_anywhere_is_undone_or_finished() {
    // How many names had been moved out, and how many in, when it ended.
    for (out, placed) in [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3)] {
        for is_marked in [true, false] {
            let fixture = Fixture::new();
            half_restored(&fixture);
            let work = fixture.data().join(".mainstay-restore");
            let names = ["a", "b", "old"].iter().take(out);
            let mut stage = work.join("new");
            let mut rename = |to: &str| {
                fs::rename(&stage, work.join(to)).unwrap();
                stage = work.join(to);
            };
            if out > 0 || is_marked {
                rename("ready");
            }
            for name in names {
                fs::rename(fixture.data().join(name), work.join("old").join(name)).unwrap();
            }
            let goes_on = placed > 0 || (out == 3 && is_marked);
            if goes_on {
                rename("placing");
            }
            for name in ["a", "b", "new"].iter().take(placed) {
                fs::rename(work.join("placing").join(name), fixture.data().join(name)).unwrap();
            }
            if placed == 3 && is_marked {
                rename("placed");
            }
            assert_eq!(fixture.sweep(&[]), []);
            let expected = match goes_on {
                true => files(["a", "b", "new"], "new"),
                false => files(["a", "b", "old"], "old"),
            };
            assert_eq!(held(&fixture), expected, "{out} {placed} {is_marked}");
        }
    }
}

#[test]
fn an_exchange_that_is_not_kept_is_taken_back_and_what_came_meanwhile_is_kept() {
    let fixture = Fixture::new();
    let inside = half_restored(&fixture);
    inside.place().unwrap();
    inside.take_back().unwrap();
    inside.finish().unwrap();
    assert_eq!(held(&fixture), files(["a", "b", "old"], "old"));

    // A crash, and then a service that writes where the old tree is to go back.
    let fixture = Fixture::new();
    half_restored(&fixture);
    let work = fixture.data().join(".mainstay-restore");
    fs::rename(work.join("new"), work.join("ready")).unwrap();
    fs::rename(fixture.data().join("a"), work.join("old/a")).unwrap();
    fixture.put("a", "newer");
    let problems = fixture.sweep(&[]);
    let error = problems[0].to_string();
    assert!(error.contains("move one of them away"), "{error}");
    let kept = fs::read_to_string(work.join("old/a")).unwrap();
    assert_eq!(kept, "old");
    fs::remove_file(fixture.data().join("a")).unwrap();
    assert_eq!(fixture.sweep(&[]), []);
    assert_eq!(held(&fixture), files(["a", "b", "old"], "old"));
}

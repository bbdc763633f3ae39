//! What a restore in place may replace.

use super::*;

fn directory(path: &Path, prefix: &str) -> BackupSource {
    BackupSource::Directory {
        path: path.to_owned(),
        prefix: prefix.to_owned(),
    }
}

impl Fixture {
    fn restore_in_place(&self, id: &BackupId) -> Result<RestoredTree, BackupStoreError> {
        let place = RestorePlace::InPlace(self.sources.clone());
        let chain = std::slice::from_ref(id);
        self.store.restore(&job(), chain, &place, &no_progress())
    }

    fn other(&self) -> PathBuf {
        let other = self.directory.path().join("other");
        fs::create_dir_all(&other).unwrap();
        other
    }
}

fn read(path: &Path, name: &str) -> String {
    fs::read_to_string(path.join(name)).unwrap()
}

#[test]
fn a_source_that_the_backup_does_not_hold_is_not_emptied() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("app/a", "below");
    fixture.sources = vec![directory(&fixture.data(), "")];
    let backup = fixture.take(BackupType::Full, &[]).manifest.id;
    fixture.put("a", "two");
    let (data, other) = (fixture.data(), fixture.other());
    fs::write(other.join("b"), "new").unwrap();
    for sources in [
        // A source was added, with or without a directory of that name in the backup; a prefix was changed.
        vec![directory(&data, ""), directory(&other, "other")],
        vec![directory(&data, ""), directory(&other, "app")],
        vec![directory(&data, "data")],
    ] {
        fixture.sources = sources;
        // Nothing is stopped for it either.
        let judged = fixture.judge_in_place(std::slice::from_ref(&backup));
        for refused in [judged, fixture.restore_in_place(&backup).map(drop)] {
            let error = refused.unwrap_err().to_string();
            assert!(
                error.contains("holds nothing of the source") && error.contains("--into"),
                "{error}"
            );
        }
        assert_eq!(
            (read(&data, "a"), read(&other, "b")),
            ("two".into(), "new".into())
        );
    }
    let left = fs::read_dir(fixture.directory.path()).unwrap().count();
    assert_eq!(
        left, 3,
        "two sources and the state, and nothing beside them"
    );
}

#[test]
fn a_source_that_an_emergency_backup_found_absent_stays_as_it_is() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let absent = fixture.directory.path().join("other");
    fixture.sources = vec![
        directory(&fixture.data(), "data"),
        directory(&absent, "other"),
    ];
    let backup = fixture.take(BackupType::Emergency, &[]).manifest.id;
    fixture.put("a", "two");
    fs::write(fixture.other().join("b"), "new").unwrap();
    fixture.restore_in_place(&backup).unwrap();
    let (data, other) = (fixture.data(), fixture.other());
    assert_eq!(
        (read(&data, "a"), read(&other, "b")),
        ("one".into(), "new".into())
    );

    // One that was added since was not absent then.
    let added = fixture.directory.path().join("added");
    fixture.sources.push(directory(&added, "added"));
    let error = fixture.restore_in_place(&backup).unwrap_err().to_string();
    assert!(error.contains("added"), "{error}");
}

#[test]
fn what_has_no_place_in_a_restore_in_place_is_counted_and_named() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let other = fixture.other();
    fs::write(other.join("b"), "two").unwrap();
    let dump = BackupSource::Command {
        run: ["sh", "-c", "echo dump"].map(str::to_owned).to_vec(),
        cwd: "/".into(),
        run_as: mainstay_domain::spec::RunAs::default(),
        key: "app.sql".to_owned(),
        timeout: Duration::from_secs(20),
    };
    fixture.sources = vec![
        directory(&fixture.data(), "data"),
        directory(&other, "other"),
        dump.clone(),
    ];
    let backup = fixture.take(BackupType::Full, &[]).manifest.id;
    // One directory is no source any more.
    fixture.sources = vec![directory(&fixture.data(), "data"), dump];
    let restored = fixture.restore_in_place(&backup).unwrap();
    let NotPutBack {
        documents,
        mut first,
    } = restored.not_put_back;
    first.sort();
    assert_eq!(documents, 3);
    assert_eq!(first, ["app.sql", "other", "other/b"]);
    assert_eq!(restored.documents, 2);
    let into = fixture.restore_into(&[backup], "into").unwrap();
    assert_eq!(read(&into, "app.sql"), "dump\n");
}

#[test]
fn what_the_daemons_user_may_not_write_is_judged_to_be_in_the_way() {
    use rustix::{process::Uid, thread::set_thread_res_uid};
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let judge = || fixture.judge_in_place(&chain);
    assert_eq!(judge(), Ok(()));
    let above = fixture.directory.path();
    fs::set_permissions(above, fs::Permissions::from_mode(0o500)).unwrap();
    // Root may do anything: this thread reads as root, and is asked about as another user.
    let judged = std::thread::scope(|scope| {
        let judging = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = Uid::from_raw(65_534);
                set_thread_res_uid(nobody, Uid::ROOT, Uid::ROOT).unwrap();
            }
            judge()
        });
        judging.join().unwrap()
    });
    fs::set_permissions(above, fs::Permissions::from_mode(0o700)).unwrap();
    let error = judged.unwrap_err().to_string();
    assert!(
        error.contains("cannot be written") && error.contains("give the daemon's user access"),
        "{error}"
    );
    assert_eq!(judge(), Ok(()));
    assert_eq!(read(&fixture.data(), "a"), "good");
}

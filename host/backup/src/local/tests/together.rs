//! Sources of one job whose documents meet.

use super::{
    mounted::{Mounted, may_mount},
    *,
};

#[test]
fn what_would_lie_below_a_file_or_a_link_of_another_source_is_refused_and_below_a_directory_restored()
 {
    let mut fixture = Fixture::new();
    let other = fixture.directory.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("x"), "of the other").unwrap();
    let data = BackupSource::Directory {
        path: fixture.data(),
        prefix: String::new(),
    };
    let below = [
        BackupSource::Directory {
            path: other.clone(),
            prefix: "app/deep".to_owned(),
        },
        BackupSource::File {
            path: other.join("x"),
            key: "app/deep/x".to_owned(),
        },
    ];
    let app = fixture.data().join("app");
    for (number, source) in below.into_iter().enumerate() {
        fixture.sources = vec![data.clone(), source];
        for is_link in [false, true] {
            match is_link {
                false => fixture.put("app", "a file"),
                true => symlink("elsewhere", &app).unwrap(),
            }
            let request = fixture.request(BackupType::Full, &[]);
            let refused = fixture.store.take(&request, &no_progress()).unwrap_err();
            assert!(matches!(refused, BackupStoreError::Source(_)), "{refused}");
            let refused = refused.to_string();
            assert!(refused.contains("lies below `app`"), "{refused}");
            fs::remove_file(&app).unwrap();
        }
        fixture.put("app/own", "own");
        let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
        let verified = fixture.store.verify(&job(), &chain, &no_progress());
        assert_eq!(verified, Ok(vec![]));
        let restored = fixture.restore_into(&chain, &format!("restored-{number}"));
        let restored = restored.unwrap().join("app");
        assert_eq!(fs::read_to_string(restored.join("own")).unwrap(), "own");
        let of_other = fs::read_to_string(restored.join("deep/x")).unwrap();
        assert_eq!(of_other, "of the other");
        fs::remove_dir_all(&app).unwrap();
    }
}

#[test]
fn a_directory_that_is_mounted_elsewhere_too_is_no_two_sources() {
    if !may_mount("together::a_directory_that_is_mounted_elsewhere_too_is_no_two_sources") {
        return;
    }
    let mut fixture = Fixture::new();
    fixture.put("sub/a", "one");
    let bound = Mounted::bind(&fixture.data(), fixture.directory.path().join("bound"));
    let directory = |path: PathBuf, prefix: &str| BackupSource::Directory {
        path,
        prefix: prefix.to_owned(),
    };
    fixture.sources = vec![directory(fixture.data(), "data")];
    fixture.take(BackupType::Full, &[]);
    for other in [bound.0.clone(), bound.0.join("sub")] {
        fixture.sources = vec![directory(fixture.data(), "data"), directory(other, "other")];
        let request = fixture.request(BackupType::Full, &[]);
        let refused = fixture.store.take(&request, &no_progress()).unwrap_err();
        // Before anything is stopped for a restore in place, which takes one before.
        let judged = fixture.judge_in_place(&[]).unwrap_err();
        for refused in [refused.to_string(), judged.to_string()] {
            assert!(refused.contains("by a mount"), "{refused}");
        }
    }
    drop(bound);
    let beside = fixture.directory.path().join("bound");
    fixture.sources = vec![
        directory(fixture.data(), "data"),
        directory(beside, "other"),
    ];
    fixture.take(BackupType::Full, &[]);
}

//! What could be verified and never be put back is not taken.

use super::*;

fn directory(path: &Path, prefix: &str) -> BackupSource {
    BackupSource::Directory {
        path: path.to_owned(),
        prefix: prefix.to_owned(),
    }
}

fn printed(key: &str) -> BackupSource {
    BackupSource::Command {
        run: vec!["echo".into(), "hi".into()],
        cwd: "/".into(),
        run_as: mainstay_domain::spec::RunAs::default(),
        key: key.to_owned(),
        timeout: Duration::from_secs(9),
    }
}

#[test]
fn sources_that_could_never_be_restored_are_refused_and_leave_nothing() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("below/b", "two");
    let data = fixture.data();
    let link = fixture.directory.path().join("link");
    symlink("data/below", &link).unwrap();
    // Something is stored, so that there is a store.
    let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
    let (store, into_store) = (
        fixture.job_dir(),
        fixture.directory.path().join("into-store"),
    );
    symlink(&store, &into_store).unwrap();
    let before = fs::read_dir(&store).unwrap().count();
    for (sources, says) in [
        (vec![printed(".")], "the key `.` is the directory"),
        (vec![printed("k"), printed("k/x")], "lies below it"),
        (vec![printed("k/x"), printed("k")], "lies below it"),
        (vec![printed("k"), directory(&data, "k/x")], "lies below it"),
        (
            vec![directory(&data, ""), directory(&data.join("below"), "b")],
            "lies in",
        ),
        (vec![directory(&link, "b"), directory(&data, "")], "lies in"),
        (vec![directory(&store, "")], "where backups are stored"),
        (
            vec![directory(&store.join(".."), "")],
            "where backups are stored",
        ),
        (vec![directory(&into_store, "")], "where backups are stored"),
    ] {
        fixture.sources = sources;
        for backup_type in [BackupType::Full, BackupType::Emergency] {
            let request = fixture.request(backup_type, &[]);
            let error = fixture.store.take(&request, &no_progress()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
    }
    assert_eq!(fs::read_dir(&store).unwrap().count(), before);
    fixture.sources = vec![directory(&data, ""), printed("k/x"), printed("k/y")];
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    let all = fixture.restore_into(&[id], "all").unwrap();
    assert_eq!(fs::read_to_string(all.join("k/y")).unwrap(), "hi\n");
    fixture.restore_into(&chain, "first").unwrap();
}

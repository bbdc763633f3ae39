//! Files that are sources by themselves.

use super::*;

impl Fixture {
    /// A file as the one source.
    fn of_file(name: &str, key: &str) -> Self {
        let mut fixture = Self::new();
        fixture.sources = vec![BackupSource::File {
            path: fixture.data().join(name),
            key: key.to_owned(),
        }];
        fixture
    }

    fn refused(&self, backup_type: BackupType) -> String {
        let request = self.request(backup_type, &[]);
        let taken = self.store.take(&request, &no_progress());
        taken.unwrap_err().to_string()
    }
}

#[test]
fn a_file_is_one_document_under_its_key_with_its_metadata() {
    let fixture = Fixture::of_file("app.conf", "etc/app.conf");
    fixture.put("app.conf", "one");
    fixture.put("beside", "not meant");
    let file = fixture.data().join("app.conf");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let mut chain = Vec::new();
    assert_eq!(
        fixture
            .extend(BackupType::Full, &mut chain)
            .manifest
            .documents,
        1
    );
    let again = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(again.manifest.documents, 0);
    fixture.put("app.conf", "two, and longer");
    let changed = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(changed.manifest.documents, 1);
    let into = fixture
        .restore_into(&chain, "into")
        .unwrap()
        .join("etc/app.conf");
    assert_eq!(fs::read_to_string(&into).unwrap(), "two, and longer");
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(modified(&into), modified(&file));
    assert_eq!(
        fs::metadata(&into).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn a_link_to_a_file_is_followed_and_what_is_none_is_refused() {
    let fixture = Fixture::of_file("link", "app.conf");
    fixture.put("app.conf", "one");
    symlink("app.conf", fixture.data().join("link")).unwrap();
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    let into = fixture.restore_into(&[id], "into").unwrap();
    assert_eq!(fs::read_to_string(into.join("app.conf")).unwrap(), "one");

    for name in [".", "none"] {
        let fixture = Fixture::of_file(name, "app.conf");
        let error = fixture.refused(BackupType::Full);
        assert!(error.contains("cannot read the source"), "{name}: {error}");
    }
    let error = Fixture::of_file(".", "app.conf").refused(BackupType::Full);
    assert!(error.contains("it is no file"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_missed_in_an_emergency_and_none_is_put_back_in_place() {
    let mut fixture = Fixture::of_file("none", "app.conf");
    fixture.put("a", "one");
    fixture.sources.push(BackupSource::Directory {
        path: fixture.data(),
        prefix: "data".to_owned(),
    });
    let request = TakeBackup {
        unreadable: Unreadable::IsLeftOut,
        ..fixture.request(BackupType::Emergency, &[])
    };
    let taken = fixture.store.take(&request, &no_progress()).unwrap();
    assert!(taken.manifest.incomplete);

    fixture.put("none", "there now");
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &[id], &place, &no_progress())
        .unwrap();
    assert_eq!(restored.not_put_back.first, ["app.conf"]);
}

#[test]
fn what_a_server_answers_is_one_document_and_the_same_again_is_no_change() {
    let mut fixture = Fixture::new();
    let answering = |url: &str| {
        BackupSource::Http(HttpSource {
            url: url.to_owned(),
            headers: Default::default(),
            key: "dump.json".to_owned(),
            timeout: Duration::from_secs(20),
            max_bytes: 1 << 20,
        })
    };
    fixture.sources = vec![answering("http://one")];
    let mut chain = Vec::new();
    fixture.extend(BackupType::Full, &mut chain);
    let again = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(again.manifest.documents, 0);
    let into = fixture.restore_into(&chain, "into").unwrap();
    assert_eq!(fs::read_to_string(into.join("dump.json")).unwrap(), "one");
    fixture.sources = vec![answering("gone")];
    assert!(fixture.refused(BackupType::Full).contains("no server"));
    let left = fs::read_dir(fixture.job_dir()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    let of_spool = |name: &&std::ffi::OsString| name.to_string_lossy().contains("spool");
    assert_eq!(left.iter().find(of_spool), None, "{left:?}");
}

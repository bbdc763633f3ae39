//! Archives that are encrypted, and manifests that are signed.

use super::*;
use crate::{
    age_keys::{read_identity_file, write_new_identity},
    port::{BackupKeys, GivenIdentities, STORED_ONLY, UNSIGNED},
};
use mainstay_domain::archive::Encryption;
use std::os::unix::fs::MetadataExt;

/// What a config would say.
#[derive(Default)]
struct TestKeys {
    identity: Mutex<Option<PathBuf>>,
    trusted: Mutex<Vec<String>>,
}

impl BackupKeys for TestKeys {
    fn identity(&self, _: &JobName) -> Option<PathBuf> {
        self.identity.lock().clone()
    }

    fn trusted(&self) -> Vec<String> {
        self.trusted.lock().clone()
    }
}

pub(super) struct Sealed {
    pub(super) fixture: Fixture,
    keys: Arc<TestKeys>,
    /// The files of the identities of its two recipients.
    pub(super) files: [PathBuf; 2],
    pub(super) recipients: Vec<String>,
}

impl Sealed {
    /// Backups to two recipients; nothing here opens them.
    pub(super) fn new() -> Self {
        let mut fixture = Fixture::new();
        let keys = Arc::new(TestKeys::default());
        let given: Arc<dyn BackupKeys> = keys.clone();
        fixture.store = fixture.store.with_keys(given);
        let files = ["one.txt", "two.txt"].map(|name| fixture.directory.path().join(name));
        let recipients = files.iter().map(|file| write_new_identity(file).unwrap());
        let recipients = recipients.collect();
        Self {
            fixture,
            keys,
            files,
            recipients,
        }
    }

    /// Goes on with another store over the same, as the next process has it.
    pub(super) fn reopen(&mut self) {
        let keys: Arc<dyn BackupKeys> = self.keys.clone();
        let opened = self.fixture.opened().with_keys(keys);
        let sizes = self.fixture.store.sizes;
        self.fixture.store = LocalBackups { sizes, ..opened };
    }

    pub(super) fn opens_with(&self, file: &Path) {
        *self.keys.identity.lock() = Some(file.to_owned());
    }

    pub(super) fn request(&self, backup_type: BackupType, chain: &[BackupId]) -> TakeBackup {
        TakeBackup {
            sealing: SealingSpec {
                encryption: Encryption::Age {
                    recipients: self.recipients.clone(),
                },
                recipients_file: None,
                identity: self.keys.identity(&job()),
                index: true,
            },
            ..self.fixture.request(backup_type, chain)
        }
    }

    pub(super) fn extend(&self, backup_type: BackupType, chain: &mut Vec<BackupId>) -> TakenBackup {
        let request = self.request(backup_type, chain);
        let taken = self.fixture.store.take(&request, &no_progress()).unwrap();
        chain.push(taken.manifest.id.clone());
        taken
    }

    pub(super) fn archive(&self, id: &BackupId) -> PathBuf {
        self.fixture.job_dir().join(format!("{id}.jsonl.zst.age"))
    }

    pub(super) fn verify(&self, chain: &[BackupId]) -> Result<Vec<String>, BackupStoreError> {
        self.fixture.store.verify(&job(), chain, &no_progress())
    }
}

fn is_corrupted<T>(result: Result<T, BackupStoreError>) -> String {
    match result.err().unwrap() {
        BackupStoreError::Corrupted { what, .. } => what,
        other => panic!("it is {other}"),
    }
}

fn is_untrusted<T>(result: Result<T, BackupStoreError>) -> String {
    match result.err().unwrap() {
        BackupStoreError::Untrusted { what, .. } => what,
        other => panic!("it is {other}"),
    }
}

pub(super) fn is_locked<T>(result: Result<T, BackupStoreError>) -> String {
    match result.err().unwrap() {
        BackupStoreError::Locked(what) => what,
        other => panic!("it is {other}"),
    }
}

#[test]
fn each_recipient_opens_a_chain_and_its_bytes_show_nothing() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let mut chain = Vec::new();
    sealed
        .fixture
        .put("secret", "the content of a secret ".repeat(9));
    sealed.extend(BackupType::Full, &mut chain);
    // Several pieces of age, and several parts of a document.
    let large: Vec<u8> = (0..700_000_u32)
        .flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    sealed.fixture.put("large", &large);
    let taken = sealed.extend(BackupType::Incremental, &mut chain);
    assert_eq!(taken.warnings, [""; 0]);
    let expected = sealed.fixture.tree(&sealed.fixture.data());
    for id in &chain {
        let bytes = fs::read(sealed.archive(id)).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    }
    assert_eq!(
        taken.manifest.stored_bytes,
        fs::metadata(sealed.archive(&chain[1])).unwrap().len()
    );
    for (file, name) in sealed.files.iter().zip(["first", "second"]) {
        sealed.opens_with(file);
        assert_eq!(sealed.verify(&chain), Ok(Vec::new()));
        let restored = sealed.fixture.restore_into(&chain, name).unwrap();
        assert_same_tree(&sealed.fixture, &restored, &expected);
    }
    sealed
        .fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
}

#[test]
fn a_host_backs_up_what_it_cannot_read() {
    let sealed = Sealed::new();
    let mut chain = Vec::new();
    sealed.fixture.put("a", "one");
    let full = sealed.extend(BackupType::Full, &mut chain);
    assert_eq!(full.warnings, [""; 0]);
    sealed.fixture.put("b", "two");
    let difference = sealed.extend(BackupType::Incremental, &mut chain);
    assert_eq!(difference.manifest.parent.unwrap().id, chain[0]);
    let notes = sealed.verify(&chain).unwrap();
    assert!(notes[0].starts_with(STORED_ONLY), "{notes:?}");
    let why = is_locked(sealed.fixture.restore_into(&chain, "restored"));
    assert!(
        why.contains("identity = { file") && why.contains(&sealed.recipients[1]),
        "{why}"
    );
    is_locked(
        sealed
            .fixture
            .store
            .drill(&job(), &chain, None, &no_progress()),
    );
    // With neither index nor identity there is nothing to make a difference to.
    fs::remove_file(
        sealed
            .fixture
            .job_dir()
            .join(format!("{}.index.zst", chain[1])),
    )
    .unwrap();
    let request = sealed.request(BackupType::Incremental, &chain);
    is_locked(sealed.fixture.store.take(&request, &no_progress()));
    assert!(!sealed.archive(&request.id).exists());
}

#[test]
fn what_is_given_for_one_piece_of_work_opens_it_and_nothing_else() {
    let sealed = Sealed::new();
    let mut chain = Vec::new();
    sealed.fixture.put("a", "one");
    sealed.extend(BackupType::Full, &mut chain);
    let again = LocalBackups {
        layout: sealed.fixture.store.layout.clone(),
        programs: Arc::new(Programs),
        now: Arc::new(now),
        stop: CancellationToken::new(),
        sizes: ChunkSizes::default(),
    };
    let again = Arc::new(again);
    let given = |file: &Path| {
        let text = read_identity_file(file).unwrap();
        Arc::clone(&again).with_identities(GivenIdentities::parse(&text).unwrap())
    };
    let opened = given(&sealed.files[1]);
    assert_eq!(opened.verify(&job(), &chain, &no_progress()), Ok(vec![]));
    opened.drill(&job(), &chain, None, &no_progress()).unwrap();
    assert_eq!(sealed.verify(&chain).unwrap().len(), 1, "as stored alone");
    is_locked(again.drill(&job(), &chain, None, &no_progress()));
    let other = sealed.fixture.directory.path().join("other.txt");
    write_new_identity(&other).unwrap();
    let why = is_locked(given(&other).drill(&job(), &chain, None, &no_progress()));
    assert!(why.contains("no identity that was given"), "{why}");
    // Beside one that is configured.
    sealed.opens_with(&sealed.files[0]);
    given(&other)
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
}

#[test]
fn an_identity_of_somebody_else_opens_nothing_and_keeps_no_backup_from_being_taken() {
    let sealed = Sealed::new();
    let other = sealed.fixture.directory.path().join("other.txt");
    write_new_identity(&other).unwrap();
    sealed.opens_with(&other);
    let mut chain = Vec::new();
    sealed.fixture.put("a", "one");
    let taken = sealed.extend(BackupType::Full, &mut chain);
    assert!(
        taken.warnings[0].contains("other.txt"),
        "{:?}",
        taken.warnings
    );
    let why = is_locked(sealed.fixture.restore_into(&chain, "restored"));
    assert!(why.contains("other.txt"), "{why}");
    fs::set_permissions(&sealed.files[0], fs::Permissions::from_mode(0o644)).unwrap();
    sealed.opens_with(&sealed.files[0]);
    let why = is_locked(sealed.fixture.restore_into(&chain, "restored"));
    assert!(why.contains("mode 0644"), "{why}");
}

#[test]
fn every_flipped_byte_of_a_sealed_archive_is_found_with_an_identity_and_without() {
    let sealed = Sealed::new();
    let mut chain = Vec::new();
    sealed.fixture.put("a", "one");
    sealed.extend(BackupType::Full, &mut chain);
    let path = sealed.archive(&chain[0]);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&path, &flipped).unwrap();
        *sealed.keys.identity.lock() = None;
        is_corrupted(sealed.verify(&chain));
        sealed.opens_with(&sealed.files[0]);
        is_corrupted(sealed.verify(&chain));
    }
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..cut]).unwrap();
        is_corrupted(sealed.verify(&chain));
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(sealed.verify(&chain), Ok(Vec::new()));
}

#[test]
fn recipients_of_a_file_count_beside_those_of_the_config_and_a_wrong_line_fails_the_backup() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[1]);
    let list = sealed.fixture.directory.path().join("recipients.txt");
    fs::write(&list, format!("# ours\n{}\n", sealed.recipients[1])).unwrap();
    let mut request = sealed.request(BackupType::Full, &[]);
    request.sealing.encryption = Encryption::Age {
        recipients: Vec::new(),
    };
    request.sealing.recipients_file = Some(list.clone());
    let taken = sealed.fixture.store.take(&request, &no_progress()).unwrap();
    let recipients = vec![sealed.recipients[1].clone()];
    assert_eq!(taken.manifest.encryption, Encryption::Age { recipients });
    sealed
        .fixture
        .restore_into(std::slice::from_ref(&request.id), "restored")
        .unwrap();
    fs::write(&list, "# ours\nage1wrong\n").unwrap();
    let mut request = sealed.request(BackupType::Full, &[]);
    request.sealing.recipients_file = Some(list);
    let error = sealed
        .fixture
        .store
        .take(&request, &no_progress())
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("recipients.txt, line 2"),
        "{error}"
    );
    assert_eq!(sealed.fixture.stored().len(), 1);
}

#[test]
fn without_index_none_is_left_and_each_backup_reads_its_chain() {
    let sealed = Sealed::new();
    sealed.opens_with(&sealed.files[0]);
    let mut chain = Vec::new();
    sealed.fixture.put("a", "one");
    // Of a chain before too.
    sealed.extend(BackupType::Full, &mut Vec::new());
    sealed.extend(BackupType::Full, &mut chain);
    let mut request = sealed.request(BackupType::Incremental, &chain);
    request.sealing.index = false;
    sealed.fixture.store.take(&request, &no_progress()).unwrap();
    chain.push(request.id);
    let names = fs::read_dir(sealed.fixture.job_dir()).unwrap();
    for name in names {
        let name = name.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".index.zst"), "{name}");
    }
    sealed.fixture.put("b", "two");
    sealed.extend(BackupType::Incremental, &mut chain);
    let expected = sealed.fixture.tree(&sealed.fixture.data());
    let restored = sealed.fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&sealed.fixture, &restored, &expected);
}

#[test]
fn a_manifest_that_another_host_signed_counts_only_where_its_key_is_trusted() {
    let (first, second) = (Sealed::new(), Sealed::new());
    let mut chain = Vec::new();
    first.fixture.put("a", "one");
    first.extend(BackupType::Full, &mut chain);
    fs::create_dir_all(second.fixture.job_dir().parent().unwrap()).unwrap();
    let status = Command::new("cp")
        .arg("-a")
        .args([first.fixture.job_dir(), second.fixture.job_dir()])
        .status();
    assert!(status.unwrap().success());
    let found = second
        .fixture
        .store
        .stored(&job(), &BTreeSet::new(), StoredLook::Length)
        .unwrap();
    assert_eq!(found.stored, []);
    assert_eq!(found.left_out.len(), 1);
    let why = &found.left_out[0];
    assert!(
        why.contains(&format!("{}.json", chain[0])) && why.contains("trusted_backup_keys"),
        "{why}"
    );
    let verified = second.fixture.store.verify(&job(), &chain, &no_progress());
    for what in [
        is_untrusted(second.fixture.store.committed(&job(), &chain[0])),
        is_untrusted(verified),
    ] {
        assert!(what.contains("trusted_backup_keys"), "{what}");
    }
    let key = first.fixture.store.signing_key().unwrap();
    assert_ne!(second.fixture.store.signing_key(), Ok(key.clone()));
    second.keys.trusted.lock().push(key);
    assert_eq!(second.fixture.stored().len(), 1);
    second.opens_with(&first.files[0]);
    second.fixture.restore_into(&chain, "restored").unwrap();
}

#[test]
fn a_manifest_that_is_changed_swapped_or_stripped_of_its_signature_never_counts() {
    let sealed = Sealed::new();
    let mut chain = Vec::new();
    sealed.fixture.put("a", "one");
    // The key is older than the first backup, as in a daemon.
    sealed.fixture.store.signing_key().unwrap();
    let taken = sealed.extend(BackupType::Full, &mut chain).manifest;
    let path = sealed.fixture.job_dir().join(format!("{}.json", chain[0]));
    let mode = fs::metadata(
        sealed
            .fixture
            .directory
            .path()
            .join("state/backup-signing.key"),
    );
    assert_eq!(mode.unwrap().permissions().mode() & 0o777, 0o600);
    let refused = |manifest: &Manifest, expected: &str| {
        fs::write(&path, manifest.to_bytes().unwrap()).unwrap();
        let is_refused = |why: BackupStoreError| match &manifest.signature {
            Some(_) => is_corrupted::<()>(Err(why)),
            None => is_untrusted::<()>(Err(why)),
        };
        let committed = sealed.fixture.store.committed(&job(), &chain[0]);
        let what = is_refused(committed.unwrap_err());
        assert!(what.contains(expected), "{what}");
        let what = is_refused(sealed.verify(&chain).unwrap_err());
        assert!(what.contains(expected), "{what}");
        assert!(sealed.fixture.stored().is_empty());
    };
    let changed = Manifest {
        documents: 7,
        ..taken.clone()
    };
    refused(&changed, "changed after it was written");
    let plain = Manifest {
        encryption: Encryption::None,
        ..taken.clone()
    };
    refused(&plain, "changed after it was written");
    for format in [1, 2] {
        let stripped = Manifest {
            format,
            signature: None,
            ..taken.clone()
        };
        refused(&stripped, "signed by nobody");
    }
    sealed.keys.trusted.lock().push(UNSIGNED.to_owned());
    assert_eq!(sealed.fixture.stored().len(), 1);
    fs::write(&path, taken.to_bytes().unwrap()).unwrap();
    assert_eq!(sealed.verify(&chain).unwrap().len(), 1);
}

impl Fixture {
    /// The same store in a process that has read no key yet.
    fn reopen(&mut self) {
        let tiers = Arc::clone(&self.tiers);
        self.store = LocalBackups::new(
            &self.directory.path().join("state"),
            Arc::new(move || tiers.lock().clone()),
            Arc::new(Programs),
            Arc::new(now),
            CancellationToken::new(),
        );
    }

    /// A full backup that says it was taken then.
    fn take_at(&self, at: Timestamp) -> Manifest {
        let request = TakeBackup {
            id: BackupId::new(BackupType::Full, IdSource::new(at.as_millis()).next(at)),
            ..self.request(BackupType::Full, &[])
        };
        self.store.take(&request, &no_progress()).unwrap().manifest
    }

    /// Writes a manifest as a version before signatures would have.
    fn strip(&self, manifest: &Manifest) {
        let stripped = Manifest {
            format: 1,
            signature: None,
            ..manifest.clone()
        };
        let path = self.job_dir().join(format!("{}.json", manifest.id));
        fs::write(path, stripped.to_bytes().unwrap()).unwrap();
    }

    fn verified_alone(&self, manifest: &Manifest) -> Result<Vec<String>, BackupStoreError> {
        let chain = [manifest.id.clone()];
        self.store.verify(&job(), &chain, &no_progress())
    }
}

#[test]
fn what_nobody_signed_counts_where_it_lay_there_when_the_key_was_made_whatever_a_clock_said() {
    let mut fixture = Fixture::new();
    let key = |fixture: &Fixture, name: &str| fixture.directory.path().join("state").join(name);
    fixture.put("a", "one");
    let hour = Duration::from_secs(3_600);
    // The clock was behind when the key was made: by it the backup is of later.
    let before = [
        fixture.take_at(now() + hour),
        fixture.take_at(Timestamp::from_millis(1)),
    ];
    before.iter().for_each(|it| fixture.strip(it));
    fixture.store.trash(&job(), &before[1].id).unwrap();
    for name in ["backup-signing.key", "backup-signing.before"] {
        fs::remove_file(key(&fixture, name)).unwrap();
    }
    fixture.reopen();
    fixture.store.signing_key().unwrap();
    for _ in 0..2 {
        for manifest in &before {
            assert_eq!(fixture.verified_alone(manifest), Ok(vec![]));
        }
        fixture.reopen();
    }
    // What is put in later counts for nothing, however old it says it is; neither does what is changed.
    let later = fixture.take_at(Timestamp::from_millis(2));
    fixture.strip(&later);
    is_untrusted(fixture.verified_alone(&later));
    let changed = Manifest {
        documents: 7,
        ..before[0].clone()
    };
    fixture.strip(&changed);
    is_untrusted(fixture.verified_alone(&changed));
    fixture.strip(&before[0]);
    // Nobody knows it: then it counts only where a person says so.
    assert!(
        fixture
            .stored()
            .iter()
            .all(|it| it.manifest.id != before[0].id)
    );
    // A new key changes nothing of that.
    fs::remove_file(key(&fixture, "backup-signing.key")).unwrap();
    fixture.reopen();
    assert_eq!(fixture.verified_alone(&before[0]), Ok(vec![]));
    is_untrusted(fixture.verified_alone(&later));
}

#[test]
fn what_could_not_be_read_when_the_key_was_made_is_looked_at_again() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let [old, other] = [1, 2].map(|at| fixture.take_at(Timestamp::from_millis(at)));
    for manifest in [&old, &other] {
        fixture.strip(manifest);
        fixture.store.trash(&job(), &manifest.id).unwrap();
    }
    let state = fixture.directory.path().join("state");
    for name in ["backup-signing.key", "backup-signing.before"] {
        fs::remove_file(state.join(name)).unwrap();
    }
    let (trash, away) = (fixture.job_dir().join("trash"), state.join("away"));
    fs::rename(&trash, &away).unwrap();
    fs::write(&trash, "no directory").unwrap();
    fixture.reopen();
    fixture.store.signing_key().unwrap();
    fs::remove_file(&trash).unwrap();
    fs::rename(&away, &trash).unwrap();
    is_untrusted(fixture.verified_alone(&old));
    // It is another file since.
    let changed = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    let made = changed(&state.join("backup-signing.key"));
    let path = trash.join(format!("{}.json", other.id));
    let bytes = fs::read(&path).unwrap();
    while changed(&path) <= made {
        fs::write(&path, &bytes).unwrap();
    }
    for _ in 0..2 {
        fixture.reopen();
        assert_eq!(fixture.verified_alone(&old), Ok(vec![]));
        is_untrusted(fixture.verified_alone(&other));
    }
    let text = fs::read_to_string(state.join("backup-signing.before")).unwrap();
    assert!(!text.contains("trash"), "{text}");
}

#[test]
fn what_cannot_be_read_keeps_nobody_from_what_lies_beside_it() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let [old, other] = [1, 2].map(|at| fixture.take_at(Timestamp::from_millis(at)));
    for manifest in [&old, &other] {
        fixture.strip(manifest);
    }
    let state = fixture.directory.path().join("state");
    for name in ["backup-signing.key", "backup-signing.before"] {
        fs::remove_file(state.join(name)).unwrap();
    }
    let path = fixture.job_dir().join(format!("{}.json", other.id));
    let away = state.join("away");
    fs::rename(&path, &away).unwrap();
    // Who opens it is led round and round.
    symlink(&path, &path).unwrap();
    for _ in 0..2 {
        fixture.reopen();
        assert_eq!(fixture.verified_alone(&old), Ok(vec![]));
    }
    let noted = fs::read_to_string(state.join("backup-signing.before")).unwrap();
    assert!(noted.contains("unread"), "{noted}");
}

/// A store as a version before signatures left it, with one backup; that, and the directory of the state.
fn with_an_unsigned_one() -> (Fixture, Manifest, PathBuf) {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let old = fixture.take_at(Timestamp::from_millis(1));
    fixture.strip(&old);
    let state = fixture.directory.path().join("state");
    for name in ["backup-signing.key", "backup-signing.before"] {
        fs::remove_file(state.join(name)).unwrap();
    }
    (fixture, old, state)
}

#[test]
fn a_note_of_what_nobody_signed_that_cannot_be_read_holds_up_nothing_that_is_signed() {
    let (mut fixture, old, state) = with_an_unsigned_one();
    fixture.reopen();
    let signed = fixture.take_at(Timestamp::from_millis(2));
    let note = state.join("backup-signing.before");
    let away = state.join("away");
    fs::rename(&note, &away).unwrap();
    let spoils: [fn(&Path); 2] = [
        |note| fs::create_dir(note).unwrap(),
        |note| fs::write(note, "{\"format\":").unwrap(),
    ];
    for (at, spoil) in (3..).zip(spoils) {
        spoil(&note);
        fixture.reopen();
        assert_eq!(fixture.verified_alone(&signed), Ok(vec![]));
        let later = fixture.take_at(Timestamp::from_millis(at));
        assert_eq!(fixture.verified_alone(&later), Ok(vec![]));
        let why = fixture.verified_alone(&old).unwrap_err().to_string();
        assert!(why.contains("backup-signing.before"), "{why}");
        let _ = fs::remove_dir(&note);
        let _ = fs::remove_file(&note);
    }
    // It counts again as soon as the note is back.
    fs::rename(&away, &note).unwrap();
    assert_eq!(fixture.verified_alone(&old), Ok(vec![]));
}

#[test]
fn what_nobody_signed_counts_where_the_config_puts_the_tier_local_too() {
    let (mut fixture, old, state) = with_an_unsigned_one();
    let elsewhere = fixture.directory.path().join("elsewhere");
    fs::rename(state.join("backups"), &elsewhere).unwrap();
    fixture.reopen();
    let fixture = Fixture {
        store: fixture.store.with_root(elsewhere),
        ..fixture
    };
    assert_eq!(fixture.verified_alone(&old), Ok(vec![]));
}

#[test]
fn a_key_that_noted_nothing_takes_what_is_older_than_it_once() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    let old = fixture.take_at(Timestamp::from_millis(1));
    let hour = Duration::from_secs(3_600);
    let newer = fixture.take_at(now() + hour);
    for manifest in [&old, &newer] {
        fixture.strip(manifest);
    }
    let state = fixture.directory.path().join("state");
    fs::remove_file(state.join("backup-signing.before")).unwrap();
    let file = state.join("backup-signing.key");
    let text = fs::read_to_string(&file).unwrap();
    let since = format!("\"since\":\"{}\"}}", now());
    fs::write(
        &file,
        text.trim_end().trim_end_matches('}').to_owned() + "," + &since,
    )
    .unwrap();
    fixture.reopen();
    assert_eq!(fixture.verified_alone(&old), Ok(vec![]));
    is_untrusted(fixture.verified_alone(&newer));
    let later = fixture.take_at(Timestamp::from_millis(2));
    fixture.strip(&later);
    fixture.reopen();
    is_untrusted(fixture.verified_alone(&later));
    assert_eq!(fixture.verified_alone(&old), Ok(vec![]));
}

#[test]
fn who_loses_the_key_has_no_corrupted_backups_and_has_them_back_with_trust() {
    let mut sealed = Sealed::new();
    sealed.fixture.put("a", "one");
    let mut chain = Vec::new();
    sealed.extend(BackupType::Full, &mut chain);
    let key = sealed.fixture.store.signing_key().unwrap();
    let file = sealed
        .fixture
        .directory
        .path()
        .join("state/backup-signing.key");
    fs::remove_file(file).unwrap();
    sealed.fixture.reopen();
    let what = is_untrusted(sealed.verify(&chain));
    assert!(what.contains(&key), "{what}");
    is_untrusted(sealed.fixture.restore_into(&chain, "restored"));
    let request = sealed.request(BackupType::Incremental, &chain);
    is_untrusted(sealed.fixture.store.take(&request, &no_progress()));
    sealed.keys.trusted.lock().push(key);
    let given: Arc<dyn BackupKeys> = sealed.keys.clone();
    sealed.fixture.reopen();
    sealed.fixture.store = sealed.fixture.store.with_keys(given);
    assert_eq!(sealed.verify(&chain).unwrap().len(), 1);
    sealed.extend(BackupType::Incremental, &mut chain);
}

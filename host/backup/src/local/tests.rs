pub(super) mod broken_off;
mod buckets;
mod chunked;
mod contents;
pub(super) mod crashes;
mod deletions;
mod destinations;
pub(super) mod doubt;
mod faults;
mod flips;
mod given;
mod held;
mod histories;
mod immutable;
mod in_place;
mod incomplete;
mod known;
mod lengths;
mod linkless;
mod many;
mod merged;
mod mounted;
mod own_places;
mod pending;
mod reading;
mod rekeyed;
mod room;
mod scratch;
mod sealed;
mod single;
mod sqlite;
mod swapped;
mod swaps;
mod tiers;
mod together;
mod undeleted;
mod unread;
mod unrestorable;
mod whole_trees;

use super::*;
use crate::port::{
    Collecting, NotPutBack, OnContent, OnSourcePart, RestoredTree, SourceProgram, StoredBackup,
    TierPlace, Unreadable,
};
use mainstay_domain::{
    archive::DocumentKey,
    backup::BackupType,
    id::IdSource,
    name::TierName,
    spec::{HttpSource, ReadingSpec, RedisSource, SealingSpec},
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// Runs programs without what a host adds to that.
struct Programs;

impl SourcePrograms for Programs {
    fn run(
        &self,
        source: &SourceProgram<'_>,
        on_bytes: &mut OnContent<'_>,
        _: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let (name, arguments) = source.run.split_first().unwrap();
        let mut command = Command::new(name);
        command.args(arguments).current_dir(source.cwd);
        let output = command.output().unwrap();
        on_bytes(&output.stdout)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(BackupStoreError::Source(format!("`{name}` failed"))),
        }
    }

    /// No server: what it would answer is in the URL.
    fn fetch(
        &self,
        source: &HttpSource,
        output: &fs::File,
        _: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let mut output = output;
        match source.url.strip_prefix("http://") {
            Some(answer) => output.write_all(answer.as_bytes()).unwrap(),
            None => return Err(BackupStoreError::Source("no server".to_owned())),
        }
        Ok(())
    }

    /// No server: what it would give is the patterns, and it breaks off where there are three.
    fn dump(
        &self,
        source: &RedisSource,
        on_bytes: &mut OnContent<'_>,
        _: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let mut patterns = source.keys.iter();
        patterns.try_for_each(|pattern| on_bytes(pattern.as_bytes()))?;
        match source.keys.len() {
            3 => Err(BackupStoreError::Source("it breaks off".to_owned())),
            _ => Ok(()),
        }
    }

    fn collect(
        &self,
        asked: &Collecting<'_>,
        on_part: &mut OnSourcePart<'_>,
        _: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        given::give(asked, on_part)
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap())
}

/// A store, a source directory, and the chain that was taken so far.
struct Fixture {
    directory: TempDir,
    store: LocalBackups,
    /// Those of the config, beside the one in the state directory.
    tiers: Arc<Mutex<Vec<(TierName, TierPlace)>>>,
    ids: Mutex<IdSource>,
    sources: Vec<BackupSource>,
    reading: ReadingSpec,
}

fn no_progress() -> OnProgress {
    Arc::new(|_| ())
}

fn job() -> JobName {
    JobName::parse("state").unwrap()
}

pub(super) fn key(text: &str) -> DocumentKey {
    DocumentKey::parse(text).unwrap()
}

/// Where a table below a state directory sets aside what is more than so many bytes.
pub(super) fn aside(state: &Path, most: usize) -> table::Aside {
    let layout = Layout::new(state, Arc::new(Vec::<(TierName, TierPlace)>::new));
    let id = BackupId::parse("ful-01K0000000000000000000000D").unwrap();
    fs::create_dir_all(layout.job(&job())).unwrap();
    table::Aside::new(&layout, &job(), &id).holding(most)
}

fn store_at(directory: &Path, tiers: &Arc<Mutex<Vec<(TierName, TierPlace)>>>) -> LocalBackups {
    let configured = Arc::clone(tiers);
    LocalBackups::new(
        &directory.join("state"),
        Arc::new(move || configured.lock().clone()),
        Arc::new(Programs),
        Arc::new(now),
        CancellationToken::new(),
    )
}

impl LocalBackups {
    fn restore(
        &self,
        job: &JobName,
        chain: &[BackupId],
        place: &RestorePlace,
        progress: &OnProgress,
    ) -> Result<RestoredTree, BackupStoreError> {
        self.stage(job, chain, place, &RestoreRules::default(), progress)?
            .place()
    }
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("data");
        fs::create_dir(&source).unwrap();
        let tiers = Arc::new(Mutex::new(Vec::new()));
        let store = store_at(directory.path(), &tiers);
        let sources = vec![BackupSource::Directory {
            path: source,
            prefix: String::new(),
        }];
        Self {
            directory,
            store,
            tiers,
            ids: Mutex::new(IdSource::new(1)),
            sources,
            reading: ReadingSpec::default(),
        }
    }

    /// Another store over the same.
    fn opened(&self) -> LocalBackups {
        store_at(self.directory.path(), &self.tiers)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn job_dir(&self) -> PathBuf {
        self.directory.path().join("state/backups/state")
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn request(&self, backup_type: BackupType, chain: &[BackupId]) -> TakeBackup {
        let now = now();
        let id = BackupId::new(backup_type, self.ids.lock().next(now));
        TakeBackup {
            id,
            job: job(),
            backup_type,
            sources: self.sources.clone(),
            reading: self.reading.clone(),
            unreadable: Unreadable::Fails,
            mounts: Vec::new(),
            compression: 3,
            sealing: SealingSpec::default(),
            is_known: !chain.is_empty(),
            chain: chain.to_vec(),
            created_at: now,
            tiers: vec![TierName::local()],
        }
    }

    fn take(&self, backup_type: BackupType, chain: &[BackupId]) -> TakenBackup {
        self.store
            .take(&self.request(backup_type, chain), &no_progress())
            .unwrap()
    }

    /// Takes a backup and adds it to the chain.
    fn extend(&self, backup_type: BackupType, chain: &mut Vec<BackupId>) -> TakenBackup {
        let taken = self.take(backup_type, chain);
        chain.push(taken.manifest.id.clone());
        taken
    }

    /// What a catalog that knows nothing finds.
    fn stored(&self) -> Vec<StoredBackup> {
        let stored = self
            .store
            .stored(&job(), &BTreeSet::new(), StoredLook::Content);
        stored.unwrap().stored
    }

    /// Ends restores, and sweeps for a catalog that knows these, as a start does.
    fn sweep(&self, known: &[BackupId]) -> Vec<BackupStoreError> {
        let known = known.iter().cloned().collect();
        let mut told = self.store.end_restores(&self.sources);
        told.extend(self.store.sweep(&known));
        told
    }

    fn restore_into(&self, chain: &[BackupId], name: &str) -> Result<PathBuf, BackupStoreError> {
        let path = self.directory.path().join(name);
        let place = RestorePlace::Into {
            path: path.clone(),
            replace: false,
        };
        self.store
            .restore(&job(), chain, &place, &no_progress())
            .map(|_| path)
    }

    /// Whether a restore in place could be done.
    fn judge_in_place(&self, chain: &[BackupId]) -> Result<(), BackupStoreError> {
        self.store.judge_in_place(&job(), chain, &self.sources)
    }

    fn tree(&self, path: &Path) -> mainstay_domain::archive::State {
        scan::scan(path, &CancellationToken::new()).unwrap()
    }
}

/// Equal in everything: names, kinds, permissions, owners, times and contents.
#[track_caller]
fn assert_same_tree(
    fixture: &Fixture,
    restored: &Path,
    expected: &mainstay_domain::archive::State,
) {
    let found = fixture.tree(restored);
    for (key, entry) in expected.iter() {
        assert_eq!(found.get(key), Some(entry), "{key}");
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "there is more than was backed up"
    );
}

#[test]
fn a_full_and_an_incremental_restore_to_the_same_tree() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("dir/b with space", "two");
    fixture.put("dir/ü", "three");
    fixture.put("empty", "");
    fixture.put("binary", [0, 159, 146, 150]);
    fixture.put("large", vec![7; 3 << 20]);
    fixture.put("large.txt", "ä\n".repeat(700_000));
    fs::create_dir(fixture.data().join("nothing")).unwrap();
    symlink("../outside", fixture.data().join("link")).unwrap();
    fs::set_permissions(fixture.data().join("a"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::set_permissions(fixture.data(), fs::Permissions::from_mode(0o751)).unwrap();
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let first = fixture.tree(&fixture.data());

    fixture.put("a", "changed");
    fs::remove_file(fixture.data().join("dir/ü")).unwrap();
    fs::set_permissions(
        fixture.data().join("large"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!(taken.tombstones, 1);
    assert_eq!(
        taken.size_bytes, 7,
        "only the content of `a` is stored anew"
    );
    assert_same_tree(
        &fixture,
        &fixture.restore_into(&chain[..1], "first").unwrap(),
        &first,
    );
    let second = fixture.tree(&fixture.data());
    assert_same_tree(
        &fixture,
        &fixture.restore_into(&chain, "second").unwrap(),
        &second,
    );
    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
    fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    assert!(!fixture.job_dir().join("drill").exists());
}

#[test]
fn names_that_are_not_utf_8_survive() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = Fixture::new();
    for name in [
        &b"caf\xe9"[..],
        b"100%",
        b"%2F",
        b"line\nbreak",
        b"\xff\xfe",
    ] {
        fs::write(fixture.data().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    assert_eq!(
        fs::read(restored.join(std::ffi::OsStr::from_bytes(b"caf\xe9"))).unwrap(),
        b"caf\xe9"
    );
}

#[test]
fn times_before_1970_come_back_to_the_nanosecond() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("dir/b", "two");
    let before = UNIX_EPOCH - Duration::from_millis(1_500);
    for (name, nanoseconds) in [("a", 0), ("dir/b", 1), ("dir", 499_999_999), ("", 0)] {
        let file = fs::File::open(fixture.data().join(name)).unwrap();
        let time = before - Duration::from_nanos(nanoseconds);
        file.set_modified(time).unwrap();
    }
    let expected = fixture.tree(&fixture.data());
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!(taken.documents, 0, "nothing changed");
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &expected);
    let time = fs::metadata(restored.join("a")).unwrap().modified();
    assert_eq!(time.unwrap(), before);
    let drilled = fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    let notes = &drilled.restored().notes;
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn stored_files_are_for_their_owner_only() {
    let fixture = Fixture::new();
    fixture.put("a", "secret");
    fixture.take(BackupType::Full, &[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.job_dir()), 0o700);
    assert_eq!(mode(fixture.job_dir().parent().unwrap()), 0o700);
    for entry in fs::read_dir(fixture.job_dir()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_command_source_is_stored_as_a_document_and_the_same_output_is_no_change() {
    let mut fixture = Fixture::new();
    let command = |script: &str| BackupSource::Command {
        run: ["sh", "-c", script].map(str::to_owned).to_vec(),
        cwd: "/".into(),
        run_as: mainstay_domain::spec::RunAs::default(),
        key: "dumps/all.sql".to_owned(),
        timeout: Duration::from_secs(20),
    };
    fixture.sources = vec![command("echo dump")];
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    assert_eq!(
        fixture
            .extend(BackupType::Incremental, &mut chain)
            .manifest
            .documents,
        0
    );
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_eq!(
        fs::read_to_string(restored.join("dumps/all.sql")).unwrap(),
        "dump\n"
    );

    fixture.sources = vec![command("exit 3")];
    let error = fixture
        .store
        .take(&fixture.request(BackupType::Full, &[]), &no_progress())
        .unwrap_err()
        .to_string();
    assert_eq!(error, "`sh` failed");
    let place = RestorePlace::InPlace(fixture.sources.clone());
    let error = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress())
        .unwrap_err()
        .to_string();
    assert!(error.contains("no directory among its sources"), "{error}");
}

#[test]
fn a_restore_in_place_swaps_the_trees_and_replaces_only_when_told() {
    let fixture = Fixture::new();
    fixture.put("a", "good");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let good = fixture.tree(&fixture.data());
    fixture.put("a", "bad");
    fixture.put("b", "worse");
    let error = fixture
        .restore_into(&chain, "data")
        .unwrap_err()
        .to_string();
    for told in [
        "exists and is not empty",
        "--merge to keep",
        "--replace to lose",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert_eq!(fs::read_to_string(fixture.data().join("a")).unwrap(), "bad");

    let place = RestorePlace::InPlace(fixture.sources.clone());
    let restored = fixture
        .store
        .restore(&job(), &chain, &place, &no_progress())
        .unwrap();
    assert_eq!(
        restored,
        RestoredTree {
            documents: 2,
            bytes: 4,
            not_put_back: NotPutBack::default(),
            notes: vec![]
        }
    );
    assert_same_tree(&fixture, &fixture.data(), &good);
    let names: Vec<_> = fs::read_dir(fixture.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().contains("mainstay")),
        "{names:?}"
    );

    fs::remove_dir_all(fixture.data()).unwrap();
    fixture
        .store
        .restore(&job(), &chain, &place, &no_progress())
        .unwrap();
    assert_same_tree(&fixture, &fixture.data(), &good);
}

#[test]
fn several_sources_are_restored_to_their_own_places() {
    let mut fixture = Fixture::new();
    let other = fixture.directory.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("x"), "other").unwrap();
    fixture.put("x", "data");
    fixture.sources.push(BackupSource::Directory {
        path: other.clone(),
        prefix: "sub/other".to_owned(),
    });
    fixture.sources.push(BackupSource::Command {
        run: vec!["echo".into(), "hi".into()],
        cwd: "/".into(),
        run_as: mainstay_domain::spec::RunAs::default(),
        key: "dump".into(),
        timeout: Duration::from_secs(9),
    });
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let expected = [fixture.tree(&fixture.data()), fixture.tree(&other)];
    fs::write(other.join("x"), "lost").unwrap();
    fs::remove_file(fixture.data().join("x")).unwrap();
    fixture
        .store
        .restore(
            &job(),
            &chain,
            &RestorePlace::InPlace(fixture.sources.clone()),
            &no_progress(),
        )
        .unwrap();
    assert_same_tree(&fixture, &fixture.data(), &expected[0]);
    assert_same_tree(&fixture, &other, &expected[1]);
    let all = fixture.restore_into(&chain, "all").unwrap();
    assert_eq!(
        fs::read_to_string(all.join("sub/other/x")).unwrap(),
        "other"
    );
    assert_eq!(fs::read_to_string(all.join("dump")).unwrap(), "hi\n");
    fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();

    fixture.sources.push(fixture.sources[0].clone());
    let error = fixture
        .store
        .take(&fixture.request(BackupType::Full, &[]), &no_progress())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("two documents have it") && error.contains("prefix"),
        "{error}"
    );
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_missing_index_changes_nothing() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("b", "two");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fs::remove_file(fixture.job_dir().join(format!("{}.index.zst", chain[0]))).unwrap();
    fixture.put("b", "new");
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((taken.documents, taken.size_bytes), (1, 3));
    // A damaged index is no baseline either.
    let index = fixture.job_dir().join(format!("{}.index.zst", chain[1]));
    fs::write(&index, b"nonsense").unwrap();
    assert_eq!(
        fixture
            .extend(BackupType::Incremental, &mut chain)
            .manifest
            .documents,
        0
    );
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((taken.documents, taken.tombstones), (0, 0));
}

#[test]
fn a_copy_of_an_archive_beside_the_trash_costs_no_backup_that_is_whole_in_it() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let archive = fixture.job_dir().join(format!("{}.jsonl.zst", chain[0]));
    let bytes = fs::read(&archive).unwrap();
    fixture.store.trash(&job(), &chain[0]).unwrap();
    fs::write(&archive, bytes).unwrap();
    assert_eq!(fixture.sweep(&chain), vec![]);
    fixture.restore_into(&chain, "restored").unwrap();
    fs::write(&archive, "half of it").unwrap();
    fixture.store.trash(&job(), &chain[0]).unwrap();
    fixture.restore_into(&chain, "again").unwrap();
}

#[test]
fn the_trash_can_still_be_restored_from_and_is_deleted_whole() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.store.trash(&job(), &chain[0]).unwrap();
    fixture.store.trash(&job(), &chain[0]).unwrap();
    let stored = fixture.stored();
    assert!(stored[0].in_trash && stored[0].intact);
    fixture.restore_into(&chain, "restored").unwrap();
    fixture.store.delete(&job(), &chain[0]).unwrap();
    fixture.store.delete(&job(), &chain[0]).unwrap();
    assert!(fixture.stored().is_empty());
    assert_eq!(
        fs::read_dir(fixture.job_dir().join("trash"))
            .unwrap()
            .count(),
        0
    );
}

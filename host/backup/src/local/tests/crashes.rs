//! A process that is cut off before any change of the store's files, and a disk that loses what was not made durable by then.
//!
//! Each case is a process of its own with a history from a seed: backups, moves from tier to tier, to the trash and out of it,
//! deletions, restores in place, into a directory, and merged into what it holds, rekeys. It ends, by exit, before one of the
//! changes of `durable`, or before a request that changes the bucket. Then files that were not fsynced are cut anywhere, and of
//! the changes of names in directories that were not fsynced the last are undone, so many as the seed says; the bucket has what it
//! took. The next process must find every backup that was acknowledged. `MAINSTAY_BACKUP_CRASHES=COUNT[,SEED]` runs more than
//! the gate does, e.g. 10000.

use super::{buckets::in_memory, tiers::tier, *};
use crate::{
    age_keys::{read_identities, write_new_identity},
    bucket::Bucket,
    local::durable::Change,
};
use mainstay_domain::archive::Encryption;
use std::{collections::BTreeMap, io::Write};

/// So many cases in the gate.
const FEW: u64 = 40;
/// A history has about as many changes.
const MOST_CHANGES: u64 = 160;
/// How the process ends that is cut off.
const CUT_OFF: i32 = 77;

/// Numbers that follow from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// A change of a name that a loss of power undoes.
enum Undone {
    Made(PathBuf),
    Renamed(PathBuf, PathBuf),
    /// And where what was removed is kept.
    Removed(PathBuf, PathBuf),
}

impl Undone {
    /// The directories of which one is made durable where this is.
    fn directories(&self) -> Vec<&Path> {
        let paths = match self {
            Undone::Made(path) | Undone::Removed(path, _) => vec![path],
            Undone::Renamed(from, to) => vec![from, to],
        };
        paths.into_iter().filter_map(|path| path.parent()).collect()
    }

    fn undo(self) {
        // What other changes took away since is not there to be undone.
        let _ = match self {
            Undone::Made(path) => fs::remove_file(path),
            Undone::Renamed(from, to) => fs::rename(to, from),
            Undone::Removed(path, kept) => fs::rename(kept, path),
        };
    }
}

/// What a process that will be cut off has changed and not made durable.
struct Armed {
    left: u64,
    numbers: Numbers,
    kept: PathBuf,
    /// So many files were.
    removed: u64,
    names: Vec<Undone>,
    /// Files whose content was not fsynced.
    contents: Vec<PathBuf>,
    /// Trees that were made durable with all that they hold.
    trees: BTreeSet<PathBuf>,
    /// And what a bucket has, which stays, and where.
    bucket: (Bucket, PathBuf),
}

/// Below what keys of a bucket the job has objects.
const BELOW: [&str; 2] = ["state", "state/trash"];

/// The files of a directory, each in one word; none where it is not there.
fn files_in(directory: &Path) -> Vec<String> {
    if !directory.exists() {
        return Vec::new();
    }
    let state = scan::scan(directory, &CancellationToken::new()).unwrap();
    let files = state.iter().filter(|(key, _)| !key.is_root());
    files
        .map(|(key, entry)| format!("{}={}", key.as_str(), entry.hash))
        .collect()
}

/// Keeps what a bucket holds in files.
fn keep((bucket, directory): &(Bucket, PathBuf)) {
    for below in BELOW {
        fs::create_dir_all(directory.join(below)).unwrap();
        for (name, _) in bucket.list(below).unwrap().objects {
            let key = format!("{below}/{name}");
            let bytes = bucket.read(&key, u64::MAX).unwrap().unwrap();
            fs::write(directory.join(key), bytes).unwrap();
        }
    }
}

/// A bucket that holds what was kept so; nothing where nothing was.
fn kept_in(directory: &Path) -> Bucket {
    let bucket = in_memory();
    for below in BELOW {
        for entry in fs::read_dir(directory.join(below)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy();
                let bytes = fs::read(&path).unwrap();
                bucket.replace(&format!("{below}/{name}"), bytes).unwrap();
            }
        }
    }
    bucket
}

static ARMED: Mutex<Option<Armed>> = Mutex::new(None);

/// A change is about to be made.
pub(in crate::local) fn tell(change: Change<'_>) {
    let mut armed = ARMED.lock();
    let Some(mut it) = armed.take() else { return };
    it.left = it.left.saturating_sub(1);
    if it.left == 0 {
        it.lose_power();
        std::process::exit(CUT_OFF);
    }
    it.note(change);
    *armed = Some(it);
}

impl Armed {
    fn note(&mut self, change: Change<'_>) {
        match change {
            Change::Made(path) => {
                self.contents.push(path.to_owned());
                self.names.push(Undone::Made(path.to_owned()));
            }
            Change::Linked(path) => self.names.push(Undone::Made(path.to_owned())),
            Change::Renamed(from, to) if from.exists() => {
                for path in &mut self.contents {
                    if path.as_path() == from {
                        to.clone_into(path);
                    }
                }
                self.names
                    .push(Undone::Renamed(from.to_owned(), to.to_owned()));
            }
            Change::Removed(path) if path.is_file() => {
                self.removed += 1;
                let kept = self.kept.join(self.removed.to_string());
                fs::hard_link(path, &kept).unwrap();
                self.names.push(Undone::Removed(path.to_owned(), kept));
            }
            Change::FileSynced(path) => self.contents.retain(|it| it != path),
            Change::DirectorySynced(path) => {
                self.names.retain(|it| !it.directories().contains(&path));
            }
            Change::TreeSynced(path) => {
                self.trees.insert(path.to_owned());
            }
            // One that is made anew there is another one.
            Change::Placed(path) => assert!(
                self.trees.remove(path),
                "what is restored at {} is put in place before it is durable",
                path.display()
            ),
            Change::Renamed(..) | Change::Removed(_) | Change::Other => {}
        }
    }

    fn lose_power(mut self) {
        keep(&self.bucket);
        for path in &self.contents {
            if let Ok(file) = fs::File::options().write(true).open(path) {
                let length = file.metadata().unwrap().len();
                file.set_len(self.numbers.below(length + 1)).unwrap();
            }
        }
        let stay = self.numbers.below(self.names.len() as u64 + 1);
        let stay = usize::try_from(stay).unwrap();
        self.names
            .drain(stay..)
            .rev()
            .for_each(|change| change.undo());
    }
}

/// The file of what opens the backups.
struct Keys(PathBuf);

impl BackupKeys for Keys {
    fn identity(&self, _: &JobName) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    fn trusted(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A store in two directories and a bucket, and what is backed up in it.
struct World {
    home: PathBuf,
    /// And where it is kept.
    bucket: (Bucket, PathBuf),
    store: LocalBackups,
    sources: Vec<BackupSource>,
}

impl World {
    fn at(home: PathBuf) -> Self {
        let (data, cold) = (home.join("data"), home.join("cold"));
        let kept = home.join("bucket");
        let bucket = kept_in(&kept);
        let offsite = bucket.clone();
        let tiers = move || {
            vec![
                (tier("cold"), TierPlace::Directory(cold.clone())),
                (tier("offsite"), TierPlace::Bucket(offsite.clone())),
            ]
        };
        Self {
            store: LocalBackups::new(
                &home.join("state"),
                Arc::new(tiers),
                Arc::new(Programs),
                Arc::new(now),
                CancellationToken::new(),
            )
            .with_keys(Arc::new(Keys(home.join("key.txt")))),
            sources: vec![BackupSource::Directory {
                path: data,
                prefix: String::new(),
            }],
            bucket: (bucket, kept),
            home,
        }
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// To whom backups are encrypted that are.
    fn sealing(&self) -> SealingSpec {
        let identities = read_identities(&self.home.join("key.txt")).unwrap();
        SealingSpec {
            encryption: Encryption::Age {
                recipients: vec![identities[0].to_public().to_string()],
            },
            ..SealingSpec::default()
        }
    }

    /// What the directory holds, in one word.
    fn tree(&self) -> String {
        let state = scan::scan(&self.data(), &CancellationToken::new()).unwrap();
        state.root_hash().to_string()
    }

    /// Where backups are restored into.
    fn elsewhere(&self) -> PathBuf {
        self.home.join("elsewhere")
    }

    /// Restores into it: in the place of what is there, or merged into that.
    fn put_elsewhere(&self, chain: &[BackupId], merge: bool) -> Result<(), BackupStoreError> {
        let place = RestorePlace::Into {
            path: self.elsewhere(),
            replace: !merge,
        };
        let rules = RestoreRules {
            merge,
            ..RestoreRules::default()
        };
        let staged = self
            .store
            .stage(&job(), chain, &place, &rules, &no_progress());
        staged?.place().map(drop)
    }

    fn request(&self, ids: &mut IdSource, chain: &[BackupId]) -> TakeBackup {
        let backup_type = match chain {
            [] => BackupType::Full,
            _ => BackupType::Incremental,
        };
        let now = now();
        TakeBackup {
            id: BackupId::new(backup_type, ids.next(now)),
            job: job(),
            backup_type,
            sources: self.sources.clone(),
            reading: ReadingSpec::default(),
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

    /// Writes down what is acknowledged: it is there whatever happens next.
    fn say(&self, words: &str) {
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.home.join("said"))
            .unwrap();
        writeln!(file, "{words}").unwrap();
    }
}

#[test]
#[ignore = "the test below runs it, and cuts it off"]
fn lives_until_it_is_cut_off() {
    let home = PathBuf::from(std::env::var_os("MAINSTAY_CRASH_HOME").unwrap());
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (seed, point) = (
        number("MAINSTAY_CRASH_SEED"),
        number("MAINSTAY_CRASH_POINT"),
    );
    let kept = home.join("kept");
    fs::create_dir(&kept).unwrap();
    write_new_identity(&home.join("key.txt")).unwrap();
    let world = World::at(home);
    for directory in [world.data(), world.home.join("cold")] {
        fs::create_dir(directory).unwrap();
    }
    let mut numbers = Numbers(seed);
    let bucket = world.bucket.clone();
    *ARMED.lock() = Some(Armed {
        left: point,
        numbers: Numbers(seed ^ point),
        kept,
        removed: 0,
        names: Vec::new(),
        contents: Vec::new(),
        trees: BTreeSet::new(),
        bucket,
    });
    let mut ids = IdSource::new(seed);
    let (mut chain, mut retired, mut trashed) = (Vec::new(), Vec::new(), Vec::new());
    // The files of the newest of the chain.
    let mut newest_files: Vec<String> = Vec::new();
    for _ in 0..16 {
        for _ in 0..numbers.below(4) {
            let path = world.data().join(numbers.below(5).to_string());
            match numbers.below(4) {
                0 => drop(fs::remove_file(path)),
                _ => {
                    let length = usize::try_from(numbers.below(3_000)).unwrap();
                    let byte = u8::try_from(numbers.below(256)).unwrap();
                    fs::write(path, vec![byte; length]).unwrap();
                }
            }
        }
        let newest: Option<BackupId> = chain.last().cloned();
        match (numbers.below(12), retired.pop(), trashed.pop(), newest) {
            (0, Some(id), kept, _) => {
                trashed.extend(kept);
                world.say(&format!("trashing {id}"));
                world.store.trash(&job(), &id).unwrap();
                world.say(&format!("trashed {id}"));
                trashed.push(id);
            }
            (1, kept, Some(id), _) if numbers.below(2) == 0 => {
                retired.extend(kept);
                world.say(&format!("untrashing {id}"));
                world.store.untrash(&job(), &id).unwrap();
                world.say(&format!("untrashed {id}"));
                retired.push(id);
            }
            (1, kept, Some(id), _) => {
                retired.extend(kept);
                world.say(&format!("deleting {id}"));
                world.store.delete(&job(), &id).unwrap();
                world.say(&format!("deleted {id}"));
            }
            (2, kept, other, Some(newest)) => {
                retired.extend(kept);
                trashed.extend(other);
                world.say(&format!("restoring {newest} {}", world.tree()));
                let place = RestorePlace::InPlace(world.sources.clone());
                let restored = world.store.restore(&job(), &chain, &place, &no_progress());
                restored.unwrap();
                world.say(&format!("restored {newest}"));
            }
            (3, kept, other, Some(newest)) if numbers.below(2) == 0 => {
                retired.extend(kept);
                trashed.extend(other);
                let sealing = match numbers.below(2) {
                    0 => SealingSpec::default(),
                    _ => world.sealing(),
                };
                world.say(&format!("rekeying {newest}"));
                let rekeyed = world
                    .store
                    .rekey(&job(), &chain, &sealing, false, &no_progress());
                let left = rekeyed.unwrap().left;
                let is_told = left.iter().all(|why| why.contains("is in a bucket"));
                assert!(is_told, "{left:?}");
                world.say(&format!("rekeyed {newest}"));
            }
            (4 | 5, kept, other, Some(newest)) => {
                retired.extend(kept);
                trashed.extend(other);
                // Any link of the chain, to where it may be already.
                let number = usize::try_from(numbers.below(chain.len() as u64)).unwrap();
                let id = chain.get(number).unwrap_or(&newest);
                let tier = match numbers.below(5) {
                    0 => TierName::local(),
                    1 | 2 => tier("cold"),
                    _ => tier("offsite"),
                };
                world.say(&format!("moving {id}"));
                world.store.move_to(&job(), id, &tier).unwrap();
                world.say(&format!("moved {id}"));
            }
            (choice @ (6 | 7), kept, other, Some(newest)) => {
                retired.extend(kept);
                trashed.extend(other);
                let word = if choice == 6 { "putting" } else { "merging" };
                let before = files_in(&world.elsewhere()).join(" ");
                let after = newest_files.join(" ");
                world.say(&format!("{word} {newest} {before} / {after}"));
                world.put_elsewhere(&chain, choice == 7).unwrap();
                world.say(&format!("put {newest}"));
            }
            (choice, kept, other, _) => {
                retired.extend(kept);
                trashed.extend(other);
                if choice == 3 {
                    // What needs others goes first.
                    retired.append(&mut chain);
                }
                let tier = match numbers.below(6) {
                    0 => tier("cold"),
                    1 => tier("offsite"),
                    _ => TierName::local(),
                };
                let request = TakeBackup {
                    tiers: vec![tier],
                    ..world.request(&mut ids, &chain)
                };
                let (id, tree) = (request.id.clone(), world.tree());
                world.say(&format!("taking {id}"));
                world.store.take(&request, &no_progress()).unwrap();
                chain.push(id.clone());
                newest_files = files_in(&world.data());
                let links: Vec<&str> = chain.iter().map(BackupId::as_str).collect();
                world.say(&format!("taken {id} {tree} {}", links.join(" ")));
            }
        }
    }
    *ARMED.lock() = None;
    keep(&world.bucket);
}

/// What was said of the backups before the process was cut off.
#[derive(Default)]
struct Said {
    /// Acknowledged: the tree, and the chain.
    taken: BTreeMap<BackupId, (String, Vec<BackupId>)>,
    /// Of which nobody knows how far that came.
    taking: Option<BackupId>,
    deleting: Option<BackupId>,
    /// The trees of which one is in place then.
    restoring: Option<[String; 2]>,
    putting: Option<Putting>,
}

/// A restore into a directory of which nobody knows how far it came.
struct Putting {
    id: BackupId,
    merges: bool,
    /// The files of before, and of the backup.
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

impl Putting {
    /// What is there is what may be there, and the same restore comes to its end.
    fn check(&self, world: &World, chain: &[BackupId], case: &str) {
        let found: BTreeSet<String> = files_in(&world.elsewhere()).into_iter().collect();
        if self.merges {
            let either: BTreeSet<String> = self.before.union(&self.after).cloned().collect();
            assert!(found.is_subset(&either), "{case}: {found:?} of {either:?}");
            let names = |files: &BTreeSet<String>| -> BTreeSet<String> {
                let names = files.iter().filter_map(|file| file.split_once('='));
                names.map(|(name, _)| name.to_owned()).collect()
            };
            let lost: Vec<String> = names(&self.before)
                .difference(&names(&found))
                .cloned()
                .collect();
            assert!(lost.is_empty(), "{case}: merging lost {lost:?}");
        } else {
            let is_whole = found == self.before || found == self.after;
            assert!(is_whole, "{case}: half a restore: {found:?}");
        }
        let put = world.put_elsewhere(chain, self.merges);
        assert!(put.is_ok(), "{case}: {}: {put:?}", self.id);
        let found: BTreeSet<String> = files_in(&world.elsewhere()).into_iter().collect();
        let is_there = match self.merges {
            true => self.after.is_subset(&found),
            false => found == self.after,
        };
        assert!(is_there, "{case}: {}: {found:?}", self.id);
    }
}

impl Said {
    fn by(home: &Path) -> Self {
        let mut said = Self::default();
        let text = fs::read_to_string(home.join("said")).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let word = words.next().unwrap();
            let id = BackupId::parse(words.next().unwrap()).unwrap();
            match word {
                "taking" => said.taking = Some(id),
                "taken" => {
                    let tree = words.next().unwrap().to_owned();
                    let chain = words.map(|link| BackupId::parse(link).unwrap());
                    said.taken.insert(id, (tree, chain.collect()));
                    said.taking = None;
                }
                "deleting" => said.deleting = Some(id),
                "deleted" => {
                    said.taken.remove(&id);
                    said.deleting = None;
                }
                "restoring" => {
                    let before = words.next().unwrap().to_owned();
                    said.restoring = Some([before, said.taken[&id].0.clone()]);
                }
                "restored" => said.restoring = None,
                "putting" | "merging" => {
                    let words: Vec<String> = words.map(str::to_owned).collect();
                    let mut halves = words.split(|word| word == "/").map(|half| {
                        let files = half.iter().filter(|file| !file.is_empty());
                        files.cloned().collect::<BTreeSet<String>>()
                    });
                    said.putting = Some(Putting {
                        id,
                        merges: word == "merging",
                        before: halves.next().unwrap(),
                        after: halves.next().unwrap(),
                    });
                }
                "put" => said.putting = None,
                "trashing" | "trashed" | "untrashing" | "untrashed" | "moving" | "moved"
                | "rekeying" | "rekeyed" => {}
                other => panic!("{other}"),
            }
        }
        said
    }
}

/// The next process finds what was acknowledged, and goes on.
fn check(home: &Path, case: &str) {
    let said = Said::by(home);
    let world = World::at(home.to_owned());
    let known = said.taken.keys().cloned().collect();
    assert_eq!(world.store.end_restores(&world.sources), [], "{case}");
    for problem in world.store.sweep(&known) {
        // The manifest goes first, so that what is half deleted looks like no backup.
        let is_expected = matches!(
            &problem,
            BackupStoreError::Corrupted { id, .. } if Some(id) == said.deleting.as_ref()
        );
        assert!(is_expected, "{case}: {problem}");
    }
    let found = world
        .store
        .stored(&job(), &BTreeSet::new(), StoredLook::Content)
        .unwrap_or_else(|error| panic!("{case}: the store cannot be read: {error}"))
        .stored;
    // The catalog as it would be rebuilt is the catalog, but for what nobody knows.
    for stored in &found {
        let id = &stored.manifest.id;
        let is_doubtful = [&said.taking, &said.deleting].contains(&&Some(id.clone()));
        assert!(is_doubtful || said.taken.contains_key(id), "{case}: {id}");
        assert!(is_doubtful || stored.intact, "{case}: {id} is not intact");
    }
    for (id, (tree, chain)) in &said.taken {
        let needs_doubtful = chain
            .iter()
            .any(|link| Some(link) == said.deleting.as_ref() || !said.taken.contains_key(link));
        if needs_doubtful {
            continue;
        }
        assert!(
            found.iter().any(|stored| stored.manifest.id == *id),
            "{case}: {id} was acknowledged, and is lost"
        );
        let verified = world.store.verify(&job(), chain, &no_progress());
        assert!(verified.is_ok(), "{case}: {id}: {verified:?}");
        let into = home.join("restored");
        let place = RestorePlace::Into {
            path: into.clone(),
            replace: true,
        };
        let restored = world.store.restore(&job(), chain, &place, &no_progress());
        assert!(restored.is_ok(), "{case}: {id}: {restored:?}");
        let state = scan::scan(&into, &CancellationToken::new()).unwrap();
        assert_eq!(&state.root_hash().to_string(), tree, "{case}: {id}");
    }
    if let Some(trees) = &said.restoring {
        assert!(trees.contains(&world.tree()), "{case}: half a restore");
    }
    if let Some(putting) = &said.putting {
        putting.check(&world, &said.taken[&putting.id].1, case);
    }
    let mut ids = IdSource::new(1);
    let next = world.request(&mut ids, &[]);
    let taken = world.store.take(&next, &no_progress());
    assert!(taken.is_ok(), "{case}: the next backup: {taken:?}");
}

#[test]
fn a_crash_before_any_change_and_a_disk_that_forgets_lose_nothing_that_was_acknowledged() {
    let asked = std::env::var("MAINSTAY_BACKUP_CRASHES").unwrap_or_default();
    let mut asked = asked.split(',').map(|text| text.parse::<u64>().ok());
    let count = asked.next().flatten().unwrap_or(FEW);
    let seed = asked.next().flatten();
    let seed = seed.unwrap_or_else(|| now().as_millis());
    println!("{count} crashes of backups, seed {seed}");
    let test = std::env::current_exe().unwrap();
    let mut numbers = Numbers(seed);
    let mut cut_off = 0;
    for number in 0..count {
        let (history, point) = (numbers.below(u64::MAX), 1 + numbers.below(MOST_CHANGES));
        let case = format!("seed {seed}, case {number}: history {history}, point {point}");
        let home = tempfile::tempdir().unwrap();
        let output = Command::new(&test)
            .args([
                "--ignored",
                "--exact",
                "local::tests::crashes::lives_until_it_is_cut_off",
            ])
            .env("MAINSTAY_CRASH_HOME", home.path())
            .env("MAINSTAY_CRASH_SEED", history.to_string())
            .env("MAINSTAY_CRASH_POINT", point.to_string())
            .output()
            .unwrap();
        match output.status.code() {
            Some(CUT_OFF) => cut_off += 1,
            Some(0) => {}
            _ => panic!("{case}: {output:?}"),
        }
        check(home.path(), &case);
    }
    assert!(
        count < FEW || cut_off * 4 > count,
        "only {cut_off} of {count} were cut off"
    );
}

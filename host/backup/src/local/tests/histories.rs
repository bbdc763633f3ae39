//! Any history of a directory, and a restore by hand.

use super::{buckets::in_memory, sealed::Sealed, tiers::tier, *};
use mainstay_domain::archive::{DocumentKind, Encryption, State};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use rustix::fs::{
    AtFlags, CWD, Timespec, Timestamps, XattrFlags, removexattr, setxattr, utimensat,
};
use std::{
    env,
    ffi::OsStr,
    ops::Range,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, lchown},
    },
};

const NAMES: [&[u8]; 10] = [
    b"a",
    b"b c",
    b"\xc3\xbc/\xc3\xa9",
    b"d/e/f",
    b"d/g",
    b"d g",
    b"100%",
    b"h",
    b"not\xff\xfeUTF-8/\x01\n",
    // Of many directories.
    b"deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32",
];

const ATTRIBUTES: [&[u8]; 3] = [b"user.a", b"user.\xff%\xc3\xbc", b"user.empty"];

/// That of the state directory, two directories, and a bucket, which not every history has.
const TIERS: &[&str] = &["local", "nas", "cold", "offsite"];

/// To which of two keys a backup is encrypted: a bit for each, so that 0 is plain.
const READERS: Range<u8> = 0..4;

/// Bytes of data in a sparse file are at multiples of this.
const BLOCK: u64 = 1 << 16;

/// How many histories are tried, 8 without it.
const COUNT: &str = "MAINSTAY_HISTORIES";
/// The number that they follow from; others each time without it.
const SEED: &str = "MAINSTAY_HISTORIES_SEED";

#[derive(Debug, Clone)]
enum Step {
    Write(usize, Vec<u8>),
    /// What perhaps comes in parts, which are those of others too: a seed and a length.
    Parts(usize, u8, usize),
    /// A byte in a block, by whatever name the file has, in its holes and behind its end too.
    Overwrite(usize, (u64, u64), u8),
    Delete(usize),
    Link(usize, &'static str),
    Mode(usize, u32),
    Directory(usize),
    /// Seconds and nanoseconds.
    Time(usize, i64, i64),
    Owner(usize, u32),
    /// None takes it away.
    Attribute(usize, usize, Option<Vec<u8>>),
    /// Whether it is what a directory hands down, and the mask.
    Acl(usize, bool, u16),
    /// Of the first, by the second.
    HardLink(usize, usize),
    /// Data in these blocks, and what is after the last.
    Sparse(usize, Vec<(u64, u8)>, u64),
    /// What the first is called, or what lies so many above it, is called like the second.
    Rename(usize, usize, usize),
    /// By its number; only root may give it.
    Capability(usize, u32),
    /// What is called so is called like this, beside it.
    Named(usize, Vec<u8>),
}

/// What becomes of the keys before a backup.
#[derive(Debug, Clone, Copy)]
enum KeyChange {
    None,
    /// New backups are encrypted to these.
    From(u8),
    /// And so are those that are stored.
    Rekey(u8),
}

/// What a backup is, and what happens around it.
#[derive(Debug, Clone)]
struct Point {
    taking: chunked::Taking,
    tier: usize,
    key: KeyChange,
    /// A process of before ended.
    reopens: bool,
    /// A backup, by its number, and where it goes then.
    moves: Option<(usize, usize)>,
}

/// What is the same in all of a history.
#[derive(Debug, Clone, Copy)]
struct Ways {
    has_small_parts: bool,
    has_bucket: bool,
    /// At its end its newest chain goes through all tiers.
    goes_round: bool,
}

fn point() -> impl Strategy<Value = Point> {
    let key = prop_oneof![
        9 => Just(KeyChange::None),
        2 => READERS.prop_map(KeyChange::From),
        1 => READERS.prop_map(KeyChange::Rekey),
    ];
    let moves = prop::option::weighted(0.3, (0..64_usize, 0..TIERS.len()));
    let drawn = (
        chunked::taking(),
        0..TIERS.len(),
        key,
        prop::bool::weighted(0.2),
        moves,
    );
    drawn.prop_map(|(taking, tier, key, reopens, moves)| Point {
        taking,
        tier,
        key,
        reopens,
        moves,
    })
}

fn ways() -> impl Strategy<Value = Ways> {
    let drawn = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.15));
    drawn.prop_map(|(has_small_parts, has_bucket, goes_round)| Ways {
        has_small_parts,
        has_bucket,
        goes_round,
    })
}

/// Any name that a file can have, most of them short.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 1..12),
        1 => prop::collection::vec(any::<u8>(), 200..256),
    ];
    bytes.prop_map(|mut bytes| {
        let forbidden = bytes.iter_mut().filter(|byte| matches!(**byte, 0 | b'/'));
        forbidden.for_each(|byte| *byte = b'_');
        if bytes == b"." || bytes == b".." {
            bytes.push(b'_');
        }
        bytes
    })
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => (name.clone(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(name, bytes)| Step::Write(name, bytes)),
        3 => (name.clone(), 0..4_u8, 0..6_000_usize).prop_map(|(name, seed, length)| Step::Parts(name, seed, length)),
        3 => (name.clone(), (0..3_u64, 0..4_000_u64), any::<u8>()).prop_map(|(name, at, byte)| Step::Overwrite(name, at, byte)),
        2 => name.clone().prop_map(Step::Delete),
        1 => (name.clone(), prop::sample::select(vec!["a", "../x", "/etc", "nowhere"])).prop_map(|(name, target)| Step::Link(name, target)),
        1 => (name.clone(), prop::sample::select(vec![0o600, 0o755, 0o444, 0o000, 0o4711, 0o2750, 0o6755, 0o1777])).prop_map(|(name, mode)| Step::Mode(name, mode)),
        1 => (name.clone(), -400_000_000_000_i64..400_000_000_000, 0..1_000_000_000_i64).prop_map(|(name, second, nanosecond)| Step::Time(name, second, nanosecond)),
        1 => (name.clone(), 0..u32::MAX).prop_map(|(name, owner)| Step::Owner(name, owner)),
        2 => (name.clone(), 0..ATTRIBUTES.len(), prop::option::of(prop::collection::vec(any::<u8>(), 0..200))).prop_map(|(name, attribute, value)| Step::Attribute(name, attribute, value)),
        1 => (name.clone(), any::<bool>(), 0..8_u16).prop_map(|(name, is_default, mask)| Step::Acl(name, is_default, mask)),
        3 => (name.clone(), name.clone()).prop_map(|(of, name)| Step::HardLink(of, name)),
        1 => (name.clone(), prop::collection::vec((0..40_u64, any::<u8>()), 0..4), 0..50_000_u64).prop_map(|(name, blocks, tail)| Step::Sparse(name, blocks, tail)),
        2 => (name.clone(), prop::sample::select(vec![0_usize, 1, 2, 30]), name.clone()).prop_map(|(of, above, to)| Step::Rename(of, above, to)),
        1 => (name.clone(), 0..32_u32).prop_map(|(name, number)| Step::Capability(name, number)),
        1 => (name.clone(), any_name()).prop_map(|(name, bytes)| Step::Named(name, bytes)),
        1 => name.prop_map(Step::Directory),
    ]
}

fn at(root: &Path, name: usize) -> PathBuf {
    root.join(OsStr::from_bytes(NAMES[name]))
}

/// Clears the way for a name: what is there, and whatever above it is not a directory.
fn clear(root: &Path, name: usize) -> PathBuf {
    let path = at(root, name);
    for above in path
        .ancestors()
        .skip(1)
        .take_while(|above| above.starts_with(root))
    {
        if above
            .symlink_metadata()
            .is_ok_and(|metadata| !metadata.is_dir())
        {
            fs::remove_file(above).unwrap();
        }
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path).unwrap(),
        Ok(_) => fs::remove_file(&path).unwrap(),
        Err(_) => {}
    }
    path
}

fn apply(root: &Path, step: &Step) {
    match step {
        Step::Write(name, bytes) => fs::write(clear(root, *name), bytes).unwrap(),
        Step::Parts(name, seed, length) => {
            fs::write(clear(root, *name), chunked::noise(*seed, *length)).unwrap();
        }
        Step::Overwrite(name, (block, offset), byte) => {
            let path = at(root, *name);
            let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
            if let (true, Ok(file)) = (is_file, fs::File::options().write(true).open(path)) {
                file.write_all_at(&[*byte], block * BLOCK + offset).unwrap();
            }
        }
        Step::Delete(name) => drop(clear(root, *name)),
        Step::Link(name, target) => symlink(target, clear(root, *name)).unwrap(),
        Step::Directory(name) => fs::create_dir(clear(root, *name)).unwrap(),
        // Where nothing is there, and where nobody may, nothing changes.
        Step::Time(name, tv_sec, tv_nsec) => {
            let time = Timespec {
                tv_sec: *tv_sec,
                tv_nsec: *tv_nsec,
            };
            let times = Timestamps {
                last_access: time,
                last_modification: time,
            };
            let path = at(root, *name);
            let _ = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
        }
        Step::Owner(name, owner) => {
            drop(lchown(at(root, *name), Some(*owner), Some(*owner)));
        }
        Step::Mode(name, mode) => {
            let path = at(root, *name);
            // Whoever runs this must be able to read it.
            let readable = match path.symlink_metadata() {
                Ok(metadata) if metadata.is_file() => 0o400,
                Ok(metadata) if metadata.is_dir() => 0o700,
                _ => return,
            };
            drop(fs::set_permissions(
                path,
                fs::Permissions::from_mode(mode | readable),
            ));
        }
        Step::Attribute(name, attribute, value) => {
            let (path, attribute) = (at(root, *name), ATTRIBUTES[*attribute]);
            if path.is_symlink() {
                return;
            }
            let _ = match value {
                Some(value) => setxattr(&path, attribute, value, XattrFlags::empty()),
                None => removexattr(&path, attribute),
            };
        }
        Step::Acl(name, is_default, mask) => {
            let path = at(root, *name);
            let attribute = match is_default {
                true => "system.posix_acl_default",
                false => "system.posix_acl_access",
            };
            if !path.is_symlink() {
                let value = whole_trees::acl(*mask);
                let _ = setxattr(&path, attribute, &value, XattrFlags::empty());
            }
        }
        Step::HardLink(of, name) => {
            let path = at(root, *of);
            let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
            if is_file && of != name {
                drop(fs::hard_link(path, clear(root, *name)));
            }
        }
        Step::Sparse(name, blocks, tail) => {
            let file = fs::File::create(clear(root, *name)).unwrap();
            let last = blocks.iter().map(|(block, _)| block + 1).max();
            file.set_len(last.unwrap_or_default() * BLOCK + tail)
                .unwrap();
            for (block, byte) in blocks {
                file.write_all_at(&[*byte; 5_000], block * BLOCK).unwrap();
            }
        }
        Step::Rename(of, above, to) => {
            let path = at(root, *of);
            let upwards = path.ancestors().take_while(|above| *above != root);
            // It may go into itself, and in the place of what it lies in.
            let (from, aside) = (upwards.take(above + 1).last(), root.with_file_name("aside"));
            if from.is_some_and(|from| fs::rename(from, &aside).is_ok()) {
                fs::rename(aside, clear(root, *to)).unwrap();
            }
        }
        Step::Capability(name, number) => {
            let path = at(root, *name);
            if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
                // Version 2, effective.
                let mut value = vec![1, 0, 0, 2];
                value.extend((1_u32 << number).to_le_bytes());
                value.resize(20, 0);
                let _ = setxattr(&path, "security.capability", &value, XattrFlags::empty());
            }
        }
        Step::Named(name, bytes) => {
            let path = at(root, *name);
            let to = path.with_file_name(OsStr::from_bytes(bytes));
            // Nothing may be there, or something in its way.
            drop(fs::rename(path, to));
        }
    }
}

/// What a history is of: a store in several tiers, whose keys change.
struct World {
    sealed: Sealed,
    tiers: &'static [&'static str],
    /// All that is stored, parents first.
    ids: Vec<BackupId>,
    /// Whom new backups are encrypted to.
    readers: u8,
    /// Whom any that is stored is encrypted to.
    stored_for: BTreeSet<u8>,
}

impl World {
    fn new(ways: Ways) -> Self {
        let mut sealed = Sealed::new();
        let fixture = &mut sealed.fixture;
        if ways.has_small_parts {
            fixture.store.sizes = chunked::SMALL;
        }
        for name in ["nas", "cold"] {
            fixture.with_tier(name);
        }
        let tiers = match ways.has_bucket {
            true => TIERS,
            false => &TIERS[..3],
        };
        if ways.has_bucket {
            let place = TierPlace::Bucket(in_memory());
            fixture.tiers.lock().push((tier("offsite"), place));
        }
        let both = sealed.files.each_ref().map(|it| fs::read(it).unwrap());
        let file = sealed.fixture.directory.path().join("both.txt");
        fs::write(&file, both.join(&b'\n')).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self {
            sealed,
            tiers,
            ids: Vec::new(),
            readers: 0,
            stored_for: BTreeSet::new(),
        }
    }

    fn fixture(&self) -> &Fixture {
        &self.sealed.fixture
    }

    fn tier(&self, number: usize) -> TierName {
        tier(self.tiers[number % self.tiers.len()])
    }

    /// Backups for these, and what is to be known of them.
    fn sealing(&self, readers: u8) -> SealingSpec {
        let recipients = self.sealed.recipients.iter().zip([1_u8, 2]);
        let recipients: Vec<String> = recipients
            .filter(|(_, bit)| readers & bit != 0)
            .map(|(recipient, _)| recipient.clone())
            .collect();
        let encryption = match recipients.is_empty() {
            true => Encryption::None,
            false => Encryption::Age { recipients },
        };
        SealingSpec {
            encryption,
            ..SealingSpec::default()
        }
    }

    /// From now on as few keys are there as open what is stored, and what is to come.
    fn has_few_keys(&self) {
        let opens_all = |bit: u8| {
            let mut readers = self.stored_for.iter().chain([&self.readers]);
            readers.all(|readers| *readers == 0 || readers & bit != 0)
        };
        let [first, second] = &self.sealed.files;
        match (opens_all(1), opens_all(2)) {
            (true, _) => self.sealed.opens_with(first),
            (false, true) => self.sealed.opens_with(second),
            (false, false) => self.sealed.opens_with(&first.with_file_name("both.txt")),
        }
    }

    fn change_key(&mut self, change: KeyChange) {
        match change {
            KeyChange::None => {}
            KeyChange::From(readers) => self.readers = readers,
            KeyChange::Rekey(readers) => {
                self.readers = readers;
                let (store, sealing) = (&self.fixture().store, self.sealing(readers));
                let rekeyed = store.rekey(&job(), &self.ids, &sealing, false, &no_progress());
                let RekeyedBackups { left, .. } = rekeyed.unwrap();
                match left.is_empty() {
                    true => self.stored_for = BTreeSet::from([readers]),
                    false => {
                        let is_told = left.iter().all(|why| why.contains("is in a bucket"));
                        assert!(is_told, "{left:?}");
                    }
                }
            }
        }
        self.has_few_keys();
    }

    /// Takes a backup into a tier, and adds it to the chain.
    fn extend(&mut self, tier: &TierName, backup_type: BackupType, chain: &mut Vec<BackupId>) {
        let request = TakeBackup {
            tiers: vec![tier.clone()],
            sealing: self.sealing(self.readers),
            ..self.fixture().request(backup_type, chain)
        };
        let taken = self.fixture().store.take(&request, &no_progress()).unwrap();
        assert_eq!(taken.manifest.tier, tier.as_str(), "{:?}", taken.refused);
        chain.push(taken.manifest.id.clone());
        chunked::assert_right_index(self.fixture(), chain, taken.manifest.root_hash);
        self.ids.push(taken.manifest.id);
        self.stored_for.insert(self.readers);
    }

    fn move_to(&self, id: &BackupId, tier: &TierName) {
        self.fixture().store.move_to(&job(), id, tier).unwrap();
    }

    fn reopen(&mut self) {
        self.sealed.reopen();
        assert_eq!(self.fixture().sweep(&self.ids), vec![]);
    }

    fn tree(&self) -> State {
        self.fixture().tree(&self.fixture().data())
    }

    #[track_caller]
    fn assert_restores(&self, chain: &[BackupId], name: &str, expected: &State) {
        let restored = self.fixture().restore_into(chain, name).unwrap();
        assert_same_tree(self.fixture(), &restored, expected);
    }
}

/// Every point of a history restores to the tree that was there, and what its chain has is known, in whichever tiers its links
/// are by then, and whoever opens them.
fn try_history(steps: &[Step], history: &[Point], ways: Ways) {
    let mut world = World::new(ways);
    let mut points: Vec<(Vec<BackupId>, State)> = Vec::new();
    let mut chain = vec![];
    world.extend(&TierName::local(), BackupType::Full, &mut chain);
    points.push((chain.clone(), world.tree()));
    for (changes, point) in steps.chunks(3).zip(history) {
        let data = world.fixture().data();
        changes.iter().for_each(|step| apply(&data, step));
        if point.taking.loses_indexes {
            chunked::drop_indexes(world.fixture());
        }
        if point.reopens {
            world.reopen();
        }
        world.change_key(point.key);
        let backup_type = match point.taking.differential {
            true => BackupType::Differential,
            false => BackupType::Incremental,
        };
        if point.taking.differential {
            chain.truncate(1);
        }
        world.extend(&world.tier(point.tier), backup_type, &mut chain);
        points.push((chain.clone(), world.tree()));
        if let Some((which, to)) = point.moves {
            world.move_to(&world.ids[which % world.ids.len()], &world.tier(to));
        }
    }
    for (at, (chain, expected)) in points.iter().enumerate() {
        world.assert_restores(chain, &format!("point-{at}"), expected);
        assert_eq!(chunked::verified(world.fixture(), chain), Ok(vec![]));
    }
    let (_, newest) = points.last().unwrap();
    for (key, _) in newest
        .iter()
        .filter(|(_, it)| it.kind == DocumentKind::File)
    {
        let path = world.fixture().data();
        let path = path.join(OsStr::from_bytes(&key.to_bytes()));
        let printed = chunked::printed(world.fixture(), &chain, key.as_str());
        assert!(printed == fs::read(path).unwrap(), "{key}");
    }
    let drilled = world
        .fixture()
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    assert_eq!(drilled.restored().notes, Vec::<String>::new());
    for name in world.tiers.iter().filter(|_| ways.goes_round) {
        chain.iter().for_each(|id| world.move_to(id, &tier(name)));
        world.assert_restores(&chain, &format!("from-{name}"), newest);
    }
}

/// Thirty changes, a backup after each third, in tiers and with keys that the seed chooses too.
#[test]
fn any_point_of_a_history_restores_to_the_same_tree() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u32>().unwrap());
    let config = ProptestConfig {
        cases: number(COUNT).unwrap_or(8),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = match number(SEED) {
        None => TestRunner::new(config),
        Some(seed) => {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_le_bytes());
            let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
            TestRunner::new_with_rng(config, random)
        }
    };
    let history = (
        prop::collection::vec(step(), 30),
        prop::collection::vec(point(), 10),
        ways(),
    );
    let tried = runner.run(&history, |(steps, points, ways)| {
        try_history(&steps, &points, ways);
        Ok(())
    });
    tried.unwrap();
}

/// What docs/state.md shows: no mainstay needed.
fn by_hand() -> &'static str {
    let text = include_str!("../../../../../docs/state.md");
    let (_, script) = text.split_once("```sh\nset -eu\n").unwrap();
    script.split_once("```").unwrap().0
}

#[test]
fn a_full_backup_restores_by_hand_with_zstd_and_jq() {
    let fixture = Fixture::new();
    fixture.put("plain.txt", "hello \"world\"\n");
    fixture.put("dir/binary", [0, 1, 2, 255]);
    fixture.put("dir/empty", "");
    fixture.put("large.txt", "ä line\n".repeat(300_000));
    fixture.put("twin of large.txt", "ä line\n".repeat(300_000));
    fixture.put("zeros", vec![0; 3 << 20]);
    fixture.put(
        "one",
        "the same content, longer than a reference ".repeat(9),
    );
    fixture.put(
        "two",
        "the same content, longer than a reference ".repeat(9),
    );
    fs::set_permissions(
        fixture.data().join("plain.txt"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    for (of, name) in [
        ("large.txt", "name of large.txt"),
        ("one", "another of one"),
    ] {
        fs::hard_link(fixture.data().join(of), fixture.data().join(name)).unwrap();
    }
    for (target, name) in [("dir/binary", "link"), ("../no where", "dir/dangling")] {
        symlink(target, fixture.data().join(name)).unwrap();
    }
    let hollow = fs::File::create(fixture.data().join("hollow")).unwrap();
    hollow.set_len(300_000).unwrap();
    let sparse = fs::File::create(fixture.data().join("sparse")).unwrap();
    sparse.set_len(300_000).unwrap();
    sparse.write_all_at(b"in the middle", 100_000).unwrap();
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    let out = fixture.directory.path().join("by-hand");
    fs::create_dir(&out).unwrap();
    let archive = fixture.job_dir().join(format!("{}.jsonl.zst", taken.id));
    let status = Command::new("sh")
        .args(["-euc", by_hand(), "sh"])
        .arg(&archive)
        .current_dir(&out)
        .status()
        .unwrap();
    assert!(status.success());
    let (found, expected) = (
        fixture.tree(&out.join("out")),
        fixture.tree(&fixture.data()),
    );
    for (key, entry) in expected.iter().filter(|(_, entry)| entry.size > 0) {
        assert_eq!(found.get(key), Some(entry), "{key}");
    }
    assert_eq!(found.len(), expected.len());

    let manifest = fixture.job_dir().join(format!("{}.json", taken.id));
    let sorted = Command::new("jq")
        .args(["-cS", "."])
        .arg(&manifest)
        .output()
        .unwrap();
    assert_eq!(
        sorted.stdout,
        fs::read(&manifest).unwrap(),
        "the manifest is canonical for jq too"
    );
}

#[test]
fn a_hostile_archive_writes_nothing_outside() {
    use mainstay_domain::archive::{ContentHash, DocumentKey, Entry, Mode};
    let fixture = Fixture::new();
    fixture.put("a", "x");
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    let outside = fixture.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let entry = |kind, bytes: &[u8]| Entry {
        kind,
        mode: Mode::from_bits(0o644),
        mtime: jiff::Timestamp::UNIX_EPOCH,
        uid: 0,
        gid: 0,
        size: bytes.len() as u64,
        hash: ContentHash::of(bytes),
        extras: None,
    };
    // A link to the outside, and a document below it; every hash, count and manifest is right.
    let key = |text: &str| DocumentKey::parse(text).unwrap();
    let target = outside.as_os_str().as_bytes();
    let documents = [
        (key("evil"), entry(DocumentKind::Symlink, target), target),
        (
            key("evil/passwd"),
            entry(DocumentKind::File, b"gotcha"),
            &b"gotcha"[..],
        ),
    ];
    for reversed in [false, true] {
        let (archive, manifest) = fixture.store.layout.find(&job(), &taken.id).unwrap();
        let (archive, manifest) = (archive.shown(), manifest.shown());
        fs::remove_file(&archive).unwrap();
        fs::remove_file(&manifest).unwrap();
        let header = mainstay_domain::archive::Header {
            format: 1,
            id: taken.id.clone(),
            job: job(),
            backup_type: BackupType::Full,
            parent: None,
            base: taken.id.clone(),
            created_at: taken.created_at,
        };
        let mut writer = write::ArchiveWriter::create(
            &archive,
            header,
            3,
            &mainstay_domain::archive::Encryption::None,
        )
        .unwrap();
        let mut order: Vec<_> = documents.iter().collect();
        if reversed {
            order.reverse();
        }
        for (key, entry, bytes) in order {
            writer.document(key, entry, bytes).unwrap();
        }
        let root: State = documents
            .iter()
            .map(|(key, entry, _)| (key.clone(), entry.clone()))
            .collect();
        let (end, stored) = writer.finish(root.root_hash()).unwrap();
        let forged = mainstay_domain::archive::Manifest {
            documents: end.documents,
            tombstones: 0,
            size_bytes: end.size_bytes,
            root_hash: end.root_hash,
            stored_bytes: stored.bytes,
            stored_hash: stored.hash,
            ..taken.clone()
        };
        let forged = fixture.store.layout.keys().host().sign(forged).unwrap();
        fs::write(&manifest, forged.to_bytes().unwrap()).unwrap();
        let error = fixture
            .restore_into(std::slice::from_ref(&taken.id), "restored")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`evil` is not a directory"), "{error}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(!fixture.directory.path().join("restored").exists());
    }
}

//! Any history of a directory, and a restore by hand.

use super::*;
use mainstay_domain::archive::{DocumentKind, State};
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
    }
}

/// Every point of a history restores to the tree that was there, and what its chain has is known.
fn try_history(steps: &[Step], takings: &[chunked::Taking], has_small_parts: bool) {
    let mut fixture = Fixture::new();
    if has_small_parts {
        fixture.store.sizes = chunked::SMALL;
    }
    let mut points: Vec<(Vec<BackupId>, State)> = Vec::new();
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    points.push((chain.clone(), fixture.tree(&fixture.data())));
    for (changes, taking) in steps.chunks(3).zip(takings) {
        changes.iter().for_each(|step| apply(&fixture.data(), step));
        if taking.loses_indexes {
            chunked::drop_indexes(&fixture);
        }
        let backup_type = match taking.differential {
            true => BackupType::Differential,
            false => BackupType::Incremental,
        };
        if taking.differential {
            chain.truncate(1);
        }
        let taken = fixture.extend(backup_type, &mut chain).manifest;
        chunked::assert_right_index(&fixture, &chain, taken.root_hash);
        points.push((chain.clone(), fixture.tree(&fixture.data())));
    }
    for (at, (chain, expected)) in points.iter().enumerate() {
        let restored = fixture.restore_into(chain, &format!("point-{at}")).unwrap();
        assert_same_tree(&fixture, &restored, expected);
        assert_eq!(chunked::verified(&fixture, chain), Ok(vec![]));
    }
    let (_, newest) = points.last().unwrap();
    for (key, _) in newest
        .iter()
        .filter(|(_, it)| it.kind == DocumentKind::File)
    {
        let path = fixture.data().join(OsStr::from_bytes(&key.to_bytes()));
        let printed = chunked::printed(&fixture, &chain, key.as_str());
        assert!(printed == fs::read(path).unwrap(), "{key}");
    }
    let drilled = fixture
        .store
        .drill(&job(), &chain, None, &no_progress())
        .unwrap();
    assert_eq!(drilled.restored().notes, Vec::<String>::new());
}

/// Thirty changes, a backup after each third.
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
        prop::collection::vec(chunked::taking(), 10),
        any::<bool>(),
    );
    let tried = runner.run(&history, |(steps, takings, has_small_parts)| {
        try_history(&steps, &takings, has_small_parts);
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

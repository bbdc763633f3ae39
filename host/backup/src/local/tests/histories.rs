//! Any history of a directory, and a restore by hand.

use super::*;
use mainstay_domain::archive::State;
use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::os::unix::{ffi::OsStrExt, fs::lchown};

const NAMES: [&str; 7] = ["a", "b c", "ü/é", "d/e/f", "d/g", "100%", "h"];

#[derive(Debug, Clone)]
enum Step {
    Write(usize, Vec<u8>),
    Delete(usize),
    Link(usize, &'static str),
    Mode(usize, u32),
    Directory(usize),
    /// Seconds and nanoseconds.
    Time(usize, i64, i64),
    Owner(usize, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => (name.clone(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(name, bytes)| Step::Write(name, bytes)),
        2 => name.clone().prop_map(Step::Delete),
        1 => (name.clone(), prop::sample::select(vec!["a", "../x", "/etc", "nowhere"])).prop_map(|(name, target)| Step::Link(name, target)),
        1 => (name.clone(), prop::sample::select(vec![0o600, 0o755, 0o444])).prop_map(|(name, mode)| Step::Mode(name, mode)),
        1 => (name.clone(), -2_000_000_000_i64..4_000_000_000, 0..1_000_000_000_i64).prop_map(|(name, second, nanosecond)| Step::Time(name, second, nanosecond)),
        1 => (name.clone(), 0..u32::MAX).prop_map(|(name, owner)| Step::Owner(name, owner)),
        1 => name.prop_map(Step::Directory),
    ]
}

/// Clears the way for a name: what is there, and whatever above it is not a directory.
fn clear(root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
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
        Step::Write(name, bytes) => fs::write(clear(root, NAMES[*name]), bytes).unwrap(),
        Step::Delete(name) => drop(clear(root, NAMES[*name])),
        Step::Link(name, target) => symlink(target, clear(root, NAMES[*name])).unwrap(),
        Step::Directory(name) => fs::create_dir(clear(root, NAMES[*name])).unwrap(),
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
            let path = root.join(NAMES[*name]);
            let _ = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
        }
        Step::Owner(name, owner) => {
            drop(lchown(root.join(NAMES[*name]), Some(*owner), Some(*owner)));
        }
        Step::Mode(name, mode) => {
            let path = root.join(NAMES[*name]);
            if path
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_file())
            {
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Thirty changes, a backup after each third: every point restores to the tree that was there.
    #[test]
    fn any_point_of_a_history_restores_to_the_same_tree(
        steps in prop::collection::vec(step(), 30),
        differentials in prop::collection::vec(any::<bool>(), 10),
    ) {
        let fixture = Fixture::new();
        let mut points: Vec<(Vec<BackupId>, State)> = Vec::new();
        let mut chain = vec![];
        fixture.extend(BackupType::Full, &mut chain);
        points.push((chain.clone(), fixture.tree(&fixture.data())));
        for (changes, differential) in steps.chunks(3).zip(differentials) {
            changes.iter().for_each(|step| apply(&fixture.data(), step));
            if differential {
                chain.truncate(1);
                fixture.extend(BackupType::Differential, &mut chain);
            } else {
                fixture.extend(BackupType::Incremental, &mut chain);
            }
            points.push((chain.clone(), fixture.tree(&fixture.data())));
        }
        for (at, (chain, expected)) in points.iter().enumerate() {
            let restored = fixture.restore_into(chain, &format!("point-{at}")).unwrap();
            assert_same_tree(&fixture, &restored, expected);
        }
    }
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
    use mainstay_domain::archive::{ContentHash, DocumentKey, DocumentKind, Entry, Mode};
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
        let (archive, manifest) = fixture.store.layout.find(&job(), &taken.id);
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
        let mut writer = write::ArchiveWriter::create(&archive, header, 3).unwrap();
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

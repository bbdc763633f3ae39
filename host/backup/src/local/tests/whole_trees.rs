//! Extended attributes, hard links and holes, through backup, restore and drill.

use super::{
    mounted::{Mounted, may_mount},
    *,
};
use crate::port::BackupContents;
use mainstay_domain::archive::{DocumentKey, FORMAT, Selection};
use rustix::fs::{
    AtFlags, CWD, Timespec, Timestamps, XattrFlags, lsetxattr, removexattr, setxattr, utimensat,
};
use std::os::unix::fs::{FileExt, MetadataExt, chown};

/// In the form of the kernel: a tag, permissions and a number for each entry.
pub(super) fn acl(mask: u16) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries = [
        (0x01_u16, 7_u16, nobody),
        (0x02, 4, 4_711),
        (0x04, 4, nobody),
        (0x10, mask, nobody),
        (0x20, 0, nobody),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn set(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn inode(path: &Path) -> u64 {
    path.metadata().unwrap().ino()
}

impl Fixture {
    /// Every point of a chain restores to the tree that was there, and drills without a note.
    #[track_caller]
    fn assert_points(&self, points: &[(Vec<BackupId>, mainstay_domain::archive::State)]) {
        for (at, (chain, expected)) in points.iter().enumerate() {
            let restored = self.restore_into(chain, &format!("point-{at}")).unwrap();
            assert_same_tree(self, &restored, expected);
            let drilled = self
                .store
                .drill(&job(), chain, None, &no_progress())
                .unwrap();
            assert_eq!(drilled.restored().notes, Vec::<String>::new());
        }
    }

    fn restore_only(&self, chain: &[BackupId], only: &[&str], merge: bool) -> PathBuf {
        let path = self.directory.path().join("only");
        let place = RestorePlace::Into {
            path: path.clone(),
            replace: false,
        };
        let keys = only.iter().map(|key| DocumentKey::parse(key).unwrap());
        let rules = RestoreRules {
            only: Selection::under(keys.collect()),
            merge,
            ..RestoreRules::default()
        };
        let staged = self
            .store
            .stage(&job(), chain, &place, &rules, &no_progress());
        staged.unwrap().place().unwrap();
        path
    }
}

#[test]
fn attributes_acls_and_capabilities_come_back_with_their_changes() {
    let fixture = Fixture::new();
    fixture.put("file", "content");
    fixture.put("dir/below", "");
    fixture.put("read-only", "x");
    symlink("file", fixture.data().join("link")).unwrap();
    let at = |name: &str| fixture.data().join(name);
    set(&at("file"), "user.origin", b"\0\xff any bytes");
    set(&at("file"), "user.\u{fc}%", b"");
    set(&at("read-only"), "user.a", b"1");
    fs::set_permissions(at("read-only"), fs::Permissions::from_mode(0o444)).unwrap();
    set(&at("dir/below"), "system.posix_acl_access", &acl(6));
    set(&at("dir"), "system.posix_acl_default", &acl(7));
    set(&at("dir"), "user.of-directory", b"1");
    if rustix::process::geteuid().is_root() {
        chown(at("file"), Some(4_711), Some(4_712)).unwrap();
        // Version 2, effective, with one capability.
        let mut capability = vec![1, 0, 0, 2, 0, 4, 0, 0];
        capability.resize(20, 0);
        set(&at("file"), "security.capability", &capability);
        lsetxattr(at("link"), "trusted.of-link", b"1", XattrFlags::empty()).unwrap();
    }
    let mut chain = vec![];
    let full = fixture.extend(BackupType::Full, &mut chain).manifest;
    assert_eq!(full.format, FORMAT);
    let mut points = vec![(chain.clone(), fixture.tree(&fixture.data()))];

    // Neither content nor time are others after this.
    set(&at("file"), "user.origin", b"another");
    for (mode, is_open) in [(0o644, true), (0o444, false)] {
        fs::set_permissions(at("read-only"), fs::Permissions::from_mode(mode)).unwrap();
        if is_open {
            removexattr(at("read-only"), "user.a").unwrap();
        }
    }
    set(&at("dir"), "user.of-directory", b"2");
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((taken.documents, taken.size_bytes), (3, 0));
    points.push((chain.clone(), fixture.tree(&fixture.data())));
    assert_ne!(points[0].1.root_hash(), points[1].1.root_hash());
    fixture.assert_points(&points);
}

#[test]
fn the_acl_that_a_directory_hands_down_is_not_that_of_what_is_restored_into_it() {
    let fixture = Fixture::new();
    fixture.put("dir/file", "content");
    fs::set_permissions(
        fixture.data().join("dir/file"),
        fs::Permissions::from_mode(0o604),
    )
    .unwrap();
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let expected = fixture.tree(&fixture.data());
    set(
        fixture.directory.path(),
        "system.posix_acl_default",
        &acl(7),
    );
    fixture.assert_points(&[(chain, expected)]);
}

#[test]
fn names_of_one_file_are_stored_once_and_come_back_as_one_through_all_their_changes() {
    let fixture = Fixture::new();
    let at = |name: &str| fixture.data().join(name);
    let content = "one file ".repeat(1_000);
    fixture.put("m", &content);
    fixture.put("dir/other", "x");
    // Sorted after `dir/n` by its bytes, and found before.
    fs::hard_link(at("m"), at("dir/n")).unwrap();
    fs::hard_link(at("m"), at("dir n")).unwrap();
    let (mut chain, mut points) = (vec![], vec![]);
    let full = fixture.extend(BackupType::Full, &mut chain).manifest;
    assert_eq!(full.size_bytes, content.len() as u64 + 1);
    points.push((chain.clone(), fixture.tree(&fixture.data())));
    let changes: [&dyn Fn(); 7] = [
        // A new first name.
        &|| fs::hard_link(at("m"), at("a")).unwrap(),
        // The first name goes.
        &|| fs::remove_file(at("a")).unwrap(),
        // One becomes a file of its own, with the same content.
        &|| {
            fs::remove_file(at("m")).unwrap();
            fixture.put("m", &content);
        },
        &|| fixture.put("dir/n", "changed by one name"),
        // And is joined again.
        &|| {
            fs::remove_file(at("m")).unwrap();
            fs::hard_link(at("dir/n"), at("m")).unwrap();
        },
        &|| fs::set_permissions(at("m"), fs::Permissions::from_mode(0o600)).unwrap(),
        &|| fs::remove_dir_all(at("dir")).unwrap(),
    ];
    for change in changes {
        change();
        fixture.extend(BackupType::Incremental, &mut chain);
        points.push((chain.clone(), fixture.tree(&fixture.data())));
    }
    let links = |state: &mainstay_domain::archive::State| {
        let links = state.iter().filter(|(_, entry)| entry.link().is_some());
        links.count()
    };
    let counts: Vec<usize> = points.iter().map(|(_, state)| links(state)).collect();
    assert_eq!(counts, [2, 3, 2, 1, 1, 2, 2, 1]);
    fixture.assert_points(&points);
    assert_eq!(
        fixture.store.verify(&job(), &chain, &no_progress()),
        Ok(vec![])
    );
}

#[test]
fn a_name_is_restored_without_the_one_that_holds_its_content() {
    let fixture = Fixture::new();
    let content = "content ".repeat(400_000);
    fixture.put("a", &content);
    let at = |name: &str| fixture.data().join(name);
    for name in ["b", "c"] {
        fs::hard_link(at("a"), at(name)).unwrap();
    }
    fixture.put("large", "not asked for");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("large", "changed");
    fixture.extend(BackupType::Incremental, &mut chain);
    for merge in [false, true] {
        let only = fixture.restore_only(&chain, &["b", "c"], merge);
        assert_eq!(fs::read_to_string(only.join("b")).unwrap(), content);
        assert_eq!(inode(&only.join("b")), inode(&only.join("c")));
        assert_eq!(fs::read_dir(&only).unwrap().count(), 2);
        fs::remove_dir_all(&only).unwrap();
    }
    // Into a directory that holds one of them already.
    let there = fixture.directory.path().join("only");
    fs::create_dir(&there).unwrap();
    fs::write(there.join("c"), "old").unwrap();
    fs::write(there.join("kept"), "kept").unwrap();
    fixture.restore_only(&chain, &["b", "c"], true);
    assert_eq!(fs::read_to_string(there.join("c")).unwrap(), content);
    assert_eq!(inode(&there.join("b")), inode(&there.join("c")));
    assert_eq!(fs::read_to_string(there.join("kept")).unwrap(), "kept");

    let mut dumped = Vec::new();
    let mut take = |bytes: &[u8]| {
        dumped.extend_from_slice(bytes);
        Ok(())
    };
    let key = DocumentKey::parse("c").unwrap();
    let read = fixture
        .store
        .content(&job(), &chain, &key, &no_progress(), &mut take);
    read.unwrap();
    assert_eq!(dumped, content.into_bytes());
}

#[test]
fn a_tebibyte_with_a_mebibyte_in_it_is_stored_and_restored_as_that() {
    let fixture = Fixture::new();
    fixture.put("disk", "");
    let disk = fixture.data().join("disk");
    let file = fs::File::options().write(true).open(&disk).unwrap();
    file.set_len(1 << 40).unwrap();
    let data: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    file.write_all_at(&data, 1 << 30).unwrap();
    fs::hard_link(&disk, fixture.data().join("same")).unwrap();
    let (mut chain, mut points) = (vec![], vec![]);
    let full = fixture.extend(BackupType::Full, &mut chain).manifest;
    assert_eq!((full.size_bytes, full.format), (1 << 20, FORMAT));
    // There is room for what is in it, be there none for as much as it is long.
    let judged = fixture.judge_in_place(&chain);
    assert_eq!(judged, Ok(()));
    points.push((chain.clone(), fixture.tree(&fixture.data())));
    // More than goes into one line, and no hole at the beginning.
    file.write_all_at(&data, 1 << 35).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    fixture.extend(BackupType::Incremental, &mut chain);
    points.push((chain.clone(), fixture.tree(&fixture.data())));
    fixture.assert_points(&points);
    let restored = fixture.directory.path().join("point-1/disk");
    let metadata = restored.metadata().unwrap();
    assert_eq!(metadata.len(), 1 << 40);
    assert!(metadata.blocks() < 1 << 14, "{} blocks", metadata.blocks());
    let mut found = vec![0; data.len()];
    let restored = fs::File::open(&restored).unwrap();
    restored.read_exact_at(&mut found, 1 << 35).unwrap();
    assert!(found == data);
    // Its other name alone.
    let only = fixture.restore_only(&chain, &["same"], false);
    let other = fs::File::open(only.join("same")).unwrap();
    other.read_exact_at(&mut found, 1 << 30).unwrap();
    assert!(found == data && other.metadata().unwrap().blocks() < 1 << 14);
}

#[test]
fn the_holes_of_a_file_are_zeros_where_it_is_printed() {
    let fixture = Fixture::new();
    fixture.put("sparse", "");
    let path = fixture.data().join("sparse");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(5_000_000).unwrap();
    file.write_all_at(b"in the middle", 3_000_000).unwrap();
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    assert!(taken.size_bytes < 100_000, "{}", taken.size_bytes);
    let mut dumped = Vec::new();
    let mut take = |bytes: &[u8]| {
        dumped.extend_from_slice(bytes);
        Ok(())
    };
    let key = DocumentKey::parse("sparse").unwrap();
    let chain = [taken.id];
    let read = fixture
        .store
        .content(&job(), &chain, &key, &no_progress(), &mut take);
    read.unwrap();
    assert!(dumped == fs::read(&path).unwrap());
}

#[test]
fn names_that_come_to_lie_on_two_file_systems_are_two_files_and_a_note() {
    let mut fixture = Fixture::new();
    let other = fixture.directory.path().join("other");
    fs::create_dir(&other).unwrap();
    let source = |path: PathBuf, prefix: &str| BackupSource::Directory {
        path,
        prefix: prefix.to_owned(),
    };
    fixture.put("file", "content");
    fs::hard_link(fixture.data().join("file"), other.join("name")).unwrap();
    fixture.sources = vec![source(fixture.data(), "a"), source(other, "b")];
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    assert_eq!(taken.size_bytes, 7);

    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let device = |path: &Path| path.metadata().unwrap().dev();
    let is_apart = device(elsewhere.path()) != device(fixture.directory.path());
    let place = elsewhere.path().join("place");
    fs::create_dir(&place).unwrap();
    let sources = vec![source(fixture.data(), "a"), source(place.clone(), "b")];
    let chain = [taken.id];
    let in_place = RestorePlace::InPlace(sources);
    let restored = fixture
        .store
        .restore(&job(), &chain, &in_place, &no_progress());
    let notes = restored.unwrap().notes;
    assert_eq!(
        notes
            .iter()
            .any(|note| note.contains("`b/name`: it is a file of its own")),
        is_apart,
        "{notes:?}"
    );
    for file in [fixture.data().join("file"), place.join("name")] {
        assert_eq!(fs::read_to_string(file).unwrap(), "content");
    }
}

/// The first second of the year 10000, and the last one before the year -9999.
const BEYOND: [i64; 2] = [253_402_300_800, -377_705_116_801];

#[test]
fn a_time_beyond_what_can_be_stored_costs_itself_with_a_warning_and_nothing_else() {
    if !may_mount(
        "whole_trees::a_time_beyond_what_can_be_stored_costs_itself_with_a_warning_and_nothing_else",
    ) {
        return;
    }
    let fixture = Fixture::new();
    // Not every file system has such times.
    let _data = Mounted::memory(fixture.data());
    let _there = Mounted::memory(fixture.directory.path().join("there"));
    let names = ["late", "early"];
    for (name, tv_sec) in names.into_iter().zip(BEYOND) {
        fixture.put(name, name);
        let time = Timespec { tv_sec, tv_nsec: 0 };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, fixture.data().join(name), &times, AtFlags::empty()).unwrap();
        let set = fs::metadata(fixture.data().join(name)).unwrap().mtime();
        assert_eq!(set, tv_sec, "the file system has it");
    }
    let mut chain = vec![];
    let full = fixture.extend(BackupType::Full, &mut chain);
    assert!(!full.manifest.incomplete);
    for name in names {
        let about = |warning: &&String| warning.contains(&format!("data/{name} is outside of"));
        assert_eq!(full.warnings.iter().filter(about).count(), 1, "{name}");
    }
    // It is no other time at the next look.
    let added = fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(added.manifest.documents, 0);
    fixture
        .store
        .verify(&job(), &chain, &no_progress())
        .unwrap();
    let drilled = fixture.store.drill(&job(), &chain, None, &no_progress());
    assert_eq!(drilled.unwrap().restored().bytes, 9);
    let restored = fixture.restore_into(&chain, "there/restored").unwrap();
    let nearest = [jiff::Timestamp::MAX, jiff::Timestamp::MIN];
    for (name, nearest) in names.into_iter().zip(nearest) {
        let path = restored.join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), name);
        let mtime = fs::metadata(&path).unwrap().mtime();
        assert_eq!(mtime, nearest.as_second(), "{name}");
    }
}

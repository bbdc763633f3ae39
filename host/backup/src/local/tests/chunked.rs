//! Content that a chain holds once: any edits of large documents, renames and copies, and what refers to what is not there.

use super::{chunks::ChunkSizes, index::Index, sink::DiscardSink, write::ArchiveWriter, *};
use crate::port::{BackupContents, BackupKeys, UNSIGNED};
use mainstay_domain::archive::{
    ContentHash, DocumentKind, Encryption, Entry, FORMAT, Header, Manifest, Mode, ParentLink, State,
};
use proptest::prelude::*;

/// So small that a few kilobytes have many parts.
pub(super) const SMALL: ChunkSizes = ChunkSizes {
    most: 1024,
    average: 256,
    least: 64,
};

const NAMES: [&str; 5] = ["a", "b", "d/a", "d/b", "e"];

fn with_small_parts() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.store.sizes = SMALL;
    fixture
}

/// As good as random; of the seed 0 it is all the same.
pub(super) fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut content = vec![0; length];
    if seed > 0 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[seed]);
        hasher.finalize_xof().fill(&mut content);
    }
    content
}

pub(super) fn printed(fixture: &Fixture, chain: &[BackupId], name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let mut take = |bytes: &[u8]| {
        content.extend_from_slice(bytes);
        Ok(())
    };
    let read = fixture
        .store
        .content(&job(), chain, &key(name), &no_progress(), &mut take);
    read.unwrap();
    content
}

pub(super) fn verified(
    fixture: &Fixture,
    chain: &[BackupId],
) -> Result<Vec<String>, BackupStoreError> {
    fixture.store.verify(&job(), chain, &no_progress())
}

/// The index of the newest of a chain says what the chain does.
#[track_caller]
pub(super) fn assert_right_index(fixture: &Fixture, chain: &[BackupId], root_hash: ContentHash) {
    let layout = &fixture.store.layout;
    let newest = chain.last().unwrap();
    let index = Index::load(layout, &job(), newest, root_hash).unwrap();
    let composed = read::read_chain(
        layout,
        &CancellationToken::new(),
        &job(),
        chain,
        &no_progress(),
        &mut DiscardSink,
    );
    let composed = composed.unwrap();
    assert_eq!(
        index.listing.state().unwrap(),
        composed.listing.state().unwrap()
    );
    assert!(index.can_be_referred_to);
    let held = composed.held.unwrap();
    let mut hashes = index.held.iter();
    assert!(hashes.all(|hash| held.contains(&hash.unwrap()).unwrap()));
}

pub(super) fn drop_indexes(fixture: &Fixture) {
    for entry in fs::read_dir(fixture.job_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".index.zst") {
            fs::remove_file(path).unwrap();
        }
    }
}

#[derive(Debug, Clone)]
enum Edit {
    Write(usize, u8, usize),
    Insert(usize, usize, u8),
    Overwrite(usize, usize, u8),
    Cut(usize, usize, usize),
    Truncate(usize, usize),
    Append(usize, u8, usize),
    Rename(usize, usize),
    Copy(usize, usize),
    Remove(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let name = 0..NAMES.len();
    let (at, length) = (0..9_000_usize, 0..6_000_usize);
    prop_oneof![
        3 => (name.clone(), 0..4_u8, length.clone()).prop_map(|(name, seed, length)| Edit::Write(name, seed, length)),
        2 => (name.clone(), at.clone(), any::<u8>()).prop_map(|(name, at, byte)| Edit::Insert(name, at, byte)),
        2 => (name.clone(), at.clone(), any::<u8>()).prop_map(|(name, at, byte)| Edit::Overwrite(name, at, byte)),
        2 => (name.clone(), at.clone(), 0..2_000_usize).prop_map(|(name, at, length)| Edit::Cut(name, at, length)),
        1 => (name.clone(), at).prop_map(|(name, at)| Edit::Truncate(name, at)),
        2 => (name.clone(), 0..4_u8, length).prop_map(|(name, seed, length)| Edit::Append(name, seed, length)),
        2 => (name.clone(), name.clone()).prop_map(|(from, to)| Edit::Rename(from, to)),
        2 => (name.clone(), name.clone()).prop_map(|(from, to)| Edit::Copy(from, to)),
        1 => name.prop_map(Edit::Remove),
    ]
}

fn apply(fixture: &Fixture, edit: &Edit) {
    let path = |name: usize| fixture.data().join(NAMES[name]);
    let change = |name: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut content = fs::read(path(name)).unwrap_or_default();
        change(&mut content);
        fixture.put(NAMES[name], content);
    };
    match edit {
        Edit::Write(name, seed, length) => fixture.put(NAMES[*name], noise(*seed, *length)),
        Edit::Insert(name, at, byte) => change(*name, &|content: &mut Vec<u8>| {
            content.insert((*at).min(content.len()), *byte);
        }),
        Edit::Overwrite(name, at, byte) => change(*name, &|content: &mut Vec<u8>| {
            if let Some(there) = content.get_mut(*at) {
                *there = *byte;
            }
        }),
        Edit::Cut(name, at, length) => change(*name, &|content: &mut Vec<u8>| {
            let from = (*at).min(content.len());
            let to = (from + length).min(content.len());
            content.drain(from..to);
        }),
        Edit::Truncate(name, length) => {
            change(*name, &|content: &mut Vec<u8>| content.truncate(*length))
        }
        Edit::Append(name, seed, length) => change(*name, &|content: &mut Vec<u8>| {
            content.extend(noise(*seed, *length));
        }),
        Edit::Rename(from, to) => {
            if path(*from).exists() {
                fs::create_dir_all(path(*to).parent().unwrap()).unwrap();
                fs::rename(path(*from), path(*to)).unwrap();
            }
        }
        Edit::Copy(from, to) => {
            if let Ok(content) = fs::read(path(*from)) {
                fixture.put(NAMES[*to], content);
            }
        }
        Edit::Remove(name) => drop(fs::remove_file(path(*name))),
    }
}

/// What is taken next, and whether every index is lost before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taking {
    pub(super) differential: bool,
    pub(super) loses_indexes: bool,
}

pub(super) fn taking() -> impl Strategy<Value = Taking> {
    (any::<bool>(), 0..4_u8).prop_map(|(differential, loses)| Taking {
        differential,
        loses_indexes: loses == 0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Twenty-four edits, a backup after each third: every point restores, and what a chain has is known.
    #[test]
    fn any_point_of_a_history_of_edits_restores_to_the_same_tree(
        edits in prop::collection::vec(edit(), 24),
        takings in prop::collection::vec(taking(), 8),
    ) {
        let fixture = with_small_parts();
        apply(&fixture, &Edit::Write(0, 1, 5_000));
        let mut chain = vec![];
        fixture.extend(BackupType::Full, &mut chain);
        let mut points: Vec<(Vec<BackupId>, State)> = vec![(chain.clone(), fixture.tree(&fixture.data()))];
        for (edits, taking) in edits.chunks(3).zip(takings) {
            edits.iter().for_each(|edit| apply(&fixture, edit));
            if taking.loses_indexes {
                drop_indexes(&fixture);
            }
            let backup_type = match taking.differential {
                true => BackupType::Differential,
                false => BackupType::Incremental,
            };
            if taking.differential {
                chain.truncate(1);
            }
            let taken = fixture.extend(backup_type, &mut chain).manifest;
            assert_right_index(&fixture, &chain, taken.root_hash);
            points.push((chain.clone(), fixture.tree(&fixture.data())));
        }
        for (at, (chain, expected)) in points.iter().enumerate() {
            let restored = fixture.restore_into(chain, &format!("point-{at}")).unwrap();
            assert_same_tree(&fixture, &restored, expected);
            assert_eq!(verified(&fixture, chain), Ok(vec![]));
        }
        for name in NAMES {
            if let Ok(content) = fs::read(fixture.data().join(name)) {
                assert_eq!(printed(&fixture, &chain, name), content);
            }
        }
        fixture.store.drill(&job(), &chain, None, &no_progress()).unwrap();
    }
}

#[test]
fn equal_content_is_stored_once_in_an_archive_and_in_a_chain() {
    let fixture = with_small_parts();
    let (large, small) = (noise(1, 20_000), noise(2, 500));
    for name in ["d/large", "d/twin"] {
        fixture.put(name, &large);
    }
    for name in ["d/small", "d/other"] {
        fixture.put(name, &small);
    }
    let mut chain = vec![];
    let full = fixture.extend(BackupType::Full, &mut chain).manifest;
    assert_eq!(full.size_bytes, 20_500);
    let first = fixture.tree(&fixture.data());

    // Renamed, and one of them gone for a while.
    fs::rename(fixture.data().join("d"), fixture.data().join("e")).unwrap();
    fs::remove_file(fixture.data().join("e/twin")).unwrap();
    let renamed = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((renamed.size_bytes, renamed.tombstones), (0, 5));
    let second = fixture.tree(&fixture.data());
    fixture.put("back", &large);
    let mut longer = large.clone();
    longer.insert(10_000, 7);
    fixture.put("e/large", &longer);
    let back = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert!((1..4_000).contains(&back.size_bytes), "{}", back.size_bytes);
    let third = fixture.tree(&fixture.data());
    for (links, expected) in [(1, first), (2, second), (3, third)] {
        let restored = fixture.restore_into(&chain[..links], &format!("at-{links}"));
        assert_same_tree(&fixture, &restored.unwrap(), &expected);
    }
    assert_eq!(printed(&fixture, &chain, "e/large"), longer);
    assert_eq!(printed(&fixture, &chain, "e/small"), small);
    // Only touched: nothing of it is stored.
    fixture.put("back", &large);
    let touched = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!(touched.size_bytes, 0);
}

#[test]
fn content_whose_first_document_is_another_one_by_now_is_restored_for_the_others() {
    let fixture = with_small_parts();
    let (large, small) = (noise(1, 5_000), noise(2, 500));
    for name in ["a", "b"] {
        fixture.put(name, &large);
    }
    for name in ["c", "d"] {
        fixture.put(name, &small);
    }
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("a", "another");
    fs::remove_file(fixture.data().join("c")).unwrap();
    fixture.extend(BackupType::Incremental, &mut chain);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    assert_eq!(printed(&fixture, &chain, "b"), large);
    assert_eq!(printed(&fixture, &chain, "d"), small);
    assert_eq!(verified(&fixture, &chain), Ok(vec![]));
}

#[test]
fn a_flip_of_any_byte_of_what_others_refer_to_is_detected() {
    let fixture = with_small_parts();
    fixture.put("a", noise(1, 1_500));
    fixture.put("b", noise(2, 200));
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fs::rename(fixture.data().join("b"), fixture.data().join("c")).unwrap();
    let mut edited = noise(1, 1_500);
    edited.push(0);
    fixture.put("a", edited);
    fixture.extend(BackupType::Incremental, &mut chain);
    for id in &chain {
        let path = fixture.job_dir().join(format!("{id}.jsonl.zst"));
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            assert!(verified(&fixture, &chain).is_err(), "{id}: byte {at}");
        }
        fs::remove_file(&path).unwrap();
        let error = fixture.restore_into(&chain, "restored").unwrap_err();
        assert!(error.to_string().contains(id.as_str()), "{error}");
        assert!(!fixture.directory.path().join("restored").exists());
        fs::write(&path, &good).unwrap();
    }
    assert_eq!(verified(&fixture, &chain), Ok(vec![]));
}

/// Puts an archive into the place of a full backup, of the document `a` alone; every count, hash and manifest is right.
fn forge(
    fixture: &Fixture,
    taken: &Manifest,
    format: u32,
    entry: &Entry,
    write: impl FnOnce(&mut ArchiveWriter),
) {
    let (archive, manifest) = fixture.store.layout.find(&job(), &taken.id).unwrap();
    let (archive, manifest) = (archive.shown(), manifest.shown());
    fs::remove_file(&archive).unwrap();
    fs::remove_file(&manifest).unwrap();
    write_forged(fixture, taken.clone(), format, entry, write);
}

/// The same, of an incremental backup that is the difference to a full one.
fn forge_next(
    fixture: &Fixture,
    full: &Manifest,
    id: &BackupId,
    entry: &Entry,
    write: impl FnOnce(&mut ArchiveWriter),
) {
    let (_, manifest) = fixture.store.layout.find(&job(), &full.id).unwrap();
    let above = Manifest::from_bytes(&fs::read(manifest.shown()).unwrap()).unwrap();
    let next = Manifest {
        id: id.clone(),
        backup_type: BackupType::Incremental,
        parent: Some(ParentLink {
            id: full.id.clone(),
            manifest_hash: above.hash().unwrap(),
        }),
        ..above
    };
    write_forged(fixture, next, FORMAT, entry, write);
}

fn write_forged(
    fixture: &Fixture,
    taken: Manifest,
    format: u32,
    entry: &Entry,
    write: impl FnOnce(&mut ArchiveWriter),
) {
    let layout = &fixture.store.layout;
    let archive = layout.archive(&job(), &taken.id, &Encryption::None);
    let header = Header {
        format,
        id: taken.id.clone(),
        job: job(),
        backup_type: taken.backup_type,
        parent: taken.parent.as_ref().map(|parent| parent.id.clone()),
        base: taken.base.clone(),
        created_at: taken.created_at,
    };
    let mut writer = ArchiveWriter::create(&archive, header, 3, &Encryption::None).unwrap();
    write(&mut writer);
    let state: State = [(key("a"), entry.clone())].into_iter().collect();
    let (end, stored) = writer.finish(state.root_hash()).unwrap();
    let forged = Manifest {
        documents: end.documents,
        tombstones: end.tombstones,
        size_bytes: end.size_bytes,
        root_hash: end.root_hash,
        stored_bytes: stored.bytes,
        stored_hash: stored.hash,
        ..taken
    };
    let forged = layout.keys().host().sign(forged).unwrap();
    let manifest = layout.manifest(&job(), &forged.id);
    fs::write(manifest, forged.to_bytes().unwrap()).unwrap();
    drop_indexes(fixture);
}

fn file(content: &[u8]) -> Entry {
    Entry {
        kind: DocumentKind::File,
        mode: Mode::from_bits(0o644),
        mtime: jiff::Timestamp::UNIX_EPOCH,
        uid: 0,
        gid: 0,
        size: content.len() as u64,
        hash: ContentHash::of(content),
        extras: None,
    }
}

#[test]
fn content_that_no_archive_of_a_chain_has_is_corruption_and_named() {
    let fixture = with_small_parts();
    fixture.put("a", "x");
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    let chain = [taken.id.clone()];
    let entry = file(b"never stored");
    for in_parts in [false, true] {
        forge(&fixture, &taken, FORMAT, &entry, |writer| {
            if in_parts {
                writer
                    .held_part(&key("a"), 0, entry.hash, entry.size)
                    .unwrap();
                writer.document_in_parts(&key("a"), &entry, 1, 0).unwrap();
            } else {
                writer.same(&key("a"), &entry).unwrap();
            }
        });
        let restored = fixture.restore_into(&chain, "restored").map(|_| vec![]);
        for result in [verified(&fixture, &chain), restored] {
            let error = result.unwrap_err().to_string();
            assert!(
                error.contains("content of `a`") && error.contains(chain[0].as_str()),
                "{error}"
            );
        }
        assert!(!fixture.directory.path().join("restored").exists());
    }
}

#[test]
fn parts_that_do_not_make_the_document_that_they_are_said_to_make_are_not_restored() {
    let fixture = with_small_parts();
    fixture.put("a", "x");
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    let entry = file(b"abba");
    let part = ContentHash::of(b"ab");
    forge(&fixture, &taken, FORMAT, &entry, |writer| {
        writer.part(&key("a"), 0, part, b"ab").unwrap();
        writer.held_part(&key("a"), 1, part, 2).unwrap();
        writer.document_in_parts(&key("a"), &entry, 2, 2).unwrap();
    });
    let chain = [taken.id];
    let restored = fixture.restore_into(&chain, "restored").map(|_| vec![]);
    for result in [verified(&fixture, &chain), restored] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("do not have its hash together"), "{error}");
    }
    assert!(!fixture.directory.path().join("restored").exists());
}

/// Every part has its hash, wherever it is; only together they are another document.
#[test]
fn a_document_that_its_parts_in_an_earlier_archive_do_not_make_is_found_by_verifying() {
    let fixture = with_small_parts();
    let (one, two, grown) = (noise(1, 1_024), noise(2, 1_024), noise(3, 700));
    let (right, wrong) = ([&one[..], &two].concat(), [&two[..], &one].concat());
    for (parts, is_right) in [([&one, &two], true), ([&two, &one], false)] {
        fixture.put("a", "x");
        let full = fixture.take(BackupType::Full, &[]).manifest;
        let whole = match is_right {
            true => file(&right),
            false => file(&wrong),
        };
        forge(&fixture, &full, FORMAT, &whole, |writer| {
            for (number, part) in (0..).zip(parts) {
                writer
                    .part(&key("a"), number, ContentHash::of(part), part)
                    .unwrap();
            }
            writer
                .document_in_parts(&key("a"), &whole, 2, 2_048)
                .unwrap();
        });
        let entry = file(&[&right[..], &grown].concat());
        let next = BackupId::new(BackupType::Incremental, fixture.ids.lock().next(now()));
        forge_next(&fixture, &full, &next, &entry, |writer| {
            for (number, part) in (0..).zip(parts) {
                let hash = ContentHash::of(part);
                writer.held_part(&key("a"), number, hash, 1_024).unwrap();
            }
            let hash = ContentHash::of(&grown);
            writer.part(&key("a"), 2, hash, &grown).unwrap();
            writer.document_in_parts(&key("a"), &entry, 3, 700).unwrap();
        });
        let chain = [full.id.clone(), next.clone()];
        assert_eq!(verified(&fixture, &chain[..1]), Ok(vec![]));
        match verified(&fixture, &chain) {
            found if is_right => assert_eq!(found, Ok(vec![])),
            Err(BackupStoreError::Corrupted { id, what }) => {
                assert_eq!(id, next);
                assert!(what.contains("document `a`"), "{what}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_chain_with_an_archive_of_format_1_is_not_referred_to() {
    let fixture = with_small_parts();
    let content = noise(1, 500);
    fixture.put("a", &content);
    let taken = fixture.take(BackupType::Full, &[]).manifest;
    let entry = file(&content);
    forge(&fixture, &taken, 1, &entry, |writer| {
        writer.document(&key("a"), &entry, &content).unwrap();
    });
    let mut chain = vec![taken.id];
    fixture.put("b", &content);
    fixture.put("c", &content);
    // With what the chain says, and with what the index does then.
    for name in ["d", "e"] {
        fixture.put(name, &content);
        let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
        assert_eq!(taken.size_bytes, 500, "once for this archive");
        let restored = fixture.restore_into(&chain, name).unwrap();
        assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    }
}

#[test]
fn an_index_of_another_backup_with_the_same_state_is_named_and_nothing_is_built_on_it() {
    let fixture = with_small_parts();
    let gone = noise(2, 500);
    fixture.put("a", noise(1, 500));
    fixture.put("b", &gone);
    let mut other = vec![];
    fixture.extend(BackupType::Full, &mut other);
    fs::remove_file(fixture.data().join("b")).unwrap();
    let same = fixture.extend(BackupType::Incremental, &mut other).manifest;
    let mut chain = vec![];
    let full = fixture.extend(BackupType::Full, &mut chain).manifest;
    assert_eq!(full.root_hash, same.root_hash);
    let index = |id: &BackupId| fixture.job_dir().join(format!("{id}.index.zst"));
    // Its chain holds what was in `b`.
    let of_another = fs::read(index(&same.id)).unwrap();
    fs::write(index(&full.id), &of_another).unwrap();
    let notes = verified(&fixture, &chain).unwrap();
    assert!(
        matches!(&notes[..], [note] if note.contains("made anew")),
        "{notes:?}"
    );
    assert_eq!(verified(&fixture, &chain), Ok(vec![]));
    fs::write(index(&full.id), &of_another).unwrap();
    fixture.put("b", &gone);
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!(taken.size_bytes, 500, "the chain does not hold it");
    assert_right_index(&fixture, &chain, taken.root_hash);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
}

#[test]
fn a_small_difference_writes_a_small_index_over_the_one_of_the_full_backup() {
    let fixture = Fixture::new();
    for number in 0..400_u16 {
        fixture.put(&format!("f{number}"), number.to_string().repeat(40));
    }
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let length = |id: &BackupId| {
        let index = fixture.job_dir().join(format!("{id}.index.zst"));
        fs::metadata(index).map(|index| index.len()).ok()
    };
    let whole = length(&chain[0]).unwrap();
    for number in 0..4_u16 {
        fixture.put(&format!("f{number}"), format!("changed {number}"));
        fs::remove_file(fixture.data().join(format!("f{}", 100 + number))).unwrap();
        let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
        assert_right_index(&fixture, &chain, taken.root_hash);
        let small = length(chain.last().unwrap()).unwrap();
        assert!(small < whole / 8, "{small} of {whole}");
    }
    let there: Vec<bool> = chain.iter().map(|id| length(id).is_some()).collect();
    assert_eq!(there, [true, false, false, false, true]);

    // Without the one that it was made over, the chain is read.
    fs::remove_file(fixture.job_dir().join(format!("{}.index.zst", chain[0]))).unwrap();
    fixture.put("f5", "changed");
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((taken.documents, taken.tombstones), (1, 0));
    assert_right_index(&fixture, &chain, taken.root_hash);

    // What is another one altogether is written whole.
    for number in 0..400_u16 {
        fixture.put(&format!("f{number}"), number.to_string().repeat(41));
    }
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_right_index(&fixture, &chain, taken.root_hash);
    assert!(length(chain.last().unwrap()).unwrap() > whole / 2);
}

/// Manifests that nobody signed count.
struct TrustsUnsigned;

impl BackupKeys for TrustsUnsigned {
    fn identity(&self, _: &JobName) -> Option<PathBuf> {
        None
    }

    fn trusted(&self) -> Vec<String> {
        vec![UNSIGNED.to_owned()]
    }
}

/// A full backup and an incremental one of the first version that wrote format 2, which signed nothing: parts that are there and parts by hash, a
/// copy, a rename, and new permissions.
#[test]
fn a_kept_chain_of_format_2_is_read_as_ever() {
    const FULL: &str = "ful-01K0000000000000000000000D";
    const NEXT: &str = "inc-01K0000000000000000000000F";
    let mut fixture = Fixture::new();
    fixture.store = fixture.store.with_keys(Arc::new(TrustsUnsigned));
    fs::create_dir_all(fixture.job_dir()).unwrap();
    let kept: [(&str, &str, &[u8]); 4] = [
        (
            FULL,
            "json",
            include_bytes!("kept/ful-01K0000000000000000000000D.json"),
        ),
        (
            FULL,
            "jsonl.zst",
            include_bytes!("kept/ful-01K0000000000000000000000D.jsonl.zst"),
        ),
        (
            NEXT,
            "json",
            include_bytes!("kept/inc-01K0000000000000000000000F.json"),
        ),
        (
            NEXT,
            "jsonl.zst",
            include_bytes!("kept/inc-01K0000000000000000000000F.jsonl.zst"),
        ),
    ];
    for (id, suffix, bytes) in kept {
        fs::write(fixture.job_dir().join(format!("{id}.{suffix}")), bytes).unwrap();
    }
    let chain = [FULL, NEXT].map(|id| BackupId::parse(id).unwrap());
    let small = "kept as it was written in format 2, and read for as long as there are backups\n";
    let binary: Vec<u8> = (0..=255).cycle().take(512).collect();
    let (lines, more) = ("ä line\n".repeat(40), "one more part\n".repeat(30));
    let before = [&binary[..], lines.as_bytes(), &binary].concat();
    let after = [&binary[..], more.as_bytes(), lines.as_bytes(), &binary].concat();

    assert_eq!(verified(&fixture, &chain), Ok(vec![]));
    let first = fixture.restore_into(&chain[..1], "first").unwrap();
    let second = fixture.restore_into(&chain, "second").unwrap();
    let read = |place: &Path, name: &str| fs::read(place.join(name)).unwrap();
    for (place, name, content) in [
        (&first, "copy", small.as_bytes()),
        (&first, "small", small.as_bytes()),
        (&first, "large", &before[..]),
        (&second, "copy", small.as_bytes()),
        (&second, "renamed", small.as_bytes()),
        (&second, "large", &after[..]),
    ] {
        assert_eq!(read(place, name), content, "{name}");
    }
    assert!(!second.join("small").exists());
    let mode = |name: &str| {
        fs::metadata(second.join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(
        (mode("copy") & 0o777, mode("large") & 0o777),
        (0o600, 0o640)
    );
    // And built on.
    let mut chain = chain.to_vec();
    fixture.put("another", small);
    let taken = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!((taken.documents, taken.size_bytes), (2, 0));
    assert_right_index(&fixture, &chain, taken.root_hash);
}

#[test]
fn a_file_that_is_begun_anew_is_referred_to_as_it_was_at_last() {
    let fixture = with_small_parts();
    // Repeated, so that it refers to itself.
    let content = noise(1, 3_000).repeat(3);
    let grown = [&content[..], b"more"].concat();
    fixture.put("large", &content);
    fixture.put("twin", &grown);
    let (path, done) = (fixture.data().join("large"), Mutex::new(false));
    let longer = grown.clone();
    let progress: OnProgress = Arc::new(move |progress| {
        let mut done = done.lock();
        if progress.bytes > 0 && !*done {
            fs::write(&path, &longer).unwrap();
            *done = true;
        }
    });
    let request = fixture.request(BackupType::Full, &[]);
    let taken = fixture.store.take(&request, &progress).unwrap();
    assert!(taken.warnings.is_empty(), "{:?}", taken.warnings);
    let mut chain = vec![taken.manifest.id];
    assert_right_index(&fixture, &chain, taken.manifest.root_hash);
    fixture.put("third", &grown);
    let next = fixture.extend(BackupType::Incremental, &mut chain).manifest;
    assert_eq!(next.size_bytes, 0);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &fixture.tree(&fixture.data()));
    assert_eq!(printed(&fixture, &chain, "twin"), grown);
    assert_eq!(verified(&fixture, &chain), Ok(vec![]));
}

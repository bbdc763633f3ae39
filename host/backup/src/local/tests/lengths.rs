//! Paths and names that are as long as a file system takes them, and longer than the kernel takes at once.

use super::{tree::Tree, *};
use std::io::Write;

/// A file and a link so deep, and the path of the directory that they are in.
fn put_deep(fixture: &Fixture, bytes: usize) -> String {
    let parts = vec!["n".repeat(199); bytes / 200];
    let deep = parts.join("/");
    let tree = Tree::open(&fixture.data()).unwrap();
    let mut file = tree.new_file(format!("{deep}/a").as_bytes()).unwrap();
    file.write_all(b"deep").unwrap();
    let link = format!("{deep}/link");
    tree.new_link(link.as_bytes(), b"a").unwrap();
    deep
}

#[test]
fn a_tree_of_any_depth_is_taken_verified_drilled_and_restored() {
    // Below what a path may have, at it once it is beside other things, and far above.
    for bytes in [3_600, 4_000, 4_200, 9_000] {
        let fixture = Fixture::new();
        fixture.put("a", "one");
        let deep = put_deep(&fixture, bytes);
        let expected = fixture.tree(&fixture.data());
        assert_eq!(expected.len(), 2 + bytes / 200 + 2, "{bytes}");
        let mut chain = vec![];
        fixture.extend(BackupType::Full, &mut chain);
        fixture.put("a", "two");
        let tree = Tree::open(&fixture.data()).unwrap();
        let added = format!("{deep}/added");
        let mut file = tree.new_file(added.as_bytes()).unwrap();
        file.write_all(b"later").unwrap();
        let second = fixture.tree(&fixture.data());
        let taken = fixture.extend(BackupType::Incremental, &mut chain);
        assert!(taken.warnings.is_empty(), "{:?}", taken.warnings);

        fixture
            .store
            .verify(&job(), &chain, &no_progress())
            .unwrap();
        fixture
            .store
            .drill(&job(), &chain, None, &no_progress())
            .unwrap();
        let below = format!("{0}/{0}/{0}", "r".repeat(250));
        let first = fixture.restore_into(&chain[..1], &below).unwrap();
        assert_same_tree(&fixture, &first, &expected);
        fixture.put("b", "lost");
        let place = RestorePlace::InPlace(fixture.sources.clone());
        let restored = fixture
            .store
            .restore(&job(), &chain, &place, &no_progress());
        restored.unwrap();
        assert_same_tree(&fixture, &fixture.data(), &second);
        let left = fs::read_dir(fixture.directory.path()).unwrap().count();
        assert_eq!(
            left, 3,
            "the source, the state and what was restored, and nothing beside them"
        );
        removal::remove_tree(&fixture.data()).unwrap();
    }
}

#[test]
fn a_place_may_have_the_longest_of_names_and_documents_too() {
    let mut fixture = Fixture::new();
    for length in [1, 236, 237, 238, 239, 255] {
        let path = fixture.directory.path().join("n".repeat(length));
        fs::create_dir(&path).unwrap();
        let document = path.join("d".repeat(length));
        fs::write(&document, "good").unwrap();
        fixture.sources = vec![BackupSource::Directory {
            path: path.clone(),
            prefix: String::new(),
        }];
        let chain = [fixture.take(BackupType::Full, &[]).manifest.id];
        fs::write(&document, "bad").unwrap();
        let place = RestorePlace::InPlace(fixture.sources.clone());
        let restored = fixture
            .store
            .restore(&job(), &chain, &place, &no_progress());
        restored.unwrap();
        assert_eq!(fs::read_to_string(&document).unwrap(), "good");
        fs::remove_dir_all(&path).unwrap();
        let into = fixture.restore_into(&chain, &"i".repeat(length)).unwrap();
        fs::remove_dir_all(into).unwrap();
        let left = fs::read_dir(fixture.directory.path()).unwrap().count();
        assert_eq!(left, 2, "data and state: {length}");
    }
}

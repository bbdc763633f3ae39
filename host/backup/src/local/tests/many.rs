//! Many documents: what is held of them is counted, not measured.

use super::{
    hashes::Hashes,
    index::{Gathered, Index},
    table::Aside,
    *,
};
use mainstay_domain::archive::{ContentHash, DocumentKey, DocumentKind, Entry, Mode, State};

/// Files in directories, each with content of its own.
fn documents(count: u64) -> impl Iterator<Item = (DocumentKey, Entry)> {
    (0..count).map(|number| {
        let key = format!("directory-{}/file-{number}", number % 70);
        let entry = Entry {
            kind: DocumentKind::File,
            mode: Mode::from_bits(0o644),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 0,
            gid: 0,
            size: 8,
            hash: ContentHash::of(&number.to_le_bytes()),
            extras: None,
        };
        (DocumentKey::parse(&key).unwrap(), entry)
    })
}

#[test]
fn few_bytes_are_held_of_each_document_of_an_index_and_all_of_it_is_there() {
    const COUNT: u64 = 5_000;
    let fixture = Fixture::new();
    let id = fixture.take(BackupType::Full, &[]).manifest.id;
    let layout = &fixture.store.layout;
    let aside = Aside::new(layout, &job(), &id);
    let (mut found, mut held) = (Gathered::new(&aside), Hashes::new(&aside));
    for (key, entry) in documents(COUNT) {
        found.add(&key, &entry, None).unwrap();
        held.insert(entry.hash).unwrap();
    }
    let index = found.finish(held, true).unwrap();
    let expected: State = documents(COUNT).collect();
    let bytes = |index: &Index| index.listing.records().held() as u64;
    // With key and hash alone it would be more than 50 of each.
    assert!(bytes(&index) < COUNT * 15, "{}", bytes(&index));
    let root_hash = index.listing.root_hash().unwrap();
    assert_eq!(root_hash, expected.root_hash());
    index.store(layout, &job(), &id, None).unwrap();
    let read = Index::load(layout, &job(), &id, root_hash).unwrap();
    assert!(bytes(&read) < COUNT * 15, "{}", bytes(&read));
    assert_eq!(read.listing.state().unwrap(), expected);
    assert_eq!(read.held.len(), COUNT);
}

#[test]
fn of_many_symbolic_links_each_leads_where_it_led() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    for number in 0..200 {
        let link = fixture.data().join(format!("link-{number}"));
        symlink(format!("somewhere/else/{number}"), link).unwrap();
    }
    let expected = fixture.tree(&fixture.data());
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let restored = fixture.restore_into(&chain, "restored").unwrap();
    assert_same_tree(&fixture, &restored, &expected);
    let leads_to = fs::read_link(restored.join("link-77")).unwrap();
    assert_eq!(leads_to, Path::new("somewhere/else/77"));
}

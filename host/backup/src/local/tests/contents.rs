//! What is seen of backups without restoring them.

use super::*;
use crate::port::{BackupContents, LiveState};
use mainstay_domain::archive::{DocumentKind, State, compare};

impl Fixture {
    fn state_of(&self, chain: &[BackupId]) -> Result<State, BackupStoreError> {
        self.store.state(&job(), chain, &no_progress())
    }

    fn content_of(&self, chain: &[BackupId], name: &str) -> Result<Vec<u8>, BackupStoreError> {
        let mut content = Vec::new();
        let mut take = |bytes: &[u8]| {
            content.extend_from_slice(bytes);
            Ok(())
        };
        let read = self
            .store
            .content(&job(), chain, &key(name), &no_progress(), &mut take);
        read.map(|()| content)
    }

    fn live(&self) -> LiveState {
        let sources = (self.sources.as_slice(), &self.reading);
        self.store.live(sources, &no_progress()).unwrap()
    }
}

#[test]
fn a_state_is_the_same_by_the_index_and_by_the_archives() {
    let fixture = Fixture::new();
    fixture.put("a", "one");
    fixture.put("dir/b", "two");
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let first = fixture.tree(&fixture.data());
    fixture.put("a", "changed");
    fs::remove_file(fixture.data().join("dir/b")).unwrap();
    fixture.extend(BackupType::Incremental, &mut chain);
    let second = fixture.tree(&fixture.data());
    assert_eq!(fixture.state_of(&chain), Ok(second.clone()));
    for name in fs::read_dir(fixture.job_dir()).unwrap() {
        let path = name.unwrap().path();
        if path.to_string_lossy().ends_with(".index.zst") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(fixture.state_of(&chain), Ok(second));
    assert_eq!(fixture.state_of(&chain[..1]), Ok(first));
}

#[test]
fn the_content_of_one_document_comes_from_whatever_link_holds_it() {
    let fixture = Fixture::new();
    let large: Vec<u8> = (0..3_000_000_u32)
        .map(|byte| byte.to_le_bytes()[1])
        .collect();
    fixture.put("large", &large);
    fixture.put("small", "one");
    fixture.put("empty", "");
    symlink("small", fixture.data().join("link")).unwrap();
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    fixture.put("small", "two");
    fixture.extend(BackupType::Incremental, &mut chain);
    assert_eq!(fixture.content_of(&chain, "large").unwrap(), large);
    assert_eq!(fixture.content_of(&chain, "small").unwrap(), b"two");
    assert_eq!(fixture.content_of(&chain[..1], "small").unwrap(), b"one");
    assert_eq!(fixture.content_of(&chain, "empty").unwrap(), b"");
    assert_eq!(fixture.content_of(&chain, "link").unwrap(), b"small");
    let is_directory = fixture.content_of(&chain, ".").unwrap_err().to_string();
    assert!(is_directory.contains("is a directory"), "{is_directory}");
    let missing = fixture.content_of(&chain, "smal").unwrap_err().to_string();
    assert!(missing.contains("nothing at or under `smal`"), "{missing}");
}

#[test]
fn nothing_of_a_damaged_chain_is_handed_on() {
    let fixture = Fixture::new();
    fixture.put("a", "one".repeat(1_000));
    let mut chain = vec![];
    fixture.extend(BackupType::Full, &mut chain);
    let archive = fixture.job_dir().join(format!("{}.jsonl.zst", chain[0]));
    let mut bytes = fs::read(&archive).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let mut pieces = 0;
    let mut take = |_: &[u8]| {
        pieces += 1;
        Ok(())
    };
    let read = fixture
        .store
        .content(&job(), &chain, &key("a"), &no_progress(), &mut take);
    assert!(matches!(read, Err(BackupStoreError::Corrupted { .. })));
    assert_eq!(pieces, 0);
}

#[test]
fn what_the_sources_hold_now_is_read_and_what_cannot_be_is_told() {
    let mut fixture = Fixture::new();
    fixture.put("a", "one");
    symlink("a", fixture.data().join("link")).unwrap();
    let backup = fixture.take(BackupType::Full, &[]).manifest.id;
    let stored = fixture.state_of(&[backup]).unwrap();
    let now = fixture.live();
    assert_eq!((compare(&stored, &now.state), now.notes), (vec![], vec![]));
    fixture.put("b", "two");
    let changes = compare(&stored, &fixture.live().state);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].key, key("b"));
    let kind = changes[0].after.as_ref().map(|entry| entry.kind);
    assert_eq!(kind, Some(DocumentKind::File));

    fixture.sources.push(BackupSource::Directory {
        path: fixture.directory.path().join("nowhere"),
        prefix: "other".to_owned(),
    });
    fixture.sources.push(BackupSource::Command {
        run: vec!["/bin/echo".to_owned()],
        cwd: fixture.data(),
        run_as: mainstay_domain::spec::RunAs::default(),
        key: "app.sql".to_owned(),
        timeout: Duration::from_secs(1),
    });
    let now = fixture.live();
    assert_eq!(now.not_read, [key("app.sql")]);
    assert!(now.notes[0].contains("nowhere"), "{:?}", now.notes);
    assert_eq!(compare(&stored, &now.state).len(), 1);
}

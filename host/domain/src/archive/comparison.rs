//! How two states differ, for people.

use super::{DocumentKey, DocumentKind, Entry, State};

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content is another one, or it is another kind of thing.
    Content,
    /// Its content is the same; permissions, owner, time, extended attributes or other names are others.
    Metadata,
}

/// A document that is not the same in two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentChange {
    /// Where it belongs.
    pub key: DocumentKey,
    /// What became of it.
    pub kind: ChangeKind,
    /// What it was; none where it is new.
    pub before: Option<Entry>,
    /// What it is; none where it is gone.
    pub after: Option<Entry>,
}

/// What leads from one state to another, by key. That the time of a directory is another one is no change: it follows
/// from what came and went in it. Of a symbolic link permissions say nothing.
pub fn compare(before: &State, after: &State) -> Vec<DocumentChange> {
    let gone = before.iter().filter(|(key, _)| after.get(key).is_none());
    let gone = gone.map(|(key, entry)| DocumentChange {
        key: key.clone(),
        kind: ChangeKind::Removed,
        before: Some(entry.clone()),
        after: None,
    });
    let (names_before, names_after) = (before.first_names(), after.first_names());
    let there = after.iter().filter_map(|(key, entry)| {
        let old = before.get(key);
        let kind = match old {
            None => ChangeKind::Added,
            Some(old) if !old.same_content(entry) => ChangeKind::Content,
            Some(old) if !same_metadata(old, entry) => ChangeKind::Metadata,
            Some(old) if names_before.of(key, old) != names_after.of(key, entry) => {
                ChangeKind::Metadata
            }
            Some(_) => return None,
        };
        Some(DocumentChange {
            key: key.clone(),
            kind,
            before: old.cloned(),
            after: Some(entry.clone()),
        })
    });
    let mut changes: Vec<DocumentChange> = gone.chain(there).collect();
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

/// Of two that are of one kind.
fn same_metadata(before: &Entry, after: &Entry) -> bool {
    let same_mode = before.kind == DocumentKind::Symlink || before.mode == after.mode;
    let same_time = before.kind == DocumentKind::Directory || before.mtime == after.mtime;
    same_mode
        && same_time
        && (before.uid, before.gid) == (after.uid, after.gid)
        && before.xattrs() == after.xattrs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ContentHash, Mode};

    fn entry(kind: DocumentKind, content: &str) -> Entry {
        Entry {
            kind,
            mode: Mode::from_bits(0o644),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 1,
            gid: 1,
            size: content.len() as u64,
            hash: ContentHash::of(content.as_bytes()),
            extras: None,
        }
    }

    fn state(entries: &[(&str, Entry)]) -> State {
        let entry =
            |(key, entry): &(&str, Entry)| (DocumentKey::parse(key).unwrap(), entry.clone());
        entries.iter().map(entry).collect()
    }

    #[test]
    fn each_document_is_told_by_what_became_of_it() {
        let file = |content| entry(DocumentKind::File, content);
        let directory = entry(DocumentKind::Directory, "");
        let link = entry(DocumentKind::Symlink, "a");
        let later = jiff::Timestamp::from_second(5).unwrap();
        let before = state(&[
            (".", directory.clone()),
            ("changed", file("one")),
            ("gone", file("one")),
            ("kind", file("a")),
            ("link", link.clone()),
            ("owned", file("same")),
            ("same", file("same")),
        ]);
        let after = state(&[
            (
                ".",
                Entry {
                    mtime: later,
                    ..directory
                },
            ),
            ("changed", file("two")),
            ("kind", entry(DocumentKind::Symlink, "a")),
            (
                "link",
                Entry {
                    mode: Mode::from_bits(0o777),
                    ..link
                },
            ),
            ("new", file("one")),
            (
                "owned",
                Entry {
                    uid: 2,
                    ..file("same")
                },
            ),
            ("same", file("same")),
        ]);
        let changes = compare(&before, &after);
        let told: Vec<(&str, ChangeKind)> = changes
            .iter()
            .map(|it| (it.key.as_str(), it.kind))
            .collect();
        let expected = [
            ("changed", ChangeKind::Content),
            ("gone", ChangeKind::Removed),
            ("kind", ChangeKind::Content),
            ("new", ChangeKind::Added),
            ("owned", ChangeKind::Metadata),
        ];
        assert_eq!(told, expected);
        assert_eq!(compare(&after, &after), []);
        assert!(
            changes
                .iter()
                .all(|it| it.before.is_some() != (it.kind == ChangeKind::Added))
        );
    }

    #[test]
    fn attributes_and_names_of_the_same_file_are_metadata_and_holes_are_content() {
        use crate::archive::{XattrName, XattrValue, Xattrs};
        let file = || entry(DocumentKind::File, "same");
        let linked = |to: &str| file().linked_to(DocumentKey::parse(to).unwrap());
        let xattrs = |value: &[u8]| {
            let name = XattrName::from_bytes(b"user.x").unwrap();
            file().with_xattrs(Xattrs::from([(name, XattrValue::new(value.to_vec()))]))
        };
        let changes = |before: &[(&str, Entry)], after: &[(&str, Entry)]| {
            let changes = compare(&state(before), &state(after));
            let told = changes.iter().map(|it| (it.key.to_string(), it.kind));
            told.collect::<Vec<_>>()
        };
        let metadata = |key: &str| (key.to_owned(), ChangeKind::Metadata);
        assert_eq!(
            changes(&[("a", xattrs(b"1"))], &[("a", xattrs(b"2"))]),
            [metadata("a")]
        );
        assert_eq!(
            changes(&[("a", file())], &[("a", xattrs(b""))]),
            [metadata("a")]
        );
        let two = [("a", file()), ("b", file())];
        assert_eq!(
            changes(&two, &[("a", file()), ("b", linked("a"))]),
            [metadata("b")]
        );
        // Which of its names holds the content of a file says nothing of it.
        let turned = changes(
            &[("a", file()), ("b", linked("a"))],
            &[("a", linked("b")), ("b", file())],
        );
        assert!(turned.is_empty(), "{turned:?}");
        let holes = file().with_holes(vec![(0, 2).into()]);
        assert_eq!(
            changes(&[("a", file())], &[("a", holes)]),
            [("a".to_owned(), ChangeKind::Content)]
        );
    }
}

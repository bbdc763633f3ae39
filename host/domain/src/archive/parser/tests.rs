use super::*;
use crate::{archive::Mode, backup::BackupType, id::BackupId, name::JobName, time::Timestamp};

fn header() -> String {
    let id = BackupId::parse("ful-01K0000000000000000000000A").unwrap();
    line(&ArchiveLine::Header(Header {
        format: FORMAT,
        id: id.clone(),
        job: JobName::parse("state").unwrap(),
        backup_type: BackupType::Full,
        parent: None,
        base: id,
        created_at: Timestamp::from_millis(0),
    }))
}

fn line(line: &ArchiveLine<'_>) -> String {
    serde_json::to_string(line).unwrap()
}

fn key(text: &str) -> DocumentKey {
    DocumentKey::parse(text).unwrap()
}

fn file(bytes: &[u8]) -> Entry {
    Entry {
        kind: DocumentKind::File,
        mode: Mode::from_bits(0o644),
        mtime: jiff::Timestamp::UNIX_EPOCH,
        uid: 0,
        gid: 0,
        size: bytes.len() as u64,
        hash: ContentHash::of(bytes),
        extras: None,
    }
}

fn document(name: &str, bytes: &[u8]) -> String {
    line(&ArchiveLine::Document(Document::inline(
        &key(name),
        &file(bytes),
        bytes,
    )))
}

fn part(name: &str, number: u32, bytes: &[u8]) -> String {
    let part = Part::new(&key(name), number, ContentHash::of(bytes), bytes);
    line(&ArchiveLine::Part(Part { hash: None, ..part }))
}

/// As since format 2, with a hash.
fn hashed(name: &str, number: u32, bytes: &[u8]) -> String {
    let hash = ContentHash::of(bytes);
    line(&ArchiveLine::Part(Part::new(
        &key(name),
        number,
        hash,
        bytes,
    )))
}

fn held(name: &str, number: u32, bytes: &[u8]) -> String {
    let (hash, size) = (ContentHash::of(bytes), bytes.len() as u64);
    line(&ArchiveLine::Part(Part::held(
        &key(name),
        number,
        hash,
        size,
    )))
}

fn same(name: &str, bytes: &[u8]) -> String {
    line(&ArchiveLine::Document(Document::same(
        &key(name),
        &file(bytes),
    )))
}

fn closing(name: &str, bytes: &[u8], parts: u32) -> String {
    line(&ArchiveLine::Document(Document::in_parts(
        &key(name),
        &file(bytes),
        parts,
    )))
}

fn end(documents: u64, tombstones: u64, size_bytes: u64) -> String {
    let root_hash = ContentHash::of(b"");
    line(&ArchiveLine::End(End {
        documents,
        tombstones,
        size_bytes,
        root_hash,
    }))
}

fn read(lines: &[String]) -> Result<Vec<ArchiveItem>, ArchiveError> {
    let mut parser = ArchiveParser::new();
    let items: Vec<ArchiveItem> = lines
        .iter()
        .map(|line| parser.line(line.as_bytes()))
        .collect::<Result<_, _>>()?;
    parser.finish()?;
    Ok(items)
}

#[track_caller]
fn refused(lines: &[String], with: &str) {
    let error = read(lines).unwrap_err().to_string();
    assert!(error.contains(with), "{error}");
}

#[test]
fn what_is_written_is_read_back() {
    for bytes in [
        &b""[..],
        b"plain\n",
        b"\0\x01",
        b"\xff\xfe",
        "ä % \u{1F980}".as_bytes(),
        b"\x1b[0m",
    ] {
        let items = read(&[
            header(),
            document("a", bytes),
            end(1, 0, bytes.len() as u64),
        ])
        .unwrap();
        let content = DocumentContent::Inline(bytes.to_vec());
        assert_eq!(
            items[1],
            ArchiveItem::Document {
                key: key("a"),
                entry: file(bytes),
                content
            }
        );
    }
}

#[test]
fn text_stays_readable_and_control_characters_do_not_blow_up() {
    assert!(document("a", b"x\ty\r\n").contains(r#""text":"x\ty\r\n""#));
    assert!(document("a", &[0; 3]).contains(r#""base64":"AAAA""#));
}

#[test]
fn a_document_in_parts_may_begin_anew() {
    let lines = [
        header(),
        part("a", 0, b"old"),
        part("a", 0, b"ne"),
        part("a", 1, b"w"),
        closing("a", b"new", 2),
        end(1, 0, 3),
    ];
    assert_eq!(read(&lines).unwrap().len(), 6);
}

#[test]
fn lines_out_of_place_are_refused() {
    refused(&[document("a", b"")], "the header is the first line");
    refused(&[header(), header()], "the header is the first line");
    refused(
        &[header(), end(0, 0, 0), document("a", b"")],
        "nothing may follow the end",
    );
    refused(
        &[header(), document("a", b"")],
        "it ends in the middle, after line 2",
    );
    refused(&[header(), part("a", 1, b"x")], "follow each other from 0");
    refused(
        &[header(), part("a", 0, b"x"), part("b", 0, b"x")],
        "no line of its own",
    );
    refused(
        &[header(), part("a", 0, b"x"), end(0, 0, 0)],
        "no line of its own",
    );
    refused(
        &[header(), part("a", 0, b"x"), closing("a", b"x", 2)],
        "its parts are not before it",
    );
}

#[test]
fn content_and_counts_that_do_not_fit_are_refused() {
    refused(
        &[header(), document("a", b"abc").replace("abc", "abd")],
        "document `a` was stored wrong",
    );
    refused(
        &[header(), part("a", 0, b"xx"), closing("a", b"xy", 1)],
        "document `a` was stored wrong",
    );
    refused(
        &[header(), document("a", b"x"), end(2, 0, 1)],
        "counts 2 documents",
    );
    refused(
        &[header(), document("a", b"x"), end(1, 0, 2)],
        "but 1 document,",
    );
    refused(
        &[header().replace("\"format\":2", "\"format\":3")],
        "format 3",
    );
    refused(
        &[header(), document("a", b"x").replace("\"a\"", "\"../a\"")],
        "`.` or `..`",
    );
    refused(
        &["nonsense".to_owned()],
        "line 1 is not a line of an archive",
    );
}

#[test]
fn a_part_by_its_hash_has_its_place_and_counts_as_no_content_of_the_archive() {
    let items = read(&[
        header(),
        hashed("a", 0, b"new"),
        held("a", 1, b"stored"),
        hashed("a", 2, b"end"),
        closing("a", b"newstoredend", 3),
        same("b", b"new"),
        end(2, 0, 6),
    ])
    .unwrap();
    let places: Vec<(u64, usize)> = items
        .iter()
        .filter_map(|item| match item {
            ArchiveItem::Part { at, bytes, .. } => Some((*at, bytes.len())),
            ArchiveItem::Held { at, size, .. } => Some((*at, usize::try_from(*size).unwrap())),
            _ => None,
        })
        .collect();
    assert_eq!(places, [(0, 3), (3, 6), (9, 3)]);
}

#[test]
fn lines_of_format_2_that_do_not_fit_are_refused() {
    refused(
        &[header(), hashed("a", 0, b"xyz").replace("xyz", "xyy")],
        "document `a` was stored wrong",
    );
    // A part that is elsewhere is as long as it says.
    refused(
        &[header(), held("a", 0, b"xyz"), closing("a", b"xy", 1)],
        "document `a` was stored wrong",
    );
    let twice = hashed("a", 0, b"xyz").replace("\"hash\"", "\"size\":3,\"hash\"");
    refused(&[header(), twice], "not one of text and base64");
    let unnamed = held("a", 0, b"xyz");
    let (before, _) = unnamed.split_once(",\"hash\"").unwrap();
    refused(
        &[header(), format!("{before},\"size\":3}}}}")],
        "not one of text and base64",
    );
    refused(
        &[header(), part("a", 0, b"x"), same("b", b"x")],
        "no line of its own",
    );
    let both = same("a", b"xyz").replace("\"same\"", "\"text\":\"xyz\",\"same\"");
    refused(&[header(), both], "has its content once");
    let link = same("a", b"xyz").replace("\"file\"", "\"symlink\"");
    refused(&[header(), link], "has its content once");
}

fn plain(entry: &Entry, bytes: &[u8]) -> String {
    line(&ArchiveLine::Document(Document::inline(
        &key("a"),
        entry,
        bytes,
    )))
}

#[test]
fn attributes_links_and_holes_are_read_back() {
    let name = crate::archive::XattrName::from_bytes(b"user.\xff").unwrap();
    let value = crate::archive::XattrValue::new(vec![0, 255]);
    let whole = Entry {
        size: 10,
        ..file(b"data")
    };
    let holed = whole
        .with_xattrs([(name, value)].into())
        .with_holes(vec![(2, 6).into()]);
    let link = holed.clone().linked_to(key("a"));
    let linked = line(&ArchiveLine::Document(Document::linked(&key("b"), &link)));
    let items = read(&[header(), plain(&holed, b"data"), linked, end(2, 0, 4)]).unwrap();
    let contents: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            ArchiveItem::Document { entry, content, .. } => Some((entry, content)),
            _ => None,
        })
        .collect();
    let expected = [
        (holed, DocumentContent::Inline(b"data".to_vec())),
        (link, DocumentContent::Linked),
    ];
    assert_eq!(contents, expected);
}

#[test]
fn a_document_without_any_of_these_is_written_as_it_always_was() {
    let text = document("a", b"x");
    for member in ["xattrs", "link", "holes"] {
        assert!(!text.contains(member), "{text}");
    }
}

#[test]
fn links_and_holes_that_cannot_be_are_refused() {
    let refused = |entry: &Entry, bytes: &[u8]| {
        read(&[header(), plain(entry, bytes), end(1, 0, 4)]).unwrap_err()
    };
    let link = file(b"data").linked_to(key("b"));
    assert!(matches!(
        refused(&link, b"data"),
        ArchiveError::OutOfPlace { .. }
    ));
    let beyond = file(b"data").with_holes(vec![(3, 2).into()]);
    assert!(matches!(
        refused(&beyond, b"data"),
        ArchiveError::Malformed { .. }
    ));
    let longer = file(b"data").with_holes(vec![(0, 1).into()]);
    assert!(matches!(
        refused(&longer, b"data"),
        ArchiveError::WrongContent { .. }
    ));
    let directory = Entry {
        kind: DocumentKind::Directory,
        ..file(b"").linked_to(key("b"))
    };
    assert!(matches!(
        refused(&directory, b""),
        ArchiveError::Malformed { .. }
    ));
}

#[test]
fn the_longest_document_is_within_the_longest_line() {
    use crate::archive::{Hole, MAX_HOLES, MAX_LINE_BYTES, MAX_XATTR_BYTES, PART_BYTES};
    // Each of the shortest names has a value.
    let name = |number: usize| format!("user.{number}").into_bytes();
    let value = vec![255; 1 << 10];
    let xattrs = (0..MAX_XATTR_BYTES / value.len()).map(|number| {
        let name = crate::archive::XattrName::from_bytes(&name(number)).unwrap();
        (name, crate::archive::XattrValue::new(value.clone()))
    });
    let xattrs: crate::archive::Xattrs = xattrs.collect();
    let hole = |number: u64| Hole {
        offset: (1 << 60) + number * 2,
        length: 1,
    };
    let holes: Vec<Hole> = (0..MAX_HOLES as u64).map(hole).collect();
    for byte in [b'"', 255] {
        let bytes = vec![byte; PART_BYTES];
        let entry = file(&bytes)
            .with_xattrs(xattrs.clone())
            .with_holes(holes.clone());
        let key = key("name/".repeat(4_000).trim_end_matches('/'));
        let line = line(&ArchiveLine::Document(Document::inline(
            &key, &entry, &bytes,
        )));
        assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
    }
}

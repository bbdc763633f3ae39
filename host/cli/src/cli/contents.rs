//! What backups hold: listed, compared and printed.

use super::{
    client::{Client, refused},
    failure::Ending,
    identifiers::IdText,
    listings::parse,
    output::{Block, Cell, Output, Table, Tone, cell, size},
    progress::ProgressDisplay,
};
use crate::console;
use mainstay_api::{
    ChangeKind, ContentBody, ContentLine, DiffBody, Document, DocumentChange, DocumentsBody,
};
use mainstay_domain::{
    archive::{Content, DocumentKey},
    id::BackupId,
    text::counted,
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeSet};

/// Lists what a backup holds.
pub(super) async fn ls(
    client: &Client,
    out: &Output,
    id: IdText,
    path: Option<DocumentKey>,
) -> anyhow::Result<Ending> {
    let id: BackupId = id.resolve(client).await?;
    let body = DocumentsBody {
        path: path.map(String::from),
        pattern: None,
    };
    let found = documents(client, out, &id.to_string(), &body).await?;
    if out.json {
        for document in &found {
            out.json_line(document)?;
        }
        return Ok(Ending::Done);
    }
    out.show(&[Block::Table(document_table(&found, out))])?;
    let held = found.iter().filter(|document| document.link.is_none());
    let bytes: u64 = held.map(|document| document.size_bytes).sum();
    out.line(&format!(
        "{}, {}",
        counted(found.len(), "document"),
        size(bytes)
    ))?;
    Ok(Ending::Done)
}

/// Shows how two backups differ, or one and what is there now.
pub(super) async fn diff(
    client: &Client,
    out: &Output,
    from: IdText,
    to: Option<IdText>,
) -> anyhow::Result<Ending> {
    let from: BackupId = from.resolve(client).await?;
    let to = match to {
        Some(to) => Some(to.resolve::<BackupId>(client).await?.to_string()),
        None => None,
    };
    let (body, path) = (DiffBody { to }, format!("/v1/backups/{from}/diff"));
    let mut changes: Vec<DocumentChange> = Vec::new();
    let notes = read(
        client,
        out,
        (path.as_str(), &body),
        "comparing",
        &mut |line| {
            if let ContentLine::Change { change } = line {
                match out.json {
                    true => out.json_line(&change)?,
                    false => changes.push(*change),
                }
            }
            Ok(())
        },
    )
    .await?;
    if !out.json {
        for change in &changes {
            out.line(&change_line(change))?;
        }
        out.line(&change_words(&changes))?;
    }
    for note in &notes {
        console::note(note);
    }
    Ok(match notes.is_empty() {
        true => Ending::Done,
        false => Ending::Incomplete,
    })
}

/// Prints the content of a document.
pub(super) async fn dump(
    client: &Client,
    out: &Output,
    id: IdText,
    path: DocumentKey,
) -> anyhow::Result<Ending> {
    let id: BackupId = id.resolve(client).await?;
    let body = ContentBody {
        key: String::from(path),
    };
    let path = format!("/v1/backups/{id}/content");
    read(
        client,
        out,
        (path.as_str(), &body),
        "checking",
        &mut |line| {
            let ContentLine::Part { part } = line else {
                return Ok(());
            };
            if out.json {
                return out.json_line(&part);
            }
            let content = Content {
                text: part.text.map(Cow::Owned),
                base64: part.base64,
            };
            match content.into_bytes() {
                Some(bytes) => out.content(&bytes),
                None => anyhow::bail!(
                    "the daemon's answer is not understood; is it of another version?"
                ),
            }
        },
    )
    .await?;
    Ok(Ending::Done)
}

/// The documents of a backup that are asked for.
pub(super) async fn documents(
    client: &Client,
    out: &Output,
    id: &str,
    body: &DocumentsBody,
) -> anyhow::Result<Vec<Document>> {
    let path = format!("/v1/backups/{id}/documents");
    let mut found = Vec::new();
    read(client, out, (path.as_str(), body), "reading", &mut |line| {
        if let ContentLine::Document { document } = line {
            found.push(document);
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Hands on what is found, shows progress meanwhile, and gives what else is to be known.
async fn read(
    client: &Client,
    out: &Output,
    (path, body): (&str, &impl Serialize),
    what: &str,
    on_line: &mut dyn FnMut(ContentLine) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<String>> {
    let mut lines = client.post_lines(path, body).await?;
    let mut display = Some(ProgressDisplay::new(what, out.json));
    while let Some(line) = lines.next().await? {
        match parse::<ContentLine>(&line)? {
            ContentLine::Progress { progress } => {
                if let Some(display) = &mut display {
                    display.show(progress);
                }
            }
            ContentLine::Done { done } => return Ok(done.notes),
            ContentLine::Error(error) => return Err(refused(error)),
            found => {
                // It would be drawn over what is found.
                display = None;
                on_line(found)?;
            }
        }
    }
    anyhow::bail!("the daemon has stopped before it was done; ask again when it runs")
}

/// A document in a row.
pub(super) fn document_cells(document: &Document, out: &Output) -> Vec<Cell> {
    let owner = format!("{}:{}", document.uid, document.gid);
    vec![
        cell(document.kind, Tone::Plain),
        cell(mode_words(document), Tone::Plain),
        cell(owner, Tone::Plain),
        cell(size(document.size_bytes), Tone::Plain),
        cell(out.times.both(&document.mtime), Tone::Plain),
        cell(name_words(document), Tone::Plain),
    ]
}

/// With a `+` where there are extended attributes too.
fn mode_words(document: &Document) -> String {
    let more = if document.xattrs.is_empty() { "" } else { "+" };
    format!("{}{more}", document.mode)
}

/// With the document that is the same file.
fn name_words(document: &Document) -> String {
    match &document.link {
        None => document.key.clone(),
        Some(link) => format!("{} = {link}", document.key),
    }
}

fn document_table(documents: &[Document], out: &Output) -> Table {
    let rows = documents
        .iter()
        .map(|document| document_cells(document, out))
        .collect();
    let headings = ["KIND", "MODE", "OWNER", "SIZE", "CHANGED", "DOCUMENT"];
    Table::new(&headings, rows, "no documents").led_by(&[5])
}

fn mark(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Added => "+",
        ChangeKind::Removed => "-",
        ChangeKind::Content => "M",
        ChangeKind::Metadata => "m",
    }
}

fn change_line(change: &DocumentChange) -> String {
    let line = format!("{} {}", mark(change.change), change.key);
    match details(change) {
        details if details.is_empty() => line,
        details => format!("{line} ({})", details.join(", ")),
    }
}

/// The extended attributes that are others, and whether other names and holes are.
fn details(change: &DocumentChange) -> Vec<String> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Vec::new();
    };
    let names = before.xattrs.keys().chain(after.xattrs.keys());
    let changed = names.filter(|name| before.xattrs.get(*name) != after.xattrs.get(*name));
    let changed: BTreeSet<&String> = changed.collect();
    let mut details: Vec<String> = changed.into_iter().cloned().collect();
    if before.link != after.link {
        details.push("hard link".to_owned());
    }
    if before.hole_bytes != after.hole_bytes {
        details.push("holes".to_owned());
    }
    details
}

/// How many of each.
fn change_words(changes: &[DocumentChange]) -> String {
    if changes.is_empty() {
        return "no differences".to_owned();
    }
    let count = |kind| changes.iter().filter(|it| it.change == kind).count();
    format!(
        "{} new, {} gone, {} with another content, {} with other metadata",
        count(ChangeKind::Added),
        count(ChangeKind::Removed),
        count(ChangeKind::Content),
        count(ChangeKind::Metadata)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, change: ChangeKind) -> DocumentChange {
        DocumentChange {
            key: key.to_owned(),
            change,
            before: None,
            after: None,
        }
    }

    fn document(more: &serde_json::Value) -> Document {
        let mut document = serde_json::json!({
            "key": "a", "kind": "file", "mode": "0644", "mtime": "2024-01-31T12:00:00Z",
            "uid": 0, "gid": 0, "size_bytes": 1, "hash": ""
        });
        for (name, value) in more.as_object().unwrap() {
            document[name.as_str()] = value.clone();
        }
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn attributes_other_names_and_holes_are_shown_where_there_are_any() {
        use serde_json::json;
        let plain = document(&json!({}));
        let full = document(&json!({
            "xattrs": { "user.a": "AA==", "user.b": "" }, "link": "b", "hole_bytes": 4096
        }));
        assert_eq!(
            (mode_words(&plain), name_words(&plain)),
            ("0644".to_owned(), "a".to_owned())
        );
        assert_eq!(
            (mode_words(&full), name_words(&full)),
            ("0644+".to_owned(), "a = b".to_owned())
        );
        let line = |before: &Document, after: &Document| {
            change_line(&DocumentChange {
                before: Some(before.clone()),
                after: Some(after.clone()),
                ..change("a", ChangeKind::Metadata)
            })
        };
        assert_eq!(line(&plain, &plain), "m a");
        assert_eq!(
            line(&plain, &full),
            "m a (user.a, user.b, hard link, holes)"
        );
        let other = document(&json!({
            "xattrs": { "user.a": "AQ==", "user.b": "" }, "link": "b", "hole_bytes": 4096
        }));
        assert_eq!(line(&full, &other), "m a (user.a)");
    }

    #[test]
    fn differences_are_marked_and_counted() {
        assert_eq!(change_words(&[]), "no differences");
        let changes = [
            change("a", ChangeKind::Added),
            change("b", ChangeKind::Removed),
            change("c", ChangeKind::Content),
            change("d", ChangeKind::Metadata),
            change("e", ChangeKind::Content),
        ];
        let lines: Vec<String> = changes.iter().map(change_line).collect();
        assert_eq!(lines, ["+ a", "- b", "M c", "m d", "M e"]);
        assert_eq!(
            change_words(&changes),
            "1 new, 1 gone, 2 with another content, 1 with other metadata"
        );
    }
}

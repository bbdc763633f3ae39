//! Documents found in backups by their names.

use super::{
    client::{Client, path_with},
    contents::{document_cells, documents},
    failure::Ending,
    identifiers::IdText,
    listings::parse,
    output::{Block, Output, Table, Tone, cell},
};
use mainstay_api::{Backup, BackupStatus, Document, DocumentsBody};
use mainstay_domain::{id::BackupId, name::JobName, text::counted};
use serde::Serialize;
use std::collections::HashMap;

/// A document that was found, and where.
#[derive(Debug, Serialize)]
struct Found {
    /// The newest backup that has it like this.
    backup: String,
    job: String,
    /// When that was taken.
    created_at: String,
    document: Document,
}

/// Finds documents by a pattern.
pub(super) async fn find(
    client: &Client,
    out: &Output,
    pattern: String,
    job: Option<JobName>,
    id: Option<IdText>,
) -> anyhow::Result<Ending> {
    let backups: Vec<Backup> = match id {
        Some(id) => {
            let id: BackupId = id.resolve(client).await?;
            let answer = client.get(&format!("/v1/backups/{id}")).await?;
            vec![parse(&answer)?]
        }
        None => {
            let query = [("job", job.map(|job| job.to_string()))];
            let answer = client.get(&path_with("/v1/backups", &query)).await?;
            let mut backups: Vec<Backup> = parse(&answer)?;
            backups.retain(|backup| is_restorable(backup.status));
            backups
        }
    };
    let body = DocumentsBody {
        path: None,
        pattern: Some(pattern),
    };
    let mut newer: HashMap<(String, String), Document> = HashMap::new();
    let (mut found, looked_in) = (Vec::new(), backups.len());
    for backup in backups {
        let documents = documents(client, out, &backup.id, &body).await?;
        for document in documents {
            let place = (backup.job.clone(), document.key.clone());
            if newer.get(&place) == Some(&document) {
                continue;
            }
            newer.insert(place, document.clone());
            let row = Found {
                backup: backup.id.clone(),
                job: backup.job.clone(),
                created_at: backup.created_at.clone(),
                document,
            };
            match out.json {
                true => out.json_line(&row)?,
                false => found.push(row),
            }
        }
    }
    let ending = match newer.is_empty() {
        true => Ending::Failed,
        false => Ending::Done,
    };
    if !out.json {
        let nothing = format!("nothing by that name in {}", counted(looked_in, "backup"));
        out.show(&[Block::Table(found_table(&found, out, &nothing))])?;
    }
    Ok(ending)
}

fn is_restorable(status: BackupStatus) -> bool {
    match status {
        BackupStatus::Completed | BackupStatus::Verified | BackupStatus::Expired => true,
        BackupStatus::Pending
        | BackupStatus::InProgress
        | BackupStatus::Failed
        | BackupStatus::Corrupted => false,
    }
}

fn found_table(found: &[Found], out: &Output, nothing: &str) -> Table {
    let row = |found: &Found| {
        let mut cells = vec![
            cell(&found.backup, Tone::Plain),
            cell(out.times.both(&found.created_at), Tone::Plain),
        ];
        cells.extend(document_cells(&found.document, out));
        cells
    };
    let rows = found.iter().map(row).collect();
    let headings = [
        "BACKUP", "TAKEN", "KIND", "MODE", "OWNER", "SIZE", "CHANGED", "DOCUMENT",
    ];
    Table::new(&headings, rows, nothing).led_by(&[7, 0])
}

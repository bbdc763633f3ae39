//! Backups.

use super::{
    arguments::BackupCommand,
    client::{Client, Lines, path_with, refused},
    listings::{parse, present},
    output::{Output, Tone, cell, length, maybe, now, relative, size},
    progress::ProgressDisplay,
};
use anyhow::Context;
use comfy_table::Cell;
use mainstay_api::{
    Backup, BackupReport, BackupStatus, CreateBody, DrillBody, PruneBody, RestoreBody, WorkLine,
};
use mainstay_domain::{text::counted, time::Timestamp};
use std::{path::PathBuf, time::Duration};

pub(super) async fn run(
    client: &Client,
    out: &Output,
    command: BackupCommand,
) -> anyhow::Result<()> {
    match command {
        BackupCommand::List { job, rebuild } => {
            if rebuild {
                let lines = client
                    .post_lines("/v1/rebuild", &serde_json::json!({}))
                    .await?;
                result_of(out, lines, "reading what is stored").await?;
            }
            let query = [("job", job.map(|job| job.to_string()))];
            let answer = client.get(&path_with("/v1/backups", &query)).await?;
            present(out, &answer, show_backups)
        }
        BackupCommand::Show { id } => {
            let answer = client.get(&format!("/v1/backups/{id}")).await?;
            present(out, &answer, show_backup)
        }
        BackupCommand::Create { job, backup_type } => {
            let what = format!("backing up {job}");
            let job = job.to_string();
            let lines = client
                .post_lines("/v1/backups", &CreateBody { job, backup_type })
                .await?;
            finish(out, lines, &what).await
        }
        BackupCommand::Verify { id } => {
            let path = format!("/v1/backups/{id}/verify");
            let lines = client.post_lines(&path, &serde_json::json!({})).await?;
            finish(out, lines, &format!("verifying {id}")).await
        }
        BackupCommand::Restore {
            job,
            id,
            into,
            replace,
        } => {
            let what = format!("restoring {job}");
            // The daemon works elsewhere.
            let into = into
                .map(std::path::absolute)
                .transpose()
                .context("cannot tell the present directory")?;
            let body = RestoreBody {
                job: job.to_string(),
                id: id.map(|id| id.to_string()),
                into: into.map(text_of).transpose()?,
                replace,
            };
            finish(out, client.post_lines("/v1/restore", &body).await?, &what).await
        }
        BackupCommand::Prune { job, dry_run } => {
            let job = job.map(|job| job.to_string());
            let lines = client
                .post_lines("/v1/prune", &PruneBody { job, dry_run })
                .await?;
            finish(out, lines, "judging backups").await
        }
        BackupCommand::Drill { job } => {
            let what = format!("drilling {job}");
            let job = job.to_string();
            let lines = client.post_lines("/v1/drill", &DrillBody { job }).await?;
            finish(out, lines, &what).await
        }
    }
}

/// JSON has no other texts than UTF-8.
fn text_of(path: PathBuf) -> anyhow::Result<String> {
    match path.into_os_string().into_string() {
        Ok(text) => Ok(text),
        Err(path) => anyhow::bail!(
            "{} is not UTF-8; name a directory whose path is",
            path.display()
        ),
    }
}

/// Shows progress, then the result.
async fn finish(out: &Output, lines: Lines, what: &str) -> anyhow::Result<()> {
    let result = result_of(out, lines, what).await?;
    if out.json {
        return out.json_line(&result);
    }
    show_report(out, result)
}

/// Shows progress until there is a result.
async fn result_of(out: &Output, mut lines: Lines, what: &str) -> anyhow::Result<BackupReport> {
    let mut display = ProgressDisplay::new(what, out.json);
    while let Some(line) = lines.next().await? {
        match parse::<WorkLine>(&line)? {
            WorkLine::Progress { progress } => display.show(progress),
            WorkLine::Result { result } => return Ok(result),
            WorkLine::Error(error) => return Err(refused(error)),
        }
    }
    anyhow::bail!("the daemon has stopped before it was done; look at `mainstay backup list`")
}

fn show_report(out: &Output, report: BackupReport) -> anyhow::Result<()> {
    let took = length(Duration::from_millis(report.elapsed_ms));
    if let Some(verdicts) = report.verdicts {
        let now = now();
        let rows = verdicts.into_iter().map(|verdict| {
            let (word, tone) = match verdict.keep {
                true => ("keep", Tone::Good),
                false => ("expire", Tone::Warn),
            };
            vec![
                cell(verdict.id, Tone::Plain),
                cell(word, tone),
                maybe(verdict.expires.map(|time| relative(&time, now))),
                cell(verdict.reason, Tone::Plain),
            ]
        });
        let headings = ["BACKUP", "VERDICT", "EXPIRES", "REASON"];
        out.table(&headings, rows.collect(), "no backups to judge")?;
        return out.line(&format!("{} expired, in {took}", report.backups.len()));
    }
    show_backups(out, report.backups)?;
    if let Some(documents) = report.restored_documents {
        let bytes = size(report.restored_bytes.unwrap_or(0));
        let documents = counted(documents, "document");
        return out.line(&format!("restored {documents}, {bytes}, in {took}"));
    }
    out.line(&format!("done in {took}"))
}

fn show_backups(out: &Output, backups: Vec<Backup>) -> anyhow::Result<()> {
    let now = now();
    let rows = backups.iter().map(|backup| row(backup, now)).collect();
    let headings = [
        "BACKUP",
        "JOB",
        "TYPE",
        "STATUS",
        "TIER",
        "CREATED",
        "DOCUMENTS",
        "SIZE",
        "STORED",
        "EXPIRES",
    ];
    out.table(&headings, rows, "no backups")
}

fn row(backup: &Backup, now: Timestamp) -> Vec<Cell> {
    vec![
        cell(&backup.id, Tone::Plain),
        cell(&backup.job, Tone::Plain),
        cell(backup.backup_type, Tone::Plain),
        cell(backup.status, tone(backup.status)),
        cell(&backup.tier, Tone::Plain),
        cell(relative(&backup.created_at, now), Tone::Plain),
        cell(backup.documents, Tone::Plain),
        cell(size(backup.size_bytes), Tone::Plain),
        cell(size(backup.stored_bytes), Tone::Plain),
        match backup.held {
            true => cell("held", Tone::Plain),
            false => maybe(backup.expires.as_ref().map(|time| relative(time, now))),
        },
    ]
}

fn tone(status: BackupStatus) -> Tone {
    match status {
        BackupStatus::Verified => Tone::Good,
        BackupStatus::Failed | BackupStatus::Corrupted => Tone::Bad,
        BackupStatus::Pending
        | BackupStatus::InProgress
        | BackupStatus::Completed
        | BackupStatus::Expired => Tone::Plain,
    }
}

fn show_backup(out: &Output, backup: Backup) -> anyhow::Result<()> {
    let absent = || "-".to_owned();
    for (name, text) in [
        ("backup", backup.id),
        ("job", backup.job),
        ("type", backup.backup_type.to_string()),
        (
            "status",
            out.paint(&backup.status.to_string(), tone(backup.status)),
        ),
        ("tier", backup.tier),
        ("created", backup.created_at),
        ("verified", backup.verified_at.unwrap_or_else(absent)),
        ("parent", backup.parent.unwrap_or_else(absent)),
        ("base", backup.base),
        ("documents", backup.documents.to_string()),
        ("tombstones", backup.tombstones.to_string()),
        ("size", size(backup.size_bytes)),
        ("stored", size(backup.stored_bytes)),
        ("root hash", backup.root_hash),
        ("held", if backup.held { "yes" } else { "no" }.to_owned()),
        ("expires", backup.expires.unwrap_or_else(absent)),
        ("reason", backup.reason.unwrap_or_else(absent)),
    ] {
        out.line(&format!("{name:<10} {text}"))?;
    }
    Ok(())
}

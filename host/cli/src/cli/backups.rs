//! Backups.

use super::{
    arguments::BackupCommand,
    backup_facts::show_backup,
    backup_notes::{ending_of, notes, standing, tone},
    backup_statistics,
    client::{Client, Lines, refused},
    contents, done,
    failure::Ending,
    find::find,
    holds::{accept, delete, hold, move_to, release, undelete},
    keygen::keygen,
    listings::{parse, present},
    output::{Block, Cell, Output, Table, Times, Tone, cell, length, maybe, size},
    progress::ProgressDisplay,
    rekey::{list, rekey},
    restore::{cancel, create, restore},
};
use mainstay_api::{Backup, BackupReport, DrillBody, PruneBody, Verdict, WorkLine};
use mainstay_domain::{id::BackupId, text::counted};
use serde::Serialize;
use std::{collections::HashMap, time::Duration};

pub(super) async fn run(
    client: &Client,
    out: &Output,
    command: BackupCommand,
) -> anyhow::Result<Ending> {
    match command {
        BackupCommand::List { job, rebuild } => {
            list(client, out, job.map(|job| job.to_string()), rebuild).await
        }
        BackupCommand::Keygen { file } => keygen(out, file.as_deref()),
        BackupCommand::Show { id } => {
            let id: BackupId = id.resolve(client).await?;
            let answer = client.get(&format!("/v1/backups/{id}")).await?;
            done(present(out, &answer, show_backup))
        }
        BackupCommand::Stats { job } => done(backup_statistics::stats(client, out, job).await),
        BackupCommand::Create { job, backup_type } => create(client, out, &job, backup_type).await,
        BackupCommand::Verify { id, with } => {
            let id: BackupId = id.resolve(client).await?;
            let path = format!("/v1/backups/{id}/verify");
            let what = format!("verifying {id}");
            let body = serde_json::json!({});
            let client = &client.opened_with(with.identity.as_deref())?;
            work(client, out, (path.as_str(), &body), &what, false).await
        }
        BackupCommand::Hold(arguments) => hold(client, out, arguments).await,
        BackupCommand::Accept { id, by } => accept(client, out, &id, by.by).await,
        BackupCommand::Move { id, tier, by } => move_to(client, out, (&id, &tier), by.by).await,
        BackupCommand::Delete { id, dry_run, by } => delete(client, out, &id, dry_run, by.by).await,
        BackupCommand::Undelete { id, dry_run, by } => {
            undelete(client, out, &id, dry_run, by.by).await
        }
        BackupCommand::Release { id, by } => release(client, out, &id, by.by).await,
        BackupCommand::Restore(arguments) => restore(client, out, arguments).await,
        BackupCommand::Cancel { job } => cancel(client, out, &job).await,
        BackupCommand::Ls { id, path, with } => {
            let client = &client.opened_with(with.identity.as_deref())?;
            contents::ls(client, out, id, path).await
        }
        BackupCommand::Find { pattern, job, id } => find(client, out, pattern, job, id).await,
        BackupCommand::Diff { from, to } => contents::diff(client, out, from, to).await,
        BackupCommand::Dump { id, path, with } => {
            let client = &client.opened_with(with.identity.as_deref())?;
            contents::dump(client, out, id, path).await
        }
        BackupCommand::Rekey { job, dry_run, with } => {
            let client = client.opened_with(with.identity.as_deref())?;
            rekey(&client, out, job.to_string(), dry_run).await
        }
        BackupCommand::Prune { job, dry_run } => {
            let job = job.map(|job| job.to_string());
            let body = PruneBody { job, dry_run };
            let lines = client.post_lines("/v1/prune", &body).await?;
            let result = result_of(out, lines, "judging backups").await?;
            finish(out, result, dry_run, false)
        }
        BackupCommand::Drill { job, with } => {
            let what = format!("drilling {job}");
            let job = job.to_string();
            let body = DrillBody { job };
            let client = &client.opened_with(with.identity.as_deref())?;
            let ending = work(client, out, ("/v1/drill", &body), &what, false).await?;
            if !out.json {
                // One that does not pass is an error.
                out.line("passed: what was restored into a scratch directory is what was read")?;
            }
            Ok(ending)
        }
    }
}

/// Has work done, and shows how it goes and what came of it. `of_content` as for [`ending_of`].
pub(super) async fn work(
    client: &Client,
    out: &Output,
    (path, body): (&str, &impl Serialize),
    what: &str,
    of_content: bool,
) -> anyhow::Result<Ending> {
    let lines = client.post_lines(path, body).await?;
    let result = result_of(out, lines, what).await?;
    finish(out, result, false, of_content)
}

/// Shows the result, which in a dry run is what would be done.
pub(super) fn finish(
    out: &Output,
    result: BackupReport,
    dry_run: bool,
    of_content: bool,
) -> anyhow::Result<Ending> {
    let ending = ending_of(&result, of_content);
    match out.json {
        true => out.json_line(&result)?,
        false => show_report(out, result, dry_run)?,
    }
    Ok(ending)
}

/// Shows progress until there is a result.
pub(super) async fn result_of(
    out: &Output,
    mut lines: Lines,
    what: &str,
) -> anyhow::Result<BackupReport> {
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

fn show_report(out: &Output, report: BackupReport, dry_run: bool) -> anyhow::Result<()> {
    let took = length(Duration::from_millis(report.elapsed_ms));
    if let Some(verdicts) = report.verdicts {
        let table = verdict_table(&verdicts, &report.backups, &out.times);
        out.show(&[Block::Table(table)])?;
        let expired = expired_words(&report.backups, dry_run);
        return out.line(&format!("{expired}, in {took}"));
    }
    let notes = notes(&report);
    show_backups(out, report.backups)?;
    for note in notes {
        out.line(&note)?;
    }
    if let Some(documents) = report.restored_documents {
        let bytes = size(report.restored_bytes.unwrap_or(0));
        let documents = counted(documents, "document");
        return out.line(&format!(
            "restored {documents} (directories count), {bytes}, in {took}"
        ));
    }
    out.line(&format!("done in {took}"))
}

/// How many a policy let go, or would let go, and what that frees when they are deleted.
fn expired_words(expired: &[Backup], dry_run: bool) -> String {
    let count = expired.len();
    let bytes = expired.iter().map(|backup| backup.stored_bytes);
    let freed = size(bytes.fold(0, u64::saturating_add));
    match (dry_run, count) {
        (true, 0) => "0 would expire".to_owned(),
        (false, 0) => "0 expired".to_owned(),
        (true, _) => format!("{count} would expire, and free {freed} when they leave the trash"),
        (false, _) => format!("{count} expired, and free {freed} when they leave the trash"),
    }
}

/// What a retention policy said; of each that is among `expired`, what it frees.
pub(super) fn verdict_table(verdicts: &[Verdict], expired: &[Backup], times: &Times) -> Table {
    let freed: HashMap<&str, u64> = expired
        .iter()
        .map(|backup| (backup.id.as_str(), backup.stored_bytes))
        .collect();
    let row = |verdict: &Verdict| {
        let (word, tone) = match verdict.keep {
            true => ("keep", Tone::Good),
            false => ("expire", Tone::Warn),
        };
        vec![
            cell(&verdict.id, Tone::Plain),
            cell(word, tone),
            maybe(verdict.expires.as_ref().map(|time| times.both(time))),
            maybe(freed.get(verdict.id.as_str()).map(|bytes| size(*bytes))),
            cell(&verdict.reason, Tone::Plain),
        ]
    };
    let headings = ["BACKUP", "VERDICT", "EXPIRES", "FREES", "REASON"];
    let rows = verdicts.iter().map(row).collect();
    Table::new(&headings, rows, "no backups to judge").led_by(&[0, 1])
}

pub(super) fn show_backups(out: &Output, backups: Vec<Backup>) -> anyhow::Result<()> {
    out.show(&[Block::Table(backup_table(&backups, &out.times))])
}

/// Backups; those that are no good come first.
pub(super) fn backup_table(backups: &[Backup], times: &Times) -> Table {
    let mut backups: Vec<&Backup> = backups.iter().collect();
    backups.sort_by_key(|backup| tone(backup.status) != Tone::Bad);
    let rows = backups
        .into_iter()
        .map(|backup| row(backup, times))
        .collect();
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
        "WHY",
    ];
    Table::new(&headings, rows, "no backups").led_by(&[0, 1, 3])
}

fn row(backup: &Backup, times: &Times) -> Vec<Cell> {
    let (status, of_status) = standing(backup);
    vec![
        cell(&backup.id, Tone::Plain),
        cell(&backup.job, Tone::Plain),
        cell(backup.backup_type, Tone::Plain),
        cell(status, of_status),
        cell(&backup.tier, Tone::Plain),
        cell(times.both(&backup.created_at), Tone::Plain),
        cell(backup.documents, Tone::Plain),
        cell(size(backup.size_bytes), Tone::Plain),
        cell(size(backup.stored_bytes), Tone::Plain),
        match backup.held {
            true => cell("held", Tone::Plain),
            false => maybe(backup.expires.as_ref().map(|time| times.both(time))),
        },
        maybe(why_no_good(backup)),
    ]
}

/// Why a backup is no good, or may be none; none where it is, and `reason` says why it is kept.
fn why_no_good(backup: &Backup) -> Option<&str> {
    let failed = backup.reason.as_deref();
    let failed = failed.filter(|_| tone(backup.status) == Tone::Bad);
    failed.or(backup.suspicious.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(number: u8) -> Backup {
        Backup {
            id: format!("ful-01K000000000000000000000{number:02}"),
            job: "state".to_owned(),
            backup_type: mainstay_api::BackupType::Full,
            status: mainstay_api::BackupStatus::Verified,
            tier: "local".to_owned(),
            created_at: "2026-01-01T00:00:00.000Z".to_owned(),
            parent: None,
            base: format!("ful-01K000000000000000000000{number:02}"),
            documents: 1,
            tombstones: 0,
            size_bytes: 5_000,
            stored_bytes: 1_500,
            root_hash: String::new(),
            verified_at: None,
            held: false,
            expires: None,
            reason: None,
            warnings: Vec::new(),
            incomplete: false,
            stored_only: false,
            selection: false,
            checkpoint: None,
            hold: None,
            suspicious: None,
            drilled: None,
            origin: None,
        }
    }

    #[test]
    fn a_dry_run_of_a_policy_is_not_said_to_have_let_anything_go() {
        let two = [backup(1), backup(2)];
        assert_eq!(
            expired_words(&two, false),
            "2 expired, and free 3.0 kB when they leave the trash"
        );
        assert_eq!(
            expired_words(&two, true),
            "2 would expire, and free 3.0 kB when they leave the trash"
        );
        assert_eq!(expired_words(&[], false), "0 expired");
        assert_eq!(expired_words(&[], true), "0 would expire");
    }

    #[test]
    fn the_list_says_of_a_backup_that_is_no_good_why_and_not_why_another_is_kept() {
        use mainstay_api::BackupStatus::{Corrupted, Failed, Verified};

        let with = |status, reason: &str, suspicious: Option<&str>| Backup {
            status,
            reason: Some(reason.to_owned()),
            suspicious: suspicious.map(str::to_owned),
            ..backup(1)
        };
        let none = None::<&str>;
        for (backup, expected) in [
            (
                with(Failed, "/nope is not there", none),
                Some("/nope is not there"),
            ),
            (
                with(Corrupted, "a byte is wrong", none),
                Some("a byte is wrong"),
            ),
            (with(Verified, "full, 0 d old, kept 90 d", none), None),
            (
                with(Verified, "kept", Some("it is much too small")),
                Some("it is much too small"),
            ),
        ] {
            assert_eq!(why_no_good(&backup), expected);
            let table = format!(
                "{:?}",
                backup_table(std::slice::from_ref(&backup), &Times::new(true))
            );
            assert!(table.contains(expected.unwrap_or("WHY")), "{table}");
        }
    }
}

//! Checkpoints: taken, listed and rolled back to.

use super::{
    arguments::CheckpointCommand,
    backup_notes::standing,
    backups::work,
    client::{Client, path_with},
    done,
    failure::Ending,
    listings::present,
    output::{Block, Cell, Output, Table, Times, Tone, cell, maybe, size},
};
use mainstay_api::{
    Backup, CheckpointBody, ResumeJobBody, ResumedJob, Rollback, RollbackBody, RollbackStep,
};
use mainstay_domain::{id::BackupId, name::JobName};
use std::time::Duration;

/// The command that resumes has 30 s where the config says nothing else; the daemon's answer comes after it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);

pub(super) async fn run(
    client: &Client,
    out: &Output,
    command: CheckpointCommand,
) -> anyhow::Result<Ending> {
    match command {
        CheckpointCommand::Take {
            job,
            kind,
            name,
            by,
        } => {
            let what = format!("taking a checkpoint of {job}");
            let body = CheckpointBody {
                job: job.to_string(),
                kind,
                name: name.map(|name| name.to_string()),
                by: by.by,
            };
            work(client, out, ("/v1/checkpoints", &body), &what, true).await
        }
        CheckpointCommand::List { job } => {
            let query = [("job", job.map(|job| job.to_string()))];
            let answer = client.get(&path_with("/v1/checkpoints", &query)).await?;
            done(present(out, &answer, |out, checkpoints: Vec<Backup>| {
                out.show(&[Block::Table(checkpoint_table(&checkpoints, &out.times))])
            }))
        }
        CheckpointCommand::Rollback { id, by } => {
            let id: BackupId = id.resolve(client).await?;
            let path = format!("/v1/checkpoints/{id}/rollback");
            let what = format!("rolling back to {id}");
            let body = RollbackBody { by: by.by };
            work(client, out, (path.as_str(), &body), &what, true).await
        }
        CheckpointCommand::Resume { job, by } => done(resume(client, out, &job, by.by).await),
    }
}

async fn resume(client: &Client, out: &Output, job: &JobName, by: String) -> anyhow::Result<()> {
    let job = job.to_string();
    let body = ResumeJobBody {
        job: job.clone(),
        by,
    };
    client
        .post_slow("/v1/checkpoints/resume", &body, ANSWERED_WITHIN)
        .await?;
    if out.json {
        return out.json_line(&ResumedJob { job });
    }
    out.line(&format!("what the rollback of {job} had paused is resumed"))
}

/// Checkpoints, as they come.
pub(super) fn checkpoint_table(checkpoints: &[Backup], times: &Times) -> Table {
    let headings = [
        "CHECKPOINT",
        "JOB",
        "KIND",
        "NAME",
        "STATUS",
        "CREATED",
        "SIZE",
        "STORED",
        "EXPIRES",
        "ROLLBACK",
    ];
    let rows = checkpoints.iter().map(|backup| row(backup, times));
    Table::new(&headings, rows.collect(), "no checkpoints").led_by(&[0, 1, 2])
}

fn row(backup: &Backup, times: &Times) -> Vec<Cell> {
    let checkpoint = backup.checkpoint.as_ref();
    let name = checkpoint.and_then(|it| it.name.as_ref());
    let rollback = checkpoint.and_then(|it| it.rollback.as_ref());
    let (status, of_status) = standing(backup);
    vec![
        cell(&backup.id, Tone::Plain),
        cell(&backup.job, Tone::Plain),
        maybe(checkpoint.map(|it| it.kind)),
        maybe(name),
        cell(status, of_status),
        cell(times.both(&backup.created_at), Tone::Plain),
        cell(size(backup.size_bytes), Tone::Plain),
        cell(size(backup.stored_bytes), Tone::Plain),
        maybe(backup.expires.as_ref().map(|time| times.both(time))),
        rollback.map_or_else(|| maybe(None::<String>), rollback_cell),
    ]
}

fn rollback_cell(rollback: &Rollback) -> Cell {
    let tone = match rollback.step {
        RollbackStep::Succeeded => Tone::Good,
        RollbackStep::Failed | RollbackStep::Unresumed | RollbackStep::Stranded => Tone::Bad,
        RollbackStep::Pausing
        | RollbackStep::Saving
        | RollbackStep::Staging
        | RollbackStep::Placing
        | RollbackStep::Checking
        | RollbackStep::PuttingBack
        | RollbackStep::Resuming => Tone::Warn,
    };
    cell(rollback.step, tone)
}

//! Backup jobs, in `status`.

use crate::cli::output::{Block, Cell, Table, Times, Tone, cell, maybe};
use mainstay_api::{BackupStatus, JobRow};
use mainstay_domain::text::counted;

/// Whether somebody has to look at it.
pub(in crate::cli) fn is_amiss(job: &JobRow) -> bool {
    let is_bad = matches!(
        job.last_status,
        Some(BackupStatus::Failed | BackupStatus::Corrupted)
    );
    is_bad || job.rpo_met == Some(false)
}

/// Those that somebody has to look at or that wait, and how many others there are; or all.
pub(super) fn job_blocks(jobs: &[JobRow], times: &Times, all: bool) -> Vec<Block> {
    let shown = |job: &&JobRow| all || is_amiss(job) || job.waits.is_some();
    let rows: Vec<Vec<Cell>> = jobs
        .iter()
        .filter(shown)
        .map(|job| job_row(job, times))
        .collect();
    let rest = jobs.len() - rows.len();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let headings = ["JOB", "LAST STATUS", "RPO", "LAST VERIFIED", "NEXT DUE"];
        blocks.push(Block::Table(
            Table::new(&headings, rows, "").led_by(&[0, 1]),
        ));
        blocks.push(Block::Gap);
    }
    if rest > 0 {
        let text = format!(
            "backups: {} in order; `mainstay status --all` lists them",
            counted(rest, "job")
        );
        blocks.push(Block::text(text, Tone::Plain));
    }
    if jobs.is_empty() {
        blocks.push(Block::text("backups: no jobs are configured", Tone::Plain));
    }
    blocks
}

fn job_row(job: &JobRow, times: &Times) -> Vec<Cell> {
    let rpo = match job.rpo_met {
        Some(true) => cell("met", Tone::Good),
        Some(false) => cell("missed", Tone::Bad),
        None => cell("-", Tone::Plain),
    };
    let due = job.next_due.as_ref().map(|time| times.both(time));
    vec![
        cell(&job.name, Tone::Plain),
        match job.last_status {
            Some(status @ (BackupStatus::Failed | BackupStatus::Corrupted)) => {
                cell(status, Tone::Bad)
            }
            status => maybe(status),
        },
        rpo,
        maybe(job.last_verified.as_ref().map(|time| times.both(time))),
        maybe(job.waits.clone().or(due)),
    ]
}

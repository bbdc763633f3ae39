//! Backup jobs, in `status`.

use crate::cli::{
    backup_notes::drilled_words,
    output::{Block, Cell, Table, Times, Tone, cell, maybe, printable},
};
use mainstay_api::{BackupStatus, JobRow};
use mainstay_domain::text::counted;

/// Whether somebody has to look at it.
pub(in crate::cli) fn is_amiss(job: &JobRow) -> bool {
    let is_bad = matches!(
        job.last_status,
        Some(BackupStatus::Failed | BackupStatus::Corrupted)
    );
    is_bad || job.last_incomplete || job.rpo_met == Some(false) || has_failed_drill(job)
}

fn has_failed_drill(job: &JobRow) -> bool {
    let drilled = job.last_drill.as_ref();
    drilled.is_some_and(|drilled| drilled.error.is_some())
}

/// What a job is at before it has its first backup, where nothing is wrong; none where it has one that was right.
fn before_the_first(job: &JobRow) -> Option<&'static str> {
    match (&job.last_verified, job.last_status) {
        (Some(_), _) => None,
        (None, Some(BackupStatus::Pending | BackupStatus::InProgress)) => {
            Some("its first backup is under way")
        }
        (None, _) => Some("it has no verified backup yet"),
    }
}

/// Those that somebody has to look at or that wait, and how many others there are; or all.
pub(super) fn job_blocks(jobs: &[JobRow], times: &Times, all: bool) -> Vec<Block> {
    let shown = |job: &&JobRow| all || is_amiss(job) || job.waits.is_some();
    let rows: Vec<Vec<Cell>> = jobs
        .iter()
        .filter(shown)
        .map(|job| job_row(job, times))
        .collect();
    let not_yet: Vec<Block> = jobs
        .iter()
        .filter(|job| !shown(job))
        .filter_map(|job| Some((job, before_the_first(job)?)))
        .map(|(job, what)| {
            Block::text(
                format!("backups: {}: {what}", printable(&job.name)),
                Tone::Plain,
            )
        })
        .collect();
    let rest = jobs.len() - rows.len() - not_yet.len();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let headings = [
            "JOB",
            "LAST STATUS",
            "RPO",
            "LAST VERIFIED",
            "NEXT DUE",
            "WHY",
        ];
        blocks.push(Block::Table(
            Table::new(&headings, rows, "").led_by(&[0, 1]),
        ));
        blocks.push(Block::Gap);
    }
    blocks.extend(not_yet);
    let checkpoints = jobs.iter().filter(|_| all);
    blocks.extend(checkpoints.filter_map(|job| checkpoint_times(job, times)));
    let drilled = jobs.iter().filter(|job| all || has_failed_drill(job));
    blocks.extend(drilled.filter_map(|job| last_drill(job, times)));
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

/// When its last checkpoint was taken, and when the next is due; none where it keeps none.
fn checkpoint_times(job: &JobRow, times: &Times) -> Option<Block> {
    let last = match &job.last_checkpoint {
        Some(last) => format!("the last right one is of {}", times.both(last)),
        None => "there is no right one yet".to_owned(),
    };
    let next = times.both(job.next_checkpoint.as_ref()?);
    let name = printable(&job.name);
    let text = format!("checkpoints: {name}: {last}; the next is due {next}");
    Some(Block::text(text, Tone::Plain))
}

/// How its last drill went; none where none came to its end.
fn last_drill(job: &JobRow, times: &Times) -> Option<Block> {
    let (words, tone) = drilled_words(job.last_drill.as_ref()?, times);
    let text = format!("drills: {}: {}", printable(&job.name), printable(&words));
    Some(Block::text(text, tone))
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
            Some(status) if job.last_incomplete => {
                cell(format!("{status}, incomplete"), Tone::Warn)
            }
            status => maybe(status),
        },
        rpo,
        maybe(job.last_verified.as_ref().map(|time| times.both(time))),
        maybe(job.waits.clone().or(due)),
        maybe(job.last_error.as_deref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_api::Drilled;

    fn job(last_status: Option<BackupStatus>, last_verified: Option<&str>) -> JobRow {
        JobRow {
            name: "state".to_owned(),
            last_verified: last_verified.map(str::to_owned),
            last_status,
            last_incomplete: false,
            last_error: None,
            next_due: None,
            rpo_met: None,
            waits: None,
            last_checkpoint: None,
            next_checkpoint: None,
            last_drill: None,
        }
    }

    #[test]
    fn all_jobs_are_shown_with_the_times_of_their_checkpoints_where_they_keep_any() {
        let times = Times::new(true);
        let (last, next) = ("2026-03-04T12:00:00Z", "2026-03-04T12:15:00Z");
        let none = job(Some(BackupStatus::Verified), Some(last));
        let kept = |last: Option<&str>| JobRow {
            last_checkpoint: last.map(str::to_owned),
            next_checkpoint: Some(next.to_owned()),
            ..none.clone()
        };
        let jobs = [none.clone(), kept(None), kept(Some(last))];
        let (last, next) = (times.both(last), times.both(next));
        let lines = [
            format!("checkpoints: state: there is no right one yet; the next is due {next}"),
            format!("checkpoints: state: the last right one is of {last}; the next is due {next}"),
        ];
        let lines = lines.map(|line| Block::text(line, Tone::Plain));
        let shown = job_blocks(&jobs, &times, true);
        assert!(shown.ends_with(&lines), "{shown:?}");
        let short = job_blocks(&jobs, &times, false);
        assert!(
            !short.iter().any(|block| lines.contains(block)),
            "{short:?}"
        );
    }

    #[test]
    fn a_job_whose_last_drill_failed_is_shown_with_why() {
        let times = Times::new(true);
        let at = "2026-03-04T12:00:00Z";
        let drilled = |error: Option<&str>| JobRow {
            last_drill: Some(Drilled {
                at: at.to_owned(),
                restore_ms: 1_500,
                healthy_ms: None,
                total_ms: 1_500,
                target: None,
                rto_ms: None,
                error: error.map(str::to_owned),
            }),
            ..job(Some(BackupStatus::Verified), Some(at))
        };
        let (passed, failed) = (drilled(None), drilled(Some("nobody listens there")));
        assert!(!is_amiss(&passed) && is_amiss(&failed));
        let is_told = |job: &JobRow, all| {
            let shown = job_blocks(std::slice::from_ref(job), &times, all);
            let shown = format!("{shown:?}");
            (
                shown.contains("drills: state: "),
                shown.contains("failed: nobody listens there"),
            )
        };
        assert_eq!(is_told(&passed, false), (false, false));
        assert_eq!(is_told(&passed, true), (true, false));
        assert_eq!(is_told(&failed, false), (true, true));
    }

    #[test]
    fn a_job_whose_last_backup_failed_is_shown_with_why() {
        let why = "the source /nope is not there";
        let failed = JobRow {
            last_error: Some(why.to_owned()),
            ..job(Some(BackupStatus::Failed), None)
        };
        for all in [true, false] {
            let shown = job_blocks(std::slice::from_ref(&failed), &Times::new(true), all);
            let shown = format!("{shown:?}");
            assert!(shown.contains("WHY") && shown.contains(why), "{shown}");
        }
    }

    #[test]
    fn a_job_without_a_backup_is_not_said_to_be_in_order() {
        let in_order = "backups: 1 job in order; `mainstay status --all` lists them";
        for (of_job, expected) in [
            (
                job(Some(BackupStatus::InProgress), None),
                "backups: state: its first backup is under way",
            ),
            (
                job(None, None),
                "backups: state: it has no verified backup yet",
            ),
            (
                job(Some(BackupStatus::InProgress), Some("2026-03-04T12:00:00Z")),
                in_order,
            ),
            (
                job(Some(BackupStatus::Verified), Some("2026-03-04T12:00:00Z")),
                in_order,
            ),
        ] {
            let shown = job_blocks(&[of_job], &Times::new(true), false);
            assert_eq!(shown, [Block::text(expected, Tone::Plain)]);
        }
    }
}

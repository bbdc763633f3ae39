//! What the events of one backup say.
//!
//! Invariant: a sentence is true of a backup of every type, whether others need it or not; `tests` has the table.

use crate::ports::NotPutBack;
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupType},
    code::ErrorCode,
    id::BackupId,
    measure::{length, size},
    name::JobName,
    text::counted,
    time::Timestamp,
};
use std::time::Duration;

/// It began; one that was `asked` for may have nothing to build on.
pub(super) fn began(
    id: &BackupId,
    job: &JobName,
    backup_type: BackupType,
    asked: BackupType,
) -> String {
    match backup_type == asked {
        true => format!("backup {id} of job {job} began"),
        false => format!(
            "backup {id} of job {job} began; it is {backup_type} and not {asked}, for there is no verified full backup to \
             build on"
        ),
    }
}

/// It was stored, and read back.
pub(super) fn verified(record: &BackupRecord, elapsed_ms: u64, warnings: &[String]) -> String {
    let more = match warnings {
        [] => String::new(),
        [first, ..] => format!(
            "; {} to know, the first: {first}",
            counted(warnings.len(), "thing")
        ),
    };
    let and_what = match record.incomplete {
        true => ", and incomplete",
        false => "",
    };
    format!(
        "backup {} of job {} is verified{and_what}: {}, {}, {} stored in {}{more}",
        record.id,
        record.job,
        counted(record.documents, "document"),
        counted(record.tombstones, "deletion"),
        size(record.stored_bytes),
        length(Duration::from_millis(elapsed_ms)),
    )
}

/// So many of the things to know of a backup, the last of which counts the others where there are more.
pub(super) fn first_of(warnings: &[String], most: usize) -> Vec<String> {
    let others = warnings.len().saturating_sub(most.saturating_sub(1));
    if others <= 1 {
        return warnings.to_vec();
    }
    let kept = warnings.iter().take(warnings.len() - others).cloned();
    let more = format!("{others} more are in the daemon's log");
    kept.chain([more]).collect()
}

/// It is the one run for all slots that nothing was taken at, which is told.
pub(super) fn caught_up(missed_since: Option<Timestamp>) -> String {
    missed_since.map_or_else(String::new, |since| {
        format!("; it catches up with every slot of the schedule since {since}")
    })
}

/// One of before was read back, with so many others that it needs; and what was found beside it.
pub(super) fn read_back(id: &BackupId, job: &JobName, needed: usize, notes: &[String]) -> String {
    let right = format!("backup {id} of job {job} was read back and is right");
    let right = match needed {
        0 => right,
        1 => format!("{right}, and so is the one that it needs"),
        more => format!("{right}, and so are the {more} that it needs"),
    };
    let mut all = vec![right];
    all.extend(notes.iter().cloned());
    all.join("; ")
}

/// No backup of a job can be restored, or none that was taken by then; with when the oldest was taken that can be.
pub(super) fn none_by(job: &JobName, at: Option<Timestamp>, oldest: Option<Timestamp>) -> String {
    match (at, oldest) {
        (Some(at), Some(oldest)) => format!(
            "job {job} has no verified backup of {at} or before: its oldest is of {oldest}; name that time or a later one"
        ),
        _ => format!(
            "job {job} has no verified backup; take one with `mainstay backup create {job}`"
        ),
    }
}

/// No backup of a job can be restored that is of this type, or none that was taken by then.
pub(super) fn none_of(job: &JobName, of_type: BackupType, at: Option<Timestamp>) -> String {
    let by = at.map_or_else(String::new, |at| format!(" of {at} or before"));
    format!(
        "job {job} has no verified {of_type} backup{by}; `mainstay backup list --job {job}` shows those that it has"
    )
}

/// Documents for which a restore in place had no place; follows what else is said.
pub(super) fn not_put_back(left: &NotPutBack, job: &JobName, id: &str) -> String {
    if left.documents == 0 {
        return String::new();
    }
    let named = left.first.join(", ");
    let more = match left.documents > left.first.len() as u64 {
        true => ", …",
        false => "",
    };
    let was = if left.documents == 1 { "was" } else { "were" };
    format!(
        "; {} {was} not put back, for the job's directories have no place for that: {named}{more}; `mainstay backup restore {job} \
         --id {id} --into DIRECTORY` gives all of it",
        counted(left.documents, "document")
    )
}

/// What is not as it was, and costs no content; follows what else is said.
pub(super) fn noted(notes: &[String]) -> String {
    notes.iter().map(|note| format!("; {note}")).collect()
}

/// What is stored of a job and is not in the catalog; none where all is.
pub(super) fn left_out(job: &JobName, left_out: &[String]) -> Option<String> {
    let first = left_out.first()?;
    let count = counted(left_out.len(), "manifest");
    Some(match left_out.len() {
        1 => format!("in the store of job {job} {count} is not taken up; {first}"),
        _ => format!("in the store of job {job} {count} are not taken up, the first: {first}"),
    })
}

/// What was restored does not hold all that was there; follows what else is said.
pub(super) fn incomplete(restored: Option<&BackupRecord>) -> String {
    match restored {
        Some(backup) if backup.selection => {
            "; it holds a selection alone, by `include` of the job".to_owned()
        }
        Some(backup) if backup.incomplete => format!(
            "; it is incomplete, so that not all is in it that was there: {}",
            backup
                .warnings
                .first()
                .map_or("what is missing is not recorded", String::as_str)
        ),
        Some(_) | None => String::new(),
    }
}

/// It can be restored, and another was preferred.
fn is_only_incomplete(backup: &BackupRecord) -> bool {
    backup.incomplete && backup.status != BackupStatus::Corrupted
}

/// The newest that can be restored was asked for, and these are newer and cannot, or are incomplete; follows what else is
/// said.
pub(super) fn skipped(newer: &[BackupRecord]) -> String {
    match newer {
        [] => String::new(),
        [newest, ..] => format!(
            "; {} newer and {}, and skipped, so that later changes are not in it; the newest of them is {}: {}",
            match newer.len() {
                1 => "1 backup is".to_owned(),
                more => format!("{more} backups are"),
            },
            match newer
                .iter()
                .filter(|backup| is_only_incomplete(backup))
                .count()
            {
                0 => "corrupted",
                all if all == newer.len() => "incomplete",
                _ => "corrupted or incomplete",
            },
            newest.id,
            match is_only_incomplete(newest) {
                true => newest.warnings.first(),
                false => newest.reason.as_ref(),
            }
            .map_or("no reason is recorded", String::as_str)
        ),
    }
}

/// Its stored bytes are not what was written. Whether others need it, and what the next one is built on, depends on its type.
pub(super) fn corrupted(id: &BackupId, job: &JobName, what: &str) -> String {
    ErrorCode::BackupUnusable.mark(format!(
        "backup {id} of job {job} is corrupted: {what}; neither it nor what needs it can be restored, and nothing is built \
         on it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(of_type: &str) -> BackupId {
        BackupId::parse(&format!("{of_type}-01K0000000000000000000000A")).unwrap()
    }

    fn job() -> JobName {
        JobName::parse("state").unwrap()
    }

    fn record(documents: u64, tombstones: u64, stored_bytes: u64) -> BackupRecord {
        BackupRecord {
            status: BackupStatus::Verified,
            documents,
            tombstones,
            size_bytes: 7,
            stored_bytes,
            ..BackupRecord::begun(
                id("ful"),
                job(),
                BackupType::Full,
                Timestamp::from_millis(1),
            )
        }
    }

    #[test]
    fn where_there_is_no_backup_of_a_time_it_is_said_which_there_are() {
        let at = Timestamp::from_millis;
        for (time, oldest) in [(None, None), (Some(at(5)), None)] {
            assert_eq!(
                none_by(&job(), time, oldest),
                "job state has no verified backup; take one with `mainstay backup create state`"
            );
        }
        assert_eq!(
            none_by(&job(), Some(at(5)), Some(at(7))),
            "job state has no verified backup of 1970-01-01T00:00:00.005Z or before: its oldest is of \
             1970-01-01T00:00:00.007Z; name that time or a later one"
        );
    }

    #[test]
    fn what_is_left_out_is_counted_and_the_first_is_named() {
        assert_eq!(left_out(&job(), &[]), None);
        let one = "left out ful-1.json: it is not trusted".to_owned();
        assert_eq!(
            left_out(&job(), std::slice::from_ref(&one)).unwrap(),
            "in the store of job state 1 manifest is not taken up; left out ful-1.json: it is not trusted"
        );
        assert!(left_out(&job(), &[one.clone(), one]).unwrap().starts_with(
            "in the store of job state 2 manifests are not taken up, the first: left out"
        ));
    }

    #[test]
    fn what_was_not_put_back_is_named_with_how_to_get_it() {
        let all = NotPutBack::default();
        assert_eq!(not_put_back(&all, &job(), "ful-A"), "");
        let mut left = NotPutBack {
            documents: 1,
            first: vec!["app.sql".to_owned()],
        };
        assert_eq!(
            not_put_back(&left, &job(), "ful-A"),
            "; 1 document was not put back, for the job's directories have no place for that: app.sql; `mainstay backup \
             restore state --id ful-A --into DIRECTORY` gives all of it"
        );
        left.documents = 2;
        assert!(
            not_put_back(&left, &job(), "ful-A")
                .starts_with("; 2 documents were not put back, for the job's directories have no place for that: app.sql, …;")
        );
    }

    #[test]
    fn what_was_skipped_is_said_with_its_number_and_why() {
        assert_eq!(skipped(&[]), "");
        let lost = BackupRecord {
            status: BackupStatus::Corrupted,
            reason: Some("its archive is missing".to_owned()),
            ..record(1, 0, 1)
        };
        assert_eq!(
            skipped(std::slice::from_ref(&lost)),
            "; 1 backup is newer and corrupted, and skipped, so that later changes are not in it; the newest of them is \
             ful-01K0000000000000000000000A: its archive is missing"
        );
        let torn = BackupRecord {
            incomplete: true,
            warnings: vec!["left out a: it vanished while it was read".to_owned()],
            ..record(1, 0, 1)
        };
        assert_eq!(
            skipped(std::slice::from_ref(&torn)),
            "; 1 backup is newer and incomplete, and skipped, so that later changes are not in it; the newest of them is \
             ful-01K0000000000000000000000A: left out a: it vanished while it was read"
        );
        let both = skipped(&[lost.clone(), torn]);
        assert!(
            both.starts_with("; 2 backups are newer and corrupted or incomplete, and skipped"),
            "{both}"
        );
        assert!(
            skipped(&[lost.clone(), lost]).starts_with("; 2 backups are newer and corrupted, and")
        );
    }

    #[test]
    fn of_too_many_things_to_know_the_last_is_how_many_more_there_are() {
        for (count, kept, last) in [
            (0, 0, None),
            (1, 1, Some("0")),
            (3, 3, Some("2")),
            (4, 3, Some("2 more are in the daemon's log")),
            (100, 3, Some("98 more are in the daemon's log")),
        ] {
            let warnings: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            let first = first_of(&warnings, 3);
            assert_eq!(
                (first.len(), first.last().map(String::as_str)),
                (kept, last)
            );
        }
    }

    #[test]
    fn what_is_incomplete_is_said_where_it_is_taken_and_where_it_is_restored() {
        let whole = record(1, 0, 1);
        assert_eq!(
            (incomplete(None), incomplete(Some(&whole))),
            (String::new(), String::new())
        );
        let torn = BackupRecord {
            incomplete: true,
            ..whole
        };
        let taken = verified(&torn, 41, &["a changed".to_owned()]);
        assert!(
            taken.contains(" of job state is verified, and incomplete: 1 document, ")
                && taken.ends_with("the first: a changed"),
            "{taken}"
        );
        assert!(incomplete(Some(&torn)).contains("what is missing is not recorded"));
        let selection = BackupRecord {
            selection: true,
            ..torn.clone()
        };
        assert!(incomplete(Some(&selection)).contains("a selection alone"));
        let named = BackupRecord {
            warnings: vec!["a changed".to_owned()],
            ..torn
        };
        assert_eq!(
            incomplete(Some(&named)),
            "; it is incomplete, so that not all is in it that was there: a changed"
        );
    }

    #[test]
    fn what_is_said_of_a_backup_is_true_of_every_type_and_however_many_it_needs() {
        let (ful, add, job) = (id("ful"), id("add"), job());
        let warnings =
            |texts: &[&str]| -> Vec<String> { texts.iter().copied().map(str::to_owned).collect() };
        for (found, expected) in [
            (
                began(&ful, &job, BackupType::Full, BackupType::Full),
                "backup ful-01K0000000000000000000000A of job state began",
            ),
            (
                began(&ful, &job, BackupType::Full, BackupType::Incremental),
                "backup ful-01K0000000000000000000000A of job state began; it is full and not incremental, for there is no \
                 verified full backup to build on",
            ),
            (
                verified(&record(1, 0, 900), 41, &[]),
                "backup ful-01K0000000000000000000000A of job state is verified: 1 document, 0 deletions, 900 bytes stored \
                 in 41 ms",
            ),
            (
                verified(&record(2, 1, 5 << 30), 73_000, &[]),
                "backup ful-01K0000000000000000000000A of job state is verified: 2 documents, 1 deletion, 5 GiB stored in \
                 1 min 13 s",
            ),
            (
                verified(
                    &record(3, 1, 1),
                    41,
                    &warnings(&["a changed while it was read"]),
                ),
                "backup ful-01K0000000000000000000000A of job state is verified: 3 documents, 1 deletion, 1 byte stored in \
                 41 ms; 1 thing to know, the first: a changed while it was read",
            ),
            (
                verified(&record(3, 1, 1), 41, &warnings(&["a changed", "b went"])),
                "backup ful-01K0000000000000000000000A of job state is verified: 3 documents, 1 deletion, 1 byte stored in \
                 41 ms; 2 things to know, the first: a changed",
            ),
            (
                read_back(&ful, &job, 0, &warnings(&["an index was wrong"])),
                "backup ful-01K0000000000000000000000A of job state was read back and is right; an index was wrong",
            ),
            (
                read_back(&ful, &job, 0, &[]),
                "backup ful-01K0000000000000000000000A of job state was read back and is right",
            ),
            (
                read_back(&add, &job, 1, &[]),
                "backup add-01K0000000000000000000000A of job state was read back and is right, and so is the one that it \
                 needs",
            ),
            (
                read_back(&add, &job, 2, &[]),
                "backup add-01K0000000000000000000000A of job state was read back and is right, and so are the 2 that it \
                 needs",
            ),
            (
                corrupted(&add, &job, "document a"),
                "backup add-01K0000000000000000000000A of job state is corrupted: document a; neither it nor what needs it \
                 can be restored, and nothing is built on it [MS-0502]",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }
}

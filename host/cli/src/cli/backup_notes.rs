//! What is to be known of work on backups beside that it is done.

use super::{
    failure::Ending,
    output::{Cell, Times, Tone, cell, length},
};
use mainstay_api::{Backup, BackupOrigin, BackupReport, BackupStatus, Drilled};
use mainstay_domain::text::counted;
use std::time::Duration;

/// In the order in which it is said; a line each.
pub(super) fn notes(report: &BackupReport) -> Vec<String> {
    let incomplete = report.backups.last().filter(|backup| backup.incomplete);
    let incomplete = incomplete.map(|backup| {
        format!(
            "{} is incomplete: not all that was there is in it as it was",
            backup.id
        )
    });
    let skipped = report.skipped.iter().map(skipped);
    let beside = report.notes.iter().cloned();
    let newest = report.backups.last();
    let of_newest = newest.into_iter().flat_map(|backup| {
        let note = move |warning: &String| format!("{}: {warning}", backup.id);
        backup.warnings.iter().map(note)
    });
    let notes = skipped.chain(not_put_back(report)).chain(beside);
    notes.chain(incomplete).chain(of_newest).collect()
}

/// Whether everything was done that was asked for. `of_content`: the work was on what the newest backup holds, so that it is
/// not whole where that is not.
pub(super) fn ending_of(report: &BackupReport, of_content: bool) -> Ending {
    let newest = report.backups.last();
    let is_whole = newest.is_none_or(|backup| !backup.incomplete);
    match report.not_put_back_documents {
        None | Some(0) if is_whole || !of_content => Ending::Done,
        _ => Ending::Incomplete,
    }
}

fn not_put_back(report: &BackupReport) -> Option<String> {
    let documents = report.not_put_back_documents?;
    let named = report.not_put_back.join(", ");
    let more = match documents > report.not_put_back.len() as u64 {
        true => ", …",
        false => "",
    };
    // The last of the chain is the one that was restored.
    let how = report.backups.last().map(|backup| {
        format!(
            "; get it with: mainstay backup restore {} --id {} --into DIRECTORY",
            backup.job, backup.id
        )
    });
    Some(format!(
        "not put back: {}, for which the job's directories have no place, as for what a command printed: {named}{more}{}",
        counted(documents, "document"),
        how.unwrap_or_default()
    ))
}

fn skipped(backup: &Backup) -> String {
    let why = match &backup.reason {
        _ if backup.incomplete && backup.status != BackupStatus::Corrupted => {
            "incomplete".to_owned()
        }
        _ if backup.status == BackupStatus::Verified => match &backup.suspicious {
            Some(why) => format!("suspicious: {why}"),
            None => "built on one that is suspicious".to_owned(),
        },
        Some(why) => format!("{}: {why}", backup.status),
        None => backup.status.to_string(),
    };
    format!(
        "skipped {} of {}, which is newer and {why}; what changed since is not restored",
        backup.id, backup.created_at
    )
}

/// How a backup stands.
pub(super) fn standing(backup: &Backup) -> (String, Tone) {
    let tone = tone(backup.status);
    let mut words = backup.status.to_string();
    if backup.stored_only && backup.status == BackupStatus::Verified {
        words.push_str(" as stored");
    }
    if backup.selection {
        words.push_str(", a selection");
    }
    if backup.incomplete {
        words.push_str(", incomplete");
    }
    if backup.suspicious.is_some() {
        words.push_str(", suspicious");
    }
    match (backup.incomplete || backup.suspicious.is_some(), tone) {
        (true, Tone::Good) => (words, Tone::Warn),
        (_, tone) => (words, tone),
    }
}

/// How good that is.
pub(super) fn tone(status: BackupStatus) -> Tone {
    match status {
        BackupStatus::Verified => Tone::Good,
        BackupStatus::Failed | BackupStatus::Corrupted => Tone::Bad,
        BackupStatus::Pending
        | BackupStatus::InProgress
        | BackupStatus::Completed
        | BackupStatus::Expired => Tone::Plain,
    }
}

/// How a backup was taken.
pub(super) fn origin_facts(origin: BackupOrigin) -> impl Iterator<Item = (String, Cell)> {
    let took = length(Duration::from_millis(origin.elapsed_ms));
    let sources = origin.sources.into_iter().map(|source| ("source", source));
    let recipients = origin.recipients.into_iter();
    let recipients = recipients.map(|recipient| ("encrypted to", recipient));
    let signed_by = origin.signed_by.map(|key| ("signed by", key));
    let facts = [("took", took)].into_iter().chain(sources);
    let facts = facts.chain(recipients).chain(signed_by);
    facts.map(|(name, text)| (name.to_owned(), cell(text, Tone::Plain)))
}

/// What the newest drill has measured, and whether that was good.
pub(super) fn drilled_words(drilled: &Drilled, times: &Times) -> (String, Tone) {
    let long = |millis: u64| length(Duration::from_millis(millis));
    let mut text = format!(
        "{}, restored in {}",
        times.both(&drilled.at),
        long(drilled.restore_ms)
    );
    if let Some(healthy) = drilled.healthy_ms {
        text += &format!(", healthy {} after its start", long(healthy));
    }
    if let (Some(target), Some(rto)) = (&drilled.target, drilled.rto_ms) {
        text += &format!(", rto of {target} {}", long(rto));
    }
    let tone = match &drilled.error {
        Some(error) => {
            text += &format!("; failed: {error}");
            Tone::Bad
        }
        None => Tone::Good,
    };
    (text, tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_api::BackupType;

    fn backup() -> Backup {
        Backup {
            id: "add-01K0000000000000000000000A".to_owned(),
            job: "state".to_owned(),
            backup_type: BackupType::Incremental,
            status: BackupStatus::Corrupted,
            tier: "local".to_owned(),
            created_at: "2024-01-31T12:00:00.000Z".to_owned(),
            parent: None,
            base: "ful-01K0000000000000000000000B".to_owned(),
            documents: 1,
            tombstones: 0,
            size_bytes: 1,
            stored_bytes: 1,
            root_hash: String::new(),
            verified_at: None,
            held: false,
            expires: None,
            reason: Some("it needs ful-01K0000000000000000000000B, which is corrupted".to_owned()),
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

    fn report() -> BackupReport {
        BackupReport {
            backups: Vec::new(),
            elapsed_ms: 1,
            restored_documents: None,
            restored_bytes: None,
            not_put_back_documents: None,
            not_put_back: Vec::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
            verdicts: None,
        }
    }

    #[test]
    fn a_newer_backup_that_was_skipped_is_named_with_the_reason() {
        assert!(notes(&report()).is_empty());
        let report = BackupReport {
            skipped: vec![backup()],
            ..report()
        };
        assert_eq!(
            notes(&report),
            [
                "skipped add-01K0000000000000000000000A of 2024-01-31T12:00:00.000Z, which is newer and corrupted: it needs \
              ful-01K0000000000000000000000B, which is corrupted; what changed since is not restored"
            ]
        );
    }

    #[test]
    fn what_was_not_put_back_is_named_with_how_to_get_it_and_makes_it_incomplete() {
        assert_eq!(ending_of(&report(), true), Ending::Done);
        let report = BackupReport {
            backups: vec![backup()],
            not_put_back_documents: Some(2),
            not_put_back: vec!["app.sql".to_owned()],
            ..report()
        };
        assert_eq!(ending_of(&report, false), Ending::Incomplete);
        assert_eq!(
            notes(&report),
            [
                "not put back: 2 documents, for which the job's directories have no place, as for what a command printed: \
              app.sql, …; get it with: mainstay backup restore state --id add-01K0000000000000000000000A --into DIRECTORY"
            ]
        );
    }
    #[test]
    fn what_a_backup_left_out_is_said() {
        let report = BackupReport {
            backups: vec![Backup {
                warnings: vec!["left out /srv/fifo".to_owned()],
                ..backup()
            }],
            ..report()
        };
        assert_eq!(
            notes(&report),
            ["add-01K0000000000000000000000A: left out /srv/fifo"]
        );
        assert_eq!(ending_of(&report, true), Ending::Done);
    }

    #[test]
    fn an_incomplete_backup_is_named_taken_and_restored_in_part_and_skipped_for_a_whole_one() {
        let torn = Backup {
            status: BackupStatus::Verified,
            reason: None,
            incomplete: true,
            warnings: vec!["left out a".to_owned()],
            ..backup()
        };
        let of_torn = BackupReport {
            backups: vec![torn.clone()],
            ..report()
        };
        assert_eq!(
            notes(&of_torn),
            [
                "add-01K0000000000000000000000A is incomplete: not all that was there is in it as it was",
                "add-01K0000000000000000000000A: left out a"
            ]
        );
        assert_eq!(ending_of(&of_torn, true), Ending::Incomplete);
        assert_eq!(ending_of(&of_torn, false), Ending::Done);
        let skipping = BackupReport {
            skipped: vec![torn],
            ..report()
        };
        assert_eq!(
            notes(&skipping),
            [
                "skipped add-01K0000000000000000000000A of 2024-01-31T12:00:00.000Z, which is newer and incomplete; what changed \
                 since is not restored"
            ]
        );
    }
}

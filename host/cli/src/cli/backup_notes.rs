//! What is to be known of work on backups beside that it is done.

use mainstay_api::{Backup, BackupReport};

/// In the order in which it is said; a line each.
pub(super) fn notes(report: &BackupReport) -> Vec<String> {
    report.skipped.iter().map(skipped).collect()
}

fn skipped(backup: &Backup) -> String {
    let why = match &backup.reason {
        Some(why) => format!("{}: {why}", backup.status),
        None => backup.status.to_string(),
    };
    format!(
        "skipped {} of {}, which is newer and {why}; what changed since is not restored",
        backup.id, backup.created_at
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_api::{BackupStatus, BackupType};

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
        }
    }

    fn report() -> BackupReport {
        BackupReport {
            backups: Vec::new(),
            elapsed_ms: 1,
            restored_documents: None,
            restored_bytes: None,
            skipped: Vec::new(),
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
}

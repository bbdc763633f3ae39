//! What follows from an attempt that did not help, and what is said of the data.

use mainstay_plugin_sdk::calendar::rfc3339;
use mainstay_plugin_sdk::recovery::{Backup, EffectError, RecoveryFailure, Timestamp};
use std::fmt;

/// What PostgreSQL and `pg_isready` say while the log is replayed.
const REPLAYING: [&str; 4] = [
    "in recovery mode",
    "not yet accepting connections",
    "rejecting connections",
    "starting up",
];

/// Whether what a check saw is a database that replays its log.
pub(crate) fn is_replaying(saw: &str) -> bool {
    let saw = saw.to_lowercase();
    REPLAYING.iter().any(|words| saw.contains(*words))
}

/// What the attempt does that follows a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It restarts once more.
    Restarts,
    /// It restores.
    Restores,
    /// No attempt of the route ever restores.
    Never,
}

impl fmt::Display for Next {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Restarts => "the next attempt restarts it once more",
            Self::Restores => "the next attempt restores",
            Self::Never => {
                "no attempt restores: give the route more `max_attempts`, or the plugin fewer `restarts`"
            }
        })
    }
}

/// Decides after the attempt of this number, from 1, of so many.
pub(crate) fn next(attempt: u32, most: u32, restarts: u32) -> Next {
    if most <= restarts {
        Next::Never
    } else if attempt < restarts {
        Next::Restarts
    } else {
        Next::Restores
    }
}

/// What may be lost by going back to a backup, in seconds.
pub(crate) fn describe_loss(backup: &Backup, now: Timestamp) -> String {
    let seconds = now.saturating_sub(backup.created_at).div_ceil(1_000);
    format!(
        "up to {seconds} s of changes, those since {} of {}",
        backup.id,
        rfc3339(backup.created_at)
    )
}

/// The failure of a restore, with what became of the database that was stopped for it; none where none was.
pub(crate) fn left_after_failure(
    failure: RecoveryFailure,
    started: Option<Result<(), EffectError>>,
) -> RecoveryFailure {
    let left = match started {
        None => String::new(),
        Some(Ok(())) => "; the database is started again".to_owned(),
        Some(Err(error)) => format!(
            "; the database is left stopped, for it could not be started again: {}",
            error.text()
        ),
    };
    match failure {
        RecoveryFailure::Retryable(why) => RecoveryFailure::Retryable(why + &left),
        RecoveryFailure::Permanent(why) => RecoveryFailure::Permanent(why + &left),
        asking => asking,
    }
}

/// What a person has to do where there is nothing to restore.
pub(crate) fn operator_steps(target: &str, jobs: &[&str]) -> Vec<String> {
    let jobs = jobs.join(" and ");
    vec![
        format!(
            "{target} does not answer, and there is no verified backup of {jobs} from before its failure: see \
             `mainstay backup list`"
        ),
        format!(
            "look at the log of {target} for why it does not start; do not delete its log of transactions"
        ),
        format!("repair it, or restore with `mainstay backup restore`, and start {target}"),
        "approve this operation when its checks pass".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::recovery::BackupType;
    use mainstay_plugin_sdk::testing::backup;

    #[test]
    fn a_database_that_replays_its_log_says_so() {
        for (saw, expected) in [
            ("postgres: the database system is starting up", true),
            (
                "FATAL:  the database system is not yet accepting connections",
                true,
            ),
            ("The database system is in recovery mode", true),
            (
                "`pg_isready` exited with code 1: 127.0.0.1:5432 - rejecting connections",
                true,
            ),
            (
                "`pg_isready` exited with code 2: 127.0.0.1:5432 - no response",
                false,
            ),
            ("starting: connection refused", false),
        ] {
            assert_eq!(is_replaying(saw), expected, "{saw}");
        }
    }

    #[test]
    fn an_attempt_restores_when_those_that_restart_are_used_up() {
        for (attempt, most, restarts, expected) in [
            (1, 5, 1, Next::Restores),
            (1, 5, 2, Next::Restarts),
            (2, 5, 2, Next::Restores),
            (1, 1, 1, Next::Never),
            (1, 5, 7, Next::Never),
        ] {
            let found = next(attempt, most, restarts);
            assert_eq!(found, expected, "{attempt} of {most}, {restarts} restart");
        }
    }

    #[test]
    fn the_loss_is_the_age_of_the_backup_in_whole_seconds() {
        for (created, now, expected) in [
            (
                1_000,
                61_000,
                "up to 60 s of changes, those since snp-1 of 1970-01-01T00:00:01",
            ),
            (1_000, 1_001, "up to 1 s "),
            (1_000, 1_000, "up to 0 s "),
            (2_000, 1_000, "up to 0 s "),
        ] {
            let text = describe_loss(&backup("snp-1", BackupType::Snapshot, created), now);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn a_failure_says_what_became_of_the_database() {
        let failed = |started| {
            let failure = RecoveryFailure::Permanent("no room".to_owned());
            match left_after_failure(failure, started) {
                RecoveryFailure::Permanent(why) => why,
                other => panic!("not permanent: {other:?}"),
            }
        };
        assert_eq!(failed(None), "no room");
        assert_eq!(
            failed(Some(Ok(()))),
            "no room; the database is started again"
        );
        let refused = EffectError::Failed("no such program".to_owned());
        assert!(failed(Some(Err(refused))).ends_with("started again: no such program"));
    }
}

//! What a restore does to the target's process, and what it says of the data.

use mainstay_plugin_sdk::calendar::rfc3339;
use mainstay_plugin_sdk::recovery::{
    Backup, EffectError, RecoveryFailure, TargetStatus, Timestamp,
};

/// What the target's process is to a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// It uses the data: stop it before, start it after.
    Running,
    /// It does not run, so nothing to stop; start it after.
    Stopped,
    /// The host knows of none: a plain data store.
    Unmanaged,
}

impl Process {
    pub(crate) fn of(status: &TargetStatus) -> Self {
        match status.running {
            Some(true) => Self::Running,
            Some(false) => Self::Stopped,
            None => Self::Unmanaged,
        }
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

/// The failure of a restore, with what became of the target that was stopped for it; none where none was.
pub(crate) fn left_after_failure(
    failure: RecoveryFailure,
    started: Option<Result<(), EffectError>>,
) -> RecoveryFailure {
    let left = match started {
        None => String::new(),
        Some(Ok(())) => "; the target is started again".to_owned(),
        Some(Err(error)) => format!(
            "; the target is left stopped, for it could not be started again: {}",
            error.text()
        ),
    };
    match failure {
        RecoveryFailure::Retryable(why) => RecoveryFailure::Retryable(why + &left),
        RecoveryFailure::Permanent(why) => RecoveryFailure::Permanent(why + &left),
        other => other,
    }
}

/// What a person has to do where there is no backup.
pub(crate) fn operator_steps(target: &str, job: &str) -> Vec<String> {
    vec![
        format!(
            "job {job} has no verified backup from before the corruption of {target}: see `mainstay backup list`"
        ),
        format!(
            "verify what there is with `mainstay backup verify`, or repair the data of {target} by hand"
        ),
        format!("restore with `mainstay backup restore`, then start {target}"),
        "approve this operation when its checks pass".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::recovery::BackupType;
    use mainstay_plugin_sdk::testing::backup;

    #[test]
    fn a_failure_says_what_became_of_the_target() {
        let failed = |started| {
            let failure = RecoveryFailure::Permanent("no room".to_owned());
            match left_after_failure(failure, started) {
                RecoveryFailure::Permanent(why) => why,
                _ => panic!("not permanent"),
            }
        };
        assert_eq!(failed(None), "no room");
        assert_eq!(failed(Some(Ok(()))), "no room; the target is started again");
        let refused = EffectError::Failed("no such program".to_owned());
        assert_eq!(
            failed(Some(Err(refused))),
            "no room; the target is left stopped, for it could not be started again: no such program"
        );
    }

    #[test]
    fn the_loss_is_the_age_of_the_backup_in_whole_seconds() {
        fn check(created: Timestamp, now: Timestamp, expected: &str) {
            let text = describe_loss(&backup("ful-1", BackupType::Full, created), now);
            assert!(text.starts_with(expected), "{text}");
        }
        check(1_000, 61_000, "up to 60 s ");
        check(1_000, 1_001, "up to 1 s ");
        check(1_000, 1_000, "up to 0 s ");
        check(2_000, 1_000, "up to 0 s ");
    }
}

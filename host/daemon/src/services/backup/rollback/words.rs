//! What is said of rollbacks. Every sentence is true in every state in which it is said.

use super::running::PutBack;
use mainstay_domain::{
    checkpoint::{Rollback, RollbackStep},
    id::BackupId,
    name::{CommandName, JobName},
};

/// What is known of one that failed: its job and checkpoint, how it went, whether the emergency checkpoint was put back, and
/// the command that paused, where there is one.
type Facts<'a> = (
    &'a JobName,
    &'a BackupId,
    &'a Rollback,
    &'a PutBack,
    Option<&'a CommandName>,
);

pub(super) fn began(job: &JobName, id: &BackupId, rollback: &Rollback) -> String {
    let by = match &rollback.note {
        Some(note) => format!("{} (who says: {note})", rollback.by),
        None => rollback.by.clone(),
    };
    format!("{by} has job {job} rolled back to checkpoint {id}")
}

pub(super) fn succeeded(job: &JobName, id: &BackupId, rollback: &Rollback) -> String {
    let saved = rollback.saved.as_ref().map_or_else(String::new, |saved| {
        format!("; what was there before is in emergency checkpoint {saved}")
    });
    format!("job {job} was rolled back to checkpoint {id}{saved}")
}

pub(super) fn failed((job, id, rollback, put_back, pause): Facts<'_>) -> String {
    let error = rollback.error.as_deref().unwrap_or("nobody knows why");
    let what = match rollback.step {
        RollbackStep::Unresumed => {
            return format!(
                "job {job} was rolled back to checkpoint {id}, and what was paused is not known to be resumed: {error}; look at it, then `mainstay checkpoint resume {job}`"
            );
        }
        RollbackStep::Stranded => {
            let why = match put_back {
                PutBack::Failed(why) => format!(": {why}"),
                PutBack::NotNeeded | PutBack::Done => String::new(),
            };
            let how = rollback.saved.as_ref().map_or_else(String::new, |saved| {
                format!("; `mainstay backup restore {job} --id {saved} --replace` puts it back")
            });
            format!("the state of before could not be put back{why}{how}")
        }
        _ => match (put_back, &rollback.saved) {
            (PutBack::Done, Some(saved)) => {
                format!("the state of before was put back from emergency checkpoint {saved}")
            }
            _ => "nothing was changed".to_owned(),
        },
    };
    let paused = pause.map_or_else(String::new, |pause| {
        format!(
            "; what `{pause}` paused stays paused, until a rollback succeeds or `mainstay checkpoint resume {job}`"
        )
    });
    format!("the rollback of job {job} to checkpoint {id} failed: {error}; {what}{paused}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::time::Timestamp;

    #[test]
    fn what_is_said_of_a_rollback_is_true_of_how_it_ended() {
        let job = JobName::parse("state").unwrap();
        let id = BackupId::parse("sna-01K0000000000000000000000A").unwrap();
        let pause = CommandName::parse("pause").unwrap();
        let saved = BackupId::parse("eme-01K0000000000000000000000B").unwrap();
        let of = |step, saved: Option<&BackupId>| Rollback {
            begun_at: Timestamp::from_millis(0),
            by: "root".to_owned(),
            note: Some("anna".to_owned()),
            step,
            saved: saved.cloned(),
            error: Some("no room".to_owned()),
        };
        let begun = of(RollbackStep::Pausing, None);
        assert_eq!(
            began(&job, &id, &begun),
            format!("root (who says: anna) has job state rolled back to checkpoint {id}")
        );
        let done = of(RollbackStep::Succeeded, Some(&saved));
        assert_eq!(
            succeeded(&job, &id, &done),
            format!(
                "job state was rolled back to checkpoint {id}; what was there before is in emergency checkpoint {saved}"
            )
        );
        let begins = format!("the rollback of job state to checkpoint {id} failed: no room; ");
        let stays = "; what `pause` paused stays paused, until a rollback succeeds or `mainstay checkpoint resume state`";
        // How it ended, what was saved, whether that was put back; what is said of the state.
        let table = [
            (
                RollbackStep::Failed,
                None,
                PutBack::NotNeeded,
                "nothing was changed".to_owned(),
            ),
            (
                RollbackStep::Failed,
                Some(&saved),
                PutBack::NotNeeded,
                "nothing was changed".to_owned(),
            ),
            (
                RollbackStep::Failed,
                Some(&saved),
                PutBack::Done,
                format!("the state of before was put back from emergency checkpoint {saved}"),
            ),
            (
                RollbackStep::Stranded,
                Some(&saved),
                PutBack::Failed("a bad disk".to_owned()),
                format!(
                    "the state of before could not be put back: a bad disk; `mainstay backup restore state --id {saved} --replace` puts it back"
                ),
            ),
        ];
        for (step, saved, put_back, says) in table {
            let rollback = of(step, saved);
            let facts = (&job, &id, &rollback, &put_back, Some(&pause));
            assert_eq!(failed(facts), format!("{begins}{says}{stays}"));
            let without = (&job, &id, &rollback, &put_back, None);
            assert_eq!(failed(without), format!("{begins}{says}"));
        }
        let unresumed = of(RollbackStep::Unresumed, Some(&saved));
        let said = failed((&job, &id, &unresumed, &PutBack::NotNeeded, Some(&pause)));
        assert!(
            said.starts_with(&format!(
                "job state was rolled back to checkpoint {id}, and"
            )) && said.ends_with("`mainstay checkpoint resume state`"),
            "{said}"
        );
    }
}

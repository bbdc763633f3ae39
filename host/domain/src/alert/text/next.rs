//! What to do next.

use super::without_version;
use crate::event::{AfterEscalation, Event, EventKind};

/// What a person is to do.
pub(super) fn next_step(event: &Event) -> String {
    use EventKind as K;
    let operation = event.operation.as_ref();
    let job = event.job.as_ref().map_or("JOB", |job| job.as_str());
    let plugin = event.plugin.as_deref().map_or("it", without_version);
    match (event.kind, operation) {
        (K::IncidentOpened, _) => {
            "nothing yet; if no recovery follows, look at `mainstay status`".to_owned()
        }
        (K::IncidentReopened | K::IncidentWorsened | K::RtoExceeded, _) => {
            "look at `mainstay status`, which shows what the host does about it, or what it waits for".to_owned()
        }
        (K::IncidentOverdue | K::IncidentUnacknowledged, _) => match event.data.incident() {
            Some(about) => format!(
                "say that you take it on: `mainstay ack {id}`; `mainstay incident show {id}` says what was seen",
                id = about.incident
            ),
            None => "look at `mainstay incidents --open`".to_owned(),
        },
        (
            K::IncidentClosed
            | K::IncidentAcknowledged
            | K::OperationSucceeded
            | K::PluginReleased
            | K::PluginServing
            | K::PluginWithdrawn
            | K::RouteHandled
            | K::AlerterRecovered
            | K::JournalWritable
            | K::CharterWhole
            | K::ConfigApplied
            | K::HostStarted
            | K::BackupVerified
            | K::BackupAccepted
            | K::BackupMoved
            | K::BackupTrashed
            | K::RetentionJudged
            | K::DrillPassed
            | K::RollbackSucceeded
            | K::RollbackResumed
            | K::CircuitSteady
            | K::MonitorSees,
            _,
        ) => "nothing".to_owned(),
        (K::JournalFull, _) => {
            "make the disk of `host.state_dir` writable again, as by freeing some space, and do not restart the daemon before that".to_owned()
        }
        (K::JournalDamaged, _) => {
            "look at the disk; `mainstay journal check` shows more; then stop the daemon and run `mainstay journal salvage`".to_owned()
        }
        (K::RecordSetAside, _) if event.data.are_orders_lost() => {
            "stop again what is to stay stopped, with `mainstay stop TARGET`, and report again what was reported".to_owned()
        }
        (K::RecordSetAside, _) => {
            "if an older version runs again it may read the record; `mainstay journal check` looks at the others".to_owned()
        }
        (K::CheckDegraded, _) => {
            "look at what the check saw before it becomes a failure".to_owned()
        }
        (K::MonitorBlind, _) => {
            "`mainstay status` says why of each target; a service starts up for long, or refuses what the check asks it with, or the host itself lacks something: open files, memory, processes, name servers or file systems".to_owned()
        }
        (K::CircuitFlapping, _) => {
            "find what makes it fail: `mainstay history` lists its recoveries".to_owned()
        }
        (K::OperationAwaitingManual, Some(id)) => match event.data.doubt() {
            None => format!(
                "look at `mainstay operation show {id}`, then `mainstay approve {id}` or `mainstay reject {id}`"
            ),
            Some(number) => format!(
                "find out whether effect {number} happened, then `mainstay operation resolve {id} {number} --happened` or `--did-not`, or \
                 `mainstay reject {id}`"
            ),
        },
        (K::OperationPartial | K::OperationFailed | K::OperationEscalated, Some(id)) => {
            let is_stopped = event.data.after_escalation() == Some(AfterEscalation::People);
            let again = match (&event.target, event.data.failure()) {
                (Some(target), _) if is_stopped => {
                    format!(", or let the host take it up again: `mainstay resume {target}`")
                }
                (Some(target), Some(failure)) => {
                    format!("; to try again: `mainstay recover {target} --failure {failure}`")
                }
                _ => String::new(),
            };
            match event.data.is_untried() && !is_stopped {
                true => format!(
                    "put a handler that its route names into the plugin directory, or repair it by hand; `mainstay operation show {id}` \
                     says which one is missing"
                ),
                false => format!(
                    "`mainstay operation show {id}` says what became of it; repair it by hand{again}"
                ),
            }
        }
        (K::OperationEscalated, None)
            if event.data.after_escalation() == Some(AfterEscalation::Route) =>
        {
            "add a [[route]] that fits it, or repair it by hand".to_owned()
        }
        (K::OperationEscalated, None) => match (&event.target, event.data.failure()) {
            (Some(target), Some(failure)) => format!(
                "repair it by hand; `mainstay recover {target} --failure {failure}` tries what its route says, where it has one"
            ),
            _ => "repair it by hand".to_owned(),
        },
        (K::PluginRejected, _) => {
            "correct what `mainstay plugin list` gives as the reason, in the file or in its config, or take the file away"
                .to_owned()
        }
        (K::PluginQuarantined, _) => format!(
            "`mainstay plugin list` shows the last error of {plugin}; put a version that works into the plugin directory"
        ),
        (K::RouteUnhandled, _) => format!(
            "put a version of {plugin} that fits the routes into the plugin directory, or change the routes; `mainstay plugin list` shows what serves"
        ),
        (K::AlerterFailing, _) => format!(
            "see that {plugin} serves, with `mainstay plugin list`, and that its receiver takes what it sends, with `mainstay alert test`"
        ),
        (K::CharterBroken, _) => {
            "put the charter back as it was, or pin the config to the one that is meant; `mainstay explain MS-0405` says more"
                .to_owned()
        }
        (K::ConfigRejected, _) => "`mainstay check` shows every problem with its line".to_owned(),
        (K::BackupFailed, _) if event.backup.is_none() => {
            format!(
                "mend what the message names; `mainstay backup list --job {job}` lists what is on record"
            )
        }
        (K::BackupFailed, _) => format!(
            "mend what the message names, where it names something, then `mainstay backup create {job}`"
        ),
        (K::BackupRpoMissed, _) => {
            format!("`mainstay events` says why none was taken; then `mainstay backup create {job}`")
        }
        (K::BackupCorrupted, _) => {
            format!(
                "look at the disk or the bucket below the store, then `mainstay backup create {job}`"
            )
        }
        (K::BackupSuspicious, _) => {
            let id = event.backup.as_ref().map_or("ID", |id| id.as_str());
            let look = match event.data.backup_before() {
                Some(before) => format!("`mainstay backup diff {before} {id}`"),
                // An earlier version did not say which one was before.
                None => format!(
                    "`mainstay backup list --job {job}`, and `mainstay backup diff` of the one before and {id}"
                ),
            };
            format!(
                "look whether something is lost: {look}; where it is not, `mainstay backup accept {id}`"
            )
        }
        (K::BackupFellOver, _) if event.data.was_to_be_moved() => {
            let id = event.backup.as_ref().map_or("ID", |id| id.as_str());
            let tier = event.data.refused_by().map_or("TIER", |tier| tier.as_str());
            format!("look at the tier that the message names, then `mainstay backup move {id} {tier}`")
        }
        (K::BackupFellOver, _) => {
            // Another type may belong in other tiers.
            let said = event.backup.as_ref().and_then(|id| id.says());
            let of_type = said.map_or_else(String::new, |(of_type, _)| format!(" --type {of_type}"));
            format!(
                "look at the tier that the message names, then `mainstay backup create {job}{of_type}`"
            )
        }
        (K::RetentionFailed, _) => {
            format!(
                "look at the policy in `mainstay plugin list`, then `mainstay backup prune --job {job}`"
            )
        }
        (K::RollbackFailed, _) => {
            format!(
                "look at the state and at `mainstay checkpoint list --job {job}`; then roll back again, or `mainstay checkpoint resume {job}`"
            )
        }
        (K::DrillFailed, _) => {
            format!(
                "where a command or a check of the drill itself failed, mend that; else do not rely on these backups: `mainstay backup list --job {job}` and `mainstay backup verify ID` for each; then `mainstay backup drill {job}`"
            )
        }
        _ => "`mainstay events` shows what was before and after".to_owned(),
    }
}

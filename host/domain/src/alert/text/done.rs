//! What the host did.

use crate::event::{AfterEscalation, Event, EventKind, IncidentEnd};
use std::fmt::Write;

/// What the host did about it, or does.
pub(super) fn actions_taken(event: &Event) -> String {
    use EventKind as K;
    let attempts = event.data.attempts();
    let actions_taken = match event.kind {
        K::IncidentOpened if event.data.is_asked_for() => {
            "it opened an incident, and recovers it as its route says"
        }
        K::IncidentOpened => "it opened an incident and looks for a route that recovers it",
        K::IncidentReopened => "it took up the same incident again",
        K::IncidentWorsened => "it goes on with the same incident",
        K::IncidentOverdue | K::IncidentUnacknowledged => {
            "it goes on with the same incident; `mainstay status` shows what it does, or what it waits for"
        }
        K::IncidentAcknowledged => "it tells nobody else that nobody has taken it on",
        K::RtoExceeded => "it goes on with the same incident; `mainstay status` shows how",
        K::IncidentClosed => match event.data.incident_end() {
            Some(IncidentEnd::Lasting) => "nothing more; it has not come back since",
            Some(IncidentEnd::Unseen) if event.data.is_stopped() => {
                "nothing more, for a person keeps it stopped"
            }
            Some(IncidentEnd::Unseen) => "nothing more, for no check sees this failure",
            Some(IncidentEnd::Removed) => "it let go of it, for it is no longer in the config",
            _ if attempts > 0 => "it tried to recover it, and the failure is over",
            _ => "nothing more; the failure is over",
        },
        K::CircuitFlapping => "it spaces further recoveries of this target as their strategy says",
        K::OperationAwaitingManual if attempts > 0 => "it tried; it does not go on without you",
        K::OperationAwaitingManual => "nothing yet; it does not go on without you",
        K::OperationSucceeded => match (event.data.acted_by(), event.data.idle_handler()) {
            (Some(handler), _) => {
                return with_facts(
                    format!("{handler} recovered it, and the failure is over"),
                    event,
                );
            }
            (None, Some(handler)) => {
                return with_facts(format!("the failure is over; {handler} did nothing"), event);
            }
            (None, None) => "the failure is over",
        },
        K::OperationFailed if event.data.is_unanswered() => {
            "no handler of its route answered; `mainstay status` shows what follows"
        }
        K::OperationPartial | K::OperationFailed if attempts == 0 => {
            "nothing; `mainstay status` shows what follows"
        }
        K::OperationPartial | K::OperationFailed => {
            "it tried what the route says; `mainstay status` shows what follows"
        }
        K::OperationEscalated => match event.data.after_escalation() {
            Some(AfterEscalation::People) => {
                "nothing more by itself: it is left to people until it is over or taken up again"
            }
            Some(AfterEscalation::Route) => "nothing, for no route fits it",
            _ if event.data.is_untried() => {
                "nothing, for no handler of its route serves; it tries when one does, unless it is paused"
            }
            _ => {
                "it goes on in rounds, with waits between them that grow, unless it is paused; it tried what the route says"
            }
        },
        K::PluginRejected => {
            "it did not load it; where a version of it served before, that one still does"
        }
        K::PluginWithdrawn => "nothing; what serves goes on",
        K::PluginQuarantined => "it calls it no more until its rest is over",
        K::PluginReleased => "it calls it again",
        K::RouteUnhandled => "nothing; what these routes are for it detects, and does not recover",
        K::AlerterFailing => {
            "it keeps what is to be delivered, and tries again; what was refused for good it does not send again"
        }
        K::AlerterRecovered => "it sends by it again, where a route names it",
        K::RouteHandled => "nothing; it goes on as the routes say",
        K::ConfigRejected => "it kept the config that it had",
        K::BackupFailed => {
            "it kept the backups that there are, and goes on as the job's schedules say"
        }
        K::BackupRpoMissed => "it goes on taking backups as the job's schedules say",
        K::BackupVerified if event.data.is_new_backup() => "it stored it, and read it back",
        K::BackupVerified => "it read it back",
        K::RetentionJudged => "it let go what the policy lets go and the host need not keep",
        K::DrillPassed => "it restored the newest backup into a directory of its own, and compared",
        K::ConfigApplied => "it uses this config now",
        K::HostStarted => "it read its config and its journal, and is ready",
        K::PluginServing => "it calls this version now",
        K::CheckDegraded => "nothing; what warns is no failure",
        K::CircuitSteady => "nothing",
        K::BackupCorrupted => "it marked the backup, and restores nothing from it",
        K::BackupSuspicious => {
            "it kept every backup, and restores the one before where none is named"
        }
        K::BackupFellOver if event.data.was_to_be_moved() => {
            "it left the backup where it is, and tries again"
        }
        K::BackupMoved => "it copied it there, read it back, and removed it from where it was",
        K::BackupTrashed => "it put that backup into the trash",
        K::BackupFellOver => "it stored the backup in the next tier that took it",
        K::BackupAccepted => "it takes that backup as the newest, and lets retention go on",
        K::RetentionFailed => "it kept every backup",
        K::RollbackFailed => {
            "it left what it paused as it is; the message says which state is in place"
        }
        K::RollbackSucceeded => "it put the checkpoint in place, and resumed what it had paused",
        K::RollbackResumed => "it ran the command that resumes, where the job has one",
        K::DrillFailed => "it left the stored backups and the sources as they are",
        K::JournalFull => "it holds in memory what cannot be written, and recovery goes on",
        K::JournalWritable => "it wrote all that it held",
        K::JournalDamaged => "it goes on with what it could read, and has changed nothing of it",
        K::RecordSetAside if event.data.are_orders_lost() => {
            "it goes on without it: no target is kept stopped, and no failure that people reported holds"
        }
        K::RecordSetAside => "it keeps the record as it was found, and goes on without it",
        K::MonitorBlind => {
            "it goes on trying to look; what it cannot see counts neither as a failure nor as a success"
        }
        K::CharterBroken => "it begins no recovery and calls no handler; checks and alerts go on",
        K::CharterWhole => "it begins what waited",
        K::MonitorSees => "it judges what it sees again",
        _ => "it recorded it",
    };
    with_facts(actions_taken.to_owned(), event)
}

/// With how often it was tried, and what was done.
fn with_facts(mut text: String, event: &Event) -> String {
    let actions = event.data.actions();
    let attempts = event.data.attempts();
    // Writing to a string cannot fail.
    if attempts > 0 {
        let _ = write!(text, "; attempts: {attempts}");
    }
    if !actions.is_empty() {
        let _ = write!(text, "; actions: {}", actions.join(", "));
    }
    text
}

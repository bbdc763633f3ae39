//! What happened, in the fewest words.

use crate::event::{Event, EventKind, IncidentEnd};

/// What an event is, in a line that follows the name of what it is about.
pub(super) fn headline(event: &Event) -> &'static str {
    use EventKind as K;
    match event.kind {
        K::IncidentOpened if event.data.is_asked_for() => "its recovery was asked for",
        K::IncidentOpened => "it is failing",
        K::IncidentReopened => "it is failing again",
        K::IncidentWorsened => "it is worse than it was",
        K::RtoExceeded => "its recovery takes longer than it may",
        K::IncidentClosed => match event.data.incident_end() {
            Some(IncidentEnd::Unseen) => "its recovery is over",
            Some(IncidentEnd::Removed) => "it is no longer in the config",
            _ => "it is over",
        },
        K::CheckDegraded => "it works, but a check warns",
        K::CircuitFlapping => "it fails again and again",
        K::CircuitSteady => "it does not fail again and again any more",
        K::OperationAwaitingManual => "its recovery waits for your decision",
        K::OperationSucceeded if event.data.idle_handler().is_some() => "it is over",
        K::OperationSucceeded => "it is recovered",
        K::OperationPartial => "its recovery was done, and it is not seen to be healthy",
        K::OperationFailed => "its recovery failed",
        K::OperationEscalated => "it needs a person",
        K::PluginRejected => "a plugin was refused",
        K::PluginWithdrawn => "a refused plugin is gone",
        K::PluginQuarantined => "a plugin is in quarantine",
        K::PluginReleased => "a plugin is out of quarantine",
        K::RouteUnhandled => "its routes have no handler",
        K::RouteHandled => "no route lacks it any more",
        K::ConfigRejected => "a config was refused",
        K::ConfigApplied => "a config was applied",
        K::HostStarted => "the daemon has started",
        K::PluginServing => "a plugin serves",
        K::BackupVerified => "it has a verified backup",
        K::BackupRpoMissed => "its newest backup is too old",
        K::RetentionJudged => "its retention policy has judged it",
        K::DrillPassed => "its restore drill passed",
        K::BackupFailed => "its backup failed",
        K::BackupCorrupted => "a stored backup is corrupted",
        K::RetentionFailed => "its retention policy failed",
        K::DrillFailed => "its restore drill failed",
        K::JournalFull => "the disk of the state directory is full",
        K::JournalWritable => "the state directory is written again",
        K::JournalDamaged => "its journal is damaged",
        K::RecordSetAside if event.data.are_orders_lost() => {
            "what people had ordered cannot be read"
        }
        K::RecordSetAside => "a record of its journal was set aside",
        K::MonitorBlind => "its checks cannot look",
        K::OperationCancelling => "its recovery is to be cancelled",
        K::OperationCancelled => "its recovery was cancelled",
        K::TargetStarted => "a person commanded its start",
        K::TargetStopped => "a person commanded its stop",
        K::TargetRestarted => "a person commanded its restart",
        K::TargetReloaded => "a person commanded its reload",
        K::FailureReported => "a failure of it is reported",
        K::FailureCleared => "its failure is not reported any more",
        K::MonitorSees => "its checks look again",
        other => other.as_str(),
    }
}

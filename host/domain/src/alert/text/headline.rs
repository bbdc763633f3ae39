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
        K::JournalFull => "the state directory cannot be written",
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
        K::HostStopping => "the daemon was asked to stop",
        K::HostPaused => "automatic recovery is paused",
        K::HostResumed => "automatic recovery is resumed",
        K::ProcessStarted => "its process was started",
        K::ProcessAdopted => "its process was found again",
        K::ProcessExited => "its process ended",
        K::ProcessStopped => "its process was stopped",
        K::TargetWarned => "something of its config could not be done",
        K::TargetRenamed => "it has another name now",
        K::CheckFailed => "a check of it failed",
        K::CheckRecovered => "a check of it passes again, or warns no more",
        K::CircuitOpened => "its circuit opened",
        K::CircuitHalfOpened => "it is tried again",
        K::CircuitClosed => "its circuit closed",
        K::OperationScheduled => "its recovery is scheduled",
        K::OperationApproved => "its recovery was approved",
        K::OperationStarted => "its recovery began",
        K::OperationResumed => "its recovery is gone on with",
        K::OperationRetrying => "an attempt to recover it failed",
        K::OperationValidating => "its recovery is validated",
        K::EffectPerformed => "its recovery asked for an effect",
        K::SilenceBegan => "alerts are silenced",
        K::SilenceEnded => "alerts are not silenced any more",
        K::NoteAdded => "a person wrote something down",
        K::PluginDraining => "a plugin gets no new calls",
        K::PluginRetired => "a plugin is freed",
        K::PluginLogged => "a plugin logged something",
        K::BackupStarted => "a backup of it began",
        K::BackupWaiting => "its backup waits",
        K::BackupExpired => "a backup of it expired",
        K::BackupDeleted => "a backup of it was deleted",
        K::BackupRecorded => "a stored backup of it was recorded",
        K::BackupRestored => "a backup of it was restored",
        // No alert is about alerts.
        K::AlertQueued
        | K::AlertHeld
        | K::AlertLapsed
        | K::AlertDelivered
        | K::AlertDelayed
        | K::AlertAbandoned => event.kind.as_str(),
    }
}

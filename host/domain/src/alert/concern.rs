//! Which events say that something is wrong, and which that it is right again.
//!
//! Invariant: what fires has an event that ends it, with the same key: nobody is left with a page that nothing closes.

use super::routing::dedup_key;
use crate::{
    backup::BackupType,
    event::{Event, EventData, EventKind},
};

/// What an event says of the thing that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    /// It is wrong, until an event of one of these kinds.
    Fires(&'static [EventKind]),
    /// It is right again.
    Ends,
    /// Neither. It is news, and an alert only where a route names the kind.
    Tells,
}

/// What an event of a kind says.
pub(super) fn concern(kind: EventKind) -> Concern {
    use Concern::{Ends, Fires, Tells};
    use EventKind as K;
    match kind {
        K::IncidentOpened
        | K::IncidentReopened
        | K::IncidentWorsened
        | K::IncidentOverdue
        | K::IncidentUnacknowledged
        | K::RtoExceeded
        | K::OperationAwaitingManual
        | K::OperationPartial
        | K::OperationFailed
        | K::OperationEscalated => Fires(&[K::OperationSucceeded, K::IncidentClosed]),
        K::CheckFailed | K::CheckDegraded => Fires(&[K::CheckRecovered]),
        K::CircuitOpened => Fires(&[K::CircuitClosed]),
        K::CircuitFlapping => Fires(&[K::CircuitSteady]),
        K::HostPaused => Fires(&[K::HostResumed]),
        // A daemon starts with nothing but a good config, and reads a journal before it goes on with it.
        K::ConfigRejected => Fires(&[K::ConfigApplied, K::HostStarted]),
        K::CharterBroken => Fires(&[K::CharterWhole, K::HostStarted]),
        K::JournalDamaged | K::RecordSetAside => Fires(&[K::HostStarted]),
        K::MonitorBlind => Fires(&[K::MonitorSees]),
        K::JournalFull => Fires(&[K::JournalWritable]),
        // What lies there at its start a daemon judges before it says that it has started, but for what it has to compile,
        // of which it tells anew.
        K::PluginRejected => Fires(&[K::PluginServing, K::PluginWithdrawn, K::HostStarted]),
        K::PluginQuarantined => Fires(&[K::PluginReleased, K::PluginServing]),
        K::RouteUnhandled => Fires(&[K::RouteHandled]),
        K::AlerterFailing => Fires(&[K::AlerterRecovered]),
        K::BackupFailed | K::BackupRpoMissed | K::BackupCorrupted => Fires(&[K::BackupVerified]),
        K::BackupFellOver => Fires(&[K::BackupVerified, K::BackupMoved]),
        K::BackupSuspicious => Fires(&[K::BackupAccepted, K::BackupTrashed]),
        K::RetentionFailed => Fires(&[K::RetentionJudged]),
        K::DrillFailed => Fires(&[K::DrillPassed]),
        K::RollbackFailed => Fires(&[K::RollbackSucceeded, K::RollbackResumed]),
        K::OperationSucceeded
        | K::IncidentClosed
        | K::CheckRecovered
        | K::CircuitClosed
        | K::CircuitSteady
        | K::HostResumed
        | K::CharterWhole
        | K::ConfigApplied
        | K::JournalWritable
        | K::MonitorSees
        | K::PluginServing
        | K::PluginWithdrawn
        | K::PluginReleased
        | K::RouteHandled
        | K::AlerterRecovered
        | K::BackupVerified
        | K::BackupAccepted
        | K::BackupMoved
        | K::BackupTrashed
        | K::RetentionJudged
        | K::RollbackSucceeded
        | K::RollbackResumed
        | K::DrillPassed => Ends,
        K::HostStarted
        | K::HostStopping
        | K::PhaseChanged
        | K::PolicyChanged
        | K::ModeChanged
        | K::ProcessStarted
        | K::ProcessAdopted
        | K::ProcessExited
        | K::ProcessStopped
        | K::TargetWarned
        | K::TargetRenamed
        | K::TargetStarted
        | K::TargetStopped
        | K::TargetRestarted
        | K::TargetReloaded
        | K::TargetBroken
        | K::TargetDrilled
        | K::FailureReported
        | K::FailureCleared
        | K::IncidentAcknowledged
        | K::CircuitHalfOpened
        | K::OperationScheduled
        | K::OperationApproved
        | K::OperationStarted
        | K::OperationResumed
        | K::OperationSuspended
        | K::OperationSignalled
        | K::OperationDiverged
        | K::OperationRetrying
        | K::OperationValidating
        | K::OperationCancelling
        | K::OperationCancelled
        | K::EffectPerformed
        | K::EffectInDoubt
        | K::EffectResolved
        | K::AlertQueued
        | K::AlertHeld
        | K::AlertLapsed
        | K::AlertGrouped
        | K::SilenceBegan
        | K::SilenceEnded
        | K::NoteAdded
        | K::AlertDelivered
        | K::AlertDelayed
        | K::AlertAbandoned
        | K::PluginDraining
        | K::PluginRetired
        | K::PluginLogged
        | K::BackupStarted
        | K::BackupWaiting
        | K::BackupExpired
        | K::BackupDeleted
        | K::BackupRecorded
        | K::BackupRestored
        | K::BackupHeld
        | K::BackupReleased
        | K::BackupUndeleted
        | K::CheckpointTaken
        | K::RollbackStarted => Tells,
    }
}

/// What an event that fires is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It is of an incident, of which people were told when it was opened.
    OfAnIncident {
        /// Whether people have to know of it even so: they have to act, or what they rely on does not hold.
        asks: bool,
    },
    /// It is a fault of its own.
    OfItsOwn,
}

/// What a kind of event that fires is a part of.
pub(super) fn part(kind: EventKind) -> Part {
    use EventKind as K;
    match kind {
        K::OperationAwaitingManual
        | K::OperationEscalated
        | K::IncidentOverdue
        | K::IncidentUnacknowledged
        | K::RtoExceeded => Part::OfAnIncident { asks: true },
        K::IncidentReopened | K::IncidentWorsened | K::OperationPartial | K::OperationFailed => {
            Part::OfAnIncident { asks: false }
        }
        // Where an incident is opened, that is another one than people were told of.
        _ => Part::OfItsOwn,
    }
}

/// Whether this very event ends what an event of another kind began with one of its keys.
pub(super) fn ends(event: &Event, fired: EventKind) -> bool {
    let is_of_kind = matches!(concern(fired), Concern::Fires(by) if by.contains(&event.kind));
    is_of_kind
        && !proves_nothing(event, fired)
        && !event.data.is_dry_run()
        && !event.data.is_unproved()
}

/// Whether it is of a backup by which the job is not known to do its work again: an old one that was read again, an
/// emergency backup, which is of what happened to be there, and may hold nothing, or one that is incomplete. Of the tier that
/// took it, the latter two say enough.
fn proves_nothing(event: &Event, fired: EventKind) -> bool {
    let is_new = matches!(event.data, EventData::BackupTaken(_));
    let backup = event.backup.as_ref();
    let is_emergency = backup.is_some_and(|backup| backup.is_of(BackupType::Emergency));
    let is_partial = is_emergency || event.data.is_incomplete_backup();
    let is_of_its_job = fired != EventKind::BackupFellOver;
    event.kind == EventKind::BackupVerified && (!is_new || (is_partial && is_of_its_job))
}

/// The keys of what an event ends. Where a plugin serves, or its file is gone, that file is none any more that was refused;
/// where a tier took a backup, new or moved there, it and those that come after it are none that should have.
pub(super) fn dedup_keys(event: &Event, host_name: &str) -> Vec<String> {
    let mut keys = vec![dedup_key(event, host_name)];
    if matches!(
        event.kind,
        EventKind::PluginServing | EventKind::PluginWithdrawn
    ) && let Some(file) = event.data.plugin_file()
    {
        keys.push(format!("{host_name}/plugin/{file}"));
    }
    let tiers = event.data.taken_by().iter();
    let of_tiers: Vec<String> = tiers
        .filter_map(|tier| Some(format!("{}/{tier}", keys.first()?)))
        .collect();
    keys.extend(of_tiers);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::never_alerts, event::tests::examples};

    fn examples_of(kind: EventKind) -> Vec<Event> {
        let of_kind = |event: &Event| {
            event.kind == kind && !event.data.is_dry_run() && !event.data.is_unproved()
        };
        let mut found = examples();
        found.retain(of_kind);
        assert!(!found.is_empty(), "{kind}");
        found
    }

    #[test]
    fn every_kind_that_fires_has_a_kind_that_ends_it_with_the_same_key() {
        for kind in EventKind::ALL.iter().copied() {
            let Concern::Fires(by) = concern(kind) else {
                continue;
            };
            assert!(!by.is_empty() && !never_alerts(kind), "{kind}");
            for end in by.iter().copied() {
                assert!(!matches!(concern(end), Concern::Fires(_)), "{end}");
                for fired in examples_of(kind) {
                    let key = dedup_key(&fired, "db1");
                    let ended = examples_of(end).into_iter().any(|mut event| {
                        // The examples are of different subjects.
                        event.target.clone_from(&fired.target);
                        event.job.clone_from(&fired.job);
                        if let Some(plugin) = &fired.plugin {
                            event.plugin = Some(plugin.clone());
                        }
                        match (&mut event.data, fired.data.refused_by()) {
                            (EventData::BackupTaken(facts), Some(tier)) => {
                                facts.tiers = vec![tier.clone()];
                            }
                            (EventData::BackupMoved(facts), Some(tier)) => {
                                facts.tier.clone_from(tier);
                            }
                            _ => {}
                        }
                        match (&mut event.data, fired.data.plugin_file()) {
                            (EventData::PluginServing(facts), Some(file)) => {
                                facts.file = file.to_owned();
                            }
                            (EventData::PluginWithdrawn(facts), Some(file)) => {
                                facts.file = file.to_owned();
                            }
                            _ => {}
                        }
                        // What is wrong with the host itself has no subject.
                        let has_key = end == EventKind::HostStarted
                            || dedup_keys(&event, "db1").contains(&key);
                        has_key && ends(&event, kind)
                    });
                    assert!(ended, "{end} does not end {kind} ({key})");
                }
            }
        }
    }

    #[test]
    fn every_kind_that_ends_something_is_named_by_what_it_ends() {
        for end in EventKind::ALL.iter().copied() {
            let mut fired = EventKind::ALL.iter().copied();
            let is_named = fired
                .any(|kind| matches!(concern(kind), Concern::Fires(ends) if ends.contains(&end)));
            assert_eq!(
                is_named,
                concern(end) == Concern::Ends || end == EventKind::HostStarted,
                "{end}"
            );
        }
    }
}

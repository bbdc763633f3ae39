//! What kinds of events there are.
//!
//! Length: one line of meaning for each kind.

use crate::words::words;

words! {
    /// What happened: `noun.verb`. Kinds are added, so a program should pass over those that it does not know.
    EventKind as mainstay_domain::event::EventKind {
        /// The daemon is ready.
        #[serde(rename = "host.started")]
        HostStarted,
        /// The daemon was asked to stop.
        #[serde(rename = "host.stopping")]
        HostStopping,
        /// The disk of the journal was found full, or fails; what cannot be written is held.
        #[serde(rename = "journal.full")]
        JournalFull,
        /// Everything that was held is written, and the reserve is whole again.
        #[serde(rename = "journal.writable")]
        JournalWritable,
        /// The journal was found damaged while the daemon runs; it goes on.
        #[serde(rename = "journal.damaged")]
        JournalDamaged,
        /// A record of the journal that this version cannot read was set aside.
        #[serde(rename = "record.set-aside")]
        RecordSetAside,
        /// Checks could not look for long, for reasons of the host's own.
        #[serde(rename = "monitor.blind")]
        MonitorBlind,
        /// No check is blind any more.
        #[serde(rename = "monitor.sees")]
        MonitorSees,
        /// An operator, or a maintenance window, paused the host or a target.
        #[serde(rename = "host.paused")]
        HostPaused,
        /// An operator resumed the host or a target, or the time of its pause is over.
        #[serde(rename = "host.resumed")]
        HostResumed,
        /// An operator changed the phase of the host, and with it what is recovered automatically.
        #[serde(rename = "phase.changed")]
        PhaseChanged,
        /// An operator set what holds over the routes of a target.
        #[serde(rename = "policy.changed")]
        PolicyChanged,
        /// The host works in another mode, by how its targets and recoveries do.
        #[serde(rename = "mode.changed")]
        ModeChanged,
        /// The charter is not what the config is pinned to: nothing is begun.
        #[serde(rename = "charter.broken")]
        CharterBroken,
        /// It is again what the config is pinned to.
        #[serde(rename = "charter.whole")]
        CharterWhole,
        /// A config was applied.
        #[serde(rename = "config.applied")]
        ConfigApplied,
        /// A config was refused; the one before stays.
        #[serde(rename = "config.rejected")]
        ConfigRejected,
        /// A supervised process was started.
        #[serde(rename = "process.started")]
        ProcessStarted,
        /// A supervised process that an earlier daemon started was found again.
        #[serde(rename = "process.adopted")]
        ProcessAdopted,
        /// A supervised process ended by itself.
        #[serde(rename = "process.exited")]
        ProcessExited,
        /// A supervised process was stopped by the host.
        #[serde(rename = "process.stopped")]
        ProcessStopped,
        /// The host could not do with a target what its config says; what it did instead.
        #[serde(rename = "target.warned")]
        TargetWarned,
        /// A target has another name in the config now, and its process goes on.
        #[serde(rename = "target.renamed")]
        TargetRenamed,
        /// A person had a target started that was stopped; `outcome` in its data says what came of it.
        #[serde(rename = "target.started")]
        TargetStarted,
        /// A person had a target stopped, to be kept so; `outcome` in its data says what came of it.
        #[serde(rename = "target.stopped")]
        TargetStopped,
        /// A person had a target stopped and started; `outcome` in its data says what came of it.
        #[serde(rename = "target.restarted")]
        TargetRestarted,
        /// A person had a target read its config anew; `outcome` in its data says what came of it.
        #[serde(rename = "target.reloaded")]
        TargetReloaded,
        /// A person has a target broken on purpose, for a drill.
        #[serde(rename = "target.broken")]
        TargetBroken,
        /// The drill of a target is over; `outcome` in its data says whether it was recovered within its objective.
        #[serde(rename = "target.drilled")]
        TargetDrilled,
        /// A check failed.
        #[serde(rename = "check.failed")]
        CheckFailed,
        /// A check passes and warns: the target works, but not as it should.
        #[serde(rename = "check.degraded")]
        CheckDegraded,
        /// A check passes again, or does not warn any more.
        #[serde(rename = "check.recovered")]
        CheckRecovered,
        /// A target failed often enough.
        #[serde(rename = "circuit.opened")]
        CircuitOpened,
        /// A target is tried again.
        #[serde(rename = "circuit.half-opened")]
        CircuitHalfOpened,
        /// A target is healthy again.
        #[serde(rename = "circuit.closed")]
        CircuitClosed,
        /// A target opens its circuit again and again; its recoveries wait longer.
        #[serde(rename = "circuit.flapping")]
        CircuitFlapping,
        /// A target that flapped has been calm for a while.
        #[serde(rename = "circuit.steady")]
        CircuitSteady,
        /// A person or another program says that a target has a failure.
        #[serde(rename = "failure.reported")]
        FailureReported,
        /// They say that it is over, or the time of their report is.
        #[serde(rename = "failure.cleared")]
        FailureCleared,
        /// A failure was taken up.
        #[serde(rename = "incident.opened")]
        IncidentOpened,
        /// The failure came back right after its recovery: it is the same incident.
        #[serde(rename = "incident.reopened")]
        IncidentReopened,
        /// It is worse than it was known to be.
        #[serde(rename = "incident.worsened")]
        IncidentWorsened,
        /// It lasts, or attempts do not help, for so long that people are told, while its recovery goes on.
        #[serde(rename = "incident.overdue")]
        IncidentOverdue,
        /// A person takes it on.
        #[serde(rename = "incident.acknowledged")]
        IncidentAcknowledged,
        /// Nobody has taken it on in time after people were told.
        #[serde(rename = "incident.unacknowledged")]
        IncidentUnacknowledged,
        /// The failure is over.
        #[serde(rename = "incident.closed")]
        IncidentClosed,
        /// An incident has lasted longer than the recovery time objective of its target.
        #[serde(rename = "rto.exceeded")]
        RtoExceeded,
        /// A recovery is in the queue.
        #[serde(rename = "operation.scheduled")]
        OperationScheduled,
        /// A recovery waits for an operator.
        #[serde(rename = "operation.awaiting-manual")]
        OperationAwaitingManual,
        /// An operator approved.
        #[serde(rename = "operation.approved")]
        OperationApproved,
        /// A recovery began.
        #[serde(rename = "operation.started")]
        OperationStarted,
        /// The daemon ended during a call of a recovery, and another goes on with it.
        #[serde(rename = "operation.resumed")]
        OperationResumed,
        /// A handler sleeps for long, or waits for a signal, and is not held meanwhile.
        #[serde(rename = "operation.suspended")]
        OperationSuspended,
        /// A person signalled to the handler of a recovery.
        #[serde(rename = "operation.signalled")]
        OperationSignalled,
        /// A handler that is gone on with does something else than before the daemon ended: nothing acts.
        #[serde(rename = "operation.diverged")]
        OperationDiverged,
        /// An attempt failed and another follows.
        #[serde(rename = "operation.retrying")]
        OperationRetrying,
        /// The handler is done, the checks decide.
        #[serde(rename = "operation.validating")]
        OperationValidating,
        /// Verified healthy.
        #[serde(rename = "operation.succeeded")]
        OperationSucceeded,
        /// The handler was done, the checks still fail.
        #[serde(rename = "operation.partial")]
        OperationPartial,
        /// No attempt worked.
        #[serde(rename = "operation.failed")]
        OperationFailed,
        /// An operator asked to end it while a handler of it is called; it ends after that call.
        #[serde(rename = "operation.cancelling")]
        OperationCancelling,
        /// An operator or the end of the failure ended it.
        #[serde(rename = "operation.cancelled")]
        OperationCancelled,
        /// People have to act.
        #[serde(rename = "operation.escalated")]
        OperationEscalated,
        /// An effect was performed, refused or planned.
        #[serde(rename = "effect.performed")]
        EffectPerformed,
        /// Nobody knows whether an effect happened: the daemon ended before it had a result.
        #[serde(rename = "effect.in-doubt")]
        EffectInDoubt,
        /// A person said whether it happened.
        #[serde(rename = "effect.resolved")]
        EffectResolved,
        /// An alert is in the outbox.
        #[serde(rename = "alert.queued")]
        AlertQueued,
        /// It is held back: it is silenced, or what its target depends on is failing.
        #[serde(rename = "alert.held")]
        AlertHeld,
        /// It was over while it was held back, and nobody is told of it.
        #[serde(rename = "alert.lapsed")]
        AlertLapsed,
        /// It is told in the alert of a group, which stands in its place.
        #[serde(rename = "alert.grouped")]
        AlertGrouped,
        /// An alerter delivered it.
        #[serde(rename = "alert.delivered")]
        AlertDelivered,
        /// An alerter could not deliver it; it is tried again.
        #[serde(rename = "alert.delayed")]
        AlertDelayed,
        /// It will not be delivered.
        #[serde(rename = "alert.abandoned")]
        AlertAbandoned,
        /// An operator silenced alerts for a while.
        #[serde(rename = "silence.began")]
        SilenceBegan,
        /// A silence is over.
        #[serde(rename = "silence.ended")]
        SilenceEnded,
        /// A person wrote something down about an incident or an operation.
        #[serde(rename = "note.added")]
        NoteAdded,
        /// A plugin gets calls.
        #[serde(rename = "plugin.serving")]
        PluginServing,
        /// A plugin file was refused.
        #[serde(rename = "plugin.rejected")]
        PluginRejected,
        /// A plugin file that was refused is gone, or holds again what serves.
        #[serde(rename = "plugin.withdrawn")]
        PluginWithdrawn,
        /// A plugin gets no new calls.
        #[serde(rename = "plugin.draining")]
        PluginDraining,
        /// A plugin was freed.
        #[serde(rename = "plugin.retired")]
        PluginRetired,
        /// A plugin failed too often and rests.
        #[serde(rename = "plugin.quarantined")]
        PluginQuarantined,
        /// A plugin's rest is over.
        #[serde(rename = "plugin.released")]
        PluginReleased,
        /// A line that a plugin logged at warn or above.
        #[serde(rename = "plugin.logged")]
        PluginLogged,
        /// Routes are left without any handler that serves.
        #[serde(rename = "route.unhandled")]
        RouteUnhandled,
        /// They have a handler again, or are gone.
        #[serde(rename = "route.handled")]
        RouteHandled,
        /// An alerter that a route names does not serve, or its deliveries fail.
        #[serde(rename = "alerter.failing")]
        AlerterFailing,
        /// It serves and delivers, or no route names it any more.
        #[serde(rename = "alerter.recovered")]
        AlerterRecovered,
        /// A backup began.
        #[serde(rename = "backup.started")]
        BackupStarted,
        /// A backup was read back and found right.
        #[serde(rename = "backup.verified")]
        BackupVerified,
        /// A backup could not be taken.
        #[serde(rename = "backup.failed")]
        BackupFailed,
        /// The newest verified backup of a job is older than its recovery point objective.
        #[serde(rename = "backup.rpo-missed")]
        BackupRpoMissed,
        /// A backup that is due waits until the targets that its job names are healthy.
        #[serde(rename = "backup.waiting")]
        BackupWaiting,
        /// A stored backup was found wrong.
        #[serde(rename = "backup.corrupted")]
        BackupCorrupted,
        /// A backup went to the trash.
        #[serde(rename = "backup.expired")]
        BackupExpired,
        /// A backup in the trash was deleted.
        #[serde(rename = "backup.deleted")]
        BackupDeleted,
        /// A stored backup that was not in the catalog was recorded.
        #[serde(rename = "backup.recorded")]
        BackupRecorded,
        /// A backup was restored.
        #[serde(rename = "backup.restored")]
        BackupRestored,
        /// A person holds a backup: nothing lets it go.
        #[serde(rename = "backup.held")]
        BackupHeld,
        /// A person holds a backup no more.
        #[serde(rename = "backup.released")]
        BackupReleased,
        /// A backup is much smaller than the one before, or lacks what was mounted then.
        #[serde(rename = "backup.suspicious")]
        BackupSuspicious,
        /// A person says that a backup is rightly so small.
        #[serde(rename = "backup.accepted")]
        BackupAccepted,
        /// A backup is not in the tier that is wanted first, but in the next that took it.
        #[serde(rename = "backup.fell-over")]
        BackupFellOver,
        /// A stored backup was moved from one tier to another.
        #[serde(rename = "backup.moved")]
        BackupMoved,
        /// A person deleted a backup: it went to the trash.
        #[serde(rename = "backup.trashed")]
        BackupTrashed,
        /// A person took a backup out of the trash again.
        #[serde(rename = "backup.undeleted")]
        BackupUndeleted,
        /// A retention policy failed; everything is kept.
        #[serde(rename = "retention.failed")]
        RetentionFailed,
        /// A retention policy judged the backups of a job.
        #[serde(rename = "retention.judged")]
        RetentionJudged,
        /// A checkpoint of a job was taken.
        #[serde(rename = "checkpoint.taken")]
        CheckpointTaken,
        /// A rollback of a job to a checkpoint began.
        #[serde(rename = "rollback.started")]
        RollbackStarted,
        /// The job's state is the checkpoint's, and what was paused is resumed.
        #[serde(rename = "rollback.succeeded")]
        RollbackSucceeded,
        /// It is not, or what was paused is not known to be resumed.
        #[serde(rename = "rollback.failed")]
        RollbackFailed,
        /// A person had resumed what a rollback had paused.
        #[serde(rename = "rollback.resumed")]
        RollbackResumed,
        /// A restore into a scratch directory gave the right state.
        #[serde(rename = "drill.passed")]
        DrillPassed,
        /// A restore into a scratch directory did not.
        #[serde(rename = "drill.failed")]
        DrillFailed,
    }
}

//! The corpus has every word of every type and each of its fields, there and absent, in the form of today.
//!
//! A new variant or field does not compile here until it is named, and fails until a line of the corpus has it. A line
//! that this version would write otherwise counts for nothing.

use super::corpus::{
    ARCHIVE_LINES, AUDIT_RECORDS, BACKUP_RECORDS, CALL_ENDS, CALL_RECORDS, EFFECT_ENTRIES, EVENTS,
    INCIDENTS, MANIFESTS, OPERATIONS, ORDERS, OUTBOX_ENTRIES, PROCESS_IDENTITIES, SETTLED_STATES,
    current, records,
};
use crate::{
    alert::{Alert, AlertStatus, GroupPart, OutboxEntry},
    archive::{
        ArchiveLine, Compression, Document, DocumentKind, Encryption, End, Header, Manifest,
        ManifestSignature, ParentLink, Part, SourceNote, Tombstone,
    },
    audit::AuditRecord,
    backup::{BackupRecord, BackupStatus, BackupSummary, BackupType, Hold},
    backup_origin::BackupOrigin,
    call::{RecoverRequest, RecoveryFailure},
    call_record::{CallEnd, CallOutcome, CallRecord, CallSeed, RecordedLimits},
    checkpoint::{Checkpoint, CheckpointKind, Rollback, RollbackStep},
    doubt::Doubt,
    drill::DrillMethod,
    drilled::Drilled,
    effect::{
        Answer, CommandOutput, Effect, EffectError, HttpMethod, HttpRequest, HttpResponse,
        MailMessage, Signal, TargetStatus,
    },
    event::{
        AfterEscalation, BackupAccepted, BackupHeld, BackupMoved, BackupReleased, BackupTrashed,
        BackupUndeleted, CheckpointTaken, ConfigApplied, Event, EventData, IncidentEnd,
        RollbackFacts,
    },
    fallback_mode::FallbackMode,
    health::{Evidence, Health, Outcome},
    incident::{Acknowledgement, Escalation, Incident, IncidentState},
    operation::{
        Approval, AttemptProgress, ChainPlace, Failed, Mode, Operation, OperationState,
        ReceivedSignal, ValidationResult, Vote,
    },
    orders::{DrillOrder, Orders, Reported, StopOrder},
    policy::{Phase, TargetPolicy},
    record::{EffectEntry, EntryKind, ProcessIdentity},
    settled_clock::{SettledState, Stand},
    severity::Severity,
    source_mount::SourceMount,
};
use std::collections::BTreeSet;

/// Each of the patterns, which together take every value, is met by one of the values.
macro_rules! met {
    ($values:expr; $($pattern:pat),+ $(,)?) => {{
        let mut met = BTreeSet::new();
        for value in $values {
            match value {
                $($pattern => { met.insert(stringify!($pattern)); })+
            }
        }
        for pattern in [$(stringify!($pattern)),+] {
            assert!(met.contains(pattern), "no stored record has {pattern} for {}", stringify!($values));
        }
    }};
}

/// Both are met: that there is one, and that there is none.
macro_rules! there_and_absent {
    ($records:expr, $($field:ident),+ $(,)?) => {
        $(met!($records.iter().map(|record| &record.$field); Some(_), None);)+
    };
}

/// Both are met.
macro_rules! true_and_false {
    ($records:expr, $($field:ident),+ $(,)?) => {
        $(met!($records.iter().map(|record| record.$field); true, false);)+
    };
}

/// Both are met: a list with something in it, and an empty one.
macro_rules! some_and_none {
    ($records:expr, $($field:ident),+ $(,)?) => {
        $(met!($records.iter().map(|record| record.$field.is_empty()); true, false);)+
    };
}

fn severities(found: impl Iterator<Item = Severity>) {
    met!(found; Severity::Low, Severity::Medium, Severity::High, Severity::Critical);
}

fn backup_types(found: impl Iterator<Item = BackupType>) {
    met!(
        found;
        BackupType::Full, BackupType::Incremental, BackupType::Differential, BackupType::Snapshot, BackupType::Emergency,
    );
}

fn checkpoint_kinds(found: impl Iterator<Item = CheckpointKind>) {
    met!(
        found;
        CheckpointKind::Manual,
        CheckpointKind::Automatic,
        CheckpointKind::Emergency,
        CheckpointKind::PreUpgrade,
        CheckpointKind::Daily,
    );
}

#[test]
fn every_form_of_what_is_believed_of_the_wall_clock_is_in_the_corpus() {
    let all: Vec<SettledState> = current(SETTLED_STATES);
    let SettledState {
        lived_ms: _,
        stands: _,
    } = all[0];
    some_and_none!(all, stands);
    let Stand {
        wall: _,
        lived_ms: _,
    } = all[0].stands[0];
}

#[test]
fn every_form_of_what_people_ordered_is_in_the_corpus() {
    let all: Vec<Orders> = current(ORDERS);
    let Orders {
        stopped: _,
        reported: _,
        drills: _,
    } = &all[0];
    some_and_none!(all, stopped, reported, drills);
    let drills: Vec<&DrillOrder> = all.iter().flat_map(|one| &one.drills).collect();
    let DrillOrder {
        target: _,
        failure: _,
        method: _,
        by: _,
        note: _,
        at: _,
    } = drills[0];
    there_and_absent!(drills, note);
    met!(
        drills.iter().map(|one| one.method);
        DrillMethod::Kill,
        DrillMethod::Stop,
        DrillMethod::Block,
        DrillMethod::Fill,
        DrillMethod::Command,
    );
    let reported: Vec<&Reported> = all.iter().flat_map(|one| &one.reported).collect();
    let Reported {
        target: _,
        failure: _,
        severity: _,
        confidence: _,
        score: _,
        message: _,
        by: _,
        note: _,
        at: _,
        until: _,
    } = reported[0];
    there_and_absent!(reported, confidence, score, note, until);
    severities(reported.iter().map(|one| one.severity));
    let stopped: Vec<&StopOrder> = all.iter().flat_map(|one| &one.stopped).collect();
    let StopOrder {
        target: _,
        by: _,
        note: _,
        reason: _,
        at: _,
    } = stopped[0];
    there_and_absent!(stopped, note);
}

#[test]
fn every_form_of_an_operation_is_in_the_corpus() {
    let all: Vec<Operation> = current(OPERATIONS);
    // Its fields: a new one is named here, and below where it may be absent.
    let Operation {
        id: _,
        incident: _,
        target: _,
        failure: _,
        severity: _,
        mode: _,
        state: _,
        attempts: _,
        handler: _,
        handler_version: _,
        handler_digest: _,
        actions: _,
        error: _,
        detected_at: _,
        started_at: _,
        finished_at: _,
        recovery_ms: _,
        rto_exceeded: _,
        escalated: _,
        dry_run: _,
        revision: _,
        steps: _,
        due: _,
        cut_off: _,
        interruptions: _,
        acted_by: _,
        output: _,
        cancel_asked: _,
        runbook: _,
        approval: _,
        chain: _,
        doubt: _,
        signals: _,
        validation_results: _,
    } = &all[0];
    met!(
        all.iter().map(|one| one.state);
        OperationState::Scheduled,
        OperationState::InProgress,
        OperationState::Validating,
        OperationState::Succeeded,
        OperationState::Failed,
        OperationState::Partial,
        OperationState::Cancelled,
        OperationState::AwaitingManual,
    );
    met!(
        all.iter().map(|one| one.mode);
        Mode::Automatic,
        Mode::Manual,
        Mode::Emergency,
        Mode::Maintenance,
    );
    severities(all.iter().map(|one| one.severity));
    there_and_absent!(
        all,
        incident,
        handler,
        handler_version,
        handler_digest,
        error,
        started_at,
        finished_at,
        recovery_ms,
        due,
        acted_by,
        cancel_asked,
        output,
        approval,
        chain,
        doubt,
    );
    let doubts: Vec<&Doubt> = all.iter().filter_map(|one| one.doubt.as_deref()).collect();
    let Doubt {
        call: _,
        number: _,
        effect: _,
        key: _,
        begun_at: _,
    } = doubts[0];
    let places: Vec<&ChainPlace> = all.iter().filter_map(|one| one.chain.as_deref()).collect();
    let ChainPlace {
        step: _,
        handler: _,
        progress:
            AttemptProgress {
                done: _,
                permanently_failed: _,
                failed: _,
                passed_over: _,
                stopped: _,
                unmet: _,
            },
        permanently_failed: _,
    } = places[0];
    some_and_none!(places, permanently_failed);
    let came_to: Vec<&AttemptProgress> = places.iter().map(|place| &place.progress).collect();
    true_and_false!(came_to, done, stopped, unmet);
    there_and_absent!(came_to, permanently_failed, passed_over);
    met!(
        came_to.iter().map(|progress| &progress.failed);
        Some(Failed::Retryable(_)),
        Some(Failed::Missing(_, _)),
        Some(Failed::NeedsOperator(_, _)),
        None,
    );
    let approvals: Vec<&Approval> = all.iter().filter_map(|one| one.approval.as_ref()).collect();
    let Approval {
        needed: _,
        given: _,
        expires: _,
    } = approvals[0];
    there_and_absent!(approvals, expires);
    some_and_none!(approvals, given);
    let votes: Vec<&Vote> = approvals.iter().flat_map(|one| &one.given).collect();
    let Vote {
        by: _,
        note: _,
        reason: _,
        at: _,
    } = votes[0];
    there_and_absent!(votes, note);
    true_and_false!(all, rto_exceeded, escalated, dry_run, cut_off);
    some_and_none!(all, actions, steps, runbook, signals, validation_results);
    let signals: Vec<&ReceivedSignal> = all.iter().flat_map(|one| &one.signals).collect();
    let ReceivedSignal {
        number: _,
        name: _,
        text: _,
        at: _,
        by: _,
        note: _,
    } = signals[0];
    there_and_absent!(signals, note);
    let results = all.iter().flat_map(|one| &one.validation_results);
    let results: Vec<&ValidationResult> = results.collect();
    let ValidationResult {
        check: _,
        outcome: _,
        message: _,
        at: _,
    } = results[0];
    met!(
        results.iter().map(|result| result.outcome);
        Outcome::Healthy,
        Outcome::Degraded,
        Outcome::Failed,
        Outcome::Unknown,
    );
}

#[test]
fn every_form_of_an_incident_is_in_the_corpus() {
    let all: Vec<Incident> = current(INCIDENTS);
    let Incident {
        id: _,
        target: _,
        failure: _,
        severity: _,
        state: _,
        by_hand: _,
        opened_at: _,
        closed_at: _,
        recurrence: _,
        evidence: _,
        affected: _,
        escalated: _,
        relapses: _,
        attempts: _,
        failures_in_a_row: _,
        tried_at: _,
        relapse_until: _,
        missing: _,
        openings: _,
        rto_exceeded_at: _,
        handed_over: _,
        calm_ms: _,
        attempts_before: _,
        escalation: _,
    } = &all[0];
    met!(
        all.iter().map(|one| one.state);
        IncidentState::Open, IncidentState::Recovered, IncidentState::SelfHealed, IncidentState::Escalated,
        IncidentState::Unseen, IncidentState::Removed,
    );
    severities(all.iter().map(|one| one.severity));
    there_and_absent!(
        all,
        closed_at,
        tried_at,
        relapse_until,
        missing,
        handed_over,
        rto_exceeded_at,
        calm_ms,
        attempts_before,
    );
    true_and_false!(all, by_hand, escalated);
    let escalations: Vec<&Escalation> = all.iter().map(|one| &one.escalation).collect();
    let Escalation {
        told_at: _,
        second_level_at: _,
        acknowledged: _,
    } = escalations[0];
    there_and_absent!(escalations, told_at, second_level_at, acknowledged);
    let taken_on = escalations
        .iter()
        .filter_map(|one| one.acknowledged.as_ref());
    let taken_on: Vec<&Acknowledgement> = taken_on.collect();
    let Acknowledgement {
        by: _,
        note: _,
        reason: _,
        at: _,
    } = taken_on[0];
    there_and_absent!(taken_on, note);
    some_and_none!(all, evidence, affected, openings);
    let evidence: Vec<Evidence> = all.into_iter().flat_map(|one| one.evidence).collect();
    every_form_of_evidence(&evidence);
}

fn every_form_of_evidence(all: &[Evidence]) {
    let Evidence {
        check: _,
        observed_at: _,
        message: _,
        value: _,
        output: _,
        score: _,
    } = &all[0];
    there_and_absent!(all, value, output, score);
}

/// Of its data only those count that are read as facts: see `event/tests.rs` for the kinds.
#[test]
fn every_form_of_an_event_is_in_the_corpus() {
    let all: Vec<Event> = current(EVENTS);
    let Event {
        seq: _,
        at: _,
        kind: _,
        severity: _,
        target: _,
        plugin: _,
        operation: _,
        backup: _,
        job: _,
        message: _,
        data: _,
    } = &all[0];
    severities(all.iter().map(|one| one.severity));
    there_and_absent!(all, target, plugin, operation, backup, job);
    met!(
        all.iter().map(|one| &one.data);
        EventData::Nothing,
        EventData::PausedBy(_),
        EventData::PausedFor(_),
        EventData::PhaseChanged(_),
        EventData::PolicyChanged(_),
        EventData::ModeChanged(_),
        EventData::CharterBroken(_),
        EventData::JournalDamaged(_),
        EventData::RecordSetAside(_),
        EventData::MonitorBlind(_),
        EventData::ConfigApplied(_),
        EventData::ConfigRejected(_),
        EventData::ProcessFacts(_),
        EventData::TargetCommanded(_),
        EventData::TargetBroken(_),
        EventData::TargetDrilled(_),
        EventData::FailureReported(_),
        EventData::FailureCleared(_),
        EventData::CheckFailed(_),
        EventData::CheckDegraded(_),
        EventData::CheckRecovered(_),
        EventData::TargetRenamed(_),
        EventData::CircuitOpened(_),
        EventData::IncidentOpened(_),
        EventData::IncidentReopened(_),
        EventData::IncidentWorsened(_),
        EventData::IncidentOverdue(_),
        EventData::IncidentAcknowledged(_),
        EventData::IncidentUnacknowledged(_),
        EventData::IncidentClosed(_),
        EventData::RtoExceeded(_),
        EventData::OperationScheduled(_),
        EventData::OperationAskedFor(_),
        EventData::OperationAwaitingManual(_),
        EventData::OperationApproved(_),
        EventData::OperationStarted(_),
        EventData::OperationResumed(_),
        EventData::OperationSuspended(_),
        EventData::OperationSignalled(_),
        EventData::OperationDiverged(_),
        EventData::OperationRetrying(_),
        EventData::OperationValidating(_),
        EventData::OperationEnded(_),
        EventData::OperationCancelled(_),
        EventData::OperationEscalated(_),
        EventData::EffectPerformed(_),
        EventData::EffectInDoubt(_),
        EventData::EffectResolved(_),
        EventData::AlertQueued(_),
        EventData::AlertDelivery(_),
        EventData::AlertHeld(_),
        EventData::SilenceBegan(_),
        EventData::SilenceEnded(_),
        EventData::NoteAdded(_),
        EventData::PluginServing(_),
        EventData::PluginRejected(_),
        EventData::PluginWithdrawn(_),
        EventData::BackupTaken(_),
        EventData::BackupDeleted(_),
        EventData::BackupRestored(_),
        EventData::BackupHeld(_),
        EventData::BackupReleased(_),
        EventData::BackupSuspected(_),
        EventData::BackupAccepted(_),
        EventData::BackupTrashed(_),
        EventData::BackupUndeleted(_),
        EventData::BackupFellOver(_),
        EventData::BackupMoved(_),
        EventData::CheckpointTaken(_),
        EventData::RollbackFacts(_),
        EventData::Other(_),
    );
    let taken = all.iter().filter_map(|one| match &one.data {
        EventData::CheckpointTaken(taken) => Some(taken),
        _ => None,
    });
    let taken: Vec<&CheckpointTaken> = taken.collect();
    let CheckpointTaken {
        kind: _,
        name: _,
        by: _,
        note: _,
    } = taken[0];
    checkpoint_kinds(taken.iter().map(|one| one.kind));
    there_and_absent!(taken, name, by, note);
    let held = all.iter().filter_map(|one| match &one.data {
        EventData::BackupHeld(held) => Some(held),
        _ => None,
    });
    let held: Vec<&BackupHeld> = held.collect();
    let BackupHeld {
        by: _,
        note: _,
        reason: _,
        until: _,
    } = held[0];
    there_and_absent!(held, note, reason, until);
    let released = all.iter().filter_map(|one| match &one.data {
        EventData::BackupReleased(released) => Some(released),
        _ => None,
    });
    let released: Vec<&BackupReleased> = released.collect();
    let BackupReleased { by: _, note: _ } = released[0];
    there_and_absent!(released, note);
    let moved = all.iter().filter_map(|one| match &one.data {
        EventData::BackupMoved(moved) => Some(moved),
        _ => None,
    });
    let moved: Vec<&BackupMoved> = moved.collect();
    let BackupMoved {
        from: _,
        tier: _,
        by: _,
        note: _,
    } = moved[0];
    there_and_absent!(moved, by, note);
    let accepted = all.iter().filter_map(|one| match &one.data {
        EventData::BackupAccepted(accepted) => Some(accepted),
        _ => None,
    });
    let accepted: Vec<&BackupAccepted> = accepted.collect();
    let BackupAccepted { by: _, note: _ } = accepted[0];
    there_and_absent!(accepted, note);
    let trashed = all.iter().filter_map(|one| match &one.data {
        EventData::BackupTrashed(trashed) => Some(trashed),
        _ => None,
    });
    let trashed: Vec<&BackupTrashed> = trashed.collect();
    let BackupTrashed {
        by: _,
        note: _,
        until: _,
    } = trashed[0];
    there_and_absent!(trashed, note);
    let undeleted = all.iter().filter_map(|one| match &one.data {
        EventData::BackupUndeleted(undeleted) => Some(undeleted),
        _ => None,
    });
    let undeleted: Vec<&BackupUndeleted> = undeleted.collect();
    let BackupUndeleted { by: _, note: _ } = undeleted[0];
    there_and_absent!(undeleted, note);
    let rollbacks = all.iter().filter_map(|one| match &one.data {
        EventData::RollbackFacts(facts) => Some(facts),
        _ => None,
    });
    let rollbacks: Vec<&RollbackFacts> = rollbacks.collect();
    let RollbackFacts {
        by: _,
        note: _,
        saved: _,
        error: _,
    } = rollbacks[0];
    there_and_absent!(rollbacks, note, saved, error);
    let set = all.iter().filter_map(|one| match &one.data {
        EventData::PolicyChanged(changed) => Some(&changed.policy),
        _ => None,
    });
    let set: Vec<&TargetPolicy> = set.collect();
    let TargetPolicy {
        ask: _,
        max_attempts: _,
        initial_delay_ms: _,
        multiplier: _,
        max_delay_ms: _,
        cooldown_ms: _,
    } = set[0];
    there_and_absent!(
        set,
        ask,
        max_attempts,
        initial_delay_ms,
        multiplier,
        max_delay_ms,
        cooldown_ms,
    );
    let applied = all.iter().filter_map(|one| match &one.data {
        EventData::ConfigApplied(applied) => Some(applied),
        _ => None,
    });
    let applied: Vec<&ConfigApplied> = applied.collect();
    let ConfigApplied {
        digest: _,
        added: _,
        changed: _,
        removed: _,
        others: _,
    } = applied[0];
    some_and_none!(applied, added, changed, removed);
    there_and_absent!(applied, others);
    let phases = all.iter().filter_map(|one| match &one.data {
        EventData::PhaseChanged(changed) => Some([changed.from, changed.to]),
        _ => None,
    });
    met!(
        phases.flatten();
        Phase::Launch, Phase::Deployment, Phase::Normal, Phase::Payload, Phase::Safe,
    );
    let modes = all.iter().filter_map(|one| match &one.data {
        EventData::ModeChanged(changed) => Some([changed.from, changed.to]),
        _ => None,
    });
    met!(
        modes.flatten();
        FallbackMode::Primary, FallbackMode::Heuristic, FallbackMode::Safe,
    );
    let ends = all.iter().filter_map(|one| match &one.data {
        EventData::IncidentClosed(closed) => Some(closed.how),
        _ => None,
    });
    met!(
        ends;
        IncidentEnd::Recovered, IncidentEnd::Lasting, IncidentEnd::ByItself, IncidentEnd::Unseen, IncidentEnd::Removed,
    );
    let afterwards = all.iter().filter_map(|one| match &one.data {
        EventData::OperationEscalated(escalated) => Some(escalated.then),
        _ => None,
    });
    met!(afterwards; AfterEscalation::Round, AfterEscalation::People, AfterEscalation::Route);
}

#[test]
fn every_form_of_an_effect_is_in_the_corpus() {
    let all: Vec<EffectEntry> = current(EFFECT_ENTRIES);
    let EffectEntry {
        operation: _,
        number: _,
        at: _,
        kind: _,
        effect: _,
        result: _,
        call: _,
        request_hash: _,
        fencing: _,
        before: _,
        until: _,
    } = &all[0];
    there_and_absent!(all, call, request_hash, before, until);
    met!(all.iter().map(|one| one.fencing); 0, 1..);
    met!(all.iter().map(|one| one.kind); EntryKind::Intent, EntryKind::Result, EntryKind::Planned, EntryKind::DidNot);
    met!(all.iter().map(|one| &one.result); Some(Ok(_)), Some(Err(_)), None);
    met!(
        all.iter().map(|one| &one.effect);
        Effect::ClockNow,
        Effect::ClockSleep { length_ms: _ },
        Effect::AwaitSignal { name: _, until: _ },
        Effect::TargetStatus { target: _ },
        Effect::TargetStart { target: _ },
        Effect::TargetStop { target: _ },
        Effect::TargetRestart { target: _ },
        Effect::TargetSend { target: _, signal: Signal::Hup },
        // No plugin sends `Quit`.
        Effect::TargetSend { target: _, signal: Signal::Int | Signal::Quit },
        Effect::TargetSend { target: _, signal: Signal::Term },
        Effect::TargetSend { target: _, signal: Signal::Kill },
        Effect::TargetSend { target: _, signal: Signal::Usr1 },
        Effect::TargetSend { target: _, signal: Signal::Usr2 },
        Effect::TargetCheck { target: _ },
        Effect::CommandRun { name: _, arguments: _ },
        Effect::HttpSend(_),
        Effect::MailSend(MailMessage { account: _, to: _, subject: _, text: _, thread: Some(_) }),
        Effect::MailSend(MailMessage { account: _, to: _, subject: _, text: _, thread: None }),
        Effect::KvGet { key: _ },
        Effect::KvSet { key: _, value: _ },
        Effect::KvDelete { key: _ },
        Effect::KvCompareAndSet { key: _, expected: Some(_), value: _ },
        Effect::KvCompareAndSet { key: _, expected: None, value: _ },
        Effect::KvKeys { prefix: _ },
        Effect::BackupNewest { job: _, before: Some(_) },
        Effect::BackupNewest { job: _, before: None },
        Effect::BackupCreate { job: _, backup_type: _ },
        Effect::BackupRestore { job: _, id: _ },
    );
    let requests: Vec<&HttpRequest> = all
        .iter()
        .filter_map(|one| match &one.effect {
            Effect::HttpSend(request) => Some(request),
            _ => None,
        })
        .collect();
    let HttpRequest {
        method: _,
        url: _,
        headers: _,
        body: _,
        timeout_ms: _,
        signing: _,
    } = requests[0];
    met!(
        requests.iter().map(|request| request.method);
        HttpMethod::Get,
        HttpMethod::Head,
        HttpMethod::Post,
        HttpMethod::Put,
        HttpMethod::Patch,
        HttpMethod::Delete,
        HttpMethod::Options,
    );
    there_and_absent!(requests, timeout_ms, signing);
    some_and_none!(requests, headers);
    backup_types(all.iter().filter_map(|one| match &one.effect {
        Effect::BackupCreate { backup_type, .. } => Some(*backup_type),
        _ => None,
    }));
    let bodies = requests.iter().map(|request| &request.body.0);
    met!(bodies.map(|bytes| std::str::from_utf8(bytes)); Ok(_), Err(_));
}

#[test]
fn every_answer_to_an_effect_is_in_the_corpus() {
    let all: Vec<EffectEntry> = current(EFFECT_ENTRIES);
    let refused = all
        .iter()
        .filter_map(|one| one.result.as_ref()?.as_ref().err());
    met!(
        refused;
        EffectError::Denied(_),
        EffectError::Limited(_),
        EffectError::TimedOut(_),
        EffectError::Unavailable(_),
        EffectError::Failed(_),
    );
    let answers: Vec<&Answer> = all
        .iter()
        .filter_map(|one| one.result.as_ref()?.as_ref().ok())
        .collect();
    let (mut statuses, mut seen, mut backups) = (Vec::new(), Vec::new(), Vec::new());
    for answer in &answers {
        match answer {
            Answer::Status(status) => statuses.push(status),
            Answer::Evidence(evidence) => seen.extend(evidence.iter().cloned()),
            Answer::Backup(Some(backup)) => backups.push(backup),
            Answer::Response(HttpResponse {
                status: _,
                headers: _,
                body: _,
            })
            | Answer::Output(CommandOutput {
                exit_code: _,
                stdout: _,
                stderr: _,
                truncated: _,
            })
            | Answer::Done
            | Answer::Now(_)
            | Answer::Signal { number: _, text: _ }
            | Answer::Value(_)
            | Answer::Swapped(_)
            | Answer::Keys(_)
            | Answer::Backup(None)
            | Answer::Restored {
                documents: _,
                bytes: _,
            } => {}
        }
    }
    met!(
        answers.iter();
        Answer::Done,
        Answer::Now(_),
        Answer::Signal { number: _, text: _ },
        Answer::Status(_),
        Answer::Evidence(_),
        Answer::Output(_),
        Answer::Response(_),
        Answer::Value(Some(_)),
        Answer::Value(None),
        Answer::Swapped(true),
        Answer::Swapped(false),
        Answer::Keys(_),
        Answer::Backup(Some(_)),
        Answer::Backup(None),
        Answer::Restored { documents: _, bytes: _ },
    );
    let TargetStatus {
        health: _,
        running: _,
        pid: _,
        started_at: _,
        restarts: _,
    } = statuses[0];
    met!(
        statuses.iter().map(|status| status.health);
        Health::Unknown, Health::Starting, Health::Healthy, Health::Degraded, Health::Failed,
    );
    there_and_absent!(statuses, running, pid, started_at);
    every_form_of_evidence(&seen);
    let BackupSummary {
        id: _,
        job: _,
        backup_type: _,
        created_at: _,
        verified_at: _,
        tier: _,
        stored_bytes: _,
        parent: _,
        base: _,
        held: _,
    } = backups[0];
    there_and_absent!(backups, verified_at, parent);
    true_and_false!(backups, held);
}

#[test]
fn every_form_of_a_call_is_in_the_corpus() {
    let all: Vec<CallRecord> = current(CALL_RECORDS);
    let CallRecord {
        format: _,
        operation: _,
        call: _,
        step: _,
        attempt: _,
        plugin: _,
        version: _,
        digest: _,
        contract: _,
        input:
            RecoverRequest {
                operation: _,
                incident: _,
                target: _,
                failure: _,
                severity: _,
                recurrence: _,
                attempt: _,
                max_attempts: _,
                phase: _,
                detected_at: _,
                remaining: _,
                evidence: _,
                fencing: _,
                dry_run: _,
                params: _,
            },
        settings: _,
        limits:
            RecordedLimits {
                memory_bytes: _,
                deadline_ms: _,
                timeout_ms: _,
                result_bytes: _,
                effects: _,
            },
        seed: CallSeed(_),
        first_number: _,
        began_at: _,
        timeout_ms: _,
        wake_at: _,
        replays: _,
        fencing: _,
    } = &all[0];
    there_and_absent!(all, wake_at);
    let asked: Vec<&RecoverRequest> = all.iter().map(|one| &one.input).collect();
    there_and_absent!(asked, incident, remaining);
    some_and_none!(asked, evidence);
}

#[test]
fn every_end_of_a_call_is_in_the_corpus() {
    let all: Vec<CallEnd> = current(CALL_ENDS);
    let CallEnd { at: _, outcome: _ } = &all[0];
    met!(
        all.iter().map(|one| &one.outcome);
        CallOutcome::Done(_),
        CallOutcome::Failed(RecoveryFailure::Retryable(_)),
        CallOutcome::Failed(RecoveryFailure::Permanent(_)),
        CallOutcome::Failed(RecoveryFailure::NeedsOperator(_)),
        CallOutcome::GivenUp(_),
    );
}

#[test]
fn every_form_of_an_alert_is_in_the_corpus() {
    let all: Vec<OutboxEntry> = current(OUTBOX_ENTRIES);
    let OutboxEntry {
        alert:
            Alert {
                id: _,
                dedup_key: _,
                status: _,
                severity: _,
                at: _,
                kind: _,
                title: _,
                body: _,
                target: _,
                operation: _,
                labels: _,
            },
        alerter: _,
        attempts: _,
        tried_for: _,
        due: _,
        last_error: _,
        follows: _,
        begun: _,
        part_of: _,
        in_place_of: _,
    } = &all[0];
    there_and_absent!(all, last_error, part_of);
    true_and_false!(all, follows, begun);
    let parts = all.iter().filter_map(|one| one.part_of.as_ref());
    let parts: Vec<&GroupPart> = parts.collect();
    let GroupPart {
        group: _,
        severity: _,
    } = parts[0];
    severities(parts.iter().map(|part| part.severity));
    let alerts: Vec<&Alert> = all.iter().map(|one| &one.alert).collect();
    met!(alerts.iter().map(|alert| alert.status); AlertStatus::Firing, AlertStatus::Resolved);
    severities(alerts.iter().map(|alert| alert.severity));
    there_and_absent!(alerts, target, operation);
    some_and_none!(alerts, labels);
}

#[test]
fn every_form_of_a_backup_is_in_the_corpus() {
    let all: Vec<BackupRecord> = current(BACKUP_RECORDS);
    let BackupRecord {
        id: _,
        job: _,
        backup_type: _,
        status: _,
        tier: _,
        created_at: _,
        parent: _,
        base: _,
        documents: _,
        tombstones: _,
        size_bytes: _,
        stored_bytes: _,
        root_hash: _,
        verified_at: _,
        held: _,
        expires: _,
        reason: _,
        warnings: _,
        incomplete: _,
        stored_only: _,
        key: _,
        checkpoint: _,
        hold: _,
        suspicious: _,
        drilled: _,
        mounts: _,
        selection: _,
        origin: _,
    } = &all[0];
    backup_types(all.iter().map(|one| one.backup_type));
    met!(
        all.iter().map(|one| one.status);
        BackupStatus::Pending,
        BackupStatus::InProgress,
        BackupStatus::Completed,
        BackupStatus::Verified,
        BackupStatus::Failed,
        BackupStatus::Corrupted,
        BackupStatus::Expired,
    );
    there_and_absent!(
        all,
        parent,
        verified_at,
        expires,
        reason,
        key,
        checkpoint,
        hold,
        suspicious,
        drilled,
        origin
    );
    let origins: Vec<&BackupOrigin> = all.iter().flat_map(|one| &one.origin).collect();
    let BackupOrigin {
        elapsed_ms: _,
        sources: _,
        recipients: _,
        signed_by: _,
    } = origins[0];
    there_and_absent!(origins, signed_by);
    some_and_none!(origins, sources, recipients);
    let drilled: Vec<&Drilled> = all.iter().flat_map(|one| &one.drilled).collect();
    let Drilled {
        at: _,
        restore_ms: _,
        healthy_ms: _,
        target: _,
        rto_ms: _,
        error: _,
    } = drilled[0];
    there_and_absent!(drilled, healthy_ms, target, rto_ms, error);
    let holds = all.iter().filter_map(|one| one.hold.as_ref());
    let holds: Vec<&Hold> = holds.collect();
    let Hold {
        by: _,
        reason: _,
        until: _,
    } = holds[0];
    there_and_absent!(holds, reason, until);
    some_and_none!(all, warnings, mounts);
    let mounts: Vec<&SourceMount> = all.iter().flat_map(|one| &one.mounts).collect();
    let SourceMount {
        path: _,
        vanished: _,
    } = mounts[0];
    true_and_false!(mounts, vanished);
    true_and_false!(all, held, incomplete, stored_only, selection);
    let checkpoints = all.iter().filter_map(|one| one.checkpoint.as_ref());
    let checkpoints: Vec<&Checkpoint> = checkpoints.collect();
    let Checkpoint {
        kind: _,
        name: _,
        rollback: _,
    } = checkpoints[0];
    checkpoint_kinds(checkpoints.iter().map(|one| one.kind));
    there_and_absent!(checkpoints, name, rollback);
    let rollbacks = checkpoints.iter().filter_map(|one| one.rollback.as_ref());
    let rollbacks: Vec<&Rollback> = rollbacks.collect();
    let Rollback {
        begun_at: _,
        by: _,
        note: _,
        step: _,
        saved: _,
        error: _,
    } = rollbacks[0];
    there_and_absent!(rollbacks, note, saved, error);
    met!(
        rollbacks.iter().map(|one| one.step);
        RollbackStep::Pausing,
        RollbackStep::Saving,
        RollbackStep::Staging,
        RollbackStep::Placing,
        RollbackStep::Checking,
        RollbackStep::PuttingBack,
        RollbackStep::Resuming,
        RollbackStep::Succeeded,
        RollbackStep::Failed,
        RollbackStep::Unresumed,
        RollbackStep::Stranded,
    );
}

#[test]
fn every_form_of_a_process_is_in_the_corpus() {
    let all: Vec<ProcessIdentity> = current(PROCESS_IDENTITIES);
    let ProcessIdentity {
        pid: _,
        start_ticks: _,
        boot_id: _,
        started_at: _,
        restarts: _,
        config: _,
        ended: _,
        completed: _,
        marked_as: _,
        output: _,
    } = &all[0];
    there_and_absent!(all, config, ended, marked_as, output);
    true_and_false!(all, completed);
}

#[test]
fn every_form_of_a_record_of_the_audit_log_is_in_the_corpus() {
    let all: Vec<AuditRecord> = current(AUDIT_RECORDS);
    let AuditRecord {
        at: _,
        seq: _,
        kind: _,
        actor: _,
        note: _,
        target: _,
        incident: _,
        operation: _,
        plugin: _,
        backup: _,
        job: _,
        phase: _,
        charter: _,
        message: _,
    } = &all[0];
    there_and_absent!(all, note, target, incident, operation, plugin, backup, job);
}

#[test]
fn every_form_of_a_manifest_is_in_the_corpus() {
    let all: Vec<Manifest> = records(MANIFESTS)
        .map(|(_, record)| Manifest::from_bytes(format!("{record}\n").as_bytes()).unwrap())
        .collect();
    let Manifest {
        format: _,
        id: _,
        job: _,
        backup_type: _,
        parent: _,
        base: _,
        created_at: _,
        verified_at: _,
        elapsed_ms: _,
        root_hash: _,
        documents: _,
        tombstones: _,
        size_bytes: _,
        stored_bytes: _,
        stored_hash: _,
        tier: _,
        compression: _,
        encryption: _,
        sources: _,
        incomplete: _,
        stored_only: _,
        selection: _,
        signature: _,
    } = &all[0];
    backup_types(all.iter().map(|one| one.backup_type));
    met!(all.iter().map(|one| &one.parent); Some(ParentLink { id: _, manifest_hash: _ }), None);
    // There is one of each: a second does not compile until it is met as above.
    let Compression::Zstd { level: _ } = all[0].compression;
    met!(
        all.iter().map(|one| &one.encryption);
        Encryption::None, Encryption::Age { recipients: _ },
    );
    met!(
        all.iter().map(|one| &one.signature);
        Some(ManifestSignature { key: _, value: _ }), None,
    );
    some_and_none!(all, sources);
    true_and_false!(all, incomplete, stored_only, selection);
    met!(
        all.iter().flat_map(|one| &one.sources);
        SourceNote::Directory { path: _, prefix: _ }, SourceNote::Command { program: _, key: _ },
    );
}

#[test]
fn every_form_of_a_line_of_an_archive_is_in_the_corpus() {
    let all: Vec<ArchiveLine<'static>> = current(ARCHIVE_LINES);
    let (mut headers, mut documents, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for line in &all {
        match line {
            ArchiveLine::Header(header) => headers.push(header),
            ArchiveLine::Document(document) => documents.push(document),
            ArchiveLine::Part(part) => parts.push(part),
            ArchiveLine::Tombstone(Tombstone { key: _ })
            | ArchiveLine::End(End {
                documents: _,
                tombstones: _,
                size_bytes: _,
                root_hash: _,
            }) => {}
        }
    }
    met!(
        &all;
        ArchiveLine::Header(_),
        ArchiveLine::Document(_),
        ArchiveLine::Part(_),
        ArchiveLine::Tombstone(_),
        ArchiveLine::End(_),
    );
    let Header {
        format: _,
        id: _,
        job: _,
        backup_type: _,
        parent: _,
        base: _,
        created_at: _,
    } = headers[0];
    backup_types(headers.iter().map(|header| header.backup_type));
    there_and_absent!(headers, parent);
    let Document {
        key: _,
        kind: _,
        mode: _,
        mtime: _,
        uid: _,
        gid: _,
        size: _,
        hash: _,
        xattrs: _,
        link: _,
        holes: _,
        text: _,
        base64: _,
        parts: _,
        inherited: _,
        same: _,
    } = documents[0];
    met!(
        documents.iter().map(|document| document.kind);
        DocumentKind::File, DocumentKind::Directory, DocumentKind::Symlink,
    );
    there_and_absent!(documents, link, text, base64, parts);
    some_and_none!(documents, xattrs, holes);
    true_and_false!(documents, inherited, same);
    let Part {
        key: _,
        number: _,
        text: _,
        base64: _,
        hash: _,
        size: _,
    } = parts[0];
    there_and_absent!(parts, text, base64, hash, size);
}

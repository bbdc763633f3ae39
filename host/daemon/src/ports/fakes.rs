//! One fake world behind every port that the admin API, the status and the metrics use.
//!
//! Length: one struct behind so many traits, so that a test tells its whole story in one place.

use super::*;
use mainstay_domain::{
    actor::Actor,
    alert::{AlerterState, OutboxEntry},
    archive::{ChangeKind, ContentHash, DocumentChange, DocumentKey, DocumentKind, Entry},
    audit::{AuditContext, AuditRow, digest, record_of},
    backup::{BackupRecord, BackupStatus, BackupType, Verdict},
    breaker::CircuitState,
    call_record::RecordedCall,
    checkpoint::Checkpoint,
    coordination::{Consensus, NodeBeat, NodeInfo, NodeState, NodeVote, Work},
    effect::{EffectError, Signal, TargetStatus},
    event::{Event, EventData, EventKind, NoteAdded, PhaseChanged},
    fallback_mode::FallbackMode,
    health::{Evidence, Health, Observation, Outcome},
    host_health::HostHealth,
    id::{BackupId, IdSource, IncidentId, OperationId, SilenceId},
    incident::Incident,
    maintenance::OpenWindow,
    name::{CheckName, FailureType, JobName, PluginName, SecretName, TargetName, TierName},
    operation::{Mode, Operation, OperationState},
    orders::Reported,
    plugin::{PluginIdentity, PluginInstanceRow, PluginRow},
    policy::{EffectivePolicy, GateNumbers, Phase, TargetPolicy},
    record::{Change, EffectEntry, EntryKind},
    recovery::{NewSignal, PolicyOrder},
    severity::Severity,
    silence::Silence,
    time::{Monotonic, Timestamp},
};
use parking_lot::Mutex;
use semver::Version;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex as Turn, Semaphore, broadcast};

/// 2024-01-31T12:00:00Z: long ago, so that what is shown as relative to now is always in the past.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_706_702_400_000);

/// What the fake holds, and what was asked of it.
pub(crate) struct FakeWorld {
    pub(crate) events: Mutex<Vec<Event>>,
    /// Alerts not yet delivered.
    pub(crate) outbox: Mutex<Vec<OutboxEntry>>,
    /// So many of the next commits are not taken.
    pub(crate) failing_commits: AtomicU32,
    sender: broadcast::Sender<Arc<Event>>,
    pub(crate) operations: Mutex<Vec<(Operation, Vec<EffectEntry>)>>,
    pub(crate) incidents: Mutex<Vec<Incident>>,
    pub(crate) backups: Mutex<Vec<BackupRecord>>,
    /// What was commanded, in words.
    pub(crate) commands: Arc<Mutex<Vec<String>>>,
    paused: Mutex<BTreeSet<Option<TargetName>>>,
    phase: Mutex<Phase>,
    /// How often the host's facts were asked for.
    pub(crate) gathered: AtomicU32,
    pub(crate) clock_ms: AtomicU64,
    /// So many of the next reads of an operation fail.
    pub(crate) failing_reads: AtomicU32,
    /// The most events that were asked for at once.
    pub(crate) largest_read: AtomicU32,
    /// The groups that everybody is in.
    pub(crate) groups: Mutex<Vec<u32>>,
    /// Long work takes a permit before each of its three documents and before its end.
    pub(crate) gate: Arc<Semaphore>,
    /// Long work waits for it before it begins.
    pub(crate) turn: Arc<Turn<()>>,
}

pub(crate) fn target(name: &str) -> TargetName {
    TargetName::parse(name).unwrap()
}

pub(crate) fn job(name: &str) -> JobName {
    JobName::parse(name).unwrap()
}

/// The identifier of the operation with this number, from 0 to 99; the fake world begins with number 1.
pub fn operation_id(number: u8) -> OperationId {
    OperationId::parse(&format!("op-01K000000000000000000000{number:02}")).unwrap()
}

/// The identifier of the full backup with this number, from 0 to 99; the fake world begins with number 1.
pub fn backup_id(number: u8) -> BackupId {
    BackupId::parse(&format!("ful-01K000000000000000000000{number:02}")).unwrap()
}

/// A succeeded operation with one restart in its journal.
pub(crate) fn operation(number: u8) -> (Operation, Vec<EffectEntry>) {
    let id = operation_id(number);
    let operation = Operation {
        id: id.clone(),
        incident: Some(IncidentId::parse("inc-01K0000000000000000000000A").unwrap()),
        target: target("api"),
        failure: FailureType::parse("api-gateway-down").unwrap(),
        severity: Severity::High,
        mode: Mode::Automatic,
        state: OperationState::Succeeded,
        attempts: 1,
        handler: Some(PluginName::parse("restart-service").unwrap()),
        handler_version: Some(Version::new(1, 0, 0)),
        handler_digest: Some("ab".repeat(32)),
        actions: vec!["restarted api".into()],
        error: None,
        detected_at: NOW,
        started_at: Some(NOW + Duration::from_millis(10)),
        finished_at: Some(NOW + Duration::from_millis(2_500)),
        recovery_ms: Some(2_500),
        rto_exceeded: false,
        escalated: false,
        dry_run: false,
        revision: 1,
        steps: Vec::new(),
        due: None,
        cut_off: false,
        interruptions: 0,
        acted_by: None,
        output: None,
        cancel_asked: None,
        runbook: Vec::new(),
        approval: None,
        chain: None,
        doubt: None,
        signals: Vec::new(),
        validation_results: Vec::new(),
    };
    let entry = |kind, result| EffectEntry {
        operation: id.clone(),
        number: 1,
        at: NOW + Duration::from_millis(20),
        kind,
        effect: mainstay_domain::effect::Effect::TargetRestart {
            target: "api".into(),
        },
        result,
        call: None,
        request_hash: None,
        fencing: 0,
        before: None,
        until: None,
    };
    let done = Ok(mainstay_domain::effect::Answer::Done);
    let journal = vec![
        entry(EntryKind::Intent, None),
        entry(EntryKind::Result, Some(done)),
    ];
    (operation, journal)
}

/// A verified full backup of the job `state`.
pub(crate) fn backup(number: u8) -> BackupRecord {
    BackupRecord {
        status: BackupStatus::Verified,
        documents: 3,
        size_bytes: 12_345,
        stored_bytes: 2_345,
        root_hash: "cd".repeat(32),
        verified_at: Some(NOW),
        ..BackupRecord::begun(backup_id(number), job("state"), BackupType::Full, NOW)
    }
}

/// An open incident.
pub(crate) fn incident() -> Incident {
    Incident {
        id: IncidentId::parse("inc-01K0000000000000000000000A").unwrap(),
        target: target("api"),
        failure: FailureType::parse("api-gateway-down").unwrap(),
        severity: Severity::High,
        state: mainstay_domain::incident::IncidentState::Open,
        by_hand: false,
        opened_at: NOW,
        closed_at: None,
        recurrence: 0,
        evidence: vec![Evidence {
            check: "http".into(),
            observed_at: NOW,
            message: "connection refused".into(),
            value: None,
            output: None,
            score: None,
        }],
        affected: vec!["external-api".into()],
        escalated: false,
        relapses: 0,
        attempts: 0,
        failures_in_a_row: 0,
        tried_at: None,
        relapse_until: None,
        missing: None,
        openings: Vec::new(),
        rto_exceeded_at: None,
        handed_over: None,
        calm_ms: None,
        attempts_before: None,
        escalation: Default::default(),
    }
}

impl FakeWorld {
    /// A world with one operation, one incident, one backup and two events, whose subscribers keep `capacity` events.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let world = Self {
            events: Mutex::default(),
            outbox: Mutex::default(),
            failing_commits: AtomicU32::new(0),
            sender: broadcast::channel(capacity).0,
            operations: Mutex::new(vec![operation(1)]),
            incidents: Mutex::new(vec![incident()]),
            backups: Mutex::new(vec![backup(1)]),
            commands: Arc::default(),
            paused: Mutex::default(),
            phase: Mutex::default(),
            gathered: AtomicU32::new(0),
            clock_ms: AtomicU64::new(0),
            failing_reads: AtomicU32::new(0),
            largest_read: AtomicU32::new(0),
            groups: Mutex::default(),
            gate: Arc::new(Semaphore::new(0)),
            turn: Arc::default(),
        };
        world.happen(EventKind::HostStarted, |event| event);
        world.happen(EventKind::OperationSucceeded, |event| {
            event
                .with_target(&target("api"))
                .with_plugin("restart-service@1.0.0")
                .with_operation(&operation_id(1))
        });
        Arc::new(world)
    }

    /// Writes an event and tells the subscribers.
    pub(crate) fn happen(&self, kind: EventKind, about: impl FnOnce(Event) -> Event) {
        let mut events = self.events.lock();
        let mut event = about(Event::new(kind, Severity::Low, NOW, kind.as_str()));
        event.seq = events.len() as u64 + 1;
        events.push(event.clone());
        // Nobody may be listening.
        let _ = self.sender.send(Arc::new(event));
    }

    /// Puts an alert into the outbox, or changes it where it is.
    pub(crate) fn put(&self, entry: OutboxEntry) {
        let mut outbox = self.outbox.lock();
        let is_it =
            |one: &&mut OutboxEntry| one.alert.id == entry.alert.id && one.alerter == entry.alerter;
        match outbox.iter_mut().find(is_it) {
            Some(there) => *there = entry,
            None => outbox.push(entry),
        }
    }

    fn command(&self, text: String) {
        self.commands.lock().push(text);
    }

    /// Waits its turn, and works in a task of its own, as the real service does; `done`, in words, is what it commands
    /// at its end.
    async fn work(&self, progress: OnProgress, done: Option<String>) {
        let turn = self.turn.clone().lock_owned().await;
        let (gate, commands) = (self.gate.clone(), self.commands.clone());
        let begun = tokio::spawn(async move {
            let _turn = turn;
            for documents in 1..=3 {
                gate.acquire().await.unwrap().forget();
                progress(Progress {
                    documents,
                    total: Some(3),
                    bytes: documents * 100,
                    total_bytes: None,
                });
            }
            gate.acquire().await.unwrap().forget();
            commands.lock().extend(done);
        });
        begun.await.unwrap();
    }

    /// How much long work has its turn in its own hands, or waits for it.
    pub(crate) fn in_line(&self) -> usize {
        Arc::strong_count(&self.turn) - 1
    }

    fn decided(&self, decision: Decision) -> Result<Operation, Refused> {
        let Decision {
            id,
            revision: _,
            verb,
            by,
            reason,
        } = decision;
        self.command(format!("{verb:?} {id} by {by}: {reason}"));
        let operations = self.operations.lock();
        let found = operations.iter().find(|(operation, _)| operation.id == id);
        found
            .map(|(operation, _)| operation.clone())
            .ok_or_else(|| {
                Refused(format!(
                    "there is no operation {id}; `mainstay history` lists them"
                ))
            })
    }
}

/// Whether one was left.
fn one_less(left: &AtomicU32) -> bool {
    let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
    left.fetch_update(set, get, |left| left.checked_sub(1))
        .is_ok()
}

fn ready<'a, T: Send + 'a>(value: T) -> Boxed<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Clock for FakeWorld {
    fn now(&self) -> Timestamp {
        NOW + Duration::from_secs(60)
    }
    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(self.clock_ms.load(Ordering::SeqCst)))
    }
    fn with_suspension(&self) -> Monotonic {
        self.monotonic()
    }
}

/// One secret, whose value is `hunter2`.
impl Secrets for FakeWorld {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        Err(SecretError::Unknown(name.clone()))
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes);
        text.replace("hunter2", "[secret:word]").into_bytes()
    }
}

impl Accounts for FakeWorld {
    fn name(&self, _uid: u32) -> Option<String> {
        Some("keeper".to_owned())
    }
    fn user(&self, _name: &str) -> Option<u32> {
        None
    }
    fn group(&self, _name: &str) -> Option<u32> {
        None
    }
    fn groups(&self, _uid: u32) -> Vec<u32> {
        self.groups.lock().clone()
    }
}

impl Journal for FakeWorld {
    fn commit(&self, batch: Batch) -> Commit {
        if one_less(&self.failing_commits) {
            return ready(Err(StoreError::new(
                StoreErrorKind::Full,
                "the journal in memory cannot be written",
            )));
        }
        for change in batch.changes {
            match change {
                Change::Event(event) => self.happen(event.kind, |_| event),
                Change::Alert(entry) => self.put(entry),
                Change::AlertDone(alert, alerter) => self
                    .outbox
                    .lock()
                    .retain(|entry| entry.alert.id != alert || entry.alerter != alerter),
                _ => {}
            }
        }
        ready(Ok(Committed::Durable(Vec::new())))
    }
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }
}

impl Browse for FakeWorld {
    fn history(&self, filter: HistoryFilter) -> Reading<'_, Vec<Operation>> {
        let operations = self.operations.lock();
        let fits = |operation: &Operation| {
            filter
                .target
                .as_ref()
                .is_none_or(|target| *target == operation.target)
                && filter
                    .failure
                    .as_ref()
                    .is_none_or(|failure| *failure == operation.failure)
                && filter.state.is_none_or(|state| state == operation.state)
                && filter
                    .since
                    .is_none_or(|since| since <= operation.detected_at)
        };
        let newest = operations.iter().rev().map(|(operation, _)| operation);
        let skipped = filter.before.as_ref().map_or(0, |before| {
            let place = newest.clone().position(|operation| operation.id == *before);
            place.map_or(usize::MAX, |place| place + 1)
        });
        let found = newest.skip(skipped).cloned();
        ready(Ok(found.filter(fits).take(filter.limit as usize).collect()))
    }
    fn operation(&self, id: OperationId) -> Reading<'_, Option<(Operation, Vec<EffectEntry>)>> {
        let operations = self.operations.lock();
        ready(Ok(operations
            .iter()
            .find(|(found, _)| found.id == id)
            .cloned()))
    }
    fn calls(&self, _: OperationId) -> Reading<'_, Vec<RecordedCall>> {
        ready(Ok(Vec::new()))
    }
    fn incidents(&self, filter: IncidentFilter) -> Reading<'_, Vec<Incident>> {
        let incidents = self.incidents.lock();
        let skipped = filter.before.map_or(0, |before| {
            let place = incidents.iter().position(|incident| incident.id == before);
            place.map_or(usize::MAX, |place| place + 1)
        });
        let found = incidents.iter().skip(skipped).filter(|incident| {
            (!filter.open_only || incident.state.is_open())
                && filter
                    .target
                    .as_ref()
                    .is_none_or(|target| *target == incident.target)
                && filter.since.is_none_or(|since| since <= incident.opened_at)
        });
        ready(Ok(found.take(filter.limit as usize).cloned().collect()))
    }
    fn incident(&self, id: IncidentId) -> Reading<'_, Option<Incident>> {
        let incidents = self.incidents.lock();
        ready(Ok(incidents
            .iter()
            .find(|incident| incident.id == id)
            .cloned()))
    }
    fn events(&self, after: u64, limit: u32) -> Reading<'_, Vec<Event>> {
        self.largest_read.fetch_max(limit, Ordering::Relaxed);
        if one_less(&self.failing_reads) {
            return ready(Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "the journal in memory cannot be read",
            )));
        }
        let events = self.events.lock();
        let found = events.iter().filter(|event| event.seq > after);
        ready(Ok(found.take(limit as usize).cloned().collect()))
    }
    fn events_like(&self, filter: EventFilter, after: u64, limit: u32) -> Reading<'_, Vec<Event>> {
        self.largest_read.fetch_max(limit, Ordering::Relaxed);
        let events = self.events.lock();
        let found = events
            .iter()
            .filter(|event| event.seq > after && filter.fits(event));
        ready(Ok(found.take(limit as usize).cloned().collect()))
    }
    fn events_of(
        &self,
        kinds: &'static [EventKind],
        after: u64,
        limit: u32,
    ) -> Reading<'_, Vec<Event>> {
        let events = self.events.lock();
        let found = events
            .iter()
            .filter(|event| event.seq > after && kinds.contains(&event.kind));
        ready(Ok(found.take(limit as usize).cloned().collect()))
    }
    fn notes(&self, about: String, limit: u32) -> Reading<'_, Vec<Event>> {
        let events = self.events.lock();
        let found = events.iter().filter(|event| {
            let operation = event.operation.as_ref().map(ToString::to_string);
            match &event.data {
                EventData::NoteAdded(facts) => match &facts.incident {
                    Some(incident) => incident.to_string() == about,
                    None => operation.as_deref() == Some(about.as_str()),
                },
                _ => false,
            }
        });
        ready(Ok(found.take(limit as usize).cloned().collect()))
    }
    fn alerts(&self, filter: AlertFilter) -> Reading<'_, Vec<Event>> {
        let events = self.events.lock();
        let ends = [EventKind::AlertDelivered, EventKind::AlertAbandoned];
        let remembered = events
            .iter()
            .rev()
            .filter(|event| ends.contains(&event.kind));
        let remembered = remembered.take(AlertFilter::REMEMBERED as usize);
        let alerter = filter.alerter.as_ref().map(PluginName::as_str);
        let found = remembered.filter(|event| {
            (filter.target.is_none() || event.target == filter.target)
                && (alerter.is_none() || event.plugin.as_deref() == alerter)
                && (!filter.abandoned_only || event.kind == EventKind::AlertAbandoned)
                && filter.since.is_none_or(|since| event.at >= since)
                && filter.before.is_none_or(|before| event.seq < before)
        });
        ready(Ok(found.take(filter.limit as usize).cloned().collect()))
    }
    fn audit(&self, filter: AuditFilter) -> Reading<'_, Vec<AuditRow>> {
        let events = self.events.lock();
        let context = AuditContext::default();
        let records = events.iter().filter_map(|event| record_of(event, &context));
        let mut rows: Vec<AuditRow> = Vec::new();
        for (number, record) in (1..).zip(records) {
            let before = rows.last().map_or("", |row| row.digest.as_str());
            let digest = digest(before, number, &serde_json::to_string(&record).unwrap());
            rows.push(AuditRow {
                number,
                digest,
                record,
            });
        }
        let target = filter.target.as_ref().map(ToString::to_string);
        rows.retain(|row| {
            filter.before.is_none_or(|before| row.number < before)
                && (target.is_none() || row.record.target == target)
                && filter.since.is_none_or(|since| row.record.at >= since)
        });
        rows.reverse();
        rows.truncate(filter.limit as usize);
        ready(Ok(rows))
    }
    fn statistics(&self, filter: StatisticsFilter) -> Reading<'_, Vec<TargetStatistics>> {
        let numbers = TargetStatistics {
            incidents: 2,
            recoveries: 3,
            failures: 1,
            timed: 3,
            mean_ms: Some(2_500),
            median_ms: Some(2_000),
            p95_ms: Some(4_000),
            late: 1,
            relapses: 1,
            known: filter.until.since(filter.since) / 2,
            down: filter.until.since(filter.since) / 4,
            ..TargetStatistics::none(target("api"))
        };
        let window = filter.until.since(filter.since);
        let others = filter.configured.into_iter().map(|name| TargetStatistics {
            known: window,
            ..TargetStatistics::none(name)
        });
        let mut found = vec![numbers];
        found.extend(others.filter(|numbers| numbers.target != target("api")));
        found.retain(|numbers| {
            let asked = filter.target.as_ref();
            asked.is_none_or(|asked| *asked == numbers.target)
        });
        ready(Ok(found))
    }
    fn renames(&self, target: Option<TargetName>, limit: u32) -> Reading<'_, Vec<Event>> {
        let events = self.events.lock();
        let found = events.iter().rev().filter(|event| {
            let is_asked_for = target.is_none() || event.target == target;
            event.kind == EventKind::TargetRenamed && is_asked_for
        });
        ready(Ok(found.take(limit as usize).cloned().collect()))
    }
    fn last_events(&self, limit: u32) -> Reading<'_, Vec<Event>> {
        self.largest_read.fetch_max(limit, Ordering::Relaxed);
        let events = self.events.lock();
        let skipped = events.len().saturating_sub(limit as usize);
        ready(Ok(events.iter().skip(skipped).cloned().collect()))
    }
    fn seq_before_newest(&self, count: u32) -> Reading<'_, u64> {
        let events = self.events.lock();
        let found = events.iter().rev().nth(count as usize);
        ready(Ok(found.map_or(0, |event| event.seq)))
    }
    fn seq_before_newest_like(&self, filter: EventFilter, count: u32) -> Reading<'_, u64> {
        let events = self.events.lock();
        let mut found = events.iter().rev().filter(|event| filter.fits(event));
        ready(Ok(found.nth(count as usize).map_or(0, |event| event.seq)))
    }
}

impl SilenceControl for FakeWorld {
    fn silence(&self, request: SilenceRequest) -> Boxed<'_, Result<(Silence, Timestamp), Refused>> {
        let SilenceRequest {
            of,
            length,
            reason,
            by,
        } = request;
        self.command(format!("silence {of} for {length:?} by {by}: {reason}"));
        let silence = Silence {
            id: SilenceId::parse("sil-01K0000000000000000000000A").unwrap(),
            of,
            since: NOW,
            length,
            reason,
            by,
        };
        ready(Ok((silence, NOW + length)))
    }
    fn unsilence(&self, id: SilenceId, by: Actor) -> Boxed<'_, Result<(), Refused>> {
        self.command(format!("unsilence {id} by {by}"));
        ready(Ok(()))
    }
    fn silences(&self) -> Vec<(Silence, Timestamp)> {
        Vec::new()
    }
}

impl Notes for FakeWorld {
    fn add(&self, request: NoteRequest) -> Boxed<'_, Result<Event, Refused>> {
        let NoteRequest {
            about,
            target,
            text,
            by,
        } = request;
        let (incident, operation) = match about {
            Noted::Incident(id) => (Some(id), None),
            Noted::Operation(id) => (None, Some(id)),
        };
        let facts = NoteAdded {
            incident,
            by: by.name,
            note: by.note,
            text,
        };
        let mut added = Event::new(EventKind::NoteAdded, Severity::Low, NOW, "a note")
            .with_target(&target)
            .with_data(facts);
        added.operation = operation;
        self.happen(EventKind::NoteAdded, |_| added.clone());
        ready(Ok(added))
    }
}

impl AlertTests for FakeWorld {
    fn alerters(&self) -> Vec<PluginName> {
        ["pager", "mail"]
            .map(|name| PluginName::parse(name).unwrap())
            .into()
    }
    fn test(&self, alerter: Option<PluginName>, by: Actor) -> Boxed<'_, Vec<TestedAlerter>> {
        self.command(format!("test {alerter:?} by {by}"));
        let all = self.alerters().into_iter();
        let asked = all.filter(|name| alerter.as_ref().is_none_or(|asked| asked == name));
        let tested = asked.map(|alerter| TestedAlerter {
            delivery: match alerter.as_str() {
                "mail" => Delivery::Refused("no such address".to_owned()),
                _ => Delivery::Delivered {
                    by: PluginIdentity {
                        name: alerter.clone(),
                        version: Version::new(1, 0, 0),
                        digest: "ab".repeat(32),
                    },
                    reference: Some("message 7".to_owned()),
                },
            },
            alerter,
        });
        ready(tested.collect())
    }
}

impl RecoveryControl for FakeWorld {
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>> {
        let RecoverRequest {
            target: name,
            failure,
            dry_run,
            mode,
            by,
        } = request;
        if name != target("api") {
            let why = format!("there is no target {name}; `mainstay status --all` lists them");
            return ready(Err(Refused(why)));
        }
        self.command(format!(
            "recover {name} from {failure} by {by}, dry run {dry_run}"
        ));
        let (mut operation, journal) = operation(2);
        operation.dry_run = dry_run;
        operation.mode = mode;
        let id = operation.id.clone();
        self.operations.lock().push((operation, journal));
        self.happen(EventKind::OperationSucceeded, |event| {
            event.with_operation(&id)
        });
        ready(Ok(id))
    }
    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>> {
        ready(self.decided(decision))
    }
    fn acknowledge(&self, request: AcknowledgeRequest) -> Boxed<'_, Result<(), Refused>> {
        let AcknowledgeRequest {
            incident,
            target,
            failure,
            reason,
            by,
        } = request;
        self.command(format!(
            "take on {incident}, {failure} of {target}, by {by}: {reason}"
        ));
        ready(Ok(()))
    }
    fn resolve(&self, resolution: Resolution) -> Boxed<'_, Result<Operation, Refused>> {
        let Resolution {
            id,
            number,
            found,
            by,
        } = resolution;
        self.command(format!("Resolve {id} {number} {found:?} by {by}"));
        let operations = self.operations.lock();
        let mut found = operations.iter().map(|(operation, _)| operation);
        let found = found.find(|operation| operation.id == id).cloned();
        ready(found.ok_or_else(|| Refused(format!("there is no operation {id}"))))
    }
    fn signal(&self, signal: NewSignal) -> Boxed<'_, Result<Operation, Refused>> {
        let NewSignal { id, name, text, by } = signal;
        self.command(format!("Signal {name} to {id} by {by}: {text}"));
        let operations = self.operations.lock();
        let mut found = operations.iter().map(|(operation, _)| operation);
        let found = found.find(|operation| operation.id == id).cloned();
        ready(found.ok_or_else(|| Refused(format!("there is no operation {id}"))))
    }
    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>> {
        self.command(format!("pause {target:?} {paused} by {by}"));
        let kind = if paused {
            self.paused.lock().insert(target);
            EventKind::HostPaused
        } else {
            self.paused.lock().remove(&target);
            EventKind::HostResumed
        };
        self.happen(kind, |event| event);
        ready(Ok(()))
    }
    fn pause_for(&self, request: PauseRequest) -> Boxed<'_, Result<(), Refused>> {
        let PauseRequest {
            target,
            length,
            reason,
            by,
        } = request;
        self.command(format!("pause {target:?} for {length:?} by {by}: {reason}"));
        self.paused.lock().insert(target);
        self.happen(EventKind::HostPaused, |event| event);
        ready(Ok(()))
    }
    fn is_paused(&self, target: Option<&TargetName>) -> bool {
        self.paused.lock().contains(&target.cloned())
    }
    fn paused_until(&self, _: Option<&TargetName>) -> Option<Timestamp> {
        None
    }
    fn gate(&self) -> Boxed<'_, Option<GateNumbers>> {
        ready(Some(GateNumbers::default()))
    }
    fn active(&self, name: &TargetName) -> Option<Active> {
        (*name == target("api")).then(|| Active {
            incident: Some(incident().id),
            is_failing: true,
            operation: Some(operation_id(1)),
            rests: None,
            held: None,
            pause: None,
            waits: Default::default(),
            operations: Default::default(),
        })
    }
    fn phase(&self) -> Phase {
        *self.phase.lock()
    }
    fn policy(&self, target: TargetName) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        ready(Ok(EffectivePolicy {
            target,
            set: TargetPolicy::default(),
            group: None,
            routes: Vec::new(),
        }))
    }
    fn set_policy(&self, order: PolicyOrder) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        let PolicyOrder {
            target,
            policy,
            clear,
            reason,
            by,
        } = order;
        self.command(format!(
            "policy of {target} by {by}: {reason}; clear {clear}, {policy:?}"
        ));
        ready(Ok(EffectivePolicy {
            target,
            set: policy,
            group: None,
            routes: Vec::new(),
        }))
    }
    fn set_phase(&self, request: PhaseRequest) -> Boxed<'_, Result<(), Refused>> {
        let PhaseRequest { to, reason, by } = request;
        if to == Phase::Launch {
            let why = "there is no way from the phase normal to launch".to_owned();
            return ready(Err(Refused(why)));
        }
        self.command(format!("phase {to} by {by}: {reason}"));
        *self.phase.lock() = to;
        let event = Event::new(EventKind::PhaseChanged, Severity::Low, NOW, "another phase")
            .with_data(PhaseChanged {
                from: Phase::Normal,
                to,
                by: by.name,
                note: by.note,
                reason,
            });
        self.happen(EventKind::PhaseChanged, |_| event);
        ready(Ok(()))
    }
}

/// Two documents in each backup; what was chosen is told as a command.
impl BackupViews for FakeWorld {
    fn documents(
        &self,
        id: BackupId,
        filter: DocumentFilter,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Vec<(DocumentKey, Entry)>, Refused>> {
        Box::pin(async move {
            self.work(progress, Some(format!("documents of {id}")))
                .await;
            let all = ["data", "data/a"].map(|key| DocumentKey::parse(key).unwrap());
            let meant = all.into_iter().filter(|key| filter.only.holds(key));
            Ok(meant.map(|key| (key, entry())).collect())
        })
    }
    fn changes(
        &self,
        from: BackupId,
        to: Option<BackupId>,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Changes, Refused>> {
        Box::pin(async move {
            self.work(progress, Some(format!("changes from {from} to {to:?}")))
                .await;
            let change = DocumentChange {
                key: DocumentKey::parse("data/a").unwrap(),
                kind: ChangeKind::Removed,
                before: Some(entry()),
                after: None,
            };
            Ok(Changes {
                changes: vec![change],
                notes: vec!["not compared: app.sql, which lies in no directory".to_owned()],
            })
        })
    }
    fn content(
        &self,
        id: BackupId,
        key: DocumentKey,
        progress: OnProgress,
        mut take: TakeContent,
    ) -> Boxed<'_, Result<(), Refused>> {
        Box::pin(async move {
            self.work(progress, Some(format!("content of {key} in {id}")))
                .await;
            let taken = tokio::task::spawn_blocking(move || take(b"one") && take(&[0, 255]));
            assert!(taken.await.unwrap());
            Ok(())
        })
    }
}

fn entry() -> Entry {
    Entry {
        kind: DocumentKind::File,
        mode: mainstay_domain::archive::Mode::from_bits(0o640),
        mtime: "2024-01-31T12:00:00Z".parse().unwrap(),
        uid: 1,
        gid: 2,
        size: 3,
        hash: ContentHash::of(b"one"),
        extras: None,
    }
}

impl BackupOperator for FakeWorld {
    fn with_identities(self: Arc<Self>, given: GivenIdentities) -> Arc<dyn BackupOperator> {
        self.command(format!("open with {given:?}"));
        self
    }
    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            if job.as_str() != "state" {
                return Err(Refused(format!(
                    "there is no job {job}; `mainstay status --all` lists them"
                )));
            }
            let done = format!("created {backup_type} of {job}");
            self.work(progress, Some(done)).await;
            Ok(backup(2))
        })
    }
    fn list(&self, job: Option<JobName>) -> Vec<BackupRecord> {
        let backups = self.backups.lock();
        let found = backups
            .iter()
            .filter(|backup| job.as_ref().is_none_or(|job| *job == backup.job));
        found.cloned().collect()
    }
    fn verify(&self, id: BackupId, progress: OnProgress) -> Boxed<'_, Result<ReadBack, Refused>> {
        Box::pin(async move {
            self.work(progress, None).await;
            Err(Refused(format!("{id} is corrupted")))
        })
    }
    fn restore(
        &self,
        request: RestoreRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>> {
        self.command(format!("restore {request:?}"));
        BackupOperator::drill(self, request.job, progress)
    }
    fn asked_as(self: Arc<Self>, _: String) -> Arc<dyn BackupOperator> {
        self
    }
    fn cancel_restore(
        &self,
        job: JobName,
        _: Option<String>,
    ) -> Boxed<'_, Result<Cancelled, Refused>> {
        self.command(format!("cancel the restore of {job}"));
        ready(Ok(Cancelled::Ended))
    }
    fn rebuild(&self) -> Boxed<'_, Result<Rebuilt, Refused>> {
        self.command("rebuild".to_owned());
        ready(Ok(Rebuilt {
            found: vec![backup(3)],
            left_out: Vec::new(),
        }))
    }
    fn rekey(
        &self,
        job: JobName,
        dry_run: bool,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Rekeyed, Refused>> {
        Box::pin(async move {
            let done = format!("rekey {job}, dry run: {dry_run}");
            self.work(progress, Some(done)).await;
            Ok(Rekeyed {
                sealed: vec![backup(1)],
                left: vec!["backup ful-2 is encrypted".to_owned()],
                taken: (!dry_run).then(|| backup(2)),
            })
        })
    }
    fn prune(&self, _: Option<JobName>, _: bool) -> Boxed<'_, Result<Pruned, Refused>> {
        let verdict = Verdict {
            id: backup_id(1).to_string(),
            keep: false,
            reason: "older than 30 days".into(),
            expires: None,
        };
        ready(Ok(Pruned {
            verdicts: vec![verdict],
            expired: vec![backup(1)],
        }))
    }
    fn hold(&self, request: HoldRequest) -> Boxed<'_, Result<BackupRecord, Refused>> {
        self.command(format!("hold {request:?}"));
        ready(Ok(BackupRecord {
            held: true,
            ..backup(1)
        }))
    }
    fn release(&self, id: BackupId, by: Actor) -> Boxed<'_, Result<BackupRecord, Refused>> {
        self.command(format!("release {id} for {by}"));
        ready(Ok(backup(1)))
    }
    fn accept(&self, id: BackupId, by: Actor) -> Boxed<'_, Result<BackupRecord, Refused>> {
        self.command(format!("accept {id} for {by}"));
        ready(Ok(backup(1)))
    }
    fn delete(&self, request: TrashRequest) -> Boxed<'_, Result<BackupRecord, Refused>> {
        self.command(format!("delete {request:?}"));
        ready(Ok(BackupRecord {
            status: BackupStatus::Expired,
            expires: Some(NOW),
            ..backup(1)
        }))
    }
    fn undelete(
        &self,
        request: TrashRequest,
        _: OnProgress,
    ) -> Boxed<'_, Result<Undeleted, Refused>> {
        self.command(format!("undelete {request:?}"));
        ready(Ok(Undeleted {
            backups: vec![backup(1)],
            notes: Vec::new(),
        }))
    }
    fn move_to(
        &self,
        id: BackupId,
        tier: TierName,
        by: Actor,
    ) -> Boxed<'_, Result<BackupRecord, Refused>> {
        self.command(format!("move {id} to {tier} for {by}"));
        ready(Ok(BackupRecord {
            tier: tier.to_string(),
            ..backup(1)
        }))
    }
    fn drill(&self, _: JobName, progress: OnProgress) -> Boxed<'_, Result<Restored, Refused>> {
        Box::pin(async move {
            self.work(progress, None).await;
            let elapsed = Duration::from_millis(7);
            Ok(Restored {
                chain: vec![backup(1)],
                skipped: Vec::new(),
                documents: 3,
                bytes: 12_345,
                not_put_back: NotPutBack::default(),
                notes: Vec::new(),
                elapsed,
            })
        })
    }
    fn take_checkpoint(
        &self,
        request: CheckpointRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            let name = request
                .name
                .map_or_else(String::new, |name| format!(" {name}"));
            let done = format!(
                "took {} checkpoint{name} of {} for {}",
                request.kind, request.job, request.by
            );
            self.work(progress, Some(done)).await;
            Ok(BackupRecord {
                checkpoint: Some(Checkpoint::new(request.kind, None)),
                ..backup(2)
            })
        })
    }
    fn roll_back(
        &self,
        id: BackupId,
        by: Actor,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>> {
        self.command(format!("roll back to {id} for {by}"));
        BackupOperator::drill(self, job("state"), progress)
    }
    fn resume_rolled_back(&self, job: JobName, by: Actor) -> Boxed<'_, Result<(), Refused>> {
        self.command(format!("resume {job} after a rollback for {by}"));
        ready(Ok(()))
    }
    fn unwell_tiers(&self) -> Vec<UnwellTier> {
        vec![UnwellTier {
            tier: TierName::parse("nas").unwrap(),
            failed_at: NOW,
            why: "it is not mounted".to_owned(),
            rests_until: None,
        }]
    }
    fn jobs(&self) -> Vec<JobStatus> {
        vec![JobStatus {
            name: job("state"),
            last_verified: Some(NOW),
            last_status: Some(BackupStatus::Verified),
            last_incomplete: false,
            last_error: None,
            next_due: Some(NOW + Duration::from_secs(3_600)),
            rpo_met: Some(true),
            waits: None,
            last_checkpoint: None,
            next_checkpoint: Some(NOW + Duration::from_secs(900)),
            last_drill: None,
        }]
    }
}

impl Watch for FakeWorld {
    fn check_now(&self, _: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
        ready(Ok(Vec::new()))
    }
    fn last_looks(&self, name: &TargetName) -> Vec<Looked> {
        let check = CheckName::parse("http").unwrap();
        let seen = Observation {
            target: name.clone(),
            check: check.clone(),
            outcome: Outcome::Failed,
            evidence: Evidence {
                check: check.to_string(),
                observed_at: NOW,
                message: "connection refused".to_owned(),
                value: None,
                output: None,
                score: None,
            },
        };
        vec![Looked {
            check,
            seen: Some(seen),
            unit: None,
            took: Duration::from_micros(1_500),
        }]
    }
    fn last_lines(&self, _: TargetName) -> Boxed<'_, Option<String>> {
        ready(Some("FATAL: no space left".to_owned()))
    }
    fn end_of_log(&self, _: TargetName) -> Boxed<'_, Option<LogEnd>> {
        ready(Some(LogEnd {
            text: "starting\nFATAL: no space left\n".to_owned(),
            bytes: 30,
        }))
    }
    fn handler_acted(&self, _: &TargetName) {}
    fn is_failing(&self, _: &TargetName, _: &FailureType) -> bool {
        false
    }
    fn health(&self, name: &TargetName) -> Option<(Health, CircuitState)> {
        (*name == target("api")).then_some((Health::Failed, CircuitState::Open))
    }
    fn heartbeat(&self, name: &TargetName) -> bool {
        self.command(format!("heartbeat {name}"));
        *name == target("api")
    }
}

impl TargetControl for FakeWorld {
    fn status(&self, name: &TargetName) -> Option<TargetStatus> {
        (*name == target("api")).then_some(TargetStatus {
            health: Health::Failed,
            running: Some(true),
            pid: Some(4_242),
            started_at: Some(NOW),
            restarts: 2,
        })
    }
    fn start(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        ready(Ok(()))
    }
    fn stop(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        ready(Ok(()))
    }
    fn restart(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        ready(Ok(()))
    }
    fn signal(&self, _: TargetName, _: Signal) -> Boxed<'_, Result<(), EffectError>> {
        ready(Ok(()))
    }
}

impl TargetOperator for FakeWorld {
    fn command(&self, command: TargetCommand) -> Boxed<'_, Result<TakenCommand, Refused>> {
        let TargetCommand {
            target: name,
            verb,
            by,
            reason,
        } = command;
        self.command(format!("{verb:?} {name} by {by}: {reason}"));
        let kind = match verb {
            TargetVerb::Start => EventKind::TargetStarted,
            TargetVerb::Stop => EventKind::TargetStopped,
            TargetVerb::Restart => EventKind::TargetRestarted,
            TargetVerb::Reload => EventKind::TargetReloaded,
        };
        self.happen(kind, |event| event.with_target(&name));
        ready(Ok(TakenCommand {
            dependents: vec![target("redis")],
            work: Box::pin(std::future::ready(())),
        }))
    }
    fn drill(&self, request: DrillRequest) -> Boxed<'_, Result<TakenCommand, Refused>> {
        let DrillRequest {
            target: name,
            failure,
            method,
            by,
        } = request;
        self.command(format!("drill {name} from {failure} by {method}, by {by}"));
        self.happen(EventKind::TargetDrilled, |event| event.with_target(&name));
        ready(Ok(TakenCommand {
            dependents: Vec::new(),
            work: Box::pin(std::future::ready(())),
        }))
    }
    fn report(&self, request: ReportRequest) -> Boxed<'_, Result<Reported, Refused>> {
        self.command(format!("report {request:?}"));
        ready(Ok(Reported {
            severity: request.severity.unwrap_or(Severity::Medium),
            until: request.lasts.map(|lasts| NOW + lasts),
            target: request.target,
            failure: request.failure,
            confidence: request.confidence,
            score: request.score,
            message: request.message,
            by: request.by.name,
            note: request.by.note,
            at: NOW,
        }))
    }
}

impl PluginView for FakeWorld {
    fn rows(&self) -> Vec<PluginRow> {
        vec![PluginRow {
            name: Some(PluginName::parse("restart-service").unwrap()),
            version: Some(Version::new(1, 0, 0)),
            kind: Some(mainstay_domain::plugin::PluginKind::RecoveryHandler),
            state: mainstay_domain::plugin::PluginState::Serving,
            contract: Some(Version::new(1, 0, 0)),
            file: Some("restart-service.wasm".into()),
            digest: "ab".repeat(32),
            serves: vec!["api-gateway-down".into()],
            calls: 5,
            failures: 1,
            last_error: Some("no answer".into()),
            quarantined: false,
            instances: vec![PluginInstanceRow {
                name: PluginName::parse("restart-gently").unwrap(),
                calls: 2,
                failures: 0,
                last_error: None,
                quarantined: false,
            }],
        }]
    }
    fn forget(
        &self,
        name: PluginName,
        version: Version,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>> {
        self.command(format!("forget {name}@{version} by {by}"));
        ready(Ok(()))
    }
}

impl HostView for FakeWorld {
    fn facts(&self) -> StatusFacts {
        self.gathered.fetch_add(1, Ordering::SeqCst);
        StatusFacts {
            name: "example".into(),
            version: "0.1.0".into(),
            charter: None,
            backup_key: None,
            started_at: NOW,
            contract_versions: vec!["1.0.0".into()],
            config_digest: "ef".repeat(32),
            targets: [(target("api"), 1), (target("redis"), 5)].into(),
            unhandled_routes: vec!["the route for redis-down has no handler".into()],
            alerters: vec![AlerterState {
                name: PluginName::parse("webhook").unwrap(),
                serves: true,
                undelivered: 0,
                last_error: None,
                since: None,
            }],
            maintenance: vec![OpenWindow {
                targets: vec![target("redis")],
                since: NOW,
                until: NOW + Duration::from_secs(3_600),
                holds_alerts: true,
                pauses_recovery: false,
            }],
        }
    }
    fn last_reload(&self) -> Option<LastReload> {
        Some(LastReload {
            at: NOW,
            ok: false,
            error: Some("mainstay.toml:3:1: no".into()),
        })
    }
}

impl ConditionView for FakeWorld {
    fn condition(&self) -> HostCondition {
        let targets = ["api", "redis"].map(|name| self.health(&target(name)).unwrap_or_default());
        HostCondition {
            health: HostHealth::of(targets, 7),
            mode: self.mode(),
            mode_since: NOW,
        }
    }
    fn mode(&self) -> FallbackMode {
        FallbackMode::Heuristic
    }
}

impl Coordinator for FakeWorld {
    fn startup(&self, _: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>> {
        ready(Ok(()))
    }
    fn shutdown(&self) -> Boxed<'_, Result<(), CoordinationError>> {
        ready(Ok(()))
    }
    fn elect_leader(&self) -> Boxed<'_, Result<bool, CoordinationError>> {
        ready(Ok(true))
    }
    fn assign_work(&self, _: Work) -> Boxed<'_, Result<String, CoordinationError>> {
        ready(Ok("example".to_owned()))
    }
    fn heartbeat(&self, _: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>> {
        ready(Ok(()))
    }
    fn get_nodes(&self) -> Boxed<'_, Result<Vec<NodeInfo>, CoordinationError>> {
        ready(Ok(vec![NodeInfo {
            name: "example".to_owned(),
            version: "0.1.0".to_owned(),
            state: NodeState::Live,
            is_leader: true,
            health: Health::Failed,
            health_score: 0.0,
            mode: FallbackMode::Heuristic,
            last_seen: Some(Duration::from_millis(1_500)),
        }]))
    }
    fn get_consensus(&self) -> Boxed<'_, Result<Consensus, CoordinationError>> {
        let vote = NodeVote {
            node: "example".to_owned(),
            circuit: CircuitState::Open,
            mode: FallbackMode::Heuristic,
        };
        ready(Ok(Consensus::of(&[vote], 1, Some("example".to_owned()))))
    }
}

/// An identifier that no fake holds.
pub(crate) fn unknown_operation() -> OperationId {
    OperationId::new(IdSource::new(1).next(NOW))
}

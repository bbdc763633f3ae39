//! Sessions against a world that notes what it is told, and whose HTTP requests take as long as the test wants.

mod costs;
mod crashes;
mod signals;

use super::*;
use crate::{
    ports::{
        AnswerBound, Batch, Boxed, Commit, Haste, Journal, RecordedWrite, SecretError,
        fakes::FakeWorld,
    },
    services::testing::{
        DEADLINE, ManualClock, MemoryJournal,
        specs::{child, failure, name, spec, target},
        wait_until, within,
    },
};
use mainstay_domain::{
    backup::{BackupSummary, BackupType},
    blob::Blob,
    call::RecoverRequest,
    call_record::{CALL_FORMAT, CallRecord, CallSeed, RecordedLimits},
    effect::{
        Answer, CommandOutput, Effect, EffectError, HttpMethod, HttpRequest, HttpResponse,
        MailMessage, Signal, TargetStatus,
    },
    event::Event,
    id::{AlertId, OperationId},
    mail::Letter,
    mail_address::{MailAddress, Recipients},
    name::{CheckName, CommandName, JobName, MailAccountName, PluginName, SecretName, TargetName},
    plugin::{PluginIdentity, PluginKind},
    record::{Change, EffectEntry, EntryKind},
    replay::{Halt, Recorded},
    secret::SecretHandles,
    severity::Severity,
    spec::{
        CommandSpec, Grants, HttpOrigin, Limits, MailAccount, MailTls, PluginSpec, RunAs, Spec,
    },
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{path::PathBuf, time::Duration};
use tokio::sync::{Semaphore, broadcast, watch};

/// Everything but HTTP, targets, commands and the writing of values is not there.
struct World {
    /// A request takes a permit before it is answered.
    gate: Semaphore,
    /// Each request, and what stands for secrets in it.
    sent: Mutex<Vec<(HttpRequest, Arc<SecretHandles>)>>,
    /// The idempotency key of each.
    keys: Mutex<Vec<String>>,
    /// Every text that targets, commands and values were given.
    told: Mutex<Vec<String>>,
}

fn not_there<'a, T: Send + 'a>() -> Boxed<'a, Result<T, EffectError>> {
    Box::pin(async { Err(EffectError::Failed("not in this world".to_owned())) })
}

impl HttpClient for World {
    fn send(
        &self,
        request: HttpRequest,
        _: Vec<HttpOrigin>,
        secrets: Arc<SecretHandles>,
        key: Option<String>,
        _: Duration,
        _: AnswerBound,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>> {
        Box::pin(async move {
            self.keys.lock().extend(key);
            self.sent.lock().push((request, secrets));
            self.gate.acquire().await.unwrap().forget();
            Ok(HttpResponse {
                status: 204,
                headers: Vec::new(),
                body: Blob::default(),
            })
        })
    }
}

impl MailSender for World {
    fn send(&self, letter: Letter, _: MailAccount) -> Boxed<'_, Result<(), EffectError>> {
        self.told.lock().push(letter.message_id);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl World {
    fn target(&self, what: &str, target: &TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.told.lock().push(format!("{what} {target}"));
        Box::pin(std::future::ready(Ok(())))
    }
}

impl TargetControl for World {
    fn status(&self, _: &TargetName) -> Option<TargetStatus> {
        None
    }
    fn start(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.target("start", &target)
    }
    fn stop(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.target("stop", &target)
    }
    fn restart(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.target("restart", &target)
    }
    fn signal(&self, target: TargetName, _: Signal) -> Boxed<'_, Result<(), EffectError>> {
        self.target("signal", &target)
    }
}

impl Commands for World {
    fn run(
        &self,
        _: CommandName,
        _: CommandSpec,
        arguments: Vec<(String, String)>,
        _: String,
        _: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        let mut told = self.told.lock();
        told.extend(arguments.into_iter().map(|(_, value)| value));
        not_there()
    }
    fn run_foreign(
        &self,
        _: TargetName,
        _: Vec<String>,
        _: PathBuf,
        _: Duration,
        _: RunAs,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        not_there()
    }
}

impl Values for World {
    fn get(&self, _: PluginName, _: String) -> Boxed<'_, Result<Option<Vec<u8>>, EffectError>> {
        not_there()
    }
    fn set(
        &self,
        _: PluginName,
        key: String,
        value: Option<Vec<u8>>,
        _: u64,
    ) -> Boxed<'_, Result<(), EffectError>> {
        let value = String::from_utf8(value.unwrap_or_default()).unwrap();
        self.told.lock().extend([key, value]);
        not_there()
    }
    fn compare_and_set(
        &self,
        _: PluginName,
        _: String,
        _: Option<Vec<u8>>,
        _: Vec<u8>,
        _: u64,
    ) -> Boxed<'_, Result<bool, EffectError>> {
        not_there()
    }
    fn keys(&self, _: PluginName, _: String) -> Boxed<'_, Result<Vec<String>, EffectError>> {
        not_there()
    }
    fn write_recorded(&self, write: RecordedWrite) -> Boxed<'_, Result<bool, EffectError>> {
        self.told.lock().push(format!("write {}", write.key));
        Box::pin(std::future::ready(Ok(write.expected.is_none())))
    }
}

impl BackupControl for World {
    fn newest(
        &self,
        _: JobName,
        _: Option<Timestamp>,
    ) -> Boxed<'_, Result<Option<BackupSummary>, EffectError>> {
        not_there()
    }
    fn create(
        &self,
        _: JobName,
        _: BackupType,
        _: String,
    ) -> Boxed<'_, Result<BackupSummary, EffectError>> {
        not_there()
    }
    fn restore(&self, _: JobName, _: String) -> Boxed<'_, Result<(u64, u64), EffectError>> {
        not_there()
    }
    fn restorable(&self, _: &str) -> (u64, u64) {
        (0, 0)
    }
}

impl Secrets for World {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        Err(SecretError::Unknown(name.clone()))
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// A journal in which nothing is durable before there is a permit for it.
struct Slow {
    journal: Arc<MemoryJournal>,
    gate: Arc<Semaphore>,
}

impl Journal for Slow {
    fn commit(&self, batch: Batch) -> Commit {
        let (commit, gate) = (self.journal.commit(batch), self.gate.clone());
        Box::pin(async move {
            gate.acquire_owned().await.unwrap().forget();
            commit.await
        })
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.journal.subscribe()
    }
}

struct Bench {
    world: Arc<World>,
    journal: Arc<MemoryJournal>,
    spec: watch::Receiver<Arc<Spec>>,
    call: Call,
    inbox: SignalInbox,
}

fn operation() -> OperationId {
    OperationId::parse("op-01K0000000000000000000000A").unwrap()
}

fn recovers(dry_run: bool, effects: u32) -> Purpose {
    Purpose::Recover {
        operation: operation(),
        target: name("api"),
        dry_run,
        effects,
    }
}

/// The caller is the plugin `caller`, at work for an operation.
fn bench() -> Bench {
    let world = Arc::new(World {
        gate: Semaphore::new(0),
        sent: Mutex::default(),
        keys: Mutex::default(),
        told: Mutex::default(),
    });
    let call = Call {
        plugin: Arc::new(PluginIdentity {
            name: PluginName::parse("caller").unwrap(),
            version: semver::Version::new(1, 0, 0),
            digest: "ab".repeat(32),
        }),
        kind: PluginKind::RecoveryHandler,
        purpose: recovers(false, 0),
        grants: Arc::new(Grants::default()),
        secrets: Arc::default(),
        limits: Limits::default(),
        seed: [7; 32],
        record: None,
        replay: None,
    };
    Bench {
        world,
        journal: MemoryJournal::new(),
        spec: watch::channel(spec(Vec::new())).1,
        call,
        inbox: SignalInbox::default(),
    }
}

impl Bench {
    /// A session for a call as the bench has it now.
    fn session(&self) -> Box<dyn EffectSession> {
        self.session_over(self.journal.clone())
    }

    fn session_over(&self, journal: Arc<dyn Journal>) -> Box<dyn EffectSession> {
        self.sessions_over(journal)
            .begin(&Arc::new(self.call.clone()))
    }

    fn sessions_over(&self, journal: Arc<dyn Journal>) -> EffectSessions {
        EffectSessions::new(Effects {
            shared: Shared {
                journal,
                clock: ManualClock::new(),
                spec: self.spec.clone(),
            },
            targets: self.world.clone(),
            watch: FakeWorld::new(16),
            commands: self.world.clone(),
            http: self.world.clone(),
            mail: self.world.clone(),
            values: self.world.clone(),
            backups: self.world.clone(),
            secrets: self.world.clone(),
            inbox: self.inbox.clone(),
        })
    }

    /// The first effect of a call.
    async fn perform(&self, effect: Effect) -> Result<Answer, EffectError> {
        within(self.session().perform(effect)).await
    }

    fn entries(&self) -> Vec<EffectEntry> {
        let entries = self.journal.changes().into_iter();
        let entries = entries.filter_map(|change| match change {
            Change::Effect(entry) => Some(entry),
            _ => None,
        });
        entries.collect()
    }

    /// Kind and number of each entry.
    fn written(&self) -> Vec<(EntryKind, u32)> {
        let entries = self.entries();
        entries
            .iter()
            .map(|entry| (entry.kind, entry.number))
            .collect()
    }

    fn sent(&self) -> usize {
        self.world.sent.lock().len()
    }
}

/// Fails where it ends within a moment.
async fn hangs<T>(what: &str, work: impl Future<Output = T>) {
    let moment = Duration::from_millis(20);
    assert!(tokio::time::timeout(moment, work).await.is_err(), "{what}");
}

fn request(method: HttpMethod) -> Effect {
    Effect::HttpSend(HttpRequest {
        method,
        url: "https://hooks.example/".to_owned(),
        headers: Vec::new(),
        body: Blob::default(),
        timeout_ms: None,
        signing: None,
    })
}

fn restart() -> Effect {
    Effect::TargetRestart {
        target: "api".to_owned(),
    }
}

fn record() -> CallRecord {
    CallRecord {
        format: CALL_FORMAT,
        operation: operation(),
        call: 2,
        step: 1,
        attempt: 1,
        plugin: PluginName::parse("caller").unwrap(),
        version: semver::Version::new(1, 0, 0),
        digest: "ab".repeat(32),
        contract: "1.0.0".to_owned(),
        input: RecoverRequest {
            operation: operation(),
            incident: None,
            target: name("api"),
            failure: failure("api-down"),
            severity: Severity::High,
            recurrence: 0,
            attempt: 1,
            max_attempts: 1,
            phase: "normal".to_owned(),
            detected_at: Timestamp::from_millis(0),
            remaining: None,
            evidence: Vec::new(),
            fencing: 4,
            dry_run: false,
            params: serde_json::json!({}),
        },
        settings: serde_json::json!({}),
        limits: RecordedLimits::from(&Limits::default()),
        seed: CallSeed([7; 32]),
        first_number: 3,
        began_at: Timestamp::from_millis(0),
        timeout_ms: 1_000,
        wake_at: None,
        replays: 0,
        fencing: 4,
    }
}

#[tokio::test]
async fn the_record_of_a_call_is_written_with_its_first_entry_and_with_no_other() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    let mut session = bench.session();
    for effect in [restart(), Effect::ClockNow, restart()] {
        within(session.perform(effect)).await.unwrap();
    }
    let words = |change: &Change| match change {
        Change::Call(_) => "call",
        Change::Effect(entry) => match entry.kind {
            EntryKind::Intent => "intent",
            _ => "result",
        },
        _ => "event",
    };
    let changes = bench.journal.changes();
    let written: Vec<&str> = changes.iter().map(words).collect();
    assert_eq!(
        written,
        [
            "call", "intent", "result", "event", "result", "intent", "result", "event"
        ]
    );
    assert_eq!(changes[0], Change::Call(Box::new(record())));
    for entry in bench.entries() {
        let hash = entry.effect.request_hash();
        assert_eq!((entry.call, entry.fencing), (Some(2), 4));
        assert_eq!(entry.request_hash, Some(hash), "{entry:?}");
    }
    assert_eq!(bench.entries()[0].number, 3);
}

#[tokio::test]
async fn an_effect_whose_caller_is_gone_still_has_its_result() {
    let bench = bench();
    let mut session = bench.session();
    let performing = session.perform(request(HttpMethod::Post));
    hangs("the caller gives up", performing).await;
    wait_until("the request", || bench.sent() == 1).await;
    assert_eq!(bench.written(), [(EntryKind::Intent, 1)]);
    let mut settled = Box::pin(session.settle().wait());
    hangs("it still acts", &mut settled).await;
    bench.world.gate.add_permits(1);
    assert_eq!(within(settled).await, 1);
    assert_eq!(
        bench.written(),
        [(EntryKind::Intent, 1), (EntryKind::Result, 1)]
    );
    let entries = bench.entries();
    assert!(
        matches!(&entries[1].result, Some(Ok(Answer::Response(response))) if response.status == 204),
        "{entries:?}"
    );
}

#[tokio::test]
async fn no_effect_begins_beside_one_that_still_acts() {
    let bench = bench();
    let mut session = bench.session();
    let performing = session.perform(request(HttpMethod::Post));
    hangs("the caller gives up", performing).await;
    hangs("the first still acts", session.perform(restart())).await;
    assert!(bench.world.told.lock().is_empty());
    bench.world.gate.add_permits(1);
    within(session.perform(restart())).await.unwrap();
    assert_eq!(within(session.settle().wait()).await, 2);
}

#[tokio::test]
async fn nothing_acts_before_its_intent_is_durable() {
    let bench = bench();
    bench.world.gate.add_permits(1);
    let slow = Slow {
        journal: bench.journal.clone(),
        gate: Arc::new(Semaphore::new(0)),
    };
    let gate = slow.gate.clone();
    let mut session = bench.session_over(Arc::new(slow));
    let mut performing = session.perform(request(HttpMethod::Post));
    hangs("its intent is on its way", &mut performing).await;
    assert_eq!(bench.written(), [(EntryKind::Intent, 1)]);
    assert_eq!(bench.sent(), 0);
    gate.add_permits(1);
    within(performing).await.unwrap();
    assert_eq!(bench.sent(), 1);
}

/// A journal that notes how soon it is to write.
struct Hasty {
    journal: Arc<MemoryJournal>,
    hastes: Mutex<Vec<Haste>>,
}

impl Journal for Hasty {
    fn commit(&self, batch: Batch) -> Commit {
        self.hastes.lock().push(batch.haste);
        self.journal.commit(batch)
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.journal.subscribe()
    }
}

#[tokio::test]
async fn only_the_intent_of_what_ends_with_the_machine_does_not_wait_for_the_disk() {
    let (own, foreign) = (child("api", &["true"]), target("api", Vec::new()));
    for (api, effect, haste) in [
        (&own, restart(), Haste::Written),
        (&foreign, restart(), Haste::Now),
        (&own, request(HttpMethod::Post), Haste::Now),
    ] {
        let mut bench = bench();
        bench.spec = watch::channel(spec(vec![api.clone()])).1;
        bench.world.gate.add_permits(1);
        let hasty = Arc::new(Hasty {
            journal: bench.journal.clone(),
            hastes: Mutex::default(),
        });
        let mut session = bench.session_over(hasty.clone());
        within(session.perform(effect)).await.unwrap();
        assert_eq!(hasty.hastes.lock().first(), Some(&haste));
    }
}

#[tokio::test]
async fn numbers_go_on_from_the_calls_before() {
    use EntryKind as Kind;
    let live = vec![(Kind::Result, 7), (Kind::Intent, 8), (Kind::Result, 8)];
    let planned = vec![(Kind::Planned, 7), (Kind::Planned, 8)];
    for (dry_run, written, keys) in [(false, live, vec![7, 8]), (true, planned, vec![7])] {
        let mut bench = bench();
        bench.call.purpose = recovers(dry_run, 6);
        bench.world.gate.add_permits(2);
        let mut session = bench.session();
        for method in [HttpMethod::Get, HttpMethod::Post] {
            within(session.perform(request(method))).await.unwrap();
        }
        assert_eq!(within(session.settle().wait()).await, 8);
        assert_eq!(bench.written(), written);
        let expected = keys.iter().map(|key| format!("{}-{key}", operation()));
        let expected: Vec<String> = expected.collect();
        assert_eq!(*bench.world.keys.lock(), expected);
    }
}

#[tokio::test]
async fn a_dry_run_never_acts() {
    let mut bench = bench();
    bench.call.purpose = recovers(true, 0);
    let (target, key, job) = ("api".to_owned(), "k".to_owned(), "state".to_owned());
    let (value, id) = (Blob(vec![1]), "ful-1".to_owned());
    let acting = [
        restart(),
        Effect::TargetStart {
            target: target.clone(),
        },
        Effect::TargetStop {
            target: target.clone(),
        },
        Effect::TargetSend {
            target,
            signal: Signal::Hup,
        },
        Effect::CommandRun {
            name: "flush".to_owned(),
            arguments: Vec::new(),
        },
        request(HttpMethod::Post),
        Effect::KvSet {
            key: key.clone(),
            value: value.clone(),
        },
        Effect::KvDelete { key: key.clone() },
        Effect::KvCompareAndSet {
            key,
            expected: None,
            value,
        },
        Effect::BackupCreate {
            job: job.clone(),
            backup_type: BackupType::Full,
        },
        Effect::BackupRestore { job, id },
    ];
    let mut session = bench.session();
    for effect in acting.clone() {
        let name = effect.name();
        let planned = within(session.perform(effect)).await;
        assert!(planned.is_ok(), "{name}: {planned:?}");
    }
    assert_eq!(bench.sent(), 0);
    let told = bench.world.told.lock();
    assert!(told.is_empty(), "{told:?}");
    let written = bench.written();
    let planned = (1..).map(|number| (EntryKind::Planned, number));
    assert_eq!(written, planned.take(acting.len()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_failed_is_not_said_to_be_performed() {
    let bench = bench();
    let failing = Effect::CommandRun {
        name: "flush".to_owned(),
        arguments: Vec::new(),
    };
    let name = failing.name();
    let mut session = bench.session();
    within(session.perform(restart())).await.unwrap();
    let error = within(session.perform(failing)).await.unwrap_err();
    let changes = bench.journal.changes().into_iter();
    let messages = changes.filter_map(|change| match change {
        Change::Event(event) => Some(event.message),
        _ => None,
    });
    assert_eq!(
        messages.collect::<Vec<String>>(),
        [
            "targets.restart performed for caller@1.0.0: done".to_owned(),
            format!("{name} for caller@1.0.0: {error}")
        ]
    );
}

#[tokio::test]
async fn who_may_only_decide_is_denied_everything() {
    let job = JobName::parse("state").unwrap();
    let target = name("api");
    for purpose in [
        Purpose::Describe,
        Purpose::Configure,
        Purpose::Judge { job },
        Purpose::Next { target },
    ] {
        let mut bench = bench();
        bench.call.purpose = purpose;
        let mut session = bench.session();
        for effect in [Effect::ClockNow, request(HttpMethod::Get), restart()] {
            let denied = within(session.perform(effect)).await;
            assert!(matches!(denied, Err(EffectError::Denied(_))), "{denied:?}");
        }
        assert_eq!(within(session.settle().wait()).await, 0);
        assert_eq!((bench.sent(), bench.written().len()), (0, 0));
    }
}

#[tokio::test]
async fn a_look_asks_with_a_key_that_no_other_has_and_is_in_no_operations_journal() {
    let mut bench = bench();
    bench.call.purpose = Purpose::Probe {
        target: name("api"),
        check: CheckName::parse("trend").unwrap(),
    };
    bench.world.gate.add_permits(3);
    let mut session = bench.session();
    for _ in 0..2 {
        within(session.perform(request(HttpMethod::Get)))
            .await
            .unwrap();
    }
    bench.call.seed = [8; 32];
    bench.perform(request(HttpMethod::Get)).await.unwrap();
    let keys = bench.world.keys.lock();
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (3, 3), "{keys:?}");
    assert!(bench.journal.changes().is_empty());
}

#[tokio::test]
async fn an_alert_has_one_key_in_every_attempt_and_no_operations_journal() {
    let mut bench = bench();
    let alert = AlertId::parse("alr-01K0000000000000000000000A").unwrap();
    bench.call.purpose = Purpose::Deliver {
        alert: alert.clone(),
    };
    bench.world.gate.add_permits(2);
    for _ in 0..2 {
        bench.perform(request(HttpMethod::Post)).await.unwrap();
    }
    let keys = bench.world.keys.lock();
    assert_eq!(*keys, [alert.to_string(), alert.to_string()]);
    assert!(bench.journal.changes().is_empty());
}

#[tokio::test]
async fn each_request_of_a_delivery_has_a_key_of_its_own_and_the_same_in_every_attempt() {
    let mut bench = bench();
    let alert = AlertId::parse("alr-01K0000000000000000000000A").unwrap();
    bench.call.purpose = Purpose::Deliver {
        alert: alert.clone(),
    };
    bench.world.gate.add_permits(6);
    let methods = [HttpMethod::Post, HttpMethod::Get, HttpMethod::Post];
    for looks_up_first in [false, true] {
        let mut session = bench.session();
        for method in methods {
            if looks_up_first {
                within(session.perform(Effect::ClockNow)).await.unwrap();
            }
            within(session.perform(request(method))).await.unwrap();
        }
    }
    let once = ["", "-2", "-3"].map(|end| format!("{alert}{end}"));
    let keys = bench.world.keys.lock();
    assert_eq!(*keys, [once.clone(), once].concat());
}

#[tokio::test]
async fn a_call_may_use_the_secrets_that_it_began_with_whatever_the_config_says_by_now() {
    let mut bench = bench();
    let own = hook_token();
    bench.call.secrets = own.clone();
    let mut config = (*spec(Vec::new())).clone();
    let changed = PluginSpec {
        settings: serde_json::json!({ "token": "Bearer ${secret:another}" }),
        ..PluginSpec::default()
    };
    config
        .plugins
        .insert(bench.call.plugin.name.clone(), changed);
    bench.spec = watch::channel(Arc::new(config)).1;
    bench.world.gate.add_permits(2);
    for method in [HttpMethod::Get, HttpMethod::Post] {
        bench.perform(request(method)).await.unwrap();
    }
    let sent = bench.world.sent.lock();
    let secrets: Vec<_> = sent.iter().map(|(_, secrets)| secrets.clone()).collect();
    assert_eq!(secrets, [own.clone(), own]);
}

/// Handles of a call that may use one secret.
fn hook_token() -> Arc<SecretHandles> {
    let names = [SecretName::parse("hook-token").unwrap()].into();
    Arc::new(SecretHandles::draw(&[7; 32], &names))
}

/// A call that may use one secret, and what it sees of it.
fn bench_with_secret() -> (Bench, String) {
    let mut bench = bench();
    bench.call.secrets = hook_token();
    let seen = bench.call.secrets.put_into(&SHOWN.into());
    bench.world.gate.add_permits(8);
    (bench, seen.as_str().unwrap().to_owned())
}

const SHOWN: &str = "Bearer ${secret:hook-token}";

#[test]
fn what_a_handler_logs_at_warn_or_above_while_it_recovers_is_an_event() {
    let mut bench = bench();
    let line = |level, source| LogLine {
        level,
        source,
        message: "slow".to_owned(),
        fields: vec![("ms".to_owned(), "7".to_owned())],
    };
    for purpose in [recovers(false, 0), recovers(true, 0), Purpose::Configure] {
        bench.call.purpose = purpose;
        let sessions = bench.sessions_over(bench.journal.clone());
        for level in [
            LogLevel::Trace,
            LogLevel::Debug,
            LogLevel::Info,
            LogLevel::Warn,
            LogLevel::Error,
        ] {
            sessions.log(&bench.call, line(level, LogSource::Log));
        }
        sessions.log(&bench.call, line(LogLevel::Warn, LogSource::Stderr));
    }
    let events = bench.journal.events();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.kind, event.severity, event.message.as_str()))
        .collect();
    let message = "caller@1.0.0: slow ms=7";
    assert_eq!(
        told,
        [
            (EventKind::PluginLogged, Severity::Medium, message),
            (EventKind::PluginLogged, Severity::High, message)
        ]
    );
    for event in events {
        assert_eq!(event.operation, Some(operation()));
        assert_eq!(event.target, Some(name("api")));
        assert_eq!(event.plugin.as_deref(), Some("caller@1.0.0"));
    }
}

#[tokio::test]
async fn the_journal_shows_the_name_where_the_request_has_a_handle() {
    for dry_run in [false, true] {
        let (mut bench, seen) = bench_with_secret();
        bench.call.purpose = recovers(dry_run, 0);
        for method in [HttpMethod::Get, HttpMethod::Post] {
            let with = |text: &str| {
                let Effect::HttpSend(mut request) = request(method) else {
                    panic!("it is a request")
                };
                request.headers = vec![("authorization".to_owned(), text.to_owned())];
                request.body = Blob(text.as_bytes().to_vec());
                request
            };
            let asked = Effect::HttpSend(with(&seen));
            bench.perform(asked).await.unwrap();
            for entry in bench.entries() {
                let Effect::HttpSend(written) = entry.effect else {
                    panic!("{:?}", entry.effect)
                };
                let expected = with(SHOWN);
                assert_eq!(
                    (&written.headers, &written.body),
                    (&expected.headers, &expected.body)
                );
            }
            // A dry run does not post.
            if !dry_run || method == HttpMethod::Get {
                let (sent, _) = bench.world.sent.lock().pop().unwrap();
                assert_eq!(sent, with(&seen));
            }
        }
        let journal = format!("{:?}", bench.journal.changes());
        assert!(
            journal.contains(SHOWN) && !journal.contains(&seen),
            "{journal}"
        );
    }
}

#[tokio::test]
async fn only_the_http_client_is_told_of_handles() {
    let (mut bench, seen) = bench_with_secret();
    let mut config = (*spec(Vec::new())).clone();
    let command = CommandSpec {
        run: vec!["true".to_owned()],
        placeholders: Vec::new(),
        cwd: PathBuf::from("/"),
        env: Default::default(),
        user: None,
        timeout: DEADLINE,
        idempotent: false,
    };
    let flush = CommandName::parse("flush").unwrap();
    config.commands.insert(flush.clone(), command);
    bench.spec = watch::channel(Arc::new(config)).1;
    let asked = [
        Effect::CommandRun {
            name: flush.to_string(),
            arguments: vec![("key".to_owned(), seen.clone())],
        },
        Effect::KvSet {
            key: seen.clone(),
            value: Blob(seen.clone().into_bytes()),
        },
        Effect::KvDelete { key: seen },
    ];
    for effect in asked {
        let answer = bench.perform(effect).await;
        assert!(answer.is_err(), "this world only notes it");
    }
    let told = bench.world.told.lock();
    assert_eq!(*told, [SHOWN, SHOWN, SHOWN, SHOWN, ""]);
}

#[tokio::test]
async fn on_a_full_disk_targets_are_started_and_requests_that_act_are_not_sent() {
    let bench = bench();
    bench.journal.hold();
    bench.world.gate.add_permits(2);
    bench.perform(restart()).await.unwrap();
    bench.perform(request(HttpMethod::Get)).await.unwrap();
    assert_eq!(bench.sent(), 1);
    let refused = bench.perform(request(HttpMethod::Post)).await;
    assert!(
        matches!(&refused, Err(EffectError::Unavailable(why)) if why.contains("`journal.full`")),
        "{refused:?}"
    );
    assert_eq!(bench.sent(), 1, "nothing was sent");
    let last = bench.entries().pop().unwrap();
    assert_eq!((last.kind, last.result), (EntryKind::Result, Some(refused)));
}

/// What the journal of a bench has, as a daemon after it reads it.
fn replayed(bench: &Bench) -> Bench {
    let recorded = Recorded::of(&bench.entries(), 2, 3);
    let mut next = self::bench();
    next.call.purpose = recovers(false, 2);
    next.call.record = Some(Arc::new(record()));
    next.call.replay = Some(Arc::new(recorded));
    next
}

#[tokio::test]
async fn a_call_that_is_made_again_is_fed_what_it_was_answered_and_acts_from_there_on() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    let mut session = bench.session();
    within(session.perform(restart())).await.unwrap();
    let now = within(session.perform(Effect::ClockNow)).await.unwrap();
    let next = replayed(&bench);
    let mut session = next.session();
    assert_eq!(within(session.perform(restart())).await, Ok(Answer::Done));
    assert_eq!(within(session.perform(Effect::ClockNow)).await, Ok(now));
    assert!(next.written().is_empty(), "nothing is new");
    assert!(next.world.told.lock().is_empty(), "nothing acts");
    within(session.perform(restart())).await.unwrap();
    let written = [(EntryKind::Intent, 5), (EntryKind::Result, 5)];
    assert_eq!(next.written(), written);
    assert_eq!(*next.world.told.lock(), ["restart api"]);
    assert_eq!(session.halted(), None);
}

#[tokio::test]
async fn a_call_that_asks_for_something_else_than_then_is_halted_and_nothing_acts() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    within(bench.session().perform(restart())).await.unwrap();
    let next = replayed(&bench);
    let mut session = next.session();
    let stop = Effect::TargetStop {
        target: "api".to_owned(),
    };
    within(session.perform(stop)).await.unwrap_err();
    let Some(Halt::Diverged(divergence)) = session.halted() else {
        panic!("{:?}", session.halted());
    };
    assert_eq!(divergence.number, 3);
    assert_eq!(divergence.recorded, "targets.restart of api");
    assert_eq!(divergence.asked, "targets.stop of api");
    assert!(next.world.told.lock().is_empty() && next.written().is_empty());
}

#[tokio::test]
async fn a_request_that_was_begun_and_has_no_answer_is_in_doubt_under_its_key() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    let mut session = bench.session();
    let performing = session.perform(request(HttpMethod::Post));
    hangs("it is not answered", performing).await;
    let next = replayed(&bench);
    let mut session = next.session();
    within(session.perform(request(HttpMethod::Post)))
        .await
        .unwrap_err();
    let Some(Halt::InDoubt(doubt)) = session.halted() else {
        panic!("{:?}", session.halted());
    };
    let key = format!("{}-3", operation());
    assert_eq!((doubt.call, doubt.number, doubt.key), (2, 3, key));
    assert_eq!(next.sent(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_that_was_cut_off_ends_when_it_was_to_end() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    let sleep = Effect::ClockSleep { length_ms: 3_000 };
    let mut session = bench.session();
    hangs("it sleeps", session.perform(sleep.clone())).await;
    assert_eq!(bench.written(), [(EntryKind::Intent, 3)]);
    assert!(bench.entries()[0].until.is_some());
    // By the clock of these tests no time has passed.
    let next = replayed(&bench);
    let mut session = next.session();
    let began = tokio::time::Instant::now();
    assert_eq!(session.perform(sleep).await, Ok(Answer::Done));
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(next.written(), [(EntryKind::Result, 3)]);
}

#[tokio::test]
async fn a_sleep_that_is_long_and_fits_into_the_call_is_not_held() {
    for (length_ms, timeout_ms, is_held) in [
        (5_000, 50_000, true),
        (5_001, 50_000, false),
        (50_001, 50_000, true),
    ] {
        let mut bench = bench();
        bench.call.purpose = recovers(false, 2);
        bench.call.record = Some(Arc::new(CallRecord {
            timeout_ms,
            ..record()
        }));
        let mut session = bench.session();
        let sleeping = session.perform(Effect::ClockSleep { length_ms });
        if is_held {
            hangs("it is held", sleeping).await;
        } else {
            within(sleeping).await.unwrap_err();
        }
        assert_eq!(bench.written(), [(EntryKind::Intent, 3)]);
        let is_suspended = matches!(session.halted(), Some(Halt::Suspended { .. }));
        assert_eq!(is_suspended, !is_held, "{length_ms} ms");
    }
}

#[tokio::test]
async fn a_value_of_a_call_on_record_is_written_with_its_result() {
    let mut bench = bench();
    bench.call.purpose = recovers(false, 2);
    bench.call.record = Some(Arc::new(record()));
    let mut session = bench.session();
    let (key, value) = (|| "k".to_owned(), Blob::default);
    let set = Effect::KvSet {
        key: key(),
        value: value(),
    };
    let swap = Effect::KvCompareAndSet {
        key: key(),
        expected: None,
        value: value(),
    };
    assert_eq!(within(session.perform(set)).await, Ok(Answer::Done));
    let swapped = within(session.perform(swap)).await;
    assert_eq!(swapped, Ok(Answer::Swapped(false)));
    assert_eq!(*bench.world.told.lock(), ["write k", "write k"]);
}

#[tokio::test]
async fn a_mail_goes_through_its_account_to_whom_that_may_write_to_with_the_id_of_its_alert() {
    let mut bench = bench();
    let alert = AlertId::parse("alr-01K0000000000000000000000A").unwrap();
    bench.call.purpose = Purpose::Deliver { alert };
    let account = MailAccount {
        host: "mail.example.com".to_owned(),
        port: 465,
        tls: MailTls::Implicit,
        login: None,
        from: MailAddress::parse("mainstay@example.com").unwrap(),
        to: vec![Recipients::parse("*@example.com").unwrap()],
        timeout: DEADLINE,
    };
    let mut config = Spec::clone(&bench.spec.borrow());
    let name = MailAccountName::parse("ops").unwrap();
    config.smtp.insert(name, account);
    bench.spec = watch::channel(Arc::new(config)).1;
    let mail = |account: &str, to: &str| {
        Effect::MailSend(MailMessage {
            account: account.to_owned(),
            to: vec![to.to_owned()],
            subject: "api: service-down".to_owned(),
            text: String::new(),
            thread: None,
        })
    };
    for _ in 0..2 {
        let sent = bench.perform(mail("ops", "oncall@example.com")).await;
        assert_eq!(sent, Ok(Answer::Done));
    }
    let elsewhere = bench.perform(mail("ops", "oncall@example.org")).await;
    assert!(
        matches!(elsewhere, Err(EffectError::Denied(_))),
        "{elsewhere:?}"
    );
    let unknown = bench.perform(mail("other", "oncall@example.com")).await;
    assert!(
        matches!(unknown, Err(EffectError::Failed(_))),
        "{unknown:?}"
    );
    let ids = bench.world.told.lock().clone();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1], "an attempt has the id of the one before");
}

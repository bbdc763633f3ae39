//! The whole table of what becomes of an effect whose daemon ends: each row of it, and each place at which the daemon can end.
//!
//! The caller here asks as a guest does, and the world keeps what was done with it over all daemons, as a real one would.

use super::*;
use crate::{
    ports::{Clock, fakes::backup},
    services::testing::specs,
};
use mainstay_domain::{grant, record::ProcessIdentity};
use mainstay_runtime::Settling;
use std::{collections::BTreeSet, path::Path};

/// Where the daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    BeforeTheIntent,
    AfterTheIntent,
    InTheAct,
    AfterTheAct,
    AfterTheResult,
}

const CRASHES: [Crash; 5] = [
    Crash::BeforeTheIntent,
    Crash::AfterTheIntent,
    Crash::InTheAct,
    Crash::AfterTheAct,
    Crash::AfterTheResult,
];

/// What the call comes to in the next daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has its answer, and goes on to its next effect.
    GoesOn,
    /// A person is asked.
    InDoubt,
}

/// How often it was done in all, and what it came to, for each place.
type Expected = ([usize; 5], End, End);

/// What is seen tells whether it was done: it is done once, wherever the daemon ends.
const SEEN: Expected = ([1, 1, 1, 1, 1], End::GoesOn, End::GoesOn);
/// The same of a restart, of which the stop and the start are two.
const RESTARTED: Expected = ([1, 1, 2, 1, 1], End::GoesOn, End::GoesOn);
/// It may be done again, with its key.
const AGAIN: Expected = ([1, 1, 2, 2, 1], End::GoesOn, End::GoesOn);
/// What is whole is found by its key, and what is not is done again.
const FOUND: Expected = ([1, 1, 2, 1, 1], End::GoesOn, End::GoesOn);
/// Nobody knows, so it is done once at most.
const ASKED: Expected = ([1, 0, 1, 1, 1], End::GoesOn, End::InDoubt);

/// The process of the target.
struct Process {
    pid: Option<u32>,
    last: u32,
}

impl Process {
    fn start(&mut self) {
        if self.pid.is_none() {
            self.last += 1;
            self.pid = Some(self.last);
        }
    }
}

/// A world that outlives daemons.
struct Site {
    process: Mutex<Process>,
    /// What was done, with its key where it has one.
    done: Mutex<Vec<String>>,
    /// What was written together with its result.
    kept: Mutex<Vec<EffectEntry>>,
    /// The keys of the backups that are there whole.
    backups: Mutex<Vec<String>>,
    /// Where the present daemon ends.
    crash: Mutex<Option<Crash>>,
}

impl Site {
    /// Does it, as far as the daemon lives; the change is told whether it is cut off in the middle.
    fn act<'a, T: Send + 'a>(
        &'a self,
        what: String,
        change: impl FnOnce(&mut Process, bool) + Send + 'a,
        answer: T,
    ) -> Boxed<'a, Result<T, EffectError>> {
        Box::pin(async move {
            let crash = *self.crash.lock();
            if let Some(Crash::BeforeTheIntent | Crash::AfterTheIntent) = crash {
                std::future::pending::<()>().await;
            }
            let is_cut_off = crash == Some(Crash::InTheAct);
            self.done.lock().push(what);
            change(&mut self.process.lock(), is_cut_off);
            if is_cut_off {
                std::future::pending::<()>().await;
            }
            Ok(answer)
        })
    }
}

impl TargetControl for Site {
    fn status(&self, _: &TargetName) -> Option<TargetStatus> {
        None
    }
    fn identity(&self, _: &TargetName) -> Boxed<'_, Option<ProcessIdentity>> {
        let pid = self.process.lock().pid;
        let identity = pid.map(|pid| ProcessIdentity {
            pid,
            start_ticks: 7,
            boot_id: "f00".to_owned(),
            started_at: Timestamp::from_millis(0),
            restarts: 0,
            config: None,
            ended: None,
            completed: false,
            marked_as: None,
            output: None,
        });
        Box::pin(std::future::ready(identity))
    }
    fn start(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.act("start".to_owned(), |process, _| process.start(), ())
    }
    fn stop(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.act("stop".to_owned(), |process, _| process.pid = None, ())
    }
    fn restart(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        let restart = |process: &mut Process, is_cut_off: bool| {
            process.pid = None;
            if !is_cut_off {
                process.start();
            }
        };
        self.act("restart".to_owned(), restart, ())
    }
    fn signal(&self, _: TargetName, signal: Signal) -> Boxed<'_, Result<(), EffectError>> {
        let ends = matches!(signal, Signal::Term | Signal::Kill | Signal::Int);
        let deliver = move |process: &mut Process, _: bool| {
            if ends {
                process.pid = None;
            }
        };
        self.act(format!("send {signal:?}"), deliver, ())
    }
}

impl Commands for Site {
    fn run(
        &self,
        _: CommandName,
        _: CommandSpec,
        _: Vec<(String, String)>,
        key: String,
        _: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        let output = CommandOutput {
            exit_code: 0,
            stdout: Blob::default(),
            stderr: Blob::default(),
            truncated: false,
        };
        self.act(format!("run {key}"), |_, _| (), output)
    }
    fn end(&self, key: String) -> Boxed<'_, ()> {
        self.done.lock().push(format!("end {key}"));
        Box::pin(std::future::ready(()))
    }
    fn end_foreign(&self, of: TargetName) -> Boxed<'_, ()> {
        self.done.lock().push(format!("end commands of {of}"));
        Box::pin(std::future::ready(()))
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

impl HttpClient for Site {
    fn send(
        &self,
        request: HttpRequest,
        _: Vec<HttpOrigin>,
        _: Arc<SecretHandles>,
        key: Option<String>,
        _: Duration,
        _: AnswerBound,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>> {
        let what = format!("{} {}", request.method.as_str(), key.unwrap_or_default());
        let response = HttpResponse {
            status: 204,
            headers: Vec::new(),
            body: Blob::default(),
        };
        self.act(what, |_, _| (), response)
    }
}

impl Values for Site {
    fn get(&self, _: PluginName, _: String) -> Boxed<'_, Result<Option<Vec<u8>>, EffectError>> {
        self.act("get".to_owned(), |_, _| (), None)
    }
    fn set(
        &self,
        _: PluginName,
        _: String,
        _: Option<Vec<u8>>,
        _: u64,
    ) -> Boxed<'_, Result<(), EffectError>> {
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
        self.act("keys".to_owned(), |_, _| (), Vec::new())
    }
    /// Value and result are one transaction: what is cut off in the middle of it did not happen.
    fn write_recorded(&self, write: RecordedWrite) -> Boxed<'_, Result<bool, EffectError>> {
        Box::pin(async move {
            let crash = *self.crash.lock();
            if crash == Some(Crash::InTheAct) {
                std::future::pending::<()>().await;
            }
            let answer = match write.expected {
                Some(_) => Answer::Swapped(true),
                None => Answer::Done,
            };
            self.act(format!("write {}", write.key), |_, _| (), ())
                .await?;
            self.kept.lock().push(EffectEntry {
                result: Some(Ok(answer)),
                ..write.entry
            });
            Ok(true)
        })
    }
}

impl BackupControl for Site {
    fn newest(
        &self,
        _: JobName,
        _: Option<Timestamp>,
    ) -> Boxed<'_, Result<Option<BackupSummary>, EffectError>> {
        self.act("newest".to_owned(), |_, _| (), None)
    }
    fn create(
        &self,
        _: JobName,
        _: BackupType,
        key: String,
    ) -> Boxed<'_, Result<BackupSummary, EffectError>> {
        let made = BackupSummary::from(&backup(1));
        if self.backups.lock().contains(&key) {
            return Box::pin(std::future::ready(Ok(made)));
        }
        let what = format!("create {key}");
        let finish = move |_: &mut Process, is_cut_off: bool| {
            if !is_cut_off {
                self.backups.lock().push(key);
            }
        };
        self.act(what, finish, made)
    }
    fn restore(&self, _: JobName, _: String) -> Boxed<'_, Result<(u64, u64), EffectError>> {
        self.act("restore".to_owned(), |_, _| (), (1, 1))
    }
    fn restorable(&self, _: &str) -> (u64, u64) {
        (0, 0)
    }
}

/// The host of a call, over all of its daemons.
struct Host {
    site: Arc<Site>,
    clock: Arc<ManualClock>,
    spec: watch::Receiver<Arc<Spec>>,
    call: Call,
    record: CallRecord,
}

impl Host {
    fn new(is_supervised: bool, runs: bool, is_idempotent: bool) -> Self {
        let target = match is_supervised {
            true => specs::child("api", &["true"]),
            false => specs::target("api", Vec::new()),
        };
        let mut config = (*spec(vec![target])).clone();
        let command = CommandSpec {
            run: vec!["true".to_owned()],
            placeholders: Vec::new(),
            cwd: PathBuf::from("/"),
            env: Default::default(),
            user: None,
            timeout: DEADLINE,
            idempotent: is_idempotent,
        };
        let flush = CommandName::parse("flush").unwrap();
        config.commands.insert(flush, command);
        let mut call = bench().call;
        call.purpose = recovers(false, 2);
        let origin = grant::origin_of("https://hooks.example/").unwrap();
        call.grants = Arc::new(Grants {
            http_idempotent: is_idempotent.then_some(origin).into_iter().collect(),
            ..Grants::default()
        });
        Self {
            site: Arc::new(Site {
                process: Mutex::new(Process {
                    pid: runs.then_some(10),
                    last: 10,
                }),
                done: Mutex::default(),
                kept: Mutex::default(),
                backups: Mutex::default(),
                crash: Mutex::default(),
            }),
            clock: ManualClock::new(),
            spec: watch::channel(Arc::new(config)).1,
            call,
            record: record(),
        }
    }

    /// Another daemon, which makes the call, or makes it again where the journal has something of it.
    fn daemon(&self, entries: &[EffectEntry]) -> (Box<dyn EffectSession>, Arc<MemoryJournal>) {
        let journal = MemoryJournal::new();
        let sessions = EffectSessions::new(Effects {
            shared: Shared {
                journal: journal.clone(),
                clock: self.clock.clone(),
                spec: self.spec.clone(),
            },
            targets: self.site.clone(),
            watch: FakeWorld::new(16),
            commands: self.site.clone(),
            http: self.site.clone(),
            mail: bench().world,
            values: self.site.clone(),
            backups: self.site.clone(),
            secrets: bench().world,
            inbox: SignalInbox::default(),
        });
        let recorded = || Arc::new(Recorded::of(entries, 2, 3));
        let call = Call {
            record: Some(Arc::new(self.record.clone())),
            replay: (!entries.is_empty()).then(recorded),
            ..self.call.clone()
        };
        (sessions.begin(&Arc::new(call)), journal)
    }
}

fn entries_of(journal: &MemoryJournal) -> Vec<EffectEntry> {
    let changes = journal.changes().into_iter();
    let entries = changes.filter_map(|change| match change {
        Change::Effect(entry) => Some(entry),
        _ => None,
    });
    entries.collect()
}

/// One row of the table.
struct Row {
    effect: Effect,
    is_supervised: bool,
    /// Whether a process runs before it.
    runs: bool,
    is_idempotent: bool,
    expected: Expected,
}

fn row(effect: Effect, expected: Expected) -> Row {
    let starts = matches!(effect, Effect::TargetStart { .. });
    Row {
        effect,
        is_supervised: true,
        runs: !starts,
        is_idempotent: false,
        expected,
    }
}

fn rows() -> Vec<Row> {
    let target = || "api".to_owned();
    let start = || Effect::TargetStart { target: target() };
    let stop = || Effect::TargetStop { target: target() };
    let send = |signal| Effect::TargetSend {
        target: target(),
        signal,
    };
    let run = || Effect::CommandRun {
        name: "flush".to_owned(),
        arguments: Vec::new(),
    };
    let (key, value) = (|| "k".to_owned(), Blob::default);
    let (job, id) = (|| "state".to_owned(), "ful-1".to_owned());
    let idempotent = |effect| Row {
        is_idempotent: true,
        ..row(effect, AGAIN)
    };
    let foreign = |effect| Row {
        is_supervised: false,
        runs: false,
        ..row(effect, ASKED)
    };
    vec![
        row(start(), SEEN),
        row(stop(), SEEN),
        row(restart(), RESTARTED),
        row(send(Signal::Term), SEEN),
        row(send(Signal::Kill), SEEN),
        row(send(Signal::Int), SEEN),
        row(send(Signal::Hup), ASKED),
        row(send(Signal::Usr1), ASKED),
        row(send(Signal::Usr2), ASKED),
        foreign(start()),
        foreign(stop()),
        foreign(restart()),
        row(
            Effect::KvSet {
                key: key(),
                value: value(),
            },
            SEEN,
        ),
        row(Effect::KvDelete { key: key() }, SEEN),
        row(
            Effect::KvCompareAndSet {
                key: key(),
                expected: None,
                value: value(),
            },
            SEEN,
        ),
        row(run(), ASKED),
        idempotent(run()),
        row(request(HttpMethod::Put), AGAIN),
        row(request(HttpMethod::Delete), AGAIN),
        row(request(HttpMethod::Post), ASKED),
        row(request(HttpMethod::Patch), ASKED),
        idempotent(request(HttpMethod::Post)),
        idempotent(request(HttpMethod::Patch)),
        row(
            Effect::BackupCreate {
                job: job(),
                backup_type: BackupType::Full,
            },
            FOUND,
        ),
        // What is put back once more does no harm.
        row(Effect::BackupRestore { job: job(), id }, AGAIN),
    ]
}

/// Has the daemon end there, and the next one make the call again: how often it was done, and what it came to.
async fn play(row: &Row, crash: Crash) -> (usize, End) {
    let host = Host::new(row.is_supervised, row.runs, row.is_idempotent);
    *host.site.crash.lock() = Some(crash);
    let (mut session, journal) = host.daemon(&[]);
    let performing = session.perform(row.effect.clone());
    match crash {
        Crash::BeforeTheIntent | Crash::AfterTheIntent | Crash::InTheAct => {
            hangs("the daemon ends in it", performing).await;
        }
        Crash::AfterTheAct | Crash::AfterTheResult => {
            within(performing).await.unwrap();
        }
    }
    let mut entries = entries_of(&journal);
    entries.retain(|entry| match crash {
        Crash::BeforeTheIntent => false,
        Crash::AfterTheIntent | Crash::InTheAct | Crash::AfterTheAct => {
            entry.kind == EntryKind::Intent
        }
        Crash::AfterTheResult => true,
    });
    entries.append(&mut host.site.kept.lock());

    *host.site.crash.lock() = None;
    let has_result = entries.iter().any(|entry| entry.kind == EntryKind::Result);
    let (mut session, journal) = host.daemon(&entries);
    let answer = within(session.perform(row.effect.clone())).await;
    let key = format!("{}-3", operation());
    let end = match session.halted() {
        None => {
            answer.unwrap();
            within(session.perform(Effect::ClockNow)).await.unwrap();
            End::GoesOn
        }
        Some(Halt::InDoubt(doubt)) => {
            assert_eq!((doubt.number, doubt.key), (3, key.clone()));
            End::InDoubt
        }
        Some(other) => panic!("{:?} when it ends {crash:?}: {other}", row.effect),
    };
    let written = entries_of(&journal);
    let is_new = written.iter().any(|entry| entry.number == 3);
    let should_be_new = end == End::GoesOn && !has_result;
    assert_eq!(is_new, should_be_new, "{:?}: {written:?}", row.effect);

    let done = host.site.done.lock();
    let keyed = done.iter().filter(|what| what.contains("op-"));
    for what in keyed {
        assert!(what.ends_with(&key), "another key: {done:?}");
    }
    let ends = done.iter().filter(|what| what.starts_with("end "));
    let ends = ends.count();
    if !row.is_supervised && end == End::InDoubt {
        let ended = "end commands of api".to_owned();
        assert!(done.contains(&ended), "{:?}: {done:?}", row.effect);
    }
    if let Some(second) = done
        .iter()
        .skip(1)
        .position(|what| what.starts_with("run "))
    {
        // Of `done` without the first: what is there is the one before.
        assert!(done[second].starts_with("end "), "two at a time: {done:?}");
    }
    (done.len() - ends, end)
}

#[tokio::test(start_paused = true)]
async fn what_acts_is_done_as_the_table_says_wherever_the_daemon_ends() {
    for row in rows() {
        let (acts, sure, unsure) = row.expected;
        for (crash, acts) in CRASHES.into_iter().zip(acts) {
            let end = match crash {
                Crash::BeforeTheIntent | Crash::AfterTheResult => sure,
                Crash::AfterTheIntent | Crash::InTheAct | Crash::AfterTheAct => unsure,
            };
            let found = play(&row, crash).await;
            let (effect, twice) = (&row.effect, row.is_idempotent);
            assert_eq!(
                found,
                (acts, end),
                "{effect:?}, idempotent: {twice}, supervised: {}, when it ends {crash:?}",
                row.is_supervised
            );
        }
    }
}

/// What reads.
fn reading() -> [Effect; 9] {
    let (target, key, job) = ("api".to_owned(), "k".to_owned(), "state".to_owned());
    [
        Effect::ClockNow,
        Effect::TargetStatus {
            target: target.clone(),
        },
        Effect::TargetCheck { target },
        Effect::KvGet { key: key.clone() },
        Effect::KvKeys { prefix: key },
        Effect::BackupNewest { job, before: None },
        request(HttpMethod::Get),
        request(HttpMethod::Head),
        request(HttpMethod::Options),
    ]
}

/// What waits, which the tests of sleeps here and those of signals tell.
const WAITING: [&str; 2] = ["clock.sleep", "durable.await-signal"];

/// What the contract has for a handler and is no effect: `sleep-until` sleeps.
const NO_EFFECTS: [&str; 7] = [
    "log.write",
    "settings.get",
    "random.bytes",
    "random.number",
    "durable.sleep-until",
    "durable.key",
    "durable.replaying",
];

/// Every function of the newest contract that a handler may import, e.g. `kv.get`.
fn of_the_contract() -> BTreeSet<String> {
    let versions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/wit");
    let versions = std::fs::read_dir(versions).unwrap();
    let contract = versions.map(|version| version.unwrap().path()).max();
    let contract = contract.unwrap();
    let read = |file: &str| std::fs::read_to_string(contract.join(file)).unwrap();
    let (worlds, effects) = (read("worlds.wit"), read("effects.wit"));
    let handlers = ["recovery-handler {", "durable-recovery-handler {"];
    let imports: BTreeSet<&str> = worlds
        .split("\nworld ")
        .filter(|world| handlers.iter().any(|name| world.starts_with(*name)))
        .flat_map(str::lines)
        .filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'))
        .collect();
    let interfaces = effects.split("\ninterface ").skip(1);
    let interfaces = interfaces.filter_map(|text| text.split_once(" {"));
    let functions = interfaces
        .filter(|(interface, _)| imports.contains(interface))
        .flat_map(|(interface, text)| {
            let functions = text.lines().filter_map(|line| line.split_once(": func("));
            functions.map(move |(function, _)| format!("{interface}.{}", function.trim()))
        });
    functions.collect()
}

#[test]
fn every_effect_that_a_handler_has_is_in_one_of_the_tables() {
    let (rows, reading) = (rows(), reading());
    let acting = rows.iter().map(|row| &row.effect);
    assert!(acting.clone().all(|effect| !effect.only_reads()));
    assert!(reading.iter().all(Effect::only_reads));
    let names = acting.chain(&reading).map(Effect::name);
    let told: BTreeSet<String> = names.chain(WAITING).map(str::to_owned).collect();
    let mut owed = of_the_contract();
    owed.retain(|name| !NO_EFFECTS.contains(&name.as_str()));
    assert_eq!(told, owed);
}

#[tokio::test(start_paused = true)]
async fn what_reads_is_read_again_until_its_answer_is_on_record_and_from_then_on_fed() {
    for effect in reading() {
        let host = Host::new(true, true, false);
        let (mut session, journal) = host.daemon(&[]);
        let first = within(session.perform(effect.clone())).await;
        let entries = entries_of(&journal);
        let kinds: Vec<EntryKind> = entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [EntryKind::Result], "{effect:?} has no intent");
        let read = host.site.done.lock().len();
        host.clock.advance(Duration::from_secs(60));

        let (mut session, journal) = host.daemon(&entries);
        let fed = within(session.perform(effect.clone())).await;
        assert_eq!(fed, first, "{effect:?}");
        assert!(entries_of(&journal).is_empty(), "{effect:?}");
        assert_eq!(host.site.done.lock().len(), read, "{effect:?} is not read");

        // Wherever else the daemon ended, nothing of it is there.
        let (mut session, journal) = host.daemon(&[]);
        let _ = within(session.perform(effect.clone())).await;
        assert_eq!(entries_of(&journal).len(), 1, "{effect:?}");
        assert_eq!(host.site.done.lock().len(), 2 * read, "{effect:?}");
    }
}

/// The journal had no room for the second of three, and would have by now.
#[tokio::test(start_paused = true)]
async fn what_was_refused_in_the_middle_of_a_record_is_not_begun_when_the_rest_of_it_is_fed() {
    let host = Host::new(true, true, false);
    let (mut session, journal) = host.daemon(&[]);
    let effect = Effect::CommandRun {
        name: "flush".to_owned(),
        arguments: Vec::new(),
    };
    for _ in 0..3 {
        within(session.perform(effect.clone())).await.unwrap();
    }
    let mut entries = entries_of(&journal);
    entries.retain(|entry| entry.number != 4);
    assert_eq!(entries.len(), 4, "{entries:?}");
    let done = host.site.done.lock().len();
    let (mut session, journal) = host.daemon(&entries);
    within(session.perform(effect.clone())).await.unwrap();
    assert!(session.is_replaying());
    let refused = within(session.perform(effect.clone())).await;
    assert!(
        matches!(refused, Err(EffectError::Limited(_))),
        "{refused:?}"
    );
    within(session.perform(effect.clone())).await.unwrap();
    assert_eq!(host.site.done.lock().len(), done, "nothing acted");
    assert!(entries_of(&journal).is_empty(), "nothing is written");
    // What comes after the record is performed as ever.
    assert!(!session.is_replaying());
    within(session.perform(effect)).await.unwrap();
    assert_eq!(host.site.done.lock().len(), done + 1);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_that_is_held_lasts_as_long_as_it_was_to_last_wherever_the_daemon_ends() {
    let sleep = Effect::ClockSleep { length_ms: 3_000 };
    let whole = Duration::from_secs(3);
    for (crash, passed, left) in [
        (Crash::BeforeTheIntent, 1, whole),
        (Crash::AfterTheIntent, 0, whole),
        (Crash::InTheAct, 1, Duration::from_secs(2)),
        (Crash::AfterTheAct, 3, Duration::ZERO),
        (Crash::AfterTheResult, 3, Duration::ZERO),
    ] {
        let host = Host::new(true, true, false);
        let (mut session, journal) = host.daemon(&[]);
        within(session.perform(sleep.clone())).await.unwrap();
        let mut entries = entries_of(&journal);
        assert_eq!(entries.len(), 2, "{entries:?}");
        entries.truncate(match crash {
            Crash::BeforeTheIntent => 0,
            Crash::AfterTheIntent | Crash::InTheAct | Crash::AfterTheAct => 1,
            Crash::AfterTheResult => 2,
        });
        host.clock.advance(Duration::from_secs(passed));
        let (mut session, _) = host.daemon(&entries);
        let began = tokio::time::Instant::now();
        within(session.perform(sleep.clone())).await.unwrap();
        let took = began.elapsed();
        let is_right = took >= left && took < left + Duration::from_millis(10);
        assert!(is_right, "{took:?}, not {left:?}, when it ends {crash:?}");
        assert_eq!(session.halted(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sleep_of_an_hour_ends_on_time_over_ten_daemons_and_nothing_is_held_meanwhile() {
    let hour = Duration::from_secs(3_600);
    let mut host = Host::new(true, true, false);
    host.record.timeout_ms = 7_200_000;
    host.call.limits.timeout = 2 * hour;
    let sleep = Effect::ClockSleep {
        length_ms: 3_600_000,
    };
    let ends_at = host.clock.now() + hour;
    let (mut session, journal) = host.daemon(&[]);
    within(session.perform(sleep.clone())).await.unwrap_err();
    let entries = entries_of(&journal);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].until, Some(ends_at));

    let between = Duration::from_secs(300);
    for daemon in 1..=10 {
        host.clock.advance(between);
        let (mut session, journal) = host.daemon(&entries);
        within(session.perform(sleep.clone())).await.unwrap_err();
        let halted = session.halted();
        let expected = Halt::Suspended {
            until: ends_at,
            left: hour - between * daemon,
        };
        assert_eq!(halted, Some(expected), "daemon {daemon}");
        let settling = session.settle();
        assert!(matches!(settling, Settling::Done(3)), "nothing acts");
        assert!(journal.changes().is_empty(), "nothing is written");
    }

    host.clock.advance(between * 2);
    let (mut session, journal) = host.daemon(&entries);
    let began = tokio::time::Instant::now();
    let answer = within(session.perform(sleep)).await;
    assert_eq!(answer, Ok(Answer::Done));
    assert!(began.elapsed() < Duration::from_millis(10), "it is over");
    let written = entries_of(&journal);
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!(
        (written[0].kind, written[0].at),
        (EntryKind::Result, ends_at)
    );
}

//! Effects against a world that notes what it is told, and whose HTTP requests take as long as the test wants.

use super::*;
use crate::{
    ports::fakes::FakeWorld,
    services::testing::{
        DEADLINE, ManualClock, MemoryJournal,
        specs::{name, spec},
        wait_until,
    },
};
use mainstay_domain::{
    backup::{BackupSummary, BackupType},
    blob::Blob,
    effect::{Answer, CommandOutput, HttpMethod, HttpRequest, HttpResponse},
    name::{CommandName, JobName, PluginName, SecretName},
    plugin::{PluginIdentity, PluginKind},
    secret::SecretHandles,
    spec::{CommandSpec, Grants, HttpOrigin, Limits, PluginSpec},
    time::Timestamp,
};
use std::{path::PathBuf, sync::Mutex, time::Duration};
use tokio::sync::Semaphore;

/// Everything but HTTP, commands and the writing of values is not there.
struct World {
    /// A request takes a permit before it is answered.
    gate: Semaphore,
    /// Each request, and what stands for secrets in it.
    sent: Mutex<Vec<(HttpRequest, Arc<SecretHandles>)>>,
    /// Every text that commands and values were given.
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
        _: Option<String>,
        _: Duration,
        _: u64,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>> {
        Box::pin(async move {
            self.sent.lock().unwrap().push((request, secrets));
            self.gate.acquire().await.unwrap().forget();
            Ok(HttpResponse {
                status: 204,
                headers: Vec::new(),
                body: Blob::default(),
            })
        })
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
        let mut told = self.told.lock().unwrap();
        told.extend(arguments.into_iter().map(|(_, value)| value));
        not_there()
    }
    fn run_foreign(
        &self,
        _: Vec<String>,
        _: PathBuf,
        _: Duration,
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
        self.told.lock().unwrap().extend([key, value]);
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
}

impl BackupControl for World {
    fn newest(
        &self,
        _: JobName,
        _: Option<Timestamp>,
    ) -> Boxed<'_, Result<Option<BackupSummary>, EffectError>> {
        not_there()
    }
    fn create(&self, _: JobName, _: BackupType) -> Boxed<'_, Result<BackupSummary, EffectError>> {
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
    fn value(&self, name: &SecretName) -> Result<String, String> {
        Err(format!("there is no secret `{name}`"))
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

struct Bench {
    world: Arc<World>,
    journal: Arc<MemoryJournal>,
    effects: Effects,
    call: Call,
}

fn operation() -> OperationId {
    OperationId::parse("op-01K0000000000000000000000A").unwrap()
}

/// The caller is the plugin `caller`, at work for an operation.
fn bench() -> Bench {
    let world = Arc::new(World {
        gate: Semaphore::new(0),
        sent: Mutex::default(),
        told: Mutex::default(),
    });
    let (journal, others) = (MemoryJournal::new(), FakeWorld::new(16));
    let effects = Effects {
        journal: journal.clone(),
        clock: ManualClock::new(),
        targets: others.clone(),
        watch: others,
        commands: world.clone(),
        http: world.clone(),
        values: world.clone(),
        backups: world.clone(),
        secrets: world.clone(),
        spec: watch::channel(spec(Vec::new())).1,
        under_way: EffectsUnderWay::default(),
    };
    let call = Call {
        plugin: Arc::new(PluginIdentity {
            name: PluginName::parse("caller").unwrap(),
            version: semver::Version::new(1, 0, 0),
            digest: "ab".repeat(32),
        }),
        kind: PluginKind::RecoveryHandler,
        purpose: Purpose::Recover {
            operation: operation(),
            target: name("api"),
            dry_run: false,
        },
        grants: Arc::new(Grants::default()),
        secrets: Arc::default(),
        limits: Limits::default(),
    };
    Bench {
        world,
        journal,
        effects,
        call,
    }
}

fn request(method: HttpMethod) -> Effect {
    Effect::HttpSend(HttpRequest {
        method,
        url: "https://hooks.example/".to_owned(),
        headers: Vec::new(),
        body: Blob::default(),
        timeout_ms: None,
    })
}

fn entries(journal: &MemoryJournal) -> Vec<EffectEntry> {
    let entries = journal.changes().into_iter();
    let entries = entries.filter_map(|change| match change {
        Change::Effect(entry) => Some(entry),
        _ => None,
    });
    entries.collect()
}

#[tokio::test]
async fn an_effect_whose_caller_is_gone_still_has_its_result() {
    let bench = bench();
    let performing = bench
        .effects
        .perform(&bench.call, request(HttpMethod::Post));
    let answer = tokio::time::timeout(Duration::from_millis(20), performing).await;
    assert!(answer.is_err(), "it hangs until the caller gives up");
    wait_until("the request", || {
        !bench.world.sent.lock().unwrap().is_empty()
    })
    .await;
    let kinds = || -> Vec<EntryKind> {
        let entries = entries(&bench.journal);
        entries.iter().map(|entry| entry.kind).collect()
    };
    assert_eq!(kinds(), [EntryKind::Intent]);
    let operation = operation();
    let mut settled = Box::pin(bench.effects.under_way.settled(&operation));
    let early = tokio::time::timeout(Duration::from_millis(20), &mut settled).await;
    assert!(early.is_err(), "it still acts");
    bench.world.gate.add_permits(1);
    tokio::time::timeout(DEADLINE, settled).await.unwrap();
    assert_eq!(kinds(), [EntryKind::Intent, EntryKind::Result]);
    let entries = entries(&bench.journal);
    assert_eq!(entries[0].number, entries[1].number);
    assert!(
        matches!(&entries[1].result, Some(Ok(Answer::Response(response))) if response.status == 204),
        "{entries:?}"
    );
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
    bench.effects.spec = watch::channel(Arc::new(config)).1;
    bench.world.gate.add_permits(2);
    for method in [HttpMethod::Get, HttpMethod::Post] {
        let performing = bench.effects.perform(&bench.call, request(method));
        let answer = tokio::time::timeout(DEADLINE, performing).await;
        assert!(answer.unwrap().is_ok());
    }
    let sent = bench.world.sent.lock().unwrap();
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

#[tokio::test]
async fn the_journal_shows_the_name_where_the_request_has_a_handle() {
    for dry_run in [false, true] {
        let (mut bench, seen) = bench_with_secret();
        bench.call.purpose = Purpose::Recover {
            operation: operation(),
            target: name("api"),
            dry_run,
        };
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
            bench.effects.perform(&bench.call, asked).await.unwrap();
            for entry in entries(&bench.journal) {
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
                let (sent, _) = bench.world.sent.lock().unwrap().pop().unwrap();
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
        timeout: DEADLINE,
    };
    let flush = CommandName::parse("flush").unwrap();
    config.commands.insert(flush.clone(), command);
    bench.effects.spec = watch::channel(Arc::new(config)).1;
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
        let answer = bench.effects.perform(&bench.call, effect).await;
        assert!(answer.is_err(), "this world only notes it");
    }
    let told = bench.world.told.lock().unwrap();
    assert_eq!(*told, [SHOWN, SHOWN, SHOWN, SHOWN, ""]);
}

#[tokio::test]
async fn on_a_full_disk_targets_are_started_and_requests_that_act_are_not_sent() {
    let bench = bench();
    bench.journal.hold();
    bench.world.gate.add_permits(2);
    let restart = Effect::TargetRestart {
        target: "api".to_owned(),
    };
    bench.effects.perform(&bench.call, restart).await.unwrap();
    let read = request(HttpMethod::Get);
    bench.effects.perform(&bench.call, read).await.unwrap();
    assert_eq!(bench.world.sent.lock().unwrap().len(), 1);
    let acts = request(HttpMethod::Post);
    let refused = bench.effects.perform(&bench.call, acts).await;
    assert!(
        matches!(&refused, Err(EffectError::Unavailable(why)) if why.contains("free some space")),
        "{refused:?}"
    );
    assert_eq!(
        bench.world.sent.lock().unwrap().len(),
        1,
        "nothing was sent"
    );
    let last = entries(&bench.journal).pop().unwrap();
    assert_eq!((last.kind, last.result), (EntryKind::Result, Some(refused)));
}

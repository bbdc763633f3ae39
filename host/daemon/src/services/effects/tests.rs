//! Effects against a world whose HTTP requests take as long as the test wants.

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
    spec::{CommandSpec, Grants, HttpOrigin, Limits, PluginSpec},
    time::Timestamp,
};
use std::{collections::BTreeSet, path::PathBuf, sync::Mutex, time::Duration};
use tokio::sync::Semaphore;

/// Everything but HTTP is not there.
struct World {
    /// A request takes a permit before it is answered.
    gate: Semaphore,
    /// The secrets that came with each request.
    sent: Mutex<Vec<BTreeSet<SecretName>>>,
}

fn not_there<'a, T: Send + 'a>() -> Boxed<'a, Result<T, EffectError>> {
    Box::pin(async { Err(EffectError::Failed("not in this world".to_owned())) })
}

impl HttpClient for World {
    fn send(
        &self,
        _: HttpRequest,
        _: Vec<HttpOrigin>,
        secrets: BTreeSet<SecretName>,
        _: Option<String>,
        _: Duration,
        _: u64,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>> {
        Box::pin(async move {
            self.sent.lock().unwrap().push(secrets);
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
        _: Vec<(String, String)>,
        _: String,
        _: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
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
    fn reveal(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
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
    let own = BTreeSet::from([SecretName::parse("hook-token").unwrap()]);
    bench.call.secrets = Arc::new(own.clone());
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
    assert_eq!(*bench.world.sent.lock().unwrap(), [own.clone(), own]);
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

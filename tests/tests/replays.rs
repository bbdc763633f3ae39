//! A call that is made again asks for the same as before, whatever its handler makes of chance and of clocks: a real guest
//! that orders by a `HashMap`, draws random numbers, reads every clock and waits for a timer, which passes at once, run by the
//! runtime itself; and one in Python.

use mainstay_domain::{
    call::RecoverRequest,
    call_record::{CALL_FORMAT, CallRecord, CallSeed, RecordedLimits},
    effect::{Answer, Effect, EffectError, EffectResult},
    record::{EffectEntry, EntryKind},
    replay::{Recorded, Seen, Turn, turn},
    spec::{Grants, Limits, PluginSpec},
    time::Timestamp,
};
use mainstay_runtime::{
    Call, EffectPort, EffectSession, Engine, Loader, LoaderOptions, LogLine, Plugin, Settling,
    effects::Boxed,
};
use mainstay_tests::{campaign::recover_request, guest, python_guest};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

const LONG: Duration = Duration::from_secs(30);
const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// What a call asked for.
#[derive(Debug, Clone, Default, PartialEq)]
struct Asked {
    effects: Vec<Effect>,
    /// How many of them were performed, and not fed.
    performed: usize,
    /// What no replay may come to.
    strange: Vec<String>,
}

/// Feeds what is on record, and does the rest.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Asked>>);

struct Session {
    world: World,
    recorded: Arc<Recorded>,
    number: u32,
}

impl EffectPort for World {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(Session {
            world: self.clone(),
            recorded: call.replay.clone().unwrap_or_default(),
            number: call.purpose.effects(),
        })
    }

    fn log(&self, _: &Call, _: LogLine) {}
}

impl EffectSession for Session {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        self.number += 1;
        let mut asked = self.world.0.lock().unwrap();
        let recorded = self.recorded.get(self.number);
        let answer = match turn(self.number, &effect, recorded, &Seen::default()) {
            Turn::Feed(result) => result,
            Turn::Perform => {
                asked.performed += 1;
                Ok(answer(&effect, self.number))
            }
            other => {
                let strange = format!("number {}: {other:?}", self.number);
                asked.strange.push(strange.clone());
                Err(EffectError::Failed(strange))
            }
        };
        asked.effects.push(effect);
        Box::pin(std::future::ready(answer))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.number)
    }
}

/// Its clock goes on with each effect.
fn answer(effect: &Effect, number: u32) -> Answer {
    match effect {
        Effect::ClockNow => Answer::Now(BEGIN + Duration::from_millis(10) * number),
        _ => Answer::Done,
    }
}

/// The guest, and how its calls are made.
struct Bench {
    plugin: Plugin,
    world: World,
}

impl Bench {
    async fn new() -> Self {
        Self::of(&guest("probe", &[])).await
    }

    async fn of(component: &Path) -> Self {
        let world = World::default();
        let options = LoaderOptions::new(Engine::new().unwrap(), Arc::new(world.clone()));
        let loader = Loader::new(options).unwrap();
        let candidate = loader.load_file(component).await.unwrap();
        let spec = PluginSpec {
            grants: Grants {
                kv_bytes: 64 << 10,
                ..Grants::default()
            },
            ..PluginSpec::default()
        };
        let plugin = loader.configure(&candidate, &spec).await.unwrap();
        Self { plugin, world }
    }

    fn record(&self, seed: u8) -> CallRecord {
        let identity = self.plugin.identity();
        let input = RecoverRequest {
            params: serde_json::json!({ "do": "chance" }),
            ..recover_request()
        };
        CallRecord {
            format: CALL_FORMAT,
            operation: input.operation.clone(),
            call: 1,
            step: 0,
            attempt: 1,
            plugin: identity.name.clone(),
            version: identity.version.clone(),
            digest: identity.digest.clone(),
            contract: "1.0.0".to_owned(),
            input,
            settings: serde_json::json!({}),
            limits: RecordedLimits::from(&Limits::default()),
            seed: CallSeed([seed; 32]),
            first_number: 1,
            began_at: BEGIN,
            timeout_ms: 30_000,
            wake_at: None,
            replays: 0,
            fencing: 1,
        }
    }

    /// What the call asks for, and what it reports.
    async fn call(&self, record: &CallRecord, entries: &[EffectEntry]) -> (Asked, Vec<String>) {
        let recorded = Arc::new(Recorded::of(entries, record.call, record.first_number));
        let record = Arc::new(record.clone());
        let settled = self.plugin.replay(record, recorded, LONG).await;
        let report = settled.called.unwrap().unwrap();
        let asked = std::mem::take(&mut *self.world.0.lock().unwrap());
        (asked, report.actions)
    }
}

/// What the journal has of these effects.
fn entries(record: &CallRecord, effects: &[Effect]) -> Vec<EffectEntry> {
    let numbered = effects.iter().zip(record.first_number..);
    let entries = numbered.map(|(effect, number)| EffectEntry {
        operation: record.operation.clone(),
        number,
        at: BEGIN,
        kind: EntryKind::Result,
        effect: effect.clone(),
        result: Some(Ok(answer(effect, number))),
        call: Some(record.call),
        request_hash: Some(effect.request_hash()),
        fencing: 1,
        before: None,
        until: None,
    });
    entries.collect()
}

#[tokio::test]
async fn a_thousand_replays_of_a_guest_of_chance_and_clocks_are_equal() {
    let bench = Bench::new().await;
    let record = bench.record(7);
    let (first, report) = bench.call(&record, &[]).await;
    assert!(first.effects.len() >= 16, "{first:?}");
    let entries = entries(&record, &first.effects);
    for number in 0..1_000 {
        let (asked, told) = bench.call(&record, &entries).await;
        assert_eq!(asked.strange, [""; 0], "replay {number}");
        assert_eq!(asked.performed, 0, "replay {number}");
        assert_eq!(asked.effects, first.effects, "replay {number}");
        assert_eq!(told, report, "replay {number}");
    }
    // Its chance is chance: another call does something else.
    let (other, told) = bench.call(&bench.record(8), &[]).await;
    assert_ne!(other.effects, first.effects);
    assert_ne!(told, report);
}

#[tokio::test]
async fn a_guest_of_chance_and_clocks_goes_on_alike_wherever_its_record_ends() {
    let bench = Bench::new().await;
    let record = bench.record(7);
    let (first, report) = bench.call(&record, &[]).await;
    let entries = entries(&record, &first.effects);
    for cut in 0..=entries.len() {
        let (asked, told) = bench.call(&record, &entries[..cut]).await;
        assert_eq!(asked.strange, [""; 0], "cut off after {cut}");
        assert_eq!(asked.performed, entries.len() - cut, "cut off after {cut}");
        assert_eq!(asked.effects, first.effects, "cut off after {cut}");
        assert_eq!(told, report, "cut off after {cut}");
    }
}

#[tokio::test]
async fn another_call_is_no_replay_of_a_record_and_is_told_at_its_first_difference() {
    let bench = Bench::new().await;
    let record = bench.record(7);
    let (first, _) = bench.call(&record, &[]).await;
    let entries = entries(&record, &first.effects);
    let other = bench.record(8);
    let recorded = Arc::new(Recorded::of(&entries, 1, 1));
    let settled = bench.plugin.replay(Arc::new(other), recorded, LONG).await;
    assert!(settled.called.unwrap().is_err(), "it is told of a failure");
    let asked = std::mem::take(&mut *bench.world.0.lock().unwrap());
    let [strange] = asked.strange.as_slice() else {
        panic!("{:?}", asked.strange)
    };
    assert!(strange.contains("Diverged"), "{strange}");
    assert_eq!(asked.performed, 0, "nothing acts");
}

#[tokio::test]
async fn a_guest_in_python_of_chance_and_clocks_goes_on_alike_wherever_its_record_ends() {
    let bench = Bench::of(&python_guest("durable-python")).await;
    let record = bench.record(7);
    let (first, report) = bench.call(&record, &[]).await;
    assert!(first.effects.len() >= 16, "{first:?}");
    let entries = entries(&record, &first.effects);
    for cut in 0..=entries.len() {
        let (asked, told) = bench.call(&record, &entries[..cut]).await;
        assert_eq!(asked.strange, [""; 0], "cut off after {cut}");
        assert_eq!(asked.performed, entries.len() - cut, "cut off after {cut}");
        assert_eq!(asked.effects, first.effects, "cut off after {cut}");
        assert_eq!(told, report, "cut off after {cut}");
    }
    // Its chance is chance: another call does something else.
    let (other, told) = bench.call(&bench.record(8), &[]).await;
    assert_ne!(other.effects, first.effects);
    assert_ne!(told, report);
}

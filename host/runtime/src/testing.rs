//! What the crate's own tests share: guests written by hand, a port that records, requests.

mod guest;

pub(crate) use guest::{Guest, LOG, RESTART, TELL};

use crate::{
    effects::{Boxed, Call, EffectPort, EffectSession, LogLine, Settling},
    engine::{Engine, Ticking},
    loader::{Loader, LoaderOptions},
    observer::{Observer, PluginEvent},
    plugin::Plugin,
};
use mainstay_domain::{
    call::RecoverRequest,
    call_record::{CALL_FORMAT, CallRecord, CallSeed, RecordedLimits},
    effect::{Answer, Effect, EffectResult},
    id::OperationId,
    name::{FailureType, PluginName, TargetName},
    secret::SecretHandles,
    severity::Severity,
    spec::{Grants, Limits, PluginSpec, TargetGrant, TargetVerb},
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// Does every effect, and remembers it. Its clones are one.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) effects: Arc<Mutex<Vec<Effect>>>,
    /// What stands for the secrets of the caller of each.
    pub(crate) secrets: Arc<Mutex<Vec<Arc<SecretHandles>>>>,
    pub(crate) lines: Arc<Mutex<Vec<LogLine>>>,
    pub(crate) events: Arc<Mutex<Vec<PluginEvent>>>,
    /// How long an effect takes.
    pub(crate) delay: Arc<Mutex<Duration>>,
}

/// The effects of one call.
struct Recording {
    recorder: Recorder,
    call: Arc<Call>,
    /// Effects of the operation.
    effects: u32,
}

impl EffectSession for Recording {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        self.effects += 1;
        Box::pin(async move {
            let Recorder {
                effects,
                secrets,
                delay,
                ..
            } = &self.recorder;
            secrets.lock().push(self.call.secrets.clone());
            effects.lock().push(effect);
            let delay = *delay.lock();
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            Ok(Answer::Done)
        })
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.effects)
    }
}

impl EffectPort for Recorder {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(Recording {
            recorder: self.clone(),
            call: call.clone(),
            effects: call.purpose.effects(),
        })
    }

    fn log(&self, _: &Call, line: LogLine) {
        self.lines.lock().push(line);
    }
}

impl Observer for Recorder {
    fn observe(&self, event: PluginEvent) {
        self.events.lock().push(event);
    }
}

pub(crate) fn loader(recorder: &Arc<Recorder>) -> Loader {
    let engine = Engine::with_ticking(Ticking::Thread).unwrap();
    let mut options = LoaderOptions::new(engine, recorder.clone());
    options.observer = recorder.clone();
    Loader::new(options).unwrap()
}

pub(crate) fn may_restart() -> PluginSpec {
    PluginSpec {
        grants: Grants {
            target: [TargetGrant {
                verb: TargetVerb::Restart,
                target: None,
            }]
            .into(),
            ..Grants::default()
        },
        ..PluginSpec::default()
    }
}

pub(crate) async fn plugin(recorder: &Arc<Recorder>, guest: &Guest, spec: &PluginSpec) -> Plugin {
    let loader = loader(recorder);
    let candidate = loader.load(guest.build().into()).await.unwrap();
    loader.configure(&candidate, spec).await.unwrap()
}

pub(crate) fn request() -> RecoverRequest {
    RecoverRequest {
        operation: OperationId::parse("op-01K0000000000000000000000A").unwrap(),
        incident: None,
        target: TargetName::parse("api").unwrap(),
        failure: FailureType::parse("api-gateway-down").unwrap(),
        severity: Severity::High,
        recurrence: 0,
        attempt: 1,
        max_attempts: 3,
        phase: "normal".to_owned(),
        detected_at: Timestamp::from_millis(1_700_000_000_000),
        remaining: None,
        evidence: Vec::new(),
        fencing: 1,
        dry_run: false,
        params: serde_json::json!({}),
    }
}

pub(crate) fn record() -> CallRecord {
    let request = request();
    CallRecord {
        format: CALL_FORMAT,
        operation: request.operation.clone(),
        call: 1,
        step: 0,
        attempt: 1,
        plugin: PluginName::parse("fixer").unwrap(),
        version: semver::Version::new(1, 0, 0),
        digest: "ab".repeat(32),
        contract: "1.0.0".to_owned(),
        began_at: request.detected_at,
        input: request,
        settings: serde_json::json!({}),
        limits: RecordedLimits::from(&Limits::default()),
        seed: CallSeed([7; 32]),
        first_number: 1,
        timeout_ms: 30_000,
        wake_at: None,
        replays: 0,
        fencing: 1,
    }
}

pub(crate) const LONG: Duration = Duration::from_secs(30);

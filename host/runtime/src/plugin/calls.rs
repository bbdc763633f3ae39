//! The calls of a plugin: one for each world, and one way in which all are made.

use super::{Called, Plugin, Settled, record::Attempt};
use crate::{
    candidate::LoaderContext,
    effects::Call,
    error::{CallError, CallFailure},
    invoke::{CallDeadline, Invocation, exceeded},
    limits::{Exceeded, Limit},
    settings::{CallSettings, Settings},
    worlds::{
        Alerter, BackupSource, Detector, RecoveryHandler, RecoveryStrategy, RetentionPolicy, World,
    },
};
use mainstay_domain::{
    backup::Verdict,
    call::{
        CollectFailure, CollectRequest, DeliverRequest, DeliveryFailure, JudgeRequest, NextStep,
        Page, ProbeRequest, Receipt, RecoverRequest, RecoveryFailure, Report, Seen, Situation,
    },
    call_record::{CALL_FORMAT, CallPlace, CallRecord, CallSeed, RecordedLimits},
    replay::Recorded,
    secret::Masked,
    spec::PluginSpec,
    time::millis,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout_at;

/// What a call is made of beside its request. A call that is on record, or is made again from one, has these from there.
struct Making {
    settings: CallSettings,
    seed: [u8; 32],
    record: Option<Arc<CallRecord>>,
    replay: Option<Arc<Recorded>>,
}

impl Making {
    /// A call of which nothing is kept.
    fn new(plugin: &Plugin) -> Self {
        let seed = plugin.shared.seeds.draw();
        Self {
            settings: plugin.settings.for_call(&seed),
            seed,
            record: None,
            replay: None,
        }
    }
}

impl Plugin {
    /// Recovers a target. The operation has had so many `effects` before. `timeout` bounds the guest; what it began is
    /// waited for beyond that.
    pub async fn recover(
        &self,
        request: &RecoverRequest,
        effects: u32,
        timeout: Duration,
    ) -> Settled<Report, RecoveryFailure> {
        let making = Making::new(self);
        self.call::<RecoveryHandler>(request, effects, timeout, making)
            .await
    }

    /// The same, on record: the session of its effects has what it takes to make the call again. It was begun so often
    /// before, as `replays` says.
    pub async fn recover_on_record(
        &self,
        request: &RecoverRequest,
        effects: u32,
        timeout: Duration,
        (place, replays): (&CallPlace, u32),
    ) -> Settled<Report, RecoveryFailure> {
        let seed = self.shared.seeds.draw();
        let identity = &self.identity;
        let record = CallRecord {
            format: CALL_FORMAT,
            operation: request.operation.clone(),
            call: place.call,
            step: place.step,
            attempt: request.attempt,
            plugin: identity.name.clone(),
            version: identity.version.clone(),
            digest: identity.digest.clone(),
            contract: self.loaded.shape.contract.version().to_string(),
            input: request.clone(),
            settings: self.settings.written().clone(),
            limits: RecordedLimits::from(&self.limits),
            seed: CallSeed(seed),
            first_number: effects.saturating_add(1),
            began_at: place.began_at,
            timeout_ms: millis(timeout),
            wake_at: None,
            replays,
            fencing: request.fencing,
        };
        let making = Making {
            settings: self.settings.for_call(&seed),
            seed,
            record: Some(Arc::new(record)),
            replay: None,
        };
        self.call::<RecoveryHandler>(request, effects, timeout, making)
            .await
    }

    /// Makes a call again that is on record, of this build, with what the journal has of it: its settings and its chance
    /// are those of then, its grants, limits and secrets those of now.
    pub async fn replay(
        &self,
        record: Arc<CallRecord>,
        recorded: Arc<Recorded>,
        timeout: Duration,
    ) -> Settled<Report, RecoveryFailure> {
        let settings = Settings::of(&PluginSpec {
            settings: record.settings.clone(),
            ..PluginSpec::default()
        });
        let making = Making {
            settings: settings.for_call(&record.seed.0),
            seed: record.seed.0,
            record: Some(record.clone()),
            replay: Some(recorded),
        };
        let effects = record.effects_before();
        self.call::<RecoveryHandler>(&record.input, effects, timeout, making)
            .await
    }

    /// Delivers an alert.
    pub async fn deliver(
        &self,
        request: &DeliverRequest,
        timeout: Duration,
    ) -> Called<Receipt, DeliveryFailure> {
        self.called::<Alerter>(request, timeout).await
    }

    /// Judges backups. The answer may be as long as the list is, beside `limits.result_bytes`.
    pub async fn judge(
        &self,
        request: &JudgeRequest,
        timeout: Duration,
    ) -> Called<Vec<Verdict>, String> {
        self.called::<RetentionPolicy>(request, timeout).await
    }

    /// Looks at a target.
    pub async fn probe(&self, request: &ProbeRequest, timeout: Duration) -> Called<Seen, String> {
        self.called::<Detector>(request, timeout).await
    }

    /// Decides what comes after a failed attempt.
    pub async fn next(&self, situation: &Situation, timeout: Duration) -> Called<NextStep, String> {
        self.called::<RecoveryStrategy>(situation, timeout).await
    }

    /// Gives one page of a backup. The answer may be as long as the page is, beside `limits.result_bytes`.
    pub async fn collect(
        &self,
        request: &CollectRequest,
        timeout: Duration,
    ) -> Called<Page, CollectFailure> {
        self.called::<BackupSource>(request, timeout).await
    }

    /// A call that is for no operation.
    async fn called<W: World>(
        &self,
        request: &W::Request,
        timeout: Duration,
    ) -> Called<W::Answer, W::Failure> {
        let making = Making::new(self);
        self.call::<W>(request, 0, timeout, making).await.called
    }

    /// One call of the function of a world. Its operation, where it has one, has had so many `effects` before.
    async fn call<W: World>(
        &self,
        request: &W::Request,
        effects: u32,
        timeout: Duration,
        making: Making,
    ) -> Settled<W::Answer, W::Failure> {
        let function = W::FUNCTION;
        let not_called = |called| Settled {
            called,
            effects,
            acted: false,
        };
        if self.kind().serves_as() != W::KIND {
            let cause = CallFailure::WrongKind(self.kind());
            return not_called(Err(self.error(function, cause)));
        }
        let attempt = match Attempt::begin(self) {
            Ok(attempt) => attempt,
            Err(cause) => return not_called(Err(self.error(function, cause))),
        };
        let Making {
            settings: CallSettings { settings, secrets },
            seed,
            record,
            replay,
        } = making;
        let invocation = Invocation {
            function,
            call: Arc::new(Call {
                plugin: self.identity.clone(),
                kind: self.kind(),
                purpose: W::purpose(request, effects),
                grants: self.grants.clone(),
                secrets: secrets.clone(),
                limits: self.limits,
                seed,
                record,
                replay,
            }),
            settings,
            deadline: CallDeadline::new(Some(timeout), self.limits.timeout),
            extra_result_bytes: W::extra_result_bytes(request),
        };
        let Ok(turn) = timeout_at(invocation.deadline.ends(), self.turns.acquire()).await else {
            let limit = Exceeded::new(Limit::Concurrency, self.limits.concurrency);
            let cause = exceeded(&invocation.call, limit);
            return not_called(attempt.end(Err(self.error(function, cause))));
        };
        let LoaderContext {
            engine,
            effects: port,
            ..
        } = &*self.shared;
        let ended = invocation
            .run(engine, port.clone(), &self.loaded.program, request, W::call)
            .await;
        // What still acts is no call any more: it holds up its own operation, and neither the turn nor the record.
        drop(turn);
        let ended = ended.map(|outcome| attempt.end(outcome.map(|answer| answer.masked(&secrets))));
        let acted = ended.acted;
        let (called, effects) = ended.settled().await;
        Settled {
            called,
            effects,
            acted,
        }
    }

    fn error(&self, function: &'static str, cause: CallFailure) -> CallError {
        CallError {
            plugin: self.identity.clone(),
            function,
            cause,
        }
    }
}

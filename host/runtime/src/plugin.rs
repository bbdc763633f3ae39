//! A plugin that serves: calls under grants and limits, what they came to, and whether it has to rest.
//!
//! Invariant: every call has a store of its own; plugins and calls never see each other.
//! Invariant: at most `limits.concurrency` calls run at one time; a further call waits its turn in order, while its
//! own timeout runs.

mod record;

pub use record::CallCounts;
pub(crate) use record::Record;

use crate::{
    candidate::{Descriptor, Loaded, LoaderContext},
    contract::Shape,
    effects::{Call, Purpose},
    error::{CallError, CallFailure},
    invoke::{CallDeadline, Function, Invocation, exceeded},
    limits::{Exceeded, Limit, VERDICT_BYTES},
    settings::{CallSettings, Settings},
};
use mainstay_domain::{
    backup::Verdict,
    call::{
        DeliverRequest, DeliveryFailure, JudgeRequest, Receipt, RecoverRequest, RecoveryFailure,
        Report,
    },
    name::PluginName,
    plugin::{PluginIdentity, PluginKind},
    secret::Masked,
    spec::{Grants, Limits, PluginSpec},
};
use record::Attempt;
use std::{collections::BTreeMap, fmt::Display, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout_at};

/// One version of one plugin with one set of grants, limits and settings.
pub struct Plugin {
    shared: Arc<LoaderContext>,
    pub(crate) loaded: Arc<Loaded>,
    grants: Arc<Grants>,
    limits: Limits,
    settings: Settings,
    turns: Semaphore,
    pub(crate) record: Arc<Record>,
    /// What it goes by: its own name, or that of an instance.
    identity: Arc<PluginIdentity>,
    /// The same component by other names, under grants, limits and settings of their own.
    pub(crate) instances: BTreeMap<PluginName, Arc<Plugin>>,
}

/// What a call comes to: the plugin's answer, which may be an error of its own, or no answer.
pub type Called<T, E> = Result<Result<T, E>, CallError>;

/// A call of which nothing acts any more.
#[derive(Debug, Clone)]
#[must_use]
pub struct Settled<T, E> {
    /// What it came to.
    pub called: Called<T, E>,
    /// How many effects its operation has had: the next call's go on from here. 0 where it is for no operation.
    pub effects: u32,
    /// Whether an effect of this call did something, or may have: all but those that only read, and those that
    /// did not happen.
    pub acted: bool,
}

impl Plugin {
    pub(crate) fn new(
        shared: Arc<LoaderContext>,
        loaded: Arc<Loaded>,
        spec: &PluginSpec,
        settings: Settings,
    ) -> Self {
        Self {
            shared,
            identity: loaded.identity.clone(),
            instances: BTreeMap::new(),
            loaded,
            grants: Arc::new(spec.grants.clone()),
            limits: spec.limits,
            settings,
            turns: Semaphore::new(usize::try_from(spec.limits.concurrency).unwrap_or(1).max(1)),
            record: Arc::default(),
        }
    }

    /// The same version with other settings keeps the counts of its calls.
    #[must_use]
    pub(crate) fn continuing(mut self, before: &Plugin) -> Self {
        self.record = before.record.clone();
        let instances = std::mem::take(&mut self.instances).into_iter();
        self.instances = instances
            .filter_map(|(name, instance)| {
                let instance = Arc::into_inner(instance)?;
                let instance = match before.instances.get(&name) {
                    Some(before) => instance.continuing(before),
                    None => instance,
                };
                Some((name, Arc::new(instance)))
            })
            .collect();
        self
    }

    /// The same by the name of an instance.
    #[must_use]
    pub(crate) fn named(mut self, name: &PluginName) -> Self {
        self.identity = Arc::new(PluginIdentity {
            name: name.clone(),
            ..PluginIdentity::clone(&self.identity)
        });
        self
    }

    pub(crate) fn add_instance(&mut self, instance: Plugin) {
        let name = instance.identity.name.clone();
        self.instances.insert(name, Arc::new(instance));
    }

    /// The instance with this name, if it has one.
    pub fn instance(&self, name: &PluginName) -> Option<&Arc<Plugin>> {
        self.instances.get(name)
    }

    /// Name, version, digest.
    pub fn identity(&self) -> &Arc<PluginIdentity> {
        &self.identity
    }

    /// What it is.
    pub fn kind(&self) -> PluginKind {
        self.loaded.shape.kind
    }

    /// Contract and imports.
    pub fn shape(&self) -> &Shape {
        &self.loaded.shape
    }

    /// What it says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.loaded.descriptor
    }

    /// What its calls came to.
    pub fn counts(&self) -> CallCounts {
        self.record.counts()
    }

    /// Whether a call made now would be refused because it failed too often.
    pub fn is_resting(&self) -> bool {
        self.record.is_resting((self.shared.now)())
    }

    /// Recovers a target. The operation has had so many `effects` before. `timeout` bounds the guest; what it began is
    /// waited for beyond that.
    pub async fn recover(
        &self,
        request: &RecoverRequest,
        effects: u32,
        timeout: Duration,
    ) -> Settled<Report, RecoveryFailure> {
        if let Err(error) = self.expect("recover", PluginKind::RecoveryHandler) {
            return Settled {
                called: Err(error),
                effects,
                acted: false,
            };
        }
        let purpose = Purpose::Recover {
            operation: request.operation.clone(),
            target: request.target.clone(),
            dry_run: request.dry_run,
            effects,
        };
        self.call(
            "recover",
            purpose,
            timeout,
            0,
            request,
            |program, store, request| Box::pin(program.recover(store, request)),
        )
        .await
    }

    /// Delivers an alert.
    pub async fn deliver(
        &self,
        request: &DeliverRequest,
        timeout: Duration,
    ) -> Called<Receipt, DeliveryFailure> {
        let purpose = Purpose::Deliver {
            alert: request.alert.id.clone(),
        };
        self.expect("deliver", PluginKind::Alerter)?;
        self.call(
            "deliver",
            purpose,
            timeout,
            0,
            request,
            |program, store, request| Box::pin(program.deliver(store, request)),
        )
        .await
        .called
    }

    /// Judges backups. The answer may be as long as the list is, beside `limits.result_bytes`.
    pub async fn judge(
        &self,
        request: &JudgeRequest,
        timeout: Duration,
    ) -> Called<Vec<Verdict>, String> {
        let purpose = Purpose::Judge {
            job: request.job.clone(),
        };
        let room = request.backups.len().saturating_mul(VERDICT_BYTES);
        self.expect("judge", PluginKind::RetentionPolicy)?;
        self.call(
            "judge",
            purpose,
            timeout,
            room,
            request,
            |program, store, request| Box::pin(program.judge(store, request)),
        )
        .await
        .called
    }

    fn expect(&self, function: &'static str, kind: PluginKind) -> Result<(), CallError> {
        match self.kind() == kind {
            true => Ok(()),
            false => Err(self.error(function, CallFailure::WrongKind(self.kind()))),
        }
    }

    async fn call<R, T: Masked, E: Display + Masked>(
        &self,
        function: &'static str,
        purpose: Purpose,
        timeout: Duration,
        extra_result_bytes: usize,
        request: &R,
        call: Function<R, Result<T, E>>,
    ) -> Settled<T, E> {
        let effects = purpose.effects();
        let attempt = match Attempt::begin(self) {
            Ok(attempt) => attempt,
            Err(cause) => {
                return Settled {
                    called: Err(self.error(function, cause)),
                    effects,
                    acted: false,
                };
            }
        };
        let CallSettings { settings, secrets } = self.settings.for_call(&self.shared.seeds);
        let invocation = Invocation {
            function,
            call: Arc::new(Call {
                plugin: self.identity.clone(),
                kind: self.kind(),
                purpose,
                grants: self.grants.clone(),
                secrets: secrets.clone(),
                limits: self.limits,
            }),
            settings,
            deadline: CallDeadline::new(Some(timeout), self.limits.timeout),
            extra_result_bytes,
        };
        let Ok(turn) = timeout_at(invocation.deadline.ends(), self.turns.acquire()).await else {
            let limit = Exceeded::new(Limit::Concurrency, self.limits.concurrency);
            let cause = exceeded(&invocation.call, limit);
            let called = attempt.end(Err(self.error(function, cause)));
            return Settled {
                called,
                effects,
                acted: false,
            };
        };
        let LoaderContext {
            engine, effects, ..
        } = &*self.shared;
        let ended = invocation
            .run(engine, effects.clone(), &self.loaded.program, request, call)
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

#[cfg(test)]
mod tests;

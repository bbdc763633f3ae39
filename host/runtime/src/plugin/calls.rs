//! The calls of a plugin, one function of the contract each.

use super::{Called, Plugin, Settled, record::Attempt};
use crate::{
    candidate::LoaderContext,
    effects::{Call, Purpose},
    error::{CallError, CallFailure},
    invoke::{CallDeadline, Function, Invocation, exceeded},
    limits::{Exceeded, Limit, VERDICT_BYTES},
    settings::CallSettings,
};
use mainstay_domain::{
    backup::Verdict,
    call::{
        DeliverRequest, DeliveryFailure, JudgeRequest, Receipt, RecoverRequest, RecoveryFailure,
        Report,
    },
    plugin::PluginKind,
    secret::Masked,
};
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::time::timeout_at;

impl Plugin {
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

//! Contract 1.2.0: `plugin-sdk/wit/1.2.0`, hosted.
//!
//! Invariant: this module never changes what 1.2.0 means; a later contract version gets a module of its own.
//! Invariant: what 1.2.0 has of older contracts is what it was there: the same source turns its shapes into words of the
//! domain, compiled against these types too.

#[allow(
    clippy::duplicate_mod,
    reason = "the items of 1.0.0 are the same here, with types of their own"
)]
#[path = "v1_0_0/convert.rs"]
mod convert;
#[allow(
    clippy::duplicate_mod,
    reason = "the items of 1.1.0 are the same here, with types of their own"
)]
#[path = "v1_1_0/durable.rs"]
mod durable;
mod egress;
#[allow(
    clippy::duplicate_mod,
    reason = "the items of 1.0.0 are the same here, with types of their own"
)]
#[path = "v1_0_0/imports.rs"]
mod imports;
#[allow(
    clippy::duplicate_mod,
    reason = "the items of 1.1.0 are the same here, with types of their own"
)]
#[path = "v1_1_0/newer.rs"]
mod newer;

use super::RawDescriptor;
use crate::{call_state::CallState, wasi};
use convert::Convert;
use mainstay_domain::{
    backup::Verdict,
    call::{
        CollectFailure, CollectRequest, DeliverRequest, DeliveryFailure, JudgeRequest, NextStep,
        Page, ProbeRequest, Receipt, RecoverRequest, RecoveryFailure, Report, Seen, Situation,
    },
    plugin::PluginKind,
};
use wasmtime::{
    Engine, Store,
    component::{Component, HasSelf, Instance, InstancePre},
};
use wit::exports::mainstay::plugin::{
    alerting, collection, detection, plugin, recovery, retention, strategy,
};

/// Everything of the contract in one world, so that all kinds share one set of types. Which of it a plugin may import
/// and must export is for [`crate::contract`] to check.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from the WIT, whose docs say it"
)]
mod wit {
    wasmtime::component::bindgen!({
        path: "../../plugin-sdk/wit/1.2.0",
        inline: "
            package mainstay:host;
            world everything {
                import mainstay:plugin/log@1.2.0;
                import mainstay:plugin/settings@1.2.0;
                import mainstay:plugin/clock@1.2.0;
                import mainstay:plugin/targets@1.2.0;
                import mainstay:plugin/commands@1.2.0;
                import mainstay:plugin/http@1.2.0;
                import mainstay:plugin/kv@1.2.0;
                import mainstay:plugin/backups@1.2.0;
                import mainstay:plugin/random@1.2.0;
                import mainstay:plugin/durable@1.2.0;
                import mainstay:plugin/signed-http@1.2.0;
                import mainstay:plugin/mail@1.2.0;
                export mainstay:plugin/plugin@1.2.0;
                export mainstay:plugin/recovery@1.2.0;
                export mainstay:plugin/alerting@1.2.0;
                export mainstay:plugin/retention@1.2.0;
                export mainstay:plugin/detection@1.2.0;
                export mainstay:plugin/strategy@1.2.0;
                export mainstay:plugin/collection@1.2.0;
            }
        ",
        world: "mainstay:host/everything",
        imports: {
            "mainstay:plugin/log@1.2.0": trappable,
            "mainstay:plugin/settings@1.2.0": trappable,
            "mainstay:plugin/random@1.2.0": trappable,
            default: async | trappable,
        },
        exports: { default: async },
    });
}

pub(super) type Linker = wasmtime::component::Linker<CallState>;

/// WASI 0.2 and every import of the contract.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    wit::Everything::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// A linked component of this contract.
pub(crate) struct Program {
    component: InstancePre<CallState>,
    plugin: plugin::GuestIndices,
    work: Work,
}

/// The one interface, beside `plugin`, that its kind exports.
enum Work {
    Recovery(recovery::GuestIndices),
    Alerting(alerting::GuestIndices),
    Retention(retention::GuestIndices),
    Detection(detection::GuestIndices),
    Strategy(strategy::GuestIndices),
    Collection(collection::GuestIndices),
}

impl Program {
    pub(super) fn link(
        linker: &Linker,
        kind: PluginKind,
        component: &Component,
    ) -> wasmtime::Result<Self> {
        let component = linker.instantiate_pre(component)?;
        let work = match kind {
            PluginKind::RecoveryHandler | PluginKind::DurableRecoveryHandler => {
                Work::Recovery(recovery::GuestIndices::new(&component)?)
            }
            PluginKind::Alerter => Work::Alerting(alerting::GuestIndices::new(&component)?),
            PluginKind::RetentionPolicy => {
                Work::Retention(retention::GuestIndices::new(&component)?)
            }
            PluginKind::Detector => Work::Detection(detection::GuestIndices::new(&component)?),
            PluginKind::RecoveryStrategy => {
                Work::Strategy(strategy::GuestIndices::new(&component)?)
            }
            PluginKind::BackupSource => {
                Work::Collection(collection::GuestIndices::new(&component)?)
            }
        };
        Ok(Self {
            plugin: plugin::GuestIndices::new(&component)?,
            component,
            work,
        })
    }

    async fn instantiate(&self, store: &mut Store<CallState>) -> wasmtime::Result<Instance> {
        self.component.instantiate_async(store).await
    }

    /// Also loads the interface of its kind, so that a wrong type shows before the plugin serves.
    pub(super) async fn describe(
        &self,
        store: &mut Store<CallState>,
    ) -> wasmtime::Result<RawDescriptor> {
        let instance = self.instantiate(store).await?;
        match &self.work {
            Work::Recovery(indices) => indices.load(&mut *store, &instance).map(|_| ())?,
            Work::Alerting(indices) => indices.load(&mut *store, &instance).map(|_| ())?,
            Work::Retention(indices) => indices.load(&mut *store, &instance).map(|_| ())?,
            Work::Detection(indices) => indices.load(&mut *store, &instance).map(|_| ())?,
            Work::Strategy(indices) => indices.load(&mut *store, &instance).map(|_| ())?,
            Work::Collection(indices) => indices.load(&mut *store, &instance).map(|_| ())?,
        }
        let plugin = self.plugin.load(&mut *store, &instance)?;
        Ok(plugin.call_describe(store).await?.convert())
    }

    pub(super) async fn configure(
        &self,
        store: &mut Store<CallState>,
        settings: &str,
    ) -> wasmtime::Result<Result<(), String>> {
        let instance = self.instantiate(store).await?;
        let plugin = self.plugin.load(&mut *store, &instance)?;
        plugin.call_configure(store, settings).await
    }

    pub(crate) async fn recover(
        &self,
        store: &mut Store<CallState>,
        request: &RecoverRequest,
    ) -> wasmtime::Result<Result<Report, RecoveryFailure>> {
        let Work::Recovery(indices) = &self.work else {
            return Err(super::Program::has_no("recovery"));
        };
        let instance = self.instantiate(store).await?;
        let recovery = indices.load(&mut *store, &instance)?;
        Ok(recovery
            .call_recover(store, &request.convert())
            .await?
            .convert())
    }

    pub(crate) async fn deliver(
        &self,
        store: &mut Store<CallState>,
        request: &DeliverRequest,
    ) -> wasmtime::Result<Result<Receipt, DeliveryFailure>> {
        let Work::Alerting(indices) = &self.work else {
            return Err(super::Program::has_no("alerting"));
        };
        let instance = self.instantiate(store).await?;
        let alerting = indices.load(&mut *store, &instance)?;
        Ok(alerting
            .call_deliver(store, &request.convert())
            .await?
            .convert())
    }

    pub(crate) async fn judge(
        &self,
        store: &mut Store<CallState>,
        request: &JudgeRequest,
    ) -> wasmtime::Result<Result<Vec<Verdict>, String>> {
        let Work::Retention(indices) = &self.work else {
            return Err(super::Program::has_no("retention"));
        };
        let instance = self.instantiate(store).await?;
        let retention = indices.load(&mut *store, &instance)?;
        let backups: Vec<_> = request.backups.iter().map(Convert::convert).collect();
        let verdicts = retention
            .call_judge(store, request.now.as_millis(), &backups)
            .await?;
        Ok(verdicts.map(|verdicts| verdicts.into_iter().map(Convert::convert).collect()))
    }

    /// The parameters stand in `params` as the guest sees them.
    pub(crate) async fn probe(
        &self,
        store: &mut Store<CallState>,
        request: &ProbeRequest,
        params: &str,
    ) -> wasmtime::Result<Result<Seen, String>> {
        let Work::Detection(indices) = &self.work else {
            return Err(super::Program::has_no("detection"));
        };
        let instance = self.instantiate(store).await?;
        let detection = indices.load(&mut *store, &instance)?;
        let request = newer::probe_request(request, params);
        let seen = detection.call_probe(store, &request).await?;
        Ok(seen.map(Convert::convert))
    }

    /// The parameters stand in `params` as the guest sees them.
    pub(crate) async fn next(
        &self,
        store: &mut Store<CallState>,
        situation: &Situation,
        params: &str,
    ) -> wasmtime::Result<Result<NextStep, String>> {
        let Work::Strategy(indices) = &self.work else {
            return Err(super::Program::has_no("strategy"));
        };
        let instance = self.instantiate(store).await?;
        let strategy = indices.load(&mut *store, &instance)?;
        let situation = newer::situation(situation, params);
        let next = strategy.call_next(store, &situation).await?;
        Ok(next.map(Convert::convert))
    }

    pub(crate) async fn collect(
        &self,
        store: &mut Store<CallState>,
        request: &CollectRequest,
    ) -> wasmtime::Result<Result<Page, CollectFailure>> {
        let Work::Collection(indices) = &self.work else {
            return Err(super::Program::has_no("collection"));
        };
        let instance = self.instantiate(store).await?;
        let collection = indices.load(&mut *store, &instance)?;
        let page = collection.call_collect(store, &request.convert()).await?;
        Ok(page.map(Convert::convert).map_err(Convert::convert))
    }
}

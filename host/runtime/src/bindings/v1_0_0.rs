//! Contract 1.0.0: `plugin-sdk/wit/1.0.0`, hosted.
//!
//! Invariant: this module never changes what 1.0.0 means; a later contract version gets a module of its own.

mod convert;
mod imports;

use super::RawDescriptor;
use crate::{call_state::CallState, wasi};
use convert::Convert;
use mainstay_domain::{
    backup::Verdict,
    call::{
        DeliverRequest, DeliveryFailure, JudgeRequest, Receipt, RecoverRequest, RecoveryFailure,
        Report,
    },
    plugin::PluginKind,
};
use wasmtime::{
    Engine, Store,
    component::{Component, HasSelf, Instance, InstancePre},
};
use wit::exports::mainstay::plugin::{alerting, plugin, recovery, retention};

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
        path: "../../plugin-sdk/wit/1.0.0",
        inline: "
            package mainstay:host;
            world everything {
                import mainstay:plugin/log@1.0.0;
                import mainstay:plugin/settings@1.0.0;
                import mainstay:plugin/clock@1.0.0;
                import mainstay:plugin/targets@1.0.0;
                import mainstay:plugin/commands@1.0.0;
                import mainstay:plugin/http@1.0.0;
                import mainstay:plugin/kv@1.0.0;
                import mainstay:plugin/backups@1.0.0;
                export mainstay:plugin/plugin@1.0.0;
                export mainstay:plugin/recovery@1.0.0;
                export mainstay:plugin/alerting@1.0.0;
                export mainstay:plugin/retention@1.0.0;
            }
        ",
        world: "mainstay:host/everything",
        imports: {
            "mainstay:plugin/log@1.0.0": trappable,
            "mainstay:plugin/settings@1.0.0": trappable,
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
}

impl Program {
    pub(super) fn link(
        linker: &Linker,
        kind: PluginKind,
        component: &Component,
    ) -> wasmtime::Result<Self> {
        let component = linker.instantiate_pre(component)?;
        let work = match kind {
            PluginKind::RecoveryHandler => Work::Recovery(recovery::GuestIndices::new(&component)?),
            PluginKind::Alerter => Work::Alerting(alerting::GuestIndices::new(&component)?),
            PluginKind::RetentionPolicy => {
                Work::Retention(retention::GuestIndices::new(&component)?)
            }
            // What is of these kinds was built against a later contract.
            PluginKind::Detector
            | PluginKind::RecoveryStrategy
            | PluginKind::BackupSource
            | PluginKind::DurableRecoveryHandler => {
                return Err(super::Program::has_no(kind.as_str()));
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
}

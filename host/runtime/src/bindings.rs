//! One module for each supported contract version, and the choice among them.
//!
//! Invariant: the types that `bindgen!` makes stay inside their module; what comes out is in the words of the domain.
//! Invariant: a program links to its own contract version only, so versions never see each other's shapes.

mod v1_0_0;
mod v1_1_0;
mod v1_2_0;

use crate::{call_state::CallState, contract_version::ContractVersion};
use mainstay_domain::{
    call::RecoverRequest,
    plugin::{Capability, PluginKind},
};
use std::borrow::Cow;
use wasmtime::{Engine, Store, component::Component};

/// What a plugin says of itself, as it says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawDescriptor {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) handles: Vec<String>,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) settings_schema: Option<String>,
}

/// The imports of every contract version, ready to be linked.
pub(crate) struct Linkers {
    v1_0_0: v1_0_0::Linker,
    v1_1_0: v1_1_0::Linker,
    v1_2_0: v1_2_0::Linker,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        Ok(Self {
            v1_0_0: v1_0_0::linker(engine)?,
            v1_1_0: v1_1_0::linker(engine)?,
            v1_2_0: v1_2_0::linker(engine)?,
        })
    }

    /// Links a compiled component; its imports have been type-checked when this returns.
    pub(crate) fn link(
        &self,
        contract: ContractVersion,
        kind: PluginKind,
        component: &Component,
    ) -> wasmtime::Result<Program> {
        match contract {
            ContractVersion::V1_0_0 => {
                v1_0_0::Program::link(&self.v1_0_0, kind, component).map(Program::V1_0_0)
            }
            ContractVersion::V1_1_0 => {
                v1_1_0::Program::link(&self.v1_1_0, kind, component).map(Program::V1_1_0)
            }
            ContractVersion::V1_2_0 => {
                v1_2_0::Program::link(&self.v1_2_0, kind, component).map(Program::V1_2_0)
            }
        }
    }
}

/// A linked component: a call instantiates it and calls one function.
pub(crate) enum Program {
    V1_0_0(v1_0_0::Program),
    V1_1_0(v1_1_0::Program),
    V1_2_0(v1_2_0::Program),
}

type Calling<T> = wasmtime::Result<T>;

impl Program {
    pub(crate) async fn describe(&self, store: &mut Store<CallState>) -> Calling<RawDescriptor> {
        match self {
            Program::V1_0_0(program) => program.describe(store).await,
            Program::V1_1_0(program) => program.describe(store).await,
            Program::V1_2_0(program) => program.describe(store).await,
        }
    }

    pub(crate) async fn configure(
        &self,
        store: &mut Store<CallState>,
        settings: &str,
    ) -> Calling<Result<(), String>> {
        match self {
            Program::V1_0_0(program) => program.configure(store, settings).await,
            Program::V1_1_0(program) => program.configure(store, settings).await,
            Program::V1_2_0(program) => program.configure(store, settings).await,
        }
    }

    /// What is said where an interface is called that the component does not export.
    pub(crate) fn has_no(interface: &str) -> wasmtime::Error {
        wasmtime::Error::msg(format!("it does not export the interface `{interface}`"))
    }
}

/// The request as the guest sees it: its parameters are the operator's words, as the settings are.
pub(crate) fn request_for_guest<'a>(
    store: &Store<CallState>,
    request: &'a RecoverRequest,
) -> Cow<'a, RecoverRequest> {
    let secrets = &store.data().context.call.secrets;
    match secrets.is_empty() {
        true => Cow::Borrowed(request),
        false => Cow::Owned(RecoverRequest {
            params: secrets.put_into(&request.params),
            ..request.clone()
        }),
    }
}

/// Parameters as the guest sees them, in the same way.
pub(crate) fn params_for_guest(store: &Store<CallState>, params: &serde_json::Value) -> String {
    let secrets = &store.data().context.call.secrets;
    match secrets.is_empty() {
        true => params.to_string(),
        false => secrets.put_into(params).to_string(),
    }
}

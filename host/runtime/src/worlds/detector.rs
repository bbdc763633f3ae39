//! Looks at targets.

use super::{Answered, World};
use crate::{
    bindings::{Program, params_for_guest},
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
};
use mainstay_domain::{
    call::{ProbeRequest, Seen},
    plugin::PluginKind,
};
use wasmtime::Store;

pub(crate) struct Detector;

impl World for Detector {
    const KIND: PluginKind = PluginKind::Detector;
    const EXPORT: &'static str = "detection";
    const IMPORTS: &'static [&'static str] = &["types", "log", "settings", "clock", "http", "kv"];
    const SINCE: ContractVersion = ContractVersion::V1_1_0;
    const FUNCTION: &'static str = "probe";
    type Request = ProbeRequest;
    type Answer = Seen;
    type Failure = String;

    fn purpose(request: &ProbeRequest, _: u32) -> Purpose {
        Purpose::Probe {
            target: request.target.clone(),
            check: request.check.clone(),
        }
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s ProbeRequest,
    ) -> Boxed<'s, Answered<Self>> {
        Box::pin(async move {
            let params = params_for_guest(store, &request.params);
            match program {
                Program::V1_0_0(_) => Err(Program::has_no(Self::EXPORT)),
                Program::V1_1_0(program) => program.probe(store, request, &params).await,
                Program::V1_2_0(program) => program.probe(store, request, &params).await,
            }
        })
    }
}

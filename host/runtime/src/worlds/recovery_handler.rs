//! Recovers targets.

use super::{Answered, World};
use crate::{
    bindings::{Program, request_for_guest},
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
};
use mainstay_domain::{
    call::{RecoverRequest, RecoveryFailure, Report},
    plugin::PluginKind,
};
use wasmtime::Store;

pub(crate) struct RecoveryHandler;

impl World for RecoveryHandler {
    const KIND: PluginKind = PluginKind::RecoveryHandler;
    const EXPORT: &'static str = "recovery";
    const IMPORTS: &'static [&'static str] = &[
        "types", "log", "settings", "clock", "targets", "commands", "http", "kv", "backups",
    ];
    const SINCE: ContractVersion = ContractVersion::V1_0_0;
    const FUNCTION: &'static str = "recover";
    type Request = RecoverRequest;
    type Answer = Report;
    type Failure = RecoveryFailure;

    fn purpose(request: &RecoverRequest, effects: u32) -> Purpose {
        Purpose::Recover {
            operation: request.operation.clone(),
            target: request.target.clone(),
            dry_run: request.dry_run,
            effects,
        }
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s RecoverRequest,
    ) -> Boxed<'s, Answered<Self>> {
        Box::pin(async move {
            let request = request_for_guest(store, request);
            match program {
                Program::V1_0_0(program) => program.recover(store, &request).await,
                Program::V1_1_0(program) => program.recover(store, &request).await,
                Program::V1_2_0(program) => program.recover(store, &request).await,
            }
        })
    }
}

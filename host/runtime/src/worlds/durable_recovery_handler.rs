//! Recovers targets, and goes on where it was after a crash of the host: a recovery handler with more to import. Who
//! answers that stands in [`crate::durable`].

use super::{Answered, RecoveryHandler, World};
use crate::{
    bindings::Program,
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
};
use mainstay_domain::{
    call::{RecoverRequest, RecoveryFailure, Report},
    plugin::PluginKind,
};
use wasmtime::Store;

pub(crate) struct DurableRecoveryHandler;

impl World for DurableRecoveryHandler {
    const KIND: PluginKind = PluginKind::DurableRecoveryHandler;
    const EXPORT: &'static str = RecoveryHandler::EXPORT;
    const IMPORTS: &'static [&'static str] = &[
        "types", "log", "settings", "clock", "targets", "commands", "http", "kv", "backups",
        "random", "durable",
    ];
    const SINCE: ContractVersion = ContractVersion::V1_1_0;
    const FUNCTION: &'static str = RecoveryHandler::FUNCTION;
    type Request = RecoverRequest;
    type Answer = Report;
    type Failure = RecoveryFailure;

    fn purpose(request: &RecoverRequest, effects: u32) -> Purpose {
        RecoveryHandler::purpose(request, effects)
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s RecoverRequest,
    ) -> Boxed<'s, Answered<Self>> {
        RecoveryHandler::call(program, store, request)
    }
}

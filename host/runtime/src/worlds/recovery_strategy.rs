//! Decides when a recovery is attempted again.

use super::{Answered, World};
use crate::{
    bindings::{Program, params_for_guest},
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
};
use mainstay_domain::{
    call::{NextStep, Situation},
    plugin::PluginKind,
};
use wasmtime::Store;

pub(crate) struct RecoveryStrategy;

impl World for RecoveryStrategy {
    const KIND: PluginKind = PluginKind::RecoveryStrategy;
    const EXPORT: &'static str = "strategy";
    const IMPORTS: &'static [&'static str] = &["types", "log", "settings"];
    const SINCE: ContractVersion = ContractVersion::V1_1_0;
    const FUNCTION: &'static str = "next";
    type Request = Situation;
    type Answer = NextStep;
    type Failure = String;

    fn purpose(situation: &Situation, _: u32) -> Purpose {
        Purpose::Next {
            target: situation.target.clone(),
        }
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        situation: &'s Situation,
    ) -> Boxed<'s, Answered<Self>> {
        Box::pin(async move {
            let params = params_for_guest(store, &situation.params);
            match program {
                Program::V1_0_0(_) => Err(Program::has_no(Self::EXPORT)),
                Program::V1_1_0(program) => program.next(store, situation, &params).await,
                Program::V1_2_0(program) => program.next(store, situation, &params).await,
            }
        })
    }
}

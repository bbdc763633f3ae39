//! Judges which backups stay.

use super::{Answered, World};
use crate::{
    bindings::Program,
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
    limits::VERDICT_BYTES,
};
use mainstay_domain::{backup::Verdict, call::JudgeRequest, plugin::PluginKind};
use wasmtime::Store;

pub(crate) struct RetentionPolicy;

impl World for RetentionPolicy {
    const KIND: PluginKind = PluginKind::RetentionPolicy;
    const EXPORT: &'static str = "retention";
    const IMPORTS: &'static [&'static str] = &["types", "log", "settings"];
    const SINCE: ContractVersion = ContractVersion::V1_0_0;
    const FUNCTION: &'static str = "judge";
    type Request = JudgeRequest;
    type Answer = Vec<Verdict>;
    type Failure = String;

    fn purpose(request: &JudgeRequest, _: u32) -> Purpose {
        Purpose::Judge {
            job: request.job.clone(),
        }
    }

    /// The answer may be as long as the list is.
    fn extra_result_bytes(request: &JudgeRequest) -> usize {
        request.backups.len().saturating_mul(VERDICT_BYTES)
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s JudgeRequest,
    ) -> Boxed<'s, Answered<Self>> {
        Box::pin(async move {
            match program {
                Program::V1_0_0(program) => program.judge(store, request).await,
                Program::V1_1_0(program) => program.judge(store, request).await,
                Program::V1_2_0(program) => program.judge(store, request).await,
            }
        })
    }
}

//! Gives the documents of a backup.

use super::{Answered, World};
use crate::{
    bindings::Program,
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
    limits::PAGE_BYTES,
};
use mainstay_domain::{
    call::{CollectFailure, CollectRequest, Page},
    plugin::PluginKind,
};
use wasmtime::Store;

pub(crate) struct BackupSource;

impl World for BackupSource {
    const KIND: PluginKind = PluginKind::BackupSource;
    const EXPORT: &'static str = "collection";
    const IMPORTS: &'static [&'static str] =
        &["types", "log", "settings", "clock", "http", "commands"];
    const SINCE: ContractVersion = ContractVersion::V1_1_0;
    const FUNCTION: &'static str = "collect";
    type Request = CollectRequest;
    type Answer = Page;
    type Failure = CollectFailure;

    fn purpose(request: &CollectRequest, _: u32) -> Purpose {
        Purpose::Collect {
            job: request.job.clone(),
        }
    }

    /// What a page may hold, and its keys, cursor and watermark.
    fn extra_result_bytes(request: &CollectRequest) -> usize {
        usize::try_from(request.page_bytes)
            .unwrap_or(usize::MAX)
            .saturating_add(PAGE_BYTES)
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s CollectRequest,
    ) -> Boxed<'s, Answered<Self>> {
        Box::pin(async move {
            match program {
                Program::V1_0_0(_) => Err(Program::has_no(Self::EXPORT)),
                Program::V1_1_0(program) => program.collect(store, request).await,
                Program::V1_2_0(program) => program.collect(store, request).await,
            }
        })
    }
}

//! Delivers alerts.

use super::{Answered, World};
use crate::{
    bindings::Program,
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
};
use mainstay_domain::{
    call::{DeliverRequest, DeliveryFailure, Receipt},
    plugin::PluginKind,
};
use wasmtime::Store;

pub(crate) struct Alerter;

impl World for Alerter {
    const KIND: PluginKind = PluginKind::Alerter;
    const EXPORT: &'static str = "alerting";
    const IMPORTS: &'static [&'static str] = &[
        "types",
        "log",
        "settings",
        "clock",
        "http",
        "kv",
        "signed-http",
        "mail",
    ];
    const SINCE: ContractVersion = ContractVersion::V1_0_0;
    const FUNCTION: &'static str = "deliver";
    type Request = DeliverRequest;
    type Answer = Receipt;
    type Failure = DeliveryFailure;

    fn purpose(request: &DeliverRequest, _: u32) -> Purpose {
        Purpose::Deliver {
            alert: request.alert.id.clone(),
        }
    }

    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s DeliverRequest,
    ) -> Boxed<'s, Answered<Self>> {
        Box::pin(async move {
            match program {
                Program::V1_0_0(program) => program.deliver(store, request).await,
                Program::V1_1_0(program) => program.deliver(store, request).await,
                Program::V1_2_0(program) => program.deliver(store, request).await,
            }
        })
    }
}

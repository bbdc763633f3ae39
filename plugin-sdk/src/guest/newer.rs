//! The imports and exports that contract 1.1.0 brought.

use super::{Exported, GuestHost, imports};
use crate::bindings::{collection, detection, plugin, recovery, strategy};
use crate::collection::{BackupSource, CollectFailure, CollectRequest, Page};
use crate::detection::{Detector, Observation, ProbeRequest};
use crate::durable::DurableRecoveryHandler;
use crate::host::*;
use crate::plugin::{Descriptor, Plugin};
use crate::recovery::{Operation, RecoveryFailure, Report};
use crate::strategy::{NextStep, RecoveryStrategy, Situation};
use std::marker::PhantomData;

/// What a component exports for the durable recovery handler `P`: it exports what a recovery handler does.
pub struct ExportedDurable<P>(PhantomData<P>);

/// Exports `P` as a durable recovery handler; `P` describes itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_durable_component {
    ($plugin:ty) => {
        const _: () = {
            type Exported = $crate::guest::ExportedDurable<$plugin>;
    $crate::bindings::plugin::export!(Exported with_types_in $crate::bindings::plugin);
    $crate::bindings::recovery::export!(Exported with_types_in $crate::bindings::recovery);
        };
    };
}

impl<P: Plugin> plugin::exports::mainstay::plugin::plugin::Guest for ExportedDurable<P> {
    fn describe() -> Descriptor {
        P::descriptor()
    }

    fn configure(settings: String) -> Result<(), String> {
        P::configure(&settings)
    }
}

impl<P: Plugin + DurableRecoveryHandler + Default>
    recovery::exports::mainstay::plugin::recovery::Guest for ExportedDurable<P>
{
    fn recover(operation: Operation) -> Result<Report, RecoveryFailure> {
        crate::durable::__new::<P>().recover(&operation, &mut GuestHost)
    }
}

impl<P: Plugin + Detector + Default> detection::exports::mainstay::plugin::detection::Guest
    for Exported<P>
{
    fn probe(request: ProbeRequest) -> Result<Observation, String> {
        crate::detection::__new::<P>().probe(&request, &mut GuestHost)
    }
}

impl<P: Plugin + RecoveryStrategy + Default> strategy::exports::mainstay::plugin::strategy::Guest
    for Exported<P>
{
    fn next(situation: Situation) -> Result<NextStep, String> {
        crate::strategy::__new::<P>().next(&situation, &mut GuestHost)
    }
}

impl<P: Plugin + BackupSource + Default> collection::exports::mainstay::plugin::collection::Guest
    for Exported<P>
{
    fn collect(request: CollectRequest) -> Result<Page, CollectFailure> {
        crate::collection::__new::<P>().collect(&request, &mut GuestHost)
    }
}

impl Random for GuestHost {
    fn random_bytes(&mut self, length: u32) -> Vec<u8> {
        imports::random::bytes(length)
    }

    fn random_number(&mut self) -> u64 {
        imports::random::number()
    }
}

impl Durable for GuestHost {
    fn sleep_until(&mut self, moment: Timestamp) {
        imports::durable::sleep_until(moment);
    }

    fn durable_key(&mut self, name: &str) -> String {
        imports::durable::key(name)
    }

    fn is_replaying(&mut self) -> bool {
        imports::durable::replaying()
    }

    fn await_signal(&mut self, name: &str, until: Timestamp) -> Result<String, EffectError> {
        imports::durable::await_signal(name, until)
    }
}

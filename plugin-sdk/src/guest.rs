//! The wasm side: the imports as a host, and the exports that call the plugin.
//!
//! Invariant: nothing is decided here; each function hands on to the contract's of the same name.

#[cfg(feature = "contract-1-2")]
mod egress;
#[cfg(feature = "contract-1-1")]
mod newer;

#[cfg(feature = "contract-1-1")]
pub use newer::ExportedDurable;

use crate::alerting::{Alert, Alerter, DeliveryFailure, Receipt};
use crate::bindings::effects::mainstay::plugin as imports;
use crate::bindings::{alerting, plugin, recovery, retention};
use crate::host::*;
use crate::plugin::{Descriptor, Plugin};
use crate::recovery::{Operation, RecoveryFailure, RecoveryHandler, Report};
use crate::retention::{RetentionPolicy, Verdict};
use std::marker::PhantomData;
use std::time::Duration;

/// The host that runs this component.
struct GuestHost;

/// What a component exports for the plugin type `P`.
pub struct Exported<P>(PhantomData<P>);

/// Exports `P` as a plugin of a kind; `P` describes itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_component {
    ($plugin:ty, $kind:ident) => {
        const _: () = {
            type Exported = $crate::guest::Exported<$plugin>;
    $crate::bindings::plugin::export!(Exported with_types_in $crate::bindings::plugin);
    $crate::bindings::$kind::export!(Exported with_types_in $crate::bindings::$kind);
        };
    };
}

impl<P: Plugin> plugin::exports::mainstay::plugin::plugin::Guest for Exported<P> {
    fn describe() -> Descriptor {
        P::descriptor()
    }

    fn configure(settings: String) -> Result<(), String> {
        P::configure(&settings)
    }
}

impl<P: Plugin + RecoveryHandler + Default> recovery::exports::mainstay::plugin::recovery::Guest
    for Exported<P>
{
    fn recover(operation: Operation) -> Result<Report, RecoveryFailure> {
        crate::recovery::__new::<P>().recover(&operation, &mut GuestHost)
    }
}

impl<P: Plugin + Alerter + Default> alerting::exports::mainstay::plugin::alerting::Guest
    for Exported<P>
{
    fn deliver(alert: Alert) -> Result<Receipt, DeliveryFailure> {
        crate::alerting::__new::<P>().deliver(&alert, &mut GuestHost)
    }
}

impl<P: Plugin + RetentionPolicy + Default> retention::exports::mainstay::plugin::retention::Guest
    for Exported<P>
{
    fn judge(now: Timestamp, backups: Vec<Backup>) -> Result<Vec<Verdict>, String> {
        crate::retention::__new::<P>().judge(now, &backups, &mut GuestHost)
    }
}

impl Log for GuestHost {
    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &str)]) {
        imports::log::write(level, message, &owned(fields));
    }
}

impl Settings for GuestHost {
    fn settings_json(&mut self) -> String {
        imports::settings::get()
    }
}

impl Clock for GuestHost {
    fn now(&mut self) -> Timestamp {
        imports::clock::now()
    }

    fn sleep(&mut self, length: Duration) {
        imports::clock::sleep(to_duration_ms(length));
    }
}

impl Targets for GuestHost {
    fn target_status(&mut self, target: &str) -> Result<TargetStatus, EffectError> {
        imports::targets::status(target)
    }

    fn target_start(&mut self, target: &str) -> Result<(), EffectError> {
        imports::targets::start(target)
    }

    fn target_stop(&mut self, target: &str) -> Result<(), EffectError> {
        imports::targets::stop(target)
    }

    fn target_restart(&mut self, target: &str) -> Result<(), EffectError> {
        imports::targets::restart(target)
    }

    fn target_signal(&mut self, target: &str, signal: Signal) -> Result<(), EffectError> {
        imports::targets::send(target, signal)
    }

    fn target_check(&mut self, target: &str) -> Result<Vec<Evidence>, EffectError> {
        imports::targets::check(target)
    }
}

impl Commands for GuestHost {
    fn command(&mut self, name: &str, arguments: &[(&str, &str)]) -> Result<Output, EffectError> {
        imports::commands::run(name, &owned(arguments))
    }
}

impl Http for GuestHost {
    fn http(&mut self, request: Request) -> Result<Response, EffectError> {
        imports::http::send(&request)
    }
}

impl Kv for GuestHost {
    fn kv_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, EffectError> {
        imports::kv::get(key)
    }

    fn kv_set(&mut self, key: &str, value: &[u8]) -> Result<(), EffectError> {
        imports::kv::set(key, value)
    }

    fn kv_delete(&mut self, key: &str) -> Result<(), EffectError> {
        imports::kv::delete(key)
    }

    fn kv_compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool, EffectError> {
        imports::kv::compare_and_set(key, expected, value)
    }

    fn kv_keys(&mut self, prefix: &str) -> Result<Vec<String>, EffectError> {
        imports::kv::keys(prefix)
    }
}

impl Backups for GuestHost {
    fn backup_newest(
        &mut self,
        job: &str,
        before: Option<Timestamp>,
    ) -> Result<Option<Backup>, EffectError> {
        imports::backups::newest(job, before)
    }

    fn backup_create(&mut self, job: &str, kind: BackupType) -> Result<Backup, EffectError> {
        imports::backups::create(job, kind)
    }

    fn backup_restore(&mut self, job: &str, id: &str) -> Result<Restored, EffectError> {
        imports::backups::restore(job, id)
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

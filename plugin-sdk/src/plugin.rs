//! What every plugin says of itself, whatever its kind.
//!
//! The export macros implement [`Plugin`]; an author meets it only in tests:
//!
//! ```
//! # use mainstay_plugin_sdk::recovery::*;
//! # #[derive(Default)]
//! # struct RestartService;
//! # impl RecoveryHandler for RestartService {
//! #     fn recover(&self, _: &Operation, _: &mut impl Host) -> Result<Report> { Ok(Report::default()) }
//! # }
//! # export_recovery_handler!(RestartService, handles = ["service-down"]);
//! use mainstay_plugin_sdk::plugin::Plugin;
//!
//! assert_eq!(RestartService::descriptor().handles, ["service-down"]);
//! assert!(RestartService::configure("{}").is_ok());
//! ```

pub use crate::bindings::plugin::exports::mainstay::plugin::plugin::{Capability, Descriptor};

/// The contract's interface `plugin`.
pub trait Plugin {
    /// Who the plugin is. Gives the same answer each time.
    fn descriptor() -> Descriptor;

    /// Checks the operator's settings, a JSON object.
    ///
    /// # Errors
    /// A message for the operator: which field, what was found, what is allowed.
    fn configure(settings: &str) -> Result<(), String>;
}

/// Implements [`Plugin`] from the manifest of the crate that it is called in.
#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    ($plugin:ty, [$($failure:expr),*], [$($capability:expr => $why:expr),*] $(, $settings:ty)?) => {
        impl $crate::plugin::Plugin for $plugin {
            fn descriptor() -> $crate::plugin::Descriptor {
                #[allow(unused_mut, unused_assignments, reason = "a plugin may have no settings")]
                let mut settings_schema = ::core::option::Option::None;
                $(settings_schema = ::core::option::Option::Some(<$settings as $crate::settings::DescribedSettings>::schema());)?
                $crate::plugin::Descriptor {
                    name: ::core::env!("CARGO_PKG_NAME").into(),
                    version: ::core::env!("CARGO_PKG_VERSION").into(),
                    summary: ::core::env!("CARGO_PKG_DESCRIPTION").into(),
                    handles: ::std::vec![$(::std::string::String::from($failure)),*],
                    capabilities: ::std::vec![$($crate::plugin::Capability {
                        name: ::std::string::String::from($capability),
                        why: ::std::string::String::from($why),
                    }),*],
                    settings_schema,
                }
            }

            fn configure(settings: &str) -> ::core::result::Result<(), ::std::string::String> {
                $(return <$settings as $crate::settings::DescribedSettings>::check(settings);)?
                #[allow(unreachable_code, reason = "reached by plugins without settings")]
                $crate::settings::check_none(settings)
            }
        }
    };
}

/// Exports a plugin type that describes itself. Natively it only checks that the type could be exported, so that
/// plugins build and test anywhere.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $kind:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::__export_component!($plugin, $kind);
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $plugin = $crate::$kind::__new::<$plugin>;
    };
}

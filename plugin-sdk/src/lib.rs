//! What the author of a Mainstay plugin depends on.
//!
//! A plugin is a WebAssembly component that decides and asks; the host acts, journals and limits. This is one,
//! complete:
//!
//! ```
//! use mainstay_plugin_sdk::recovery::*;
//!
//! #[derive(Default)]
//! struct RestartService;
//!
//! impl RecoveryHandler for RestartService {
//!     fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
//!         host.target(&op.target).restart()?;
//!         Ok(Report::action("restarted"))
//!     }
//! }
//!
//! export_recovery_handler!(RestartService, handles = ["service-down"]);
//! ```
//!
//! Its name, version and summary are those of its `Cargo.toml`. It is built with
//! `cargo build --target wasm32-wasip2 --release` as a `cdylib`, and tested natively, as an `rlib`, against
//! [`testing::ScriptedHost`].
//!
//! Each kind of plugin has a module that holds all it needs: [`recovery`], [`alerting`] and [`retention`], each
//! made for a `use mainstay_plugin_sdk::KIND::*`. With the feature `contract-1-1` there are `detection`, `strategy`,
//! `collection` and `durable` beside them, and all kinds are built against contract 1.1.0, which a host speaks that
//! is not older; with `contract-1-2` alerters have mail and signed requests too. Settings are a struct that [`plugin_settings!`] writes, or a serde struct
//! (see [`settings`]). Without the feature `settings`, which is for the latter, no other crate is compiled.
//!
//! Invariant: a plugin imports only what it calls, so the capabilities it can use are seen in its component.
//! Invariant: natively nothing here reaches the world.

#[doc(hidden)]
pub mod bindings;

pub mod alerting;
pub mod calendar;
#[cfg(feature = "contract-1-1")]
pub mod collection;
#[cfg(feature = "contract-1-1")]
pub mod detection;
#[cfg(feature = "contract-1-1")]
pub mod durable;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod host;
#[doc(hidden)]
pub mod json;
pub mod plugin;
pub mod recovery;
pub mod retention;
pub mod settings;
#[cfg(feature = "contract-1-1")]
pub mod strategy;
pub mod testing;

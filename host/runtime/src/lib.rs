//! Hosts versioned, hot-reloaded WebAssembly plugins.
//!
//! A plugin is a component of `mainstay:plugin` (see `plugin-sdk/wit/`). It decides and asks; everything that it asks
//! for goes through an [`effects::EffectSession`], after its grants allowed it and its limits had room for it.
//!
//! Invariant: a plugin can end its own call and nothing else, whatever it does; every limit has a name, and what
//! exceeds it says so.
//! Invariant: nothing live is touched before its replacement is complete.
//!
//! Where to look, in the order of a plugin's life: [`contract`] reads its types, [`loader`] compiles and asks it what
//! it is, [`plugin`] calls it, [`registry`] finds it, [`host`] follows a directory and the operator's settings.

mod bindings;
pub mod cache;
mod call_context;
mod call_state;
mod candidate;
pub mod compiler;
mod component_file;
pub mod contract;
mod contract_version;
mod durable;
pub mod effects;
pub mod engine;
pub mod error;
mod files;
pub mod host;
pub mod inspect;
mod invoke;
pub mod lack;
pub mod limits;
pub mod loader;
mod memory;
pub mod observer;
pub mod own_directory;
mod pins;
pub mod plugin;
pub mod quarantine;
pub mod registry;
pub mod regular_file;
mod seeds;
mod settings;
mod settings_schema;
pub mod store;
#[cfg(test)]
mod testing;
mod virtual_clock;
mod wasi;
mod worlds;

pub use effects::{Call, EffectPort, EffectSession, LogLine, Purpose, Settling};
pub use engine::Engine;
pub use error::{CallError, CallFailure, LoadError};
pub use host::{HostOptions, PluginHost};
pub use loader::{Loader, LoaderOptions};
pub use pins::kept_build;
pub use plugin::{Plugin, Settled};

//! The world behind the ports: files, processes, sockets, clocks.

pub mod backup_keys;
pub mod charter_file;
pub mod clock;
pub mod commands;
pub mod compiler;
pub mod environment;
pub mod host_places;
pub mod http;
pub mod limits;
pub mod local_coordinator;
pub mod orders_file;
pub mod pid_files;
pub mod probe;
pub mod process;
mod program;
pub mod reaper;
pub mod secrets;
pub mod settled_file;
pub mod smtp;
pub mod sources;
mod threads;
pub mod tier_pace;
pub mod tiers;
pub mod version_file;
pub mod watcher;

pub use program::Outputs;
pub(crate) use program::finish_remains;

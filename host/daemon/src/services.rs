//! What the daemon does, in loops of its own: each service gathers inputs, lets `domain` decide, journals, acts and
//! reports.

pub mod alerts;
pub mod backup;
pub mod effects;
pub mod feed;
pub mod metrics;
pub mod monitor;
mod next_spec;
pub(crate) mod parts;
pub mod plugins;
pub mod recorder;
pub mod recovery;
pub mod reload;
pub mod room;
pub mod shared;
pub mod state;
pub mod supervisor;
#[cfg(test)]
pub(crate) mod testing;
pub mod upkeep;

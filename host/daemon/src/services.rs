//! What the daemon does, in loops of its own: each service gathers inputs, lets `domain` decide, journals, acts and
//! reports.

pub mod alert_holds;
pub mod alert_tests;
pub mod alerter_watch;
pub mod alerts;
pub mod backup;
pub mod disk_state;
pub mod effects;
pub mod feed;
mod gap_looks;
pub mod history_pruner;
pub mod host_mode;
pub mod inbox;
pub mod metrics;
pub mod monitor;
mod next_spec;
pub mod notes;
pub mod operator_words;
pub mod plugins;
pub mod recorder;
pub mod recovery;
pub mod reload;
pub mod route_watch;
pub mod settled;
pub mod shared;
pub mod silences;
pub mod status_line;
pub mod status_view;
mod story;
pub mod supervisor;
pub mod target_orders;
pub(crate) mod task_group;
#[cfg(test)]
pub(crate) mod testing;

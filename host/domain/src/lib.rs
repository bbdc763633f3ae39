//! The decisions of Mainstay, and the words they are written in.
//!
//! Invariant: nothing in this crate reads a clock, a file, a socket or a source of randomness; callers pass `now`
//! and what they read. So every decision is a function that a table or a property can test.
//!
//! Where to look: the *words* are `actor`, `name`, `id`, `time`, `severity`, `failure`, `phase`, `effect`, `event`, `incident`,
//! `operation`, `alert`, `backup`, `plugin`, and `code`, which errors have that need more than a line; `spec` is what
//! an operator configures, validated; `record` and `orders` are what must survive a crash. The *decisions* are the modules whose
//! items are functions; `secret` is how a guest has secrets without having them.

pub mod actor;
pub mod alert;
pub mod archive;
pub mod audit;
pub mod availability;
pub mod backoff;
pub mod backup;
pub mod backup_chain;
pub mod backup_moves;
pub mod backup_origin;
pub mod backup_proofs;
pub mod backup_schedule;
pub mod backup_statistics;
pub mod backup_type;
pub mod bandwidth;
pub mod blindness;
pub mod blob;
pub mod breaker;
pub mod call;
pub mod call_record;
pub mod certificate;
pub mod checkpoint;
pub mod checkpoint_rollback;
pub mod checkpoint_rules;
pub mod checksum;
pub mod clock_steps;
pub mod code;
pub mod compile_queue;
pub mod condition;
pub mod config_difference;
pub mod cooldown;
pub mod coordination;
pub mod cpu;
pub mod deletion;
pub mod dependency;
pub mod doubt;
pub mod drill;
pub mod drill_rules;
pub mod drilled;
pub mod dry_run_answer;
pub mod effect;
pub mod encryption;
pub mod env_file;
pub mod event;
pub mod failed_attempts;
pub mod failure;
pub mod fallback;
pub mod fallback_mode;
pub mod flap;
pub mod grant;
pub mod health;
pub mod health_events;
pub mod hex;
pub mod host_health;
pub mod id;
pub mod incident;
pub mod jitter;
pub mod mail;
pub mod mail_address;
pub mod maintenance;
pub mod measure;
pub mod name;
pub mod operation;
pub mod orders;
pub mod pace;
pub mod pause;
pub mod phase;
pub mod plugin;
pub mod plugin_file;
pub mod policy;
pub mod protocol;
pub mod pulse;
pub mod queue;
pub mod record;
pub mod recovery;
pub mod redaction;
pub mod rehearsal;
pub mod replay;
pub mod retention;
pub mod route;
pub mod rpo;
pub mod secret;
pub mod settled_clock;
pub mod severity;
pub mod shrink;
pub mod signal_words;
pub mod signature;
pub mod silence;
pub mod simulation;
pub mod socket_rights;
pub mod source_mount;
pub mod spec;
pub mod statsd;
pub mod strategy;
pub mod target_policy;
pub mod template;
pub mod text;
pub mod tier_circuit;
pub mod tier_order;
pub mod time;
pub mod timeline;

#[cfg(test)]
mod tests;

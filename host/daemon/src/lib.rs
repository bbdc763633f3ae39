//! The daemon of Mainstay as a library: config, adapters, services and admin API around the plugin host. The program that
//! runs it, and its command line, are the crate `mainstay`.
//!
//! Invariant: `config`, `adapters` and `services` never import each other's insides; `app` alone joins them, through
//! the traits in `ports`, which speak domain types only.
//! Invariant: nothing here prints. What is said is logged with `tracing`, answered by the admin API, or returned.

pub mod adapters;
pub mod api;
pub mod app;
pub mod config;
pub mod ports;
pub mod services;

//! Mainstay's program: config, adapters, services, admin API and command line around the plugin host.
//!
//! Invariant: `config`, `adapters` and `services` never import each other's insides; `app` alone joins them, through
//! the traits in `ports`, which speak domain types only.

pub mod adapters;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod demo;
pub mod ports;
pub mod services;
pub mod toolchain;

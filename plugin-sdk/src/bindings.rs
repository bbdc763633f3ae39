//! The contract as Rust: what is below here is generated from `wit/1.0.0`, and written down.
//!
//! It is generated beforehand, so that an author compiles neither the generator nor the crates that it needs. A test
//! fails where it is not what the generator makes of the WIT; this renews it:
//! `MAINSTAY_RENEW=1 cargo test -p mainstay-tests --test bindings`.
//!
//! Invariant: nothing here is written by hand but the worlds' division, which stands in that test, and [`rt`]. The
//! contract's worlds share the interface `plugin`, and bindings that are exported from a library can hold each
//! interface once; so each exported interface has a world of its own here, and the component linker unites those that
//! a plugin exports into the contract's world. What a plugin does not call is not imported by its component.
#![allow(
    warnings,
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated: the canonical ABI needs unsafe code, and only the contract's items have docs"
)]

/// The imports: types and effects of all kinds.
#[rustfmt::skip]
pub mod effects;

/// The export of every kind: who the plugin is.
#[rustfmt::skip]
pub mod plugin;

/// The export of recovery handlers.
#[rustfmt::skip]
pub mod recovery;

/// The export of alerters.
#[rustfmt::skip]
pub mod alerting;

/// The export of retention policies.
#[rustfmt::skip]
pub mod retention;

pub mod rt;

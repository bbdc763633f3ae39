//! The contract as Rust: what is below here is generated from `wit/1.0.0`, in `v1_1` from `wit/1.1.0` and in `v1_2` from
//! `wit/1.2.0`, and written down. A component is of one contract, so the features `contract-1-1` and `contract-1-2` take one
//! in place of the other.
//!
//! It is generated beforehand, so that an author compiles neither the generator nor the crates that it needs. A test
//! fails where it is not what the generator makes of the WIT; this renews it:
//! `MAINSTAY_RENEW=1 cargo test -p mainstay-tests bindings::`.
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
#[cfg(not(feature = "contract-1-1"))]
#[rustfmt::skip]
pub mod effects;

/// The imports: types and effects of all kinds.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/effects.rs"]
#[rustfmt::skip]
pub mod effects;

/// The imports: types and effects of all kinds.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/effects.rs"]
#[rustfmt::skip]
pub mod effects;

/// The export of every kind: who the plugin is.
#[cfg(not(feature = "contract-1-1"))]
#[rustfmt::skip]
pub mod plugin;

/// The export of every kind: who the plugin is.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/plugin.rs"]
#[rustfmt::skip]
pub mod plugin;

/// The export of every kind: who the plugin is.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/plugin.rs"]
#[rustfmt::skip]
pub mod plugin;

/// The export of recovery handlers.
#[cfg(not(feature = "contract-1-1"))]
#[rustfmt::skip]
pub mod recovery;

/// The export of recovery handlers.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/recovery.rs"]
#[rustfmt::skip]
pub mod recovery;

/// The export of recovery handlers.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/recovery.rs"]
#[rustfmt::skip]
pub mod recovery;

/// The export of alerters.
#[cfg(not(feature = "contract-1-1"))]
#[rustfmt::skip]
pub mod alerting;

/// The export of alerters.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/alerting.rs"]
#[rustfmt::skip]
pub mod alerting;

/// The export of alerters.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/alerting.rs"]
#[rustfmt::skip]
pub mod alerting;

/// The export of retention policies.
#[cfg(not(feature = "contract-1-1"))]
#[rustfmt::skip]
pub mod retention;

/// The export of retention policies.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/retention.rs"]
#[rustfmt::skip]
pub mod retention;

/// The export of retention policies.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/retention.rs"]
#[rustfmt::skip]
pub mod retention;

/// The export of detectors.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/detection.rs"]
#[rustfmt::skip]
pub mod detection;

/// The export of detectors.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/detection.rs"]
#[rustfmt::skip]
pub mod detection;

/// The export of recovery strategies.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/strategy.rs"]
#[rustfmt::skip]
pub mod strategy;

/// The export of recovery strategies.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/strategy.rs"]
#[rustfmt::skip]
pub mod strategy;

/// The export of backup sources.
#[cfg(all(feature = "contract-1-1", not(feature = "contract-1-2")))]
#[path = "bindings/v1_1/collection.rs"]
#[rustfmt::skip]
pub mod collection;

/// The export of backup sources.
#[cfg(feature = "contract-1-2")]
#[path = "bindings/v1_2/collection.rs"]
#[rustfmt::skip]
pub mod collection;

pub mod rt;

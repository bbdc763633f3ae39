//! A recovery handler that misbehaves: how, the operation's `params` say (`{"do": "loop"}`), and for what happens
//! before any operation a cargo feature.
//!
//! `{"do": "nothing"}` is the control: it behaves.

mod misdeeds;

use mainstay_plugin_sdk::plugin::{Descriptor, Plugin};
use mainstay_plugin_sdk::recovery::*;
use misdeeds::{Misdeed, allocate_without_end, spin, text_of};
use schemars::JsonSchema;
use serde::Deserialize;

/// The `params` of an operation.
#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    /// What to do.
    #[serde(rename = "do")]
    misdeed: Misdeed,
    /// How much of it: bytes, lines, calls or milliseconds; each misdeed has a default of its own.
    amount: Option<usize>,
    /// What reaches out needs something to reach for.
    #[serde(default)]
    name: String,
}

#[derive(Default)]
struct Hostile;

impl RecoveryHandler for Hostile {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let params: Params = op.params_as()?;
        params.misdeed.commit(op, host, params.amount, &params.name)
    }
}

impl Plugin for Hostile {
    fn descriptor() -> Descriptor {
        if cfg!(feature = "trap-in-describe") {
            std::process::abort();
        }
        if cfg!(feature = "loop-in-describe") {
            spin();
        }
        let summary = match cfg!(feature = "huge-describe") {
            true => text_of(64 << 20),
            false => env!("CARGO_PKG_DESCRIPTION").to_owned(),
        };
        Descriptor {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary,
            handles: vec!["service-down".into()],
            capabilities: Vec::new(),
            settings_schema: None,
        }
    }

    fn configure(_: &str) -> Result<(), String> {
        if cfg!(feature = "trap-in-configure") {
            std::process::abort();
        }
        if cfg!(feature = "loop-in-configure") {
            spin();
        }
        if cfg!(feature = "memory-in-configure") {
            allocate_without_end();
        }
        Ok(())
    }
}

mainstay_plugin_sdk::__export!(Hostile, recovery);

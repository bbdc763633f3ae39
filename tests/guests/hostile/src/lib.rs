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
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant, SystemTime};

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

/// A name and a summary that would be others each time, by all that is to be had of chance and time.
fn drawn() -> (String, String) {
    let drawn = RandomState::new().build_hasher().finish();
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(3));
    let waited = began.elapsed();
    let now = SystemTime::now();
    (format!("hostile-{drawn:x}"), format!("{now:?}, {waited:?}"))
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
        let (name, summary) = match () {
            () if cfg!(feature = "random-describe") => drawn(),
            () if cfg!(feature = "forged-name") => ("\u{1b}[2Jfine\u{202e}".to_owned(), summary),
            () => (env!("CARGO_PKG_NAME").to_owned(), summary),
        };
        let version = match cfg!(feature = "huge-version") {
            true => format!("1.0.0+{}", text_of(7_000)),
            false => env!("CARGO_PKG_VERSION").to_owned(),
        };
        Descriptor {
            name,
            version,
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

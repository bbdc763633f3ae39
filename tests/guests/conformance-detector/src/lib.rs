//! Looks at nothing: gives what a check's `params` name, so that it is seen what a host makes of it.

use mainstay_plugin_sdk::detection::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// The `params` of a check.
#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    /// What is given.
    gives: Gives,
}

/// What is given.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Gives {
    /// That it works.
    Healthy,
    /// That something is not as it should be.
    Degraded,
    /// That it does not work.
    Failed,
    /// The same, without being sure of it.
    Unsure,
    /// The same, with a failure type of its own.
    OwnFailure,
    /// The same, with one that it does not handle.
    ForeignFailure,
    /// That it could not look.
    NoLook,
    /// Nothing, for it traps.
    Trap,
    /// Nothing, for it never ends.
    Hang,
    /// As much memory as it may keep; that it works once it has that back.
    Memory,
    /// More than that.
    MuchMemory,
    /// A longer message than is shown.
    LongMessage,
    /// That it works where the request is as its docs say.
    Request,
}

/// Gives what it is asked for.
#[derive(Debug, Default)]
pub struct Conformance;

impl Detector for Conformance {
    fn probe(&self, request: &ProbeRequest, host: &mut impl Host) -> Result<Observation> {
        let Params { gives } = request.params_as()?;
        let failed = || Observation::failed("as it was asked").measuring(7.5);
        Ok(match gives {
            Gives::Healthy => Observation::healthy("as it was asked"),
            Gives::Degraded => Observation::degraded("as it was asked"),
            Gives::Failed => failed(),
            Gives::Unsure => failed().sure(0.4),
            Gives::OwnFailure => failed().of_failure("queue-full"),
            Gives::ForeignFailure => failed().of_failure("of-somebody-else"),
            Gives::NoLook => return Err("as it was asked".to_owned()),
            Gives::Trap => std::process::abort(),
            Gives::Hang => loop {
                host.sleep(std::time::Duration::from_secs(60));
            },
            Gives::Memory => {
                let all = vec![7; 4_096];
                match request.memory == all {
                    true => Observation::healthy("it is all there").remembering(all),
                    false if request.memory.is_empty() => {
                        Observation::degraded("it is empty").remembering(all)
                    }
                    false => failed(),
                }
            }
            Gives::MuchMemory => failed().remembering(vec![7; 4_097]),
            Gives::LongMessage => Observation::failed("long ".repeat(1_000)),
            Gives::Request => {
                let now = host.now();
                let is_whole = request.target == "request"
                    && request.check == "as-asked"
                    && request.timeout == 500
                    && now.abs_diff(request.now) < 60_000
                    && host.settings_json() == r#"{"word":"settings"}"#;
                match is_whole {
                    true => Observation::healthy("it is whole"),
                    false => Observation::failed(format!("{request:?} at {now}")),
                }
            }
        })
    }
}

plugin_settings! {
    /// What the operator can set.
    #[derive(Debug)]
    pub struct Words {
        /// A word, to be seen.
        pub word: String,
    }
}

export_detector!(Conformance, handles = ["queue-full"], settings = Words);

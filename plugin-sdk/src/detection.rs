//! Everything that a detector needs; made for `use mainstay_plugin_sdk::detection::*`.
//!
//! ```
//! use mainstay_plugin_sdk::detection::*;
//! use mainstay_plugin_sdk::testing::{ScriptedHost, probe};
//!
//! #[derive(Default)]
//! struct QueueIsShort;
//!
//! impl Detector for QueueIsShort {
//!     fn probe(&self, request: &ProbeRequest, host: &mut impl Host) -> Result<Observation> {
//!         let response = host.http(Request::get("http://127.0.0.1:9000/queue"))?;
//!         let length: u32 = response.text().trim().parse().map_err(|_| "no number came")?;
//!         Ok(match length {
//!             0..=999 => Observation::healthy(format!("{length} wait")),
//!             _ => Observation::failed(format!("{length} wait")).of_failure("queue-full"),
//!         }
//!         .measuring(f64::from(length)))
//!     }
//! }
//!
//! export_detector!(
//!     QueueIsShort,
//!     handles = ["queue-full"],
//!     capabilities = ["http" => "ask how long the queue is"],
//! );
//!
//! let mut host = ScriptedHost::new();
//! host.on_http("http://127.0.0.1:9000/queue", Ok(Response::new(200, "1000")));
//! let seen = QueueIsShort.probe(&probe("api", "queue"), &mut host)?;
//! assert_eq!((seen.condition, seen.value), (Condition::Failed, Some(1000.0)));
//! # Ok::<(), String>(())
//! ```

pub use crate::bindings::detection::exports::mainstay::plugin::detection::{
    Condition, Observation, ProbeRequest,
};
pub use crate::export_detector;
pub use crate::host::{
    Clock, DurationMs, EffectError, Http, Kv, KvStore, Level, Log, Method, Request, Response,
    Settings, Timestamp,
};
pub use crate::plugin_settings;

/// What a detector gives back; the error is "could not look", for people.
pub type Result<T, E = String> = core::result::Result<T, E>;

/// All that a detector can ask for, by grant.
pub trait Host: Log + Settings + Clock + Http + Kv {}

impl<H: Log + Settings + Clock + Http + Kv> Host for H {}

/// A plugin that looks at a target. Exported with [`export_detector!`].
pub trait Detector {
    /// Looks once, within `request.timeout`.
    ///
    /// # Errors
    /// It could not look. That says nothing of the target, and counts as unknown, never as failed.
    fn probe(&self, request: &ProbeRequest, host: &mut impl Host) -> Result<Observation>;
}

impl Observation {
    /// One of this condition, with a message for people.
    pub fn new(condition: Condition, message: impl Into<String>) -> Self {
        Self {
            condition,
            message: message.into(),
            value: None,
            failure: None,
            confidence: None,
            memory: Vec::new(),
        }
    }

    /// It works.
    pub fn healthy(message: impl Into<String>) -> Self {
        Self::new(Condition::Healthy, message)
    }

    /// It works, but not as it should.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(Condition::Degraded, message)
    }

    /// It does not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Condition::Failed, message)
    }

    /// With the measured value.
    #[must_use]
    pub fn measuring(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// With a failure type that says more than the check's, one of those that the plugin handles. It stands in the evidence.
    #[must_use]
    pub fn of_failure(mut self, failure: impl Into<String>) -> Self {
        self.failure = Some(failure.into());
        self
    }

    /// With how sure the detector is, 0.0 to 1.0.
    #[must_use]
    pub fn sure(mut self, confidence: f64) -> Self {
        self.confidence = Some(confidence);
        self
    }

    /// With what the next look of this check gets in `request.memory`; at most 4,096 bytes.
    #[must_use]
    pub fn remembering(mut self, memory: impl Into<Vec<u8>>) -> Self {
        self.memory = memory.into();
        self
    }
}

#[cfg(feature = "settings")]
impl ProbeRequest {
    /// The parameters of the check as the plugin's own type.
    ///
    /// # Errors
    /// They do not fit; the message says which field, what was found and what is allowed.
    pub fn params_as<T>(&self) -> core::result::Result<T, crate::settings::SettingsError>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        crate::settings::parse_strictly("params", &self.params)
    }
}

/// What the export macro needs of a type.
#[doc(hidden)]
pub fn __new<P: crate::plugin::Plugin + Detector + Default>() -> P {
    P::default()
}

/// Makes a type the detector that this crate's component exports.
///
/// The type implements [`Detector`] and [`Default`]. Name, version and summary come from `Cargo.toml`; `handles` are the
/// failure types that it can tell; `capabilities` are the grants that it asks the operator for, each with a sentence why;
/// `settings` is the type of its settings.
#[macro_export]
macro_rules! export_detector {
    (
        $plugin:ty
        $(, handles = [$($failure:expr),* $(,)?])?
        $(, capabilities = [$($capability:expr => $why:expr),* $(,)?])?
        $(, settings = $settings:ty)?
        $(,)?
    ) => {
        $crate::__describe!($plugin, [$($($failure),*)?], [$($($capability => $why),*)?] $(, $settings)?);
        $crate::__export!($plugin, detection);
    };
}

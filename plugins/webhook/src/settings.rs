//! Where alerts go, checked when the configuration is.

use mainstay_plugin_sdk::settings::{DurationText, UrlText};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where and how alerts are posted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Absolute `http` or `https` URL; may hold `${secret:NAME}`. Its origin needs the grant `http`.
    pub(crate) url: UrlText,
    /// Further request headers by name; values may hold `${secret:NAME}`. Those of the plugin itself
    /// (`content-type`, `idempotency-key`, `alert-attempt`) can be replaced.
    #[serde(default)]
    pub(crate) headers: Headers,
    /// The secret that each request is signed with, as `${secret:NAME}` alone. The header `X-Mainstay-Signature` then has
    /// `t=SECONDS,v1=HEX`: HMAC-SHA-256 over `SECONDS`, a full stop and the body.
    pub(crate) hmac_secret: Option<HmacSecret>,
    /// How long to wait for the response; the host's default where it is absent.
    pub(crate) timeout: Option<DurationText>,
}

/// What stands for a secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(crate) struct HmacSecret(String);

impl HmacSecret {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HmacSecret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.is_empty() || text.contains(char::is_whitespace) {
            true => {
                Err("it is no secret; write \"${secret:NAME}\", alone, with NAME from [secrets]")
            }
            false => Ok(Self(text)),
        }
    }
}

/// Header names and values that a request can carry.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, String>")]
pub(crate) struct Headers(BTreeMap<String, String>);

impl Headers {
    pub(crate) fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl TryFrom<BTreeMap<String, String>> for Headers {
    type Error = String;

    fn try_from(headers: BTreeMap<String, String>) -> Result<Self, String> {
        // RFC 9110, 5.6.2: a token.
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        for (name, value) in &headers {
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(format!(
                    "found the header name {name:?}, expected letters, digits and `-`"
                ));
            }
            if value.chars().any(char::is_control) {
                return Err(format!(
                    "the value of the header {name:?} has control characters; remove them"
                ));
            }
        }
        Ok(Self(headers))
    }
}

//! The address of a service as people write it.

use schemars::JsonSchema;
use serde::Deserialize;

/// An absolute `http` or `https` URL; it may hold `${secret:NAME}`.
///
/// ```
/// use mainstay_plugin_sdk::settings::UrlText;
///
/// let url = UrlText::try_from("https://hooks.example/alerts".to_owned())?;
/// assert_eq!(url.as_str(), "https://hooks.example/alerts");
/// assert!(UrlText::try_from("ftp://hooks.example".to_owned()).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(description = "An absolute `http` or `https` URL; it may hold `${secret:NAME}`.")]
pub struct UrlText(String);

impl UrlText {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UrlText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        match rest {
            Some(rest) if !rest.is_empty() && !text.chars().any(char::is_whitespace) => {
                Ok(Self(text))
            }
            _ => Err(format!(
                "found {text:?}, expected a URL that starts with \"http://\" or \"https://\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UrlText;

    #[test]
    fn a_url_is_absolute_of_a_scheme_that_the_host_speaks_and_without_spaces() {
        for (text, is_one) in [
            ("http://x", true),
            ("https://x/${secret:token}?a=b", true),
            ("ftp://x", false),
            ("https://", false),
            ("x.example/a", false),
            ("http://x/a b", false),
            ("", false),
        ] {
            assert_eq!(UrlText::try_from(text.to_owned()).is_ok(), is_one, "{text}");
        }
    }
}

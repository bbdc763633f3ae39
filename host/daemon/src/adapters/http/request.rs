//! A guest's request as it is sent: secrets in place, headers checked.
//!
//! Invariant: has no `Debug`, for it holds secrets.

use crate::ports::Secrets;
use mainstay_domain::{
    effect::{EffectError, HttpRequest},
    name::SecretName,
};
use reqwest::{
    Client, Method, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::collections::BTreeSet;

/// Headers that say how a message is sent, or to whom. A guest that sets them could speak to another virtual host than
/// the granted one, or smuggle a second request.
const OF_THE_HOST: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The secrets, and which of them the plugin may use.
pub(super) struct UsableSecrets<'a> {
    pub(super) secrets: &'a dyn Secrets,
    pub(super) usable: &'a BTreeSet<SecretName>,
}

impl UsableSecrets<'_> {
    /// Fills them in; `part` says for people where the text stands.
    fn reveal(&self, text: &str, part: &str) -> Result<String, EffectError> {
        // Every opening that `Secrets::reveal` can see; what is no name it refuses itself.
        for after in text.split("${secret:").skip(1) {
            if let Some((name, _)) = after.split_once('}')
                && let Ok(name) = SecretName::parse(name)
                && !self.usable.contains(&name)
            {
                return Err(EffectError::Denied(format!(
                    "{part}: the plugin may not use the secret `{name}`; the operator allows it by writing \
                     ${{secret:{name}}} in that plugin's own settings, `[plugin.NAME] settings`"
                )));
            }
        }
        self.secrets
            .reveal(text)
            .map_err(|why| EffectError::Failed(format!("{part}: {why}")))
    }
}

/// One header with what a redirect has to know of it.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// Its value had a placeholder.
    pub(super) is_secret: bool,
}

/// One request, for one hop.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<Header>,
    pub(super) body: Vec<u8>,
}

impl Outgoing {
    /// Fills in the secrets. Errors name the URL as it was written.
    pub(super) fn reveal(
        request: &HttpRequest,
        key: Option<&str>,
        secrets: &UsableSecrets<'_>,
    ) -> Result<Self, EffectError> {
        let written = &request.url;
        let failed = |why: String| EffectError::Failed(format!("{written}: {why}"));
        let url = secrets.reveal(written, written)?;
        let url = Url::parse(&url).map_err(|error| failed(format!("this is no URL: {error}")))?;
        let method = Method::from_bytes(request.method.as_str().as_bytes())
            .map_err(|error| failed(error.to_string()))?;
        let mut headers = Vec::with_capacity(request.headers.len() + 1);
        for (name, value) in &request.headers {
            headers.push(header(name, value, secrets)?);
        }
        let has_key = headers
            .iter()
            .any(|header| header.name == "idempotency-key");
        if let Some(key) = key.filter(|_| !has_key) {
            headers.push(Header {
                name: HeaderName::from_static("idempotency-key"),
                value: HeaderValue::from_str(key).map_err(|error| failed(error.to_string()))?,
                is_secret: false,
            });
        }
        Ok(Self {
            method,
            url,
            headers,
            body: reveal_body(&request.body.0, secrets, written)?,
        })
    }

    /// Sends it once.
    pub(super) async fn send(&self, client: &Client) -> reqwest::Result<Response> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for header in &self.headers {
            headers.append(header.name.clone(), header.value.clone());
        }
        let mut request = client.request(self.method.clone(), self.url.clone());
        request = request.headers(headers);
        if !self.body.is_empty() {
            request = request.body(self.body.clone());
        }
        request.send().await
    }
}

fn header(name: &str, value: &str, secrets: &UsableSecrets<'_>) -> Result<Header, EffectError> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| EffectError::Failed(format!("`{name}` is not a header name")))?;
    if OF_THE_HOST.contains(&parsed.as_str()) {
        return Err(EffectError::Denied(format!(
            "the header `{parsed}` is set by the host alone"
        )));
    }
    let revealed = secrets.reveal(value, &format!("header `{parsed}`"))?;
    let is_secret = revealed != value;
    let mut value = HeaderValue::from_str(&revealed).map_err(|_| {
        EffectError::Failed(format!(
            "header `{parsed}` has a character that HTTP does not allow, such as a line break"
        ))
    })?;
    value.set_sensitive(is_secret);
    Ok(Header {
        name: parsed,
        value,
        is_secret,
    })
}

fn reveal_body(
    body: &[u8],
    secrets: &UsableSecrets<'_>,
    written: &str,
) -> Result<Vec<u8>, EffectError> {
    match std::str::from_utf8(body) {
        Ok(text) => secrets
            .reveal(text, &format!("{written}: body"))
            .map(String::into_bytes),
        Err(_) if body.windows(9).any(|bytes| bytes == b"${secret:") => {
            Err(EffectError::Failed(format!(
                "{written}: body: it is not UTF-8 text, so its `${{secret:…}}` cannot be filled in"
            )))
        }
        Err(_) => Ok(body.to_vec()),
    }
}

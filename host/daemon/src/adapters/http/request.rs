//! A guest's request as it is sent: secrets in place and written as that place has it, headers checked.
//!
//! Invariant: has no `Debug`, for it holds secrets.

use super::place::{BodyKind, NoPlace, Place, PlaceWriter};
use crate::ports::Secrets;
use mainstay_domain::{
    effect::{EffectError, HttpRequest, HttpSigning},
    name::SecretName,
    secret::SecretHandles,
    signature::signature,
};
use reqwest::{
    Client, Method, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::time::{SystemTime, UNIX_EPOCH};

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

/// The values, and the handles that stand for them in what the guest wrote.
pub(super) struct CallSecrets<'a> {
    pub(super) values: &'a dyn Secrets,
    pub(super) handles: &'a SecretHandles,
}

impl CallSecrets<'_> {
    /// A text with values in place of handles; none where there is no handle. `part` says for people where it stands.
    fn text(&self, text: &str, place: Place, part: &str) -> Result<Option<String>, EffectError> {
        let revealed = self.bytes(text.as_bytes(), place, part)?;
        // Texts were put between whole characters, so nothing is lost.
        Ok(revealed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// As [`Self::text`], of any bytes.
    fn bytes(
        &self,
        bytes: &[u8],
        place: Place,
        part: &str,
    ) -> Result<Option<Vec<u8>>, EffectError> {
        let mut writer = PlaceWriter::new(place);
        self.handles.reveal_within(bytes, |name, between| {
            let value = self.value(name, part)?;
            let written = writer.write(value, between);
            written.map_err(|NoPlace| {
                EffectError::Failed(format!(
                    "{part}: the secret `{name}` has a control character, such as a line break, which no header can \
                     hold; correct it where [secrets] reads it from"
                ))
            })
        })
    }

    /// The header that signs this body. Only with a secret that the call has a handle of: what the guest made up itself
    /// signs nothing.
    fn signed(
        &self,
        signing: &HttpSigning,
        body: &[u8],
        written: &str,
    ) -> Result<Header, EffectError> {
        let Some(name) = self.handles.named(&signing.secret) else {
            return Err(EffectError::Denied(format!(
                "{written}: `secret` of the signing is no handle of a secret among the plugin's settings; the operator \
                 writes it there as \"${{secret:NAME}}\", alone"
            )));
        };
        let header_name = header_name(&signing.header)?;
        let secret = self.value(name, written)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since_epoch.unwrap_or_default().as_secs();
        let value = signature(secret.as_bytes(), seconds, body);
        let value = HeaderValue::from_str(&value);
        Ok(Header {
            name: header_name,
            value: value.map_err(|error| EffectError::Failed(format!("{written}: {error}")))?,
            // So that it goes to no other origin.
            is_secret: true,
        })
    }

    fn value(&self, name: &SecretName, part: &str) -> Result<String, EffectError> {
        let value = self.values.value(name);
        value.map_err(|why| EffectError::Failed(format!("{part}: {why}")))
    }
}

/// One header with what a redirect has to know of it.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// A value was put into its own.
    pub(super) is_secret: bool,
}

/// One request, for one hop.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<Header>,
    pub(super) body: Vec<u8>,
    /// A value was put into the body.
    pub(super) body_is_secret: bool,
}

impl Outgoing {
    /// Fills in the secrets. Errors name the URL as it was written.
    pub(super) fn reveal(
        request: &HttpRequest,
        key: Option<&str>,
        secrets: &CallSecrets<'_>,
    ) -> Result<Self, EffectError> {
        let written = &request.url;
        let failed = |why: String| EffectError::Failed(format!("{written}: {why}"));
        let revealed = secrets.text(written, Place::Url, written)?;
        let url = Url::parse(revealed.as_ref().unwrap_or(written))
            .map_err(|error| failed(format!("this is no URL: {error}")))?;
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
        let place = Place::Body(body_kind(request));
        let body = secrets.bytes(&request.body.0, place, &format!("{written}: body"))?;
        let body_is_secret = body.is_some();
        let body = body.unwrap_or_else(|| request.body.0.clone());
        if let Some(signing) = &request.signing {
            let signed = secrets.signed(signing, &body, written)?;
            headers.retain(|header| header.name != signed.name);
            headers.push(signed);
        }
        if revealed.is_some() || body_is_secret || headers.iter().any(|header| header.is_secret) {
            answer_in_plain(&mut headers);
        }
        Ok(Self {
            method,
            url,
            headers,
            body,
            body_is_secret,
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

/// What the guest says that its body is.
fn body_kind(request: &HttpRequest) -> BodyKind {
    let mut headers = request.headers.iter();
    let said = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    BodyKind::of(said.map_or("", |(_, value)| value.as_str()))
}

/// In a compressed answer no secret that was echoed would be found.
fn answer_in_plain(headers: &mut Vec<Header>) {
    headers.retain(|header| header.name != "accept-encoding");
    headers.push(Header {
        name: HeaderName::from_static("accept-encoding"),
        value: HeaderValue::from_static("identity"),
        is_secret: false,
    });
}

fn header_name(name: &str) -> Result<HeaderName, EffectError> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| EffectError::Failed(format!("`{name}` is not a header name")))?;
    match OF_THE_HOST.contains(&parsed.as_str()) {
        true => Err(EffectError::Denied(format!(
            "the header `{parsed}` is set by the host alone"
        ))),
        false => Ok(parsed),
    }
}

fn header(name: &str, value: &str, secrets: &CallSecrets<'_>) -> Result<Header, EffectError> {
    let parsed = header_name(name)?;
    let revealed = secrets.text(value, Place::Header, &format!("header `{parsed}`"))?;
    let is_secret = revealed.is_some();
    let mut value = HeaderValue::from_str(revealed.as_deref().unwrap_or(value)).map_err(|_| {
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

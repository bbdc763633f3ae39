//! The HTTP client of plugins: secrets go in at egress, only toward granted origins, and never come back.
//!
//! Invariant: no request leaves for an origin that is not granted, on the first hop or on any other.
//! Invariant: a secret goes only to the origin that the request names. A redirect to another one, granted or not, is
//! followed without the headers that hold secrets, and not at all where its address or the body holds one: a grant
//! allows a plugin to reach an origin, and says of no secret that it is for it.
//! Invariant: a secret's value is put in place of a handle of the call and of nothing else, in what the guest wrote and
//! never in what a server answered. The text `${secret:NAME}` is sent as it stands.
//! Invariant: what is sent arrives with its method and its body, or the answer says that it did not: no redirect turns a
//! POST into a GET.
//! Invariant: errors hold the URL with names in place of handles, never as it was sent.
//! Invariant: neither proxies nor any other setting are taken from the environment.

mod answer;
mod place;
mod redirect;
mod request;

use crate::ports::{AnswerBound, Boxed, HttpClient, Secrets};
use answer::Expected;
use mainstay_domain::{
    effect::{EffectError, HttpRequest, HttpResponse},
    secret::{Masked, SecretHandles},
    spec::HttpOrigin,
    text::{causes, in_one_line},
};
use redirect::Next;
use request::{CallSecrets, Outgoing};
use reqwest::{Client, ClientBuilder, Url};
use std::{sync::Arc, time::Duration};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// A connection that takes longer to open than this does not open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends requests over the network.
pub struct EgressClient {
    client: Client,
    /// Why `https` cannot be used.
    no_https: Option<String>,
    secrets: Arc<dyn Secrets>,
}

impl EgressClient {
    /// Installs ring as the TLS provider of the process where none is installed, and reads the certificate
    /// authorities of the system. Where there are none, `http` works and every `https` request says why it does not.
    pub fn new(secrets: Arc<dyn Secrets>) -> Result<Self, reqwest::Error> {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (client, no_https) = match builder().build() {
            Ok(client) => (client, None),
            Err(error) => {
                let why = format!(
                    "no certificate authorities of this system can be used ({}); install ca-certificates",
                    in_one_line(causes(&error))
                );
                tracing::warn!("no https for plugins: {why}");
                (builder().tls_certs_only([]).build()?, Some(why))
            }
        };
        Ok(Self {
            client,
            no_https,
            secrets,
        })
    }

    /// Sends it, follows redirects, reads the answer.
    async fn exchange(
        &self,
        request: &HttpRequest,
        granted: &[HttpOrigin],
        handles: &SecretHandles,
        key: Option<&str>,
        expected: Expected,
    ) -> Result<HttpResponse, EffectError> {
        let secrets = CallSecrets {
            values: self.secrets.as_ref(),
            handles,
        };
        let mut outgoing = Outgoing::reveal(request, key, &secrets)?;
        let written = &request.url;
        let mut sent_to: Option<String> = None;
        for hop in 0..=MAX_REDIRECTS {
            self.check_granted(&outgoing.url, granted, hop, written)?;
            let origin = outgoing.url.origin().ascii_serialization();
            if sent_to.is_some_and(|before| before != origin) {
                self.check_carried(&outgoing, written)?;
            }
            sent_to = Some(origin);
            let sent = outgoing.send(&self.client).await;
            let response = sent.map_err(|error| self.explain(error, hop, written))?;
            let location = response.headers().get(reqwest::header::LOCATION);
            match redirect::next(&outgoing, response.status(), location) {
                Next::Answer => return self.receive(response, expected, written).await,
                Next::Follow(next) => outgoing = next,
                Next::Invalid => {
                    return Err(EffectError::Failed(format!(
                        "{written} answers with a redirect to an address that is none"
                    )));
                }
            }
        }
        Err(EffectError::Failed(format!(
            "{written} redirects more than {MAX_REDIRECTS} times"
        )))
    }

    fn check_granted(
        &self,
        url: &Url,
        granted: &[HttpOrigin],
        hop: usize,
        written: &str,
    ) -> Result<(), EffectError> {
        let origin = origin(url);
        if !origin
            .as_ref()
            .is_some_and(|origin| granted.contains(origin))
        {
            // A secret may be part of the address, or a server may have echoed one into it.
            let shown = self.concealed(&url.origin().ascii_serialization());
            return Err(EffectError::Denied(match hop {
                0 => format!(
                    "no grant for the origin of {written}; the operator grants it with http = [\"ORIGIN\"]"
                ),
                _ => format!(
                    "{written} redirects to {shown}, and no grant allows that; the operator grants it with \
                     http = [\"{shown}\"]"
                ),
            }));
        }
        match &self.no_https {
            Some(why) if url.scheme() == "https" => {
                Err(EffectError::Unavailable(format!("{written}: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// What a redirect to another origin may carry there.
    fn check_carried(&self, redirected: &Outgoing, written: &str) -> Result<(), EffectError> {
        let address = redirected.url.as_str();
        let carrier = if redirected.body_is_secret {
            "its body"
        } else if self.concealed(address) != address {
            // The server that redirects has put it there.
            "the address"
        } else {
            return Ok(());
        };
        let shown = self.concealed(&redirected.url.origin().ascii_serialization());
        Err(EffectError::Denied(format!(
            "{written} redirects to {shown} with a secret in {carrier}, and no grant lets a secret follow a redirect to \
             another origin; if it is for that one, the operator writes {shown} where {written} is written"
        )))
    }

    /// Only what certainly was not sent is `Unavailable`: after a redirect the first server has had the request.
    fn explain(&self, error: reqwest::Error, hop: usize, written: &str) -> EffectError {
        let error = error.without_url();
        let text = format!(
            "{written}: {}",
            self.concealed(&in_one_line(causes(&error)))
        );
        if error.is_builder() {
            EffectError::Failed(text)
        } else if error.is_connect() && hop == 0 {
            EffectError::Unavailable(text)
        } else {
            EffectError::TimedOut(format!("{text}; the request may have been carried out"))
        }
    }

    fn concealed(&self, text: &str) -> String {
        self.secrets.conceal_text(text)
    }
}

impl HttpClient for EgressClient {
    fn send(
        &self,
        request: HttpRequest,
        granted: Vec<HttpOrigin>,
        secrets: Arc<SecretHandles>,
        key: Option<String>,
        timeout: Duration,
        bound: AnswerBound,
    ) -> Boxed<'_, Result<HttpResponse, EffectError>> {
        Box::pin(async move {
            let expected = Expected::within(bound, timeout);
            let exchange = self.exchange(&request, &granted, &secrets, key.as_deref(), expected);
            let answer = tokio::time::timeout(timeout, exchange).await;
            let answer = answer.unwrap_or_else(|_| {
                Err(EffectError::TimedOut(format!(
                    "{} has not answered within {timeout:?}; the request may have been carried out",
                    request.url
                )))
            });
            // Errors hold what the guest wrote.
            answer.map_err(|error| error.masked(&secrets))
        })
    }
}

/// A client that takes nothing from the environment, and follows nothing by itself.
pub(super) fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
}

/// As grants write it; none for addresses without a host.
fn origin(url: &Url) -> Option<HttpOrigin> {
    let host = url.host_str()?;
    let host = host.strip_prefix('[').unwrap_or(host);
    Some(HttpOrigin {
        scheme: url.scheme().to_owned(),
        host: host.strip_suffix(']').unwrap_or(host).to_owned(),
        port: url.port_or_known_default()?,
    })
}

#[cfg(test)]
mod tests;

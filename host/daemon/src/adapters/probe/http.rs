//! A request, as a monitor sends it: on a new connection each time, so that a dead server is seen; without a proxy, so that
//! the target is seen and not the way to it.
//!
//! Invariant: what the operator wrote into headers is sent to the origin of the check's URL and to no other, wherever a
//! redirect leads.
//! Invariant: what is shown names the URL as the operator wrote it, and nothing that was put in place of a secret.

use super::{Seen, tcp, words::latency};
use crate::{adapters::limits, ports::Secrets};
use mainstay_domain::{effect::HttpMethod, health::Outcome, spec::HttpCheck, text::causes};
use reqwest::{
    Client, Method, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

/// So much of a body is looked through.
pub(super) const MAX_BODY: usize = 1 << 20;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 10;

/// What one request of a look has led to.
pub(super) enum Hop {
    /// To another URL, whose name is to be looked up before it is asked.
    To(Url),
    /// To what is seen.
    End(Seen),
}

/// The requests of one look, as far as redirects lead.
pub(super) struct Walk<'a> {
    client: &'a Client,
    check: &'a HttpCheck,
    what: String,
    headers: HeaderMap,
    first: Url,
    url: Url,
    method: Method,
    redirects: usize,
    /// By the requests so far.
    taken: Duration,
}

impl<'a> Walk<'a> {
    /// At the URL of a check. The error is what is seen where nothing can be asked.
    pub(super) fn new(
        client: &'a Client,
        check: &'a HttpCheck,
        secrets: &dyn Secrets,
    ) -> Result<Self, Seen> {
        let what = format!("{} {}", check.method.as_str(), check.url);
        let headers = headers(&check.headers, secrets, &what)?;
        let first = Url::parse(&check.url);
        let first = first.map_err(|error| Seen::failed(format!("{what}: {error}")))?;
        Ok(Self {
            client,
            check,
            what,
            headers,
            url: first.clone(),
            first,
            method: method(check.method),
            redirects: 0,
            taken: Duration::ZERO,
        })
    }

    /// What is asked, for people.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// Asks once; `to` is where the name of this hop leads.
    pub(super) async fn step(&mut self, to: &[SocketAddr]) -> Hop {
        let start = tokio::time::Instant::now();
        let mut request = self.client.request(self.method.clone(), self.url.clone());
        if self.url.origin() == self.first.origin() {
            request = request.headers(self.headers.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Hop::End(no_response(&self.what, &error, to).await),
        };
        let next = match self.next(&response) {
            Ok(next) => next,
            Err(seen) => return Hop::End(seen),
        };
        let Some(next) = next else {
            return Hop::End(self.judge(response, start).await);
        };
        if becomes_get(&self.method, response.status().as_u16()) {
            self.method = Method::GET;
        }
        self.url = next.clone();
        self.redirects += 1;
        self.taken += start.elapsed();
        Hop::To(next)
    }

    /// Where an answer leads to, if it leads on. The error is what is seen where that is nowhere.
    fn next(&self, response: &Response) -> Result<Option<Url>, Seen> {
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION);
        let location = location.filter(|_| self.check.follow_redirects && redirects(status));
        let Some(location) = location else {
            return Ok(None);
        };
        let what = &self.what;
        let target = std::str::from_utf8(location.as_bytes()).ok();
        let Some(next) = target.and_then(|target| self.url.join(target).ok()) else {
            let message = format!("{what} answered {status} with a `Location` that is no URL");
            return Err(Seen::failed(message).with_value(f64::from(status)));
        };
        if self.redirects >= MAX_REDIRECTS {
            return Err(Seen::failed(format!(
                "{what} redirects more than {MAX_REDIRECTS} times"
            )));
        }
        Ok(Some(next))
    }

    /// The answer that counts.
    async fn judge(&self, response: Response, start: tokio::time::Instant) -> Seen {
        let (what, check) = (&self.what, self.check);
        let status = response.status().as_u16();
        let (lowest, highest) = check.status;
        if !(lowest..=highest).contains(&status) {
            return Seen::failed(format!("{what} answered {status}")).with_value(f64::from(status));
        }
        if let Some(wanted) = &check.body_contains {
            match contains(response, wanted).await {
                Ok(true) => {}
                Ok(false) => {
                    let message =
                        format!("{what} answered {status}, but the body does not hold `{wanted}`");
                    return Seen::failed(message).with_value(f64::from(status));
                }
                Err(error) => {
                    return Seen::of_cause(format_args!("{what}: the body broke off"), &error);
                }
            }
        }
        let taken = self.taken + start.elapsed();
        let seen = match latency(taken, check.warn_latency) {
            (Outcome::Healthy, _) => {
                let millis = taken.as_millis();
                Seen::healthy(format!("{what} answered {status} within {millis} ms"))
            }
            (outcome, warning) => Seen::new(outcome, format!("{what} answered {status}{warning}")),
        };
        seen.with_value(f64::from(status))
    }
}

/// What is seen where a request had no response; `to` is where it was sent.
pub(super) async fn no_response(what: &str, error: &reqwest::Error, to: &[SocketAddr]) -> Seen {
    let seen = Seen::of_cause(what, error);
    match has_no_port(error) {
        true => tcp::judge_without_port(seen, what, to).await,
        false => seen,
    }
}

/// The client tells of one address, of several that it has tried.
fn has_no_port(error: &reqwest::Error) -> bool {
    let by_system = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    by_system.is_some_and(limits::is_lack_of_port)
}

/// RFC 9110, section 15.4.
fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn becomes_get(method: &Method, status: u16) -> bool {
    match status {
        303 => *method != Method::HEAD,
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
    }
}

/// What the operator wrote, with secrets in their places.
pub(super) fn headers(
    written: &BTreeMap<String, String>,
    secrets: &dyn Secrets,
    what: &str,
) -> Result<HeaderMap, Seen> {
    let mut headers = HeaderMap::with_capacity(written.len());
    for (name, written) in written {
        let cannot = |why: String| Seen::not_done(format!("{what}: header `{name}`: {why}"));
        let value = secrets.reveal(written);
        let value = value.map_err(|why| cannot(why.to_string()))?;
        let header = HeaderName::from_bytes(name.as_bytes());
        let header = header.map_err(|error| cannot(error.to_string()))?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            cannot("it has a character that HTTP does not allow, such as a line break".to_owned())
        })?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

async fn contains(response: Response, wanted: &str) -> Result<bool, reqwest::Error> {
    let body = body(response).await?;
    Ok(String::from_utf8_lossy(&body).contains(wanted))
}

/// The body, as far as it is looked through.
pub(super) async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < MAX_BODY {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        let room = MAX_BODY - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(body)
}

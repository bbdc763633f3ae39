//! A request, as a monitor sends it: on a new connection each time, so that a dead server is seen; without a proxy, so that
//! the target is seen and not the way to it.
//!
//! Invariant: what the operator wrote into headers is sent to the origin of the check's URL and to no other, wherever a
//! redirect leads.
//! Invariant: what is shown names the URL as the operator wrote it, and nothing that was put in place of a secret.

use super::{
    Seen, blocking::Turn, local::read_start, names::NameLooks, seen::io_cause, words::latency,
};
use crate::ports::Secrets;
use mainstay_domain::{
    effect::HttpMethod,
    health::Outcome,
    spec::{HttpCheck, Trust},
    text::{causes, in_one_line},
};
use parking_lot::Mutex;
use reqwest::{
    Client, ClientBuilder, Method, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// So much of a body is looked through.
const MAX_BODY: usize = 1 << 20;
/// So long may the header of an answer be. Of HTTP/1 somewhat more is taken.
const MAX_HEADER: u32 = 256 << 10;
/// So many fields may it have.
const MAX_FIELDS: usize = 1024;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 10;
/// So long may a file of authorities be; that of a whole machine has a quarter.
const MAX_AUTHORITIES: u64 = 1 << 20;
/// So many files of authorities are kept read.
const KEPT: usize = 64;

/// The clients of all checks, one for each answer to whose certificates count.
pub(super) struct HttpClients {
    machine: Client,
    /// Why `https` cannot be used with the authorities of this machine.
    no_https: Option<String>,
    anyone: Client,
    /// By file: what it held when its client was made.
    by_file: Mutex<HashMap<PathBuf, (Vec<u8>, Client)>>,
    names: NameLooks,
}

impl HttpClients {
    pub(super) fn new(names: &NameLooks) -> Result<Self, reqwest::Error> {
        let (machine, no_https) = match builder(names).build() {
            Ok(client) => (client, None),
            Err(error) => {
                let why = in_one_line(causes(&error));
                let why = format!(
                    "no certificate authorities of this system can be used ({why}); install ca-certificates, or write `ca` \
                     or `insecure` into the check"
                );
                (builder(names).tls_certs_only([]).build()?, Some(why))
            }
        };
        Ok(Self {
            machine,
            no_https,
            anyone: builder(names)
                .tls_danger_accept_invalid_certs(true)
                .build()?,
            by_file: Mutex::default(),
            names: names.clone(),
        })
    }

    /// The client of a check; `turn` is for one that has to read a file. The error is what is seen where there is none.
    pub(super) async fn of(
        self: &Arc<Self>,
        check: &HttpCheck,
        turn: Option<Turn>,
    ) -> Result<Client, Seen> {
        let what = || format!("{} {}", check.method.as_str(), check.url);
        match (&check.trust, turn) {
            (Trust::Anyone, _) => Ok(self.anyone.clone()),
            (Trust::Authorities(file), Some(turn)) => {
                let (clients, path) = (Arc::clone(self), file.clone());
                let client = turn.run(move || clients.trusting(&path)).await?;
                client.map_err(|why| {
                    Seen::not_done(format!("{}: `ca` {}: {why}", what(), file.display()))
                })
            }
            (Trust::Machine | Trust::Authorities(_), _) => match &self.no_https {
                Some(why) if check.url.starts_with("https") => {
                    Err(Seen::not_done(format!("{}: {why}", what())))
                }
                _ => Ok(self.machine.clone()),
            },
        }
    }

    /// Reads the file each time, for authorities are renewed; a client is made only where it has changed. Blocks.
    fn trusting(&self, file: &Path) -> Result<Client, String> {
        let pem = read_start(file, MAX_AUTHORITIES).map_err(|error| io_cause(&error))?;
        let known = self.by_file.lock().get(file).cloned();
        if let Some((_, client)) = known.filter(|(held, _)| *held == pem) {
            return Ok(client);
        }
        let cannot = |error: reqwest::Error| in_one_line(causes(&error));
        let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(cannot)?;
        if authorities.is_empty() {
            return Err("it holds no certificate in PEM".to_owned());
        }
        let client = builder(&self.names).tls_certs_only(authorities).build();
        let client = client.map_err(cannot)?;
        let mut by_file = self.by_file.lock();
        if by_file.len() >= KEPT {
            // Most are of checks that are gone; the others are read once more.
            by_file.clear();
        }
        by_file.insert(file.to_owned(), (pem, client.clone()));
        Ok(client)
    }
}

fn builder(names: &NameLooks) -> ClientBuilder {
    Client::builder()
        .dns_resolver(names.clone())
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .http1_max_headers(MAX_FIELDS)
        .http2_max_header_list_size(MAX_HEADER)
        .no_proxy()
}

pub(super) async fn look(client: &Client, check: &HttpCheck, secrets: &dyn Secrets) -> Seen {
    let what = format!("{} {}", check.method.as_str(), check.url);
    let start = tokio::time::Instant::now();
    let response = match answer(client, check, secrets, &what).await {
        Ok(response) => response,
        Err(seen) => return seen,
    };
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
    let taken = start.elapsed();
    let seen = match latency(taken, check.warn_latency) {
        (Outcome::Healthy, _) => {
            let millis = taken.as_millis();
            Seen::healthy(format!("{what} answered {status} within {millis} ms"))
        }
        (outcome, warning) => Seen::new(outcome, format!("{what} answered {status}{warning}")),
    };
    seen.with_value(f64::from(status))
}

/// The answer, where redirects have led to. The error is what is seen where there is none.
async fn answer(
    client: &Client,
    check: &HttpCheck,
    secrets: &dyn Secrets,
    what: &str,
) -> Result<Response, Seen> {
    let headers = headers(check, secrets, what)?;
    let first = Url::parse(&check.url).map_err(|error| Seen::failed(format!("{what}: {error}")))?;
    let (mut url, mut method) = (first.clone(), method(check.method));
    for _ in 0..=MAX_REDIRECTS {
        let mut request = client.request(method.clone(), url.clone());
        if url.origin() == first.origin() {
            request = request.headers(headers.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(Seen::of_cause(what, &error)),
        };
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION);
        let location = location.filter(|_| check.follow_redirects && redirects(status));
        let Some(location) = location.cloned() else {
            return Ok(response);
        };
        let target = std::str::from_utf8(location.as_bytes()).ok();
        let Some(next) = target.and_then(|target| url.join(target).ok()) else {
            let message = format!("{what} answered {status} with a `Location` that is no URL");
            return Err(Seen::failed(message).with_value(f64::from(status)));
        };
        url = next;
        if becomes_get(&method, status) {
            method = Method::GET;
        }
    }
    Err(Seen::failed(format!(
        "{what} redirects more than {MAX_REDIRECTS} times"
    )))
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
fn headers(check: &HttpCheck, secrets: &dyn Secrets, what: &str) -> Result<HeaderMap, Seen> {
    let mut headers = HeaderMap::with_capacity(check.headers.len());
    for (name, written) in &check.headers {
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

async fn contains(mut response: Response, wanted: &str) -> Result<bool, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < MAX_BODY {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        let room = MAX_BODY - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(String::from_utf8_lossy(&body).contains(wanted))
}

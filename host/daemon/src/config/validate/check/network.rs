//! Checks that ask a server, over the network or on this machine.

use super::super::super::{
    addresses::{host_and_port, socket_path, url},
    document::Value,
    reader::{Fields, ValueAt},
    values::{any_text, boolean, one_of, path, positive_duration, secrets_in, whole, word},
};
use mainstay_domain::{
    certificate::DaysLeft,
    effect::HttpMethod,
    spec::{CheckKind, EngineCheck, HttpCheck, Trust},
};
use reqwest::header::{HeaderName, HeaderValue};
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;

/// How a message is sent, or how much of it: that is up to the host.
const OF_THE_HOST: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// With more orders at once no engine is sound.
const MOST_PENDING: u32 = 1_000_000;

const METHODS: [HttpMethod; 7] = [
    HttpMethod::Get,
    HttpMethod::Head,
    HttpMethod::Post,
    HttpMethod::Put,
    HttpMethod::Patch,
    HttpMethod::Delete,
    HttpMethod::Options,
];

pub(super) fn http(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let url = fields.required("url", "url = \"http://127.0.0.1:8080/health\"", url);
    let method = |at| {
        let words = METHODS.map(|method| (method.as_str(), method));
        one_of("a method of HTTP", &words, at)
    };
    let method = fields.or("method", HttpMethod::Get, method);
    let headers = fields.or("headers", BTreeMap::new(), headers);
    let follow_redirects = fields.or("follow_redirects", false, boolean);
    let trust = trust(fields);
    let status = fields.or("status", (200, 399), statuses);
    let body_contains = fields.optional("body_contains", word);
    if method == HttpMethod::Head && body_contains.is_some() {
        fields.needs(
            "the answer to a HEAD request has no body, so `body_contains` would always fail",
            "write method = \"GET\", or remove `body_contains`",
        );
    }
    let warn_latency = fields.optional("warn_latency", positive_duration);
    Some(CheckKind::Http(HttpCheck {
        url: url?,
        method,
        headers,
        follow_redirects,
        trust,
        status,
        body_contains,
        warn_latency,
    }))
}

/// Header fields by name. Values may hold `${secret:NAME}`.
pub(in super::super) fn headers(at: ValueAt<'_>) -> Option<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    for (key, place, at) in at.entries() {
        let name = key.to_ascii_lowercase();
        let wrong = |what: String, help: &str| at.context.error(place, what, help);
        if HeaderName::from_bytes(key.as_bytes()).is_err() {
            wrong(
                format!("{key:?} cannot be the name of an HTTP header"),
                "write a name such as authorization",
            );
        } else if OF_THE_HOST.contains(&name.as_str()) {
            wrong(
                format!("the header `{key}` is set by the host alone"),
                "remove it",
            );
        }
        let Some(value) = any_text(at) else { continue };
        if HeaderValue::from_str(&value).is_err() {
            at.not::<()>(
                "a value for an HTTP header",
                "write visible ASCII characters, without line breaks",
            );
        }
        secrets_in(&value, at);
        if headers.insert(name, value).is_some() {
            wrong(
                format!("the header `{key}` is written twice"),
                "names of headers are the same in upper and lower case: remove one of the two",
            );
        }
    }
    Some(headers)
}

/// `ca` and `insecure`.
fn trust(fields: &mut Fields<'_>) -> Trust {
    let authorities = fields.optional("ca", path);
    let insecure = fields.or("insecure", false, boolean);
    match (authorities, insecure) {
        (Some(_), true) => {
            fields.needs(
                "an http check has either `ca` or `insecure`, not both",
                "keep `ca`: then the server is known by its certificate",
            );
            Trust::default()
        }
        (Some(file), false) => Trust::Authorities(file),
        (None, true) => Trust::Anyone,
        (None, false) => Trust::Machine,
    }
}

fn statuses(at: ValueAt<'_>) -> Option<(u16, u16)> {
    const HELP: &str =
        "write one status from 100 to 599, or the lowest and the highest: [200, 299]";
    let status = whole(100..=599);
    let range = match &at.node.value {
        Value::Array(items) if items.len() == 2 => at.each(HELP, status)?,
        Value::Array(_) => return at.not("one range of HTTP statuses", HELP),
        _ => vec![status(at)?],
    };
    match range.as_slice() {
        [low, high] if low > high => at.refuse(format!("no status is from {low} to {high}"), HELP),
        [low, high] => Some((*low, *high)),
        [one] => Some((*one, *one)),
        _ => None,
    }
}

pub(super) fn tcp(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let address = fields.required("address", "address = \"127.0.0.1:6379\"", host_and_port);
    let warn_latency = fields.optional("warn_latency", positive_duration);
    Some(CheckKind::Tcp {
        address: address?,
        warn_latency,
    })
}

pub(super) fn unix(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let socket = fields.required("path", "path = \"/run/redis/redis.sock\"", socket_path);
    let warn_latency = fields.optional("warn_latency", positive_duration);
    Some(CheckKind::Unix {
        path: socket?,
        warn_latency,
    })
}

pub(super) fn engine(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let api = fields.required("api", "api = \"http://127.0.0.1:8080/v1/\"", api);
    Some(CheckKind::Engine(EngineCheck {
        headers: fields.or("headers", BTreeMap::new(), headers),
        max_age: fields.optional("max_age", positive_duration),
        max_pending: fields.optional("max_pending", whole(0..=MOST_PENDING)),
        positions: fields.or("positions", false, boolean),
        warn_latency: fields.optional("warn_latency", positive_duration),
        api: api?,
    }))
}

/// The URL of an API, with a slash at its end.
fn api(at: ValueAt<'_>) -> Option<String> {
    let found = url(at)?;
    match found.ends_with('/') {
        _ if found.contains(['?', '#']) => at.not(
            "the URL of an API",
            "leave out what begins with `?` or `#`: what is asked lies below it",
        ),
        true => Some(found),
        false => Some(format!("{found}/")),
    }
}

/// A certificate of longer validity is none that has to be renewed.
const MOST_DAYS: u32 = 36_500;

pub(super) fn tls(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let address = fields.required("address", "address = \"shop.example:443\"", host_and_port);
    let server_name = fields.optional("server_name", server_name);
    let min = fields.or("min_days", 7, whole(0..=MOST_DAYS));
    let warn = fields.optional("warn_days", |at| match whole(1..=MOST_DAYS)(at)? {
        warn if warn > min => Some(warn),
        _ => at.not(
            &format!("above `min_days`, which is {min}"),
            "the check is degraded with fewer days left than `warn_days`, and failed with fewer than `min_days`",
        ),
    });
    Some(CheckKind::Tls {
        address: address?,
        server_name,
        days: DaysLeft { min, warn },
    })
}

fn server_name(at: ValueAt<'_>) -> Option<String> {
    let found = word(at)?;
    match ServerName::try_from(found.as_str()) {
        Ok(_) => Some(found),
        Err(_) => at.not("the name of a server", "write e.g. \"shop.example\""),
    }
}

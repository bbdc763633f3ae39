//! Readers of URLs, origins and addresses.

use super::{reader::At, values::text};
use mainstay_domain::spec::HttpOrigin;
use reqwest::Url;
use std::net::SocketAddr;

/// Scheme `http` or `https`, and a host.
fn web_url(at: At<'_>, help: &str) -> Option<Url> {
    match Url::parse(&text(at)?) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        Ok(_) => at.not("an http or https URL", help),
        Err(error) => at.not(&format!("a URL: {error}"), help),
    }
}

/// An http or https URL.
pub(crate) fn url(at: At<'_>) -> Option<String> {
    web_url(at, "write e.g. \"http://127.0.0.1:8080/health\"")?;
    text(at)
}

/// Scheme, host and port alone.
pub(crate) fn origin(at: At<'_>) -> Option<HttpOrigin> {
    let url = web_url(at, "write e.g. \"https://hooks.example\"")?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        let origin = url.origin().ascii_serialization();
        return at.not(
            "an origin, which has a scheme, a host and a port alone",
            format!("write \"{origin}\"; a grant is for a whole server, never for a path"),
        );
    }
    let host = url.host_str().unwrap_or_default();
    Some(HttpOrigin {
        scheme: url.scheme().to_owned(),
        host: host.trim_matches(['[', ']']).to_lowercase(),
        port: url.port_or_known_default().unwrap_or_default(),
    })
}

/// `host:port`.
pub(crate) fn host_and_port(at: At<'_>) -> Option<String> {
    let address = text(at)?;
    let parts = address.rsplit_once(':');
    let good = parts.is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host_is_one = !host.is_empty() && (bracketed || !host.contains([':', '/']));
        host_is_one && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if good {
        return Some(address);
    }
    at.not(
        "a host and a port",
        "write e.g. \"127.0.0.1:6379\", \"db.example:5432\" or \"[::1]:6379\"",
    )
}

/// An address to listen on.
pub(crate) fn socket_address(at: At<'_>) -> Option<SocketAddr> {
    let parsed = text(at)?.parse();
    parsed.map_or_else(
        |_| {
            at.not(
                "an address to listen on",
                "write an IP address and a port, e.g. \"127.0.0.1:7070\"",
            )
        },
        Some,
    )
}

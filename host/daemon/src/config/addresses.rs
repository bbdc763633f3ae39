//! Readers of URLs, origins and addresses.

use super::{reader::ValueAt, values::text};
use mainstay_domain::{grant, spec::HttpOrigin};
use reqwest::Url;
use std::net::{IpAddr, SocketAddr};

/// An http or https URL with a host.
pub(crate) fn url(at: ValueAt<'_>) -> Option<String> {
    const HELP: &str = "write e.g. \"http://127.0.0.1:8080/health\"";
    let found = text(at)?;
    match Url::parse(&found) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(found),
        Ok(_) => at.not("an http or https URL", HELP),
        Err(error) => at.not(&format!("a URL: {error}"), HELP),
    }
}

/// Scheme, host and port alone.
pub(crate) fn origin(at: ValueAt<'_>) -> Option<HttpOrigin> {
    const HELP: &str = "write e.g. \"https://hooks.example\" or \"http://127.0.0.1:9000\"";
    let found = text(at)?;
    let Some(origin) = grant::origin_of(&found) else {
        return at.not(
            "an http or https origin, which is a scheme, a host and a port",
            HELP,
        );
    };
    let after_scheme = found.find("://").map_or(0, |colon| colon + 3);
    let behind = found.get(after_scheme..).unwrap_or_default();
    match behind.find(['/', '?', '#']) {
        Some(end) if behind.get(end..) != Some("/") => {
            let bare = found.get(..after_scheme + end).unwrap_or_default();
            at.not(
                "an origin: a grant is for a whole server, never for a path",
                format!("write \"{bare}\""),
            )
        }
        _ => Some(origin),
    }
}

/// `host:port`.
pub(crate) fn host_and_port(at: ValueAt<'_>) -> Option<String> {
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

/// The name of a host, or its address, without a port; in small letters and without brackets.
pub(crate) fn host_name(at: ValueAt<'_>) -> Option<String> {
    let written = text(at)?;
    let bare = written
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(&written);
    let is_name = !bare.starts_with(['.', '-'])
        && bare
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter));
    if !bare.is_empty() && (is_name || bare.parse::<IpAddr>().is_ok()) {
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        return Some(bare.to_ascii_lowercase());
    }
    at.not(
        "the name of a host",
        "write a name or an address without scheme and port, e.g. \"mainstay.example\"",
    )
}

/// An address to listen on.
pub(crate) fn socket_address(at: ValueAt<'_>) -> Option<SocketAddr> {
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

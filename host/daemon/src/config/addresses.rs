//! Readers of URLs, origins and addresses.

use super::{
    reader::ValueAt,
    values::{path, text},
};
use mainstay_domain::{grant, spec::HttpOrigin};
use reqwest::Url;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    path::PathBuf,
};

/// An http or https URL with a host.
pub(crate) fn url(at: ValueAt<'_>) -> Option<String> {
    const HELP: &str = "write e.g. \"http://127.0.0.1:8080/health\"";
    let found = text(at)?;
    match Url::parse(&found) {
        Ok(url) if url.port() == Some(0) => at.not("a URL: nothing listens at port 0", HELP),
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
        _ if origin.port == 0 => at.not("an origin: nothing listens at port 0", HELP),
        _ => {
            if let Some(what) = metadata_service(&found) {
                at.context.warn(
                    at.node.place,
                    format!(
                        "`{found}` is {what}, which gives whoever asks it what the machine itself may do"
                    ),
                    "grant it only to a plugin that may have the machine's own credentials; else name the server that is meant",
                );
            }
            Some(origin)
        }
    }
}

/// Where clouds tell their machines who they are, beside the addresses of the link.
const METADATA_NAMES: [&str; 9] = [
    "instance-data",
    "instance-data.ec2.internal",
    "instance-metadata.amazonaws.com",
    "metadata",
    "metadata.aliyuncs.com",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.tencentyun.com",
];

const METADATA_ADDRESSES: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// What the server of a URL is, where it is one that answers for the machine. In whatever way its address is written: who
/// connects reads it as this does.
fn metadata_service(written: &str) -> Option<&'static str> {
    let url = Url::parse(written).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let Ok(address) = bare.unwrap_or(host).parse::<IpAddr>() else {
        let is_known = METADATA_NAMES.contains(&host);
        return is_known.then_some("the metadata service of a cloud");
    };
    let address = match address {
        IpAddr::V6(address) => {
            carried(address).map_or_else(|| IpAddr::V6(address).to_canonical(), IpAddr::V4)
        }
        IpAddr::V4(_) => address,
    };
    let is_of_the_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match address {
        _ if METADATA_ADDRESSES.contains(&address) => Some("the metadata service of a cloud"),
        _ if is_of_the_link => {
            Some("an address of the link, where clouds have their metadata service")
        }
        _ => None,
    }
}

/// The address that one of IPv6 leads to where a machine between the two translates: by NAT64 (RFC 6052) and 6to4 (RFC 3056); and in
/// the form of old, which some programs still take.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] if high > 0 => {
            Some(last(high, low))
        }
        [0x2002, high, low, ..] => Some(last(high, low)),
        _ => None,
    }
}

/// `host:port`.
pub(crate) fn host_and_port(at: ValueAt<'_>) -> Option<String> {
    let address = text(at)?;
    let parts = address.rsplit_once(':');
    let good = parts.is_some_and(|(host, port)| {
        let host_is_one = match host.starts_with('[') {
            true => address.parse::<SocketAddrV6>().is_ok(),
            false => {
                let mut letters = host.chars();
                !host.is_empty()
                    && letters.all(|letter| letter.is_ascii_graphic() && !":/[]".contains(letter))
            }
        };
        host_is_one && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if good {
        return Some(address);
    }
    let help = match address.is_ascii() {
        true if address.contains('%') => {
            "write the interface of a link as its number, as `ip link` shows it: \"[fe80::1%2]:6379\""
        }
        true => "write e.g. \"127.0.0.1:6379\", \"db.example:5432\" or \"[::1]:6379\"",
        false => "write the name as the system looks it up, which begins with `xn--`",
    };
    at.not("a host and a port", help)
}

/// The longest path that a socket in the file system can be asked by, in bytes.
const LONGEST_SOCKET: usize = 107;

/// The path of a socket in the file system.
pub(crate) fn socket_path(at: ValueAt<'_>) -> Option<PathBuf> {
    let found = path(at)?;
    let length = found.as_os_str().len();
    match length <= LONGEST_SOCKET {
        true => Some(found),
        false => at.refuse(
            format!(
                "`{}` is {} with {length} bytes, and no socket can be asked by more than {LONGEST_SOCKET}",
                at.key,
                found.display()
            ),
            "have the service listen at a shorter path, or make a link to its directory and name that",
        ),
    }
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
    match text(at)?.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => at.not(
            "an address to listen on: port 0 is another port at each start, and nobody knows which",
            "write a port from 1 to 65535, e.g. \"127.0.0.1:7070\"",
        ),
        Ok(address) => Some(address),
        Err(_) => at.not(
            "an address to listen on",
            "write an IP address and a port, e.g. \"127.0.0.1:7070\"",
        ),
    }
}

//! `[telemetry.statsd]`.

use super::super::{
    reader::ValueAt,
    values::{one_of, text},
};
use mainstay_domain::spec::{StatsdFlavour, StatsdSpec};
use std::net::SocketAddr;

/// As the config calls them.
const FLAVOURS: [(&str, StatsdFlavour); 2] = [
    ("plain", StatsdFlavour::Plain),
    ("dogstatsd", StatsdFlavour::Dogstatsd),
];

pub(super) fn telemetry(at: ValueAt<'_>) -> Option<Option<StatsdSpec>> {
    at.fields("[telemetry]", |fields| {
        Some(fields.optional("statsd", statsd))
    })
}

fn statsd(at: ValueAt<'_>) -> Option<StatsdSpec> {
    at.fields("[telemetry.statsd]", |fields| {
        let example = "address = \"127.0.0.1:8125\"";
        let address = fields.required("address", example, address);
        Some(StatsdSpec {
            prefix: fields.or("prefix", "mainstay".to_owned(), prefix),
            flavour: fields.or("flavour", StatsdFlavour::Plain, flavour),
            address: address?,
        })
    })
}

fn address(at: ValueAt<'_>) -> Option<SocketAddr> {
    match text(at)?.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Some(address),
        _ => at.not(
            "an address to send to",
            "write an IP address and a port, e.g. \"127.0.0.1:8125\"",
        ),
    }
}

fn flavour(at: ValueAt<'_>) -> Option<StatsdFlavour> {
    one_of("a kind of StatsD", &FLAVOURS, at)
}

/// The beginning of names: what would end one is in none.
fn prefix(at: ValueAt<'_>) -> Option<String> {
    let found = text(at)?;
    let is_part = |part: &str| {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        !part.is_empty() && part.chars().all(is_allowed)
    };
    match found.split('.').all(is_part) {
        true => Some(found),
        false => at.not(
            "the beginning of names: letters, digits, dashes and underscores, with single dots between",
            "write e.g. \"mainstay\" or \"shop.mainstay\"",
        ),
    }
}

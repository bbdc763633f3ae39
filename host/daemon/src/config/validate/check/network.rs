//! Checks that ask over the network.

use super::super::super::{
    addresses::{host_and_port, url},
    document::Value,
    reader::{Fields, ValueAt},
    values::{text, whole},
};
use mainstay_domain::spec::CheckKind;

pub(super) fn http(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let url = fields.required("url", "url = \"http://127.0.0.1:8080/health\"", url);
    let status = fields.or("status", (200, 399), statuses);
    let body_contains = fields.optional("body_contains", text);
    Some(CheckKind::Http {
        url: url?,
        status,
        body_contains,
    })
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
    Some(CheckKind::Tcp { address: address? })
}

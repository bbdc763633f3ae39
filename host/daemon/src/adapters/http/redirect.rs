//! What follows a response: the answer, or a next hop, by RFC 9110, section 15.4.
//!
//! Invariant: a next hop to another origin carries no credentials: neither `Authorization` and cookies, nor any header
//! that a secret was put into. Whether the rest of it may go there is asked when its origin is known to be granted.

use super::request::{Header, Outgoing};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, COOKIE, HeaderValue, PROXY_AUTHORIZATION},
};

/// What follows.
pub(super) enum Next {
    /// This response is the answer.
    Answer,
    /// The request to send next, once its origin is found to be granted.
    Follow(Outgoing),
    /// It redirects, but not to an address.
    Invalid,
}

/// Decides by status and `Location`.
pub(super) fn next(sent: &Outgoing, status: StatusCode, location: Option<&HeaderValue>) -> Next {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Next::Answer;
    }
    let Some(location) = location else {
        return Next::Answer;
    };
    let target = std::str::from_utf8(location.as_bytes())
        .ok()
        .and_then(|location| sent.url.join(location).ok());
    let Some(mut url) = target else {
        return Next::Invalid;
    };
    // A server that could name user and password would put words into our mouth.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return Next::Invalid;
    }
    let becomes_get = match status.as_u16() {
        303 => !matches!(sent.method, Method::GET | Method::HEAD),
        301 | 302 => sent.method == Method::POST,
        _ => false,
    };
    let stays = sent.url.origin() == url.origin();
    let kept = |header: &&Header| {
        let credential =
            header.is_secret || [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(&header.name);
        let describes_body = header.name.as_str().starts_with("content-");
        (stays || !credential) && !(becomes_get && describes_body)
    };
    Next::Follow(Outgoing {
        method: if becomes_get {
            Method::GET
        } else {
            sent.method.clone()
        },
        url,
        headers: sent.headers.iter().filter(kept).cloned().collect(),
        body: if becomes_get {
            Vec::new()
        } else {
            sent.body.clone()
        },
        body_is_secret: sent.body_is_secret && !becomes_get,
    })
}

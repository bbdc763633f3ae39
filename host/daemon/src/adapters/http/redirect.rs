//! What follows a response: the answer, or a next hop, by RFC 9110, section 15.4.
//!
//! Invariant: a next hop has the method and the body of the first. A redirect that would make a GET of another method is
//! the answer: who sent it learns where it points to, and decides.
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
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    if !redirects || becomes_get(status, &sent.method) {
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
    let stays = sent.url.origin() == url.origin();
    let kept = |header: &&Header| {
        let credential =
            header.is_secret || [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(&header.name);
        stays || !credential
    };
    Next::Follow(Outgoing {
        method: sent.method.clone(),
        url,
        headers: sent.headers.iter().filter(kept).cloned().collect(),
        body: sent.body.clone(),
        body_is_secret: sent.body_is_secret,
    })
}

/// Whether what follows by RFC 9110 would be a GET without a body in place of what was sent. That would arrive as
/// nothing at all, and its answer would be taken for that of what was sent.
fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        303 => !matches!(*method, Method::GET | Method::HEAD),
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

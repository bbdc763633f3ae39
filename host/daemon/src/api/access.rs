//! Who may use the API over TCP: those who have the bearer token, and ask for a host that is ours. And who may use it over
//! the Unix socket: whoever can open it, as long as not too many do at one time.
//!
//! Invariant: the token is neither kept nor printed here; it is asked for anew for each request, so a rotated one counts
//! at once, and only hashes are compared, in constant time.
//! Invariant: nothing of a body is read before, and who is refused is not listened to any longer.

use super::{
    caller::Caller,
    connections::{Guest, Place},
    error::ApiError,
    hosts::Hosts,
};
use axum::{
    extract::{Request, State},
    http::{
        HeaderValue,
        header::{AUTHORIZATION, CONNECTION},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use mainstay_domain::name::SecretName;
use std::{net::IpAddr, sync::Arc};

/// What every request over TCP has to carry in `Authorization: Bearer …`, as it is now; while there is none, nobody
/// passes.
pub type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What a request over TCP has to show.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) token: Token,
    /// The secret that the token is.
    pub(super) token_name: SecretName,
    pub(super) hosts: Arc<Hosts>,
}

/// Who has come over TCP; in the extensions of each request.
#[derive(Clone)]
pub(super) struct TcpGuest {
    pub(super) place: Place,
    /// This machine's end of the connection.
    pub(super) local: Option<IpAddr>,
}

/// Who has come to the Unix socket; in the extensions of each request.
#[derive(Clone)]
pub(super) struct UnixGuest {
    pub(super) place: Place,
    pub(super) caller: Caller,
}

impl Guest for TcpGuest {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Guest for UnixGuest {
    fn place(&self) -> &Place {
        &self.place
    }
}

/// Lets a request over the Unix socket pass, with who it comes from. There everybody who has sent one is known.
pub(super) async fn count(mut request: Request, next: Next) -> Response {
    let guest = request.extensions().get::<UnixGuest>().cloned();
    let refused = match guest {
        Some(guest) if guest.place.become_known() => {
            request.extensions_mut().insert(guest.caller);
            return next.run(request).await;
        }
        Some(_) => ApiError::too_many_at_once(),
        None => ApiError::ended(),
    };
    and_close(refused)
}

/// `blake3::Hash` compares in constant time.
fn is(token: &Token, text: &[u8]) -> bool {
    token().is_some_and(|token| blake3::hash(token.as_bytes()) == blake3::hash(text))
}

/// Lets a request with the token pass.
pub(super) async fn check(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    match may_pass(&door, &request) {
        Ok(()) => {
            let caller = Caller::Token(door.token_name);
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refused) => and_close(refused),
    }
}

fn and_close(refused: ApiError) -> Response {
    let mut response = refused.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

fn may_pass(door: &Door, request: &Request) -> Result<(), ApiError> {
    let guest = request.extensions().get::<TcpGuest>();
    let guest = guest.ok_or_else(ApiError::ended)?;
    let headers = request.headers();
    door.hosts
        .check(request.uri(), headers, guest.local)
        .map_err(|found| ApiError::misdirected(&found))?;
    let given = headers
        .get(AUTHORIZATION)
        .map(|value| value.as_bytes())
        .and_then(|value| value.split_at_checked(b"Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
    match given {
        Some((_, text)) if is(&door.token, text) => {}
        _ => return Err(ApiError::unauthorized()),
    }
    match guest.place.become_known() {
        true => Ok(()),
        false => Err(ApiError::too_many_connections()),
    }
}

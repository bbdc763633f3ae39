//! Who may use the API over TCP: those who have the bearer token, and ask for a host that is ours. And who may use it over
//! the Unix socket: whoever can open it, as long as not too many do at one time; where there are viewers, those only read.
//!
//! Invariant: the token is neither kept nor printed here; it is asked for anew for each request, so a rotated one counts
//! at once, and only hashes are compared, in constant time.
//! Invariant: who may only read is told so at every path that does more, before anything of it is begun.
//! Invariant: nothing of a body is read before, and who is refused is not listened to any longer.

use super::{
    caller::{Caller, Peer},
    connections::{Guest, Place},
    error::ApiError,
    hosts::Hosts,
};
use crate::ports::Accounts;
use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, Method,
        header::{AUTHORIZATION, CONNECTION},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use mainstay_domain::{name::SecretName, socket_rights::SocketRights};
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

/// Who may command over the Unix socket.
#[derive(Clone)]
pub(super) struct UnixRights {
    pub(super) rights: Arc<SocketRights>,
    pub(super) accounts: Arc<dyn Accounts>,
}

impl UnixRights {
    /// Whether who has come may do more than to read.
    pub(super) async fn may_command(&self, caller: &Caller) -> bool {
        let Caller::User(peer) = caller else {
            return true;
        };
        let Some(Peer { uid, gid }) = *peer else {
            // Whom the kernel does not know is nobody in particular.
            return self.rights.viewers.is_empty();
        };
        if let Some(may) = self.rights.of_user(uid) {
            return may;
        }
        let accounts = self.accounts.clone();
        let groups = tokio::task::spawn_blocking(move || accounts.groups(uid)).await;
        let mut groups = groups.unwrap_or_default();
        groups.push(gid);
        self.rights.may_command(uid, &groups)
    }
}

/// Whether a request asks for nothing to be done.
pub(super) fn only_reads(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Lets a request over the Unix socket pass, with who it comes from. There everybody who has sent one is known.
pub(super) async fn count(
    State(unix): State<UnixRights>,
    mut request: Request,
    next: Next,
) -> Response {
    let guest = request.extensions().get::<UnixGuest>().cloned();
    let refused = match guest {
        Some(guest) if guest.place.become_known() => {
            let only_reads = only_reads(request.method());
            if !only_reads && !unix.may_command(&guest.caller).await {
                return and_close(ApiError::only_a_viewer());
            }
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

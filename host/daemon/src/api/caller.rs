//! Who a request comes from, as this daemon itself knows it.
//!
//! Invariant: it is the user at the other end of the Unix socket, or the name of the token that was shown, and nothing
//! that the request says.
//! Invariant: no secret is left in what they say of themselves, whatever they command.

use super::{Served, error::ApiError};
use crate::ports::Secrets;
use axum::{extract::FromRequestParts, http::request::Parts};
use mainstay_domain::{actor::Actor, name::SecretName};
use std::sync::Arc;
use tokio::net::UnixStream;

/// Who a request comes from; in its extensions.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// A user of this machine, where the kernel knows it.
    User(Option<Peer>),
    /// Who has the token that this secret is.
    Token(SecretName),
}

/// A user at the other end of the Unix socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Caller {
    /// The peer of a connection of the Unix socket.
    pub(super) fn of(stream: &UnixStream) -> Self {
        let peer = stream.peer_cred().ok();
        Self::User(peer.map(|peer| Peer {
            uid: peer.uid(),
            gid: peer.gid(),
        }))
    }
}

/// Who commands, without what they say about themselves.
pub(super) struct Known {
    name: String,
    secrets: Arc<dyn Secrets>,
}

impl Known {
    /// With what they say about themselves.
    pub(super) fn who_says(self, text: &str) -> Actor {
        self.secrets.conceal_note(Actor::new(self.name, text))
    }
}

impl FromRequestParts<Arc<Served>> for Known {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, served: &Arc<Served>) -> Result<Self, ApiError> {
        let name = match parts.extensions.get::<Caller>().cloned() {
            Some(Caller::Token(name)) => name.to_string(),
            Some(Caller::User(Some(Peer { uid, .. }))) => {
                let accounts = served.ports.accounts.clone();
                let name = tokio::task::spawn_blocking(move || accounts.name(uid)).await;
                let name = name.map_err(|_| ApiError::ended())?;
                name.unwrap_or_else(|| format!("uid {uid}"))
            }
            Some(Caller::User(None)) => "an unknown user".to_owned(),
            None => return Err(ApiError::ended()),
        };
        let secrets = served.ports.secrets.clone();
        Ok(Self { name, secrets })
    }
}

//! Who may use the API over TCP: those who have the bearer token.
//!
//! Invariant: the token is neither kept nor printed; only its hash is, and hashes are compared in constant time.

use super::error::ApiError;
use axum::{
    extract::{Request, State},
    http::header::AUTHORIZATION,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// What every request over TCP has to carry in `Authorization: Bearer …`.
pub struct Token(blake3::Hash);

impl Token {
    /// The token with this text.
    pub fn new(text: &str) -> Self {
        Self(blake3::hash(text.as_bytes()))
    }

    /// Whether the text is the token. `blake3::Hash` compares in constant time.
    fn is(&self, text: &[u8]) -> bool {
        self.0 == blake3::hash(text)
    }
}

/// Lets a request with the token pass.
pub(super) async fn check(
    State(token): State<Arc<Token>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.as_bytes())
        .and_then(|value| value.split_at_checked(b"Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
    match given {
        Some((_, text)) if token.is(text) => next.run(request).await,
        _ => ApiError::unauthorized().into_response(),
    }
}

//! Who may use the API over TCP: those who have the bearer token.
//!
//! Invariant: the token is neither kept nor printed here; it is asked for anew for each request, so a rotated one counts
//! at once, and only hashes are compared, in constant time.

use super::error::ApiError;
use axum::{
    extract::{Request, State},
    http::header::AUTHORIZATION,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// What every request over TCP has to carry in `Authorization: Bearer …`, as it is now; while there is none, nobody
/// passes.
pub type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// `blake3::Hash` compares in constant time.
fn is(token: &Token, text: &[u8]) -> bool {
    token().is_some_and(|token| blake3::hash(token.as_bytes()) == blake3::hash(text))
}

/// Lets a request with the token pass.
pub(super) async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| value.as_bytes())
        .and_then(|value| value.split_at_checked(b"Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
    match given {
        Some((_, text)) if is(&token, text) => next.run(request).await,
        _ => ApiError::unauthorized().into_response(),
    }
}

//! Who was told that something is done sees it in the next `status`.
//!
//! Invariant: before a success of a request that does something is answered, the status is due to be gathered anew; of
//! long work, before each line of its answer.

use super::{Served, access::only_reads};
use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::StreamExt;
use std::sync::Arc;

/// Lets a request pass, and renews the status after what it has done.
pub(super) async fn renew_status(
    State(served): State<Arc<Served>>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = only_reads(request.method());
    let response = next.run(request).await;
    if is_read || !response.status().is_success() {
        return response;
    }
    served.status.renew_next();
    let (head, body) = response.into_parts();
    if body.size_hint().exact().is_some() {
        return Response::from_parts(head, body);
    }
    let lines = body.into_data_stream();
    let lines = lines.inspect(move |_| served.status.renew_next());
    Response::from_parts(head, Body::from_stream(lines))
}

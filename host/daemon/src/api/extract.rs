//! What handlers take from a request; as axum's own, with errors in the API's form.

use super::{Served, error::ApiError};
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use std::{sync::Arc, time::Duration};

/// By then a body is there whole, from the end of its head on.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// The query of the URL.
pub(super) struct Parameters<T>(pub(super) T);

/// The placeholders of the path.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Served>> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, served: &Arc<Served>) -> Result<Self, ApiError> {
        let reading = Json::<T>::from_request(request, served);
        tokio::select! { biased;
            read = tokio::time::timeout(BODY_WITHIN, reading) => match read {
                Ok(read) => Ok(Self(read?.0)),
                Err(_) => Err(ApiError::body_too_slow(BODY_WITHIN)),
            },
            // What is not there whole by now is not waited for.
            () = served.stop.cancelled() => Err(ApiError::stopping()),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Query::from_request_parts(parts, state).await?.0))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Path::from_request_parts(parts, state).await?.0))
    }
}

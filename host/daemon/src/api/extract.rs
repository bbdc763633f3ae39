//! What handlers take from a request; as axum's own, with errors in the API's form.
//!
//! Invariant: an identity that is given is in the memory of the work that it is for, and nowhere else.

use super::{Served, caller::Caller, error::ApiError};
use crate::ports::{BackupOperator, GivenIdentities};
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{header::IF_MATCH, request::Parts},
};
use mainstay_api::IDENTITY_HEADER;
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

/// The revision that `If-Match` asks for, as `"7"`; none where there is no such header, or where it takes any.
pub(super) struct IfMatch(pub(super) Option<u64>);

/// The identities that the header [`IDENTITY_HEADER`] gives; none where there is no such header.
pub(super) struct Given(Option<GivenIdentities>);

impl Given {
    /// The backups, as they open with what is given.
    pub(super) fn open(self, backups: &Arc<dyn BackupOperator>) -> Arc<dyn BackupOperator> {
        let backups = Arc::clone(backups);
        match self.0 {
            Some(given) => backups.with_identities(given),
            None => backups,
        }
    }
}

impl FromRequestParts<Arc<Served>> for Given {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Served>) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.remove(IDENTITY_HEADER) else {
            return Ok(Self(None));
        };
        if !matches!(parts.extensions.get::<Caller>(), Some(Caller::User(_))) {
            let error = "an identity is taken over the Unix socket alone: whoever sees it on its way can read the backups";
            let help = "send it to the socket in host.state_dir, as `mainstay backup` does with --identity";
            return Err(ApiError::bad_request(error, help));
        }
        let given = GivenIdentities::parse(value.to_str().unwrap_or_default());
        let given = given.map_err(|why| {
            let error = format!("the header {IDENTITY_HEADER} gives no identity: {why}");
            ApiError::bad_request(error, "send what the file of the identity holds")
        })?;
        Ok(Self(Some(given)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let revision = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        match revision.unwrap_or(text).parse() {
            Ok(revision) => Ok(Self(Some(revision))),
            Err(_) => {
                let error = "`If-Match` names no revision";
                let help = "send the `revision` of the operation that was looked at, in quotes, e.g. \"7\"";
                Err(ApiError::bad_request(error, help))
            }
        }
    }
}

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

//! What the API answers where it does not do what was asked.

use crate::ports::{Refused, StoreError};
use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use mainstay_api::ErrorBody;
use std::{fmt::Display, time::Duration};

const SEND_JSON: &str = "send a JSON object with `Content-Type: application/json`";

/// An answer that is no success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    /// Something that the request names is not there.
    pub fn not_found(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, Some(help.into()))
    }

    /// What the request names is not in the state that it needs.
    pub fn conflict(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error, Some(help.into()))
    }

    /// The request says something that is not allowed.
    pub fn bad_request(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, Some(help.into()))
    }

    /// A field of the query does not say what it has to.
    pub fn bad_query(field: &str, why: impl Display) -> Self {
        // As axum says it of what it finds itself.
        let error = format!("Failed to deserialize query string: {field}: {why}");
        Self::new(StatusCode::BAD_REQUEST, error, None)
    }

    /// A field of the body does not say what it has to.
    pub fn bad_body(field: &str, why: impl Display) -> Self {
        let error =
            format!("Failed to deserialize the JSON body into the target type: {field}: {why}");
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            error,
            Some(SEND_JSON.to_owned()),
        )
    }

    /// No route has this path.
    pub fn no_such_path() -> Self {
        let error = "no such path in this API";
        let help = "paths begin with /v1, e.g. GET /v1/status; see the README's reference";
        Self::not_found(error, help)
    }

    /// The path is there, and not for this method.
    pub fn wrong_method() -> Self {
        let help = "reading is GET, commands are POST; the Allow header names what this path takes";
        let error = "this path does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, error, Some(help.into()))
    }

    /// A TCP request without the token.
    pub fn unauthorized() -> Self {
        let error = "the bearer token is missing or wrong";
        let help = "send `Authorization: Bearer TOKEN` with the secret that host.api.token names";
        Self::new(StatusCode::UNAUTHORIZED, error, Some(help.into()))
    }

    /// A TCP request in a name that is not ours.
    pub fn misdirected(found: &str) -> Self {
        let help = "ask for the address that host.api.listen names, or for localhost; name any other host, e.g. that of a \
                    proxy, in hosts of host.api";
        let error = format!("this API does not answer {found}");
        Self::new(StatusCode::MISDIRECTED_REQUEST, error, Some(help.into()))
    }

    /// A command of somebody who may only read.
    pub fn only_a_viewer() -> Self {
        let error = "this user may read here, and command nothing";
        let help = "ask somebody in the group of host.api.group, or root; host.api.viewers of the config says who may only read";
        Self::new(StatusCode::FORBIDDEN, error, Some(help.into()))
    }

    /// As many connections as may be carry the token.
    pub fn too_many_connections() -> Self {
        let help = "close some, e.g. those that follow events, or use the socket in host.state_dir";
        let error = "too many connections carry the token already";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, Some(help.into()))
    }

    /// As many connections of the Unix socket as may be are at work.
    pub fn too_many_at_once() -> Self {
        let help = "close some, e.g. those that follow events, or try again later";
        let error = "too many connections to the socket are at work already";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, Some(help.into()))
    }

    /// A request that was not there whole when the daemon was asked to stop.
    pub fn stopping() -> Self {
        let error = "the daemon is stopping, and this request had not come whole";
        let help = "nothing was begun; send it again when the daemon runs";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, Some(help.into()))
    }

    /// The host is not as it should be.
    pub fn not_ready(why: &str) -> Self {
        let error = format!("the host is not ready: {why}");
        let help = "`mainstay status` says what has failed and what is done about it, `mainstay health` when the mode changed";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, Some(help.into()))
    }

    /// A request whose body does not come.
    pub fn body_too_slow(waited: Duration) -> Self {
        let error = format!("the body of the request has not come within {waited:?}");
        let help = "send it at once; at most 64 KiB are taken";
        Self::new(StatusCode::REQUEST_TIMEOUT, error, Some(help.into()))
    }

    /// Work that was begun did not give an answer.
    pub fn ended() -> Self {
        let help = "this is a defect of the program; its log tells more";
        let error = "the work ended without an answer";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error, Some(help.into()))
    }

    fn new(status: StatusCode, error: impl Into<String>, help: Option<String>) -> Self {
        let body = ErrorBody {
            error: error.into(),
            help,
        };
        Self { status, body }
    }

    /// What is sent.
    pub fn into_body(self) -> ErrorBody {
        self.body
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        Self::new(StatusCode::CONFLICT, refused.0, None)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let help = "check that the disk of state_dir is neither full nor broken";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            error.to_string(),
            Some(help.into()),
        )
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let help = Some(SEND_JSON.to_owned());
        Self::new(rejection.status(), rejection.body_text(), help)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text(), None)
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors are lower case and without a full stop, and each says what to do next.
    #[test]
    fn every_refusal_of_the_api_itself_is_a_whole_sentence_with_a_next_step() {
        let all = [
            ApiError::no_such_path(),
            ApiError::wrong_method(),
            ApiError::unauthorized(),
            ApiError::misdirected("example.org"),
            ApiError::only_a_viewer(),
            ApiError::too_many_connections(),
            ApiError::too_many_at_once(),
            ApiError::stopping(),
            ApiError::body_too_slow(Duration::from_secs(10)),
            ApiError::ended(),
            ApiError::bad_body("id", "it is empty"),
        ];
        let mut said = std::collections::BTreeSet::new();
        for error in all {
            let status = error.status;
            let ErrorBody { error, help } = error.into_body();
            let help = help.unwrap_or_else(|| panic!("{status}: {error}"));
            for text in [&error, &help] {
                let is_whole = !text.ends_with(['.', ':', ' ', ';', ',']) && !text.contains("  ");
                assert!(is_whole, "{status}: {text}");
            }
            assert!(status.is_client_error() || status.is_server_error());
            // Who reads one knows which it is.
            assert!(said.insert(error.clone()), "{error} is said of two things");
        }
    }
}

//! A trading engine, asked over HTTP for one thing after the other.

use super::{
    super::http::{MAX_BODY, body, headers, no_response},
    Seen, answered, seen_by,
};
use crate::ports::Secrets;
use mainstay_domain::{protocol::engine, spec::EngineCheck, time::Timestamp};
use reqwest::Client;
use std::net::SocketAddr;
use tokio::time::Instant;

/// `to` is where the name of its API leads.
pub(super) async fn look(
    client: &Client,
    check: &EngineCheck,
    to: &[SocketAddr],
    secrets: &dyn Secrets,
    now: Timestamp,
) -> Seen {
    let start = Instant::now();
    for question in engine::questions(check) {
        let url = format!("{}{}", check.api, question.as_str());
        let what = format!("GET {url}");
        let headers = match headers(&check.headers, secrets, &what) {
            Ok(headers) => headers,
            Err(seen) => return seen,
        };
        let response = match client.get(&url).headers(headers).send().await {
            Ok(response) => response,
            Err(error) => return no_response(&what, &error, to).await,
        };
        let verdict = engine::judge_status(response.status().as_u16());
        if let Some(seen) = seen_by(verdict, &what, secrets) {
            return seen;
        }
        let body = match body(response).await {
            Ok(body) => body,
            Err(error) => {
                return Seen::of_cause(format_args!("{what}: the body broke off"), &error);
            }
        };
        if body.len() >= MAX_BODY {
            let why = format!("{what}: its answer is longer than {} KiB", MAX_BODY >> 10);
            return Seen::not_done(why);
        }
        if let Some(seen) = seen_by(engine::judge(question, check, &body, now), &what, secrets) {
            return seen;
        }
    }
    answered(&check.api, start.elapsed(), check.warn_latency)
}

//! A bucket of an S3, or an object in one, asked for with one signed request.
//!
//! Invariant: the keys go into the signature, which is of one request and one time; the secret one is never sent.

use super::{
    super::http::{body, no_response},
    Seen, answered, seen_by,
};
use crate::ports::Secrets;
use mainstay_domain::{
    effect::HttpMethod,
    protocol::s3::{self, DIGEST_OF_NOTHING, Request, Signer},
    spec::S3Check,
    time::Timestamp,
};
use reqwest::{
    Client, Method, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue},
};
use std::net::SocketAddr;
use tokio::time::Instant;

/// `keys` are the values of the check's secrets, the access key first; `to` is where the name of its URL leads.
pub(super) async fn look(
    client: &Client,
    check: &S3Check,
    keys: Option<(String, String)>,
    to: &[SocketAddr],
    secrets: &dyn Secrets,
    now: Timestamp,
) -> Seen {
    let what = format!("{} {}", check.method.as_str(), check.url);
    let url = match Url::parse(&check.url) {
        Ok(url) => url,
        Err(error) => return Seen::failed(format!("{what}: {error}")),
    };
    let headers = match keys {
        None => Ok(HeaderMap::new()),
        Some((access_key, secret_key)) => {
            let signer = Signer {
                access_key: &access_key,
                secret_key: &secret_key,
                region: &check.region,
            };
            headers(&url, check.method, signer, now)
        }
    };
    let headers = match headers {
        Ok(headers) => headers,
        Err(_) => {
            return Seen::not_done(format!(
                "{what}: its region or its access key has a character that HTTP does not allow, such as a line break"
            ));
        }
    };
    let method = match check.method {
        HttpMethod::Get => Method::GET,
        _ => Method::HEAD,
    };
    let start = Instant::now();
    let response = match client.request(method, url).headers(headers).send().await {
        Ok(response) => response,
        Err(error) => return no_response(&what, &error, to).await,
    };
    let verdict = s3::judge(response.status().as_u16());
    if let Some(seen) = seen_by(verdict, &what, secrets) {
        return seen;
    }
    match body(response).await {
        Ok(_) => answered(&what, start.elapsed(), check.warn_latency),
        Err(error) => Seen::of_cause(format_args!("{what}: the body broke off"), &error),
    }
}

fn headers(
    url: &Url,
    method: HttpMethod,
    signer: Signer<'_>,
    now: Timestamp,
) -> Result<HeaderMap, InvalidHeaderValue> {
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let request = Request {
        method: method.as_str(),
        host: &host,
        path: url.path(),
        query: "",
    };
    let signature = s3::sign(request, signer, now);
    let [date, digest] = ["x-amz-date", "x-amz-content-sha256"].map(HeaderName::from_static);
    let mut authorization = HeaderValue::from_str(&signature.authorization)?;
    authorization.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (AUTHORIZATION, authorization),
        (date, HeaderValue::from_str(&signature.date)?),
        (digest, HeaderValue::from_static(DIGEST_OF_NOTHING)),
    ]))
}

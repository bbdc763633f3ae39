//! GET, as a monitor does it: a new connection each time, so that a dead server is seen; no proxy, so that the target is
//! seen and not the way to it; no redirect followed, for where it leads is another target (a 3xx is good by default).

use super::{Seen, cause};

/// So much of a body is looked through.
const MAX_BODY: usize = 1 << 20;

pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
}

pub(super) async fn look(
    client: &reqwest::Client,
    url: &str,
    (lowest, highest): (u16, u16),
    wanted: Option<&str>,
) -> Seen {
    let start = tokio::time::Instant::now();
    let response = match client.get(url).send().await {
        Ok(response) => response,
        Err(error) => return Seen::failed(format!("GET {url}: {}", cause(&error))),
    };
    let status = response.status().as_u16();
    if !(lowest..=highest).contains(&status) {
        return Seen::failed(format!("GET {url} answered {status}")).with_value(f64::from(status));
    }
    if let Some(wanted) = wanted {
        match contains(response, wanted).await {
            Ok(true) => {}
            Ok(false) => {
                let message =
                    format!("GET {url} answered {status}, but the body does not hold `{wanted}`");
                return Seen::failed(message).with_value(f64::from(status));
            }
            Err(error) => {
                return Seen::failed(format!("GET {url}: the body broke off: {}", cause(&error)));
            }
        }
    }
    let millis = start.elapsed().as_millis();
    Seen::healthy(format!("GET {url} answered {status} within {millis} ms"))
        .with_value(f64::from(status))
}

async fn contains(mut response: reqwest::Response, wanted: &str) -> Result<bool, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < MAX_BODY {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        let room = MAX_BODY - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(String::from_utf8_lossy(&body).contains(wanted))
}

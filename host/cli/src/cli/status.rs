//! What the daemon sees now: `status`, and the plugins alone.

mod jobs;
mod plugins;
mod quiet;
mod reload;
mod target;
mod view;

pub(super) use plugins::plugins;
#[cfg(test)]
pub(super) use plugins::plugins_view;
pub(super) use target::health_tone;
pub(super) use view::{Wanted, view};

use super::{client::Client, listings::parse, output::Output};
use mainstay_api::{Incident, Status};

/// More open incidents than this are not told one by one.
const OPEN_INCIDENTS: &str = "/v1/incidents?open=true&limit=10000";

/// Shows the whole host.
pub(super) async fn status(client: &Client, out: &Output, all: bool) -> anyhow::Result<()> {
    let answer = client.get("/v1/status").await?;
    if out.json {
        return out.json_text(&answer);
    }
    let incidents = client.get(OPEN_INCIDENTS).await?;
    let wanted = Wanted {
        all,
        together: !out.is_terminal(),
    };
    out.show(&view(
        &parse::<Status>(&answer)?,
        &parse::<Vec<Incident>>(&incidents)?,
        &out.times,
        wanted,
    ))
}

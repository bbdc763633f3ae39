//! What the daemon sees now: `status`, of all or of one target, and the plugins alone.

mod headline;
mod jobs;
mod plugins;
mod quiet;
mod reload;
mod target;
mod urgency;
mod view;

pub(super) use jobs::is_amiss;
pub(super) use plugins::plugins;
#[cfg(test)]
pub(super) use plugins::plugins_view;
pub(super) use target::{health_tone, target_view};
pub(super) use view::{Wanted, view};

use super::{
    client::Client,
    failure::{Ending, Usage},
    listings::parse,
    output::Output,
};
use mainstay_api::{Incident, Status, TargetDetail};
use mainstay_domain::name::TargetName;
use std::time::Duration;

/// More open incidents than this are not told one by one.
const OPEN_INCIDENTS: &str = "/v1/incidents?open=true&limit=10000";

/// Shows the whole host.
pub(super) async fn status(client: &Client, out: &Output, all: bool) -> anyhow::Result<()> {
    let answer = client.get("/v1/status").await?;
    show_status(client, out, all, &answer).await
}

/// Shows the whole host as the daemon answered.
pub(super) async fn show_status(
    client: &Client,
    out: &Output,
    all: bool,
    answer: &str,
) -> anyhow::Result<()> {
    if out.json {
        return out.json_text(answer);
    }
    let incidents = client.get(OPEN_INCIDENTS).await?;
    let wanted = Wanted {
        all,
        together: !out.is_terminal(),
    };
    out.show(&view(
        &parse::<Status>(answer)?,
        &parse::<Vec<Incident>>(&incidents)?,
        &out.times,
        wanted,
    ))
}

/// Shows one target in full.
pub(super) async fn target(
    client: &Client,
    out: &Output,
    target: &TargetName,
) -> anyhow::Result<()> {
    let answer = client.get(&format!("/v1/targets/{target}")).await?;
    show_target(client, out, &answer).await
}

/// Shows one target in full as the daemon answered.
pub(super) async fn show_target(client: &Client, out: &Output, answer: &str) -> anyhow::Result<()> {
    if out.json {
        return out.json_text(answer);
    }
    let incidents = client.get(OPEN_INCIDENTS).await?;
    out.show(&target_view(
        &parse::<TargetDetail>(answer)?,
        &parse::<Vec<Incident>>(&incidents)?,
        &out.times,
    ))
}

/// Shows the status on a terminal, and again whenever some time has passed, until it is interrupted.
pub(super) async fn watch(
    client: &Client,
    out: &Output,
    every: Duration,
) -> anyhow::Result<Ending> {
    if out.json || !out.is_terminal() {
        let problem = "it draws on a terminal; for programs there are `mainstay status` and `mainstay events --follow`, \
                       each with --json";
        return Err(Usage(problem.to_owned()).into());
    }
    loop {
        let status = parse::<Status>(&client.get("/v1/status").await?)?;
        let incidents = parse::<Vec<Incident>>(&client.get(OPEN_INCIDENTS).await?)?;
        let wanted = Wanted {
            all: false,
            together: false,
        };
        out.draw(&view(&status, &incidents, &out.times, wanted))?;
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests;

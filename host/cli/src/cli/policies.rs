//! How a target is recovered: shown, and set.

use super::{
    client::Client,
    listings::present,
    output::{Block, Output, Table, Tone, cell, length},
};
use mainstay_api::{PolicyBody, PolicyRoute, PolicySettings, TargetPolicy};
use mainstay_domain::{name::TargetName, text::list};
use std::time::Duration;

pub(super) async fn show(client: &Client, out: &Output, target: &TargetName) -> anyhow::Result<()> {
    let answer = client.get(&format!("/v1/targets/{target}/policy")).await?;
    present(out, &answer, told)
}

pub(super) async fn set(
    client: &Client,
    out: &Output,
    target: &TargetName,
    body: &PolicyBody,
) -> anyhow::Result<()> {
    let path = format!("/v1/targets/{target}/policy");
    let answer = client.post(&path, body).await?;
    present(out, &answer, told)
}

fn told(out: &Output, policy: TargetPolicy) -> anyhow::Result<()> {
    out.line(&sentence(&policy))?;
    out.show(&[Block::Table(routes_table(&policy.routes))])
}

fn sentence(policy: &TargetPolicy) -> String {
    let group = policy.group.as_ref();
    let group = group.map_or(String::new(), |group| format!(", of the group {group}"));
    let set = match set_words(&policy.set).as_slice() {
        [] => "nothing is set over its routes".to_owned(),
        words => format!("set over its routes: {}", words.join(", ")),
    };
    format!("{}{group}: {set}", policy.target)
}

fn set_words(set: &PolicySettings) -> Vec<String> {
    let time = |name: &str, millis: Option<u64>| {
        millis.map(|millis| format!("{name} {}", length(Duration::from_millis(millis))))
    };
    let words = [
        set.ask.map(|ask| format!("ask {ask}")),
        set.max_attempts.map(|most| format!("max-attempts {most}")),
        time("initial-delay", set.initial_delay_ms),
        set.multiplier.map(|factor| format!("multiplier {factor}")),
        time("max-delay", set.max_delay_ms),
        time("cooldown", set.cooldown_ms),
    ];
    words.into_iter().flatten().collect()
}

fn routes_table(routes: &[PolicyRoute]) -> Table {
    let row = |route: &PolicyRoute| {
        let delays = route.delays_ms.iter();
        let delays = delays.map(|millis| length(Duration::from_millis(*millis)));
        let what = match (route.routed, route.asks) {
            (false, _) => "no route fits".to_owned(),
            _ if route.simulates => format!("only planned: {}", list(&route.handlers, "none")),
            (true, true) => format!("a person is asked, then {}", list(&route.handlers, "none")),
            (true, false) => list(&route.handlers, "none"),
        };
        let rests = match route.cooling_ms {
            0 if !route.resting.is_empty() => {
                let resting = route.resting.iter();
                let resting = resting.map(|one| {
                    let seconds = one.left_ms.div_ceil(1_000);
                    format!("{}: {seconds} s left", one.handler)
                });
                list(resting, "")
            }
            0 => length(Duration::from_millis(route.cooldown_ms)),
            left => {
                let seconds = left.div_ceil(1_000);
                format!("{seconds} s left")
            }
        };
        vec![
            cell(&route.failure, Tone::Plain),
            cell(route.severity, Tone::Plain),
            cell(what, Tone::Plain),
            cell(route.max_attempts, Tone::Plain),
            cell(list(delays, "none"), Tone::Plain),
            cell(rests, Tone::Plain),
        ]
    };
    let headings = [
        "FAILURE", "SEVERITY", "RECOVERY", "ATTEMPTS", "DELAYS", "COOLDOWN",
    ];
    let rows = routes.iter().map(row).collect();
    Table::new(&headings, rows, "it has no failures").led_by(&[0, 2])
}

//! How the host as a whole does, and the hosts that work together.

use super::{
    client::Client,
    listings::present,
    output::{Block, Cell, Output, Table, Tone, cell, length, maybe},
};
use mainstay_api::{FallbackMode, Health, HostHealth, Node};
use mainstay_domain::text::counted;
use std::time::Duration;

pub(super) async fn show(client: &Client, out: &Output) -> anyhow::Result<()> {
    let answer = client.get("/v1/health").await?;
    present(out, &answer, |out, host: HostHealth| {
        let since = out.times.both(&host.mode_since);
        let lines = sentences(&host, &since);
        let tones = [of_mode(host.mode), of_health(host.class)];
        let rest = std::iter::repeat(Tone::Plain);
        let blocks = lines.into_iter().zip(tones.into_iter().chain(rest));
        let blocks: Vec<Block> = blocks.map(|(line, tone)| Block::text(line, tone)).collect();
        out.show(&blocks)
    })
}

pub(super) async fn nodes(client: &Client, out: &Output) -> anyhow::Result<()> {
    let answer = client.get("/v1/nodes").await?;
    present(out, &answer, |out, nodes: Vec<Node>| {
        out.show(&[Block::Table(nodes_table(nodes))])
    })
}

fn nodes_table(nodes: Vec<Node>) -> Table {
    let headings = [
        "NODE", "STATE", "LEADER", "HEALTH", "SCORE", "MODE", "SEEN", "VERSION",
    ];
    let rows = nodes.into_iter().map(row).collect();
    Table::new(&headings, rows, "no node takes part yet").led_by(&[0, 1])
}

fn row(node: Node) -> Vec<Cell> {
    let seen = node.last_seen_ms.map(Duration::from_millis);
    vec![
        cell(&node.name, Tone::Plain),
        cell(node.state, Tone::Plain),
        cell(if node.leader { "yes" } else { "no" }, Tone::Plain),
        cell(node.health, of_health(node.health)),
        cell(two_places(node.health_score), Tone::Plain),
        cell(node.mode, of_mode(node.mode)),
        maybe(seen.map(|ago| format!("{} ago", length(ago)))),
        cell(&node.version, Tone::Plain),
    ]
}

/// What is said of a host: its mode, its score, and what these come from.
fn sentences(host: &HostHealth, since: &str) -> Vec<String> {
    let targets = &host.targets;
    let parts = [
        (targets.healthy, "healthy"),
        (targets.degraded, "degraded"),
        (targets.failed, "failed"),
        (targets.starting, "starting"),
        (targets.unknown, "unknown"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let of_them = match parts.is_empty() {
        true => String::new(),
        false => format!(": {}", parts.join(", ")),
    };
    let open = match host.open_circuits {
        0 => format!("the worst circuit is {}", host.circuit),
        count => counted(count, "open circuit"),
    };
    let consensus = &host.consensus;
    let leader = consensus.leader.as_deref().unwrap_or("nobody");
    let quorum = match consensus.quorum_met {
        true => "with a quorum",
        false => "without a quorum",
    };
    let recovery = &host.recovery;
    let doing = [
        (recovery.operations, "with a recovery"),
        (recovery.resting, "at rest until the next attempt"),
        (recovery.held, "held"),
        (recovery.waiting, "waiting for a person"),
    ];
    let doing = doing.into_iter().filter(|(count, _)| *count > 0);
    let doing: Vec<String> = doing
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let doing = match doing.is_empty() {
        true => String::new(),
        false => format!(": {}", doing.join(", ")),
    };
    vec![
        format!("the mode is {} since {since}", host.mode),
        format!("the score is {}: {}", two_places(host.score), host.class),
        format!("{}{of_them}; {open}", counted(targets.total, "target")),
        format!(
            "{} with an open incident{doing}",
            counted(recovery.failing, "target")
        ),
        format!(
            "{} within the hour: {}",
            counted(host.failed_attempts, "failed attempt"),
            host.retry
        ),
        format!(
            "{leader} leads, {quorum} of {}",
            counted(consensus.voting, "vote")
        ),
    ]
}

/// What is not all of it is never shown as all of it.
fn two_places(score: f64) -> String {
    let hundredths = (score * 100.0 + 1e-6).floor() / 100.0;
    format!("{hundredths:.2}")
}

fn of_mode(mode: FallbackMode) -> Tone {
    match mode {
        FallbackMode::Primary => Tone::Good,
        FallbackMode::Heuristic => Tone::Warn,
        FallbackMode::Safe => Tone::Bad,
    }
}

fn of_health(health: Health) -> Tone {
    match health {
        Health::Healthy => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Failed => Tone::Bad,
        Health::Unknown | Health::Starting => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_host_is_told_with_what_its_mode_and_score_come_from() {
        let host = json!({
            "mode": "safe", "mode_since": "2026-03-04T11:00:00Z", "score": 0.125, "class": "failed", "health": "failed",
            "targets": {"total": 3, "healthy": 1, "degraded": 0, "failed": 2, "starting": 0, "unknown": 0},
            "circuit": "open", "open_circuits": 1, "retry": "elevated", "failed_attempts": 7, "uptime_ms": 60_000,
            "recovery": {"failing": 2, "operations": 2, "resting": 1, "held": 0, "waiting": 1},
            "consensus": {
                "circuit": "open", "mode": "safe", "leader": "db1", "quorum_met": true, "voting": 1, "strength": 1.0,
            },
        });
        let mut host: HostHealth = serde_json::from_value(host).unwrap();
        assert_eq!(
            sentences(&host, "11:00"),
            [
                "the mode is safe since 11:00",
                "the score is 0.12: failed",
                "3 targets: 1 healthy, 2 failed; 1 open circuit",
                "2 targets with an open incident: 2 with a recovery, 1 at rest until the next attempt, 1 waiting for a person",
                "7 failed attempts within the hour: elevated",
                "db1 leads, with a quorum of 1 vote",
            ]
        );
        host.open_circuits = 0;
        host.circuit = mainstay_api::CircuitState::HalfOpen;
        host.consensus.leader = None;
        host.consensus.quorum_met = false;
        host.consensus.voting = 0;
        let said = sentences(&host, "11:00");
        assert!(
            said[2].ends_with("; the worst circuit is half-open"),
            "{said:?}"
        );
        assert_eq!(said[5], "nobody leads, without a quorum of 0 votes");
    }

    #[test]
    fn a_score_that_is_not_whole_is_not_shown_as_whole() {
        for (score, expected) in [(1.0, "1.00"), (0.999, "0.99"), (0.6, "0.60"), (0.0, "0.00")] {
            assert_eq!(two_places(score), expected);
        }
    }
}

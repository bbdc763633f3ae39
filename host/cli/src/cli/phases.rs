//! The phase of the host: shown, and changed.

use super::{
    client::Client,
    listings::present,
    output::{Block, Output, Table, Times, Tone, cell},
};
use mainstay_api::{HostPhase, Phase, PhaseBody, PhaseChange};
use mainstay_domain::text::list;

pub(super) async fn show(client: &Client, out: &Output) -> anyhow::Result<()> {
    let answer = client.get("/v1/phase").await?;
    present(out, &answer, told)
}

pub(super) async fn change(
    client: &Client,
    out: &Output,
    phase: Phase,
    reason: String,
    by: String,
) -> anyhow::Result<()> {
    let body = PhaseBody { phase, reason, by };
    let answer = client.post("/v1/phase", &body).await?;
    present(out, &answer, told)
}

fn told(out: &Output, phase: HostPhase) -> anyhow::Result<()> {
    out.line(&sentence(&phase))?;
    out.show(&[Block::Table(changes_table(&phase.changes, &out.times))])
}

/// What the phase means, and where it goes.
fn sentence(host: &HostPhase) -> String {
    let (phase, next) = (host.phase, list(&host.next, "nowhere"));
    let what = match host.least {
        None => "nothing is recovered automatically".to_owned(),
        Some(least) => format!("what is {least} or worse is recovered automatically"),
    };
    let by = match &host.allowed {
        None => String::new(),
        Some(allowed) => format!(", by {} alone", list(allowed, "no handler")),
    };
    let but = match host.forbidden.is_empty() {
        true => String::new(),
        false => format!(", without {}", list(&host.forbidden, "")),
    };
    format!("the phase is {phase}: {what}{by}{but}; from here it goes to {next}")
}

fn changes_table(changes: &[PhaseChange], times: &Times) -> Table {
    let row = |change: &PhaseChange| {
        vec![
            cell(times.both(&change.at), Tone::Plain),
            cell(change.from.to_string(), Tone::Plain),
            cell(change.to.to_string(), Tone::Plain),
            cell(&change.by, Tone::Plain),
            cell(&change.reason, Tone::Plain),
        ]
    };
    let headings = ["AT", "FROM", "TO", "BY", "REASON"];
    let rows = changes.iter().map(row).collect();
    Table::new(&headings, rows, "it was never changed").led_by(&[0, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_api::Severity;

    #[test]
    fn a_phase_says_what_it_recovers_and_where_it_goes() {
        let mut host = HostPhase {
            phase: Phase::Launch,
            least: Some(Severity::Critical),
            allowed: None,
            forbidden: Vec::new(),
            multiplier: 2.0,
            next: vec![Phase::Deployment, Phase::Safe],
            changes: Vec::new(),
        };
        assert_eq!(
            sentence(&host),
            "the phase is launch: what is critical or worse is recovered automatically; from here it goes to deployment, safe"
        );
        host.allowed = Some(vec!["restart-service".to_owned()]);
        assert!(sentence(&host).contains("automatically, by restart-service alone;"));
        host.allowed = None;
        host.least = None;
        host.forbidden = vec!["disk-cleanup".to_owned()];
        assert!(
            sentence(&host).contains("nothing is recovered automatically, without disk-cleanup;")
        );
    }
}

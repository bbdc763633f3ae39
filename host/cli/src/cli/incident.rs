//! One incident in full: what the checks saw of it, and the last lines of what failed.

use super::{
    client::Client,
    identifiers::IdText,
    listings::present,
    notes::in_a_line,
    output::{Block, Output, Times, Tone, cell, tone_of},
};
use mainstay_api::Incident;
use mainstay_domain::id::IncidentId;

pub(super) async fn show(client: &Client, out: &Output, id: &IdText) -> anyhow::Result<()> {
    let id: IncidentId = id.resolve(client).await?;
    let answer = client.get(&format!("/v1/incidents/{id}")).await?;
    present(out, &answer, show_incident)
}

fn show_incident(out: &Output, incident: Incident) -> anyhow::Result<()> {
    out.show(&incident_blocks(&incident, &out.times))
}

pub(super) fn incident_blocks(incident: &Incident, times: &Times) -> Vec<Block> {
    let mut facts = vec![
        ("incident".to_owned(), cell(&incident.id, Tone::Plain)),
        ("target".to_owned(), cell(&incident.target, Tone::Plain)),
        (
            "failure".to_owned(),
            cell(
                format!("{} ({})", incident.failure, incident.severity),
                tone_of(incident.severity),
            ),
        ),
    ];
    let mut add = |name: &str, text: Option<String>| {
        facts.extend(text.map(|text| (name.to_owned(), cell(text, Tone::Plain))));
    };
    let both = |time: &String| times.both(time);
    add("state", Some(incident.state.to_string()));
    add("opened", Some(both(&incident.opened_at)));
    add("closed", incident.closed_at.as_ref().map(both));
    let exceeded = incident.rto_exceeded_at.as_ref().map(both);
    add("objective", exceeded.map(|when| format!("exceeded {when}")));
    add(
        "escalated",
        incident.escalated.then(|| "to people".to_owned()),
    );
    add("by hand", incident.handed_over.clone());
    for seen in &incident.evidence {
        let when = times.both(&seen.observed_at);
        add(
            "seen",
            Some(format!("{when}  {}: {}", seen.check, seen.message)),
        );
        let lines = seen.output.iter().flat_map(|output| output.lines());
        for line in lines {
            add("", Some(line.to_owned()));
        }
    }
    for note in &incident.notes {
        add("note", Some(in_a_line(note, times)));
    }
    vec![Block::Facts(facts)]
}

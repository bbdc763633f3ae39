//! One incident in full: what the checks saw of it, and the last lines of what failed.

use super::{
    client::Client,
    failure::Usage,
    identifiers::IdText,
    listings::{parse, present},
    notes::in_a_line,
    output::{Block, Output, Times, Tone, cell, tone_of},
};
use mainstay_api::{AcknowledgeBody, Acknowledgement, Incident, OperationDetail};
use mainstay_domain::id::IncidentId;

pub(super) async fn show(client: &Client, out: &Output, id: &IdText) -> anyhow::Result<()> {
    let id: IncidentId = id.resolve(client).await?;
    let answer = client.get(&format!("/v1/incidents/{id}")).await?;
    present(out, &answer, show_incident)
}

/// Takes an incident on, by its identifier or by that of an operation of it.
pub(super) async fn acknowledge(
    client: &Client,
    out: &Output,
    id: &IdText,
    body: &AcknowledgeBody,
) -> anyhow::Result<()> {
    let named = id.resolve_noted(client).await?;
    let incident = match named.starts_with("op-") {
        true => {
            let answer = client.get(&format!("/v1/operations/{named}")).await?;
            let detail: OperationDetail = parse(&answer)?;
            let none = || Usage(format!("{named} is of no incident: it was a dry run"));
            detail.operation.incident.ok_or_else(none)?
        }
        false => named,
    };
    let answer = client
        .post(&format!("/v1/incidents/{incident}/ack"), body)
        .await?;
    present(out, &answer, |out, incident: Incident| {
        out.line(&format!(
            "{} of {} is yours: {}",
            incident.failure, incident.target, incident.id
        ))
    })
}

fn show_incident(out: &Output, incident: Incident) -> anyhow::Result<()> {
    out.show(&incident_blocks(&incident, &out.times))
}

/// That it is over if it stays so, where it has to last first.
fn healthy_again(incident: &Incident, times: &Times) -> Option<String> {
    let until = incident.relapse_until.as_ref();
    let until = until.filter(|_| incident.closed_at.is_none())?;
    let since = incident.tried_at.as_ref()?;
    Some(format!(
        "since {}; the incident is over at {} if it stays so",
        times.both(since),
        times.clock(until)?
    ))
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
    add("healthy", healthy_again(incident, times));
    let exceeded = incident.rto_exceeded_at.as_ref().map(both);
    add("objective", exceeded.map(|when| format!("exceeded {when}")));
    add(
        "escalated",
        incident.escalated.then(|| "to people".to_owned()),
    );
    if let Some(escalation) = &incident.escalation {
        add("told", escalation.told_at.as_ref().map(both));
        add("told again", escalation.second_level_at.as_ref().map(both));
        let taken = escalation.acknowledged.as_ref();
        add("taken on", taken.map(|taken| taken_words(taken, times)));
    }
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

fn taken_words(taken: &Acknowledgement, times: &Times) -> String {
    let by = match &taken.note {
        Some(says) => format!("{} (who says: {says})", taken.by),
        None => taken.by.clone(),
    };
    let when = times.both(&taken.at);
    match taken.reason.trim() {
        "" => format!("by {by}, {when}"),
        reason => format!("by {by}, {when}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mainstay_domain::time::Timestamp;
    use serde_json::json;

    #[test]
    fn what_has_to_stay_healthy_says_since_when_it_is_and_how_long_it_has_to() {
        let now = Timestamp::parse("2026-03-04T11:22:00Z").unwrap();
        let times = Times::at(now, TimeZone::UTC);
        let (since, until) = ("2026-03-04T11:21:40Z", "2026-03-04T11:22:40Z");
        for (closed, until, expected) in [
            (None, None, None),
            (Some(since), Some(until), None),
            (
                None,
                Some(until),
                Some("since 11:21:40, 20 s ago; the incident is over at 11:22:40 if it stays so"),
            ),
        ] {
            let incident: Incident = serde_json::from_value(json!({
                "id": "inc-1", "target": "web", "failure": "down", "severity": "high", "state": "escalated",
                "opened_at": since, "closed_at": closed, "recurrence": 0, "evidence": [], "affected": [],
                "tried_at": since, "relapse_until": until,
            }))
            .unwrap();
            assert_eq!(healthy_again(&incident, &times).as_deref(), expected);
        }
    }
}

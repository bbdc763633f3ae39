//! One incident in full: what the checks saw of it, and the last lines of what failed.

use super::{
    client::Client,
    listings::present,
    output::{Output, now, printable, relative},
};
use mainstay_api::Incident;
use mainstay_domain::id::IncidentId;

pub(super) async fn show(client: &Client, out: &Output, id: &IncidentId) -> anyhow::Result<()> {
    let answer = client.get(&format!("/v1/incidents/{id}")).await?;
    present(out, &answer, show_incident)
}

fn show_incident(out: &Output, incident: Incident) -> anyhow::Result<()> {
    let now = now();
    let time = |time: &str| format!("{time} ({})", relative(time, now));
    let mut facts = vec![
        ("incident", incident.id),
        ("target", incident.target),
        (
            "failure",
            format!("{} ({})", incident.failure, incident.severity),
        ),
        ("state", incident.state.to_string()),
        ("opened", time(&incident.opened_at)),
    ];
    let mut add = |name, text: Option<String>| facts.extend(text.map(|text| (name, text)));
    add("closed", incident.closed_at.as_deref().map(time));
    let exceeded = incident.rto_exceeded_at.as_deref().map(time);
    add("objective", exceeded.map(|when| format!("exceeded {when}")));
    add(
        "escalated",
        incident.escalated.then(|| "to people".to_owned()),
    );
    for seen in &incident.evidence {
        let what = format!("{}: {}", seen.check, printable(&seen.message));
        add("seen", Some(format!("{} {what}", seen.observed_at)));
        let lines = seen.output.iter().flat_map(|output| output.lines());
        for line in lines {
            add("", Some(printable(line)));
        }
    }
    for (name, text) in facts {
        out.line(&format!("{name:<10} {text}"))?;
    }
    Ok(())
}

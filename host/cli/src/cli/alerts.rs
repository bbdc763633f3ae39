//! Test alerts, and those that were sent.

use super::{
    client::{Client, path_with},
    failure::Ending,
    listings::{parse, present, show_event},
    output::{Output, Tone, printable},
};
use mainstay_api::{AlertTestBody, TestedAlert};
use serde_json::Value;
use std::{collections::VecDeque, time::Duration};

/// A receiver has half a minute for its answer; what is longer than that is the daemon's own.
const ANSWERED_WITHIN: Duration = Duration::from_secs(75);

/// Lists the newest alerts that were sent or given up, oldest first: at most so many.
pub(super) async fn history(client: &Client, out: &Output, limit: u16) -> anyhow::Result<Ending> {
    let query = [("since", Some("0".to_owned()))];
    let mut lines = client.get_lines(&path_with("/v1/events", &query)).await?;
    let mut newest = VecDeque::new();
    while let Some(line) = lines.next().await? {
        match kind_of(&line).as_deref() {
            Some("alert.delivered" | "alert.abandoned") => {
                if newest.len() == usize::from(limit) {
                    newest.pop_front();
                }
                newest.push_back(line);
            }
            Some(_) => {}
            // The stream's last line may be an error.
            None => show_event(out, &line)?,
        }
    }
    for line in newest {
        show_event(out, &line)?;
    }
    Ok(Ending::Done)
}

/// The kind of an event; none of what is no event.
fn kind_of(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    Some(event.get("kind")?.as_str()?.to_owned())
}

/// Sends test alerts, and shows what each receiver answered; not done where one did not take it.
pub(super) async fn test(
    client: &Client,
    out: &Output,
    body: &AlertTestBody,
) -> anyhow::Result<Ending> {
    let answer = client
        .post_slow("/v1/alerts/test", body, ANSWERED_WITHIN)
        .await?;
    let tested = parse::<Vec<TestedAlert>>(&answer)?;
    let all_taken = tested.iter().all(|one| one.delivered);
    present(out, &answer, |out, tested: Vec<TestedAlert>| {
        tested.into_iter().try_for_each(|one| {
            let name = printable(&one.alerter);
            let (text, tone) = match one.error {
                Some(error) => (format!("not delivered: {}", printable(&error)), Tone::Bad),
                None => {
                    let by = one.by.as_deref().map(printable).unwrap_or_default();
                    let reference = one.reference.as_deref().map(printable);
                    let reference =
                        reference.map(|reference| format!(", which is {reference} there"));
                    let reference = reference.unwrap_or_default();
                    (format!("delivered by {by}{reference}"), Tone::Good)
                }
            };
            out.line(&format!("{name}: {}", out.paint(&text, tone)))
        })
    })?;
    Ok(match all_taken {
        true => Ending::Done,
        false => Ending::Failed,
    })
}

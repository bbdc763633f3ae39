//! Test alerts, and those that were sent.

use super::{
    arguments::AlertHistoryArguments,
    client::{Client, path_with},
    failure::Ending,
    listings::{parse, present, show_event, time_of},
    output::{Output, Tone, printable},
};
use mainstay_api::{AlertTestBody, Event, TestedAlert};
use std::time::Duration;

/// A receiver has half a minute for its answer; what is longer than that is the daemon's own.
const ANSWERED_WITHIN: Duration = Duration::from_secs(75);

/// Lists the newest alerts that were sent or given up, oldest first.
pub(super) async fn history(
    client: &Client,
    out: &Output,
    arguments: AlertHistoryArguments,
) -> anyhow::Result<()> {
    let query = [
        ("target", arguments.target.map(|target| target.to_string())),
        (
            "alerter",
            arguments.alerter.map(|alerter| alerter.to_string()),
        ),
        ("abandoned", arguments.abandoned.then(|| "true".to_owned())),
        (
            "since",
            arguments.since.map(|since| time_of(since, &out.times)),
        ),
        ("limit", Some(arguments.limit.to_string())),
    ];
    let answer = client.get(&path_with("/v1/alerts/history", &query)).await?;
    for event in parse::<Vec<Event>>(&answer)?.iter().rev() {
        show_event(out, &serde_json::to_string(event)?)?;
    }
    Ok(())
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

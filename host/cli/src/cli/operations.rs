//! What is commanded of recovery: recover, decide, pause; and one operation in full.

use super::{
    arguments::{Decision, Paused},
    client::{Client, path_with},
    failure::Ending,
    identifiers::IdText,
    listings::{parse, present, show_event},
    output::{Output, length},
    records::state_tone,
    story::story,
};
use mainstay_api::{
    DecisionBody, Event, EventKind, Operation, OperationDetail, OperationState, PauseBody,
    PauseReport, RecoverBody, Scheduled,
};
use mainstay_domain::{id::OperationId, time::millis};
use std::time::Duration;

/// Where events do not come, the operation itself is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn show(client: &Client, out: &Output, id: &IdText) -> anyhow::Result<()> {
    let id: OperationId = id.resolve(client).await?;
    let answer = client.get(&format!("/v1/operations/{id}")).await?;
    present(out, &answer, show_operation)
}

fn show_operation(out: &Output, detail: OperationDetail) -> anyhow::Result<()> {
    out.show(&story(&detail, &out.times))
}

/// Schedules an operation; where it is to be waited for, follows it to its end.
pub(super) async fn recover(
    client: &Client,
    out: &Output,
    body: RecoverBody,
    wait: bool,
) -> anyhow::Result<Ending> {
    let before = newest_event(client).await?;
    let answer = client.post("/v1/recover", &body).await?;
    let id = parse::<Scheduled>(&answer)?.operation;
    if !wait && !body.dry_run {
        present(out, &answer, |out, _: Scheduled| {
            out.line(&format!(
                "scheduled {id}; `mainstay operation show {id}` shows it"
            ))
        })?;
        return Ok(Ending::Done);
    }
    let answer = await_end(client, out, &id, body.dry_run, before).await?;
    let succeeded = parse::<Operation>(&answer)?.state == OperationState::Succeeded;
    present(out, &answer, show_operation)?;
    Ok(if succeeded {
        Ending::Done
    } else {
        Ending::Failed
    })
}

pub(super) async fn newest_event(client: &Client) -> anyhow::Result<u64> {
    let mut lines = client.get_lines("/v1/events?limit=1").await?;
    match lines.next().await? {
        Some(line) => Ok(parse::<Event>(&line)?.seq),
        None => Ok(0),
    }
}

/// Shows events until the operation has ended, then gives its record. Polls the record too, in case no events come.
async fn await_end(
    client: &Client,
    out: &Output,
    id: &str,
    dry_run: bool,
    since: u64,
) -> anyhow::Result<String> {
    let query = [
        ("follow", Some("true".to_owned())),
        ("since", Some(since.to_string())),
    ];
    let lines = client.get_lines(&path_with("/v1/events", &query)).await?;
    let mut lines = lines.followed();
    loop {
        match tokio::time::timeout(LOOK_EVERY, lines.next()).await {
            Ok(Ok(Some(line))) => {
                let event = serde_json::from_str::<Event>(&line).ok();
                let Some(event) = event.filter(|event| event.operation.as_deref() == Some(id))
                else {
                    continue;
                };
                if !out.json {
                    show_event(out, &line)?;
                }
                if !is_an_end(event.kind) {
                    continue;
                }
            }
            Ok(Ok(None)) => anyhow::bail!(cut_off(id, dry_run)),
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        let answer = client.get(&format!("/v1/operations/{id}")).await?;
        if parse::<Operation>(&answer)?.state.is_final() {
            return Ok(answer);
        }
    }
}

/// The daemon has stopped before the end of an operation.
fn cut_off(id: &str, dry_run: bool) -> String {
    match dry_run {
        true => format!("the daemon has stopped, and {id} with it: ask for the dry run again"),
        false => format!("the daemon has stopped; {id} goes on when it starts again"),
    }
}

fn is_an_end(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::OperationSucceeded
            | EventKind::OperationPartial
            | EventKind::OperationFailed
            | EventKind::OperationCancelled
    )
}

/// Approves, rejects or cancels, as `verb` says.
pub(super) async fn decide(
    client: &Client,
    out: &Output,
    verb: &str,
    decision: Decision,
) -> anyhow::Result<()> {
    let id: OperationId = decision.id.resolve(client).await?;
    let path = format!("/v1/operations/{id}");
    let revision = match decision.revision {
        // What is approved is what it was a moment ago, and not what somebody else made of it meanwhile. A running one may
        // be cancelled at whichever revision it is.
        None if verb != "cancel" => {
            let now = parse::<OperationDetail>(&client.get(&path).await?)?;
            Some(now.operation.revision)
        }
        given => given,
    };
    let body = DecisionBody {
        revision,
        by: decision.by.by,
        reason: decision.reason,
    };
    let answer = client.post(&format!("{path}/{verb}"), &body).await?;
    present(out, &answer, |out, operation: Operation| {
        let state = out.paint(&operation.state.to_string(), state_tone(operation.state));
        let note = match verb {
            "cancel" if !operation.state.is_final() => {
                "; it ends after the call that runs now, which is not cut off"
            }
            _ => "",
        };
        out.line(&format!(
            "{} of {} is {state}{note}",
            operation.id, operation.target
        ))
    })
}

/// For how long is paused, and why.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// None: until `resume`.
    pub(super) length: Option<Duration>,
    pub(super) reason: String,
}

/// Pauses or, with none, resumes.
pub(super) async fn set_paused(
    client: &Client,
    out: &Output,
    paused: Paused,
    pause: Option<Pause>,
) -> anyhow::Result<()> {
    let is_pause = pause.is_some();
    let verb = if is_pause { "pause" } else { "resume" };
    let Pause {
        length: pause_length,
        reason,
    } = pause.unwrap_or_default();
    let target = paused.target.map(|target| target.to_string());
    let body = PauseBody {
        target: target.clone(),
        for_ms: pause_length.map(millis),
        reason,
        by: paused.by.by,
    };
    client.post(&format!("/v1/{verb}"), &body).await?;
    if out.json {
        let paused = is_pause;
        return out.json_line(&PauseReport { target, paused });
    }
    let what = target.as_deref().unwrap_or("the host");
    let how_long = pause_length.map(|time| format!(" for {}", length(time)));
    let how_long = how_long.unwrap_or_default();
    out.line(&format!("{verb}d automatic recovery of {what}{how_long}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next daemon goes on with a recovery, and with no dry run.
    #[test]
    fn what_a_stopped_daemon_leaves_is_said_as_it_is() {
        let said = [false, true].map(|dry_run| cut_off("op-1", dry_run));
        assert_eq!(
            said,
            [
                "the daemon has stopped; op-1 goes on when it starts again",
                "the daemon has stopped, and op-1 with it: ask for the dry run again",
            ]
        );
    }
}

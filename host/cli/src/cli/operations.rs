//! What is commanded of recovery: recover, decide, pause; and one operation in full.
//!
//! Length: the story of an operation and all that people decide about one.

use super::{
    arguments::{Decision, Paused, ResolveArguments, SignalArguments},
    client::{Client, path_with},
    failure::Ending,
    identifiers::IdText,
    listings::{parse, present, show_event},
    output::{Output, Times, length},
    records::state_tone,
    story::story,
};
use anyhow::Context;
use mainstay_api::{
    DecisionBody, Event, EventKind, Operation, OperationDetail, OperationState, PauseBody,
    PauseReport, RecoverBody, ResolveBody, Scheduled, SignalBody, Status,
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
                "; it ends with the attempt that runs now: its call is not cut off, and what that did is looked at"
            }
            _ => "",
        };
        out.line(&format!(
            "{} of {} is {state}{note}",
            operation.id, operation.target
        ))
    })
}

/// Says whether an effect in doubt happened.
pub(super) async fn resolve(
    client: &Client,
    out: &Output,
    arguments: ResolveArguments,
) -> anyhow::Result<()> {
    let id: OperationId = arguments.id.resolve(client).await?;
    let answer = match &arguments.answer {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let answer = serde_json::from_str(&text)
                .with_context(|| format!("{} holds no JSON", file.display()))?;
            Some(answer)
        }
    };
    let body = ResolveBody {
        number: arguments.number,
        happened: arguments.happened,
        answer,
        by: arguments.by.by,
    };
    let path = format!("/v1/operations/{id}/resolve");
    let answer = client.post(&path, &body).await?;
    present(out, &answer, |out, operation: Operation| {
        let state = out.paint(&operation.state.to_string(), state_tone(operation.state));
        out.line(&format!(
            "{} of {} is {state}, and its call goes on",
            operation.id, operation.target
        ))
    })
}

/// Signals to the handler of an operation.
pub(super) async fn signal(
    client: &Client,
    out: &Output,
    arguments: SignalArguments,
) -> anyhow::Result<()> {
    let id: OperationId = arguments.id.resolve(client).await?;
    let name = arguments.name.to_string();
    let body = SignalBody {
        name: name.clone(),
        value: arguments.value,
        by: arguments.by.by,
    };
    let path = format!("/v1/operations/{id}/signal");
    let answer = client.post(&path, &body).await?;
    present(out, &answer, |out, operation: Operation| {
        let state = out.paint(&operation.state.to_string(), state_tone(operation.state));
        out.line(&format!(
            "{} of {} is {state}, and has the signal `{name}`",
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
    // What it replaces is not seen any more after it.
    let before = match out.json {
        true => None,
        false => Some(parse::<Status>(&client.get("/v1/status").await?)?),
    };
    client.post(&format!("/v1/{verb}"), &body).await?;
    if out.json {
        let paused = is_pause;
        return out.json_line(&PauseReport { target, paused });
    }
    let said = match is_pause {
        true => paused_words(target.as_deref(), pause_length, before.as_ref(), &out.times),
        false => resumed_words(target.as_deref(), before.as_ref()),
    };
    out.line(&said)
}

/// Whether the host, or a target, was paused, and until when.
fn pause_before<'a>(target: Option<&str>, before: &'a Status) -> (bool, Option<&'a str>) {
    let host = &before.host;
    let Some(target) = target else {
        return (host.paused, host.paused_until.as_deref());
    };
    let mut rows = before.targets.iter();
    let row = rows.find(|row| row.name == target);
    row.map_or((false, None), |row| {
        (row.paused, row.paused_until.as_deref())
    })
}

/// What was paused, and which pause that ended.
fn paused_words(
    target: Option<&str>,
    pause_length: Option<Duration>,
    before: Option<&Status>,
    times: &Times,
) -> String {
    let what = target.unwrap_or("the host");
    let how_long = pause_length.map(|time| format!(" for {}", length(time)));
    let how_long = how_long.unwrap_or_default();
    let replaced = match before.map(|before| pause_before(target, before)) {
        Some((true, Some(until))) => format!(", in place of the pause until {}", times.both(until)),
        Some((true, None)) => ", in place of a pause without an end".to_owned(),
        Some((false, _)) | None => String::new(),
    };
    format!("paused automatic recovery of {what}{how_long}{replaced}")
}

/// What was resumed, if anything was.
fn resumed_words(target: Option<&str>, before: Option<&Status>) -> String {
    let what = target.unwrap_or("the host");
    let Some(before) = before else {
        return format!("resumed automatic recovery of {what}");
    };
    let mut rows = before.targets.iter();
    let is_taken_up = |waits: &String| waits.contains("mainstay resume");
    let waits = rows.any(|row| {
        Some(row.name.as_str()) == target && row.waits.as_ref().is_some_and(is_taken_up)
    });
    if waits || pause_before(target, before).0 {
        return format!("resumed automatic recovery of {what}");
    }
    let others: Vec<&str> = match target {
        Some(_) if before.host.paused => vec!["that of the host is: `mainstay resume`"],
        Some(_) => Vec::new(),
        None => {
            let paused = before.targets.iter().filter(|row| row.paused);
            paused.map(|row| row.name.as_str()).collect()
        }
    };
    let others = match (target, others.as_slice()) {
        (_, []) => String::new(),
        (Some(_), others) => format!("; {}", others.join(", ")),
        (None, names) => format!(
            "; that of {} is: `mainstay resume TARGET`",
            names.join(", ")
        ),
    };
    format!("automatic recovery of {what} was not paused{others}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mainstay_domain::time::Timestamp;
    use serde_json::{Value, json};

    /// The host and `web` are paused so, until then.
    fn paused(host: (bool, Value), web: (bool, Value)) -> Status {
        serde_json::from_value(json!({
            "host": {
                "name": "db1", "version": "0.1.0", "phase": "normal", "started_at": "2026-03-01T08:00:00Z",
                "contract_versions": ["1.0.0"], "config_digest": "00", "paused": host.0, "paused_until": host.1,
            },
            "targets": [{
                "name": "web", "health": "healthy", "circuit": "closed", "incident": null, "operation": null,
                "priority": 5, "paused": web.0, "paused_until": web.1, "pid": null, "restarts": 0,
            }],
            "plugins": [], "jobs": [], "last_reload": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_pause_says_which_one_it_replaces() {
        let now = Timestamp::parse("2026-03-04T11:00:00Z").unwrap();
        let times = Times::at(now, TimeZone::UTC);
        let no = || (false, Value::Null);
        let until = || (true, json!("2026-03-04T13:00:00Z"));
        let hour = Some(Duration::from_secs(7_200));
        for (target, how_long, before, expected) in [
            (
                None,
                None,
                paused(no(), until()),
                "paused automatic recovery of the host",
            ),
            (
                None,
                None,
                paused(until(), no()),
                "paused automatic recovery of the host, in place of the pause until 13:00:00, in 2 h",
            ),
            (
                Some("web"),
                hour,
                paused(until(), (true, Value::Null)),
                "paused automatic recovery of web for 2 h, in place of a pause without an end",
            ),
        ] {
            let said = paused_words(target, how_long, Some(&before), &times);
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn what_was_not_paused_is_not_said_to_be_resumed() {
        let no = || (false, Value::Null);
        let yes = || (true, Value::Null);
        for (target, before, expected) in [
            (
                None,
                paused(no(), no()),
                "automatic recovery of the host was not paused",
            ),
            (
                None,
                paused(no(), yes()),
                "automatic recovery of the host was not paused; that of web is: `mainstay resume TARGET`",
            ),
            (
                Some("web"),
                paused(yes(), no()),
                "automatic recovery of web was not paused; that of the host is: `mainstay resume`",
            ),
            (
                Some("web"),
                paused(no(), yes()),
                "resumed automatic recovery of web",
            ),
            (
                None,
                paused(yes(), no()),
                "resumed automatic recovery of the host",
            ),
        ] {
            assert_eq!(resumed_words(target, Some(&before)), expected);
        }
    }

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

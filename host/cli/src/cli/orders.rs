//! What is commanded about targets and plugins: start, stop, restart, a look at once, a report, a heartbeat, forgetting a
//! plugin.

use super::{
    arguments::{ReportArguments, TargetArguments},
    client::{Client, path_with},
    exit_codes::of_probe,
    failure::{Ending, tell},
    listings::{parse, present, show_event},
    operations::newest_event,
    output::{Output, Tone, cell, maybe},
    status::health_tone,
};
use mainstay_api::{
    Commanded, Event, EventKind, ForgetPluginBody, ForgottenPlugin, ProbeReport, ReportBody,
    ReportedFailure, TargetBody,
};
use mainstay_domain::name::{PluginName, TargetName};
use semver::Version;

/// A command to a target: its word in the API, and the event that says what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TargetCommand {
    word: &'static str,
    end: EventKind,
}

/// `start`
pub(super) const START: TargetCommand = TargetCommand {
    word: "start",
    end: EventKind::TargetStarted,
};
/// `stop`
pub(super) const STOP: TargetCommand = TargetCommand {
    word: "stop",
    end: EventKind::TargetStopped,
};
/// `restart`
pub(super) const RESTART: TargetCommand = TargetCommand {
    word: "restart",
    end: EventKind::TargetRestarted,
};

/// `reload`
pub(super) const RELOAD: TargetCommand = TargetCommand {
    word: "reload",
    end: EventKind::TargetReloaded,
};

/// Has targets started, stopped, restarted or reloaded; where it is to be waited for, shows what came of it. What cannot be
/// done to one of several is told, and does not keep the others from it.
pub(super) async fn command(
    client: &Client,
    out: &Output,
    command: TargetCommand,
    arguments: TargetArguments,
) -> anyhow::Result<Ending> {
    let word = command.word;
    let is_one = arguments.targets.len() == 1;
    let before = newest_event(client).await?;
    let body = TargetBody {
        by: arguments.by.by,
        reason: arguments.reason,
    };
    let mut ending = Ending::Done;
    let mut under_way = Vec::new();
    for target in &arguments.targets {
        let path = format!("/v1/targets/{target}/{word}");
        match client.post(&path, &body).await {
            Ok(answer) if arguments.wait => {
                under_way.push(target);
                // For programs it is in the event that says what came of it.
                if !out.json {
                    tell_dependents(out, word, &parse::<Commanded>(&answer)?)?;
                }
            }
            Ok(answer) => present(out, &answer, |out, commanded: Commanded| {
                out.line(&format!(
                    "{word} of {target} is under way{}; `mainstay events` says what comes of it",
                    dependents(&commanded.dependents)
                ))
            })?,
            Err(error) if is_one => return Err(error),
            Err(error) => {
                tell(&error, out.json);
                ending = Ending::Failed;
            }
        }
    }
    for target in under_way {
        if await_end(client, out, command.end, target, before).await? != Ending::Done {
            ending = Ending::Failed;
        }
    }
    Ok(ending)
}

/// Runs the checks of a target now, and shows what each saw; not done where one is not healthy.
pub(super) async fn probe(
    client: &Client,
    out: &Output,
    target: &TargetName,
    exit_code: bool,
) -> anyhow::Result<Ending> {
    let path = format!("/v1/targets/{target}/check");
    let answer = client.post(&path, &serde_json::json!({})).await?;
    let report = parse::<ProbeReport>(&answer)?;
    let ending = match report.healthy {
        _ if exit_code => Ending::Monitored(of_probe(&report)),
        true => Ending::Done,
        false => Ending::Failed,
    };
    present(out, &answer, |out, report: ProbeReport| {
        let rows = report.checks.into_iter().map(|check| {
            let tone = check.outcome.map_or(Tone::Warn, health_tone);
            vec![
                cell(&check.check, Tone::Plain),
                cell(
                    check
                        .outcome
                        .map_or("nothing yet".to_owned(), |outcome| outcome.to_string()),
                    tone,
                ),
                cell(format!("{:.1} ms", check.elapsed_ms), Tone::Plain),
                maybe(check.message),
            ]
        });
        let headings = ["CHECK", "OUTCOME", "TOOK", "WHAT IT SAW"];
        out.table(&headings, rows.collect(), "the target has no checks")
    })?;
    Ok(ending)
}

/// Reports a failure of a target, or clears it.
pub(super) async fn report(
    client: &Client,
    out: &Output,
    arguments: ReportArguments,
) -> anyhow::Result<()> {
    let lasts = arguments.lasts.map(|lasts| lasts.as_millis());
    let body = ReportBody {
        failure: arguments.failure.to_string(),
        severity: arguments.severity,
        score: arguments.score,
        confidence: arguments.confidence,
        message: arguments.message,
        for_ms: lasts.map(|lasts| u64::try_from(lasts).unwrap_or(u64::MAX)),
        clear: arguments.clear,
        by: arguments.by.by,
    };
    let path = format!("/v1/targets/{}/report", arguments.target);
    let answer = client.post(&path, &body).await?;
    present(out, &answer, |out, report: ReportedFailure| {
        let ReportedFailure {
            target,
            failure,
            severity,
            ..
        } = report;
        out.line(&match (report.cleared, report.until) {
            (true, _) => format!("{failure} of {target} is not reported any more"),
            (false, Some(until)) => {
                let until = out.times.both(&until);
                format!(
                    "{failure} of {target}, {severity}, holds until {until}, or until it is cleared"
                )
            }
            (false, None) => {
                format!("{failure} of {target}, {severity}, holds until it is cleared")
            }
        })
    })
}

/// What depends on a target that a command is under way for, where something does: it goes on meanwhile.
fn tell_dependents(out: &Output, word: &str, commanded: &Commanded) -> anyhow::Result<()> {
    match dependents(&commanded.dependents).as_str() {
        "" => Ok(()),
        dependents => out.line(&format!(
            "{word} of {} is under way{dependents}",
            commanded.target
        )),
    }
}

fn dependents(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("; {one} depends on it"),
        several => format!("; {} depend on it", several.join(", ")),
    }
}

/// Waits for the event that says what came of it, and shows it.
pub(super) async fn await_end(
    client: &Client,
    out: &Output,
    end: EventKind,
    target: &TargetName,
    since: u64,
) -> anyhow::Result<Ending> {
    let query = [
        ("follow", Some("true".to_owned())),
        ("since", Some(since.to_string())),
    ];
    let lines = client.get_lines(&path_with("/v1/events", &query)).await?;
    let mut lines = lines.followed();
    while let Some(line) = lines.next().await? {
        // A kind that this program does not know is not the one that it waits for.
        let Ok(event) = parse::<Event>(&line) else {
            continue;
        };
        if event.kind != end || event.target.as_deref() != Some(target.as_str()) {
            continue;
        }
        show_event(out, &line)?;
        let outcome = event.data.get("outcome");
        return Ok(match outcome.is_some_and(|outcome| *outcome == "done") {
            true => Ending::Done,
            false => Ending::Failed,
        });
    }
    anyhow::bail!("the daemon has stopped before it said what came of that")
}

/// Lets other bytes go by a plugin's name and version.
pub(super) async fn forget_plugin(
    client: &Client,
    out: &Output,
    name: &PluginName,
    version: &Version,
    by: String,
) -> anyhow::Result<()> {
    let (name, version) = (name.to_string(), version.to_string());
    let body = ForgetPluginBody {
        name: name.clone(),
        version: version.clone(),
        by,
    };
    client.post("/v1/plugins/forget", &body).await?;
    if out.json {
        return out.json_line(&ForgottenPlugin { name, version });
    }
    out.line(&format!(
        "{name}@{version} may be other bytes now; `mainstay plugin list` shows what serves"
    ))
}

/// Reports that a target is alive; says nothing, for it stands in scripts.
pub(super) async fn heartbeat(client: &Client, target: &TargetName) -> anyhow::Result<()> {
    let path = format!("/v1/heartbeat/{target}");
    client.post(&path, &serde_json::json!({})).await?;
    Ok(())
}

//! What the daemon sees now: `status`, and the plugins alone.

use super::{
    client::Client,
    listings::present,
    output::{Output, Tone, cell, maybe, now, printable, relative},
};
use comfy_table::Cell;
use mainstay_api::{
    CircuitState, Health, JobRow, OpenWindow, PluginInstance, PluginRow, PluginState, ReloadRow,
    Silence, Status, TargetRow,
};
use mainstay_domain::time::Timestamp;

pub(super) async fn status(client: &Client, out: &Output) -> anyhow::Result<()> {
    present(out, &client.get("/v1/status").await?, show_status)
}

fn show_status(out: &Output, status: Status) -> anyhow::Result<()> {
    let (host, now) = (status.host, now());
    let paused = match (host.paused, &host.paused_until) {
        (false, _) => String::new(),
        (true, None) => "  PAUSED".to_owned(),
        (true, Some(until)) => format!("  PAUSED, ends {}", relative(until, now)),
    };
    out.line(&format!(
        "{}  mainstay {}  phase {}  started {}  contract {}{}",
        host.name,
        host.version,
        host.phase,
        relative(&host.started_at, now),
        host.contract_versions.join(", "),
        out.paint(&paused, Tone::Warn),
    ))?;
    if let Some(reload) = status.last_reload {
        show_reload(out, reload, now)?;
    }
    for left in &status.unhandled_routes {
        out.line(&out.paint(&printable(left), Tone::Bad))?;
    }
    show_quiet(out, &status.silences, &status.maintenance, now)?;
    out.line("")?;
    show_targets(out, status.targets, now)?;
    out.line("")?;
    show_plugins(out, status.plugins)?;
    out.line("")?;
    show_jobs(out, status.jobs, now)
}

/// What people do not hear of now, and what is not done.
fn show_quiet(
    out: &Output,
    silences: &[Silence],
    windows: &[OpenWindow],
    now: Timestamp,
) -> anyhow::Result<()> {
    for window in windows {
        let targets = match window.targets.as_slice() {
            [] => "the whole host".to_owned(),
            targets => targets.join(", "),
        };
        let alerts = window.holds_alerts.then_some("alerts are held back");
        let recovery = window.pauses_recovery.then_some("recovery is paused");
        let what: Vec<&str> = alerts.into_iter().chain(recovery).collect();
        let (what, ends) = (what.join(", "), relative(&window.until, now));
        let text = printable(&format!("maintenance of {targets} ({what}), ends {ends}"));
        out.line(&out.paint(&text, Tone::Warn))?;
    }
    for silence in silences.iter().take(SILENCES) {
        let of = silence.target.as_ref().or(silence.alert.as_ref());
        let Silence { by, reason, .. } = silence;
        let text = format!(
            "silence of {} by {by} ({reason}), ends {}",
            of.map_or("-", String::as_str),
            relative(&silence.until, now)
        );
        out.line(&out.paint(&printable(&text), Tone::Warn))?;
    }
    match silences.len().saturating_sub(SILENCES) {
        0 => Ok(()),
        more => out.line(&format!(
            "… and {more} more silences; `mainstay silences` lists them"
        )),
    }
}

/// So many silences are shown.
const SILENCES: usize = 5;

fn show_reload(out: &Output, reload: ReloadRow, now: Timestamp) -> anyhow::Result<()> {
    let when = relative(&reload.at, now);
    let say =
        |text: &str, tone| out.line(&format!("last reload {when}  {}", out.paint(text, tone)));
    let reasons = match reload.error {
        Some(error) if !reload.ok => reasons(&error),
        _ => return say("applied", Tone::Good),
    };
    if let [only] = reasons.as_slice() {
        return say(&format!("refused: {}", printable(only)), Tone::Bad);
    }
    let text = format!(
        "refused for {} reasons; `mainstay check` shows all",
        reasons.len()
    );
    say(&text, Tone::Bad)?;
    for reason in reasons.iter().take(REASONS) {
        out.line(&format!("  {}", printable(reason)))?;
    }
    match reasons.len().saturating_sub(REASONS) {
        0 => Ok(()),
        more => out.line(&format!("  … and {more} more")),
    }
}

/// So many reasons of a refusal are shown.
const REASONS: usize = 3;

/// Why a config was refused: of rendered problems each error with its place, else each line.
fn reasons(error: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut lines = error.lines();
    while let Some(line) = lines.next() {
        if let Some(message) = line.strip_prefix("error: ") {
            let place = lines.clone().next().map(str::trim_start);
            let place = place.and_then(|line| line.strip_prefix("--> "));
            reasons.push(match place {
                Some(place) => format!("{place}: {message}"),
                None => message.to_owned(),
            });
        }
    }
    match reasons.is_empty() {
        true => error.lines().map(str::to_owned).collect(),
        false => reasons,
    }
}

fn show_targets(out: &Output, targets: Vec<TargetRow>, now: Timestamp) -> anyhow::Result<()> {
    let rows = targets.into_iter().map(|target| {
        let until = target.paused_until.as_ref();
        let until = until.map(|until| format!(", ends {}", relative(until, now)));
        let paused = target
            .paused
            .then(|| format!("paused{}", until.unwrap_or_default()));
        let unseen = target.unseen.as_ref();
        let unseen = unseen.map(|unseen| format!("cannot look: {}", printable(&unseen.why)));
        let waits = target.waits.as_deref().map(printable);
        let stopped = target.stopped.as_deref().map(printable);
        let completed = target.completed.then(|| "completed".to_owned());
        let notes = stopped
            .into_iter()
            .chain(completed)
            .chain(paused)
            .chain(unseen)
            .chain(waits);
        let notes: Vec<String> = notes.collect();
        let health = match notes.as_slice() {
            [] => target.health.to_string(),
            notes => format!("{} ({})", target.health, notes.join("; ")),
        };
        vec![
            cell(&target.name, Tone::Plain),
            cell(health, health_tone(target.health)),
            cell(target.circuit, circuit_tone(target.circuit)),
            maybe(target.incident),
            maybe(target.operation),
            maybe(
                target
                    .rests
                    .map(|rest| format!("{} ({})", relative(&rest.until, now), rest.why)),
            ),
            cell(target.priority, Tone::Plain),
            maybe(target.pid),
            cell(target.restarts, Tone::Plain),
        ]
    });
    let headings = [
        "TARGET",
        "HEALTH",
        "CIRCUIT",
        "INCIDENT",
        "OPERATION",
        "RESTS",
        "PRIORITY",
        "PID",
        "RESTARTS",
    ];
    out.table(&headings, rows.collect(), "no targets are configured")
}

fn show_jobs(out: &Output, jobs: Vec<JobRow>, now: Timestamp) -> anyhow::Result<()> {
    let rows = jobs.into_iter().map(|job| {
        let rpo = match job.rpo_met {
            Some(true) => cell("met", Tone::Good),
            Some(false) => cell("missed", Tone::Bad),
            None => cell("-", Tone::Plain),
        };
        vec![
            cell(&job.name, Tone::Plain),
            maybe(job.last_verified.map(|time| relative(&time, now))),
            maybe(job.last_status),
            maybe(
                job.waits
                    .or_else(|| job.next_due.map(|time| relative(&time, now))),
            ),
            rpo,
        ]
    });
    let headings = ["JOB", "LAST VERIFIED", "LAST STATUS", "NEXT DUE", "RPO"];
    out.table(&headings, rows.collect(), "no backup jobs are configured")
}

pub(super) fn health_tone(health: Health) -> Tone {
    match health {
        Health::Unknown | Health::Starting => Tone::Plain,
        Health::Healthy => Tone::Good,
        Health::Degraded => Tone::Warn,
        Health::Failed => Tone::Bad,
    }
}

fn circuit_tone(circuit: CircuitState) -> Tone {
    match circuit {
        CircuitState::Closed => Tone::Plain,
        CircuitState::HalfOpen => Tone::Warn,
        CircuitState::Open => Tone::Bad,
    }
}

pub(super) async fn plugins(client: &Client, out: &Output) -> anyhow::Result<()> {
    present(out, &client.get("/v1/plugins").await?, show_plugins)
}

fn show_plugins(out: &Output, rows: Vec<PluginRow>) -> anyhow::Result<()> {
    let rows = rows.into_iter().flat_map(|row| {
        let instances: Vec<_> = row.instances.iter().map(instance_cells).collect();
        let (state, tone) = match row.state {
            _ if row.quarantined => ("quarantined".to_owned(), Tone::Bad),
            PluginState::Serving => (row.state.to_string(), Tone::Good),
            PluginState::Rejected => (row.state.to_string(), Tone::Bad),
            PluginState::Found | PluginState::Draining | PluginState::Retired => {
                (row.state.to_string(), Tone::Plain)
            }
        };
        let own = vec![
            maybe(row.name.or(row.file)),
            maybe(row.version),
            maybe(row.kind),
            cell(state, tone),
            cell(row.calls, Tone::Plain),
            failures_cell(row.failures),
            cell(row.serves.join(" "), Tone::Plain),
            maybe(row.last_error),
        ];
        std::iter::once(own).chain(instances)
    });
    let headings = [
        "PLUGIN",
        "VERSION",
        "KIND",
        "STATE",
        "CALLS",
        "FAILURES",
        "SERVES",
        "LAST ERROR",
    ];
    out.table(&headings, rows.collect(), "no plugins were found")
}

/// A plugin by another name, below its own row.
fn instance_cells(instance: &PluginInstance) -> Vec<Cell> {
    let (state, tone) = match instance.quarantined {
        true => ("quarantined", Tone::Bad),
        false => ("-", Tone::Plain),
    };
    vec![
        cell(format!("└ {}", instance.name), Tone::Plain),
        cell("-", Tone::Plain),
        cell("-", Tone::Plain),
        cell(state, tone),
        cell(instance.calls, Tone::Plain),
        failures_cell(instance.failures),
        cell("", Tone::Plain),
        maybe(instance.last_error.as_ref()),
    ]
}

fn failures_cell(failures: u64) -> Cell {
    let tone = match failures {
        0 => Tone::Plain,
        _ => Tone::Warn,
    };
    cell(failures, tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_config_is_its_errors_with_their_places() {
        let rendered = "warning: backups of this job are stored unencrypted\n --> a.toml:2:1\n  |\n2 | [[job]]\n  | ^^^^^^^\n  |\n  \
                        = help: write it\n\nerror: unknown key `x` in [host]\n  --> a.toml:12:1\n   |\n12 | x = 1\n   | ^\n   |\n   = \
                        help: remove it\n\nerror: cannot read the config: no\n --> conf.d/b.toml\n  |\n  = help: make it readable";
        for (error, expected) in [
            (
                rendered,
                vec![
                    "a.toml:12:1: unknown key `x` in [host]",
                    "conf.d/b.toml: cannot read the config: no",
                ],
            ),
            ("error: alone", vec!["alone"]),
            ("host.api changed", vec!["host.api changed"]),
            (
                "secret `a`: no\nsecret `b`: no",
                vec!["secret `a`: no", "secret `b`: no"],
            ),
        ] {
            assert_eq!(reasons(error), expected);
        }
    }
}

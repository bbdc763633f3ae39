//! The daemon's plugins.

use crate::cli::{
    client::Client,
    listings::present,
    output::{Block, Cell, Output, Table, Tone, cell, maybe, printable},
};
use mainstay_api::{PluginInstance, PluginKind, PluginRow, PluginState};
use mainstay_domain::{plugin::contested, text::list};

/// Lists plugins; those that only finish their calls or are freed only where all are wanted.
pub(in crate::cli) async fn plugins(
    client: &Client,
    out: &Output,
    all: bool,
) -> anyhow::Result<()> {
    present(
        out,
        &client.get("/v1/plugins").await?,
        |out, rows: Vec<PluginRow>| {
            let mut blocks = plugins_view(&rows, all);
            let told = rivals(&rows).into_iter();
            blocks.extend(told.map(|text| Block::text(text, Tone::Warn)));
            out.show(&blocks)
        },
    )
}

/// The failures that several handlers that serve are meant for, a line each: the routes say which of them is called.
fn rivals(rows: &[PluginRow]) -> Vec<String> {
    let is_handler = |row: &&PluginRow| {
        let handles = matches!(
            row.kind,
            Some(PluginKind::RecoveryHandler | PluginKind::DurableRecoveryHandler)
        );
        handles && row.state == PluginState::Serving
    };
    let handled = rows.iter().filter(is_handler).flat_map(|row| {
        let failures = row.serves.iter();
        failures.filter_map(move |failure| Some((failure.as_str(), row.name.as_deref()?)))
    });
    let contested = contested(handled).into_iter();
    contested
        .map(|(failure, plugins)| {
            format!(
                "{} are meant for {failure}: the routes say which is called",
                list(plugins, "none")
            )
        })
        .collect()
}

/// Those that somebody has to look at first; the retired ones only counted where not all are wanted.
pub(in crate::cli) fn plugins_view(rows: &[PluginRow], all: bool) -> Vec<Block> {
    let mut shown: Vec<&PluginRow> = rows.iter().filter(|row| all || !is_retired(row)).collect();
    // Those alike stay as they came.
    shown.sort_by_key(|row| !is_troubled(row));
    let retired = rows.len() - shown.len();
    let mut blocks = vec![Block::Table(plugin_table(&shown))];
    blocks.extend(shown.iter().filter_map(|row| why_unused(row)));
    if retired > 0 {
        let text = format!("{retired} retired; `mainstay plugin list --all` lists them");
        blocks.push(Block::text(text, Tone::Plain));
    }
    blocks
}

/// In `status`: those that somebody has to look at, and how many others there are; or all.
pub(super) fn plugin_blocks(plugins: &[PluginRow], all: bool) -> Vec<Block> {
    let shown = plugins.iter().filter(|row| all || is_troubled(row));
    let shown: Vec<_> = shown.collect();
    let mut blocks = Vec::new();
    if !shown.is_empty() {
        blocks.push(Block::Table(plugin_table(&shown)));
        blocks.push(Block::Gap);
    }
    if all {
        return blocks;
    }
    let serves = |row: &&PluginRow| row.state == PluginState::Serving && !is_troubled(row);
    let serving = plugins.iter().filter(serves).count();
    let retired = plugins.iter().filter(|row| is_retired(row)).count();
    let text = match (plugins.len(), retired) {
        (0, _) => "plugins: none were found".to_owned(),
        (_, 0) => format!("plugins: {serving} serving; `mainstay plugin list` lists them"),
        _ => format!(
            "plugins: {serving} serving, {retired} retired; `mainstay plugin list --all` lists them"
        ),
    };
    blocks.push(Block::text(text, Tone::Plain));
    blocks
}

/// Whether somebody has to look at it, be it by one of its names. A version that was taken out of service needs nobody,
/// whatever it did.
pub(super) fn is_troubled(row: &PluginRow) -> bool {
    let is_called = !matches!(row.state, PluginState::Draining | PluginState::Retired);
    let is_quarantined =
        is_called && (row.quarantined || row.instances.iter().any(|one| one.quarantined));
    is_quarantined || row.state == PluginState::Rejected
}

/// Whether it is of the past.
pub(super) fn is_retired(row: &PluginRow) -> bool {
    row.state == PluginState::Retired
}

pub(super) fn plugin_table(rows: &[&PluginRow]) -> Table {
    let rows = rows.iter().flat_map(|row| {
        let instances = row.instances.iter().map(instance_row);
        std::iter::once(plugin_row(row)).chain(instances)
    });
    let rows = rows.collect();
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
    Table::new(&headings, rows, "no plugins were found").led_by(&[0, 1, 3])
}

fn plugin_row(row: &PluginRow) -> Vec<Cell> {
    let (state, tone) = match row.state {
        _ if row.quarantined => ("quarantined".to_owned(), Tone::Bad),
        PluginState::Serving => (row.state.to_string(), Tone::Good),
        PluginState::Rejected => (row.state.to_string(), Tone::Bad),
        PluginState::Found | PluginState::Draining | PluginState::Retired | PluginState::Unused => {
            (row.state.to_string(), Tone::Plain)
        }
    };
    vec![
        maybe(row.name.as_ref().or(row.file.as_ref())),
        maybe(row.version.as_ref()),
        maybe(row.kind),
        cell(state, tone),
        cell(row.calls, Tone::Plain),
        failures_cell(row.failures),
        maybe((!row.serves.is_empty()).then(|| row.serves.join(" "))),
        // That nothing names it is no error.
        maybe(
            row.last_error
                .as_ref()
                .filter(|_| row.state != PluginState::Unused),
        ),
    ]
}

/// Why a plugin lies there and serves nothing, and what would have it serve.
fn why_unused(row: &PluginRow) -> Option<Block> {
    let is_unused = row.state == PluginState::Unused;
    let why = row.last_error.as_deref().filter(|_| is_unused)?;
    let name = row.name.as_ref().or(row.file.as_ref());
    let name = name.map(String::as_str).unwrap_or_default();
    let text = format!("{}: {}", printable(name), printable(why));
    Some(Block::text(text, Tone::Plain))
}

/// A plugin by another name, below its own row.
fn instance_row(instance: &PluginInstance) -> Vec<Cell> {
    let state = match instance.quarantined {
        true => cell("quarantined", Tone::Bad),
        false => cell("-", Tone::Plain),
    };
    vec![
        cell(format!("└ {}", instance.name), Tone::Plain),
        cell("-", Tone::Plain),
        cell("-", Tone::Plain),
        state,
        cell(instance.calls, Tone::Plain),
        failures_cell(instance.failures),
        cell("-", Tone::Plain),
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
    fn two_plugins_for_a_failure_are_told_and_two_versions_or_one_that_looks_are_not() {
        let row = |name: &str, version: &str, kind: &str, state: &str| -> PluginRow {
            serde_json::from_value(serde_json::json!({
                "name": name, "version": version, "kind": kind, "state": state, "contract": "1.0.0", "file": null,
                "digest": "ab", "serves": ["redis-down"], "calls": 0, "failures": 0, "last_error": null,
                "quarantined": false, "instances": []
            }))
            .unwrap()
        };
        let (handler, durable) = ("recovery-handler", "durable-recovery-handler");
        let one = || row("warms", "1.0.0", handler, "serving");
        for (other, is_told) in [
            (row("warms", "1.1.0", handler, "serving"), false),
            (row("looks", "1.0.0", "detector", "serving"), false),
            (row("refills", "1.0.0", durable, "retired"), false),
            (row("refills", "1.0.0", durable, "serving"), true),
        ] {
            let expected = match is_told {
                true => {
                    vec!["refills, warms are meant for redis-down: the routes say which is called"]
                }
                false => Vec::new(),
            };
            assert_eq!(rivals(&[one(), other.clone()]), expected, "{other:?}");
        }
    }

    #[test]
    fn that_nothing_names_a_plugin_is_no_error_and_stands_below_the_table() {
        use crate::cli::layout::{Style, lay_out};
        let why = "not in use: add [plugin.log-file]";
        let row: PluginRow = serde_json::from_value(serde_json::json!({
            "name": "log-file", "version": "1.0.0", "kind": "alerter", "state": "unused", "contract": "1.0.0",
            "file": null, "digest": "ab", "serves": [], "calls": 0, "failures": 0, "last_error": why,
            "quarantined": false, "instances": []
        }))
        .unwrap();
        let style = Style {
            width: None,
            colour: false,
        };
        let table = lay_out(&plugin_blocks(std::slice::from_ref(&row), true), style).join("\n");
        assert!(table.contains("unused") && !table.contains(why), "{table}");
        let list = lay_out(&plugins_view(&[row], false), style);
        assert_eq!(list.last().unwrap(), &format!("log-file: {why}"));
    }

    #[test]
    fn a_version_that_was_taken_out_of_service_needs_nobody() {
        for (state, quarantined, expected) in [
            ("serving", true, true),
            ("serving", false, false),
            ("rejected", false, true),
            ("draining", true, false),
            ("retired", true, false),
            ("unused", false, false),
        ] {
            let row: PluginRow = serde_json::from_value(serde_json::json!({
                "name": "my-first", "version": "0.3.0", "kind": "recovery-handler", "state": state,
                "contract": "1.0.0", "file": null, "digest": "ab", "serves": [], "calls": 3, "failures": 3,
                "last_error": "trapped", "quarantined": quarantined, "instances": []
            }))
            .unwrap();
            assert_eq!(is_troubled(&row), expected, "{state} {quarantined}");
        }
    }
}

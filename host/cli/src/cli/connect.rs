//! Which daemon is meant.
//!
//! Invariant: a command costs the same however many targets the config has, where its beginning leads to a daemon that
//! listens.

use super::{arguments::Global, client::Client, failure::WithHelp};
use anyhow::Context;
use mainstay_daemon::{api::SOCKET_NAME, config};
use mainstay_runtime::regular_file;
use mainstay_store::sqlite;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The lines of `[host]` are looked for in so many bytes.
const BEGINNING: u64 = 64 << 10;

/// Connects to the daemon of `--socket`, else of the config, of which only `host.state_dir` has to be legible: a daemon
/// serves on while its config is being broken and mended.
pub(super) async fn connect(global: &Global) -> anyhow::Result<Client> {
    if let Some(socket) = &global.socket {
        return Client::connect(socket, global.timeout).await;
    }
    let file = config::find(global.config.as_deref())
        .context("cannot tell where the daemon's socket is; name it with --socket, or a config")?;
    if let Some(socket) = likely_socket(&file)
        && let Ok(client) = Client::connect(&socket, global.timeout).await
    {
        return Ok(client);
    }
    // It stands elsewhere, or nobody listens.
    let state_dir = config::state_dir(&file)?;
    let connected = Client::connect(&state_dir.join(SOCKET_NAME), global.timeout).await;
    connected.map_err(|error| never_ran(&state_dir).map_or(error, anyhow::Error::new))
}

/// What is said where no daemon has ever been: one may run all the same, which was started with another `state_dir` and does
/// not take a new one.
fn never_ran(state_dir: &Path) -> Option<WithHelp> {
    let journal = std::fs::symlink_metadata(state_dir.join(sqlite::FILE_NAME));
    let is_missing = journal.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    is_missing.then(|| WithHelp {
        error: format!("no daemon has ever run with the state directory {}", state_dir.display()),
        help: Some(
            "start it with `mainstay run`; a daemon that was started before `host.state_dir` was changed serves on from \
             the directory of before until it is restarted: name its socket there, mainstay.sock, with --socket"
                .to_owned(),
        ),
    })
}

/// Where the beginning of a config says that its daemon listens.
fn likely_socket(file: &Path) -> Option<PathBuf> {
    let beginning = regular_file::read_start(file, BEGINNING).ok()?;
    let file = std::path::absolute(file).ok()?;
    socket_in(&String::from_utf8_lossy(&beginning), file.parent()?)
}

/// Where a text that may be cut says that its daemon listens; nothing where that takes more than to read one table.
fn socket_in(text: &str, base: &Path) -> Option<PathBuf> {
    // A header within a text of several lines is none.
    let first_text = [r#"""""#, "'''"].iter().filter_map(|mark| text.find(*mark));
    let text = text.get(..first_text.min().unwrap_or(text.len()))?;
    let below = text.lines().skip_while(|line| line.trim() != "[host]");
    let lines: Vec<&str> = below
        .skip(1)
        .take_while(|line| !line.trim_start().starts_with('['))
        .collect();
    let host: toml::Table = lines.join("\n").parse().ok()?;
    let state_dir = base.join(host.get("state_dir")?.as_str()?);
    let state_dir: PathBuf = state_dir.components().collect();
    Some(state_dir.join(SOCKET_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "[host]\nstate_dir = \"state\" # here\nplugin_dir = \"plugins\"\n";

    fn check(text: &str, expected: Option<&str>) {
        let found = socket_in(text, Path::new("/etc/mainstay"));
        assert_eq!(found.as_deref(), expected.map(Path::new), "{text}");
    }

    #[test]
    fn the_lines_of_the_host_lead_to_its_socket_and_what_is_unclear_leads_nowhere() {
        let here = Some("/etc/mainstay/state/mainstay.sock");
        check(HOST, here);
        check(&format!("# first\n\n{HOST}\n[[target]]\nname ="), here);
        check(
            "[host]\nstate_dir = '/var/./lib/x'",
            Some("/var/lib/x/mainstay.sock"),
        );
        check("[host]\nplugin_dir = \"plugins\"\n", None);
        check("[host]\nstate_dir = 7\n", None);
        check("[host]\nstate_dir = \"sta", None);
        check("[[target]]\nname = \"host\"\n", None);
        check(&format!("a = '''\n{HOST}'''\n"), None);
        check(&format!("a = \"\"\"\n{HOST}\"\"\"\n"), None);
    }

    #[test]
    fn a_state_directory_without_a_journal_is_one_where_no_daemon_was() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let said = never_ran(&state).unwrap();
        assert!(said.error.ends_with("/state"), "{said}");
        assert!(said.help.is_some_and(|help| help.contains("--socket")));
        std::fs::create_dir(&state).unwrap();
        assert!(never_ran(&state).is_some());
        std::fs::write(state.join(sqlite::FILE_NAME), "").unwrap();
        assert!(never_ran(&state).is_none());
    }

    #[test]
    fn it_is_the_socket_that_the_whole_config_names() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mainstay.toml");
        std::fs::write(&file, HOST).unwrap();
        let whole = config::load(&file).unwrap().spec.host.state_dir;
        assert_eq!(likely_socket(&file), Some(whole.join(SOCKET_NAME)));
        // The rest is not read.
        std::fs::write(&file, format!("{HOST}\n[[target]]\nnonsense\n")).unwrap();
        assert_eq!(likely_socket(&file), Some(whole.join(SOCKET_NAME)));
    }
}

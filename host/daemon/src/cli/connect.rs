//! Which daemon is meant.

use super::{arguments::Global, client::Client};
use crate::{api::SOCKET_NAME, config};
use anyhow::Context;
use std::path::PathBuf;

/// Connects to the daemon of `--socket`, else of the config, of which only `host.state_dir` has to be legible: a daemon
/// serves on while its config is being broken and mended.
pub(super) async fn connect(global: &Global) -> anyhow::Result<Client> {
    Client::connect(&socket(global)?, global.timeout).await
}

fn socket(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(socket) = &global.socket {
        return Ok(socket.clone());
    }
    let file = config::find(global.config.as_deref())
        .context("cannot tell where the daemon's socket is; name it with --socket, or a config")?;
    Ok(config::state_dir(&file)?.join(SOCKET_NAME))
}

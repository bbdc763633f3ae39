//! Which daemon is meant.

use super::{arguments::Global, client::Client};
use crate::{api::SOCKET_NAME, config};
use std::path::PathBuf;

/// Connects to the daemon of `--socket`, else of the config.
pub(super) async fn connect(global: &Global) -> anyhow::Result<Client> {
    Client::connect(&socket(global)?).await
}

fn socket(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(socket) = &global.socket {
        return Ok(socket.clone());
    }
    let file = config::find(global.config.as_deref())?;
    let loaded = config::load(&file)?;
    Ok(loaded.spec.host.state_dir.join(SOCKET_NAME))
}

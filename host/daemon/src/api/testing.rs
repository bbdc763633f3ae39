//! A served API over a fake world, for the tests of the API and of its client.

use super::{Api, ApiState, SOCKET_NAME, TcpAccess};
use crate::{
    ports::fakes::FakeWorld,
    services::{
        metrics::{Metrics, Numbers},
        state::ChangedTargets,
    },
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The token that TCP takes.
pub(crate) const TOKEN: &str = "s3cret";

/// A served API.
pub(crate) struct Served {
    pub(crate) world: Arc<FakeWorld>,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinHandle<std::io::Result<()>>,
    pub(crate) tcp: SocketAddr,
    directory: TempDir,
}

/// The state of an API over a fake world.
pub(crate) fn state(world: &Arc<FakeWorld>) -> ApiState {
    let numbers = Numbers::new().unwrap();
    let metrics = Metrics::new(numbers, world.clone(), world.clone(), world.clone());
    ApiState {
        journal: world.clone(),
        records: world.clone(),
        recovery: world.clone(),
        backups: world.clone(),
        watch: world.clone(),
        targets: world.clone(),
        plugins: world.clone(),
        host: world.clone(),
        clock: world.clone(),
        changed: ChangedTargets::default(),
        metrics: Arc::new(metrics),
    }
}

impl Served {
    pub(crate) async fn start() -> Self {
        // It is installed already where another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = FakeWorld::new(64);
        let directory = tempfile::tempdir().unwrap();
        let access = TcpAccess {
            listen: "127.0.0.1:0".parse().unwrap(),
            token: Arc::new(|| Some(TOKEN.to_owned())),
        };
        let api = Api::bind(state(&world), directory.path(), Some(access))
            .await
            .unwrap();
        let stop = CancellationToken::new();
        Self {
            tcp: api.tcp_address().unwrap(),
            running: tokio::spawn(api.run(stop.clone())),
            world,
            stop,
            directory,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET_NAME)
    }

    /// A client over the Unix socket.
    pub(crate) fn client(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .unix_socket(self.socket())
            .build()
            .unwrap()
    }
}

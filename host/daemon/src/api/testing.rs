//! A served API over a fake world, for the tests of the API and, with the feature `testing`, of its clients in other
//! crates.

pub use crate::ports::fakes::{backup_id, operation_id};

use super::{Api, ApiState, SOCKET_NAME, TcpAccess};
use crate::{
    ports::{JournalNumbers, fakes::FakeWorld},
    services::{
        metrics::{Metrics, MetricsPorts, Numbers},
        status_view::ChangedTargets,
    },
};
use mainstay_domain::{
    name::SecretName,
    socket_rights::{SocketRights, Viewers},
};
use mainstay_store::StateDirectory;
use std::{
    env,
    fs::{self, DirBuilder},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The token that TCP takes.
pub(crate) const TOKEN: &str = "s3cret";

/// A served API over a world with two targets, one operation and one backup; it serves until its runtime ends.
pub struct Served {
    pub(crate) world: Arc<FakeWorld>,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    pub(crate) tcp: SocketAddr,
    directory: OwnDirectory,
}

/// A directory for one served API, which goes with it.
struct OwnDirectory(PathBuf);

impl OwnDirectory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay-served-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        // Of a process that had the same number once.
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The state of an API over a fake world.
pub(crate) fn state(world: &Arc<FakeWorld>) -> ApiState {
    let numbers = Numbers::new().unwrap();
    let ports = MetricsPorts {
        alerters: world.clone(),
        backups: world.clone(),
        plugins: world.clone(),
        host: world.clone(),
        condition: world.clone(),
        silences: world.clone(),
        journal: Arc::new(JournalNumbers::default),
        clock: world.clone(),
    };
    let metrics = Metrics::new(numbers, ports, []);
    ApiState {
        journal: world.clone(),
        records: world.clone(),
        recovery: world.clone(),
        silences: world.clone(),
        alert_tests: world.clone(),
        notes: world.clone(),
        backups: world.clone(),
        watch: world.clone(),
        targets: world.clone(),
        orders: world.clone(),
        plugins: world.clone(),
        host: world.clone(),
        condition: world.clone(),
        coordinator: world.clone(),
        accounts: world.clone(),
        secrets: world.clone(),
        clock: world.clone(),
        changed: ChangedTargets::default(),
        metrics: Arc::new(metrics),
        socket: SocketRights {
            owner: 0,
            group: None,
            viewers: Viewers::default(),
        },
    }
}

impl Served {
    /// Serves on a socket and a TCP port of its own.
    pub async fn start() -> Self {
        // It is installed already where another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = FakeWorld::new(64);
        let directory = OwnDirectory::new();
        let access = TcpAccess {
            listen: "127.0.0.1:0".parse().unwrap(),
            token: Arc::new(|| Some(TOKEN.to_owned())),
            token_name: SecretName::parse("api-token").unwrap(),
            hosts: vec!["mainstay.example".to_owned()],
        };
        let owned = StateDirectory::take(directory.path()).unwrap();
        let api = Api::bind(state(&world), owned, Some(access)).await.unwrap();
        let stop = CancellationToken::new();
        Self {
            tcp: api.tcp_address().unwrap(),
            running: tokio::spawn(api.run(stop.clone())),
            world,
            stop,
            directory,
        }
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET_NAME)
    }

    /// Lets long work go on by so many steps: one for each of its three documents, and one to its end.
    pub fn let_work_go_on(&self, steps: usize) {
        self.world.gate.add_permits(steps);
    }

    /// A client over the Unix socket.
    pub(crate) fn client(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .unix_socket(self.socket())
            .build()
            .unwrap()
    }
}

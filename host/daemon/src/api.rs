//! The admin API: HTTP and JSON over a Unix socket that only its owner can use and those whom the config lets, and over TCP
//! with a bearer token where that is configured. The command line is its client; see [`mainstay_api`] for the forms and [`routes`] for the paths.
//!
//! Invariant: every TCP request carries the token and asks for a host that is ours, whatever its path.
//! Invariant: who commands is known from the connection (`caller`), never from what the request says.
//! Invariant: what a request has begun goes on when its client goes away; [`Api::run`] waits for it.
//! Invariant: every answer that is no success is `{error, help}`.
//!
//! Length: every path, and what is behind it, in one place.

mod access;
mod alerts;
mod backups;
mod bind_error;
mod caller;
mod checkpoints;
mod commands;
mod connections;
mod contents;
mod deletions;
pub mod error;
mod events;
mod extract;
mod health;
mod hosts;
mod lines;
mod names;
mod notes;
mod pace;
mod pages;
mod phases;
mod policies;
mod reads;
mod rekey;
mod renewal;
mod requests;
mod sharing;
mod shown_operation;
mod silences;
mod socket;
mod statistics;
mod targets;

pub use access::Token;
pub use bind_error::BindError;
pub use socket::SOCKET_NAME;

use crate::{
    ports::{
        Accounts, AlertTests, BackupOperator, Browse, Clock, ConditionView, Coordinator, HostView,
        Journal, Notes, PluginView, RecoveryControl, Secrets, SilenceControl, TargetControl,
        TargetOperator, TargetVerb, Watch,
    },
    services::{
        metrics::Metrics,
        status_view::{ChangedTargets, StatusCache, StatusSources},
    },
};
use access::{Door, TcpGuest, UnixGuest, UnixRights};
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{MethodRouter, get, post},
};
use caller::{Caller, Known};
use connections::{Bounds, Connections};
use error::ApiError;
use extract::{Body, IfMatch, Named};
use hosts::Hosts;
use mainstay_api::{DecisionBody, TargetBody};
use mainstay_domain::id::OperationId;
use mainstay_domain::name::{SecretName, TargetName};
use mainstay_domain::recovery::Verb;
use mainstay_domain::socket_rights::SocketRights;
use mainstay_store::StateDirectory;
use sharing::Sharing;
use socket::UnixDoor;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The longest request body, in bytes.
const MAX_BODY: usize = 64 << 10;

/// What the API shows and commands; built by `app`.
#[derive(Clone)]
#[allow(missing_docs, reason = "the traits say what each is")]
pub struct ApiState {
    pub journal: Arc<dyn Journal>,
    pub records: Arc<dyn Browse>,
    pub recovery: Arc<dyn RecoveryControl>,
    pub silences: Arc<dyn SilenceControl>,
    pub alert_tests: Arc<dyn AlertTests>,
    pub notes: Arc<dyn Notes>,
    pub backups: Arc<dyn BackupOperator>,
    pub watch: Arc<dyn Watch>,
    pub targets: Arc<dyn TargetControl>,
    pub orders: Arc<dyn TargetOperator>,
    pub plugins: Arc<dyn PluginView>,
    pub host: Arc<dyn HostView>,
    pub condition: Arc<dyn ConditionView>,
    pub coordinator: Arc<dyn Coordinator>,
    pub accounts: Arc<dyn Accounts>,
    pub secrets: Arc<dyn Secrets>,
    pub clock: Arc<dyn Clock>,
    pub changed: ChangedTargets,
    pub metrics: Arc<Metrics>,
    pub socket: SocketRights,
}

/// What the handlers share.
struct Served {
    ports: ApiState,
    status: StatusCache,
    /// Begun commands, which outlive their requests.
    work: TaskTracker,
    stop: CancellationToken,
}

/// The API over TCP.
pub struct TcpAccess {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What every request has to carry.
    pub token: Token,
    /// The secret that it is.
    pub token_name: SecretName,
    /// The names that requests may be for, beside the address and localhost.
    pub hosts: Vec<String>,
}

/// The admin API, bound and not yet served.
pub struct Api {
    unix: UnixDoor,
    tcp: Option<(TcpListener, Door)>,
    state: ApiState,
}

impl Api {
    /// Binds the socket `mainstay.sock` in the state directory, and TCP where it is asked for.
    ///
    /// # Errors
    /// The socket cannot be made there, or the address cannot be had.
    pub async fn bind(
        state: ApiState,
        directory: Arc<StateDirectory>,
        tcp: Option<TcpAccess>,
    ) -> Result<Self, BindError> {
        let tcp = match tcp {
            Some(access) => {
                let hosts = Hosts {
                    listen: access.listen.ip(),
                    names: access.hosts,
                };
                let door = Door {
                    token: access.token,
                    token_name: access.token_name,
                    hosts: Arc::new(hosts),
                };
                Some((socket::bind_tcp(access.listen).await?, door))
            }
            None => None,
        };
        let unix = socket::bind_unix(directory, Sharing::of(&state.socket)).await?;
        Ok(Self { unix, tcp, state })
    }

    /// Where TCP really listens.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp
            .as_ref()
            .and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Serves until `stop`, then waits for the requests and the commands that were begun.
    pub async fn run(self, stop: CancellationToken) {
        let rights = UnixRights {
            rights: Arc::new(self.state.socket.clone()),
            accounts: self.state.accounts.clone(),
        };
        let served = Arc::new(Served {
            status: StatusCache::new(self.state.status_sources(), &*self.state.journal),
            ports: self.state,
            work: TaskTracker::new(),
            stop: stop.clone(),
        });
        let app = routes(served.clone());
        let file = self.unix.file();
        let bounds = Bounds::of_this_process();
        let unix = {
            let counted = app
                .clone()
                .layer(middleware::from_fn_with_state(rights, access::count));
            let places = Arc::new(Connections::new(bounds));
            let meet = move |stream: &UnixStream| UnixGuest {
                place: places.admit(),
                caller: Caller::of(stream),
            };
            connections::serve(self.unix, counted, meet, stop.clone())
        };
        let tcp = async {
            let Some((listener, door)) = self.tcp else {
                return;
            };
            let guarded = app.layer(middleware::from_fn_with_state(door, access::check));
            let places = Arc::new(Connections::new(bounds));
            let meet = |stream: &TcpStream| TcpGuest {
                place: places.admit(),
                local: stream.local_addr().ok().map(|local| local.ip()),
            };
            connections::serve(listener, guarded, meet, stop).await;
        };
        tokio::join!(unix, tcp);
        served.work.close();
        served.work.wait().await;
        drop(file);
    }
}

impl ApiState {
    fn status_sources(&self) -> StatusSources {
        StatusSources {
            host: self.host.clone(),
            plugins: self.plugins.clone(),
            watch: self.watch.clone(),
            targets: self.targets.clone(),
            recovery: self.recovery.clone(),
            silences: self.silences.clone(),
            backups: self.backups.clone(),
            condition: self.condition.clone(),
            clock: self.clock.clone(),
            changed: self.changed.clone(),
        }
    }
}

/// The path of one decision about an operation.
fn deciding(verb: Verb) -> MethodRouter<Arc<Served>> {
    post(
        move |State(served): State<Arc<Served>>,
              who: Known,
              Named(id): Named<OperationId>,
              IfMatch(revision): IfMatch,
              Body(body): Body<DecisionBody>| {
            commands::decide(verb, served, who, (id, revision), body)
        },
    )
}

/// The path of one command to a target.
fn commanding(verb: TargetVerb) -> MethodRouter<Arc<Served>> {
    post(
        move |served: State<Arc<Served>>,
              target: Named<TargetName>,
              who: Known,
              body: Body<TargetBody>| targets::command(verb, served, target, who, body),
    )
}

/// Every path. Within `/v1` fields and paths are only ever added.
fn routes(served: Arc<Served>) -> Router {
    let v1 = Router::new()
        .route("/plugins", get(reads::plugins))
        .route("/plugins/forget", post(commands::forget_plugin))
        .route("/incidents", get(reads::incidents))
        .route("/incidents/{id}", get(reads::incident))
        .route("/incidents/{id}/ack", post(notes::acknowledge))
        .route("/operations", get(reads::history))
        .route("/operations/{id}", get(reads::operation))
        .route("/operations/{id}/export", get(reads::export))
        .route("/operations/{id}/approve", deciding(Verb::Approve))
        .route("/operations/{id}/reject", deciding(Verb::Reject))
        .route("/operations/{id}/cancel", deciding(Verb::Cancel))
        .route("/operations/{id}/resolve", post(commands::resolve))
        .route("/operations/{id}/signal", post(commands::signal))
        .route("/events", get(events::events))
        .route("/audit", get(reads::audit))
        .route("/renames", get(reads::renames))
        .route("/recover", post(commands::recover))
        .route("/pause", post(commands::pause))
        .route("/phase", get(phases::show).post(phases::change))
        .route("/health", get(health::show))
        .route("/nodes", get(health::nodes))
        .route("/resume", post(commands::resume))
        .route("/stats", get(statistics::stats))
        .route("/stats/backups", get(backups::stats))
        .route("/silences", get(silences::list))
        .route("/silence", post(silences::begin))
        .route("/unsilence", post(silences::end))
        .route("/notes", post(notes::add))
        .route("/alerts/history", get(alerts::history))
        .route("/alerts/test", post(alerts::test))
        .route("/targets/{target}", get(targets::show))
        .route("/targets/{target}/log", get(targets::log))
        .route("/targets/{target}/check", post(targets::check))
        .route(
            "/targets/{target}/policy",
            get(policies::show).post(policies::set),
        )
        .route("/targets/{target}/report", post(targets::report))
        .route("/targets/{target}/drill", post(targets::drill))
        .route("/targets/{target}/start", commanding(TargetVerb::Start))
        .route("/targets/{target}/stop", commanding(TargetVerb::Stop))
        .route("/targets/{target}/restart", commanding(TargetVerb::Restart))
        .route("/targets/{target}/reload", commanding(TargetVerb::Reload))
        .route("/backups", get(backups::list).post(backups::create))
        .route("/backups/{id}", get(backups::show))
        .route("/backups/{id}/verify", post(backups::verify))
        .route("/backups/{id}/hold", post(backups::hold))
        .route("/backups/{id}/release", post(backups::release))
        .route("/backups/{id}/accept", post(backups::accept))
        .route("/backups/{id}/move", post(backups::move_to))
        .route("/backups/{id}/delete", post(deletions::delete))
        .route("/backups/{id}/undelete", post(deletions::undelete))
        .route(
            "/checkpoints",
            get(checkpoints::list).post(checkpoints::take),
        )
        .route("/checkpoints/resume", post(checkpoints::resume))
        .route("/checkpoints/{id}/rollback", post(checkpoints::roll_back))
        .route("/backups/{id}/documents", post(contents::documents))
        .route("/backups/{id}/diff", post(contents::diff))
        .route("/backups/{id}/content", post(contents::content))
        .route("/rebuild", post(backups::rebuild))
        .route("/restore", post(backups::restore))
        .route("/restore/cancel", post(backups::cancel_restore))
        .route("/rekey", post(rekey::rekey))
        .route("/prune", post(backups::prune))
        .route("/drill", post(backups::drill))
        .layer(middleware::from_fn_with_state(
            served.clone(),
            renewal::renew_status,
        ))
        // They come thousands of times a second: the one does nothing, and the other is a look as of any check.
        .route("/status", get(reads::status))
        .route("/heartbeat/{target}", post(commands::heartbeat));
    Router::new()
        .nest("/v1", v1)
        .route("/metrics", get(reads::metrics))
        .route("/ready", get(health::ready))
        .route("/live", get(health::live))
        .fallback(|| async { ApiError::no_such_path() })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(served)
}

#[cfg(any(test, feature = "testing"))]
#[allow(clippy::unwrap_used, reason = "a test fails by it")]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "the daemon's own tests look at all of it")
)]
pub mod testing;
#[cfg(test)]
mod tests;

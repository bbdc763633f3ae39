//! Builds the daemon: adapters behind ports, services around them, the plugin host between; and takes it down again.
//!
//! This is the only module that knows both adapters and services. Reading it top to bottom is reading how the daemon
//! is put together.
//!
//! Length: that reading is worth more in one piece.

mod compiles;
mod host_events;
mod notify;
mod shared_socket;
mod signals;
mod source;
mod statsd;
mod tasks;
mod terminal;
mod told;

// What a start goes by, for `mainstay check`.
pub use crate::adapters::{environment::DEFAULT_PATH, process::is_account};
// For `mainstay backup keygen`, and what reads with `--identity`.
pub use mainstay_backup::age_keys::{
    generate as new_identity, read_identity_file, write_new_identity,
};
pub use source::FileConfig;

use crate::{
    adapters::{
        Outputs,
        backup_keys::ConfiguredKeys,
        charter_file::CharterFile,
        clock::SystemClock,
        commands::LocalCommands,
        compiler::ChildCompiler,
        finish_remains,
        host_places::host_places,
        http::EgressClient,
        limits,
        local_coordinator::LocalCoordinator,
        orders_file::OrdersFile,
        pid_files::HostPidFiles,
        probe::HostProbe,
        process::{HostProcesses, LocalAccounts},
        reaper,
        secrets::ConfiguredSecrets,
        settled_file::SettledFile,
        smtp::SmtpSender,
        sources::LocalSources,
        tier_pace::ConfiguredPace,
        tiers::tier_places,
        version_file,
        watcher::ConfigWatch,
    },
    api::{Api, ApiState, TcpAccess},
    ports::{
        AlertTests, Browse, Clock, Committed, ConfigError, HostView, LastReload, Recover,
        Recovered, RecoveryControl, Reports, Secrets, ServiceManager, StatusFacts, WallClock,
    },
    services::{
        alert_holds::Holds,
        alert_tests::AlertTestService,
        alerter_watch::{AlerterHealth, AlerterWatch},
        alerts::{AlertService, arrivals},
        backup::{BackupParts, BackupService},
        disk_state::DiskStateService,
        effects::{EffectSessions, Effects},
        feed::EventFeed,
        history_pruner::HistoryPruner,
        host_mode::{HostMode, HostModeService, recent_failures},
        inbox::SignalInbox,
        metrics::{Metrics, MetricsPorts, MetricsService, Numbers},
        monitor::Monitor,
        notes::NoteService,
        operator_words::OperatorWords,
        plugins::{CallJournal, PluginCalls, PluginEvents},
        recorder::Recorder,
        recovery::{Heartbeat, RecoveryEngine, RecoveryPorts},
        reload::{LastReloadCell, ReloadService},
        route_watch::{RouteWatch, UnhandledRoutes},
        settled::Settled,
        shared::Shared,
        silences::SilenceService,
        status_line::StatusLineService,
        supervisor::{PreviousRun, Supervisor, SupervisorPorts},
        target_orders::{OrderPorts, TargetOrders},
    },
};
// Not the crate of that name.
use self::notify::Notifier;
use anyhow::Context;
use compiles::CountedCompiler;
use host_events::{record_host_event, wait_at_most};
use mainstay_backup::LocalBackups;
use mainstay_domain::{
    event::EventKind, id::IdSource, maintenance::open_now, name::TargetName, route::GapWatch,
    spec::Spec, time::Timestamp,
};
use mainstay_runtime::{HostOptions, PluginHost, contract::ContractVersion};
use mainstay_store::{SqliteJournal, StateDirectory};
use parking_lot::Mutex;
use shared_socket::socket_rights;
use signals::Signals;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tasks::Tasks;
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc, watch},
};
use told::{Told, told};

/// Findings that wait for the recovery engine; the monitor waits where there are more.
const FINDINGS: usize = 4096;

/// Descriptors that are needed beside one for each process: journal, clients, looks, plugins.
const OTHER_FILES: u64 = 512;

/// How long the stop waits until it is durable that it began: a disk that does not answer must not hold it up.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long the stop waits for the last look at what programs left behind.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// How long the journal may take to write what it holds and to close; its own tries on a full disk are shorter.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Incidents that closed within this time are read at the start: they may come back, and count as a recurrence.
const RECOVERY_REMEMBERS: Duration = Duration::from_secs(3600);

/// What the daemon is started with.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The config that was loaded.
    pub spec: Spec,
    /// Its file.
    pub config: PathBuf,
}

/// What `status` says of the host.
struct Host {
    spec: watch::Receiver<Arc<Spec>>,
    backup_key: Option<String>,
    started_at: Timestamp,
    clock: Arc<dyn Clock>,
    last_reload: LastReloadCell,
    unhandled_routes: UnhandledRoutes,
    alerters: AlerterHealth,
    /// The config in use with what is shown of its targets, so that they are listed once for each config.
    listed: Mutex<Option<(Arc<Spec>, ListedTargets)>>,
}

/// Every target with its priority.
type ListedTargets = Arc<[(TargetName, u8)]>;

impl Host {
    fn targets(&self, spec: &Arc<Spec>) -> ListedTargets {
        let mut listed = self.listed.lock();
        if let Some((of, targets)) = &*listed
            && Arc::ptr_eq(of, spec)
        {
            return Arc::clone(targets);
        }
        let targets = spec.targets.iter();
        let targets: ListedTargets = targets
            .map(|target| (target.name.clone(), target.priority))
            .collect();
        *listed = Some((Arc::clone(spec), Arc::clone(&targets)));
        targets
    }
}

impl HostView for Host {
    fn facts(&self) -> StatusFacts {
        let spec = Arc::clone(&self.spec.borrow());
        StatusFacts {
            name: spec.host.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            charter: spec.policy.charter.as_ref().map(|one| one.sha256.clone()),
            backup_key: self.backup_key.clone(),
            started_at: self.started_at,
            contract_versions: ContractVersion::ALL
                .iter()
                .map(|version| version.version().to_string())
                .collect(),
            config_digest: spec.digest.clone(),
            targets: self.targets(&spec),
            unhandled_routes: self.unhandled_routes.get(),
            alerters: self.alerters.states(&spec),
            maintenance: open_now(&spec.maintenance, self.clock.now()),
        }
    }

    fn last_reload(&self) -> Option<LastReload> {
        self.last_reload.get()
    }
}

/// Runs the daemon until SIGTERM or SIGINT, or until a service ends by itself; an error is one of starting, names that
/// service, or says that something did not stop in time.
pub async fn run(options: RunOptions) -> anyhow::Result<()> {
    let RunOptions { spec, config } = options;
    // Before anything is started, which inherits what is ignored.
    let signals = Signals::listen().context("cannot listen to signals")?;
    let manager = Arc::new(Notifier::of_environment());
    let version = env!("CARGO_PKG_VERSION");
    let charter = spec.policy.charter.as_ref();
    let charter = charter.map_or(String::new(), |one| format!("[{}] ", one.prefix()));
    tracing::info!(
        version,
        config = %config.display(),
        state_dir = %spec.host.state_dir.display(),
        pid = std::process::id(),
        "{charter}mainstay {version} starts"
    );
    let open_files = limits::raise_open_files();
    warn_of_few_files(&spec, open_files);
    let directory = StateDirectory::take(&spec.host.state_dir)?;
    let state_dir = directory.path();
    check_apart(state_dir, &spec.host.plugin_dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let started_at = clock.now();
    let sqlite = Arc::new(SqliteJournal::open(directory.clone())?);
    let records: Arc<dyn Browse> = sqlite.clone();
    let recovered = sqlite.recovered(started_at - remembered(&spec)).await?;
    let secrets = ConfiguredSecrets::load(&spec.secrets).map_err(ConfigError::Secrets)?;
    let secrets = Arc::new(secrets);
    let environment = secrets.child_environment();
    let (spec_sender, spec) = watch::channel(Arc::new(spec));
    let ids = || IdSource::new(seed(&clock));
    let (arriving, arrivals) = arrivals();
    let last_event = records.last_events(1).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "when a daemon lived last is not known");
        Vec::new()
    });
    let settled_file = SettledFile::new(state_dir);
    let settled = Arc::new(Settled::new(
        clock.clone(),
        settled_file.read(),
        // The newest time at which a daemon surely lived, by its clock.
        last_event.last().map(|event| event.at),
        Arc::new(settled_file),
    ));
    // Not by a clock that may be wrong for once: what is due since a time to come would wait for that.
    let upgraded = version_file::upgraded_at(state_dir, version, settled.now());
    let Told {
        open,
        pauses,
        silences,
        policy,
        ..
    } = {
        let spec = Arc::clone(&spec.borrow());
        told(&*records, &spec).await
    };
    let told_missed = open.jobs_with(EventKind::BackupRpoMissed);
    let told_checks = open.checks();
    let told_unhandled = open.plugins_with(EventKind::RouteUnhandled);
    let told_failing = open.plugins_with(EventKind::AlerterFailing);
    let was_full = open.has(EventKind::JournalFull);
    let was_blind = open.has(EventKind::MonitorBlind);
    let forgotten = open.forgotten(&recovered.outbox);
    let recorder = Recorder::new(sqlite.clone(), spec.clone(), ids(), open, arriving);
    let shared = Shared {
        journal: Arc::new(recorder),
        clock: clock.clone(),
        spec: spec.clone(),
    };
    // From the first event of this daemon on.
    let counted = EventFeed::of_newest(0, &*shared.journal, records.clone()).await?;
    let heard = EventFeed::of_newest(0, &*shared.journal, records.clone()).await?;
    let failed_attempts = recent_failures(&*records, started_at).await;
    for aside in &recovered.set_aside {
        host_events::record_set_aside(&shared, aside);
    }
    let mut tasks = Tasks::default();
    let ended_early = tasks.ended_early();
    tasks.watch(sqlite.broken());
    // Stages are stopped in this order: what takes in work first, what others need last.
    let intake = tasks.phase("intake");
    let work = tasks.phase("work");
    let base = tasks.phase("base");

    // What watches and keeps processes.
    let (findings_sender, findings) = mpsc::channel(FINDINGS);
    let probe = HostProbe::new(secrets.clone(), environment.clone(), clock.clone())?;
    let plugins = Arc::new(PluginCalls::default());
    let probe = probe
        .with_logs_of(state_dir)
        .with_detectors(plugins.clone());
    let probe = Arc::new(probe);
    let (numbers, statsd) = statsd::open(spec.borrow().statsd.clone(), Numbers::new()?)?;
    let monitor = Monitor::new(
        shared.clone(),
        probe.clone(),
        numbers.clone(),
        findings_sender,
    );
    monitor.resume(&recovered.incidents);
    monitor.resume_told(&told_checks);
    if was_blind {
        monitor.resume_blindness();
    }
    let outputs = Arc::new(Outputs::new(state_dir));
    outputs.resume();
    let commands = Arc::new(LocalCommands::new(
        secrets.clone(),
        environment.clone(),
        outputs.clone(),
    ));
    let processes = Arc::new(HostProcesses::new(
        state_dir,
        secrets.clone(),
        environment.clone(),
        clock.clone(),
    )?);
    let supervisor = Supervisor::new(
        SupervisorPorts {
            processes: processes.clone(),
            commands: commands.clone(),
            pid_files: Arc::new(HostPidFiles::default()),
            watch: Arc::new(monitor.clone()),
            shared: shared.clone(),
            foreign_cwd: config.parent().map(PathBuf::from).unwrap_or_default(),
            ends_at: tasks.ends_at(),
        },
        previous_run(&recovered),
    );

    let orders_file = OrdersFile::new(state_dir);
    let (ordered, unread) = orders_file.read();
    if let Some(unread) = &unread {
        host_events::record_unread_orders(&shared, unread);
    }
    let held = ordered.stopped.iter();
    supervisor.resume_held(held.map(|order| (order.target.clone(), order.words())));

    for report in ordered.holding(clock.now()) {
        let evidence = report.evidence();
        monitor.reported(&report.target, &report.failure, report.severity, evidence);
    }
    // What the daemon before left failing is known by now.
    let mode = HostMode::new(shared.clone(), Arc::new(monitor.clone()), failed_attempts);
    let coordinator = Arc::new(LocalCoordinator::new(clock.clone()));
    let mode_service = HostModeService {
        mode: mode.clone(),
        coordinator: coordinator.clone(),
        feed: heard,
    };

    // Plugins, and what they may ask for.
    let compiler_environment = environment.clone();
    let sources = LocalSources::new(secrets.clone(), environment, outputs, Handle::current());
    let stored_backups = LocalBackups::new(
        state_dir,
        tier_places(spec.clone(), secrets.clone(), work.stopping()),
        Arc::new(sources.with_collectors(plugins.clone())),
        wall_clock(&clock),
        work.stopping(),
    )
    .with_root(spec.borrow().backups())
    .with_host_places(host_places(spec.clone(), config.clone()))
    .with_pace(Arc::new(ConfiguredPace::new(spec.clone(), clock.clone())))
    .with_keys(Arc::new(ConfiguredKeys::new(spec.clone())));
    // Made before the first backup, so that none is taken for one of before there was a key.
    let backup_key = stored_backups
        .signing_key()
        .inspect(|key| tracing::info!(%key, "backups are signed"))
        .inspect_err(|error| tracing::error!(%error, "no backup can be taken or read"))
        .ok();
    let parts = BackupParts {
        store: Arc::new(stored_backups),
        shared: shared.clone(),
        judge: plugins.clone(),
        watch: Arc::new(monitor.clone()),
        seed: seed(&clock),
        settled: settled.clone(),
        told_missed,
        drill_slots: recovered.drill_slots.clone(),
        numbers: numbers.clone(),
        commands: commands.clone(),
        probe,
        upgraded,
    };
    let backups =
        BackupService::open(parts, recovered.backups.clone(), recovered.slots.clone()).await?;
    let inbox = SignalInbox::default();
    inbox.recover(&recovered.operations, &*records).await;
    let effects = EffectSessions::new(Effects {
        inbox: inbox.clone(),
        shared: shared.clone(),
        targets: Arc::new(supervisor.clone()),
        watch: Arc::new(monitor.clone()),
        commands: commands.clone(),
        http: Arc::new(EgressClient::new(secrets.clone())?),
        mail: Arc::new(SmtpSender::new(secrets.clone())),
        values: sqlite.clone(),
        backups: Arc::new(backups.clone()),
        secrets: secrets.clone(),
    });
    let observer = PluginEvents {
        shared: shared.clone(),
    };
    let (plugin_dir, specs) = {
        let spec = spec.borrow();
        (spec.host.plugin_dir.clone(), spec.plugin_specs())
    };
    let compiler = ChildCompiler::new(state_dir, compiler_environment, clock.clone());
    let host_options = HostOptions {
        state_dir: Some(state_dir.to_owned()),
        specs,
        compiler: Arc::new(CountedCompiler::new(compiler, numbers.clone())),
        ..HostOptions::new(plugin_dir)
    };
    let plugin_host =
        PluginHost::start(host_options, Arc::new(effects), Arc::new(observer)).await?;
    tasks.watch(plugin_host.broken());
    prune_plugin_store(&plugin_host, &recovered);
    plugins.connect(plugin_host);
    plugins.resume_from(CallJournal {
        shared: shared.clone(),
        records: records.clone(),
    });

    // What decides and acts.
    let ports = RecoveryPorts {
        inbox,
        shared: shared.clone(),
        watch: Arc::new(monitor.clone()),
        handlers: plugins.clone(),
        charter: {
            let file = CharterFile::default();
            Arc::new(move |path: &Path| file.sha256(path))
        },
    };
    let (mut engine, recovery) = RecoveryEngine::new(ports, findings, ids(), monitor.changed());
    if let Some(every) = manager.watchdog() {
        let manager = manager.clone();
        engine.gives(Heartbeat::new(every, Arc::new(move || manager.alive())));
    }
    let undelivered = recovered.outbox.clone();
    engine.resume(&recovered, pauses, policy).await;
    let silences = Arc::new(SilenceService::new(
        shared.clone(),
        secrets.clone(),
        silences,
        ids(),
    ));
    let alerters = AlerterHealth::default();
    let alerts = AlertService {
        shared: shared.clone(),
        undelivered,
        arrivals,
        alerters: plugins.clone(),
        holds: Arc::new(Holds::new(
            shared.clone(),
            Arc::new(recovery.clone()),
            silences.clone(),
        )),
        numbers: numbers.clone(),
        health: alerters.clone(),
        ids: ids(),
        forgotten,
    };
    let alerter_watch = AlerterWatch {
        shared: shared.clone(),
        plugins: plugins.clone(),
        health: alerters.clone(),
        watch: GapWatch::resume(told_failing),
    };
    let unhandled_routes = UnhandledRoutes::default();
    let route_watch = RouteWatch {
        shared: shared.clone(),
        plugins: plugins.clone(),
        unhandled: unhandled_routes.clone(),
        watch: GapWatch::resume(told_unhandled),
    };
    let last_reload = LastReloadCell::default();
    let (hints_sender, hints) = mpsc::channel(16);
    let watch = ConfigWatch::new(&config, hints_sender);
    let source = FileConfig::new(config.clone(), secrets.clone(), watch);
    let reload_asked = Arc::new(Notify::new());
    let reload = ReloadService {
        source: Arc::new(source),
        hints,
        asked: reload_asked.clone(),
        plugins: plugins.clone(),
        spec: spec_sender,
        journal: shared.journal.clone(),
        clock: clock.clone(),
        last: last_reload.clone(),
        manager: manager.clone(),
    };
    let host: Arc<dyn HostView> = Arc::new(Host {
        spec: spec.clone(),
        backup_key,
        started_at,
        clock: clock.clone(),
        last_reload,
        unhandled_routes,
        alerters: alerters.clone(),
        listed: Mutex::default(),
    });
    let alert_tests: Arc<dyn AlertTests> = Arc::new(AlertTestService::new(
        shared.clone(),
        plugins.clone(),
        ids(),
        alerters,
    ));
    let counts = sqlite.clone();
    let metrics_ports = MetricsPorts {
        alerters: alert_tests.clone(),
        backups: Arc::new(backups.clone()),
        plugins: plugins.clone(),
        host: host.clone(),
        condition: Arc::new(mode.clone()),
        silences: silences.clone(),
        journal: Arc::new(move || counts.numbers()),
        clock: clock.clone(),
    };
    let open = recovered.incidents.iter();
    let open = open.map(|incident| (incident.id.clone(), incident.severity));
    let metrics = Arc::new(Metrics::new(numbers, metrics_ports, open));
    let counting = MetricsService::new(metrics.clone(), counted);
    let of_statsd = metrics.clone();
    let api_spec = spec.borrow().host.api.clone();
    let tcp = match api_spec {
        None => None,
        Some(api) => {
            let current = {
                let secrets = secrets.clone();
                let name = api.token.clone();
                move || secrets.value(&name).ok()
            };
            current().with_context(|| format!("secret `{}` is not there", api.token))?;
            Some(TcpAccess {
                listen: api.listen,
                token: Arc::new(current),
                token_name: api.token,
                hosts: api.hosts,
            })
        }
    };
    let recovery: Arc<dyn RecoveryControl> = Arc::new(recovery);
    let order_ports = OrderPorts {
        shared: shared.clone(),
        targets: Arc::new(supervisor.clone()),
        commands: commands.clone(),
        reports: Arc::new(monitor.clone()),
        recovery: recovery.clone(),
        store: Arc::new(orders_file),
        secrets: secrets.clone(),
    };
    let orders = TargetOrders::new(order_ports, ordered);
    let operators: Arc<dyn RecoveryControl> = Arc::new(OperatorWords {
        recovery,
        secrets: secrets.clone(),
    });
    let api_state = ApiState {
        journal: shared.journal.clone(),
        records: records.clone(),
        recovery: operators.clone(),
        silences,
        alert_tests,
        notes: Arc::new(NoteService {
            shared: shared.clone(),
            secrets: secrets.clone(),
        }),
        backups: Arc::new(backups.clone()),
        watch: Arc::new(monitor.clone()),
        targets: Arc::new(supervisor.clone()),
        orders: Arc::new(orders.clone()),
        plugins: plugins.clone(),
        host,
        condition: Arc::new(mode),
        coordinator,
        accounts: Arc::new(LocalAccounts),
        secrets: secrets.clone(),
        clock: clock.clone(),
        changed: monitor.changed(),
        metrics,
        socket: socket_rights(&spec.borrow().host.socket, &LocalAccounts)?,
    };
    let api = Api::bind(api_state, directory.clone(), tcp).await?;

    intake.spawn("reload", |stop| async move { reload.run(stop).await });
    intake.spawn("api", |stop| api.run(stop));
    if let Some(statsd) = statsd {
        let telling = statsd.service(of_statsd, operators.clone());
        base.spawn("statsd", |stop| telling.run(stop));
    }
    if manager.is_there() {
        let status_line = StatusLineService {
            shared: shared.clone(),
            watch: Arc::new(monitor.clone()),
            recovery: operators,
            manager: manager.clone(),
        };
        intake.spawn("status-line", |stop| status_line.run(stop));
    }
    intake.spawn("orders", |stop| async move { orders.run(stop).await });
    work.spawn("monitor", |stop| async move { monitor.run(stop).await });
    work.spawn("recovery", |stop| async move { engine.run(stop).await });
    work.spawn("routes", |stop| async move { route_watch.run(stop).await });
    work.spawn("mode", |stop| mode_service.run(stop));
    work.spawn(
        "alerters",
        |stop| async move { alerter_watch.run(stop).await },
    );
    work.try_spawn("backup", |stop| backups.run(stop));
    work.spawn("alerts", |stop| async move { alerts.run(stop).await });
    let upkeep = HistoryPruner {
        shared: shared.clone(),
        settled,
    };
    base.spawn("upkeep", |stop| async move { upkeep.run(stop).await });
    let disk = DiskStateService {
        disk: sqlite.room(),
        shared: shared.clone(),
    };
    base.spawn("room", |stop| async move { disk.run(stop).await });
    let (looked_for, of_told) = (sqlite.clone(), shared.clone());
    base.spawn("told", |stop| told::keep_short(looked_for, of_told, stop));
    let damage = sqlite.damage();
    base.spawn("journal-damage", |stop| {
        host_events::record_damage(damage, shared.clone(), stop)
    });
    base.try_spawn("supervisor", |stop| supervisor.run(stop));
    base.spawn("metrics", |stop| async move { counting.run(stop).await });
    if reaper::is_init() {
        base.try_spawn("reaper", reaper::run);
    }

    let stops = signals.with_stops().context("cannot listen to signals")?;
    let name = spec.borrow().host.name.clone();
    let is_durable = record_host_event(
        &shared,
        EventKind::HostStarted,
        format!("mainstay {version} is ready on {name}"),
    )
    .await;
    if was_full && is_durable {
        // Nobody saw the end of what the daemon before told of.
        let message = "the journal is written again, by a daemon that started since".to_owned();
        record_host_event(&shared, EventKind::JournalWritable, message).await;
    }
    manager.ready();
    let (why, words) = tokio::select! { biased;
        why = ended_early.wait() => (Some(why.clone()), why.clone()),
        asked = stops.until_asked(&reload_asked, || processes.reopen_logs()) => (None, asked.to_owned()),
    };
    manager.stopping(&words);
    let deadline = spec.borrow().host.shutdown_deadline;
    let message = format!("{words}; it stops within {deadline:?}");
    wait_at_most(
        LAST_WORD,
        record_host_event(&shared, EventKind::HostStopping, message),
    )
    .await;
    let stragglers = tasks.stop(deadline).await;
    // What checks left behind in the last seconds.
    let finish = tokio::task::spawn_blocking(finish_remains);
    let _ = tokio::time::timeout(LAST_LOOK, finish).await;
    // The last event is not awaited by its writer, but the next daemon must find it.
    match shared.journal.written().await {
        Ok(Committed::Durable(_) | Committed::Written) => {}
        Ok(Committed::Held) => tracing::error!(
            "the journal cannot be written: what is held in memory is lost, unless it can within seconds"
        ),
        Err(error) => tracing::error!("{error}"),
    }
    // Tasks that did not stop, and what they share, may hold the journal for longer.
    let closing = tokio::task::spawn_blocking(move || sqlite.close());
    if tokio::time::timeout(LAST_WRITES, closing).await.is_err() {
        tracing::error!(
            "the journal does not close; the next daemon goes on with its write-ahead log"
        );
    }
    ending(why, &stragglers, deadline)?;
    tracing::info!("stopped");
    Ok(())
}

/// An error, and so another exit code than 0, where something ended though nobody asked it to, or did not stop.
fn ending(why: Option<String>, stragglers: &[&str], deadline: Duration) -> anyhow::Result<()> {
    let names = stragglers.join(", ");
    let deaf = format!("did not stop within {deadline:?}: {names}");
    match (why, stragglers.is_empty()) {
        (None, true) => Ok(()),
        (None, false) => anyhow::bail!("{deaf}"),
        (Some(why), true) => anyhow::bail!("{why}; the daemon has stopped"),
        (Some(why), false) => anyhow::bail!("{why}; {deaf}"),
    }
}

/// Each supervised process takes a descriptor while it lives; where they run out, looks and starts fail.
fn warn_of_few_files(spec: &Spec, open_files: Option<u64>) {
    let supervised = spec.targets.iter();
    let supervised = supervised.filter(|target| target.process.is_some()).count();
    let needed =
        u64::try_from(supervised).map_or(u64::MAX, |count| count.saturating_add(OTHER_FILES));
    if let Some(open_files) = open_files.filter(|&open_files| open_files < needed) {
        tracing::warn!(
            open_files,
            needed,
            "the daemon may not open as many files as its processes and checks need; raise its hard limit, e.g. with LimitNOFILE= of systemd"
        );
    }
}

/// The config is refused where one directory lies in the other as they are written; links are only known here.
fn check_apart(state_dir: &Path, plugin_dir: &Path) -> anyhow::Result<()> {
    // A directory that is not there yet is made where its name says.
    let (Ok(state), Ok(plugins)) = (state_dir.canonicalize(), plugin_dir.canonicalize()) else {
        return Ok(());
    };
    anyhow::ensure!(
        !state.starts_with(&plugins) && !plugins.starts_with(&state),
        "`plugin_dir` is {}, and `state_dir` {}: the host would take its own files for plugins; name directories beside one \
         another",
        plugins.display(),
        state.display()
    );
    Ok(())
}

/// How far back closed incidents are read: what closed within a relapse window may still be the same incident.
fn remembered(spec: &Spec) -> Duration {
    let windows = spec.routes.iter().map(|route| route.relapse_window);
    windows.fold(RECOVERY_REMEMBERS, Ord::max)
}

fn previous_run(recovered: &Recovered) -> PreviousRun {
    PreviousRun {
        processes: recovered.processes.clone(),
        paused_targets: recovered.paused_targets.clone(),
        paused_host: recovered.paused_host,
    }
}

/// Lets go of the builds that neither serve nor were at work in an operation that has not ended.
fn prune_plugin_store(host: &PluginHost, recovered: &Recovered) {
    let at_work = recovered.operations.iter();
    let needed = at_work.filter_map(|operation| operation.handler_digest.clone());
    let in_call = recovered.open_calls.iter();
    let needed = needed.chain(in_call.map(|record| record.digest.clone()));
    match host.prune_store(needed.collect()) {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "builds that nothing needs left the plugin store"),
        Err(error) => tracing::warn!(%error, "the plugin store could not be pruned"),
    }
}

/// Differs for each run and each caller: identifiers of two sources never collide within a millisecond but by chance.
fn seed(clock: &Arc<dyn Clock>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(&clock.now().as_millis().to_le_bytes());
    hasher.update(&clock.monotonic().elapsed().as_nanos().to_le_bytes());
    let bytes = *hasher.finalize().as_bytes();
    bytes
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// The wall clock alone, for who needs no other.
fn wall_clock(clock: &Arc<dyn Clock>) -> WallClock {
    let clock = Arc::clone(clock);
    Arc::new(move || clock.now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use mainstay_domain::spec::{RouteSpec, Strategy, Workflow};

    #[test]
    fn a_plugin_directory_that_a_link_leads_into_the_state_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for directory in ["state/plugins", "plugins/below"] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        std::os::unix::fs::symlink("state/plugins", at("link")).unwrap();
        std::os::unix::fs::symlink("plugins/below", at("state-link")).unwrap();
        for (state, plugins, is_good) in [
            ("state", "plugins", true),
            ("state", "missing", true),
            ("state", "link", false),
            ("state-link", "plugins", false),
            ("state", "state", false),
        ] {
            let checked = check_apart(&at(state), &at(plugins));
            assert_eq!(checked.is_ok(), is_good, "{state} {plugins}: {checked:?}");
        }
    }

    #[test]
    fn a_daemon_of_which_something_ended_or_does_not_stop_ends_with_that_as_an_error() {
        let end = |why: Option<&str>, stragglers: &[&str]| {
            let ended = ending(why.map(str::to_owned), stragglers, Duration::from_secs(30));
            ended.map_err(|error| error.to_string())
        };
        let failed = |words: &str| Err(words.to_owned());
        let why = Some("the service weak failed: the listener broke");
        assert_eq!(end(None, &[]), Ok(()));
        assert_eq!(
            end(why, &[]),
            failed("the service weak failed: the listener broke; the daemon has stopped")
        );
        assert_eq!(
            end(None, &["alerts", "backup"]),
            failed("did not stop within 30s: alerts, backup")
        );
        assert_eq!(
            end(why, &["alerts"]),
            failed("the service weak failed: the listener broke; did not stop within 30s: alerts")
        );
    }

    #[test]
    fn what_closed_within_the_longest_relapse_window_is_read_at_the_start() {
        let mut spec = Spec::clone(&specs::spec(Vec::new()));
        let hour = Duration::from_secs(3600);
        assert_eq!(remembered(&spec), hour);
        let route = |relapse_window| RouteSpec {
            failure: None,
            target: None,
            severity: None,
            strategy: Strategy::Immediate { max_attempts: 1 },
            decider: None,
            cooldown: Duration::ZERO,
            relapse_window,
            workflow: Workflow::Standard,
            simulate: false,
            chain: Vec::new(),
        };
        spec.routes = [5 * hour, Duration::ZERO].map(route).into();
        assert_eq!(remembered(&spec), 5 * hour);
    }
}

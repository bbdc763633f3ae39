//! Applies a changed config: parse, validate, compare, build, publish. What is wrong with it changes nothing.
//!
//! Invariant: a change of the files is applied by itself; a change behind an unchanged config, of a secret's file say,
//! is applied when someone asks for it.
//! Invariant: where the host can open no file, nothing is refused; it is looked again.
//! Invariant: one reload at a time, the newest wins; the config that serves is always one whole, valid config, with
//! the secrets that belong to it.

use crate::ports::{Boxed, Clock, ConfigError, ConfigSource, Journal, LastReload, ServiceManager};
use mainstay_domain::{
    code::ErrorCode,
    config_difference::ConfigDifference,
    event::{ConfigApplied, ConfigRejected, Event, EventKind},
    name::PluginName,
    record::Change,
    severity::Severity,
    spec::{PluginSpec, Spec},
};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// After a hint the files are given this long to come to rest: an editor writes several.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// Hints may be lost, so the files are looked at this often anyway.
const RESCAN: Duration = Duration::from_secs(5);

/// Why plugins do not take what they are to be configured with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginSettingsError {
    /// There is no plugin host yet.
    #[error("plugins are not loaded yet")]
    NotLoaded,
    /// One cannot be configured so; a sentence for people.
    #[error("{0}")]
    Refused(String),
}

/// Stages and publishes what plugins are configured with; the part of the plugin host that a reload needs.
pub trait PluginSettings: Send + Sync {
    /// All or nothing.
    fn apply(
        &self,
        plugins: BTreeMap<PluginName, PluginSpec>,
    ) -> Boxed<'_, Result<(), PluginSettingsError>>;

    /// As [`Self::apply`], of what is applied already: a plugin that was dropped since may not take it.
    fn check(&self, plugins: &BTreeMap<PluginName, PluginSpec>) -> Result<(), PluginSettingsError>;
}

/// Why a changed config is not applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ReloadError {
    /// It does not serve.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It changes what a running daemon cannot change.
    #[error("{0} changed: that needs a restart of the daemon")]
    NeedsRestart(&'static str),
    /// Plugins do not take it.
    #[error(transparent)]
    Plugins(#[from] PluginSettingsError),
}

/// The service.
pub struct ReloadService {
    /// Where configs come from.
    pub source: Arc<dyn ConfigSource>,
    /// A hint for each change that may have happened.
    pub hints: mpsc::Receiver<()>,
    /// Somebody asks for a reload, whether anything has changed or not.
    pub asked: Arc<Notify>,
    /// Where plugins are configured.
    pub plugins: Arc<dyn PluginSettings>,
    /// Where everyone gets the newest config.
    pub spec: watch::Sender<Arc<Spec>>,
    /// Where outcomes are written.
    pub journal: Arc<dyn Journal>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// What `status` shows.
    pub last: LastReloadCell,
    /// Is told of each reload.
    pub manager: Arc<dyn ServiceManager>,
}

/// The outcome of the last reload, shared with `status`.
#[derive(Debug, Clone, Default)]
pub struct LastReloadCell(Arc<RwLock<Option<LastReload>>>);

impl LastReloadCell {
    /// The outcome; absent before the first.
    pub fn get(&self) -> Option<LastReload> {
        self.0.read().clone()
    }

    fn set(&self, reload: LastReload) {
        *self.0.write() = Some(reload);
    }
}

impl ReloadService {
    /// Runs until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut seen = Some(self.spec.borrow().digest.clone());
        let mut is_owed = false;
        loop {
            let is_asked = tokio::select! { biased;
                () = stop.cancelled() => return,
                () = self.asked.notified() => true,
                hint = self.hints.recv() => {
                    if hint.is_none() {
                        return;
                    }
                    tokio::time::sleep(DEBOUNCE).await;
                    while self.hints.try_recv().is_ok() {}
                    false
                }
                () = tokio::time::sleep(RESCAN) => false,
            };
            let mut digest = self.source.digest().await;
            if digest.is_none() {
                // It may have been the host that could not read; that may be over by now.
                tokio::time::sleep(DEBOUNCE).await;
                digest = self.source.digest().await;
            }
            // A file that was refused is not refused again until it changes.
            if is_asked || is_owed || digest != seen {
                self.manager.reloading();
                is_owed = !self.reload().await;
                self.manager.ready();
                if !is_owed {
                    seen = digest;
                }
            }
        }
    }

    /// False where the host itself could not read the config: it is owed.
    async fn reload(&self) -> bool {
        let at = self.clock.now();
        let before = Arc::clone(&self.spec.borrow());
        let outcome = self.try_reload().await.map_err(|error| error.to_string());
        if let Err(error) = &outcome
            && let Some(lack) = self.source.lack()
        {
            tracing::warn!(
                lack,
                error,
                "the config cannot be looked at; it is tried again within {RESCAN:?}"
            );
            return false;
        }
        let event = match &outcome {
            Ok(spec) => {
                let difference = before.difference(spec);
                let message = applied(&spec.digest, &difference);
                let facts = ConfigApplied::new(spec.digest.clone(), difference);
                Event::new(EventKind::ConfigApplied, Severity::Low, at, message).with_data(facts)
            }
            Err(error) => {
                let message = ErrorCode::ConfigRefused.mark(format!(
                    "config refused, the one before still applies: {}",
                    first_error(error)
                ));
                Event::new(EventKind::ConfigRejected, Severity::High, at, message).with_data(
                    ConfigRejected {
                        error: error.clone(),
                    },
                )
            }
        };
        self.last.set(LastReload {
            at,
            ok: outcome.is_ok(),
            error: outcome.err(),
        });
        if let Err(error) = self.journal.commit(vec![Change::Event(event)].into()).await {
            tracing::error!(%error, "the outcome of a reload is not in the journal");
        }
        true
    }

    async fn try_reload(&self) -> Result<Arc<Spec>, ReloadError> {
        let next = Arc::new(self.source.load().await?);
        let current = Arc::clone(&self.spec.borrow());
        if let Some(key) = needs_restart(&current, &next) {
            return Err(ReloadError::NeedsRestart(key));
        }
        // While plugins are configured, calls go on under the settings of before.
        self.source.prepare(&next).await?;
        let plugins = next.plugin_specs();
        let applied = match plugins == current.plugin_specs() {
            true => self.plugins.check(&plugins),
            false => self.plugins.apply(plugins).await,
        };
        if let Err(error) = applied {
            self.source.abandon();
            return Err(error.into());
        }
        self.spec.send_replace(Arc::clone(&next));
        self.source.adopt();
        Ok(next)
    }
}

/// The key that cannot change under a running daemon, if one did.
fn needs_restart(current: &Spec, next: &Spec) -> Option<&'static str> {
    let (was, will) = (&current.host, &next.host);
    match () {
        () if was.state_dir != will.state_dir => Some("host.state_dir"),
        () if was.plugin_dir != will.plugin_dir => Some("host.plugin_dir"),
        () if was.api != will.api || was.socket != will.socket => Some("host.api"),
        () if current.backups() != next.backups() => Some("tier.local.path"),
        () => None,
    }
}

/// What is said of a config that is in use now.
fn applied(digest: &str, difference: &ConfigDifference) -> String {
    let what = match difference.is_empty() {
        true => "it says what the one before said".to_owned(),
        false => difference.sentence(),
    };
    format!("config {} applied: {what}", short(digest))
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// The first error of a config, with its place; what is no list of problems is one line. A warning that stands before it
/// is no reason.
fn first_error(text: &str) -> String {
    let mut lines = text.lines();
    let Some(error) = lines.find(|line| line.starts_with("error: ")) else {
        return text.lines().next().unwrap_or_default().to_owned();
    };
    let place = lines.next().map(str::trim_start);
    match place.and_then(|line| line.strip_prefix("--> ")) {
        Some(place) => format!("{error} ({place})"),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{ManualClock, MemoryJournal, specs::spec, wait_until};
    use parking_lot::Mutex;

    /// A config that is always the same; notes what became of its secrets, and which config then served.
    struct Source {
        config: Arc<Spec>,
        serving: watch::Receiver<Arc<Spec>>,
        steps: Mutex<Vec<(&'static str, bool)>>,
        lack: Mutex<Option<String>>,
    }

    impl Source {
        fn note(&self, step: &'static str) {
            let is_next = self.serving.borrow().plugins == self.config.plugins;
            self.steps.lock().push((step, is_next));
        }
    }

    impl ConfigSource for Source {
        fn load(&self) -> Boxed<'_, Result<Spec, ConfigError>> {
            Box::pin(async {
                match &*self.lack.lock() {
                    Some(lack) => Err(ConfigError::Invalid(lack.clone())),
                    None => Ok((*self.config).clone()),
                }
            })
        }
        fn prepare<'a>(&'a self, _: &'a Spec) -> Boxed<'a, Result<(), ConfigError>> {
            self.note("prepare");
            Box::pin(async { Ok(()) })
        }
        fn adopt(&self) {
            self.note("adopt");
        }
        fn abandon(&self) {
            self.note("abandon");
        }
        fn digest(&self) -> Boxed<'_, Option<String>> {
            Box::pin(async { Some(String::new()) })
        }
        fn lack(&self) -> Option<String> {
            self.lack.lock().clone()
        }
    }

    /// Notes beside what becomes of the secrets what the service manager is told.
    struct Manager(Arc<Source>);

    impl ServiceManager for Manager {
        fn reloading(&self) {
            self.0.note("reloading");
        }
        fn ready(&self) {
            self.0.note("ready");
        }
        fn status(&self, _: &str) {}
    }

    struct Configured(Result<(), PluginSettingsError>);

    impl PluginSettings for Configured {
        fn apply(
            &self,
            _: BTreeMap<PluginName, PluginSpec>,
        ) -> Boxed<'_, Result<(), PluginSettingsError>> {
            Box::pin(async { self.0.clone() })
        }
        fn check(&self, _: &BTreeMap<PluginName, PluginSpec>) -> Result<(), PluginSettingsError> {
            match &self.0 {
                Err(PluginSettingsError::NotLoaded) => Ok(()),
                judged => judged.clone(),
            }
        }
    }

    struct Bench {
        source: Arc<Source>,
        journal: Arc<MemoryJournal>,
        service: ReloadService,
        hint: mpsc::Sender<()>,
    }

    /// `next` is there; plugins answer to their settings with `configured`.
    fn bench(next: Arc<Spec>, configured: Result<(), PluginSettingsError>) -> Bench {
        let (hint, hints) = mpsc::channel(1);
        let (sender, serving) = watch::channel(spec(Vec::new()));
        let journal = MemoryJournal::new();
        let source = Arc::new(Source {
            config: next,
            serving,
            steps: Mutex::default(),
            lack: Mutex::default(),
        });
        let service = ReloadService {
            source: source.clone(),
            hints,
            asked: Arc::default(),
            plugins: Arc::new(Configured(configured)),
            spec: sender,
            journal: journal.clone(),
            clock: ManualClock::new(),
            last: LastReloadCell::default(),
            manager: Arc::new(Manager(source.clone())),
        };
        Bench {
            source,
            journal,
            service,
            hint,
        }
    }

    #[tokio::test]
    async fn who_asks_for_a_reload_has_the_secrets_of_an_unchanged_config_read_again() {
        let Bench {
            source,
            journal,
            service,
            hint,
        } = bench(spec(Vec::new()), Err(PluginSettingsError::NotLoaded));
        let (asked, stop) = (service.asked.clone(), CancellationToken::new());
        let running = tokio::spawn(service.run(stop.clone()));
        hint.send(()).await.unwrap();
        // Taken up only after the hint before it was.
        wait_until("the hint is taken", || hint.capacity() == 1).await;
        asked.notify_one();
        wait_until("the reload", || source.steps.lock().len() == 4).await;
        assert_eq!(journal.kinds(), [EventKind::ConfigApplied]);
        let steps = ["reloading", "prepare", "adopt", "ready"].map(|step| (step, true));
        assert_eq!(
            *source.steps.lock(),
            steps,
            "the service manager is told of it"
        );
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn secrets_are_adopted_only_once_the_config_that_names_them_serves() {
        let mut next = (*spec(Vec::new())).clone();
        let plugin = PluginName::parse("slack").unwrap();
        next.plugins.insert(plugin, PluginSpec::default());
        let next = Arc::new(next);
        for (configured, then) in [
            (Ok(()), ("adopt", true)),
            (
                Err(PluginSettingsError::Refused("so".to_owned())),
                ("abandon", false),
            ),
        ] {
            let bench = bench(next.clone(), configured.clone());
            let outcome = bench.service.try_reload().await.map(drop);
            assert_eq!(outcome, configured.map_err(ReloadError::Plugins));
            assert_eq!(*bench.source.steps.lock(), [("prepare", false), then]);
        }
    }

    #[tokio::test]
    async fn a_plugin_that_refuses_what_is_applied_already_is_judged_as_by_a_check() {
        let refused = PluginSettingsError::Refused("so".to_owned());
        let bench = bench(spec(Vec::new()), Err(refused.clone()));
        let outcome = bench.service.try_reload().await.map(drop);
        assert_eq!(outcome, Err(ReloadError::Plugins(refused)));
        assert_eq!(
            *bench.source.steps.lock(),
            [("prepare", true), ("abandon", true)]
        );
    }

    #[tokio::test]
    async fn what_a_config_says_otherwise_is_told_by_its_names_and_never_by_what_it_says() {
        let mut next = (*spec(Vec::new())).clone();
        next.digest = "ab12".to_owned();
        next.host.keep_history = Duration::from_secs(7);
        let plugin = PluginSpec {
            settings: serde_json::json!({ "token": "plain-secret" }),
            ..PluginSpec::default()
        };
        next.plugins
            .insert(PluginName::parse("slack").unwrap(), plugin);
        let bench = bench(Arc::new(next), Ok(()));
        for expected in [
            "config ab12 applied: added plugin.slack; changed host.keep_history",
            "config ab12 applied: it says what the one before said",
        ] {
            assert!(bench.service.reload().await);
            let events = bench.journal.events();
            assert_eq!(events.last().unwrap().message, expected);
        }
        let told = format!("{:?}", bench.journal.events());
        assert!(told.contains(r#"added: ["plugin.slack"]"#), "{told}");
        assert!(!told.contains("plain-secret"), "{told}");
    }

    #[test]
    fn a_refusal_is_told_by_its_first_error_and_where_that_is() {
        let rendered = "warning: odd\n --> a.toml:1:1\n  |\n\nerror: bad\n --> a.toml:2:3\n  |\n\nerror: worse";
        assert_eq!(first_error(rendered), "error: bad (a.toml:2:3)");
        assert_eq!(first_error("error: bad"), "error: bad");
        assert_eq!(first_error("secret a\nsecret b"), "secret a");
        assert_eq!(first_error(""), "");
    }

    #[tokio::test]
    async fn a_config_that_the_host_cannot_read_for_want_of_descriptors_is_not_refused() {
        let bench = bench(spec(Vec::new()), Ok(()));
        *bench.source.lack.lock() = Some("too many open files".to_owned());
        assert!(!bench.service.reload().await, "it is owed");
        assert_eq!(bench.journal.kinds(), []);
        assert_eq!(bench.service.last.get(), None);
        *bench.source.lack.lock() = None;
        assert!(bench.service.reload().await);
        assert_eq!(bench.journal.kinds(), [EventKind::ConfigApplied]);
    }
}

//! Where every plugin file and version stands, as `mainstay plugin list` shows it.

use crate::{
    candidate::Loaded,
    error::LoadError,
    plugin::{Plugin, Record},
};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginIdentity, PluginInstanceRow, PluginRow, PluginState},
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

/// Versions that are shown after they were freed.
const RETIRED: usize = 16;

/// A file that does not serve, for what it holds now.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) state: PluginState,
    pub(crate) plugin: Option<Arc<PluginIdentity>>,
    pub(crate) digest: String,
    pub(crate) reason: Option<String>,
    /// The reason, where it is that the plugin refuses its settings.
    pub(crate) settings: Option<LoadError>,
    /// What the reason comes down to: of one cause people are told once.
    pub(crate) cause: Option<String>,
}

/// A version that was taken out of service.
struct WithdrawnVersion {
    row: PluginRow,
    loaded: Weak<Loaded>,
    record: Arc<Record>,
    /// Those of its instances, in the order of the row's.
    of_instances: Vec<Arc<Record>>,
}

/// What is not in the registry: files that wait or were refused, versions that drain or are gone; and the file of
/// each version that is.
#[derive(Default)]
pub(crate) struct Ledger {
    waiting: BTreeMap<PathBuf, Waiting>,
    files: BTreeMap<String, PathBuf>,
    withdrawn: VecDeque<WithdrawnVersion>,
}

impl Ledger {
    /// Replaces what is known of files.
    pub(crate) fn set_files(
        &mut self,
        waiting: BTreeMap<PathBuf, Waiting>,
        files: BTreeMap<String, PathBuf>,
    ) {
        self.waiting = waiting;
        self.files = files;
    }

    /// A version that was taken out of service; its row still names the file that it came from.
    pub(crate) fn withdraw(&mut self, plugin: &Plugin) {
        let file = self.files.get(&plugin.identity().digest);
        self.withdrawn.push_back(WithdrawnVersion {
            row: row(plugin, PluginState::Draining, file.map(PathBuf::as_path)),
            loaded: Arc::downgrade(&plugin.loaded),
            record: plugin.record.clone(),
            of_instances: plugin
                .instances
                .values()
                .map(|instance| instance.record.clone())
                .collect(),
        });
        while self.withdrawn.len() > RETIRED
            && self
                .withdrawn
                .front()
                .is_some_and(WithdrawnVersion::is_retired)
        {
            self.withdrawn.pop_front();
        }
    }

    /// The plugins that refuse their settings, with the reason.
    pub(crate) fn refusing(&self) -> impl Iterator<Item = (&Arc<PluginIdentity>, &LoadError)> {
        let waiting = self.waiting.values();
        waiting.filter_map(|waiting| Some((waiting.plugin.as_ref()?, waiting.settings.as_ref()?)))
    }

    /// Every row: what serves, what waits or was refused, what drains, what is gone.
    pub(crate) fn rows(&self, serving: &[Arc<Plugin>]) -> Vec<PluginRow> {
        let serves = |plugin: &Arc<Plugin>| {
            let file = self.files.get(&plugin.identity().digest);
            row(plugin, PluginState::Serving, file.map(PathBuf::as_path))
        };
        let waits = |(path, waiting): (&PathBuf, &Waiting)| PluginRow {
            name: waiting.plugin.as_ref().map(|plugin| plugin.name.clone()),
            version: waiting.plugin.as_ref().map(|plugin| plugin.version.clone()),
            kind: None,
            state: waiting.state,
            contract: None,
            file: Some(path.display().to_string()),
            digest: waiting.digest.clone(),
            serves: Vec::new(),
            calls: 0,
            failures: 0,
            last_error: waiting.reason.clone(),
            quarantined: false,
            instances: Vec::new(),
        };
        let serving = serving.iter().map(serves);
        let waiting = self.waiting.iter().map(waits);
        serving
            .chain(waiting)
            .chain(self.withdrawn.iter().map(WithdrawnVersion::row))
            .collect()
    }
}

impl WithdrawnVersion {
    fn is_retired(&self) -> bool {
        self.loaded.strong_count() == 0
    }

    fn row(&self) -> PluginRow {
        let mut row = self.row.clone();
        if self.is_retired() {
            row.state = PluginState::Retired;
        }
        count(&mut row, &self.record);
        for (instance, record) in row.instances.iter_mut().zip(&self.of_instances) {
            *instance = instance_row(&instance.name, record);
            instance.quarantined = false;
        }
        // Nobody calls it any more, so that it rests is nobody's concern.
        row.quarantined = false;
        row
    }
}

fn row(plugin: &Plugin, state: PluginState, file: Option<&Path>) -> PluginRow {
    let identity = plugin.identity();
    let mut row = PluginRow {
        name: Some(identity.name.clone()),
        version: Some(identity.version.clone()),
        kind: Some(plugin.kind()),
        state,
        contract: Some(plugin.shape().built_against.clone()),
        file: file.map(|path| path.display().to_string()),
        digest: identity.digest.clone(),
        serves: plugin
            .descriptor()
            .handles
            .iter()
            .map(ToString::to_string)
            .collect(),
        calls: 0,
        failures: 0,
        last_error: None,
        quarantined: false,
        instances: plugin
            .instances
            .iter()
            .map(|(name, instance)| instance_row(name, &instance.record))
            .collect(),
    };
    count(&mut row, &plugin.record);
    row
}

fn instance_row(name: &PluginName, record: &Record) -> PluginInstanceRow {
    let counts = record.counts();
    PluginInstanceRow {
        name: name.clone(),
        calls: counts.calls,
        failures: counts.failures,
        last_error: counts.last_error,
        quarantined: counts.quarantined,
    }
}

fn count(row: &mut PluginRow, record: &Record) {
    let counts = record.counts();
    row.calls = counts.calls;
    row.failures = counts.failures;
    row.last_error = counts.last_error;
    row.quarantined = counts.quarantined;
}

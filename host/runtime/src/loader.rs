//! From bytes to a plugin: check the contract, compile, describe; then, for given settings, configure.
//!
//! Invariant: nothing that serves is touched here; every step that fails says why and leaves nothing behind.
//! Invariant: `describe` and `configure` run without any grant, under limits.

mod code;
mod options;

pub use crate::candidate::{Candidate, Descriptor, Now};
pub use options::LoaderOptions;

use self::code::LookedUp;
use crate::{
    bindings::{Linkers, Program, RawDescriptor},
    candidate::{Loaded, LoaderContext},
    component_file,
    contract::Shape,
    effects::{Call, Purpose},
    engine::EngineError,
    error::LoadError,
    invoke::{CallDeadline, Invocation},
    plugin::Plugin,
    seeds::Seeds,
    settings::{CallSettings, Settings},
    settings_schema,
};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginIdentity, parse_version},
    secret::Masked,
    spec::{Grants, Limits, PluginSpec},
    text::excerpt,
};
use semver::Version;
use std::{collections::BTreeSet, io, path::Path, sync::Arc};

/// Loads plugins. Cheap to clone.
#[derive(Clone)]
pub struct Loader {
    shared: Arc<LoaderContext>,
}

impl Loader {
    /// A loader over an engine.
    pub fn new(options: LoaderOptions) -> Result<Self, EngineError> {
        let linkers = Linkers::new(options.engine.wasmtime())?;
        let seeds = Seeds::new().map_err(|error| EngineError::no_random_numbers(&error))?;
        Ok(Self {
            shared: Arc::new(LoaderContext {
                engine: options.engine,
                effects: options.effects,
                observer: options.observer,
                quarantine: options.quarantine,
                now: options.now,
                linkers,
                cache: options.cache,
                compiler: options.compiler,
                seeds,
            }),
        })
    }

    /// Reads a file and loads what is in it. What is no regular file, or larger than a plugin may be, is refused at once.
    pub async fn load_file(&self, path: &Path) -> Result<Candidate, LoadError> {
        self.load(component_file::read(path).await?.into()).await
    }

    /// Checks the contract, compiles where that was not done before, and asks the component what it is.
    pub async fn load(&self, bytes: Arc<[u8]>) -> Result<Candidate, LoadError> {
        let looked_up = self.look_up(&bytes).await?;
        self.load_looked_up(bytes, looked_up).await
    }

    /// The same, of what was looked up before.
    pub(crate) async fn load_looked_up(
        &self,
        bytes: Arc<[u8]>,
        looked_up: LookedUp,
    ) -> Result<Candidate, LoadError> {
        let LookedUp {
            digest,
            shape,
            cached,
        } = looked_up;
        let size_bytes = bytes.len() as u64;
        let component = match cached {
            Some(component) => component,
            None => self.compile(digest, bytes).await?,
        };
        let linkers = &self.shared.linkers;
        let program = linkers.link(shape.contract, shape.kind, &component);
        let program = program.map_err(|error| LoadError::Types(format!("{error:#}")))?;
        let digest = digest.to_hex().to_string();
        let descriptor = self.describe(&digest, &shape, &program).await?;
        let name = PluginName::parse(&descriptor.name)?;
        let version = parse_version(&descriptor.version).map_err(|reason| LoadError::Version {
            found: excerpt(&descriptor.version),
            reason,
        })?;
        let identity = PluginIdentity {
            name,
            version,
            digest,
        };
        // Its schema may hold patterns, which take a while.
        let parsing = tokio::task::spawn_blocking(move || Descriptor::parse(descriptor));
        let descriptor = parsing.await.map_err(|error| {
            LoadError::Host(format!("its settings schema was not read: {error}"))
        })??;
        Ok(Candidate(Arc::new(Loaded::new(
            identity, descriptor, shape, program, size_bytes,
        ))))
    }

    /// Removes from the cache what is compiled and not `needed`.
    pub(crate) fn prune_cache(&self, needed: &BTreeSet<String>) -> io::Result<()> {
        let LoaderContext { cache, engine, .. } = &*self.shared;
        cache
            .as_ref()
            .map_or(Ok(()), |cache| cache.prune(engine, needed))
    }

    async fn describe(
        &self,
        digest: &str,
        shape: &Shape,
        program: &Program,
    ) -> Result<RawDescriptor, LoadError> {
        let unnamed = Arc::new(PluginIdentity {
            name: PluginName::parse("unnamed")?,
            version: Version::new(0, 0, 0),
            digest: digest.to_owned(),
        });
        let invocation = ungranted(
            "describe",
            unnamed,
            shape,
            Purpose::Describe,
            Limits::default(),
            CallSettings::nothing(),
        );
        let LoaderContext {
            engine, effects, ..
        } = &*self.shared;
        let described = invocation.run(
            engine,
            effects.clone(),
            program,
            &(),
            |program, store, ()| Box::pin(program.describe(store)),
        );
        let (described, _) = described.await.settled().await;
        described.map_err(|error| LoadError::Describe(error.cause))
    }

    /// Checks the settings, and those of its instances, against the schema that the plugin declares, and with the plugin
    /// itself. What comes out is ready to serve.
    pub async fn configure(
        &self,
        candidate: &Candidate,
        spec: &PluginSpec,
    ) -> Result<Plugin, LoadError> {
        let mut plugin = match spec.only_instances {
            false => {
                let name = &candidate.identity().name;
                self.configure_alone(candidate, name, spec).await?
            }
            // Nobody said what it is to be configured with.
            true => Plugin::new(
                self.shared.clone(),
                candidate.0.clone(),
                spec,
                Settings::of(spec),
            ),
        };
        for (name, spec) in &spec.instances {
            let instance = self.configure_alone(candidate, name, spec).await?;
            plugin.add_instance(instance.named(name));
        }
        Ok(plugin)
    }

    /// Checks the settings that are written under this name with the plugin itself, as its calls will see them.
    async fn configure_alone(
        &self,
        candidate: &Candidate,
        name: &PluginName,
        spec: &PluginSpec,
    ) -> Result<Plugin, LoadError> {
        let loaded = &candidate.0;
        let settings = Settings::of(spec);
        let seed = self.shared.seeds.draw();
        let settings_of_call = settings.for_call(&seed);
        self.check_schema(loaded, name, spec, &settings_of_call)
            .await?;
        let identity = loaded.identity.clone();
        let invocation = ungranted(
            "configure",
            identity,
            &loaded.shape,
            Purpose::Configure,
            spec.limits,
            settings_of_call.clone(),
        );
        let LoaderContext {
            engine, effects, ..
        } = &*self.shared;
        let configured = invocation.run(
            engine,
            effects.clone(),
            &loaded.program,
            &settings_of_call.settings,
            |program, store, settings| Box::pin(program.configure(store, settings)),
        );
        let (configured, _) = configured.await.settled().await;
        configured?.map_err(|reason| LoadError::Settings {
            plugin: name.clone(),
            reason: reason.masked(&settings_of_call.secrets),
        })?;
        Ok(Plugin::new(
            self.shared.clone(),
            loaded.clone(),
            spec,
            settings,
        ))
    }

    /// On a thread for blocking work, for a pattern may take a while.
    async fn check_schema(
        &self,
        loaded: &Arc<Loaded>,
        name: &PluginName,
        spec: &PluginSpec,
        settings: &CallSettings,
    ) -> Result<(), LoadError> {
        if loaded.descriptor.settings_schema.is_none() {
            return Ok(());
        }
        let (of, seen) = (loaded.clone(), settings.secrets.put_into(&spec.settings));
        let checking = tokio::task::spawn_blocking(move || match &of.descriptor.settings_schema {
            Some(schema) => settings_schema::check(schema, &seen),
            None => Ok(()),
        });
        let checked = checking
            .await
            .map_err(|error| LoadError::Host(format!("the settings were not checked: {error}")))?;
        checked.map_err(|reason| LoadError::SettingsSchema {
            plugin: name.clone(),
            reason: reason.masked(&settings.secrets),
        })
    }
}

fn ungranted(
    function: &'static str,
    plugin: Arc<PluginIdentity>,
    shape: &Shape,
    purpose: Purpose,
    limits: Limits,
    settings_of_call: CallSettings,
) -> Invocation {
    Invocation {
        function,
        call: Arc::new(Call {
            plugin,
            kind: shape.kind,
            purpose,
            grants: Arc::new(Grants::default()),
            secrets: settings_of_call.secrets,
            limits,
            // What a plugin says of itself and of its settings follows from them alone.
            seed: [0; 32],
            record: None,
            replay: None,
        }),
        // What is not checked yet is there to be checked, and for nothing else.
        settings: CallSettings::nothing().settings,
        deadline: CallDeadline::new(None, limits.timeout),
        extra_result_bytes: 0,
    }
}

#[cfg(test)]
mod tests;

//! A component as the daemon would look at it, without a grant.

use anyhow::Context;
use mainstay_domain::effect::{Effect, EffectError, EffectResult};
pub(super) use mainstay_runtime::inspect::Inspection;
use mainstay_runtime::{
    effects::{Boxed, Call, EffectPort, EffectSession, LogLine, Settling},
    engine::Engine,
    loader::{Loader, LoaderOptions},
};
use std::{path::Path, sync::Arc};

/// Looks at a component as the daemon would, without a grant.
pub(super) async fn inspect(file: &Path) -> anyhow::Result<Inspection> {
    let loader = loader()?;
    let candidate = loader.load_file(file).await?;
    Ok(Inspection::from(&candidate))
}

/// A loader whose plugins reach nothing.
pub(super) fn loader() -> anyhow::Result<Loader> {
    loader_with(Arc::new(NoEffects))
}

/// A loader whose plugins have these effects.
pub(super) fn loader_with(effects: Arc<dyn EffectPort>) -> anyhow::Result<Loader> {
    let engine = Engine::new().context("cannot start the engine")?;
    let options = LoaderOptions::new(engine, effects);
    Loader::new(options).context("cannot start the engine")
}

/// A plugin that only says what it is gets no effects.
struct NoEffects;

impl EffectSession for NoEffects {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        let denied = format!(
            "{} is not to be had while a plugin describes itself",
            effect.name()
        );
        Box::pin(std::future::ready(Err(EffectError::Denied(denied))))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}

impl EffectPort for NoEffects {
    fn begin(&self, _: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(NoEffects)
    }

    fn log(&self, _: &Call, line: LogLine) {
        tracing::debug!(?line, "the plugin logged");
    }
}

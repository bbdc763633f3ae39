//! Where the command line meets the rest of the program: one function for each command whose inside is elsewhere.

use super::{
    arguments::Global,
    failure::{Ending, WithHelp},
    output::Output,
};
use crate::{
    app::{self, RunOptions},
    config::{self, CheckReport},
    demo::{self, DemoOptions},
};
use anyhow::Context;
use mainstay_domain::effect::{Effect, EffectError, EffectResult};
pub(super) use mainstay_runtime::inspect::Inspection;
use mainstay_runtime::{
    effects::{Boxed, Call, EffectPort, LogLine},
    engine::Engine,
    loader::{Loader, LoaderOptions},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// `mainstay run`.
pub(super) async fn run(global: &Global, out: Output) -> anyhow::Result<Ending> {
    let file = std::path::absolute(config::find(global.config.as_deref())?)?;
    match config::load(&file) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                tracing::warn!("{}", warning.message);
            }
            let options = RunOptions {
                spec: loaded.spec,
                config: file,
            };
            app::run(options).await?;
            Ok(Ending::Done)
        }
        Err(errors) => {
            eprintln!("{}", config::render(&errors.problems, out.colour));
            Ok(Ending::BadConfig)
        }
    }
}

/// `mainstay demo`.
pub(super) async fn demo(out: Output, keep: bool) -> anyhow::Result<Ending> {
    let options = DemoOptions {
        json: out.json,
        keep,
    };
    Ok(if demo::run(options).await? {
        Ending::Done
    } else {
        Ending::Failed
    })
}

/// `mainstay check`.
pub(super) async fn check(global: &Global, out: Output) -> anyhow::Result<Ending> {
    let file = config::find(global.config.as_deref())?;
    let problems = match config::load(&file) {
        Ok(loaded) => loaded.warnings,
        Err(errors) => errors.problems,
    };
    let report = CheckReport::new(problems);
    if out.json {
        out.json_line(&report)?;
    } else if report.problems.is_empty() {
        out.line(&format!("{} is good", file.display()))?;
    } else {
        out.line(&config::render(&report.problems, out.colour))?;
    }
    Ok(if report.ok {
        Ending::Done
    } else {
        Ending::BadConfig
    })
}

/// Looks at a component as the daemon would, without a grant.
pub(super) async fn inspect(file: &Path) -> anyhow::Result<Inspection> {
    let engine = Engine::new().context("cannot start the engine")?;
    let options = LoaderOptions::new(engine, Arc::new(NoEffects));
    let loader = Loader::new(options).context("cannot start the engine")?;
    let candidate = loader.load_file(file).await?;
    Ok(Inspection::from(&candidate))
}

/// A plugin that only says what it is gets no effects.
struct NoEffects;

impl EffectPort for NoEffects {
    fn perform<'a>(&'a self, _: &'a Call, effect: Effect) -> Boxed<'a, EffectResult> {
        let denied = format!(
            "{} is not to be had while a plugin describes itself",
            effect.name()
        );
        Box::pin(std::future::ready(Err(EffectError::Denied(denied))))
    }

    fn log(&self, _: &Call, line: LogLine) {
        tracing::debug!(?line, "the plugin logged");
    }
}

/// Builds a package's component; where it is.
pub(super) async fn build_component(directory: &Path, package: &str) -> anyhow::Result<PathBuf> {
    const TARGET: &str = "wasm32-wasip2";
    let target_dir = std::path::absolute(directory)?.join("target");
    let mut cargo = tokio::process::Command::new("cargo");
    cargo.args([
        "build",
        "--package",
        package,
        "--target",
        TARGET,
        "--profile",
        "guest",
    ]);
    cargo
        .arg("--target-dir")
        .arg(&target_dir)
        .current_dir(directory);
    cargo.stdout(std::io::stderr());
    let status = cargo
        .status()
        .await
        .context("cannot start cargo; is Rust installed?")?;
    if !status.success() {
        return Err(WithHelp {
            error: format!("{package} was not built"),
            help: Some(format!(
                "where the target is missing: rustup target add {TARGET}"
            )),
        }
        .into());
    }
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(target_dir.join(TARGET).join("guest").join(file))
}

//! Where the command line meets the rest of the program: one function for each command whose inside is elsewhere.

use super::{
    arguments::Global,
    check,
    failure::Ending,
    output::{Output, for_standard_error},
};
use crate::{
    console,
    demo::{self, DemoOptions},
    toolchain::{Build, Toolchain},
};
use anyhow::Context;
use mainstay_daemon::{
    app::{self, RunOptions},
    config,
};
use mainstay_domain::text::counted;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// `mainstay run`.
pub(super) async fn run(global: &Global, out: &Output) -> anyhow::Result<Ending> {
    let file = std::path::absolute(config::find(global.config.as_deref())?)?;
    // Of what was read only the spec lives on: the texts of many files would stay in memory with the rest.
    let spec = match config::load(&file) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                tracing::warn!("{}", warning.message);
            }
            loaded.spec
        }
        Err(errors) => {
            let report = out.shown(&config::render(&errors.problems, out.colour));
            console::note(for_standard_error(&report));
            return Ok(Ending::BadConfig);
        }
    };
    app::run(RunOptions { spec, config: file }).await?;
    Ok(Ending::Done)
}

/// `mainstay demo`.
pub(super) async fn demo(out: &Output, keep: bool) -> anyhow::Result<Ending> {
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

/// `mainstay demo-service`: serves where it is told to listen, else verifies.
pub(super) async fn demo_service(
    listen: Option<SocketAddr>,
    data: &Path,
) -> anyhow::Result<Ending> {
    match listen {
        Some(address) => demo::service::serve(address, data.to_owned()).await?,
        None => console::print(format_args!(
            "{} documents are sound",
            demo::service::verify(data).map_err(anyhow::Error::msg)?
        )),
    }
    Ok(Ending::Done)
}

/// `mainstay check`.
pub(super) async fn check(global: &Global, out: &Output) -> anyhow::Result<Ending> {
    let file = config::find(global.config.as_deref())?;
    let (problems, drop_ins) = check::check(&file).await?;
    let report = config::report(&problems);
    if out.json {
        out.json_line(&report)?;
    } else if problems.is_empty() {
        let file = file.display();
        out.line(&match drop_ins {
            0 => format!("{file} is good"),
            some => format!(
                "{file} and {} of its conf.d are good",
                counted(some, "file")
            ),
        })?;
    } else {
        // Its marks point into lines of the config, which stay as they are.
        out.report(&config::render(&problems, out.colour))?;
    }
    Ok(if report.ok {
        Ending::Done
    } else {
        Ending::BadConfig
    })
}

/// Builds a package's component with a toolchain that is found or provided; where it is. With `yes` the toolchain may be
/// changed for it, else a person at a terminal is asked.
pub(super) async fn build_component(
    directory: &Path,
    package: &str,
    yes: bool,
) -> anyhow::Result<PathBuf> {
    let directory = std::path::absolute(directory)?;
    let package = package.to_owned();
    let build = move || -> anyhow::Result<PathBuf> {
        let report = |step: &str| console::note(step);
        let toolchain = Toolchain::find_or_provide(
            &directory,
            &|question: &str| yes || console::agrees(question),
            &report,
        )?;
        let build = Build {
            manifest_dir: &directory,
            package: Some(&package),
            features: &[],
            target_dir: None,
            locked: false,
        };
        Ok(toolchain.build(&build, &report)?)
    };
    tokio::task::spawn_blocking(build)
        .await
        .context("the build was broken off")?
}

//! `mainstay init`: a directory with a config, ready to run; its targets may come from another supervisor's files.
//!
//! Invariant: nothing that is there is overwritten; the config is written last, when all that it needs is in place. Where not
//! all can be written, or it is not started as it was asked for, nothing of it is left.
//! Invariant: the config is read by its owner alone where one of the files that it is made of is not for everybody.
//! Invariant: each line of a file that says something is carried, carried differently, or listed with the reason.

mod command_line;
mod config;
mod draft;
mod drop_ins;
mod entries;
mod made;
mod place;
mod procfile;
mod service;
mod supervisord;
mod systemd;
mod told;
mod unit_words;
mod words;

use super::{
    arguments::InitArguments,
    failure::{Ending, Usage},
    install,
    output::Output,
};
use crate::carried::{self, Carried};
use anyhow::{Context, bail, ensure};
use draft::Imported;
use made::Made;
use mainstay_domain::name::PluginName;
use service::Service;
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use told::Written;

/// The plugins of a new directory: those that the config names, and those that configs come to first.
const PLUGINS: [&str; 4] = [
    // The chain of its route.
    "restart-service",
    // Its alerts.
    "log-file",
    // What a restart does not mend.
    "run-command",
    // Jobs: without a policy every backup stays.
    "age-retention",
];
/// Where alerts are written to, as the config says too.
const ALERTS: &str = "alerts";
/// The largest file that targets are read from, bytes.
const LARGEST: u64 = 1 << 20;

/// A file of another supervisor.
#[derive(Debug, Clone, Default)]
struct Source {
    /// As it was named.
    file: String,
    /// Where it lies, an absolute path.
    directory: String,
    text: String,
    /// What changes it, in order: of a unit of systemd.
    drop_ins: Vec<DropIn>,
    /// The variables that lie beside it: of a Procfile.
    variables: Option<DropIn>,
}

/// A file that says more of what another one says.
#[derive(Debug, Clone, Default)]
struct DropIn {
    /// Where it was found.
    file: String,
    text: String,
}

/// A file's text.
struct Text {
    text: String,
    /// Whether everybody on the machine may read it.
    is_open: bool,
}

/// Reads the files of one other supervisor.
type Import = fn(&[Source]) -> Imported;

/// Whose files targets come from.
const FORMATS: [(&str, Import); 3] = [
    ("supervisord", supervisord::import),
    ("procfile", procfile::import),
    ("systemd", systemd::import),
];

/// `mainstay init`.
pub(super) fn init(out: &Output, arguments: InitArguments) -> anyhow::Result<Ending> {
    let InitArguments {
        directory,
        from,
        service,
        with,
        now,
    } = arguments;
    let named = directory.unwrap_or_else(|| PathBuf::from("."));
    let directory = std::path::absolute(&named).context("cannot tell the present directory")?;
    let file = directory.join("mainstay.toml");
    let service = service.map(|state| Service::new(&file, &state));
    let service = service.transpose()?;
    let unit = service.as_ref().map(|service| &service.file);
    place::check(&named, [Some(&file), unit], &with)?;
    if now {
        Service::check_startable(&file)?;
    }
    // All names are known before anything is written.
    for name in &with {
        install::named(name)?;
    }
    let imported = from
        .split_first()
        .map(|(format, files)| import(format, files));
    let (imported, closed) = imported.transpose()?.unzip();
    let closed: Option<String> = closed.flatten();
    let below = service.as_ref().map(|service| service.state.as_str());
    let text = match &imported {
        None => config::first(below),
        Some(imported) => config::imported(&imported.targets, &imported.notes, below),
    };
    let plugins = carried::all()?;
    let mut wanted = BTreeSet::from(PLUGINS);
    wanted.extend(with.iter().map(PluginName::as_str));
    let is_put = |plugin: &&Carried| wanted.contains(plugin.about.name.as_str());
    let (put, others): (Vec<&Carried>, Vec<&Carried>) = plugins.iter().partition(is_put);
    ensure!(
        put.len() == wanted.len(),
        "this program was built without its plugins; see CONTRIBUTING.md, \"A first-party plugin\""
    );
    let mut made = Made::default();
    let plugin_directory = directory.join("plugins");
    made.directory(&plugin_directory, 0o777)?;
    for plugin in &put {
        made.plugin(plugin, &plugin_directory)?;
    }
    match &service {
        None => made.directory(&directory.join(ALERTS), 0o777)?,
        Some(service) => {
            made.directory(Path::new(&service.state), 0o777)?;
            made.directory(&Path::new(&service.state).join(ALERTS), 0o700)?;
            made.file(&service.file, 0o666, &service.unit)?;
        }
    }
    let mode = match closed {
        Some(_) => 0o600,
        None => 0o666,
    };
    made.file(&file, mode, &text)?;
    if let (true, Some(service)) = (now, &service) {
        // A `conf.d` that was there before may hold what the daemon refuses.
        mainstay_daemon::config::load(&file)?;
        service.start()?;
    }
    made.keep();
    let written = Written {
        file: &file,
        unit: unit.map(PathBuf::as_path),
        closed: closed.as_deref(),
        plugins: &put,
        others: &others,
        imported: imported.as_ref(),
        is_started: now,
    };
    if !out.json {
        written.tell(out)?;
    }
    // What another supervisor takes, the host may not: it is told at once, with line and column.
    mainstay_daemon::config::load(&file)?;
    match out.json {
        true => written.tell_programs(out)?,
        false => match unit {
            None => told::next(out, &named, imported.is_none())?,
            Some(unit) => told::next_of_service(out, &file, unit, now)?,
        },
    }
    Ok(Ending::Done)
}

/// The targets of these files, and the first of them that not everybody may read.
fn import(format: &Path, files: &[PathBuf]) -> anyhow::Result<(Imported, Option<String>)> {
    let named = FORMATS.iter().find(|(name, _)| Path::new(name) == format);
    let Some((name, import)) = named else {
        let problem = format!(
            "--from is `{}`; allowed are supervisord, procfile and systemd, and then files",
            format.display()
        );
        return Err(Usage(problem).into());
    };
    let mut closed = None;
    let mut sources = Vec::new();
    for file in files {
        let mut source = read(file, &mut closed)?;
        if *name == "systemd" {
            for file in drop_ins::of(file)? {
                source.drop_ins.push(DropIn {
                    text: noted(&file, &mut closed)?,
                    file: file.display().to_string(),
                });
            }
        }
        if *name == "procfile" {
            source.variables = variables_beside(&source.directory);
        }
        sources.push(source);
    }
    let mut imported = import(&sources);
    draft::tell_apart(&mut imported.targets);
    draft::untangle(&mut imported.targets);
    if imported.targets.is_empty() {
        bail!(
            "nothing in these files can be a target, and nothing was written; are they files of {}?",
            format.display()
        );
    }
    Ok((imported, closed))
}

/// What those who run a Procfile put into the environment of its programs, where there is such a file.
fn variables_beside(directory: &str) -> Option<DropIn> {
    let file = Path::new(directory).join(".env");
    let found = fs::metadata(&file).ok()?;
    if !found.is_file() || found.len() > LARGEST {
        return None;
    }
    Some(DropIn {
        text: fs::read_to_string(&file).ok()?,
        file: file.display().to_string(),
    })
}

/// The text of a file, which is remembered where it is the first that not everybody may read.
fn noted(file: &Path, closed: &mut Option<String>) -> anyhow::Result<String> {
    let Text { text, is_open } = text_of(file)?;
    if !is_open {
        closed.get_or_insert_with(|| file.display().to_string());
    }
    Ok(text)
}

fn read(file: &Path, closed: &mut Option<String>) -> anyhow::Result<Source> {
    let text = noted(file, closed)?;
    let whole = std::path::absolute(file).context("cannot tell the present directory")?;
    let directory = whole.parent().unwrap_or(Path::new("/"));
    Ok(Source {
        file: file.display().to_string(),
        directory: directory.display().to_string(),
        text,
        ..Source::default()
    })
}

fn text_of(file: &Path) -> anyhow::Result<Text> {
    let shown = file.display();
    let found = fs::metadata(file).with_context(|| format!("cannot read {shown}"))?;
    if found.is_dir() {
        let problem = format!("{shown} is a directory; the one to write to stands before --from");
        return Err(Usage(problem).into());
    }
    ensure!(
        found.is_file() && found.len() <= LARGEST,
        "{shown} is no regular file of at most 1 MiB"
    );
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    Ok(Text {
        text,
        is_open: found.mode() & 0o004 != 0,
    })
}

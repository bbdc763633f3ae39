//! The command line: a client of the admin API, and of files.
//!
//! Invariant: standard output holds what was asked for and nothing else; everything else goes to standard error.
//! Invariant: the exit code is 0 for done, 1 for failed, 2 for bad usage or config, 3 for what is done but for what was
//! said; with --exit-code that of a monitoring plugin.
//!
//! Length: one arm for each command.

mod alerts;
mod arguments;
mod audit;
mod backup_facts;
mod backup_notes;
mod backup_statistics;
mod backups;
mod check;
mod checkpoints;
mod client;
mod compile;
mod complete;
mod component;
mod connect;
mod contents;
mod drill;
mod exit_codes;
mod explain;
mod failure;
mod find;
mod health;
mod help;
mod holds;
mod identifiers;
mod incident;
mod init;
mod install;
mod journal;
mod keygen;
mod layout;
mod listings;
mod logs;
mod new_plugin;
mod notes;
mod operations;
mod orders;
mod output;
mod phases;
mod plugins;
mod policies;
mod progress;
mod records;
mod rehearse;
mod rekey;
mod restore;
mod scaffold;
mod silences;
mod simulate;
mod statistics;
mod status;
mod story;
mod times;
mod vendored;
mod wiring;

pub use arguments::{Cli, Color, Command, Global, LogFormat};
pub use failure::{Ending, Monitored, report_usage};

use arguments::{
    AlertCommand, BackupCommand, IncidentCommand, NodeCommand, OperationCommand, PluginCommand,
    PolicyCommand,
};
use clap::CommandFactory;
use mainstay_api::{AcknowledgeBody, AlertTestBody, RecoverBody, SilenceBody, TargetDrillBody};
use mainstay_domain::time::millis;
use output::Output;
use std::process::ExitCode;

impl Cli {
    /// Whether the command runs services, and so wants all cores.
    pub fn is_daemon(&self) -> bool {
        matches!(self.command, Command::Run | Command::Demo { .. })
    }

    /// Runs the command, tells what went wrong, and gives the exit code.
    pub async fn run(self) -> ExitCode {
        let out = Output::new(&self.global);
        failure::report_ending(dispatch(self, &out).await, out.json)
    }
}

async fn dispatch(cli: Cli, out: &Output) -> anyhow::Result<Ending> {
    let Cli { global, command } = cli;
    let client = || connect::connect(&global);
    match command {
        Command::Run => wiring::run(&global, out).await,
        Command::DemoService { listen, data, .. } => wiring::demo_service(listen, &data).await,
        Command::CompileComponent { component, daemon } => Ok(compile::compile(&component, daemon)),
        Command::Demo { keep } => wiring::demo(out, keep).await,
        Command::Init(arguments) => init::init(out, arguments),
        Command::Check {
            target: Some(target),
            exit_code,
        }
        | Command::Probe { target, exit_code } => {
            let probe = async { orders::probe(&client().await?, out, &target, exit_code).await };
            match exit_code {
                true => Ok(exit_codes::or_unknown(probe.await, out.json)),
                false => probe.await,
            }
        }
        Command::Check { target: None, .. } => wiring::check(&global, out).await,
        Command::Explain { code } => done(explain::explain(out, code)),
        Command::Completions { shell } => completions(out, shell),
        Command::Complete { words } => done(complete::complete(&global, out, &words).await),
        Command::Plugin(command) => plugin(&global, out, command).await,
        Command::Status {
            target,
            all,
            exit_code: true,
        } => {
            let status =
                async { exit_codes::status(&client().await?, out, target.as_ref(), all).await };
            Ok(exit_codes::or_unknown(status.await, out.json))
        }
        Command::Status {
            target: Some(target),
            ..
        } => done(status::target(&client().await?, out, &target).await),
        Command::Status {
            target: None, all, ..
        } => done(status::status(&client().await?, out, all).await),
        Command::Watch { every } => status::watch(&client().await?, out, every).await,
        Command::Logs(arguments) => logs::logs(&client().await?, out, arguments).await,
        Command::Incidents(arguments) => {
            done(listings::incidents(&client().await?, out, arguments).await)
        }
        Command::History(arguments) if arguments.verify => {
            audit::verify(&global, out, arguments.state_dir)
        }
        Command::Audit(arguments) => done(audit::list(&client().await?, out, arguments).await),
        Command::History(arguments) => {
            done(listings::history(&client().await?, out, arguments).await)
        }
        Command::Events(arguments) => listings::events(&client().await?, out, arguments).await,
        Command::Stats(arguments) => done(statistics::show(&client().await?, out, arguments).await),
        Command::Health => done(health::show(&client().await?, out).await),
        Command::Node(NodeCommand::List) => done(health::nodes(&client().await?, out).await),
        Command::Incident(IncidentCommand::Show { id }) => {
            done(incident::show(&client().await?, out, &id).await)
        }
        Command::Operation(OperationCommand::Show { id }) => {
            done(operations::show(&client().await?, out, &id).await)
        }
        Command::Operation(OperationCommand::Resolve(arguments)) => {
            done(operations::resolve(&client().await?, out, arguments).await)
        }
        Command::Operation(OperationCommand::Signal(arguments)) => {
            done(operations::signal(&client().await?, out, arguments).await)
        }
        Command::Operation(OperationCommand::Export { id, redact }) => {
            done(rehearse::export(&client().await?, out, &id, redact).await)
        }
        Command::Operation(OperationCommand::Replay(arguments)) => {
            let text = rehearse::text_of(&arguments.operation, client()).await?;
            rehearse::replay(out, &text, &arguments, global.config.as_deref()).await
        }
        Command::Recover {
            target,
            failure,
            dry_run,
            mode,
            wait,
            by,
        } => {
            let body = RecoverBody {
                target: target.to_string(),
                failure: failure.to_string(),
                dry_run,
                mode: Some(mode.into()),
                by: by.by,
            };
            operations::recover(&client().await?, out, body, wait).await
        }
        Command::Simulate(arguments) => simulate::run(&global, out, arguments).await,
        Command::Approve(decision) => {
            done(operations::decide(&client().await?, out, "approve", decision).await)
        }
        Command::Reject(decision) => {
            done(operations::decide(&client().await?, out, "reject", decision).await)
        }
        Command::Cancel(decision) => {
            done(operations::decide(&client().await?, out, "cancel", decision).await)
        }
        Command::Pause {
            paused,
            length,
            reason,
        } => {
            let pause = Some(operations::Pause { length, reason });
            done(operations::set_paused(&client().await?, out, paused, pause).await)
        }
        Command::Resume(paused) => {
            done(operations::set_paused(&client().await?, out, paused, None).await)
        }
        Command::Policy(PolicyCommand::Show { target }) => {
            done(policies::show(&client().await?, out, &target).await)
        }
        Command::Policy(PolicyCommand::Set(set)) => {
            let (target, body) = set.into_order();
            done(policies::set(&client().await?, out, &target, &body).await)
        }
        Command::Phase { phase: None, .. } => done(phases::show(&client().await?, out).await),
        Command::Phase {
            phase: Some(phase),
            reason,
            by,
        } => {
            let client = client().await?;
            done(phases::change(&client, out, phase.into(), reason, by.by).await)
        }
        Command::Silence {
            target,
            alert,
            length,
            reason,
            by,
        } => {
            let body = SilenceBody {
                target: target.map(|target| target.to_string()),
                alert,
                for_ms: millis(length),
                reason,
                by: by.by,
            };
            done(silences::begin(&client().await?, out, &body).await)
        }
        Command::Note { id, text, by } => {
            done(notes::add(&client().await?, out, &id, text, by.by).await)
        }
        Command::Ack { id, reason, by } => {
            let body = AcknowledgeBody { by: by.by, reason };
            done(incident::acknowledge(&client().await?, out, &id, &body).await)
        }
        Command::Alert(AlertCommand::Test { alerter, by }) => {
            let body = AlertTestBody {
                alerter: alerter.map(|alerter| alerter.to_string()),
                by: by.by,
            };
            alerts::test(&client().await?, out, &body).await
        }
        Command::Alert(AlertCommand::History(arguments)) => {
            done(alerts::history(&client().await?, out, arguments).await)
        }
        Command::Silences => done(silences::list(&client().await?, out).await),
        Command::Unsilence { id, by } => {
            done(silences::end(&client().await?, out, &id, by.by).await)
        }
        Command::Start(arguments) => {
            orders::command(&client().await?, out, orders::START, arguments).await
        }
        Command::Stop(arguments) => {
            orders::command(&client().await?, out, orders::STOP, arguments).await
        }
        Command::Restart(arguments) => {
            orders::command(&client().await?, out, orders::RESTART, arguments).await
        }
        Command::Reload(arguments) => {
            orders::command(&client().await?, out, orders::RELOAD, arguments).await
        }
        Command::Drill {
            target,
            failure,
            method,
            yes,
            by,
        } => {
            if !yes {
                drill::confirm(&target, method)?;
            }
            let body = TargetDrillBody {
                failure: failure.to_string(),
                method: Some(method.to_string()),
                by: by.by,
            };
            drill::run(&client().await?, out, &target, &body).await
        }
        Command::Report(arguments) => done(orders::report(&client().await?, out, arguments).await),
        Command::Heartbeat { target } => done(orders::heartbeat(&client().await?, &target).await),
        Command::Journal { state_dir, command } => journal::run(&global, out, state_dir, command),
        Command::Backup(BackupCommand::Keygen { file }) => keygen::keygen(out, file.as_deref()),
        Command::Backup(command) => backups::run(&client().await?, out, command).await,
        Command::Checkpoint(command) => checkpoints::run(&client().await?, out, command).await,
    }
}

async fn plugin(global: &Global, out: &Output, command: PluginCommand) -> anyhow::Result<Ending> {
    match command {
        PluginCommand::List {
            available: true, ..
        } => done(install::list(out)),
        PluginCommand::List {
            available: false,
            all,
        } => done(status::plugins(&connect::connect(global).await?, out, all).await),
        PluginCommand::Install { names, into } => done(install::install(global, out, &names, into)),
        PluginCommand::Forget {
            plugin: (name, version),
            by,
        } => {
            let client = connect::connect(global).await?;
            done(orders::forget_plugin(&client, out, &name, &version, by.by).await)
        }
        PluginCommand::Inspect { file } => done(plugins::inspect(out, &file).await),
        PluginCommand::New {
            name,
            kind,
            directory,
            sdk,
        } => done(new_plugin::new(out, &name, kind, directory, sdk)),
        PluginCommand::Build {
            directory,
            out: file,
            drop,
            yes,
        } => done(plugins::build(out, &directory, file, drop, yes).await),
        PluginCommand::Test { directory, yes } => plugins::test(out, &directory, yes).await,
    }
}

fn done(result: anyhow::Result<()>) -> anyhow::Result<Ending> {
    result.map(|()| Ending::Done)
}

fn completions(out: &Output, shell: clap_complete::Shell) -> anyhow::Result<Ending> {
    if let Some(script) = complete::script(shell) {
        return done(out.verbatim(script.trim_end()));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mainstay", &mut script);
    done(out.verbatim(String::from_utf8_lossy(&script).trim_end()))
}

#[cfg(test)]
mod tests;

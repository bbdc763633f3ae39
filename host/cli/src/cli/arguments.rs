//! What can be typed, and its manual.
//!
//! Length: it is the manual of every command in one place, so that the commands keep one tone.

use super::{
    help::examples,
    identifiers::IdText,
    times::{ShownTime, Times},
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mainstay_api::{
    BackupType, CheckpointKind, OperationState, PolicyBody, PolicyChange, Severity,
};
use mainstay_daemon::config::name_help;
use mainstay_domain::{
    archive::{DocumentKey, InvalidKey, Selection},
    code::ErrorCode,
    drill::DrillMethod,
    id::{BackupId, IncidentId, OperationId, SilenceId},
    name::{
        CheckpointName, FailureType, InvalidName, JobName, PluginName, SignalName, TargetName,
        TierName,
    },
    operation::Mode,
    pause::LONGEST_PAUSE,
    plugin::{PluginKind, parse_version},
    policy::Phase,
    text::list,
    time::{Timestamp, millis},
};
use semver::Version;
use std::{path::PathBuf, time::Duration};

/// Watches targets, recovers them when they fail, backs up their state and proves the backups.
///
/// One daemon, `mainstay run`, does the work; every other command talks to it over a Unix socket in its state
/// directory, or works on files. How to recover, whom to alert and what to keep are WebAssembly plugins that are
/// dropped into a directory and hot-reloaded.
///
/// Of the config, commands that talk to the daemon need only `host.state_dir`, whatever else is wrong in it. They give up
/// where an answer takes longer than --timeout. Long work on backups is given up where the daemon says nothing of it for
/// as long, at least 5 s; what is followed (`events --follow`, `recover --wait`) may be silent for any time.
#[derive(Debug, Parser)]
#[command(
    name = "mainstay",
    version,
    propagate_version = true,
    max_term_width = 80
)]
#[command(after_long_help = examples!("
  mainstay demo                          see it all; needs Rust and the source
  mainstay --config mainstay.toml run    the daemon, in the foreground
  mainstay status                        what it sees now
  mainstay events --follow               what happens"))]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The config; else $MAINSTAY_CONFIG, ./mainstay.toml, /etc/mainstay/mainstay.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The daemon's socket; else mainstay.sock in the config's state_dir
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// How long to wait for the daemon's answer: 500ms, 10s, 2m
    #[arg(long, global = true, value_name = "LENGTH", default_value = "10s", value_parser = parse_timeout)]
    pub timeout: Duration,
    /// Print JSON, in a documented and stable form
    #[arg(long, global = true)]
    pub json: bool,
    /// Tell times in UTC, not in the zone of this machine
    #[arg(long, global = true)]
    pub utc: bool,
    /// When to colour; NO_COLOR counts as `never` for `auto`
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Log more than info (`run`) or warn (other commands); each -v is one level
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log by this filter, e.g. `info,mainstay_daemon::api=debug`; instead of -v
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "RUST_LOG",
        hide_env_values = true
    )]
    pub log: Option<String>,
    /// How log lines are written to standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    ///
    /// Reads the config, adopts what an earlier daemon left, then watches and recovers until SIGTERM or SIGINT. Tells
    /// systemd when it is ready (sd_notify). Every change of the config's files reloads the config; one that is
    /// invalid changes nothing. SIGHUP reloads it too, changed or not, and so reads the secrets anew: send it after a
    /// secret was rotated. Children that run, and the token of the API over TCP, keep the value of their start. SIGUSR1
    /// opens logs of targets anew that were moved or deleted, at once. As the first process of a container it reaps.
    ///
    /// Where the terminal that it runs in is closed it stops, as by SIGTERM; not where it was started with `nohup`, or was
    /// disowned. Standard error has one line for each event that an operator follows; -v has how it was done.
    #[command(after_long_help = examples!("
  mainstay run
  mainstay --config /etc/mainstay/mainstay.toml --log-format json run"))]
    Run,
    /// See the main job done on a real process, start to end
    ///
    /// In a temporary directory: starts a service, drops a plugin, kills the service, shows how the plugin recovers
    /// it, replaces the plugin under load, takes encrypted backups, destroys the data, restores it, drills a restore.
    /// Needs no config, but the repository that this program was built from, where it was then, and Rust: it builds its
    /// plugins from there first.
    #[command(after_long_help = examples!("
  mainstay demo
  mainstay demo --keep      look at the directory afterwards"))]
    Demo {
        /// Leave the temporary directory in place, and say where it is
        #[arg(long)]
        keep: bool,
    },
    /// Compiles one component for the daemon: its code goes to standard output
    #[command(hide = true)]
    CompileComponent {
        /// Where it lies
        #[arg(value_name = "FILE")]
        component: std::path::PathBuf,
        /// Ends with this process, which has started it
        #[arg(long, value_name = "PID")]
        daemon: Option<u32>,
    },
    /// Prints what may stand in the place of the last of these words, for the completions of a shell
    #[command(hide = true)]
    Complete {
        /// The words after the program's name, the one that is begun included
        #[arg(last = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// The service that the demo watches: a small HTTP server that keeps documents on disk
    #[command(hide = true)]
    DemoService {
        /// Where it listens
        #[arg(long, value_name = "ADDRESS", required_unless_present = "verify")]
        listen: Option<std::net::SocketAddr>,
        /// Only see whether the documents are sound
        #[arg(long, conflicts_with = "listen")]
        verify: bool,
        /// Where its documents lie
        #[arg(long, value_name = "DIRECTORY")]
        data: std::path::PathBuf,
    },
    /// Write a first config and what it needs, ready to run
    ///
    /// A config with comments and one target that runs at once, the plugin directory with the plugins that it names and
    /// those that configs come to first, and a directory for the alerts; what else comes with the program is listed, and put
    /// beside them where --with names it. With --from the targets are those of another supervisor's files: what is carried
    /// differently, and what is not, is listed with the reason, and stands at the end of the config.
    ///
    /// With --service and --now it is a service of the machine when this ends: systemd has started it, and does at each boot.
    /// Not with --from, whose programs the other supervisor may still run. Nothing that is there is overwritten; where not all
    /// can be written, or systemd does not start it, what was written is taken away again; where systemd does not run, or has a
    /// mainstay.service already, nothing is written.
    #[command(after_long_help = examples!("
  mainstay init first && cd first && mainstay run
  mainstay init --from supervisord /etc/supervisor/conf.d/*.conf
  mainstay init app --from procfile Procfile
  mainstay init --from systemd /etc/systemd/system/app.service
  mainstay init /etc/mainstay --service /var/lib/mainstay --with email --now"))]
    Init(InitArguments),
    /// Validate the config and the plugins, and print every problem at once
    ///
    /// Needs no daemon. Exit code 0 where there is no error (warnings are allowed), 2 where there is one. With a target it
    /// is `mainstay probe TARGET`, which asks the daemon.
    #[command(after_long_help = examples!("
  mainstay check
  mainstay --config new.toml check && mv new.toml mainstay.toml"))]
    Check {
        /// Run the checks of this target now, as `probe` does, and leave the config alone
        #[arg(value_parser = named(TargetName::parse))]
        target: Option<TargetName>,
        /// With a target: exit as a monitoring plugin does: 0 ok, 1 warning, 2 critical, 3 unknown
        #[arg(long, requires = "target")]
        exit_code: bool,
    },
    /// Run the checks of a target now, and show what each saw and how long it took
    ///
    /// What they see counts as what they see on their schedule. Exit code 0 where every check is healthy, 1 where one is
    /// degraded, failed, unknown, or has nothing to say yet. With --exit-code as monitoring plugins have it: 0 where every
    /// check is healthy, 1 (warning) where one is degraded, 2 (critical) where one failed, and 3 (unknown) where one could
    /// not look, has nothing to say yet, or the daemon could not be asked; of several the one that comes last in the row
    /// unknown, warning, critical.
    #[command(after_long_help = examples!("
  mainstay probe api
  mainstay probe api --exit-code > /dev/null || page-me
  mainstay probe api --json | jq '.checks[] | {check, outcome, elapsed_ms}'"))]
    Probe {
        /// Which target
        #[arg(value_parser = named(TargetName::parse))]
        target: TargetName,
        /// Exit as a monitoring plugin does: 0 ok, 1 warning, 2 critical, 3 unknown
        #[arg(long)]
        exit_code: bool,
    },
    /// Show what the daemon sees now: targets, plugins, jobs
    ///
    /// The most urgent first: one line of what needs a person, then what is not as it should be, then how much else there
    /// is. In a pipe each record is one line, and nothing is wrapped. With a target all of that one: why it is as it is,
    /// what comes next, what each check saw last and how long it took, and the last lines of its log.
    ///
    /// RESTARTS is how often the daemon has started a target again, for whatever reason: its process, or a foreign service by
    /// its `commands`. A daemon that begins goes on counting where it takes over a process of the target, or learns of its
    /// end; else it begins at 0.
    ///
    /// With --exit-code it ends as monitoring plugins do: 2 (critical) where a target failed; 1 (warning) where one is degraded
    /// or has an open incident, a backup failed, is incomplete or is too old, a plugin is quarantined, a route has no handler,
    /// or the last reload was refused; 3 (unknown) where a target cannot be looked at, or the daemon could not be asked; else 0. What a
    /// person stopped or paused is no alarm. Of several counts the one that comes last in the row unknown, warning, critical.
    #[command(after_long_help = examples!("
  mainstay status
  mainstay status --all
  mainstay status api
  mainstay status --exit-code
  mainstay status --json | jq '.targets[] | select(.health != \"healthy\")'"))]
    Status {
        /// Only this target, in full
        #[arg(value_parser = named(TargetName::parse), conflicts_with = "all")]
        target: Option<TargetName>,
        /// List what is as it should be too
        #[arg(long)]
        all: bool,
        /// Exit as a monitoring plugin does: 0 ok, 1 warning, 2 critical, 3 unknown
        #[arg(long)]
        exit_code: bool,
    },
    /// Show the status on a terminal, again and again, until it is interrupted
    ///
    /// What has no room on the terminal is left out at its end, which is the least urgent. It ends when it is
    /// interrupted, and with exit code 1 where the daemon ends.
    #[command(after_long_help = examples!("
  mainstay watch
  mainstay watch --every 10s"))]
    Watch {
        /// How often: 500ms, 2s, 1m
        #[arg(long, value_name = "LENGTH", default_value = "2s", value_parser = parse_timeout)]
        every: Duration,
    },
    /// Show what a target prints
    ///
    /// The last lines of the log that the daemon keeps of a supervised target, or that a `log` check names; of the last
    /// 128 KiB of it and of what was rotated of it, without secrets. Whoever may use the socket may read it.
    #[command(after_long_help = examples!("
  mainstay logs api
  mainstay logs api --follow
  mainstay logs api --since 15m      where its lines begin with a time"))]
    Logs(LogsArguments),
    /// List incidents: those that are open, then the others, each newest first
    #[command(after_long_help = examples!("
  mainstay incidents --open
  mainstay incidents --target api --since 24h"))]
    Incidents(IncidentArguments),
    /// List operations: those that wait for a person, then the others, each newest first
    ///
    /// DETECTED is when the failure was first seen, which all operations of an incident share, and RECOVERY counts from then
    /// on; STARTED is when the operation itself began.
    #[command(after_long_help = examples!("
  mainstay history --target api --since 24h
  mainstay history --state failed --limit 10 --json
  mainstay history --verify"))]
    History(HistoryArguments),
    /// List the audit log: who decided and did what, newest first
    ///
    /// Every decision and every act has a row: who did it (a person, a token, or `mainstay` itself), in which phase and under
    /// which charter. Each row holds the digest of the one before; `history --verify` finds what was changed in it. Rows are
    /// kept for as long as events are (`keep_history`).
    #[command(after_long_help = examples!("
  mainstay audit --target api --since 24h
  mainstay audit --limit 1000 --json"))]
    Audit(AuditArguments),
    /// List events, oldest first, and follow those to come
    ///
    /// Without --since the newest 50 (or --limit), then with --follow every one to come, none left out and none
    /// twice. With --json one object a line; `seq` of the last one seen is what --since takes, so that --since with
    /// --limit goes through them page by page. A followed stream ends with exit code 1 when the daemon stops.
    #[command(after_long_help = examples!("
  mainstay events --follow
  mainstay events --target api --since 1h
  mainstay events --since 1200 --json | jq -r .message"))]
    Events(EventArguments),
    /// Show what became of the failures of each target, in numbers
    ///
    /// Incidents, recoveries and operations that failed, how long recoveries took from the first detection, how many were
    /// within the objective, and the share of the time in which no incident of the target was open. Of the last 30 days where
    /// --since says nothing, and of what the journal has kept (`keep_history`).
    ///
    /// SUCCESS is the share of what ended, recovered or failed, that recovered for good: a recovery after which the
    /// failure came back within the `relapse_window` is among RECOVERED, and not in this share. The times are from
    /// the first detection of an incident, over all that came back of it, as RECOVERY of `history`.
    #[command(after_long_help = examples!("
  mainstay stats
  mainstay stats --target api --since 7d --json"))]
    Stats(StatsArguments),
    /// Show how the host as a whole does: its mode, its score, and what they come from
    ///
    /// The mode is `primary` where all is well, `heuristic` while a circuit is open or attempts to recover fail again and again,
    /// and `safe` while two targets or more have failed. A worse one begins at once, a better one after 30 s without cause. The
    /// score is from 0 to 1: 0.40 of the targets, 0.35 of their circuits, 0.25 of the attempts.
    #[command(after_long_help = examples!("
  mainstay health
  mainstay health --json | jq .score"))]
    Health,
    /// Look at the hosts that work together
    #[command(subcommand, arg_required_else_help = true)]
    Node(NodeCommand),
    /// Look at one incident
    #[command(subcommand, arg_required_else_help = true)]
    Incident(IncidentCommand),
    /// Look at one operation
    #[command(subcommand, arg_required_else_help = true)]
    Operation(OperationCommand),
    /// Write something down about an incident or an operation
    ///
    /// It is kept with it, for as long as the events are, and `incident show` and `operation show` show it. It is an event too,
    /// and an alert where a route names `note.added`.
    #[command(after_long_help = examples!("
  mainstay note inc-01K0000000000000000000000A 'the disk was full; ticket 4711'
  mainstay note op-01K0000000000000000000000A 'I moved the traffic away'"))]
    Note {
        /// Which incident or operation; the beginning or end of its identifier will do where no other has it
        #[arg(value_parser = IdText::parse)]
        id: IdText,
        /// What is to be kept
        text: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Take an incident on
    ///
    /// It is on record who did, and nobody is told any more that nobody has (`incident.unacknowledged`) or that it lasts
    /// (`incident.overdue`). The identifier may be that of an operation of it.
    #[command(after_long_help = examples!("
  mainstay ack inc-01K0000000000000000000000A --reason 'I look at the disk'
  mainstay ack op-01K0000000000000000000000A"))]
    Ack {
        /// Which incident, or an operation of it; the beginning or end of its identifier will do where no other has it
        #[arg(value_parser = IdText::parse)]
        id: IdText,
        /// What is said about it, for the record
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true
        )]
        reason: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Recover a target by hand
    ///
    /// Schedules an operation in manual mode, by the same route, chain and limits as an automatic one. With --dry-run
    /// the same code runs and every effect is answered by a plan; the plan is printed. Exit code with --wait or
    /// --dry-run: 0 where the operation succeeded, 1 where it did not.
    #[command(after_long_help = examples!("
  mainstay recover api --failure api-gateway-down --dry-run
  mainstay recover api --failure api-gateway-down --wait"))]
    Recover {
        /// What is to be recovered
        #[arg(value_parser = named(TargetName::parse))]
        target: TargetName,
        /// From what
        #[arg(long, value_name = "TYPE", value_parser = named(FailureType::parse))]
        failure: FailureType,
        /// Plan the effects, and perform none
        #[arg(long)]
        dry_run: bool,
        /// Its place among what waits: manual as ever, emergency before all, maintenance behind all
        #[arg(long, default_value = "manual", value_parser = Mode::parse_asked)]
        mode: Mode,
        /// Follow the operation to its end
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Play a day through the real recovery on virtual time, and show what would be decided and when
    ///
    /// A scenario says what checks see, which processes end, what people command, and what handlers answer; the checks, routes,
    /// strategies, dependencies and maintenance windows are those of the config. A day takes about a second, and the same
    /// scenario with the same config gives the same bytes. Nothing is changed. First what it came to, the most important first,
    /// then everything in order. docs/simulation.md has the form of the file.
    ///
    /// A recorded day is played again, with another config too: what `mainstay events --since 24h --json` prints is taken for a
    /// file, and --from-journal asks the daemon for it.
    #[command(after_long_help = examples!("
  mainstay simulate day.toml
  mainstay simulate day.toml --phase deployment
  mainstay events --since 24h --json | mainstay --config new.toml simulate -
  mainstay simulate --from-journal --since 7d --json | jq .incidents
  mainstay simulate --from-journal --export > day.jsonl"))]
    Simulate(SimulateArguments),
    /// Let an operation that awaits a person run
    #[command(after_long_help = examples!("
  mainstay approve op-01K0000000000000000000000A --reason 'traffic moved away'"))]
    Approve(Decision),
    /// End an operation that awaits a person; its incident is escalated
    #[command(after_long_help = examples!("
  mainstay reject op-01K0000000000000000000000A --reason 'planned work'"))]
    Reject(Decision),
    /// End an operation that waits or runs
    ///
    /// A running one ends before its next attempt: what has begun is not torn off.
    #[command(after_long_help = examples!("
  mainstay cancel op-01K0000000000000000000000A --reason 'fixed by hand'"))]
    Cancel(Decision),
    /// Start targets, and end a stop that was ordered
    ///
    /// A supervised one by the daemon, a foreign one by its `commands.start`. Its checks count from now on. Exit code with
    /// --wait: 0 where it was started and did not end within a second, 1 otherwise; whether it works, its checks say.
    #[command(after_long_help = examples!("
  mainstay start api
  mainstay start api --wait && mainstay probe api"))]
    Start(TargetArguments),
    /// Stop targets, and keep them stopped
    ///
    /// Until `mainstay start`, also over restarts of the daemon. Nothing of it is looked at meanwhile, and nothing is a
    /// failure: what was open of it is let go of, its operation is cancelled, and no handler starts it. `status` says who
    /// stopped it, and the answer names the targets that depend on it, which go on.
    #[command(after_long_help = examples!("
  mainstay stop api --reason 'moved to another machine' --wait
  mainstay stop worker-01 worker-02"))]
    Stop(TargetArguments),
    /// Stop targets and start them
    ///
    /// It is no incident, and ends a stop that was ordered. A foreign target is restarted by its `commands`.
    #[command(after_long_help = examples!("
  mainstay restart api --reason 'new certificate' --wait"))]
    Restart(TargetArguments),
    /// Have targets read their config anew while they run
    ///
    /// As its `reload` says, or `commands.reload` of a foreign one; nothing is stopped. The daemon's own config is read anew
    /// by itself when it changes.
    #[command(after_long_help = examples!("
  mainstay reload api --reason 'new certificate' --wait"))]
    Reload(TargetArguments),
    /// Break a target on purpose, and time its recovery against its objective
    ///
    /// What breaks is real: people are asked first, but with --yes. The incident that comes of it has a note, and its alerts begin
    /// with DRILL. It is refused where recovery of the target is paused, where it is failing already, and where nothing would
    /// recover it by itself. It is over when the target is healthy again, at the latest after twice its `rto`. Exit code 0 where
    /// it was healthy again within its `rto`, counted from the break, and 1 where it was not.
    #[command(after_long_help = examples!("
  mainstay drill api --failure service-down
  mainstay drill api --failure service-down --method stop --yes --json"))]
    Drill {
        /// Which target
        #[arg(value_parser = named(TargetName::parse))]
        target: TargetName,
        /// The failure that is to come of it: one that a check, or the end of its process, raises
        #[arg(long, value_name = "TYPE", value_parser = named(FailureType::parse))]
        failure: FailureType,
        /// How: kill its process; stop it, as somebody who does not tell the host; or block, fill or command, by the commands that
        /// `drill` of the target names in the config, of which the second undoes it in the end
        #[arg(long, value_name = "HOW", default_value = "kill", value_parser = DrillMethod::parse)]
        method: DrillMethod,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Report that a target has a failure, or that it is over
    ///
    /// For a service, a cron job or another monitor that sees what no check does. It is a failure like that of a check: it
    /// opens an incident and is recovered by its route, and holds until it is cleared with --clear, or for as long as --for
    /// says; over restarts of the daemon too. The failure is one that a check or a route of the target names.
    #[command(after_long_help = examples!("
  mainstay report api --failure api-gateway-down --message 'p99 above 2 s'
  mainstay report api --failure api-gateway-down --severity high --for 10m
  mainstay report api --failure api-gateway-down --clear"))]
    Report(ReportArguments),
    /// Pause automatic recovery of a target, or of the host
    ///
    /// Checks go on, incidents are opened, `recover` works; only automatic operations wait. Outlives a restart.
    #[command(after_long_help = examples!("
  mainstay pause api
  mainstay pause api --for 30m --reason 'new disks'
  mainstay pause            everything"))]
    Pause {
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        paused: Paused,
        /// It ends by itself after so long, e.g. 30m, 2h or 7d; at most 30d
        #[arg(long = "for", value_name = "LENGTH", value_parser = parse_pause)]
        length: Option<Duration>,
        /// Why, for the record
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            requires = "length"
        )]
        reason: String,
    },
    /// Resume automatic recovery of a target, or of the host
    #[command(after_long_help = examples!("
  mainstay resume api"))]
    Resume(Paused),
    /// Show how a target is recovered, or set what holds over its routes
    #[command(subcommand, arg_required_else_help = true)]
    Policy(PolicyCommand),
    /// Show or change the phase of the host, and with it what is recovered automatically
    ///
    /// In `launch` what is critical is recovered, in `deployment` what is high or critical, in `payload` what is medium or
    /// worse, in `normal` everything, and in `safe` nothing. From each there is a way to `safe`. What is held back begins when
    /// the phase lets it; `recover` works in each. Outlives a restart.
    #[command(after_long_help = examples!("
  mainstay phase
  mainstay phase safe --reason 'the exchange is in maintenance'"))]
    Phase {
        /// The phase that it is to be: launch, deployment, normal, payload or safe
        #[arg(value_parser = Phase::parse)]
        phase: Option<Phase>,
        /// Why, for the record
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            requires = "phase"
        )]
        reason: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Hold back the alerts about a target, or with a key, for a while
    ///
    /// They are recorded, and not delivered. What still fires at the end is delivered then; what is over by then is told to
    /// nobody. Recovery goes on. Outlives a restart.
    #[command(after_long_help = examples!("
  mainstay silence api --for 2h --reason 'moving to new disks'
  mainstay silence --alert db1/backup/state --for 7d --reason 'see the ticket'"))]
    Silence {
        /// The target
        #[arg(value_parser = named(TargetName::parse), required_unless_present = "alert", conflicts_with = "alert")]
        target: Option<TargetName>,
        /// The key of the alerts, as `dedup_key` has it
        #[arg(long, value_name = "KEY")]
        alert: Option<String>,
        /// For how long, e.g. 30m, 2h or 7d; at most 30d
        #[arg(long = "for", value_name = "LENGTH", value_parser = parse_pause)]
        length: Duration,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// List the silences that hold
    #[command(after_long_help = examples!("
  mainstay silences
  mainstay silences --json"))]
    Silences,
    /// End a silence; what still fires is delivered
    #[command(after_long_help = examples!("
  mainstay unsilence sil-01K0000000000000000000000A"))]
    Unsilence {
        /// Which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<SilenceId>)]
        id: IdText,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Send test alerts, and list those that were sent
    #[command(subcommand, arg_required_else_help = true)]
    Alert(AlertCommand),
    /// Report that a target with a heartbeat check is alive
    #[command(after_long_help = examples!("
  nightly-job && mainstay heartbeat nightly-job"))]
    Heartbeat {
        /// Which one
        #[arg(value_parser = named(TargetName::parse))]
        target: TargetName,
    },
    /// Take, list, look into, verify, restore, prune and drill backups
    #[command(subcommand, arg_required_else_help = true)]
    Backup(BackupCommand),
    /// Take and list checkpoints of a job, and roll it back to one
    #[command(subcommand, arg_required_else_help = true)]
    Checkpoint(CheckpointCommand),
    /// Check, salvage or copy the journal's file
    ///
    /// Works on the file of the state directory itself, and needs no daemon.
    #[command(arg_required_else_help = true)]
    Journal {
        /// The state directory; else that of the config, of which only host.state_dir has to be legible
        #[arg(long, global = true, value_name = "DIRECTORY")]
        state_dir: Option<PathBuf>,
        /// What to do with it
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// List, inspect, install, write, build and test plugins
    #[command(subcommand, arg_required_else_help = true)]
    Plugin(PluginCommand),
    /// Explain an error by its code, e.g. MS-0105; without one, list the codes
    ///
    /// An error that needs more than a line ends with its code. Its page says what it means, what the host does meanwhile,
    /// what to do, and how to see that it is over. Needs no daemon and no config.
    #[command(after_long_help = examples!("
  mainstay explain
  mainstay explain MS-0105"))]
    Explain {
        /// Which code
        #[arg(value_parser = ErrorCode::parse)]
        code: Option<ErrorCode>,
    },
    /// Print the completions of a shell
    ///
    /// Those of bash, zsh and fish complete the names of targets, jobs and plugins, and the identifiers of incidents,
    /// operations, backups and silences, too: they ask the daemon that the line names with --config or --socket, or else the
    /// usual one, and go without where it does not answer at once. Files are completed where nothing else is known.
    #[command(after_long_help = examples!("
  mainstay completions bash > /etc/bash_completion.d/mainstay
  mainstay completions zsh > \"${fpath[1]}/_mainstay\"
  mainstay completions fish > ~/.config/fish/completions/mainstay.fish"))]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What `init` writes, and where.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Where to; made where it is not there. Default: here
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Take the targets from these files; the format is supervisord, procfile or systemd
    #[arg(long, num_args = 2.., value_names = ["FORMAT", "FILE"])]
    pub from: Vec<PathBuf>,
    /// State and alerts go below this directory, and a unit of systemd beside the config
    #[arg(long, value_name = "STATE")]
    pub service: Option<PathBuf>,
    /// Put this plugin of `mainstay plugin list --available` too; several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = named(PluginName::parse))]
    pub with: Vec<PluginName>,
    /// With --service: have systemd start it, now and at each boot
    #[arg(long, requires = "service", conflicts_with = "from")]
    pub now: bool,
}

/// What `logs` shows.
#[derive(Debug, Args)]
pub struct LogsArguments {
    /// Which target
    #[arg(value_parser = named(TargetName::parse))]
    pub target: TargetName,
    /// Go on with the lines to come
    #[arg(short, long)]
    pub follow: bool,
    /// Only lines written since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 15m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Since>,
    /// So many of the last lines; by default 100, with --since all
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<usize>,
}

/// Which incidents are listed.
#[derive(Debug, Args)]
pub struct IncidentArguments {
    /// Only those whose failure holds
    #[arg(long)]
    pub open: bool,
    /// Only of this target
    #[arg(long, value_name = "NAME", value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    /// Only opened since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 15m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Since>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
    /// Only those after this one, the last of the page before, which a full page names
    #[arg(long, value_name = "ID", value_parser = IncidentId::parse)]
    pub before: Option<IncidentId>,
}

/// Which events are listed.
#[derive(Debug, Args)]
pub struct EventArguments {
    /// Go on with those to come
    #[arg(short, long)]
    pub follow: bool,
    /// Only about this target
    #[arg(long, value_name = "NAME", value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    /// Every event after this number (1200), since a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 24h)
    #[arg(long, value_name = "SEQ|TIME", value_parser = parse_since_event)]
    pub since: Option<SinceEvent>,
    /// So many of the newest, by default 50; with --since at most so many, by default all
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
}

/// What `simulate` plays.
#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// The scenario, or events as JSON lines; `-` is standard input
    #[arg(required_unless_present = "from_journal")]
    pub file: Option<PathBuf>,
    /// Play what the daemon has recorded
    #[arg(long, conflicts_with = "file")]
    pub from_journal: bool,
    /// Of the journal only what was since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now; by default 24h
    #[arg(long, value_name = "TIME", requires = "from_journal", value_parser = parse_since)]
    pub since: Option<Since>,
    /// How long it lasts, e.g. 90s, 2h or 1d; else as the scenario says, or until nothing is left to be done, at most a day
    #[arg(long, value_name = "LENGTH", value_parser = parse_lasts)]
    pub until: Option<Duration>,
    /// In which phase the host is at the beginning: launch, deployment, normal, payload or safe; else as the scenario says, and of
    /// a daemon's journal as it was
    #[arg(long, value_name = "PHASE", value_parser = Phase::parse)]
    pub phase: Option<Phase>,
    /// Print the scenario as JSON lines, to be kept or changed, and play nothing
    #[arg(long)]
    pub export: bool,
}

/// Which operations `history` lists.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Only of this target
    #[arg(long, value_name = "NAME", value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    /// Only with this failure
    #[arg(long, value_name = "TYPE", value_parser = named(FailureType::parse))]
    pub failure: Option<FailureType>,
    /// Only in this state
    #[arg(long, value_parser = parse_state)]
    pub state: Option<OperationState>,
    /// Only detected since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 15m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Since>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
    /// Only those after this one, the last of the page before, which a full page names
    #[arg(long, value_name = "ID", value_parser = OperationId::parse)]
    pub before: Option<OperationId>,
    /// Verify the audit log instead: that none of its rows was changed, removed, reordered, cut off or added; exit code 1
    /// where one was. Reads the journal's file itself, and needs no daemon
    #[arg(long, conflicts_with_all = ["target", "failure", "state", "since", "limit", "before"])]
    pub verify: bool,
    /// With --verify: the state directory; else that of the config
    #[arg(long, value_name = "DIRECTORY", requires = "verify")]
    pub state_dir: Option<PathBuf>,
}

/// Which alerts `alert history` lists.
#[derive(Debug, Args)]
pub struct AlertHistoryArguments {
    /// Only about this target
    #[arg(long, value_name = "NAME", value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    /// Only those of this alerter
    #[arg(long, value_name = "NAME", value_parser = named(PluginName::parse))]
    pub alerter: Option<PluginName>,
    /// Only those that were given up
    #[arg(long)]
    pub abandoned: bool,
    /// Only since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 15m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Since>,
    /// So many of the newest, at most 1000
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
}

/// Which rows `audit` lists.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Only about this target
    #[arg(long, value_name = "NAME", value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    /// Only since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 15m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Since>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
    /// Only those before this one, the last of the page before, which a full page names
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
}

/// From when on, or until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This time.
    Time(Timestamp),
    /// So long before now.
    Ago(Duration),
    /// When a clock of the zone in which times are told shows this.
    Shown(ShownTime),
}

impl Since {
    /// The time that it is.
    pub(super) fn at(self, times: &Times) -> Timestamp {
        match self {
            Since::Time(time) => time,
            Since::Ago(length) => times.now() - length,
            Since::Shown(shown) => times.at_clock(shown),
        }
    }

    /// The same of what is asked for up to it: a backup is shown with the second in which it was taken, and no less.
    pub(super) fn up_to(self, times: &Times) -> Timestamp {
        match self {
            Since::Shown(shown) => times.end_of_clock(shown),
            Since::Time(_) | Since::Ago(_) => self.at(times),
        }
    }
}

/// Of which failures numbers are shown.
#[derive(Debug, Args)]
pub struct StatsArguments {
    /// Only of this target
    #[arg(long, value_name = "NAME", value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    /// Only detected since: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (24h, 7d); by default 30d
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub since: Option<Since>,
}

/// From which event on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinceEvent {
    /// After the one with this number.
    Seq(u64),
    /// From this time on.
    Time(Since),
}

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Send one test alert to each receiver, and show what each answered
    ///
    /// By the alerters that the alert routes of the config name, as they serve now, once. It says that nothing is wrong, has a
    /// key of its own, is held back by no silence, and is stored nowhere. Exit code 1 where one was not delivered. A receiver
    /// has 30 s for its answer, whatever --timeout says less.
    #[command(after_long_help = examples!("
  mainstay alert test
  mainstay alert test --alerter webhook"))]
    Test {
        /// Only to this alerter
        #[arg(long, value_name = "NAME", value_parser = named(PluginName::parse))]
        alerter: Option<PluginName>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// List the alerts that were sent, and those that never will be, oldest first
    ///
    /// When, by which alerter, of what, and what the receiver said; with --json at which attempt too. Out of the journal, for as long
    /// as it keeps events (`keep_history`): the newest 1000, of which those are shown that are asked for.
    #[command(after_long_help = examples!("
  mainstay alert history
  mainstay alert history --alerter email --abandoned --since 24h
  mainstay alert history --limit 20 --json"))]
    History(AlertHistoryArguments),
}

/// What can be asked about the hosts that work together.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List the hosts that work together; one that works alone is the only one
    #[command(after_long_help = examples!("
  mainstay node list
  mainstay node list --json"))]
    List,
}

/// What can be done with one incident.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// Show an incident, what the checks saw of it, and the last lines of what failed
    #[command(after_long_help = examples!("
  mainstay incident show inc-01K0000000000000000000000A"))]
    Show {
        /// Which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<IncidentId>)]
        id: IdText,
    },
}

/// What can be done with one operation.
#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// Show an operation and its journal, effect by effect
    #[command(after_long_help = examples!("
  mainstay operation show op-01K0000000000000000000000A"))]
    Show {
        /// Which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<OperationId>)]
        id: IdText,
    },
    /// Say whether an effect happened that is in doubt, so that its operation goes on
    ///
    /// After a crash nobody knows of some effects whether they happened, and to repeat them could do harm. The operation
    /// waits until somebody has found out: with --happened the handler goes on as if it was answered, with --did-not the
    /// effect is performed now.
    #[command(after_long_help = examples!("
  mainstay operation resolve op-01K0000000000000000000000A 12 --happened
  mainstay operation resolve op-01K0000000000000000000000A 12 --did-not"))]
    Resolve(ResolveArguments),
    /// Signal to the handler of an operation, which waits for it or will
    ///
    /// A durable handler can wait for a signal by its name. It is kept with the operation, over restarts of the daemon too,
    /// and the handler has it once, whether it waits by then or later. `operation show` shows what came.
    #[command(after_long_help = examples!("
  mainstay operation signal op-01K0000000000000000000000A drained
  mainstay operation signal op-01K0000000000000000000000A go '{\"left\": 0}'"))]
    Signal(SignalArguments),
    /// Print the calls and the journal of an operation, to rehearse a build on them elsewhere
    ///
    /// Secrets are in it by name; requests and answers are as the journal has them.
    #[command(after_long_help = examples!("
  mainstay operation export op-01K0000000000000000000000A > op.json
  mainstay operation export op-01K0000000000000000000000A --redact > op.json"))]
    Export {
        /// Which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<OperationId>)]
        id: IdText,
        /// Leave out what programs, services and stores said and were told; a rehearsal on it differs where that matters
        #[arg(long)]
        redact: bool,
    },
    /// Rehearse a build on a recorded call: nothing acts, and what it does otherwise is told
    ///
    /// The build is asked what the call was asked, with its settings, its chance and its clock, and each effect is answered
    /// from the record, or by the plan of a dry run. Exit code: 0 up to other reads, 1 where its effects or its outcome differ
    /// or it gives no answer.
    #[command(after_long_help = examples!("
  mainstay operation replay op-01K0000000000000000000000A --plugin fixed.wasm
  mainstay operation replay op-01K0000000000000000000000A --plugin fix@1.0.0
  mainstay operation replay operation.json --plugin fixed.wasm --json"))]
    Replay(ReplayArguments),
}

/// What is rehearsed on what.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// An operation, or a file of `operation export`
    #[arg(value_name = "ID|FILE")]
    pub operation: String,
    /// The component of the build, or the name and the version of one that the daemon keeps
    #[arg(long = "plugin", value_name = "FILE|NAME@VERSION")]
    pub build: PathBuf,
    /// Which call of the operation; default: its last one on record
    #[arg(long, value_name = "NUMBER")]
    pub call: Option<u32>,
}

/// What was found out about an effect in doubt.
#[derive(Debug, Args)]
pub struct ResolveArguments {
    /// Which operation; its beginning or end will do where no other has it
    #[arg(value_parser = IdText::of::<OperationId>)]
    pub id: IdText,
    /// The number of the effect, as `operation show` has it
    pub number: u32,
    /// It happened
    #[arg(long, conflicts_with = "did_not", required_unless_present = "did_not")]
    pub happened: bool,
    /// What it was answered, as JSON: the `response` of such an effect in a journal; else that it went well
    #[arg(long, value_name = "FILE", conflicts_with = "did_not")]
    pub answer: Option<PathBuf>,
    /// It did not happen, and is performed now
    #[arg(long)]
    pub did_not: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

/// A signal to a handler.
#[derive(Debug, Args)]
pub struct SignalArguments {
    /// To which operation; its beginning or end will do where no other has it
    #[arg(value_parser = IdText::of::<OperationId>)]
    pub id: IdText,
    /// What the signal is called, as the handler does
    #[arg(value_parser = named(SignalName::parse))]
    pub name: SignalName,
    /// What comes with it, as JSON; the handler gets its text
    #[arg(value_name = "JSON", value_parser = parse_json)]
    pub value: Option<serde_json::Value>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

fn parse_json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON: {error}; a text is written \"so\""))
}

/// On whose behalf something is commanded. Who commands the daemon sees for itself.
#[derive(Debug, Args)]
pub struct By {
    /// On whose behalf, as a note beside the user that the daemon sees
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub by: String,
}

/// A decision about an operation.
#[derive(Debug, Args)]
pub struct Decision {
    /// Which operation; the beginning or end of its identifier will do where no other has it
    #[arg(value_parser = IdText::of::<OperationId>)]
    pub id: IdText,
    /// The revision that you looked at; refused where the operation has moved on since
    #[arg(long, value_name = "NUMBER")]
    pub revision: Option<u64>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

/// Which target is started, stopped, restarted or reloaded.
#[derive(Debug, Args)]
pub struct TargetArguments {
    /// Which targets, in the order in which it is done to them
    #[arg(required = true, value_name = "TARGET", value_parser = named(TargetName::parse))]
    pub targets: Vec<TargetName>,
    /// Wait until it is done, however long that takes, and say what came of it
    #[arg(long)]
    pub wait: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

/// What is reported.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Which target
    #[arg(value_parser = named(TargetName::parse))]
    pub target: TargetName,
    /// What it has
    #[arg(long, value_name = "TYPE", value_parser = named(FailureType::parse))]
    pub failure: FailureType,
    /// How bad it is: low, medium, high or critical; else as its check says, or its kind
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    pub severity: Option<Severity>,
    /// How bad it is as a number, from 0 to 1: from 0.9 critical, from 0.7 high, from 0.4 medium
    #[arg(long, value_name = "NUMBER", value_parser = parse_share, conflicts_with = "severity")]
    pub score: Option<f64>,
    /// How sure you are, from 0 to 1
    #[arg(long, value_name = "NUMBER", value_parser = parse_share)]
    pub confidence: Option<f64>,
    /// What was seen, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub message: String,
    /// For how long it holds: 90s, 10m, 24h, 7d; else until it is cleared
    #[arg(long = "for", value_name = "LENGTH", value_parser = parse_lasts)]
    pub lasts: Option<Duration>,
    /// It is over
    #[arg(long, conflicts_with_all = ["severity", "score", "confidence", "lasts"])]
    pub clear: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

/// What can be done with the policy of a target.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show how each failure of a target is recovered
    #[command(after_long_help = examples!("
  mainstay policy show api"))]
    Show {
        /// Which target
        #[arg(value_parser = named(TargetName::parse))]
        target: TargetName,
    },
    /// Set what holds over the routes of a target, until it is cleared
    ///
    /// What is not named stays as it is. It outlives a restart and a new config, and is on the record.
    #[command(after_long_help = examples!("
  mainstay policy set api --max-attempts 2 --cooldown 5m --reason 'slow disk'
  mainstay policy set api --ask true
  mainstay policy set api --clear"))]
    Set(PolicySet),
}

/// What is set of a target's recovery.
#[derive(Debug, Args)]
pub struct PolicySet {
    /// Of which target
    #[arg(value_parser = named(TargetName::parse))]
    pub target: TargetName,
    /// Whether a person has to approve each recovery
    #[arg(long)]
    pub ask: Option<bool>,
    /// How often it is tried; at least 1
    #[arg(long, value_name = "NUMBER")]
    pub max_attempts: Option<u32>,
    /// Before the second attempt, e.g. 500ms or 2s
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    pub initial_delay: Option<Duration>,
    /// By how much each delay is longer than the one before; at least 1
    #[arg(long, value_name = "FACTOR")]
    pub multiplier: Option<f64>,
    /// No delay is longer, e.g. 30s
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    pub max_delay: Option<Duration>,
    /// How long it rests after a success, e.g. 5m; 0s for not at all
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    pub cooldown: Option<Duration>,
    /// What was set before does not hold any more
    #[arg(long)]
    pub clear: bool,
    /// Why, for the record
    #[arg(long, default_value = "", hide_default_value = true)]
    pub reason: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

impl PolicySet {
    /// The target, and what is asked of the daemon.
    pub fn into_order(self) -> (TargetName, PolicyBody) {
        let body = PolicyBody {
            set: PolicyChange {
                ask: self.ask,
                max_attempts: self.max_attempts,
                initial_delay_ms: self.initial_delay.map(millis),
                multiplier: self.multiplier,
                max_delay_ms: self.max_delay.map(millis),
                cooldown_ms: self.cooldown.map(millis),
            },
            clear: self.clear,
            reason: self.reason,
            by: self.by.by,
        };
        (self.target, body)
    }
}

/// What is paused or resumed.
#[derive(Debug, Args)]
pub struct Paused {
    /// Which target; absent: the whole host
    #[arg(value_parser = named(TargetName::parse))]
    pub target: Option<TargetName>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Take a backup, read it back and verify it
    ///
    /// Exit code 3 where it is incomplete: something that was there is not in it as it was, and is named.
    #[command(after_long_help = examples!(partly, "
  mainstay backup create state
  mainstay backup create state --type snapshot"))]
    Create {
        /// The job
        #[arg(value_parser = named(JobName::parse))]
        job: JobName,
        /// What kind: full, incremental, differential, snapshot or emergency
        #[arg(long = "type", value_name = "TYPE", default_value = "full", value_parser = parse_type)]
        backup_type: BackupType,
    },
    /// List backups: those that failed or are corrupted, then the others, each newest first
    ///
    /// Exit code 3 where --rebuild has left out what is stored, which is named.
    #[command(after_long_help = examples!(partly, "
  mainstay backup list --job state
  mainstay backup list --rebuild         after the journal was lost"))]
    List {
        /// Only of this job
        #[arg(long, value_parser = named(JobName::parse))]
        job: Option<JobName>,
        /// First record whatever is stored and not in the catalog; reads every stored byte
        #[arg(long)]
        rebuild: bool,
    },
    /// Show one backup
    #[command(after_long_help = examples!("
  mainstay backup show ful-01K0000000000000000000000A"))]
    Show {
        /// Which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
    },
    /// Make a key that backups can be encrypted to
    ///
    /// The identity, which opens them, goes to FILE, which only you can read and which must not exist; its recipient is printed,
    /// for `recipients` of a job. Without FILE both are printed, as age-keygen does. No daemon is asked. Keep the identity where
    /// the backups are not: without it nobody reads them.
    #[command(after_long_help = examples!("
  mainstay backup keygen keys/backup.txt
  mainstay backup keygen > /media/usb/backup.txt"))]
    Keygen {
        /// Where the identity goes
        file: Option<PathBuf>,
    },
    /// Show what backups come to: how many, how large and how much smaller stored, by type and by tier
    ///
    /// All of the catalog, those in the trash included, which still take their bytes.
    #[command(after_long_help = examples!("
  mainstay backup stats
  mainstay backup stats --job state --json | jq .total.compression_ratio"))]
    Stats {
        /// Only of this job
        #[arg(long, value_parser = named(JobName::parse))]
        job: Option<JobName>,
    },
    /// Read a backup, and those that it needs, back from where they are stored
    #[command(after_long_help = examples!("
  mainstay backup verify ful-01K0000000000000000000000A"))]
    Verify {
        /// Which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        with: IdentityFile,
    },
    /// Restore a job's state, or a part of it
    ///
    /// Composes the backup with those that it needs and checks every hash on the way. Into a directory, which must be
    /// empty or not exist where neither --merge nor --replace is said; or in place, over the job's directories. Nothing is
    /// lost without --replace: with --merge what is there and not in the backup stays, and the files that are in both are
    /// exchanged one by one. What a command printed has no place among directories, is named, and makes the exit code 3, as
    /// does a backup that is incomplete.
    // The options of a group read as if each excluded the others.
    #[command(
        override_usage = "mainstay backup restore [OPTIONS] <JOB> --into <DIRECTORY> [--merge|--replace]
       mainstay backup restore [OPTIONS] <JOB> <--merge|--replace>"
    )]
    #[command(after_long_help = examples!(partly, "
  mainstay backup restore state --into /tmp/state
  mainstay backup restore state --path data/conf --into /srv/conf --merge
  mainstay backup restore state --at 24h --path data/conf --into /tmp/state
  mainstay backup restore state --type snapshot --into /tmp/state
  mainstay backup restore state --at 2026-01-31T12:00:00Z --path data --merge
  mainstay backup restore state --id add-01K0000000000000000000000A --replace"))]
    Restore(RestoreArguments),
    /// Cancel the backup, the restore or the drill of a job that is under way
    ///
    /// Whoever asked for it; Ctrl-C in the terminal of a backup or a restore ends that alone. Nothing is put in place, and what was
    /// written for it is removed. What is being put in place already ends, whole, and a backup that is being committed stays, and
    /// is named. A backup that was due is tried again after its pause.
    #[command(after_long_help = examples!("
  mainstay backup cancel state"))]
    Cancel {
        /// The job
        #[arg(value_parser = named(JobName::parse))]
        job: JobName,
    },
    /// List what a backup holds
    ///
    /// All of it, or what lies at or under PATH. A key is a relative path in which `%XX` stands for a byte that is not part
    /// of UTF-8. With --json one object a line.
    #[command(after_long_help = examples!("
  mainstay backup ls ful-01K0000000000000000000000A
  mainstay backup ls ful-01K0000000000000000000000A data --json | jq .key"))]
    Ls {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        /// Only what lies at or under it
        #[arg(value_parser = DocumentKey::of_person)]
        path: Option<DocumentKey>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        with: IdentityFile,
    },
    /// Find files in backups by their names
    ///
    /// In PATTERN `*` stands for any part of one name, `**` for any part of a key, `?` for one letter. One without a slash is
    /// held against the last name of a key, any other against the whole key. Without --id in every backup that can be
    /// restored, the newest first; what was found is listed once as long as it does not change, with the newest backup that
    /// holds it. With --json one object a line. Exit code 1 where nothing was found.
    #[command(after_long_help = examples!("
  mainstay backup find '*.conf' --job state
  mainstay backup find 'data/**/users.db' --json"))]
    Find {
        /// Which names
        pattern: String,
        /// Only in backups of this job
        #[arg(long, value_parser = named(JobName::parse), conflicts_with = "id")]
        job: Option<JobName>,
        /// Only in this backup; its beginning or end will do where no other has it
        #[arg(long, value_parser = IdText::of::<BackupId>)]
        id: Option<IdText>,
    },
    /// Show what differs between two backups, or a backup and what is there now
    ///
    /// `+` is new, `-` is gone, `M` has another content, `m` the same with another owner, permissions, time, extended attributes
    /// or names. To compare with what is there now, every file of the job's directories is read. With --json one object a line.
    /// Exit code 3 where something could not be compared.
    #[command(after_long_help = examples!(partly, "
  mainstay backup diff ful-01K0000000000000000000000A
  mainstay backup diff ful-01K0000000000000000000000A add-01K000000 --json"))]
    Diff {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        from: IdText,
        /// Which other one; absent: what the job's directories hold now
        #[arg(value_parser = IdText::of::<BackupId>)]
        to: Option<IdText>,
    },
    /// Print one file of a backup
    ///
    /// All that it is read from is checked before. Of a symbolic link that is where it leads. With --json pieces of it, one
    /// a line, as `text` or `base64`.
    #[command(after_long_help = examples!("
  mainstay backup dump ful-01K0000000000000000000000A data/a.db > a.db"))]
    Dump {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        /// Which file, named as `backup ls` shows it
        #[arg(value_parser = DocumentKey::of_person)]
        path: DocumentKey,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        with: IdentityFile,
    },
    /// Hold a backup, so that retention does not let it go
    ///
    /// What it needs stays too. Waits its turn where something else of the job runs. A hold of before is replaced.
    #[command(after_long_help = examples!("
  mainstay backup hold ful-01K000000 --reason 'the audit of 2026'
  mainstay backup hold ful-01K000000 --until 2027-01-31T12:00:00Z"))]
    Hold(HoldArguments),
    /// Hold a backup no more
    #[command(after_long_help = examples!("
  mainstay backup release ful-01K0000000000000000000000A"))]
    Release {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Take a suspicious backup as it is: what it lacks is rightly gone
    ///
    /// It and those before it are suspicious no more; what is newer is measured against it. Retention of the job goes on where
    /// nothing of it is suspicious.
    #[command(after_long_help = examples!("
  mainstay backup accept ful-01K0000000000000000000000A"))]
    Accept {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Move a backup to another tier
    ///
    /// It is copied there, read back, and only then removed from where it is; what needs it finds it there. Waits its turn where
    /// something else of the job runs. One that is there already stays there.
    #[command(after_long_help = examples!("
  mainstay backup move ful-01K0000000000000000000000A cold"))]
    Move {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        /// Where to: a tier of the config, or local
        #[arg(value_parser = named(TierName::parse))]
        tier: TierName,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Delete a backup that nothing needs
    ///
    /// It goes to the trash, and is deleted when its grace there is over, as what retention lets go. Refused for one that another
    /// needs, that is held, or younger than `immutable_for`, and for the newest verified chains; while a backup of the job is
    /// suspicious, for all others. A checkpoint may go. Waits its turn where something else of the job runs.
    #[command(after_long_help = examples!("
  mainstay backup delete add-01K0000000000000000000000A --dry-run
  mainstay backup delete ful-01K0000000000000000000000A"))]
    Delete {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        /// Look whether it may go, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Take a backup out of the trash again
    ///
    /// It comes back with all that it needs of what lies there, is read back, and can be restored from then on for as long as
    /// retention keeps it; `backup hold` keeps it longer. Refused where something that it needs is gone.
    #[command(after_long_help = examples!("
  mainstay backup undelete ful-01K0000000000000000000000A"))]
    Undelete {
        /// Which backup; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        /// Look what would come back, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Run retention now, and show every verdict with its reason
    ///
    /// What the policy lets go and nothing needs goes to the trash, and is deleted after its grace.
    #[command(after_long_help = examples!("
  mainstay backup prune --dry-run"))]
    Prune {
        /// Only this job
        #[arg(long, value_parser = named(JobName::parse))]
        job: Option<JobName>,
        /// Judge, and expire nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Encrypt what is stored of a job to its present recipients
    ///
    /// What is not encrypted to exactly those whom `encryption` of the job names now is opened here and sealed again, all that was
    /// built on one full backup at once; until then the old stay as they were. What is not opened here, with `identity` of the
    /// job or --identity, is named and stays, a full backup is taken, and the exit code is 3. It needs room for one full backup
    /// with all that was built on it. Copies that lie elsewhere stay as they are.
    #[command(after_long_help = examples!(partly, "
  mainstay backup rekey state --dry-run
  mainstay backup rekey state --identity /media/usb/backup.txt"))]
    Rekey {
        /// The job
        #[arg(value_parser = named(JobName::parse))]
        job: JobName,
        /// Show which, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        with: IdentityFile,
    },
    /// Prove that the newest backup can be restored
    ///
    /// Restores the newest chain into a scratch directory, reads that again, compares every document, and tells how long it took.
    /// Where `drill` of the job names commands or a target, a service is started on it and looked at.
    #[command(after_long_help = examples!("
  mainstay backup drill state
  mainstay backup drill state --identity /media/usb/backup.txt"))]
    Drill {
        /// The job
        #[arg(value_parser = named(JobName::parse))]
        job: JobName,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        with: IdentityFile,
    },
}

/// A hold of a backup.
#[derive(Debug, Args)]
pub struct HoldArguments {
    /// Which backup; its beginning or end will do where no other has it
    #[arg(value_parser = IdText::of::<BackupId>)]
    pub id: IdText,
    /// Until this time, as 2027-01-31T12:00:00Z; absent: until it is released
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub until: Option<Since>,
    /// Why, for the record
    #[arg(long)]
    pub reason: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub by: By,
}

/// What can be done with checkpoints.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Take a checkpoint of a job, read it back and verify it
    ///
    /// It is a backup that stands alone. Manual and emergency ones stay; the others go when they are too old or too many, as
    /// `checkpoints` of the job says.
    #[command(after_long_help = examples!("
  mainstay checkpoint take trading --name before-the-move
  mainstay checkpoint take trading --kind pre-upgrade"))]
    Take {
        /// The job
        #[arg(value_parser = named(JobName::parse))]
        job: JobName,
        /// Why: manual, pre-upgrade or emergency; of what cannot be read an emergency one leaves out what it must
        #[arg(long, value_name = "KIND", default_value = "manual", value_parser = parse_checkpoint_kind)]
        kind: CheckpointKind,
        /// What to call it
        #[arg(long, value_parser = named(CheckpointName::parse))]
        name: Option<CheckpointName>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// List checkpoints, newest first, each with the last rollback to it
    #[command(after_long_help = examples!("
  mainstay checkpoint list --job trading"))]
    List {
        /// Only of this job
        #[arg(long, value_parser = named(JobName::parse))]
        job: Option<JobName>,
    },
    /// Roll a job back to a checkpoint
    ///
    /// Pauses what uses the state, by the command `pause` of the job's `checkpoints`; takes an emergency checkpoint of what is
    /// there; puts the checkpoint in place of the job's directories; asks the command `check`; and runs the command `resume`.
    /// Where that fails the emergency checkpoint is put back, nothing is resumed, and an alert says so.
    #[command(after_long_help = examples!("
  mainstay checkpoint rollback sna-01K0000000000000000000000A"))]
    Rollback {
        /// To which one; its beginning or end will do where no other has it
        #[arg(value_parser = IdText::of::<BackupId>)]
        id: IdText,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Resume what a rollback that failed has left paused
    ///
    /// Runs the command `resume` of the job's `checkpoints`, and ends the alert.
    #[command(after_long_help = examples!("
  mainstay checkpoint resume trading"))]
    Resume {
        /// The job
        #[arg(value_parser = named(JobName::parse))]
        job: JobName,
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
}

/// What is restored, and where to.
#[derive(Debug, Args)]
#[command(group(
    clap::ArgGroup::new("place")
        .args(["into", "replace", "merge"])
        .required(true)
        .multiple(true)
))]
pub struct RestoreArguments {
    /// The job
    #[arg(value_parser = named(JobName::parse))]
    pub job: JobName,
    /// Which backup; absent: the newest verified
    #[arg(long, value_parser = IdText::of::<BackupId>, conflicts_with = "at")]
    pub id: Option<IdText>,
    /// The newest verified of this type: full, incremental, differential, snapshot or emergency; absent: of any but emergency
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type, conflicts_with = "id")]
    pub backup_type: Option<BackupType>,
    /// The newest verified of this time or before: a time (2026-01-31T12:00:00Z, 14:41, yesterday) or a length back from now (90s, 15m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub at: Option<Since>,
    /// Only what lies at or under it, named as `backup ls` shows it, or by a pattern as of `backup find`; may be said several times
    #[arg(long = "path", value_name = "PATH", value_parser = parse_meant)]
    pub paths: Vec<String>,
    /// Into this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub into: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    pub replace: bool,
    /// Keep what is there and not in the backup
    #[arg(long, conflicts_with = "replace")]
    pub merge: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own docs are the help")]
    pub with: IdentityFile,
}

/// What opens backups that the host does not read itself.
#[derive(Debug, Args)]
pub struct IdentityFile {
    /// Open what is encrypted with the identities of this file too; they are given to the daemon for this alone, and kept nowhere
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// What can be done with the journal's file.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Look through the journal: its structure, each row's checksum, each record
    ///
    /// Changes nothing, and may run while a daemon writes. Exit code 0 where it is whole, 1 where it is not.
    #[command(after_long_help = examples!("
  mainstay journal check
  mainstay journal check --state-dir /var/lib/mainstay --json"))]
    Check,
    /// Make a new journal of what can be read of a damaged one
    ///
    /// The daemon must be stopped. The files that were found stay in the state directory, under names with the time. Exit
    /// code 0 where everything that was acknowledged is in the new journal, 1 where something is missing.
    #[command(after_long_help = examples!("
  mainstay journal salvage
  mainstay journal salvage --json"))]
    Salvage,
    /// Copy the journal into one file, and read the copy back
    ///
    /// May run while a daemon writes; the copy holds what was durable at one moment. To restore it: stop the daemon, move
    /// journal.* in the state directory away, and put the copy there as journal.db.
    #[command(after_long_help = examples!("
  mainstay journal backup /backups/journal-$(date +%F).db"))]
    Backup {
        /// Where to; must not exist
        file: PathBuf,
    },
}

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the daemon's plugins, or those that come with the program
    ///
    /// Those that somebody has to look at first. Those that are retired are only counted, but with --all or --json.
    #[command(after_long_help = examples!("
  mainstay plugin list
  mainstay plugin list --all
  mainstay plugin list --available"))]
    List {
        /// Those that are retired too
        #[arg(long, conflicts_with = "available")]
        all: bool,
        /// Those that come with the program, with what each asks for and its settings; needs no daemon and no config
        #[arg(long)]
        available: bool,
    },
    /// Put plugins that come with the program into the plugin directory
    ///
    /// Each in one step, so that a daemon never sees half of it; one that runs loads it at once. What it needs of the config
    /// is printed. A file that is there with other bytes stays, and is an error.
    #[command(after_long_help = examples!("
  mainstay plugin install webhook
  mainstay plugin install restart-service disk-cleanup
  mainstay plugin install webhook --into /etc/mainstay/plugins"))]
    Install {
        /// Which: of `mainstay plugin list --available`
        #[arg(required = true, value_name = "NAME", value_parser = named(PluginName::parse))]
        names: Vec<PluginName>,
        /// Where to. Default: `host.plugin_dir` of the config, of which only `[host]` has to be right
        #[arg(long, value_name = "DIRECTORY")]
        into: Option<PathBuf>,
    },
    /// Show what a component says of itself: identity, contract, capabilities, imports
    ///
    /// Runs its `describe` without any grant and under limits; needs no daemon and no config.
    #[command(after_long_help = examples!("
  mainstay plugin inspect plugins/restart-service.wasm"))]
    Inspect {
        /// The component
        file: PathBuf,
    },
    /// Let other bytes go by a plugin's name and version than those that were accepted first
    ///
    /// A version that was accepted once means the same bytes for good; a file with others is refused, also when the
    /// first is long gone. This is the operator's word that it may mean others from now on. Where the first build still
    /// lies in another file, remove that too.
    #[command(after_long_help = examples!("
  mainstay plugin forget restart-service@1.0.0"))]
    Forget {
        /// Which: NAME@VERSION
        #[arg(value_parser = parse_plugin, value_name = "NAME@VERSION")]
        plugin: (PluginName, Version),
        #[command(flatten)]
        #[allow(missing_docs, reason = "its own docs are the help")]
        by: By,
    },
    /// Write a new plugin, ready to build
    ///
    /// A Cargo package: the contract's glue in src/lib.rs, the decision in src/decide.rs, native tests against a
    /// scripted host, a README, and a mainstay.toml to try it with. The SDK comes out of this program: nothing else
    /// is compiled, and nothing is downloaded. Prints what to do next, and the route and the grants for a config of
    /// your own.
    #[command(after_long_help = examples!("
  mainstay plugin new fix-api
  mainstay plugin new page-me --kind alerter
  mainstay plugin new fix-api --kind alerter --directory plugins/fix-api"))]
    New {
        /// The plugin's name
        #[arg(value_parser = named(PluginName::parse))]
        name: PluginName,
        /// What it does: recovery-handler, alerter, retention-policy, detector, recovery-strategy, backup-source or
        /// durable-recovery-handler
        #[arg(long, default_value = "recovery-handler", value_parser = parse_kind)]
        kind: PluginKind,
        /// Where to; must not exist or be empty. Default: ./NAME
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
        /// Another SDK's directory. Default: the program's own, written into vendor
        #[arg(long, value_name = "DIRECTORY")]
        sdk: Option<PathBuf>,
    },
    /// Build a plugin's component
    ///
    /// Finds a Rust compiler that builds for wasm32-wasip2, or provides one, builds the package with the profile
    /// `guest`, checks the component as the daemon would, and writes it. With --drop it appears in a plugin directory
    /// in one step, so that a daemon never sees half of it.
    #[command(after_long_help = examples!("
  mainstay plugin build
  mainstay plugin build fix-api --drop plugins"))]
    Build {
        /// The package's directory
        #[arg(default_value = ".")]
        directory: PathBuf,
        /// Write the component to this file. Default: NAME.wasm in the package's directory
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Also put it into this directory of plugins, which is made if need be
        #[arg(long, value_name = "DIRECTORY")]
        drop: Option<PathBuf>,
        /// Have rustup add wasm32-wasip2 to the active toolchain where it lacks it. Default: ask on a terminal, else refuse
        #[arg(short, long)]
        yes: bool,
    },
    /// Test a plugin: its native tests, then its component
    ///
    /// Runs `cargo test` in the package, then builds the component into a temporary directory and inspects it as the
    /// daemon would: its world, its contract version, what it says of itself.
    #[command(after_long_help = examples!("
  mainstay plugin test fix-api"))]
    Test {
        /// The package's directory
        #[arg(default_value = ".")]
        directory: PathBuf,
        /// Have rustup add wasm32-wasip2 to the active toolchain where it lacks it. Default: ask on a terminal, else refuse
        #[arg(short, long)]
        yes: bool,
    },
}

/// A name; of what is none is said, as for the config, which it may have been meant to be.
fn named<T: 'static>(
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text: &str| parse(text).map_err(|error| format!("{error}; {}", name_help(text)))
}

fn parse_word<T: serde::de::DeserializeOwned>(text: &str, allowed: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("allowed are {allowed}"))
}

fn parse_state(text: &str) -> Result<OperationState, String> {
    parse_word(
        text,
        "scheduled, in-progress, validating, succeeded, failed, partial, cancelled and awaiting-manual",
    )
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    parse_word(text, "low, medium, high and critical")
}

fn parse_share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| "allowed are numbers from 0 to 1, like 0.8".to_owned())
}

fn parse_lasts(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(1)..=Duration::from_secs(365 * 86_400);
    length_of(text)
        .filter(|length| allowed.contains(length))
        .ok_or_else(|| "allowed are a whole number and a unit, like 90s, 10m, 24h or 7d".to_owned())
}

/// A key or a pattern, as it is written.
fn parse_meant(text: &str) -> Result<String, InvalidKey> {
    Selection::of_person(&[text]).map(|_| text.to_owned())
}

fn parse_type(text: &str) -> Result<BackupType, String> {
    parse_word(
        text,
        "full, incremental, differential, snapshot and emergency",
    )
}

/// What is due is taken by itself.
fn parse_checkpoint_kind(text: &str) -> Result<CheckpointKind, String> {
    const ALLOWED: &str = "manual, pre-upgrade and emergency";
    match parse_word(text, ALLOWED)? {
        CheckpointKind::Automatic | CheckpointKind::Daily => Err(format!("allowed are {ALLOWED}")),
        kind => Ok(kind),
    }
}

pub(super) fn parse_plugin(text: &str) -> Result<(PluginName, Version), String> {
    let Some((name, version)) = text.split_once('@') else {
        return Err("write its name and its version, e.g. restart-service@1.0.0".to_owned());
    };
    Ok((named(PluginName::parse)(name)?, parse_version(version)?))
}

fn parse_kind(text: &str) -> Result<PluginKind, String> {
    let mut kinds = PluginKind::ALL.into_iter();
    kinds
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| format!("allowed are {}", list(PluginKind::ALL, "none")))
}

/// A whole number and a unit.
fn length_of(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number = number.parse::<u64>().ok()?;
    number.checked_mul(millis).map(Duration::from_millis)
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(1)..=Duration::from_secs(86_400);
    length_of(text)
        .filter(|length| allowed.contains(length))
        .ok_or_else(|| {
            "allowed are a whole number and a unit, from 1ms to 1d, like 500ms, 10s or 2m"
                .to_owned()
        })
}

fn parse_length(text: &str) -> Result<Duration, String> {
    length_of(text)
        .filter(|length| *length <= Duration::from_secs(365 * 86_400))
        .ok_or_else(|| "allowed are a whole number and a unit, like 0s, 500ms, 2s or 5m".to_owned())
}

fn parse_pause(text: &str) -> Result<Duration, String> {
    length_of(text)
        .filter(|length| !length.is_zero() && *length <= LONGEST_PAUSE)
        .ok_or_else(|| {
            "allowed are a whole number and a unit, up to 30d, like 90s, 30m, 2h or 7d".to_owned()
        })
}

fn parse_since_event(text: &str) -> Result<SinceEvent, String> {
    if let Ok(seq) = text.parse() {
        return Ok(SinceEvent::Seq(seq));
    }
    parse_since(text)
        .map(SinceEvent::Time)
        .map_err(|error| format!("{error}; and the `seq` of an event, like 1200"))
}

fn parse_since(text: &str) -> Result<Since, String> {
    if let Some(length) = length_of(text) {
        return Ok(Since::Ago(length));
    }
    parse_moment(text)
        .map_err(|error| format!("{error}, and a length back from now like 90s, 15m, 24h or 7d"))
}

fn parse_moment(text: &str) -> Result<Since, String> {
    // What says how far it is from UTC is told by no clock of this zone.
    match (Timestamp::parse(text), ShownTime::parse(text)) {
        (Ok(time), _) => Ok(Since::Time(time)),
        (Err(_), Some(shown)) => Ok(Since::Shown(shown)),
        (Err(error), None) => Err(format!(
            "{error}; allowed too is a time as it is shown, like 14:41:00, 2026-01-31, \"2026-01-31 14:41:00\" or yesterday"
        )),
    }
}

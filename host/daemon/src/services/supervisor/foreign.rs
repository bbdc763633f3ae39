//! Services that others supervise: started and stopped by the commands of their config.
//!
//! Invariant: a stop that fails does not keep the start of a restart back; but nothing is started beside a process that
//! is known, by its pid file, to live on, nor beside one that lives and may be it.

mod known;
mod stopped;

use super::{
    Core,
    port::Verb,
    target::{Intent, SupervisedTarget},
};
use crate::ports::{NamedEnd, NamedProcess, PidFileError, ProcessUpdate};
use mainstay_domain::{
    effect::EffectError, event::EventKind, severity::Severity, spec::ForeignCommands,
};
use std::time::Duration;
use stopped::{Stopped, argv, grace_of, said, words};
use tokio::time::Instant;

/// What a pid file said before a command ran.
type Named = Result<Option<NamedProcess>, PidFileError>;

impl Core {
    async fn control_foreign(
        &self,
        supervised: &SupervisedTarget,
        verb: Verb,
    ) -> Result<(), EffectError> {
        let commands = supervised.commands();
        let news = |news| self.ports.watch.process_changed(&supervised.name, news);
        match verb {
            Verb::Start => {
                let start = argv(supervised, &commands.start, "start")?;
                self.bring_up(supervised, &commands, start).await?;
                supervised.intend(Intent::Run);
                news(ProcessUpdate::Started(None));
                Ok(())
            }
            Verb::Reload => {
                let reload = argv(supervised, &commands.reload, "reload")?;
                self.run_foreign(supervised, &commands, reload).await
            }
            Verb::Stop | Verb::Hold => {
                if commands.pid_file.is_none() {
                    argv(supervised, &commands.stop, "stop")?;
                }
                news(match verb {
                    Verb::Hold => self.hold_news(&supervised.name),
                    _ => ProcessUpdate::Stopped,
                });
                let stopped = match self.stop_foreign(supervised, &commands).await {
                    Stopped::Down(None) => Ok(()),
                    Stopped::Down(Some(warning)) => {
                        self.warn(supervised, format!("{warning}; it is down now"));
                        Ok(())
                    }
                    Stopped::InDoubt(error) | Stopped::LivesOn(error) => Err(error),
                    Stopped::Unverified { stopped, why } => {
                        if stopped.is_ok() {
                            self.warn(supervised, why);
                        }
                        stopped
                    }
                };
                supervised.intend(match &stopped {
                    Ok(()) => Intent::StayDown,
                    Err(_) => Intent::Run,
                });
                if stopped.is_err() {
                    news(ProcessUpdate::Runs(None));
                }
                stopped
            }
            Verb::Restart => {
                // Before anything is stopped: one that can only stop would not come back.
                if commands.restart.is_none() {
                    if commands.pid_file.is_none() {
                        argv(supervised, &commands.stop, "stop")?;
                    }
                    argv(supervised, &commands.start, "start")?;
                }
                news(ProcessUpdate::Stopped);
                let done = match &commands.restart {
                    Some(restart) => self.restart_by(supervised, &commands, restart).await,
                    None => self.stop_and_start(supervised, &commands).await,
                };
                supervised.intend(Intent::Run);
                // Whether it worked is for its checks to say, so they count again.
                news(match &done {
                    Ok(()) => ProcessUpdate::Started(None),
                    Err(_) => ProcessUpdate::Runs(None),
                });
                done
            }
        }
    }

    async fn stop_and_start(
        &self,
        supervised: &SupervisedTarget,
        commands: &ForeignCommands,
    ) -> Result<(), EffectError> {
        let warning = match self.stop_foreign(supervised, commands).await {
            Stopped::Down(warning) => warning,
            Stopped::InDoubt(error) => Some(said(error)),
            // A second copy would find its port and its files taken.
            Stopped::LivesOn(error) => return Err(error),
            Stopped::Unverified { why, .. } => return Err(EffectError::Failed(why)),
        };
        if let Some(warning) = warning {
            self.warn(supervised, format!("{warning}; it is started all the same"));
        }
        let start = argv(supervised, &commands.start, "start")?;
        self.bring_up(supervised, commands, start).await
    }

    /// By its own command; where that hangs, and the process that it was about is known, that ends and is started anew.
    async fn restart_by(
        &self,
        supervised: &SupervisedTarget,
        commands: &ForeignCommands,
        restart: &[String],
    ) -> Result<(), EffectError> {
        let named = self.named(commands).await;
        let done = self.bring_up(supervised, commands, restart).await;
        let (Err(error @ EffectError::TimedOut(_)), Ok(Some(process))) = (&done, &named) else {
            return done;
        };
        let error = error.clone();
        match self.end_named(commands, *process, None).await {
            Ok(end) => {
                let how = words(*process, end);
                let warning = format!("{}{how}; it is started anew", said(error));
                self.warn(supervised, warning);
            }
            Err(why) => return Err(EffectError::Failed(format!("{}; {why}", said(error)))),
        }
        let again = commands.start.as_deref().unwrap_or(restart);
        self.bring_up(supervised, commands, again).await
    }

    /// By its own command, and what its pid file names after that.
    async fn stop_foreign(
        &self,
        supervised: &SupervisedTarget,
        commands: &ForeignCommands,
    ) -> Stopped {
        let named = self.named(commands).await;
        let (stopped, asked) = match &commands.stop {
            Some(stop) => {
                let begun = Instant::now();
                let stopped = self.run_foreign(supervised, commands, stop).await;
                let asked = stopped.is_ok().then(|| begun.elapsed());
                (stopped, asked)
            }
            None => (Ok(()), None),
        };
        let end = match named {
            Ok(Some(process)) => self
                .end_named(commands, process, asked)
                .await
                .map(|end| Some((process, end))),
            Ok(None) => Ok(None),
            // It names what must get no signal, so who lives is not known.
            Err(refused) => {
                let stopped = match stopped {
                    Ok(()) if commands.stop.is_none() => Err(EffectError::Failed(format!(
                        "{}: it has no `commands.stop`, and its pid file is of no use: {refused}",
                        supervised.name
                    ))),
                    stopped => stopped,
                };
                return self
                    .in_doubt(supervised, commands, asked, stopped, refused)
                    .await;
            }
        };
        match (stopped, end) {
            (Ok(()), Ok(None | Some((_, NamedEnd::ByItself)))) => Stopped::Down(None),
            (Ok(()), Ok(Some((process, end)))) => {
                let how = words(process, end);
                let by_stop = commands.stop.is_some() || end == NamedEnd::Killed;
                let warning = format!("{}: it did not end when asked to{how}", supervised.name);
                Stopped::Down(by_stop.then_some(warning))
            }
            (Err(error), Ok(Some((process, end)))) => {
                let how = words(process, end);
                Stopped::Down(Some(format!("{}{how}", said(error))))
            }
            (Err(error), Ok(None)) => Stopped::InDoubt(error),
            (Ok(()), Err(why)) => {
                Stopped::LivesOn(EffectError::Failed(format!("{}: {why}", supervised.name)))
            }
            (Err(error), Err(why)) => {
                Stopped::LivesOn(EffectError::Failed(format!("{}; {why}", said(error))))
            }
        }
    }

    /// What a stop comes to whose pid file names what must get no signal. It may be the service all the same, where only a
    /// clock says that it is not.
    async fn in_doubt(
        &self,
        supervised: &SupervisedTarget,
        commands: &ForeignCommands,
        asked: Option<Duration>,
        stopped: Result<(), EffectError>,
        refused: PidFileError,
    ) -> Stopped {
        let grace = asked.map_or(Duration::ZERO, |_| grace_of(commands, asked));
        if let Some(process) = refused.claims
            && !self.ports.pid_files.ended(process, grace).await
        {
            let why = format!(
                "{}: {refused}, and it lives on, so no second copy is started; end it if it is the service, and remove the \
                 file if it is not",
                supervised.name
            );
            return Stopped::Unverified { stopped, why };
        }
        match stopped {
            Ok(()) => Stopped::Down(None),
            Err(error) => Stopped::InDoubt(error),
        }
    }

    /// What the pid file names now; none where the service has none.
    async fn named(&self, commands: &ForeignCommands) -> Named {
        match &commands.pid_file {
            Some(file) => self.ports.pid_files.named(file.clone()).await,
            None => Ok(None),
        }
    }

    /// `asked` is how long its stop command took, where that has asked it to end.
    async fn end_named(
        &self,
        commands: &ForeignCommands,
        process: NamedProcess,
        asked: Option<Duration>,
    ) -> Result<NamedEnd, String> {
        let file = commands.pid_file.clone().unwrap_or_default();
        let (was_asked, grace) = (asked.is_some(), grace_of(commands, asked));
        let pid_files = &self.ports.pid_files;
        let ended = pid_files.end(process, was_asked, grace, file).await;
        ended.map_err(|why| why.to_string())
    }

    /// Runs a command that starts a foreign service. What it fails of may be gone later, as with a process that cannot be
    /// started: the next attempt runs it again.
    async fn bring_up(
        &self,
        supervised: &SupervisedTarget,
        commands: &ForeignCommands,
        argv: &[String],
    ) -> Result<(), EffectError> {
        let done = self.run_foreign(supervised, commands, argv).await;
        done.map_err(|error| match error {
            EffectError::Failed(why) => EffectError::Unavailable(why),
            other => other,
        })
    }

    /// Runs a command of a foreign service to its end.
    async fn run_foreign(
        &self,
        supervised: &SupervisedTarget,
        commands: &ForeignCommands,
        argv: &[String],
    ) -> Result<(), EffectError> {
        let (cwd, run_as) = (self.ports.foreign_cwd.clone(), commands.run_as.clone());
        self.run_to_end(supervised, argv, cwd, commands.timeout, run_as)
            .await
    }

    /// Something was not done with a target as its config says; what was done instead.
    pub(super) fn warn(&self, supervised: &SupervisedTarget, message: String) {
        self.submit(vec![self.event(
            supervised,
            EventKind::TargetWarned,
            Severity::Medium,
            message,
        )]);
    }
}

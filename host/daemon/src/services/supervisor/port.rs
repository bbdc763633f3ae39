//! The supervisor as the others see it.

use super::{
    Core, Supervisor,
    target::{After, Intent, SupervisedTarget},
};
use crate::ports::{Boxed, ProcessUpdate, TargetControl};
use mainstay_domain::{
    effect::{EffectError, Signal, TargetStatus},
    health::Health,
    name::TargetName,
    record::ProcessIdentity,
};
use std::{sync::Arc, time::Duration};

/// After this the command of a foreign service counts as in doubt; the default wall time of a step.
const FOREIGN_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Start,
    Stop,
    Restart,
}

impl Supervisor {
    /// Works on a target when its turn comes, to the end, even where who asked is gone.
    fn in_turn(&self, target: TargetName, verb: Verb) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(async move {
            let core = Arc::clone(&self.core);
            core.reconciled.wait().await;
            let supervised = core.get(&target).ok_or_else(|| unknown(&target))?;
            let seen = supervised.process();
            let tasks = core.tasks.clone();
            let work = tasks.spawn(async move {
                let _turn = supervised.turn.lock().await;
                core.refuse_if_closing()?;
                match supervised.process_spec() {
                    Some(_) => core.control_process(&supervised, verb, seen).await,
                    None => core.control_foreign(&supervised, verb).await,
                }
            });
            let interrupted =
                |error| EffectError::TimedOut(format!("the work was interrupted: {error}"));
            work.await.map_err(interrupted)?
        })
    }
}

impl Core {
    fn refuse_if_closing(&self) -> Result<(), EffectError> {
        match self.is_closing() {
            true => Err(EffectError::Unavailable(
                "the daemon is stopping; the next one takes this up".to_owned(),
            )),
            false => Ok(()),
        }
    }

    async fn control_process(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        verb: Verb,
        seen: Option<ProcessIdentity>,
    ) -> Result<(), EffectError> {
        let present = supervised.process();
        match verb {
            Verb::Stop => {
                supervised.intend(Intent::StayDown);
                self.stop_process(supervised, None, After::StaysDown).await;
                return Ok(());
            }
            Verb::Start if present.is_some() => return Ok(()),
            // It was replaced while this waited for its turn; once is enough.
            Verb::Restart if present.is_some() && present != seen => return Ok(()),
            Verb::Start => {}
            Verb::Restart => {
                self.stop_process(supervised, None, After::StartsAgain)
                    .await
            }
        }
        supervised.intend(Intent::Run);
        // Once more, for the stop may have lasted.
        self.refuse_if_closing()?;
        let launched = self.launch(supervised).await;
        launched.map_err(|why| {
            self.ports
                .watch
                .process_changed(&supervised.name, ProcessUpdate::Down(why.clone()));
            EffectError::Unavailable(why)
        })
    }

    async fn control_foreign(
        &self,
        supervised: &SupervisedTarget,
        verb: Verb,
    ) -> Result<(), EffectError> {
        let commands = supervised.commands();
        let argv = |command: &Option<Vec<String>>, name: &str| {
            command.clone().ok_or_else(|| {
                EffectError::Failed(format!(
                    "{}: its config has neither `run` nor `commands.{name}`",
                    supervised.name
                ))
            })
        };
        let news = |news| self.ports.watch.process_changed(&supervised.name, news);
        match verb {
            Verb::Start => {
                self.run_foreign(supervised, &argv(&commands.start, "start")?)
                    .await?;
                supervised.intend(Intent::Run);
                news(ProcessUpdate::Started(None));
            }
            Verb::Stop => {
                let stop = argv(&commands.stop, "stop")?;
                news(ProcessUpdate::Stopped);
                let stopped = self.run_foreign(supervised, &stop).await;
                supervised.intend(match &stopped {
                    Ok(()) => Intent::StayDown,
                    Err(_) => Intent::Run,
                });
                if stopped.is_err() {
                    news(ProcessUpdate::Runs(None));
                }
                return stopped;
            }
            Verb::Restart => {
                let run: Vec<_> = match &commands.restart {
                    Some(restart) => vec![restart.clone()],
                    None => vec![
                        argv(&commands.stop, "stop")?,
                        argv(&commands.start, "start")?,
                    ],
                };
                news(ProcessUpdate::Stopped);
                let mut done = Ok(());
                for argv in run {
                    if done.is_ok() {
                        done = self.run_foreign(supervised, &argv).await;
                    }
                }
                supervised.intend(Intent::Run);
                // Whether it worked is for its checks to say, so they count again.
                news(match &done {
                    Ok(()) => ProcessUpdate::Started(None),
                    Err(_) => ProcessUpdate::Runs(None),
                });
                return done;
            }
        }
        Ok(())
    }

    /// Runs a command of a foreign service to its end.
    async fn run_foreign(
        &self,
        supervised: &SupervisedTarget,
        argv: &[String],
    ) -> Result<(), EffectError> {
        let (argv, cwd) = (argv.to_vec(), self.ports.foreign_cwd.clone());
        let words = argv.join(" ");
        let output = self
            .ports
            .commands
            .run_foreign(argv, cwd, FOREIGN_TIMEOUT)
            .await?;
        if output.exit_code == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr.0).into_owned();
        let last = text
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it printed no error");
        Err(EffectError::Failed(format!(
            "{}: `{words}` exited with code {}: {last}",
            supervised.name, output.exit_code
        )))
    }
}

fn unknown(target: &TargetName) -> EffectError {
    EffectError::Failed(format!(
        "there is no target `{target}`; `mainstay status` lists all"
    ))
}

impl TargetControl for Supervisor {
    fn status(&self, target: &TargetName) -> Option<TargetStatus> {
        let supervised = self.core.get(target)?;
        let process = supervised.process();
        let health = self.core.ports.watch.health(target);
        Some(TargetStatus {
            health: health.map_or(Health::Unknown, |(health, _)| health),
            running: supervised.process_spec().map(|_| process.is_some()),
            pid: process.as_ref().map(|process| process.pid),
            started_at: process.map(|process| process.started_at),
            restarts: supervised.restarts(),
        })
    }

    fn start(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Start)
    }

    fn stop(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Stop)
    }

    fn restart(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Restart)
    }

    fn signal(&self, target: TargetName, signal: Signal) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(async move {
            self.core.reconciled.wait().await;
            let supervised = self.core.get(&target).ok_or_else(|| unknown(&target))?;
            let process = supervised.process().ok_or_else(|| {
                EffectError::Failed(format!("{target}: it has no supervised process that runs"))
            })?;
            let sent = self.core.ports.processes.signal(&process, signal);
            sent.map_err(|why| EffectError::Failed(format!("{target}: {why}")))
        })
    }
}

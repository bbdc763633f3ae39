//! Applies another config to processes that run.
//!
//! A target that goes and one that comes and runs the same are one target with another name (`renaming`).

use super::{
    Core,
    decide::{self, AtConfig},
    renaming::take_renamed,
    target::{After, Intent, SupervisedTarget},
};
use crate::ports::ProcessUpdate;
use mainstay_domain::spec::Spec;
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// How much longer than its grace the end of a process takes at most, unless it cannot be killed.
pub(super) const AFTER_GRACE: Duration = Duration::from_secs(5);

impl Core {
    /// Applies another config, each changed target in a task of its own; what ends, also by the configs before, before
    /// anything starts: the new target may be the old one under another name, or want its port.
    pub(super) fn reconfigure(self: &Arc<Self>, spec: &Spec) {
        let changed = self.set_specs(spec);
        let (mut starting, mut ending): (Vec<_>, Vec<_>) = changed
            .into_iter()
            .partition(|supervised| supervised.process_spec().is_some());
        let patience = self.longest_ending() + AFTER_GRACE;
        let renamed = take_renamed(&mut ending, &mut starting);
        let endings = self.endings.clone();
        for (old, new) in renamed {
            self.ports.watch.row_changed(&old.name);
            self.ports.watch.row_changed(&new.name);
            let (core, to) = (Arc::clone(self), Arc::clone(&new));
            let renaming = endings.track_future(async move { core.rename(&old, &to).await });
            let (core, endings) = (Arc::clone(self), endings.clone());
            self.background.spawn(async move {
                let is_kept = renaming.await;
                if !is_kept {
                    core.start_after(&endings, patience, &new).await;
                }
            });
        }
        for supervised in ending {
            self.ports.watch.row_changed(&supervised.name);
            let core = Arc::clone(self);
            self.background.spawn(endings.track_future(async move {
                let _turn = supervised.turn.lock().await;
                core.apply_config(&supervised).await;
            }));
        }
        for supervised in starting {
            self.ports.watch.row_changed(&supervised.name);
            let (core, endings) = (Arc::clone(self), endings.clone());
            self.background.spawn(async move {
                core.start_after(&endings, patience, &supervised).await;
            });
        }
    }

    /// The longest grace of what has to end.
    fn longest_ending(&self) -> Duration {
        let all = self.all();
        let ending = all
            .iter()
            .filter(|supervised| supervised.process_spec().is_none() && supervised.runs());
        let graces = ending.map(|supervised| supervised.grace());
        graces.max().unwrap_or_default()
    }

    async fn start_after(
        self: &Arc<Self>,
        endings: &TaskTracker,
        patience: Duration,
        supervised: &Arc<SupervisedTarget>,
    ) {
        // What cannot even be killed must not keep all others down.
        let _ = tokio::time::timeout(patience, endings.wait()).await;
        if supervised.began().is_none() {
            self.wait_for_dependencies(supervised).await;
        }
        let _turn = supervised.turn.lock().await;
        self.apply_config(supervised).await;
    }

    /// The targets of which the config says something else than before.
    pub(super) fn set_specs(&self, spec: &Spec) -> Vec<Arc<SupervisedTarget>> {
        let mut targets = self.targets.write();
        let gone = targets.values().filter(|supervised| {
            spec.target(&supervised.name).is_none() && supervised.set_spec(None)
        });
        let mut changed: Vec<_> = gone.cloned().collect();
        for target in &spec.targets {
            let known = targets.get(&target.name).cloned();
            let supervised = known.unwrap_or_else(|| {
                let supervised = SupervisedTarget::new(&target.name);
                targets.insert(target.name.clone(), Arc::clone(&supervised));
                supervised
            });
            if supervised.set_spec(Some(target)) {
                changed.push(supervised);
            }
        }
        changed
    }

    /// Makes the process match the present config, whatever was asked for meanwhile.
    pub(super) async fn apply_config(self: &Arc<Self>, supervised: &Arc<SupervisedTarget>) {
        if self.is_closing() {
            return; // The shutdown stops what is to be stopped, in time.
        }
        let (old, new) = supervised.take_applied();
        match decide::at_config(old.as_deref(), new.as_deref()) {
            AtConfig::Keep => {}
            AtConfig::Stop => {
                let why = match supervised.is_listed() {
                    true => "its config has no `run` any more",
                    false => "the config has no such target any more",
                };
                // What cannot be ended was told, and is waited for.
                let _ = self
                    .stop_process(supervised, Some(why.to_owned()), After::StaysDown)
                    .await;
                let is_held = self.held(&supervised.name).is_some();
                if supervised.is_listed() && supervised.process_spec().is_none() && !is_held {
                    // A foreign service from now on: whether it runs is for its checks to say, so they count again.
                    let news = ProcessUpdate::Runs(None);
                    self.ports.watch.process_changed(&supervised.name, news);
                }
            }
            // A handler has stopped the target.
            _ if supervised.intent() == Intent::StayDown => {}
            AtConfig::Start => self.launch_or_report(supervised).await,
            AtConfig::Restart(why) => self.relaunch(supervised, why).await,
        }
    }
}

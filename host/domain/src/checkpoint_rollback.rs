//! What a rollback to a checkpoint does next.
//!
//! Invariant: what was paused is resumed only where the checkpoint is in place and the operator's command finds it right.
//! Invariant: once something may have been put in place, a failure puts the emergency checkpoint back, also over an end of
//! the daemon.

use crate::checkpoint::RollbackStep;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// It was done.
    Done,
    /// It was not, or nobody knows.
    Failed,
}

/// What comes after a step that ended so; after an end comes nothing else.
///
/// ```
/// use mainstay_domain::{checkpoint::RollbackStep, checkpoint_rollback::{StepEnd, after}};
///
/// assert_eq!(after(RollbackStep::Placing, StepEnd::Failed), RollbackStep::PuttingBack);
/// assert_eq!(after(RollbackStep::Saving, StepEnd::Failed), RollbackStep::Failed);
/// ```
pub fn after(step: RollbackStep, end: StepEnd) -> RollbackStep {
    use RollbackStep as Step;
    use StepEnd::{Done, Failed};
    match (step, end) {
        (Step::Pausing, Done) => Step::Saving,
        (Step::Saving, Done) => Step::Staging,
        (Step::Staging, Done) => Step::Placing,
        (Step::Placing, Done) => Step::Checking,
        (Step::Checking, Done) => Step::Resuming,
        (Step::Resuming, Done) => Step::Succeeded,
        // Nothing was put in place.
        (Step::Pausing | Step::Saving | Step::Staging, Failed) | (Step::PuttingBack, Done) => {
            Step::Failed
        }
        (Step::Placing | Step::Checking, Failed) => Step::PuttingBack,
        (Step::Resuming, Failed) => Step::Unresumed,
        (Step::PuttingBack, Failed) => Step::Stranded,
        (Step::Succeeded | Step::Failed | Step::Unresumed | Step::Stranded, _) => step,
    }
}

/// What a daemon does about a rollback that the end of the one before cut off at this step; an end where nothing is to be
/// done any more. `may_resume_again`: to run the command that resumes twice with one key is to run it once.
pub fn after_cut_off(step: RollbackStep, may_resume_again: bool) -> RollbackStep {
    use RollbackStep as Step;
    match step {
        Step::Pausing | Step::Saving | Step::Staging => Step::Failed,
        // Whether it was put in place, and is right, nobody knows.
        Step::Placing | Step::Checking | Step::PuttingBack => Step::PuttingBack,
        // What was put in place was found right.
        Step::Resuming if may_resume_again => Step::Resuming,
        Step::Resuming => Step::Unresumed,
        Step::Succeeded | Step::Failed | Step::Unresumed | Step::Stranded => step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RollbackStep as Step;
    use proptest::prelude::*;

    /// What the sources hold.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Held {
        Before,
        Checkpoint,
        Unknown,
    }

    /// A machine on which a rollback runs.
    #[derive(Debug)]
    struct Machine {
        held: Held,
        resumed: bool,
    }

    impl Machine {
        fn does(&mut self, step: Step, end: StepEnd) {
            match (step, end) {
                (Step::Placing, StepEnd::Done) => self.held = Held::Checkpoint,
                (Step::Placing | Step::PuttingBack, StepEnd::Failed) => self.held = Held::Unknown,
                (Step::PuttingBack, StepEnd::Done) => self.held = Held::Before,
                (Step::Resuming, StepEnd::Done) => self.resumed = true,
                _ => {}
            }
        }
    }

    /// What may come of a step: it ends, or the daemon does before that is on record, whatever came of it.
    fn fates() -> impl Strategy<Value = Vec<(bool, bool)>> {
        proptest::collection::vec(
            (prop::bool::weighted(0.8), prop::bool::weighted(0.8)),
            0..40,
        )
    }

    proptest! {
        #[test]
        fn whatever_fails_and_whenever_the_daemon_ends_its_end_says_what_is_there(fates_of_steps in fates(), may_resume_again in any::<bool>()) {
            let mut machine = Machine { held: Held::Before, resumed: false };
            let mut step = Step::Pausing;
            let mut fates = fates_of_steps.into_iter();
            for _ in 0..100 {
                if step.is_end() {
                    break;
                }
                // In the end no daemon is killed any more.
                let (is_done, is_recorded) = fates.next().unwrap_or((true, true));
                let end = match is_done {
                    true => StepEnd::Done,
                    false => StepEnd::Failed,
                };
                machine.does(step, end);
                step = match is_recorded {
                    true => after(step, end),
                    false => after_cut_off(step, may_resume_again),
                };
                prop_assert!(!machine.resumed || matches!(step, Step::Resuming | Step::Succeeded | Step::Unresumed));
            }
            match step {
                Step::Succeeded => {
                    prop_assert_eq!(machine.held, Held::Checkpoint);
                    prop_assert!(machine.resumed);
                }
                Step::Failed => {
                    prop_assert_eq!(machine.held, Held::Before);
                    prop_assert!(!machine.resumed);
                }
                Step::Unresumed => prop_assert_eq!(machine.held, Held::Checkpoint),
                Step::Stranded => {
                    prop_assert_eq!(machine.held, Held::Unknown);
                    prop_assert!(!machine.resumed);
                }
                other => return Err(TestCaseError::fail(format!("it never ends: {other:?}"))),
            }
        }
    }

    #[test]
    fn nothing_comes_after_an_end() {
        for step in Step::ALL.into_iter().filter(|step| step.is_end()) {
            assert_eq!(after(step, StepEnd::Done), step);
            assert_eq!(after(step, StepEnd::Failed), step);
            assert_eq!(after_cut_off(step, true), step);
        }
    }

    #[test]
    fn what_goes_well_goes_through_every_step_but_the_putting_back() {
        let mut step = Step::Pausing;
        let mut passed = vec![step];
        while !step.is_end() {
            step = after(step, StepEnd::Done);
            passed.push(step);
        }
        assert_eq!(
            passed,
            [
                Step::Pausing,
                Step::Saving,
                Step::Staging,
                Step::Placing,
                Step::Checking,
                Step::Resuming,
                Step::Succeeded,
            ]
        );
    }
}

//! What becomes of a worker when something happens to it: a function of values.
//!
//! **Invariant:** no I/O, no clock. What follows from a change is a list of [`Effect`]s, which the
//! supervisor applies.

use aiobpy_wire::JobId;

use crate::engine::Attempt;

/// One worker process, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worker {
    /// It loads Blender and the templates.
    Starting,
    Warm,
    Busy(Attempt),
    /// Its job is cancelled, and it was told to leave the attempt.
    Leaving(Attempt),
    /// It is being killed; the attempt, if there is one, goes back to the queue once it is gone.
    Ending(Option<Attempt>),
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    SaidReady,
    /// It cannot serve, and says so itself.
    SaidUnusable,
    WasGiven(Attempt),
    SaidFinished(Attempt),
    SaidFailed(Attempt),
    /// Its end of the link closed, it sent what makes no sense, or it sent nothing for too long.
    WentSilent,
    JobCancelled(JobId),
    /// The same, of a worker that can leave an attempt before it is done.
    JobTakenBack(JobId),
    /// It has done its share.
    IsSpent,
    Exited,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Tell that it is there.
    Announce,
    /// Keep the file that it wrote.
    Keep(Attempt),
    /// End the job with the problem that it reported.
    Fail(Attempt),
    /// Give the job back to the queue.
    GiveBack(Attempt),
    /// Tell it to leave the attempt.
    TakeBack(Attempt),
    /// Forget what it has made of the attempt that it has left.
    Forget,
    /// Kill the process and all that it started.
    Kill,
    /// Tell that it is gone and start another in its place.
    Replace,
}

impl Worker {
    /// What it is at, if it is at something.
    pub(crate) fn attempt(self) -> Option<Attempt> {
        match self {
            Self::Busy(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// What it is after that happened, and what has to be done about it.
    ///
    /// An attempt that a worker was given comes back in exactly one of `Keep`, `Fail` and `GiveBack`,
    /// unless its job is cancelled.
    pub(crate) fn after(self, happened: Happened) -> (Self, Vec<Effect>) {
        use Effect::{Announce, Fail, Forget, GiveBack, Keep, Kill, Replace, TakeBack};
        use Happened::{
            Exited, IsSpent, JobCancelled, JobTakenBack, SaidFailed, SaidFinished, SaidReady,
            SaidUnusable, WasGiven, WentSilent,
        };
        match (self, happened) {
            (Self::Starting, SaidReady) => (Self::Warm, vec![Announce]),
            (Self::Warm, WasGiven(attempt)) => (Self::Busy(attempt), vec![]),
            (Self::Busy(at), SaidFinished(attempt)) if at == attempt => {
                (Self::Warm, vec![Keep(attempt)])
            }
            (Self::Busy(at), SaidFailed(attempt)) if at == attempt => {
                (Self::Warm, vec![Fail(attempt)])
            }
            (Self::Busy(at), JobTakenBack(job)) if at.job == job => {
                (Self::Leaving(at), vec![TakeBack(at)])
            }
            (Self::Leaving(at), SaidFinished(attempt) | SaidFailed(attempt)) if at == attempt => {
                (Self::Warm, vec![Forget])
            }
            // It cannot be stopped within a frame.
            (Self::Busy(at), JobCancelled(job)) if at.job == job => {
                (Self::Ending(None), vec![Kill])
            }
            (Self::Ending(Some(at)), JobCancelled(job)) if at.job == job => {
                (Self::Ending(None), vec![])
            }

            // Between two jobs: none is lost by it.
            (Self::Warm, IsSpent) => (Self::Ending(None), vec![Kill]),

            (Self::Starting | Self::Warm | Self::Leaving(_), WentSilent | SaidUnusable) => {
                (Self::Ending(None), vec![Kill])
            }
            (Self::Busy(attempt), WentSilent | SaidUnusable) => {
                (Self::Ending(Some(attempt)), vec![Kill])
            }

            (Self::Busy(attempt) | Self::Ending(Some(attempt)), Exited) => {
                (Self::Gone, vec![GiveBack(attempt), Replace])
            }
            (Self::Starting | Self::Warm | Self::Leaving(_) | Self::Ending(None), Exited) => {
                (Self::Gone, vec![Replace])
            }

            // It left while the job was on its way to it.
            (_, WasGiven(attempt)) => (self, vec![GiveBack(attempt)]),

            // Too late, or of an attempt that is not its own: an attempt is told by one end only.
            (
                _,
                SaidReady | SaidUnusable | SaidFinished(_) | SaidFailed(_) | WentSilent
                | JobCancelled(_) | JobTakenBack(_) | IsSpent | Exited,
            ) => (self, vec![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn attempt(job: u128, number: u32) -> Attempt {
        Attempt { job: JobId::new(Uuid::from_u128(job)), number }
    }

    #[test]
    fn a_worker_is_announced_when_it_is_ready() {
        assert_eq!(
            Worker::Starting.after(Happened::SaidReady),
            (Worker::Warm, vec![Effect::Announce])
        );
    }

    #[test]
    fn a_finished_file_is_kept_and_the_worker_is_warm_again() {
        let first = attempt(1, 1);
        assert_eq!(
            Worker::Busy(first).after(Happened::SaidFinished(first)),
            (Worker::Warm, vec![Effect::Keep(first)])
        );
    }

    #[test]
    fn a_template_that_raises_ends_the_job_and_not_the_worker() {
        let first = attempt(1, 1);
        assert_eq!(
            Worker::Busy(first).after(Happened::SaidFailed(first)),
            (Worker::Warm, vec![Effect::Fail(first)])
        );
    }

    #[test]
    fn a_worker_that_dies_gives_its_job_back_once_it_is_gone() {
        let first = attempt(1, 1);
        let (ending, effects) = Worker::Busy(first).after(Happened::WentSilent);
        assert_eq!((ending, effects), (Worker::Ending(Some(first)), vec![Effect::Kill]));
        let (gone, effects) = ending.after(Happened::Exited);
        assert_eq!(gone, Worker::Gone);
        assert_eq!(effects, [Effect::GiveBack(first), Effect::Replace]);
    }

    #[test]
    fn a_cancelled_job_is_not_given_back() {
        let first = attempt(1, 1);
        let (ending, effects) = Worker::Busy(first).after(Happened::JobCancelled(first.job));
        assert_eq!((ending, effects), (Worker::Ending(None), vec![Effect::Kill]));
        assert_eq!(ending.after(Happened::Exited).1, [Effect::Replace]);
    }

    #[test]
    fn a_worker_that_leaves_a_cancelled_job_is_warm_again_or_is_killed() {
        let first = attempt(1, 1);
        let (leaving, effects) = Worker::Busy(first).after(Happened::JobTakenBack(first.job));
        assert_eq!((leaving, effects), (Worker::Leaving(first), vec![Effect::TakeBack(first)]));
        let left = leaving.after(Happened::SaidFailed(first));
        assert_eq!(left, (Worker::Warm, vec![Effect::Forget]));
        assert_eq!(leaving.after(Happened::SaidFinished(first)), left);
        let late = leaving.after(Happened::WentSilent);
        assert_eq!(late, (Worker::Ending(None), vec![Effect::Kill]));
        assert_eq!(leaving.after(Happened::Exited), (Worker::Gone, vec![Effect::Replace]));
    }

    #[test]
    fn a_result_of_another_attempt_is_ignored() {
        let second = attempt(1, 2);
        let busy = Worker::Busy(second);
        assert_eq!(busy.after(Happened::SaidFinished(attempt(1, 1))), (busy, vec![]));
    }

    fn any_attempt() -> impl Strategy<Value = Attempt> {
        (0..3_u128, 1..3_u32).prop_map(|(job, number)| attempt(job, number))
    }

    fn anything() -> impl Strategy<Value = Happened> {
        prop_oneof![
            3 => Just(Happened::SaidReady),
            1 => Just(Happened::SaidUnusable),
            4 => any_attempt().prop_map(Happened::WasGiven),
            4 => any_attempt().prop_map(Happened::SaidFinished),
            2 => any_attempt().prop_map(Happened::SaidFailed),
            1 => Just(Happened::WentSilent),
            1 => any_attempt().prop_map(|attempt| Happened::JobCancelled(attempt.job)),
            1 => any_attempt().prop_map(|attempt| Happened::JobTakenBack(attempt.job)),
            1 => Just(Happened::IsSpent),
            1 => Just(Happened::Exited),
        ]
    }

    /// How many of `effects` settle an attempt.
    fn settled(effects: &[Effect]) -> usize {
        effects
            .iter()
            .filter(|e| matches!(e, Effect::Keep(_) | Effect::Fail(_) | Effect::GiveBack(_)))
            .count()
    }

    proptest! {
        #[test]
        fn every_attempt_is_settled_once_or_cancelled(
            story in prop::collection::vec(anything(), 0..40),
        ) {
            let mut worker = Worker::Starting;
            let (mut given, mut ended, mut cancelled) = (0, 0, 0);
            for happened in story.into_iter().chain([Happened::Exited]) {
                let before = worker;
                let effects;
                (worker, effects) = worker.after(happened);
                given += usize::from(matches!(happened, Happened::WasGiven(_)));
                ended += settled(&effects);
                let held = matches!(before, Worker::Busy(_) | Worker::Ending(Some(_)));
                let let_go = matches!(worker, Worker::Ending(None) | Worker::Leaving(_));
                cancelled += usize::from(held && let_go);
            }
            prop_assert_eq!(worker, Worker::Gone);
            prop_assert_eq!(given, ended + cancelled);
        }

        #[test]
        fn a_worker_is_replaced_once_when_nothing_of_it_is_left(
            story in prop::collection::vec(anything(), 0..40),
        ) {
            let mut worker = Worker::Starting;
            let mut seen = Vec::new();
            for happened in story.into_iter().chain([Happened::Exited, Happened::Exited]) {
                let effects;
                (worker, effects) = worker.after(happened);
                seen.extend(effects);
            }
            let count = |wanted| seen.iter().filter(|effect| **effect == wanted).count();
            prop_assert_eq!(count(Effect::Replace), 1);
            prop_assert!(count(Effect::Kill) <= 1);
            let place = |wanted| seen.iter().rposition(|effect| *effect == wanted);
            prop_assert!(place(Effect::Kill) < place(Effect::Replace));
        }
    }
}

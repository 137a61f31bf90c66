//! Which of the jobs that wait a node takes: a function of values.
//!
//! Every node assigns all jobs to all workers that have nothing to do, here and elsewhere, and takes those
//! that fall to its own. What falls to others and is not taken by them soon is anybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aiobpy_wire::WorkerId;
use tokio::time::Instant;

use crate::engine::Place;
use crate::scheduler::{self, Assignment, IdleWorker, Needs};

/// How long a job is left to the worker of another node that it falls to.
pub(super) const LEFT_TO_OTHERS: Duration = Duration::from_millis(100);

#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) taken: Vec<Assignment>,
    /// Own workers that have done another tenant's jobs: fresh ones are to take their places.
    pub(super) make_room: Vec<WorkerId>,
    /// What falls to others.
    pub(super) left: Vec<Place>,
    /// When that is anybody's.
    pub(super) look_again: Option<Instant>,
}

/// `since` says from when on a job was left to others.
pub(super) fn plan(
    waiting: &BTreeMap<Place, Needs>,
    own: &[IdleWorker],
    others: Vec<IdleWorker>,
    since: impl Fn(&Place) -> Instant,
    now: Instant,
) -> Plan {
    let is_own = |assignment: &Assignment| own.iter().any(|worker| worker.id == assignment.worker);
    let everybody: Vec<IdleWorker> = own.iter().cloned().chain(others).collect();
    let scheduler::Plan { assignments, mut make_room } = scheduler::plan(waiting, &everybody);
    make_room.retain(|id| own.iter().any(|worker| worker.id == *id));
    let (mut taken, left): (Vec<_>, Vec<_>) = assignments.into_iter().partition(is_own);
    if left.is_empty() {
        return Plan { taken, make_room, ..Plan::default() };
    }
    let busy: BTreeSet<_> = taken.iter().map(|assignment| assignment.worker.clone()).collect();
    let free: Vec<IdleWorker> = own
        .iter()
        .filter(|it| !busy.contains(&it.id) && !make_room.contains(&it.id))
        .cloned()
        .collect();
    let mut stale = BTreeMap::new();
    let mut look_again: Option<Instant> = None;
    let left: Vec<Place> = left.into_iter().map(|assignment| assignment.place).collect();
    for place in left.iter().copied() {
        let due = since(&place) + LEFT_TO_OTHERS;
        if due > now {
            look_again = Some(look_again.map_or(due, |at| at.min(due)));
        } else if let Some(needs) = waiting.get(&place) {
            stale.insert(place, needs.clone());
        }
    }
    let scheduler::Plan { assignments, make_room: more_room } = scheduler::plan(&stale, &free);
    taken.extend(assignments);
    make_room.extend(more_room);
    Plan { taken, make_room, left, look_again: look_again.filter(|_| !free.is_empty()) }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use aiobpy_wire::JobId;
    use uuid::Uuid;

    use super::*;
    use crate::clock;

    fn place(age: u128) -> Place {
        Place { priority: Reverse(0), id: JobId::new(Uuid::from_u128(age)) }
    }

    fn worker(name: &str, template: Option<&str>) -> IdleWorker {
        let fresh = IdleWorker::fresh(WorkerId(name.into()));
        IdleWorker { template: template.map(Into::into), ..fresh }
    }

    fn needs(template: &&str) -> Needs {
        Needs { template: (*template).to_owned(), ..Needs::default() }
    }

    fn waiting(templates: &[&str]) -> BTreeMap<Place, Needs> {
        (0..).map(place).zip(templates.iter().map(needs)).collect()
    }

    fn taken(plan: &Plan) -> Vec<(Place, &str)> {
        plan.taken.iter().map(|it| (it.place, it.worker.0.as_str())).collect()
    }

    #[test]
    fn two_nodes_do_not_reach_for_the_same_job() {
        let (a, b) = (worker("a/1", None), worker("b/1", Some("mug")));
        let (line, now) = (waiting(&["lamp", "mug"]), clock::instant());
        let of_a = plan(&line, std::slice::from_ref(&a), vec![b.clone()], |_| now, now);
        let of_b = plan(&line, &[b], vec![a], |_| now, now);
        assert_eq!(taken(&of_a), [(place(0), "a/1")]);
        assert_eq!(taken(&of_b), [(place(1), "b/1")]);
    }

    #[test]
    fn a_job_goes_to_the_node_that_has_its_scene() {
        let (a, b) = (worker("a/1", None), worker("b/1", Some("mug")));
        let (line, now) = (waiting(&["mug"]), clock::instant());
        let of_a = plan(&line, &[a], vec![b], |_| now, now);
        assert_eq!((taken(&of_a), of_a.look_again), (vec![], Some(now + LEFT_TO_OTHERS)));
    }

    #[test]
    fn what_another_node_does_not_take_is_anybody_s() {
        let (a, b) = (worker("a/1", None), worker("b/1", Some("mug")));
        let (line, now) = (waiting(&["mug"]), clock::instant());
        let of_a = plan(&line, &[a], vec![b], |_| now, now + LEFT_TO_OTHERS);
        assert_eq!((taken(&of_a), of_a.look_again), (vec![(place(0), "a/1")], None));
    }
}

//! Which job goes to which worker: a function of values.
//!
//! **Invariant:** no I/O, no clock, no state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aiobpy_wire::WorkerId;

use crate::engine::Place;

/// A worker with nothing to do, and the template whose scene it has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdleWorker {
    pub(crate) id: WorkerId,
    pub(crate) template: Option<String>,
    /// The templates that its node has; `None` where no other node could have more.
    pub(crate) serves: Option<Arc<BTreeSet<String>>>,
}

impl IdleWorker {
    fn can_serve(&self, template: &str) -> bool {
        self.serves.as_ref().is_none_or(|serves| serves.contains(template))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) place: Place,
    pub(crate) worker: WorkerId,
}

/// Pairs the first jobs of the line with workers, as many as there are workers.
///
/// No job overtakes one that stands before it, unless no worker has the template of that. Each prefers a
/// worker that has its scene open, then one that has none open, then one whose scene no other of these jobs
/// wants: loading a scene costs seconds.
#[tracing::instrument(name = "scheduler", skip_all, fields(waiting = waiting.len()))]
pub(crate) fn assign(waiting: &BTreeMap<Place, String>, workers: &[IdleWorker]) -> Vec<Assignment> {
    let mut idle: Vec<&IdleWorker> = workers.iter().collect();
    let mut line = waiting.iter();
    let mut assignments = Vec::new();
    while !idle.is_empty() {
        let servable = |template: &str| idle.iter().any(|worker| worker.can_serve(template));
        let jobs: Vec<_> =
            line.by_ref().filter(|(_, template)| servable(template)).take(idle.len()).collect();
        if jobs.is_empty() {
            break;
        }
        pair(&jobs, &mut idle, &mut assignments);
    }
    assignments
}

fn pair(
    jobs: &[(&Place, &String)],
    idle: &mut Vec<&IdleWorker>,
    assignments: &mut Vec<Assignment>,
) {
    let wanted: Vec<&str> = jobs.iter().map(|(_, template)| template.as_str()).collect();
    let mut cold = Vec::new();
    for (place, template) in jobs {
        match idle.iter().position(|worker| worker.template.as_ref() == Some(template)) {
            Some(warm) => {
                let worker = idle.remove(warm);
                assignments.push(Assignment { place: **place, worker: worker.id.clone() });
            }
            None => cold.push((place, template)),
        }
    }
    for (place, template) in cold {
        if let Some(worker) = take_least_useful(idle, template, &wanted) {
            assignments.push(Assignment { place: **place, worker: worker.id.clone() });
        }
    }
}

fn take_least_useful<'a>(
    idle: &mut Vec<&'a IdleWorker>,
    template: &str,
    wanted: &[&str],
) -> Option<&'a IdleWorker> {
    let able = (0..idle.len()).filter(|&index| idle[index].can_serve(template));
    let index = able.min_by_key(|&index| match &idle[index].template {
        None => 0,
        Some(open) if !wanted.contains(&open.as_str()) => 1,
        Some(_) => 2,
    })?;
    Some(idle.remove(index))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use aiobpy_wire::JobId;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn place(priority: i8, age: u128) -> Place {
        Place { priority: Reverse(priority), id: JobId::new(Uuid::from_u128(age)) }
    }

    fn job(age: u128) -> Place {
        place(0, age)
    }

    fn waiting(templates: &[&str]) -> BTreeMap<Place, String> {
        (0..).map(job).zip(templates.iter().map(ToString::to_string)).collect()
    }

    fn worker(name: &str, template: Option<&str>) -> IdleWorker {
        IdleWorker { id: WorkerId(name.into()), template: template.map(Into::into), serves: None }
    }

    fn pairs(assignments: &[Assignment]) -> BTreeSet<(Place, &str)> {
        assignments.iter().map(|pair| (pair.place, pair.worker.0.as_str())).collect()
    }

    #[test]
    fn nothing_waits_so_nothing_is_assigned() {
        assert_eq!(assign(&BTreeMap::new(), &[worker("a", None)]), []);
    }

    #[test]
    fn each_job_goes_to_the_worker_that_has_its_scene_open() {
        let workers = [worker("a", Some("mug")), worker("b", Some("lamp"))];
        let assignments = assign(&waiting(&["lamp", "mug"]), &workers);
        assert_eq!(pairs(&assignments), [(job(0), "b"), (job(1), "a")].into());
    }

    #[test]
    fn a_cold_job_leaves_the_warm_worker_to_the_job_that_wants_it() {
        let workers = [worker("a", Some("mug")), worker("b", Some("lamp"))];
        let assignments = assign(&waiting(&["chair", "mug"]), &workers);
        assert_eq!(pairs(&assignments), [(job(0), "b"), (job(1), "a")].into());
    }

    #[test]
    fn a_cold_job_prefers_a_worker_with_nothing_open() {
        let workers = [worker("a", Some("mug")), worker("b", None)];
        let assignments = assign(&waiting(&["chair"]), &workers);
        assert_eq!(pairs(&assignments), [(job(0), "b")].into());
    }

    #[test]
    fn a_warm_worker_does_not_let_a_younger_job_overtake() {
        let assignments = assign(&waiting(&["lamp", "mug"]), &[worker("a", Some("mug"))]);
        assert_eq!(pairs(&assignments), [(job(0), "a")].into());
    }

    #[test]
    fn a_job_of_higher_priority_comes_before_older_ones() {
        let mut waiting = waiting(&["mug", "mug"]);
        waiting.insert(place(1, 7), "lamp".into());
        waiting.insert(place(-1, 0), "mug".into());
        let assignments = assign(&waiting, &[worker("a", Some("mug"))]);
        assert_eq!(pairs(&assignments), [(place(1, 7), "a")].into());
    }

    fn having(worker: IdleWorker, templates: &[&str]) -> IdleWorker {
        let serves = templates.iter().map(ToString::to_string).collect();
        IdleWorker { serves: Some(Arc::new(serves)), ..worker }
    }

    #[test]
    fn a_job_waits_for_a_node_that_has_its_template_and_holds_nobody_up() {
        let line = waiting(&["chair", "mug", "mug", "lamp"]);
        let workers = [having(worker("a", None), &["mug"]), having(worker("b", None), &["lamp"])];
        assert_eq!(pairs(&assign(&line, &workers)), [(job(1), "a"), (job(3), "b")].into());
    }

    fn any_template() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["chair", "lamp", "mug"]).prop_map(Into::into)
    }

    proptest! {
        #[test]
        fn the_oldest_jobs_get_one_worker_each(
            templates in prop::collection::vec(any_template(), 0..12),
            open in prop::collection::vec(prop::option::of(any_template()), 0..6),
        ) {
            let waiting: BTreeMap<_, _> = (0..).map(job).zip(templates).collect();
            let workers: Vec<_> = open
                .into_iter()
                .enumerate()
                .map(|(number, template)| worker(&number.to_string(), template.as_deref()))
                .collect();
            let assignments = assign(&waiting, &workers);

            let jobs: BTreeSet<_> = assignments.iter().map(|pair| pair.place).collect();
            let busy: BTreeSet<_> = assignments.iter().map(|pair| &pair.worker).collect();
            let expected: BTreeSet<_> = waiting.keys().take(workers.len()).copied().collect();
            prop_assert_eq!(&jobs, &expected);
            prop_assert_eq!(busy.len(), assignments.len());
        }

        #[test]
        fn as_many_jobs_are_warm_as_can_be(
            templates in prop::collection::vec(any_template(), 0..6),
            open in prop::collection::vec(prop::option::of(any_template()), 6..9),
        ) {
            let waiting: BTreeMap<_, _> = (0..).map(job).zip(templates).collect();
            let workers: Vec<_> = open
                .into_iter()
                .enumerate()
                .map(|(number, template)| worker(&number.to_string(), template.as_deref()))
                .collect();
            let warm = assign(&waiting, &workers)
                .iter()
                .filter(|pair| {
                    let worker = workers.iter().find(|worker| worker.id == pair.worker);
                    worker.and_then(|worker| worker.template.as_ref()) == waiting.get(&pair.place)
                })
                .count();
            let possible: usize = ["chair", "lamp", "mug"]
                .iter()
                .map(|name| {
                    let jobs = waiting.values().filter(|template| template == name).count();
                    let open = workers
                        .iter()
                        .filter(|worker| worker.template.as_deref() == Some(*name))
                        .count();
                    jobs.min(open)
                })
                .sum();
            prop_assert_eq!(warm, possible);
        }
    }
}

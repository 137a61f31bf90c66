//! Which job goes to which worker: a function of values.
//!
//! **Invariant:** no I/O, no clock, no state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aiobpy_wire::{Job, WorkerId};

use crate::engine::Place;

/// What a job needs of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) template: String,
    /// The scene, where the job names it: by the parameter of that name.
    pub(crate) scene: Option<String>,
    /// The workers that may do it; those that are in no pool of a name, if it names none.
    pub(crate) pool: Option<String>,
    /// Whose job it is: empty without tenants.
    pub(crate) tenant: String,
}

impl Needs {
    pub(crate) fn of(job: &Job) -> Self {
        let scene = job.request.params.get("scene").and_then(serde_json::Value::as_str);
        Self {
            template: job.request.template.clone(),
            scene: scene.map(ToOwned::to_owned),
            pool: job.request.pool.clone(),
            tenant: job.tenant.clone().unwrap_or_default(),
        }
    }
}

/// A worker with nothing to do, and the template whose scene it has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdleWorker {
    pub(crate) id: WorkerId,
    pub(crate) template: Option<String>,
    /// The scene that it has open, where a job named it.
    pub(crate) scene: Option<String>,
    pub(crate) pool: Option<String>,
    /// Whose jobs it has done: it does nobody else's. `None` while it could do anybody's.
    pub(crate) tenant: Option<String>,
    /// The templates that its node has; `None` where no other node could have more.
    pub(crate) serves: Option<Arc<BTreeSet<String>>>,
}

impl IdleWorker {
    /// A worker that has just started, in no pool of a name.
    #[cfg(test)]
    pub(crate) fn fresh(id: WorkerId) -> Self {
        Self { id, template: None, scene: None, pool: None, tenant: None, serves: None }
    }

    /// Whether it, or one that takes its place, could do the job.
    fn can_serve(&self, needs: &Needs) -> bool {
        self.pool == needs.pool
            && self.serves.as_ref().is_none_or(|serves| serves.contains(&needs.template))
    }

    /// Whether it is the job's tenant's alone, or nobody's.
    fn may_serve(&self, needs: &Needs) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == needs.tenant)
    }

    fn is_warm_for(&self, needs: &Needs) -> bool {
        self.template.as_ref() == Some(&needs.template) && self.scene == needs.scene
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) place: Place,
    pub(crate) worker: WorkerId,
}

/// What is to be done with workers that have nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) assignments: Vec<Assignment>,
    /// They have done another tenant's jobs: fresh ones are to take their places.
    pub(crate) make_room: Vec<WorkerId>,
}

/// Pairs the first jobs of the line with workers, as many as there are workers.
///
/// No job overtakes one that stands before it, unless no worker has the template of that or is in its pool.
/// Each prefers a worker that has its scene open, then one that has none open, then one whose scene no other
/// of these jobs wants: loading a scene costs seconds. Where all are another tenant's, one makes room.
#[tracing::instrument(name = "scheduler", skip_all, fields(waiting = waiting.len()))]
pub(crate) fn plan(waiting: &BTreeMap<Place, Needs>, workers: &[IdleWorker]) -> Plan {
    let mut idle: Vec<&IdleWorker> = workers.iter().collect();
    let mut line = waiting.iter();
    let mut plan = Plan::default();
    while !idle.is_empty() {
        let servable = |needs: &Needs| idle.iter().any(|worker| worker.can_serve(needs));
        let jobs: Vec<_> =
            line.by_ref().filter(|(_, needs)| servable(needs)).take(idle.len()).collect();
        if jobs.is_empty() {
            break;
        }
        pair(&jobs, &mut idle, &mut plan);
    }
    plan
}

fn pair(jobs: &[(&Place, &Needs)], idle: &mut Vec<&IdleWorker>, plan: &mut Plan) {
    let wanted: Vec<&Needs> = jobs.iter().map(|(_, needs)| *needs).collect();
    let mut cold = Vec::new();
    for (place, needs) in jobs {
        let fits = |worker: &&IdleWorker| {
            worker.is_warm_for(needs) && worker.can_serve(needs) && worker.may_serve(needs)
        };
        match idle.iter().position(fits) {
            Some(warm) => {
                let worker = idle.remove(warm);
                plan.assignments.push(Assignment { place: **place, worker: worker.id.clone() });
            }
            None => cold.push((place, needs)),
        }
    }
    for (place, needs) in cold {
        if let Some(worker) = take_least_useful(idle, needs, &wanted) {
            if worker.may_serve(needs) {
                plan.assignments.push(Assignment { place: **place, worker: worker.id.clone() });
            } else {
                plan.make_room.push(worker.id.clone());
            }
        }
    }
}

fn take_least_useful<'a>(
    idle: &mut Vec<&'a IdleWorker>,
    needs: &Needs,
    wanted: &[&Needs],
) -> Option<&'a IdleWorker> {
    let able = (0..idle.len()).filter(|&index| idle[index].can_serve(needs));
    let index = able.min_by_key(|&index| {
        let worker = idle[index];
        let use_of_it = match &worker.template {
            None => 0,
            Some(_) if !wanted.iter().any(|needs| worker.is_warm_for(needs)) => 1,
            Some(_) => 2,
        };
        // One that could do it at once comes before all that would have to go.
        (!worker.may_serve(needs), use_of_it)
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

    fn assign(waiting: &BTreeMap<Place, Needs>, workers: &[IdleWorker]) -> Vec<Assignment> {
        plan(waiting, workers).assignments
    }

    fn needs(template: &str) -> Needs {
        Needs { template: template.into(), ..Needs::default() }
    }

    fn waiting(templates: &[&str]) -> BTreeMap<Place, Needs> {
        (0..).map(job).zip(templates.iter().map(|template| needs(template))).collect()
    }

    fn worker(name: &str, template: Option<&str>) -> IdleWorker {
        let fresh = IdleWorker::fresh(WorkerId(name.into()));
        IdleWorker { template: template.map(Into::into), ..fresh }
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
        waiting.insert(place(1, 7), needs("lamp"));
        waiting.insert(place(-1, 0), needs("mug"));
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

    #[test]
    fn a_job_goes_to_its_pool_and_holds_nobody_else_up() {
        let on_gpu = Needs { pool: Some("gpu".into()), ..needs("mug") };
        let line = BTreeMap::from([(job(0), on_gpu), (job(1), needs("mug"))]);
        let usual = worker("a", Some("mug"));
        assert_eq!(pairs(&assign(&line, std::slice::from_ref(&usual))), [(job(1), "a")].into());
        let gpu = IdleWorker { pool: Some("gpu".into()), ..worker("b", None) };
        let assignments = assign(&line, &[usual, gpu]);
        assert_eq!(pairs(&assignments), [(job(0), "b"), (job(1), "a")].into());
    }

    #[test]
    fn a_job_prefers_the_worker_that_has_its_own_scene_of_the_same_template() {
        let of = |scene: &str| Needs { scene: Some(scene.into()), ..needs("render") };
        let line = BTreeMap::from([(job(0), of("input:1")), (job(1), of("input:2"))]);
        let open = |name, scene: &str| IdleWorker {
            scene: Some(scene.into()),
            ..worker(name, Some("render"))
        };
        let assignments = assign(&line, &[open("a", "input:2"), open("b", "input:1")]);
        assert_eq!(pairs(&assignments), [(job(0), "b"), (job(1), "a")].into());
    }

    fn of_tenant(tenant: &str) -> Needs {
        Needs { tenant: tenant.into(), ..needs("mug") }
    }

    fn used_by(name: &str, tenant: &str) -> IdleWorker {
        IdleWorker { tenant: Some(tenant.into()), ..worker(name, Some("mug")) }
    }

    #[test]
    fn a_worker_does_one_tenants_jobs_only_and_makes_room_for_anothers() {
        let line = BTreeMap::from([(job(0), of_tenant("acme")), (job(1), of_tenant("zeta"))]);
        let workers = [used_by("a", "zeta"), used_by("b", "zeta")];
        let plan = plan(&line, &workers);
        assert_eq!(pairs(&plan.assignments), [(job(1), "a")].into());
        assert_eq!(plan.make_room, [WorkerId("b".into())]);
        // The older job is not overtaken for ever by those of whom the worker is.
        let plan = super::plan(&line, &workers[..1]);
        assert_eq!((plan.assignments, plan.make_room), (vec![], vec![WorkerId("a".into())]));
    }

    #[test]
    fn a_worker_that_is_nobodys_comes_before_one_that_would_have_to_go() {
        let line = BTreeMap::from([(job(0), of_tenant("acme"))]);
        let workers = [used_by("a", "zeta"), worker("b", Some("lamp"))];
        let plan = plan(&line, &workers);
        assert_eq!(pairs(&plan.assignments), [(job(0), "b")].into());
        assert_eq!(plan.make_room, []);
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
            let names: Vec<&str> = templates.iter().map(String::as_str).collect();
            let waiting = waiting(&names);
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
            let names: Vec<&str> = templates.iter().map(String::as_str).collect();
            let waiting = waiting(&names);
            let workers: Vec<_> = open
                .into_iter()
                .enumerate()
                .map(|(number, template)| worker(&number.to_string(), template.as_deref()))
                .collect();
            let warm = assign(&waiting, &workers)
                .iter()
                .filter(|pair| {
                    let worker = workers.iter().find(|worker| worker.id == pair.worker);
                    worker.and_then(|worker| worker.template.as_ref())
                        == waiting.get(&pair.place).map(|needs| &needs.template)
                })
                .count();
            let possible: usize = ["chair", "lamp", "mug"]
                .iter()
                .map(|name| {
                    let jobs = waiting.values().filter(|needs| needs.template == *name).count();
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

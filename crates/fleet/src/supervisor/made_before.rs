//! Jobs that need not begin: what they ask for was made while they waited.

use std::collections::HashMap;
use std::path::PathBuf;

use aiobpy_wire::{Job, JobId, WorkerId};

use crate::artefacts::Artefacts;
use crate::cache;
use crate::clock;
use crate::engine::{Attempt, Claim, Claims, Engine};
use crate::specs::{Asked, Begun, Recipes, Specs};
use crate::supervisor::{Reports, Supervisor};

/// What is known of jobs that are about to begin: what they are made of.
pub(crate) type BegunJobs = HashMap<JobId, Begun>;

/// Finds what was made while a job waited.
pub(super) struct MadeBefore<E> {
    specs: Option<Specs>,
    recipes: HashMap<WorkerId, Recipes>,
    artefacts: Artefacts,
    reports: Reports<E>,
    /// Where a picture may be while it is fetched.
    part: PathBuf,
}

impl<E: Engine> Supervisor<E> {
    pub(super) fn made_before(&self) -> MadeBefore<E> {
        MadeBefore {
            specs: self.specs.clone(),
            recipes: self.occupants().map(|it| (it.id.clone(), it.recipes.clone())).collect(),
            artefacts: self.artefacts.clone(),
            reports: self.reports.clone(),
            part: cache::new_part(&self.config.work_dir()),
        }
    }
}

impl<E: Engine> MadeBefore<E> {
    /// Ends the jobs that need not be begun, and takes them out.
    pub(super) async fn take_out(&self, engine: &E, claims: &mut Claims) -> BegunJobs {
        let mut all_begun = BegunJobs::new();
        let mut left = Vec::new();
        for claim in std::mem::take(&mut claims.taken) {
            let begun = self.begin(&claim).await;
            if let Some(begun) = begun {
                if self.is_ended(engine, &claim.job, &begun).await {
                    // Its worker is free still.
                    claims.look_again = Some(clock::instant());
                    continue;
                }
                all_begun.insert(claim.job.id, begun);
            }
            left.push(claim);
        }
        claims.taken = left;
        all_begun
    }

    async fn begin(&self, Claim { job, worker }: &Claim) -> Option<Begun> {
        let recipe = self.recipes.get(worker)?.get(&job.request.template)?.clone();
        self.specs.as_ref()?.begin(Asked::of_job(job), recipe).await
    }

    /// Whether the job has ended with what an earlier one has made.
    async fn is_ended(&self, engine: &E, job: &Job, begun: &Begun) -> bool {
        if !job.request.cache {
            return false;
        }
        // Workers are free before all that they have made is kept.
        self.reports.kept(&begun.spec).await;
        let finding = cache::find(engine, &self.artefacts, self.part.clone(), begun.spec.clone());
        let Some(made) = finding.await else { return false };
        let attempt = Attempt { job: job.id, number: job.attempt };
        // One that is refused was cancelled meanwhile, or is another's.
        engine.finish(attempt, made).await.is_ok()
    }
}

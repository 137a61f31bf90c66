//! A model of a fleet's jobs in a few lines, and stories of what clients, workers and crashes do to them: an
//! engine has to answer what the model answers.

use std::collections::HashMap;

use aiobpy_wire::{Event, JobId, JobRequest, JobState, NodeId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::time::Instant;

use crate::clock;
use crate::conformance::{LEASE, Subject, TERMS, idle, lost, node, picture};
use crate::engine::{
    Attempt, Blame, Cancelled, Engine, GivenBack, Patience, Report, Submitted, Terms,
};

const PATIENCE: Patience = Patience { attempts: 4, crashes: 2 };
const NODES: [&str; 2] = ["a", "b"];

/// What a client, a worker or a crash can do to one of a few jobs.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit {
        priority: i8,
    },
    SubmitWithKey,
    Claim {
        node: usize,
        workers: usize,
    },
    Progress {
        job: usize,
        number: u32,
        progress: f64,
    },
    Finish {
        job: usize,
        number: u32,
    },
    Fail {
        job: usize,
        number: u32,
    },
    GiveBack {
        job: usize,
        number: u32,
        blame: Blame,
    },
    Cancel {
        job: usize,
    },
    Beat {
        node: usize,
    },
    /// Time passes, and somebody looks for nodes that are lost.
    Expire {
        half_leases: u32,
    },
    Crash,
}

fn any_step() -> impl Strategy<Value = Step> {
    let job = 0..4_usize;
    let report = (0..4_usize, 1..4_u32);
    let blame = prop::sample::select(vec![Blame::Job, Blame::World, Blame::Nobody]);
    prop_oneof![
        3 => (-1..2_i8).prop_map(|priority| Step::Submit { priority }),
        1 => Just(Step::SubmitWithKey),
        6 => (0..2_usize, 1..3_usize).prop_map(|(node, workers)| Step::Claim { node, workers }),
        2 => (report.clone(), 0.0..1.0_f64)
            .prop_map(|((job, number), progress)| Step::Progress { job, number, progress }),
        3 => report.clone().prop_map(|(job, number)| Step::Finish { job, number }),
        1 => report.clone().prop_map(|(job, number)| Step::Fail { job, number }),
        4 => (report, blame)
            .prop_map(|((job, number), blame)| Step::GiveBack { job, number, blame }),
        1 => job.prop_map(|job| Step::Cancel { job }),
        2 => (0..2_usize).prop_map(|node| Step::Beat { node }),
        2 => (0..3_u32).prop_map(|half_leases| Step::Expire { half_leases }),
        1 => Just(Step::Crash),
    ]
}

#[derive(Clone, Debug)]
struct Known {
    id: JobId,
    priority: i8,
    state: JobState,
    attempt: u32,
    crashes: u32,
    node: usize,
}

impl Known {
    fn is_at(&self, number: u32) -> bool {
        self.state == JobState::Running && self.attempt == number
    }

    /// What the job becomes when its attempt comes to nothing.
    fn give_back(&mut self, blame: Blame) -> GivenBack {
        self.crashes += u32::from(blame == Blame::Job);
        let is_enough = blame != Blame::Nobody && self.attempt >= PATIENCE.attempts;
        if self.crashes >= PATIENCE.crashes || is_enough {
            self.state = JobState::Failed;
            GivenBack::Failed
        } else {
            self.state = JobState::Queued;
            GivenBack::Queued
        }
    }
}

struct Model {
    jobs: Vec<Known>,
    named: Option<JobId>,
    now: Instant,
    heard: [Option<Instant>; NODES.len()],
}

impl Model {
    /// The next jobs that wait, in the order in which they come.
    fn next(&self, count: usize) -> Vec<usize> {
        let mut waiting: Vec<usize> =
            (0..self.jobs.len()).filter(|&job| self.jobs[job].state == JobState::Queued).collect();
        waiting.sort_by_key(|&job| (-self.jobs[job].priority, self.jobs[job].id));
        waiting.truncate(count);
        waiting
    }

    fn add(&mut self, id: JobId, priority: i8) {
        let (state, attempt, crashes, node) = (JobState::Queued, 0, 0, 0);
        self.jobs.push(Known { id, priority, state, attempt, crashes, node });
    }

    async fn take(&mut self, engine: &impl Engine, step: Step) {
        match step {
            Step::Submit { priority } => {
                let request = JobRequest { priority, ..JobRequest::new("mug") };
                match engine.submit(request, TERMS).await.unwrap() {
                    Submitted::Taken(job) => self.add(job.id, priority),
                    other => panic!("{other:?}"),
                }
            }
            Step::SubmitWithKey => self.submit_with_key(engine).await,
            Step::Claim { node, workers } => self.claim(engine, node, workers).await,
            Step::Beat { node: who } => {
                engine.beat(node(NODES[who]), Vec::new(), self.now).await.unwrap();
                self.heard[who] = Some(self.now);
            }
            Step::Expire { half_leases } => self.expire(engine, half_leases).await,
            Step::Cancel { job } => self.cancel(engine, job).await,
            Step::Progress { job, number, progress } => {
                if let Some(known) = self.jobs.get(job) {
                    let attempt = Attempt { job: known.id, number };
                    engine.progress(attempt, progress, "Sample 1/2".into());
                }
            }
            Step::Finish { job, .. } | Step::Fail { job, .. } | Step::GiveBack { job, .. } => {
                if job < self.jobs.len() {
                    self.report(engine, job, step).await;
                }
            }
            Step::Crash => unreachable!("the story does that"),
        }
    }

    async fn submit_with_key(&mut self, engine: &impl Engine) {
        let terms = Terms { key: Some("order 7".into()), ..TERMS };
        match (engine.submit(JobRequest::new("mug"), terms).await.unwrap(), self.named) {
            (Submitted::Taken(job), None) => {
                self.named = Some(job.id);
                self.add(job.id, 0);
            }
            (Submitted::Known(job), Some(id)) => assert_eq!(job.id, id),
            other => panic!("{other:?}"),
        }
    }

    async fn claim(&mut self, engine: &impl Engine, who: usize, workers: usize) {
        engine.beat(node(NODES[who]), Vec::new(), self.now).await.unwrap();
        self.heard[who] = Some(self.now);
        let idle =
            (0..workers).map(|number| idle(&format!("{}/worker-{number}", NODES[who]))).collect();
        let mut claimed: Vec<(JobId, u32)> = Vec::new();
        for claim in engine.claim(idle).await.unwrap().taken {
            claimed.push((claim.job.id, claim.job.attempt));
        }
        let mut expected = Vec::new();
        for job in self.next(workers) {
            let job = &mut self.jobs[job];
            (job.state, job.attempt, job.node) = (JobState::Running, job.attempt + 1, who);
            expected.push((job.id, job.attempt));
        }
        claimed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(claimed, expected);
    }

    async fn expire(&mut self, engine: &impl Engine, half_leases: u32) {
        self.now += LEASE / 2 * half_leases;
        let mut expected = 0;
        for job in &mut self.jobs {
            let is_there = self.heard[job.node].is_some_and(|at| self.now < at + LEASE);
            if job.state == JobState::Running && !is_there {
                job.give_back(Blame::World);
                expected += 1;
            }
        }
        assert_eq!(engine.expire(self.now, PATIENCE).await.unwrap(), expected);
    }

    async fn cancel(&mut self, engine: &impl Engine, job: usize) {
        let Some(known) = self.jobs.get_mut(job) else { return };
        let answer = engine.cancel(known.id).await.unwrap();
        assert_eq!(matches!(answer, Cancelled::AlreadyEnded(_)), known.state.is_final());
        assert_eq!(matches!(answer, Cancelled::Done(_)), !known.state.is_final());
        if !known.state.is_final() {
            known.state = JobState::Cancelled;
        }
    }

    async fn report(&mut self, engine: &impl Engine, job: usize, step: Step) {
        let known = &mut self.jobs[job];
        match step {
            Step::Finish { number, .. } => {
                let attempt = Attempt { job: known.id, number };
                let report = engine.finish(attempt, picture().into()).await.unwrap();
                assert_eq!(report == Report::Taken, known.is_at(number));
                if known.is_at(number) {
                    known.state = JobState::Finished;
                }
            }
            Step::Fail { number, .. } => {
                let attempt = Attempt { job: known.id, number };
                let report = engine.fail(attempt, lost()).await.unwrap();
                assert_eq!(report == Report::Taken, known.is_at(number));
                if known.is_at(number) {
                    known.state = JobState::Failed;
                }
            }
            Step::GiveBack { number, blame, .. } => {
                let attempt = Attempt { job: known.id, number };
                let answer = engine.give_back(attempt, lost(), blame, PATIENCE).await.unwrap();
                let is_at_it = known.is_at(number);
                let expected = if is_at_it { known.give_back(blame) } else { GivenBack::Refused };
                assert_eq!(answer, expected);
            }
            _ => {}
        }
    }

    /// None of the nodes that there were is left, and the next ones say so.
    async fn take_back(&mut self, engine: &impl Engine) {
        for node in NODES {
            engine.take_back(NodeId(node.into()), lost()).await.unwrap();
        }
        for job in self.jobs.iter_mut().filter(|job| job.state == JobState::Running) {
            job.state = JobState::Queued;
        }
        self.heard = [None; NODES.len()];
    }
}

/// What a client that has seen all events up to here believes of a job.
#[derive(Debug, Default)]
struct Believed {
    state: Option<JobState>,
    attempt: u32,
    progress: f64,
}

impl Believed {
    fn hear(&mut self, event: &Event) {
        assert!(!self.state.is_some_and(JobState::is_final), "told after its end: {event:?}");
        match event {
            Event::JobQueued { .. } => self.state = Some(JobState::Queued),
            Event::JobStarted { attempt, .. } => {
                assert_eq!((self.state, *attempt), (Some(JobState::Queued), self.attempt + 1));
                (self.attempt, self.progress) = (*attempt, 0.0);
                self.state = Some(JobState::Running);
            }
            Event::JobProgressed { attempt, progress, .. } => {
                assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                assert!(*progress >= self.progress, "progress went back");
                self.progress = *progress;
            }
            Event::JobRequeued { attempt, .. } => {
                assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                (self.state, self.progress) = (Some(JobState::Queued), 0.0);
            }
            Event::JobFinished { attempt, .. } => {
                assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                (self.state, self.progress) = (Some(JobState::Finished), 1.0);
            }
            Event::JobFailed { attempt, .. } => {
                assert_eq!((self.state, *attempt), (Some(JobState::Running), self.attempt));
                self.state = Some(JobState::Failed);
            }
            Event::JobCancelled { .. } => self.state = Some(JobState::Cancelled),
            other => panic!("no step tells {other:?}"),
        }
    }
}

async fn live_through<S: Subject>(story: Vec<Step>) {
    let mut subject = S::open().await;
    let mut model =
        Model { jobs: Vec::new(), named: None, now: clock::instant(), heard: [None; NODES.len()] };
    for step in story {
        if matches!(step, Step::Crash) {
            subject = subject.opened_again().await;
            model.take_back(subject.engine()).await;
        } else {
            model.take(subject.engine(), step).await;
        }
    }
    // What is noted without waiting is kept by then.
    let subject = subject.opened_again().await;
    let engine = subject.engine();
    let mut believed: HashMap<JobId, Believed> = HashMap::new();
    for record in engine.events_since(0, None, 10_000).await.unwrap() {
        believed.entry(record.event.job_id().unwrap()).or_default().hear(&record.event);
    }
    for known in model.jobs {
        let job = engine.job(known.id).await.unwrap().unwrap();
        let told = &believed[&known.id];
        assert_eq!(
            (job.state, job.attempt, job.crashes),
            (known.state, known.attempt, known.crashes)
        );
        assert_eq!((Some(job.state), job.attempt), (told.state, told.attempt));
        assert!((job.progress - told.progress).abs() < f64::EPSILON);
        assert_eq!(job.artefact.is_some(), job.state == JobState::Finished);
        assert_eq!(job.ended_at.is_some(), job.state.is_final());
    }
}

pub(crate) async fn jobs_are_as_the_model_has_them<S: Subject>() {
    let mut runner = TestRunner::default();
    let stories = prop::collection::vec(any_step(), 0..60);
    for _ in 0..S::STORIES {
        let story = stories.new_tree(&mut runner).unwrap().current();
        tell_if_it_fails(&story);
        live_through::<S>(story).await;
    }
}

#[expect(clippy::print_stdout, reason = "shown by the runner with a test that fails")]
fn tell_if_it_fails(story: &[Step]) {
    println!("{story:?}");
}
